"""The parts of a request: all that happened, what holds it together, and why two things belong together."""

from collections.abc import Sequence
from typing import Annotated, Any, Literal

import orjson
from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy.ext.asyncio import AsyncConnection
from starlette.responses import Response

from pipelines.lifecycle.withholding import connection_of
from pipelines.store import configuration
from schemas.artifacts import ActivityKind, request_id
from schemas.canonical import instant
from services.query import answers, naming, paging, reading, reasons
from services.query.audience import Seen
from services.query.finding import LONGEST, find
from services.query.instants import At
from services.query.problems import documented, wrong
from services.query.reading import Known, Stored, TimelineQuery
from services.query.requests import RESPONSES, Found, Hub
from services.query.serving import answer
from services.query.why import named
from services.query.why_answers import Why

router = APIRouter(tags=["requests"], responses=RESPONSES)

CONTENT = ("from_value", "from_label", "to_value", "to_label", "text")
"""What an activity says beyond that it happened."""

Name = Annotated[str, Field(min_length=1, max_length=500)]
Reference = Annotated[str, Field(min_length=1, max_length=LONGEST)]


class Happenings(BaseModel):
    """Which activities. Several values of one filter mean any of them; several filters mean all."""

    model_config = ConfigDict(extra="forbid")

    kind: list[ActivityKind] = Field(default=[], max_length=20, examples=[["status changed"]])
    artifact: list[Name] = Field(
        default=[],
        max_length=50,
        description="Ids or natural keys (in any case) of artifacts of the record; what names none of them is refused",
        examples=[["jira-acme/issue/10012"], ["PAY-12"]],
    )
    actor: list[Name] = Field(
        default=[],
        max_length=20,
        description="People of the record: a person's id, any of their identities, or their e-mail address, each of "
        "which stands for all identities of that person in this request; what names nobody of it is refused",
        examples=[["mail/address/anna@example.com"], ["anna@example.com"]],
    )
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
    if wanted.since and wanted.until and wanted.until <= wanted.since:
        raise wrong("query.until", "does not lie after since", "give a later instant, or an earlier since")
    record = orjson.loads(found.record)
    kind = paging.asked("timeline", wanted, found.id)
    async with hub.database.reading() as connection:
        actors = await naming.actors(connection, found, record, wanted.actor)
        if wanted.actor and not actors:
            return answer({"items": [], "next": None})
        query = TimelineQuery(
            found.id, wanted.kind, naming.artifacts(record, wanted.artifact), actors,
            # Who did what may not be found out by asking for it.
            found.hidden if actors else (),
            instant(wanted.since) if wanted.since else None, instant(wanted.until) if wanted.until else None,
            wanted.order == "desc", paging.place(kind, wanted.cursor), wanted.limit,
        )  # fmt: skip
        rows = await reading.timeline(connection, query)
        hidden = await _hidden(connection, record, rows)
    page = rows[: wanted.limit]
    more = len(rows) > wanted.limit
    following = paging.cursor(kind, (page[-1]["at"], page[-1]["key"])) if more else None
    called = naming.called(record)
    read_by = {one["id"]: (one["connection"], *one["also_read_by"]) for one in record["artifacts"]}
    items = [
        _shown(
            row | {"actor_name": row["actor_name"] or called.get(row.get("actor"))},
            hidden=row["key"] in hidden,
            nobody=found.hidden.issuperset(read_by.get(row["artifact"]) or (connection_of(row["artifact"]),)),
        ) for row in page
    ]  # fmt: skip
    return answer({"items": items, "next": following})


async def _hidden(connection: AsyncConnection, record: naming.Record, rows: Sequence[dict[str, Any]]) -> set[str]:
    """Keys of the activities whose content stays out, as it stays out of the record."""
    artifacts = {one["id"]: one for one in record["artifacts"]}
    hidden = {row["key"] for row in rows if artifacts.get(row["artifact"], {}).get("restricted", True)}
    stated = [row for row in rows if row.get("audience", ["open"])[0] == "restricted" and row["key"] not in hidden]
    if stated:
        shown = (await configuration.load(connection)).shows_restricted
        hidden |= {row["key"] for row in stated if artifacts[row["artifact"]]["connection"] not in shown}
    return hidden


def _shown(activity: dict[str, Any], *, hidden: bool, nobody: bool) -> dict[str, Any]:
    """nobody: nor may it be known who did it."""
    if nobody:
        activity = {**activity, "actor": None, "actor_name": None}
    if hidden or nobody:
        activity = {name: value for name, value in activity.items() if name not in CONTENT}
    return {**activity, "restricted": hidden or nobody}


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


@router.get("/requests/{identifier}/why", response_model=Why, summary="Why do these belong together?")
async def why(found: Found, ends: Annotated[Ends, Query()], hub: Hub, view: Seen) -> Response:
    """The shortest chain of joining links between two artifacts, with everything that is known of each link; of two
    that are not in one request the nearest evidence, and what kept it from joining."""
    async with hub.database.reading() as connection:
        given = await find(connection, [ends.to, *([ends.start] if ends.start else [])])
    right = _of(found.id, await named(hub, view, "with", given[0]))
    left = _of(found.id, await named(hub, view, "from", given[1])) if ends.start else _oldest(found)
    why_so = await reasons.reasons(hub.database, left, right)
    reason = reasons.told(why_so)
    inside = reason["left_request"] == reason["right_request"] == found.id
    links = [one for name in ("chain", "nearest", "against") for one in reason[name]]
    alone = inside and all(one["other_request"] in (None, found.id) for one in links)
    told = reasons.withheld_reasons(reason, why_so, view, found.hidden if alone else None)
    together = told["together"] and inside
    other = told["right_request"] if told["right_request"] != found.id else None
    return answer({"request": found.id, **told, "together": together, "other_request": other})


def _of(request: str, known: Sequence[Known]) -> str:
    """The artifact meant: one of this request rather than of another."""
    return min(known, key=lambda each: each.request != request).artifact


def _oldest(found: Stored) -> str:
    artifacts: list[str] = [one["id"] for one in orjson.loads(found.record)["artifacts"]]
    return next(name for name in artifacts if request_id(name) == found.id)
