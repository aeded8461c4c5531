"""The first page: one box that takes anything, what it finds, and what concerns who reads it."""

import asyncio
import re
from collections.abc import Mapping, Sequence
from typing import Any

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from services.web.api import Api, Failed, api_of
from services.web.rendering import render
from services.web.wanted import OPEN, STUCK

LONGEST = 200
"""Characters of words that are looked for; a reference may be longer."""

NOTHING: Mapping[str, Any] = {"items": (), "next": None}
"""A page of requests without any."""

_LONGEST_REFERENCE = 4_000
_OFFERED = 8
"""Answers while somebody types."""
_SORTS = ("answer", "held", "asked", "part", "ended")
"""Of requests that concern somebody: wait for an answer, are with them, were asked for by them and are open, have them
in it otherwise, were asked for by them and are finished."""
_ANSWERS = re.compile(r"^\s*((re|aw|antw|sv|fw|fwd|wg|tr)\s*:\s*)+", re.IGNORECASE)
"""What mail programs put before a subject that is answered or sent on."""


async def first(request: Request) -> Response:
    """The box; what concerns the reader, or what is stuck and what changed last; and up to when it is true."""
    api = api_of(request)
    caller = request.scope["state"]["caller"]
    mine: Mapping[str, Sequence[Any]]
    mine = await _mine(api, caller.email) if caller.email else dict.fromkeys(_SORTS, ())
    shown: dict[str, Any] = {"stuck": [], "changed": []}
    if not any(mine.values()):
        shown["stuck"], shown["changed"] = await asyncio.gather(
            _list(api, state=OPEN, in_stage_longer_than=str(STUCK), sort="stage_since", order="asc", limit=5),
            _list(api, limit=5),
        )
    return await render(
        request, "first.html", mine=mine, email=caller.email, days=STUCK, read=await connections(api), **shown
    )  # fmt: skip


async def _mine(api: Api, email: str) -> Mapping[str, Sequence[Any]]:
    """What somebody has to do, asked for, and takes part in otherwise; each request once."""
    held, asked, ended, part = await asyncio.gather(
        _list(api, holder=email, sort="stage_since", order="asc", limit=20),
        _list(api, requester=email, state=OPEN, limit=20),
        _list(api, requester=email, state=("done", "cancelled"), limit=5),
        _list(api, person=email, state=OPEN, limit=20),
    )
    answer = [one for one in asked if one["waiting"] == "customer"]
    seen: set[str] = set()
    return {name: _once(items, seen) for name, items in zip(_SORTS, (answer, held, asked, part, ended), strict=True)}


def _once(items: Sequence[Any], seen: set[str]) -> list[Any]:
    new = [one for one in items if one["id"] not in seen]
    seen |= {one["id"] for one in new}
    return new


async def _list(api: Api, **asked: Any) -> list[Any]:
    return list((await api.get("/v1/requests", **asked))["items"])


async def find(request: Request) -> Response:
    """What was found; one request is opened at once."""
    asked = request.query_params.get("q", "").strip()
    if not asked:
        return RedirectResponse("/", 303)
    api = api_of(request)
    found = await by_reference(api, asked)
    alone = found["outcome"] == "in a request" and len(found["requests"]) == 1
    if alone and not found["other_host"]:  # else another tool may be meant
        return RedirectResponse(f"/requests/{found['requests'][0]['id']}", 303)
    worded = NOTHING if found["requests"] else await by_words(api, asked)
    known = found["artifacts"] or worded["items"]
    return await render(
        request, "found.html", asked=asked, found=found, worded=worded["items"], more=worded["next"] is not None,
        read=[] if known else await connections(api),
    )  # fmt: skip


async def suggest(request: Request) -> Response:
    """The first answers to what is in the box so far, as a part of a page."""
    asked = request.query_params.get("q", "").strip()[:_LONGEST_REFERENCE]
    box = re.sub(r"[^a-z-]", "", request.query_params.get("box", ""))
    api = api_of(request)
    found, worded = await asyncio.gather(_known(api, asked), by_words(api, asked, _OFFERED))
    named = found["requests"] if found else []
    offered = {one["id"]: one for one in [*named, *worded["items"]]}
    outside = [] if named or not found else found["artifacts"]
    return await render(
        request, "suggest.html", asked=asked, box=box, offered=list(offered.values())[:_OFFERED], outside=outside[:1],
        more=worded["next"] is not None,
    )  # fmt: skip


async def _known(api: Api, asked: str) -> dict[str, Any] | None:
    return await by_reference(api, asked) if asked else None


async def by_reference(api: Api, asked: str) -> dict[str, Any]:
    """What a reference leads to, with the requests it names."""
    told = await api.get("/v1/lookup", reference=asked[:_LONGEST_REFERENCE])
    item: dict[str, Any] = told["items"][0]
    return {**item, "requests": [told["requests"][one] for one in item["requests"] if one in told["requests"]]}


async def by_words(api: Api, asked: str, limit: int = 20) -> Mapping[str, Any]:
    """A page of requests that hold all of these words, as they are or as the subject of a mail that was answered; of an
    address those whose people have it."""
    words = _ANSWERS.sub("", asked)[:LONGEST]
    if "@" in words and " " not in words and (found := await _found(api, person=words, limit=limit))["items"]:
        return found
    return await _found(api, text=words, limit=limit) if words else NOTHING


async def _found(api: Api, **asked: Any) -> Mapping[str, Any]:
    try:
        page: Mapping[str, Any] = await api.get("/v1/requests", **asked)
        return page
    except Failed as error:
        if error.status == 422:  # nothing in it is a word
            return NOTHING
        raise


async def freshness(api: Api) -> list[Any]:
    """Up to when each connection is true."""
    told = await api.get("/v1/freshness")
    return list(told["items"])


async def connections(api: Api) -> Sequence[Mapping[str, Any]]:
    """What is read, since when and up to when."""
    return list((await api.get("/v1/connections"))["items"])


routes = [Route("/", first), Route("/find", find), Route("/find/suggest", suggest)]
