"""How many requests stand where: by stage and state, for a board."""

from typing import Annotated

from fastapi import APIRouter, Depends
from pydantic import BaseModel, Field
from starlette.responses import Response

from schemas.stages import NOT_MAPPED, STAGES
from services.query.problems import documented
from services.query.serving import Serving, answer, serving

router = APIRouter(tags=["requests"])


class StageCount(BaseModel):
    """How many requests are in one stage."""

    stage: str = Field(examples=["development"])
    total: int
    states: dict[str, int] = Field(
        description="By state; `unknown` where no tool says", examples=[{"active": 12, "waiting": 3}]
    )


class StageCounts(BaseModel):
    """All stages in their order; `not mapped` last."""

    items: list[StageCount]


@router.get("/stages", response_model=StageCounts, summary="How many stand where", responses=documented(503))
async def stages(hub: Annotated[Serving, Depends(serving)]) -> Response:
    """Counts by stage and state, some seconds old. They are the same for everybody: who may not read a request's
    content may still know that it exists, its stages and its times."""
    found: dict[str, dict[str, int]] = {stage: {} for stage in (*STAGES, NOT_MAPPED)}
    for (stage, state), number in (await hub.standing.current()).items():
        found.setdefault(stage, {})[state or "unknown"] = number
    items = [{"stage": name, "total": sum(states.values()), "states": states} for name, states in found.items()]
    return answer({"items": items})
