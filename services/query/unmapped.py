"""What the stage map does not know of a connection."""

from dataclasses import asdict
from typing import Annotated

from fastapi import APIRouter, Depends, Path
from pydantic import BaseModel, Field
from starlette.responses import Response

from services.query import reading
from services.query.audience import Seen
from services.query.mapping import Unmapped, unmapped
from services.query.problems import documented
from services.query.refused import Refused
from services.query.serving import Serving, answer, serving

router = APIRouter(tags=["connections"], responses=documented(404, 422, 503))


class MissingStatus(BaseModel):
    """A status that no row of the stage map knows."""

    kind: str = Field(examples=["issue"])
    type: str | None = Field(description="The tool's own type; null: it has none", examples=["Story"])
    status: str = Field(examples=["Awaiting steering board"])
    artifacts: int = Field(description="How many artifacts of requests stand in it", examples=[31])


class UnmappedAnswer(BaseModel):
    """How much of a connection has no stage, and what would mend most."""

    connection: str = Field(examples=["jira-acme"])
    artifacts: int = Field(description="Artifacts of requests whose status no row knows", examples=[48])
    of: int = Field(description="Artifacts of requests that have a status", examples=[1200])
    share: float = Field(description="The first of the second, from 0 to 1", examples=[0.04])
    statuses: list[MissingStatus] = Field(description="At most five, those of most artifacts first")


@router.get(
    "/connections/{identifier}/unmapped", response_model=UnmappedAnswer, summary="What the stage map does not know"
)
async def connection_unmapped(
    identifier: Annotated[str, Path(max_length=40, description="A connection", examples=["jira-acme"])],
    hub: Annotated[Serving, Depends(serving)],
    view: Seen,
) -> Response:
    """Share of artifacts without a stage, and the five statuses whose mapping would mend most.

    `throughline rules apply` maps them.
    """
    if identifier not in {row.id for row in await reading.connections(hub.database)}:
        raise Refused(404, "unknown-connection", "There is no connection of this name.", "See /v1/connections.")
    view.admit(identifier)
    async with hub.database.reading() as connection:
        one = (await unmapped(connection, identifier)).get(identifier, Unmapped())
    statuses = [{**asdict(each), "type": each.type or None} for each in one.statuses]
    told = {"connection": identifier, "artifacts": one.artifacts, "of": one.of, "share": one.share}
    return answer({**told, "statuses": statuses})
