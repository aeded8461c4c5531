"""Freshness and connections, read only; no option and no secret is told."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends
from starlette.responses import Response

from services.query import answers, reading
from services.query.audience import Seen
from services.query.problems import documented
from services.query.serving import Serving, answer, read_of, serving, told

router = APIRouter(tags=["connections"], responses=documented(503))


@router.get("/freshness", response_model=answers.FreshnessAnswer, summary="Up to when each connection is true")
async def freshness(hub: Annotated[Serving, Depends(serving)]) -> Response:
    """At most a second old. What a tool changed after `true_up_to` may be missing from every answer."""
    return answer({"items": await hub.freshness.current()})


@router.get("/connections", response_model=answers.Connections, summary="The configured connections")
async def connections(hub: Annotated[Serving, Depends(serving)], view: Seen) -> Response:
    """State, progress and problem of each connection; whose mailbox it reads, where you may read what it brought."""
    rows = await reading.connections_read(hub.database)
    return answer({"items": view.reading([_told(row, hub, mailbox) for row, mailbox in rows])})


def _told(row: Any, hub: Serving, mailbox: str | None) -> dict[str, Any]:
    return {
        **read_of(row, hub.now(), mailbox),
        "attention": bool(row.attention),
        "retry_at": told(row.retry_at),
        "progress": {"done": row.progress_done, "total": row.progress_total},
    }
