"""The change feed: by number, paged or as a stream, in the one order in which changes are published."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Sequence
from typing import Annotated, Any, TypeVar

from anyio import CancelScope
from fastapi import APIRouter, Depends, Header, Query
from fastapi.sse import EventSourceResponse, ServerSentEvent
from starlette.requests import Request
from starlette.responses import Response

from services.query import answers, reading
from services.query.access import may_read_on
from services.query.heads import only_head
from services.query.problems import documented, wrong
from services.query.refused import Refused
from services.query.serving import Serving, answer, serving, told

router = APIRouter(tags=["changes"])

T = TypeVar("T")

MOST = 2**63 - 1
PAGE = 500
RETRY_MS = 2000

EXAMPLE = """event: change
data: {"number": 7, "request": "R-MZXW6YTBOI3D", "merged_into": null, "etag": "5bc552851a778663", \
"at": "2026-03-03T09:00:00Z"}
id: 7

"""
"""A piece of the stream."""

_LOOK_EVERY = 1.0
"""Seconds."""

Since = Annotated[int, Query(ge=0, le=MOST, description="The last number you have seen; 0: from the beginning")]
Hub = Annotated[Serving, Depends(serving)]


@router.get(
    "/changes", response_model=answers.Changes, summary="Changes after a number", responses=documented(409, 422, 503)
)
async def changes(hub: Hub, since: Since = 0, limit: Annotated[int, Query(ge=1, le=1000)] = 100) -> Response:
    """Gapless: the first item's number is since + 1. Store `next` after you have handled the page, and ask again.
    (Once, after a restored database, numbers go on with a gap, and every request comes once more.)

    409: `since` is ahead of every change there is, so the hub's database is older than what you have seen (a restored
    backup): begin again from 0.
    """
    rows = await reading.changes_after(hub.database, since, limit)
    latest = rows[-1].number if len(rows) == limit else 0
    newest = max(latest, await reading.newest_change(hub.database))
    _behind(since, newest)
    items = [_entry(row) for row in rows]
    return answer({"items": items, "next": items[-1]["number"] if items else since, "latest": newest})


async def _start(
    hub: Hub,
    since: Annotated[
        int | None, Query(ge=0, le=MOST, description="Stream what comes after this number; by default what is new")
    ] = None,
    last_event_id: Annotated[
        str | None, Header(description="The last number seen, as a reconnecting EventSource sends it; beats `since`")
    ] = None,
) -> int:
    """The number after which the stream begins."""
    newest = await reading.newest_change(hub.database)
    if hub.closing.is_set():
        raise _closing()
    if last_event_id:
        since = _number(last_event_id)
    begin = newest if since is None else since
    _behind(begin, newest)
    return begin


@router.get(
    "/changes/stream",
    response_class=EventSourceResponse,
    summary="Changes as they come",
    responses={200: {"content": {"text/event-stream": {}}}, **documented(409, 422, 503)},
)
async def stream(
    hub: Hub, start: Annotated[int, Depends(_start)], asked: Request
) -> AsyncIterator[ServerSentEvent]:  # fmt: skip
    """Server-sent events named `change`; the id is the change number, the data an item of /v1/changes.

    The stream ends when this process stops, and within 3 s once its reader's session, token or account has ended:
    connect again with Last-Event-ID (a browser does so by itself). While it
    is stopping, or without its database, the answer is 503, upon which a browser's EventSource gives up for good:
    listen for `error` and, with readyState 2, open a new one after a pause. A comment comes every 15 s.
    """
    if only_head(asked):
        return
    seen = start
    yield ServerSentEvent(comment="changes follow", retry=RETRY_MS)
    admitted = Admitted(asked)
    while not hub.closing.is_set() and await admitted.still():
        try:
            rows = await _next(hub, seen)
        except Refused as error:
            yield ServerSentEvent(comment=f"waiting: {error.detail}")
            rows = ()
        for row in rows:
            seen = row.number
            yield ServerSentEvent(data=_entry(row), event="change", id=str(seen))
            if hub.closing.is_set():
                return
        if not rows:
            await _pause(hub)


class Admitted:
    """Whether the reader of a stream may read on; looked at now and then."""

    def __init__(self, asked: Request) -> None:
        self._asked = asked
        self._until = 0.0

    async def still(self) -> bool:
        """As it is now, or was a second ago."""
        clock = asyncio.get_running_loop().time
        if clock() < self._until:
            return True
        self._until = clock() + _LOOK_EVERY
        return await _whole(may_read_on(self._asked))


async def _next(hub: Serving, seen: int) -> Sequence[Any]:
    """What comes after `seen`. All streams together ask the database once in `poll_seconds` whether there is more."""
    return await _whole(_after(hub, seen))


async def _after(hub: Serving, seen: int) -> Sequence[Any]:
    if await hub.newest.current() <= seen:
        return ()
    return await reading.changes_after(hub.database, seen, PAGE)


async def _whole(reads: Awaitable[T]) -> T:
    """To its end, also where the reader leaves meanwhile: cut off, the database's connection would be lost with it."""
    with CancelScope(shield=True):
        told = await reads
    return told  # noqa: RET504 - to the type checker a scope may swallow what it holds


async def _pause(hub: Serving) -> None:
    """Wait for more, or until this process stops."""
    try:
        async with asyncio.timeout(hub.poll_seconds):
            await hub.closing.wait()
    except TimeoutError:
        pass


def _behind(since: int, newest: int) -> None:
    if since > newest:
        raise Refused(
            409, "ahead", "That number was not given out yet: the hub's database is older than what you have seen.",
            "Begin again with since=0.", latest=newest,
        )  # fmt: skip


def _number(text: str) -> int:
    if text.isascii() and text.isdigit() and len(text) < 20 and int(text) <= MOST:
        return int(text)
    raise wrong("header.Last-Event-ID", "is no change number", "give the id of the last event you have seen")


def _closing() -> Refused:
    return Refused(503, "closing", "This process is stopping.", "Connect again.", headers={"Retry-After": "2"})


def _entry(row: Any) -> dict[str, Any]:
    return {
        "number": row.number,
        "request": row.request,
        "merged_into": row.merged_into,
        "etag": row.etag,
        "at": told(row.at),
    }
