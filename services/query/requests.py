"""One request by its id: the record as it is stored, or as it stood at an earlier moment."""

import re
from typing import Annotated, Any

import orjson
from fastapi import APIRouter, Depends, Header, Path, Query
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Match, Route
from starlette.types import Scope

from pipelines.lifecycle import to_text
from pipelines.lifecycle.summary import summary as summed_up
from pipelines.lifecycle.withholding import withheld
from pipelines.recall import recall
from schemas.records import LifecycleRecord
from services.query import answers, reading
from services.query.audience import Seen, View, view_of
from services.query.finding import find, told
from services.query.gone import FORM, Gone
from services.query.instants import At
from services.query.problems import documented, header, wrong
from services.query.reading import Known, Stored
from services.query.refused import Refused
from services.query.serving import Serving, answer, serving

RESPONSES: dict[int | str, dict[str, Any]] = {
    **documented(308, 404, 422, 503),
}

_TAGGED = header("ETag", "Of the record as it is stored; none with `as_of`")

router = APIRouter(tags=["requests"], responses=RESPONSES)

Hub = Annotated[Serving, Depends(serving)]
Id = Annotated[str, Path(pattern=answers.RequestId, description="A request id", examples=["R-MZXW6YTBOI3D"])]
NO_CACHE = "private, no-cache"
_WELL_FORMED = re.compile(answers.RequestId)


class Moved(Refused):
    """The id belongs to an artifact that is part of another request."""

    def __init__(self, asked: Request, old: str, new: str) -> None:
        path = asked.url.path.replace(f"/requests/{old}", f"/requests/{new}", 1)
        query = f"?{asked.url.query}" if asked.url.query else ""
        super().__init__(
            308, "moved", "This id is part of another request.", "Follow Location; keep the new id.",
            headers={"Location": path + query}, request=new,
        )  # fmt: skip


async def _stored(asked: Request, identifier: Id, hub: Hub, view: Seen) -> Stored:
    """The request; where it is not stored under this id, where the id leads, or what is read and up to when."""
    found = await reading.request(hub.database, identifier)
    if found is not None:
        return view.shown(found)
    async with hub.database.reading() as connection:
        (leads,) = await find(connection, [identifier])
    owner = leads.artifacts[0] if leads.artifacts else None
    if owner and owner.request and owner.request != identifier:
        raise Moved(asked, identifier, owner.request)
    read = view.reading(await hub.read.current())
    if owner:
        raise _in_no_request(view, owner, read)
    raise Refused(
        404, "unknown-request", unread("Nothing that is read so far has this request id.", leads.gone),
        f"{'' if leads.gone else f'{FORM}. '}See freshness for what is read, since when and up to when; look for any "
        "other reference under /v1/lookup?reference=.", freshness=read, **became(leads.gone),
    )  # fmt: skip


def unread(says: str, gone: Gone | None) -> str:
    """That nothing is known by a name, with what became of it, if that is known."""
    return f"{says} {gone.said}." if gone else says


def became(gone: Gone | None) -> dict[str, Any]:
    """What a problem tells of that as data."""
    return {"gone": gone.told()} if gone else {}


def _in_no_request(view: View, owner: Known, freshness: Any) -> Refused:
    says, mend = "The thing that owns this id is known, but in no request.", "It may join one later; ask again."
    kept = owner.kept_out
    if kept and not view.outside:  # it may name other things than this one
        says, mend = f"{kept['said']}.", f"Undo decision {kept['number']} if it no longer holds."
    more = {"artifact": told(view.artifact(owner)), "freshness": freshness}
    return Refused(404, "in-no-request", says, mend, headers=None, **more)


Found = Annotated[Stored, Depends(_stored)]


async def _plainly(asked: Request) -> Response:
    hub = await serving(asked)
    found = await _stored(asked, asked.path_params["identifier"], hub, await view_of(asked))
    return await _current(found, hub, asked.headers.get("if-none-match"), summary=False)


class PlainRequest(Route):
    """One request without parameters, as most are asked for: past the framework's parsing, with the same answer.

    Anything else about the path, and its documentation, is the framework's.
    """

    def __init__(self) -> None:
        super().__init__("/v1/requests/{identifier}", _plainly, include_in_schema=False)

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """Only GET of a well-formed id without a query."""
        if scope["type"] != "http" or scope["method"] != "GET" or scope["query_string"]:
            return Match.NONE, {}
        match, child = super().matches(scope)
        if match is Match.FULL and not _WELL_FORMED.fullmatch(child["path_params"]["identifier"]):
            return Match.NONE, {}
        return match, child


@router.get(
    "/requests/{identifier}",
    response_model=answers.RequestAnswer,
    summary="One request",
    responses={200: _TAGGED, 304: {"description": "The record is the one you have", **_TAGGED}},
)
async def request(
    found: Found,
    hub: Hub,
    as_of: Annotated[
        At | None, Query(description="As it stood then, by today's knowledge of what belongs to it")
    ] = None,
    summary: Annotated[bool, Query(description="With one line in people's words")] = False,
    if_none_match: Annotated[str | None, Header(description="ETag of the record you have")] = None,
) -> Response:
    """The record as stored, its newest change number, and up to when each connection is true.

    The ETag is the hash of the stored record alone: freshness goes on while the record stays, so a 304 says that the
    record is the same, and /v1/freshness says up to when.
    """
    if as_of is not None:
        return await _earlier(found, hub, as_of, summary=summary)
    return await _current(found, hub, if_none_match, summary=summary)


async def _current(found: Stored, hub: Serving, if_none_match: str | None, *, summary: bool) -> Response:
    tag = f'W/"{found.etag}"'
    # What is not up to date says so each time: its reason is no part of the record.
    if if_none_match and found.problem is None and _matches(if_none_match, found.etag):
        return Response(status_code=304, headers={"ETag": tag, "Cache-Control": NO_CACHE})
    return await _record(found, hub, found.record, {"ETag": tag}, summary=summary)


async def _earlier(found: Stored, hub: Serving, as_of: Any, *, summary: bool) -> Response:
    if as_of > hub.now():
        raise wrong("query.as_of", "lies in the future", "give an instant up to now")
    async with hub.database.reading() as connection:
        record = await recall(connection, found.id, as_of)
    if record is None:
        raise Refused(
            404, "not-yet", "Nothing of this request existed at that instant.", "Give a later as_of.",
            freshness=await hub.freshness.current(),
        )  # fmt: skip
    record = withheld(record, found.hidden, found.elsewhere) if found.hidden or found.elsewhere else record
    return await _record(found, hub, to_text(record), {}, summary=summary)


async def _record(found: Stored, hub: Serving, record: str, headers: dict[str, str], *, summary: bool) -> Response:
    told = LifecycleRecord.model_validate_json(record) if summary else None
    line = summed_up(told, told.as_of or hub.now()) if told else None
    body = {
        "request": orjson.Fragment(record),
        "etag": found.etag,
        "change": found.change,
        "problem": found.problem,
        "summary": line,
        "freshness": await hub.freshness.current(),
    }
    return answer(body, headers={"Cache-Control": NO_CACHE, **headers})


def _matches(header: str, etag: str) -> bool:
    given = (part.strip().removeprefix("W/").strip('"') for part in header.split(","))
    return header.strip() == "*" or etag in given
