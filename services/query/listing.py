"""Lists of requests: filters, words, sorting, paging."""

import asyncio
import re
from dataclasses import replace
from datetime import timedelta
from itertools import islice
from typing import Annotated, Any, Literal, NamedTuple

from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel, ConfigDict, Field
from starlette.requests import Request
from starlette.responses import Response

from pipelines.search import terms
from schemas.canonical import instant
from schemas.records import StateName
from services.query import answers, paging
from services.query.audience import Seen, View, facets
from services.query.database import TooSlow
from services.query.instants import At
from services.query.items import item
from services.query.problems import documented, wrong
from services.query.reading import Stored
from services.query.reads import Reads
from services.query.searching import MOST_WORDS, Search, Sort, finds
from services.query.serving import Serving, answer, serving
from services.query.steps import Steps
from services.query.unknown import unknown

router = APIRouter(tags=["requests"])

Value = Annotated[str, Field(min_length=1, max_length=200)]

AskedState = Literal[StateName, "unknown"]

DURATION = r"^([0-9]{1,5}|P[0-9]{1,4}W|P[0-9]{1,5}D(T[0-9]{1,6}H)?|PT([0-9]{1,6}H([0-9]{1,7}M)?|[0-9]{1,7}M))$"
"""Weeks, days, hours and minutes of ISO 8601, or a number of days. Months and years have no one length."""

_MOST_STEPS = 20
"""Steps for one page, where they give little."""

_LOOKED_AT = 25
"""Requests that a step gives at least, where some are passed over: pages of one are not looked for one by one."""

_FILTERS = {
    "text", "stage", "state", "tool", "connection", "person", "requester", "holder", "unit", "project",
}  # fmt: skip
_UNITS = {"W": "weeks", "D": "days", "H": "hours", "M": "minutes"}


class Wanted(BaseModel):
    """What is looked for. Several values of one filter mean any of them; several filters mean all."""

    model_config = ConfigDict(extra="forbid")

    text: str = Field(
        default="",
        max_length=200,
        description="All of these words, the last one as a beginning, in titles, keys and names",
        examples=["payroll port"],
    )
    stage: list[Value] = Field(default=[], max_length=20, description="Any of these stages", examples=[["development"]])
    state: list[AskedState] = Field(
        default=[],
        max_length=6,
        description="Any of these states; unknown: no tool says one",
        examples=[["waiting"]],
    )
    tool: list[Value] = Field(default=[], max_length=20, description="Holds something of this connector")
    connection: list[Value] = Field(default=[], max_length=20, description="Holds something of this connection")
    person: list[Value] = Field(
        default=[], max_length=20, description="An identity's id, an e-mail address or a full name"
    )
    requester: list[Value] = Field(default=[], max_length=20, description="Who asked for it, given like a person")
    holder: list[Value] = Field(default=[], max_length=20, description="Who has it now, given like a person")
    unit: list[Value] = Field(default=[], max_length=20, description="Business unit")
    project: list[Value] = Field(
        default=[], max_length=20, description="Key of a project, also in small letters", examples=[["PAY"]]
    )
    changed_since: At | None = Field(default=None, description="Something happened to it then or later")
    in_stage_longer_than: str | None = Field(
        default=None,
        pattern=DURATION,
        max_length=40,
        description="In its present stage for longer than this: days, or an ISO 8601 duration. "
        "Finished ones stay in their last stage: ask for `state` too",
        examples=["P14D", "10"],
    )
    sort: Sort = Field(default="updated", description="stage_since: entry into the present stage")
    order: Literal["asc", "desc"] = "desc"
    cursor: str | None = Field(default=None, max_length=500, description="`next` of the page before")
    limit: int = Field(default=25, ge=1, le=100)
    whole: bool = Field(default=False, description="With the whole records")
    export: bool = Field(
        default=False, description="For a table that is taken away: the first page notes so in the audit"
    )

    def told(self) -> dict[str, Any]:
        """What is asked for, for the audit."""
        return self.model_dump(mode="json", exclude_defaults=True, exclude={"cursor", "limit", "whole", "export"})


@router.get(
    "/requests", response_model=answers.RequestPage, summary="List and search", responses=documented(400, 422, 503)
)
async def requests(
    wanted: Annotated[Wanted, Query()], hub: Annotated[Serving, Depends(serving)], view: Seen, asked: Request
) -> Response:
    """A page of requests. What changes while you page may move to a place you have passed; nothing is told twice."""
    search = replace(_search(wanted, hub), brief=view.of_anything and not wanted.whole)
    connections = await hub.freshness.current() if wanted.tool or wanted.connection else []
    odd = await unknown(hub.database, search, ((one["connection"], one["connector"]) for one in connections))
    if odd:
        raise wrong(f"query.{odd.name}", "is none of the known values", odd.mend)
    if wanted.export and wanted.cursor is None:
        reads: Reads = asked.app.state.reads
        await reads.exported(view.caller, asked.client.host if asked.client else None, wanted.told())
    page, after = await _page(hub, view, search)
    now = hub.now()
    following = paging.cursor(_kind(wanted), after) if after else None
    return answer({"items": [item(row, now, whole=wanted.whole) for row in page], "next": following})


async def _page(hub: Serving, view: View, search: Search) -> tuple[list[Stored], paging.Place | None]:
    """The page as its reader sees it, and where the next one begins."""
    return await (_of_all if view.whole else _of_what_they_find)(hub, view, search)


async def _of_all(hub: Serving, view: View, search: Search) -> tuple[list[Stored], paging.Place | None]:
    """For whom nothing is kept from: what so many steps gave, the rest is for the next page."""
    found: list[Stored] = []
    steps, on = Steps(hub.database.rows, search, hub.bounds), search.after
    for _ in range(_MOST_STEPS):
        step = await steps.next()
        on = step.on
        for place, row in enumerate(step.rows, start=1):
            found.append(view.shown(_stored(row)))
            if len(found) == search.limit:
                return found, (row.key, row.id) if on or place < len(step.rows) else None
        if on is None:
            break
    return found, on


async def _of_what_they_find(hub: Serving, view: View, search: Search) -> tuple[list[Stored], paging.Place | None]:
    """For all others: what is only found by something that they may not read is not found by them.

    Nothing of it shows: a page is full or the last one, and another one follows only where they find more, however
    many are passed over. Raises TooSlow where that takes longer than it may.
    """
    clock = asyncio.get_running_loop().time
    until = clock() + hub.bounds.seconds
    steps = Steps(hub.database.rows, replace(search, limit=max(search.limit + 1, _LOOKED_AT)), hub.bounds)
    page: list[_Found] = []
    on = True
    while on and len(page) <= search.limit:
        step = await steps.next()
        found = (one for row in step.rows if (one := _found(view, search, row)))
        page += islice(found, search.limit + 1 - len(page))
        on = step.on is not None
        if on and len(page) <= search.limit and clock() > until:
            raise TooSlow(hub.bounds.seconds)
    shown = page[: search.limit]
    for one in shown:
        view.told(one.stored.id, one.restricted)
    return [one.stored for one in shown], shown[-1].place if len(page) > search.limit else None


class _Found(NamedTuple):
    """A request that its reader finds."""

    place: paging.Place
    stored: Stored
    restricted: frozenset[str]
    """Connections of it that not everybody may read, and they may."""


def _found(view: View, search: Search, row: Any) -> _Found | None:
    """None: not by them. What is passed over counts as read by nobody."""
    told: dict[str, frozenset[str]] = {}
    shown = replace(view, told=told.__setitem__).shown(_stored(row))
    if (shown.hidden or shown.elsewhere) and not finds(search, facets(shown.record)):
        return None
    return _Found((row.key, row.id), shown, told[row.id])


def _stored(row: Any) -> Stored:
    return Stored(row.id, row.record, row.etag, row.problem, None)


def _search(wanted: Wanted, hub: Serving) -> Search:
    if wanted.text and not terms(wanted.text, MOST_WORDS):
        raise wrong("query.text", "holds no word", "give words of at least 2 letters or digits")
    long_ago = _duration(wanted.in_stage_longer_than) if wanted.in_stage_longer_than else None
    return Search(
        **wanted.model_dump(include=_FILTERS),
        changed_since=instant(wanted.changed_since) if wanted.changed_since else None,
        in_stage_since=instant(hub.now() - long_ago) if long_ago is not None else None,
        sort=wanted.sort,
        descending=wanted.order == "desc",
        after=paging.place(_kind(wanted), wanted.cursor),
        limit=wanted.limit,
    )


def _kind(wanted: Wanted) -> str:
    return paging.asked("requests", wanted)


def _duration(text: str) -> timedelta:
    """The length of time; the pattern has checked its form."""
    if text.isdecimal():
        return timedelta(days=int(text))
    day, _, time = text.removeprefix("P").partition("T")
    parts = re.findall(r"([0-9]+)([WD])", day) + re.findall(r"([0-9]+)([HM])", time)
    return timedelta(**{_UNITS[unit]: int(number) for number, unit in parts})
