"""Trying a connection before it is saved: its check, a preview of what it would bring, and how much that would be."""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Annotated, Any

import orjson
from fastapi import APIRouter, Body, Header
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import Response, StreamingResponse

from schemas.access import Role
from schemas.errors import HubError
from services.admin import refusals, setting_up
from services.admin.equipment import Equipment, Equipped
from services.admin.given import WHOLE, Invalid, options_of
from services.admin.hooking import reachable
from services.admin.registering import seen
from services.admin.setting_up import Wanted
from services.feed import connections
from services.feed.connections import StoredConnection
from services.query.access import needs
from services.query.audience import Seen
from services.query.changing import Adding
from services.query.instants import At
from services.query.problems import documented, wrong
from services.query.refused import Refused
from services.query.serving import answer

router = APIRouter(
    tags=["connections"], dependencies=[needs(Role.ADMIN)], route_class=Adding,
    responses=documented(400, 401, 403, 404, 409, 413, 415, 422, 503),
)  # fmt: skip

CHECKING = 60.0
"""Seconds that a whole check may take."""
_UNSEEN = re.compile(r"[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]")
"""Line breaks and other controls, and what turns the direction of all that follows on a page."""
LINES = "application/x-ndjson"
"""How the steps of a test are sent one by one."""
LOOKING = 25.0
"""Seconds for which things are read for a preview."""

Name = Annotated[str, Field(pattern=r"^[a-z0-9](?:[a-z0-9-]{0,38}[a-z0-9])?$", examples=["jira-acme"])]

EXAMPLE: dict[str, Any] = {
    "connector": "jira",
    "name": "jira-acme",
    "options": {
        "base_url": "https://acme.atlassian.net", "projects": ["PAY"],
        "auth": {"kind": "api_token", "email": "hub@acme.example", "token": "…"},
    },
    "since": "2026-01-01T00:00:00Z",
}  # fmt: skip


class Tried(BaseModel):
    """A connection that is not saved, or not saved so."""

    model_config = ConfigDict(extra="forbid")

    connector: str = Field(max_length=100, examples=["jira"])
    options: Annotated[dict[str, Any], WHOLE] = Field(
        description="As the form of /v1/connectors has them; blank ones are left out"
    )
    name: Name | None = Field(default=None, description="The name it is to have; null: the connector's own")
    connection: Name | None = Field(
        default=None,
        description="A connection whose stored secrets fill those left empty, where address and kind of signing in are "
        "the same",
    )
    since: At | None = Field(default=None, description="Read from when; null: from the beginning")


class StepTold(BaseModel):
    """One step of a check."""

    name: str = Field(examples=["sign-in"])
    ok: bool
    says: str = Field(description="What was found, or what is wrong and how to mend it")
    needed: bool = Field(description="false: without it everything is still read, only later")


class Tested(BaseModel):
    """The steps up to the first that fails."""

    ok: bool = Field(description="Whether the tool can be read")
    steps: list[StepTold]


class ThingTold(BaseModel):
    """A real thing, and what would become of it."""

    artifact: str
    kind: str = Field(examples=["issue"])
    called: str = Field(examples=["issue PAY-12"])
    title: str | None
    url: str | None
    type: str | None
    changed_at: str | None
    status: str | None = Field(description="The tool's own word", examples=["In Progress"])
    stage: str = Field(examples=["development"])
    state: str | None = Field(examples=["active"])
    mapped: bool = Field(description="Whether a row of the stage map knows its status")
    mapped_by: str
    becomes: str = Field(description="opens, joins, outside or programme")
    says: str = Field(examples=["opens a request, which 2 other things here join"])
    request: str | None = Field(description="The stored request it would join")
    joins: str | None = Field(description="What it would join", examples=["issue PAY-12"])
    why: str | None
    names: list[str] = Field(description="What it names, strongest evidence first")


class UnknownStatusTold(BaseModel):
    """A status that no row of the stage map knows."""

    kind: str
    type: str | None
    status: str
    things: int


class Previewed(BaseModel):
    """The last things that changed, the newest first. Nothing of it is stored."""

    things: list[ThingTold]
    counts: dict[str, int] = Field(examples=[{"opens": 8, "joins": 10, "outside": 2, "programme": 0}])
    unmapped: list[UnknownStatusTold]
    unusable: int = Field(description="Records that could not be understood")
    cut: bool = Field(description="The tool was too slow to show more in time")
    remarks: list[str] = Field(
        description="What in the options leads nowhere, though the rest is read",
        examples=[["no folder fits Projekts/* (nearest: Projects)"]],
    )


class Estimated(BaseModel):
    """About how much would be read."""

    things: int | None = Field(description="null: the tool cannot say")


@router.post(
    "/connections/test", response_model=Tested, summary="Test options step by step",
    responses={200: {"content": {LINES: {"schema": {"type": "string"}}}}},
)  # fmt: skip
async def step_by_step(
    asked: Annotated[Tried, Body(openapi_examples={"jira": {"value": EXAMPLE}})],
    parts: Equipped,
    accept: Annotated[str, Header(description=f"{LINES}: each step as it is done, a line of JSON each")] = "*/*",
) -> Response:
    """Where the address leads, its certificate, signing in, what may be read, the clocks; ends at the first that
    fails. Where a webhook's secret is given, also whether our own listener is reached at its public address, and what
    the tool says of the webhook.

    As lines of JSON each step is sent once it is done; the last line is `{"ok": …}`, or `{"problem": …}` where the tool
    could not be asked to the end."""
    wanted = await _wanted(parts, asked)
    if LINES in accept:
        return StreamingResponse(_lines(parts, wanted), media_type=LINES, headers={"Cache-Control": "no-store"})
    async with _in_time(CHECKING):
        steps = [one async for one in _steps(parts, wanted)]
    return answer({"ok": _well(steps), "steps": steps})


async def _steps(parts: Equipment, wanted: Wanted) -> AsyncIterator[dict[str, Any]]:
    ok = True
    async for one in setting_up.checked(parts, wanted):
        ok = ok and one.ok
        yield {"name": one.name, "ok": one.ok, "says": one.says, "needed": True}
    for look in (reachable, seen) if ok else ():
        hook = await look(parts, wanted)
        if hook is not None:
            yield {"name": hook.name, "ok": hook.ok, "says": hook.says, "needed": False}


def _well(steps: list[dict[str, Any]]) -> bool:
    return all(one["ok"] or not one["needed"] for one in steps)


async def _lines(parts: Equipment, wanted: Wanted) -> AsyncIterator[bytes]:
    steps = []
    last: dict[str, Any] = {}
    try:
        async with _in_time(CHECKING):
            async for step in _steps(parts, wanted):
                steps.append(step)
                yield orjson.dumps(step) + b"\n"
        last = {"ok": _well(steps)}
    except Refused as error:
        last = {"problem": {"detail": error.detail, "mend": error.mend}}
    yield orjson.dumps(last) + b"\n"


@router.post("/connections/preview", response_model=Previewed, summary="The last things it would read")
async def preview(
    asked: Annotated[Tried, Body(openapi_examples={"jira": {"value": EXAMPLE}})], parts: Equipped, view: Seen
) -> Response:
    """The newest 20 things, how each is mapped, whether it opens a request, which one it joins and why. Nothing is
    stored. Of a connection that is there already only who may read it sees them."""
    if asked.connection:
        view.admit(asked.connection)
    async with tried(parts, asked, CHECKING) as wanted:
        seen = await setting_up.previewed(parts, wanted, LOOKING, view.outside)
    return answer(seen.told())


@router.post("/connections/estimate", response_model=Estimated, summary="How much there is since a day")
async def estimate(
    asked: Annotated[Tried, Body(openapi_examples={"jira": {"value": EXAMPLE}})], parts: Equipped
) -> Response:
    """About how many things a first read from `since` on goes over, as the tool counts them."""
    async with tried(parts, asked, LOOKING) as wanted:
        number = await setting_up.estimated(parts, wanted)
    return answer({"things": number})


@asynccontextmanager
async def tried(parts: Equipment, asked: Tried, seconds: float) -> AsyncIterator[Wanted]:
    """What was asked for, checked; what a tool says meanwhile becomes a problem. Raises Refused."""
    wanted = await _wanted(parts, asked)
    async with _in_time(seconds):
        yield wanted


async def _wanted(parts: Equipment, asked: Tried) -> Wanted:
    """What was asked for, checked. Raises Refused that names the inputs."""
    stored = await _stored(parts, asked.connection)
    name = stored.id if stored else asked.name or asked.connector
    return wanted_of(parts, asked.connector, name, "", asked.options, asked.since, stored)


@asynccontextmanager
async def _in_time(seconds: float) -> AsyncIterator[None]:
    try:
        async with asyncio.timeout(seconds):
            yield
    except TimeoutError:
        raise Refused(
            503, "too-slow", f"The tool did not answer within {seconds:g} s.",
            "Try again; look whether the tool answers elsewhere.", headers={"Retry-After": "5"},
        ) from None  # fmt: skip
    except HubError as error:
        raise refusals.refusal(error) from None


async def _stored(parts: Equipment, name: str | None) -> StoredConnection | None:
    if name is None:
        return None
    async with parts.database.reading() as connection:
        stored = await connections.get(connection, name)
    if stored is None:
        raise refusals.unknown(name)
    return stored


def begins(parts: Equipment, since: datetime | None) -> datetime | None:
    """From when it is to be read. Raises Refused for what lies ahead: nothing would ever be read."""
    if since is not None and since > parts.now():
        raise wrong("body.since", "lies ahead", "give a moment that is past, or none for the beginning")
    return since


def wanted_of(
    parts: Equipment, connector: str, name: str, title: str, options: dict[str, Any], since: datetime | None,
    stored: StoredConnection | None, forget: tuple[str, ...] = (),
) -> Wanted:  # fmt: skip
    """What a form says, checked. Raises Refused that names the inputs."""
    if stored is None or since != stored.since:
        begins(parts, since)
    if _UNSEEN.search(title):
        raise wrong("body.title", "holds signs that nobody sees", "leave out line breaks and changes of direction")
    kind = parts.catalogue.get(connector)
    if kind is None or (stored is not None and stored.connector != connector):
        raise refusals.unknown_kind([stored.connector] if stored else list(parts.catalogue))
    try:
        told = options_of(kind.Options, options, stored, parts.keys, forget)
    except Invalid as error:
        raise refusals.invalid(error) from None
    except HubError as error:
        raise refusals.refusal(error) from None
    return Wanted(name, title or kind.title, kind, parts.handed.held(kind.name, told), since, stored)
