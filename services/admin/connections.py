"""Connections added, looked at, changed, paused, resumed, stopped, read again: for admins only."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Body, Path
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy.ext.asyncio import AsyncConnection
from starlette.responses import Response

from pipelines.store import configuration
from schemas.access import Role
from schemas.errors import HubError, RetryLater
from services.admin import refusals, removal, sameness, sampling, saving, setting_up, trying
from services.admin.conditions import Acting, Actor, IfMatch, Key
from services.admin.connection_told import OneConnection, etag_of, told
from services.admin.equipment import Equipment, Equipped
from services.admin.given import WHOLE, Wrong, input_name
from services.admin.repeating import Once, Overtaken
from services.admin.saving import Differs, Secret, Who
from services.admin.setting_up import Wanted
from services.admin.trial import Opened
from services.admin.trying import EXAMPLE, LOOKING, Name, begins, wanted_of
from services.feed import connections
from services.feed.connections import StoredConnection
from services.query.access import needs
from services.query.changing import Adding, Changing, versions
from services.query.database import DRIVER_ERRORS, refusal
from services.query.instants import At
from services.query.problems import documented
from services.query.refused import Refused
from services.query.serving import answer

router = APIRouter(
    tags=["connections"], dependencies=[needs(Role.ADMIN)], responses=documented(401, 403, 404, 422, 503)
)
adding = APIRouter(
    tags=["connections"], dependencies=[needs(Role.ADMIN)], route_class=Adding,
    responses=documented(400, 401, 403, 409, 413, 415, 422, 503),
)  # fmt: skip
changing = APIRouter(
    tags=["connections"], dependencies=[needs(Role.ADMIN)], route_class=Changing,
    responses=documented(400, 401, 403, 404, 409, 412, 413, 415, 422, 428, 503),
)  # fmt: skip

Id = Annotated[str, Path(max_length=40, description="A connection", examples=["jira-acme"])]
Options = Annotated[
    dict[str, Any],
    WHOLE,
    Field(description="As the form of /v1/connectors has them; blank ones are left out", examples=[EXAMPLE["options"]]),
]
Title = Annotated[str, Field(max_length=200, description="What people call it", examples=["Jira"])]
Anyway = Annotated[
    bool,
    Field(
        strict=True,
        description="Though another connection reads this tool, where that loses nothing (see `anyway` of 409)",
    ),
]
Unchecked = Annotated[bool, Field(strict=True, description="Save it though the tool cannot be read now")]


class Added(BaseModel):
    """A connection that is to be."""

    model_config = ConfigDict(extra="forbid")

    connector: str = Field(max_length=100, examples=["jira"])
    name: Name
    title: Title = ""
    options: Options
    since: At | None = Field(default=None, description="Read from when; null: from the beginning")
    anyway: Anyway = False
    unchecked: Unchecked = False


class Altered(BaseModel):
    """A connection as it is to be. A secret that is left empty stays the stored one, where address and kind of signing
    in are the same."""

    model_config = ConfigDict(extra="forbid")

    title: Title = ""
    options: Options
    forget: list[str] = Field(default=[], max_length=20, description="Secrets that are given up, by dotted name")
    anyway: Anyway = False
    unchecked: Unchecked = False


class Changed(OneConnection):
    """A connection after a change."""

    read_again: bool = Field(description="Another address is read, so everything is read again")


class Nothing(BaseModel):
    """An empty object."""

    model_config = ConfigDict(extra="forbid")


class From(BaseModel):
    """From when it is read again."""

    model_config = ConfigDict(extra="forbid")

    since: At | Literal["beginning"] | None = Field(
        default=None, description="null: from where its first read began", examples=["2026-03-01T00:00:00Z"]
    )


@adding.post("/connections", status_code=201, response_model=OneConnection, summary="Add a connection")
async def add(
    asked: Annotated[Added, Body(openapi_examples={"jira": {"value": {**EXAMPLE, "title": "Jira"}}})],
    acting: Actor,
    key: Key = None,
) -> Response:
    """Tested first, and saved only if the tool can be read. The running hub begins to read within seconds. Sent again
    with the same Idempotency-Key, it adds nothing more and tells the same, whatever has changed since; what was refused
    is judged anew."""
    once = Once.of(acting.parts, key, "add a connection", asked)
    async with answering():
        if before := await once.before():
            return _added(before)
        try:
            return _added(await _add(acting, asked, once))
        except (Overtaken, HubError, Refused, *DRIVER_ERRORS) as error:
            # Sent twice at the same time, the second finds the name taken, or comes too late.
            if before := await once.before():
                return _added(before)
            if isinstance(error, Overtaken):
                raise RetryLater("the same call was carried out meanwhile") from None
            raise


async def _add(acting: Acting, asked: Added, once: Once) -> dict[str, Any]:
    parts = acting.parts
    wanted = wanted_of(parts, asked.connector, asked.name, asked.title, asked.options, asked.since, None)
    await _free(parts, wanted.name)
    await setting_up.refuse_another(parts, wanted, anyway=asked.anyway, untried=True)
    wanted, seen = await _looked(parts, wanted, unchecked=asked.unchecked)
    await setting_up.refuse_another(parts, wanted, seen, anyway=asked.anyway)
    body: dict[str, Any] = {}

    async def then(connection: AsyncConnection) -> None:
        stored = await connections.get(connection, wanted.name)
        assert stored is not None, "it was added in this transaction"
        body.update(await told(connection, parts, stored))
        await once.keep(connection, body)

    await saving.add(parts, wanted, setting_up.adds(wanted, seen), Who(acting.caller, acting.where), then)
    return body


def _added(body: dict[str, Any]) -> Response:
    return answer(body, 201, {"ETag": f'"{body["etag"]}"', "Location": f"/v1/connections/{body['id']}"})


@router.get("/connections/{identifier}", response_model=OneConnection, summary="One connection with its options")
async def one(identifier: Id, parts: Equipped) -> Response:
    """Options without secrets; which secrets are stored and since when; when a credential ends."""
    async with answering():
        return await _answer(parts, await _stored(parts, identifier))


@changing.put("/connections/{identifier}", response_model=Changed, summary="Change title, options or secrets")
async def change(
    identifier: Id,
    asked: Annotated[Altered, Body(openapi_examples={"jira": {"value": {"title": "Jira", "options": {
        "base_url": "https://acme.atlassian.net", "projects": ["PAY", "OPS"],
        "auth": {"kind": "api_token", "email": "hub@acme.example"}}}}})],
    acting: Actor,
    if_match: IfMatch,
) -> Response:  # fmt: skip
    """Tested first. The cursor stays, unless another address is read. What other people changed meanwhile is told
    (412), and nothing is overwritten."""
    parts = acting.parts
    async with answering():
        stored = await _stored(parts, identifier)
        wanted = wanted_of(parts, stored.connector, stored.id, asked.title or stored.title, asked.options, stored.since,
                           stored, tuple(asked.forget))  # fmt: skip
        found = saving.differs(parts.keys, stored, wanted)
        _check(stored, if_match, wanted, found)
        if not found:
            return await _answer(parts, stored, read_again=False)
        again = await _changed(parts, stored, wanted, asked, Who(acting.caller, acting.where))
        return await _answer(parts, await _stored(parts, identifier), read_again=again)


async def _changed(parts: Equipment, stored: StoredConnection, wanted: Wanted, asked: Altered, who: Who) -> bool:
    async with parts.database.reading() as reader:
        seen = sameness.scopes_of(await configuration.every(reader), stored.id)
    await setting_up.refuse_another(parts, wanted, seen, anyway=asked.anyway)
    if not asked.unchecked:
        async with setting_up.opened(parts, wanted, seen=seen) as tool:
            await _passes(tool)
            seen |= await setting_up.seen_by(tool)
        wanted = wanted.with_replaced(tool)
    return await saving.change(parts, stored, wanted, seen, who)


Act = Callable[[Equipment, StoredConnection, Who], Awaitable[None]]


async def _act(acting: Actor, identifier: str, if_match: str, act: Act) -> Response:
    async with answering():
        stored = await _stored(acting.parts, identifier)
        _check(stored, if_match)
        await act(acting.parts, stored, Who(acting.caller, acting.where))
        return await _answer(acting.parts, await _stored(acting.parts, identifier))


@changing.post("/connections/{identifier}/pause", response_model=OneConnection, summary="Stop reading for a while")
async def pause(identifier: Id, nothing: Nothing, acting: Actor, if_match: IfMatch) -> Response:
    """What was read stays, and grows older; webhooks are kept for when it goes on."""
    del nothing
    return await _act(acting, identifier, if_match, saving.pause)


@changing.post("/connections/{identifier}/resume", response_model=OneConnection, summary="Read on")
async def resume(identifier: Id, nothing: Nothing, acting: Actor, if_match: IfMatch) -> Response:
    """From where it was, at once."""
    del nothing
    return await _act(acting, identifier, if_match, saving.resume)


@changing.post("/connections/{identifier}/stop", response_model=OneConnection, summary="Stop reading for good")
async def stop(identifier: Id, nothing: Nothing, acting: Actor, if_match: IfMatch) -> Response:
    """What was read stays; nothing is expected of it any more. It can be resumed."""
    del nothing
    return await _act(acting, identifier, if_match, saving.stop)


@changing.post("/connections/{identifier}/reset", response_model=OneConnection, summary="Begin as if it were new")
async def reset(identifier: Id, nothing: Nothing, acting: Actor, if_match: IfMatch) -> Response:
    """Forgets the cursor, its problem and its pause, and reads again from where the first read began; what it brought
    and its options stay."""
    del nothing
    return await _act(acting, identifier, if_match, saving.reset)


@changing.post("/connections/{identifier}/read-again", response_model=OneConnection, summary="Read again from a day")
async def read_again(identifier: Id, asked: From, acting: Actor, if_match: IfMatch) -> Response:
    """What is known already changes nothing."""

    async def act(parts: Equipment, stored: StoredConnection, who: Who) -> None:
        await saving.read_again(parts, stored, _begin(parts, asked, stored), who)

    return await _act(acting, identifier, if_match, act)


def _begin(parts: Equipment, asked: From, stored: StoredConnection) -> datetime | None:
    if asked.since == "beginning":
        return None
    return begins(parts, asked.since) if isinstance(asked.since, datetime) else stored.since


@asynccontextmanager
async def answering() -> AsyncIterator[None]:
    """What tools, options and the database say becomes a problem document. Raises Refused."""
    try:
        yield
    except HubError as error:
        raise refusals.refusal(error) from None
    except DRIVER_ERRORS as error:
        raise refusal(error, trying.CHECKING) from error


async def _stored(parts: Equipment, name: str) -> StoredConnection:
    async with parts.database.reading() as reader:
        stored = await connections.get(reader, name)
    if stored is None:
        raise refusals.unknown(name)
    return stored


async def _answer(parts: Equipment, stored: StoredConnection, **more: Any) -> Response:
    async with parts.database.reading() as reader:
        body = await told(reader, parts, stored) | more
    return answer(body, 200, {"ETag": f'"{etag_of(stored)}"'})


def _check(stored: StoredConnection, if_match: str, wanted: Wanted | None = None, found: Differs | None = None) -> None:
    """Raises Refused where it was changed since the caller saw it, with what is stored now in place of what he sent."""
    seen = versions(if_match)
    if "*" in seen or etag_of(stored) in seen:
        return
    errors = _meanwhile(stored, wanted, found) if wanted and found else []
    raise Refused(
        412, "changed", "Somebody changed this connection meanwhile; nothing was overwritten.",
        "Look at what holds now, and do it again if it is still wanted.",
        versions={stored.id: etag_of(stored)}, errors=errors or None,
    )  # fmt: skip


def _meanwhile(stored: StoredConnection, wanted: Wanted, found: Differs) -> list[dict[str, str]]:
    places = {
        name: input_name(wanted.connector.Options, stored.options, tuple(name.split("."))) for name in found.after
    }
    mend = "Look at it, and save again what is still wanted"
    return [{"field": place, "problem": _now(found, name), "mend": mend} for name, place in places.items()]


def _now(found: Differs, name: str) -> str:
    if isinstance(found.after[name], Secret):
        return "is another secret than the stored one"
    return f"is now: {saving.worded(found.before.get(name)) or 'nothing'}"


async def _free(parts: Equipment, name: str) -> None:
    async with parts.database.reading() as reader:
        there = await connections.get(reader, name)
        going = [one.connection for one in await removal.every(reader) if one.step != removal.FINISHED]
    if name in going:
        raise saving.BeingRemoved(name)
    if there is None:
        return
    wrong = Wrong("name", "belongs to another connection", "Choose another name")
    raise Refused(409, "taken", f"There is a connection {name} already.", wrong.mend, anyway=False,
                  errors=[{"field": wrong.field, "problem": wrong.problem, "mend": wrong.mend}])  # fmt: skip


async def _looked(parts: Equipment, wanted: Wanted, *, unchecked: bool) -> tuple[Wanted, frozenset[str]]:
    """Check it, and see by which addresses its own things name it. Raises Refused for the step that fails."""
    if unchecked:
        return wanted, frozenset()
    async with setting_up.opened(parts, wanted) as tool:
        await _passes(tool)
        found = await sampling.sample(tool.source, wanted.connector, wanted.since, LOOKING)
        seen = await setting_up.seen_by(tool, found)
    return wanted.with_replaced(tool), seen


async def _passes(tool: Opened) -> None:
    steps = [{"name": one.name, "ok": one.ok, "says": one.says, "needed": True} async for one in tool.steps()]
    failed = next((one for one in steps if not one["ok"]), None)
    if failed is not None:
        raise Refused(422, "check", f"{failed['name']}: {failed['says']}", "Mend it, and save again.", steps=steps)
