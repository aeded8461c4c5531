"""The parts of a request: all that happened, what holds it together, and why two things belong together."""

from collections.abc import Sequence
from typing import Annotated, Any, Literal

import orjson
from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy.ext.asyncio import AsyncConnection
from starlette.responses import Response

from pipelines.store import configuration
from schemas.artifacts import ActivityKind, request_id
from schemas.canonical import instant
from services.query import answers, paging, reading
from services.query.chains import Link, chain
from services.query.finding import find
from services.query.instants import At
from services.query.problems import documented
from services.query.reading import Known, TimelineQuery
from services.query.refused import Refused
from services.query.requests import RESPONSES, Found, Hub
from services.query.serving import Serving, answer

router = APIRouter(tags=["requests"], responses=RESPONSES)

CONTENT = ("from_value", "from_label", "to_value", "to_label", "text")
"""What an activity says beyond that it happened."""

Name = Annotated[str, Field(min_length=1, max_length=500)]
Reference = Annotated[str, Field(min_length=1, max_length=2000)]


class Happenings(BaseModel):
    """Which activities. Several values of one filter mean any of them; several filters mean all."""

    model_config = ConfigDict(extra="forbid")

    kind: list[ActivityKind] = Field(default=[], max_length=20, examples=[["status changed"]])
    artifact: list[Name] = Field(default=[], max_length=50, examples=[["jira-acme/issue/10012"]])
    actor: list[Name] = Field(default=[], max_length=20, description="Ids of identities")
    since: At | None = Field(default=None, description="At this instant or later")
    until: At | None = Field(default=None, description="Before this instant")
    order: Literal["asc", "desc"] = "asc"
    cursor: str | None = Field(default=None, max_length=2000, description="`next` of the page before")
    limit: int = Field(default=100, ge=1, le=100)


@router.get(
    "/requests/{identifier}/timeline",
    response_model=answers.TimelinePage,
    summary="All that happened",
    responses=documented(400),
)
async def timeline(found: Found, wanted: Annotated[Happenings, Query()], hub: Hub) -> Response:
    """Every activity of every artifact in the request, paged; what its tool took back is left out.

    Where the tool or the connection restricts content, an activity only says that it happened.
    """
    order = f"timeline {wanted.order}"
    query = TimelineQuery(
        found.id, wanted.kind, wanted.artifact, wanted.actor,
        instant(wanted.since) if wanted.since else None, instant(wanted.until) if wanted.until else None,
        wanted.order == "desc", paging.place(order, wanted.cursor), wanted.limit,
    )  # fmt: skip
    async with hub.database.reading() as connection:
        rows = await reading.timeline(connection, query)
        hidden = await _hidden(connection, found.record, rows)
    page = rows[: wanted.limit]
    more = len(rows) > wanted.limit
    following = paging.cursor(order, (page[-1]["at"], page[-1]["key"])) if more else None
    return answer({"items": [_shown(row, hidden=row["key"] in hidden) for row in page], "next": following})


async def _hidden(connection: AsyncConnection, record: str, rows: Sequence[dict[str, Any]]) -> set[str]:
    """Keys of the activities whose content stays out, as it stays out of the record."""
    artifacts = {one["id"]: one for one in orjson.loads(record)["artifacts"]}
    hidden = {row["key"] for row in rows if artifacts.get(row["artifact"], {}).get("restricted", True)}
    stated = [row for row in rows if row.get("audience", ["open"])[0] == "restricted" and row["key"] not in hidden]
    if stated:
        shown = (await configuration.load(connection)).shows_restricted
        hidden |= {row["key"] for row in stated if artifacts[row["artifact"]]["connection"] not in shown}
    return hidden


def _shown(activity: dict[str, Any], *, hidden: bool) -> dict[str, Any]:
    if hidden:
        activity = {name: value for name, value in activity.items() if name not in CONTENT}
    return {**activity, "restricted": hidden}


@router.get("/requests/{identifier}/links", response_model=answers.Links, summary="What holds it together")
async def links(found: Found) -> Response:
    """All links of the record: what joins, what it depends on, what is only mentioned."""
    return answer({"request": found.id, "links": orjson.loads(found.record)["links"]})


class Ends(BaseModel):
    """The two things asked about."""

    model_config = ConfigDict(extra="forbid", validate_by_alias=True)

    to: Reference = Field(alias="with", description="Any reference, or an artifact's id", examples=["PAY-12"])
    start: Reference | None = Field(
        default=None, alias="from", description="The other end; by default the oldest part of the request"
    )


@router.get("/requests/{identifier}/why", response_model=answers.Why, summary="Why do these belong together?")
async def why(found: Found, ends: Annotated[Ends, Query()], hub: Hub) -> Response:
    """The shortest chain of joining links between two artifacts, with the reason of each link."""
    record = orjson.loads(found.record)
    async with hub.database.reading() as connection:
        named = await find(connection, [ends.to, *([ends.start] if ends.start else [])])
    right = await _end(hub, "with", named[0].artifacts, found.id)
    left = await _end(hub, "from", named[1].artifacts, found.id) if ends.start else None
    start = left.artifact if left else next(one for one in _artifacts(record) if request_id(one) == found.id)
    return answer(_why(found.id, record["links"], start, right, together=left is None or left.request == found.id))


def _artifacts(record: dict[str, Any]) -> list[str]:
    return [one["id"] for one in record["artifacts"]]


async def _end(hub: Serving, field: str, named: Sequence[Known], request: str) -> Known:
    """The artifact meant: one of this request rather than of another."""
    for one in sorted(named, key=lambda each: each.request != request):
        return one
    raise Refused(
        404, "unknown-reference", f"query.{field} names nothing that is read so far.",
        "Give a key, an address, a Message-ID, a number or an artifact's id; see freshness for what is read.",
        freshness=await hub.freshness.current(),
    )  # fmt: skip


def _why(request: str, links: Sequence[Link], left: str, right: Known, *, together: bool) -> dict[str, Any]:
    together = together and right.request == request
    found = chain(links, left, right.artifact) if together else []
    return {
        "request": request,
        "together": together,
        "left": left,
        "right": right.artifact,
        "other_request": right.request if right.request != request else None,
        "chain": found,
        "words": [link["why"] for link in found],
    }
