"""Removing a connection: with what it brought, or without; what it would mean first, and how far it is."""

from typing import Annotated, Any

from fastapi import APIRouter, Query
from pydantic import AwareDatetime, BaseModel, Field
from starlette.responses import Response

from pipelines.store.pending import ask_everything
from schemas.access import Role
from schemas.canonical import instant
from services.admin import removal, sameness, unregistering
from services.admin.conditions import Acting, Actor, IfMatch, Preview
from services.admin.connection_told import etag_of
from services.admin.connections import Id
from services.admin.equipment import Equipped
from services.admin.refusals import unknown
from services.admin.removal import Removing
from services.admin.saving import Who
from services.feed import connections
from services.feed.connections import StoredConnection
from services.query.access import needs
from services.query.changing import Changing, versions
from services.query.problems import documented
from services.query.refused import Refused
from services.query.serving import answer

router = APIRouter(tags=["connections"], dependencies=[needs(Role.ADMIN)], responses=documented(401, 403, 503))
changing = APIRouter(
    tags=["connections"], dependencies=[needs(Role.ADMIN)], route_class=Changing,
    responses=documented(400, 401, 403, 404, 412, 422, 428, 503),
)  # fmt: skip


class LossTold(BaseModel):
    """What would be lost with what a connection brought; requests are counted as they are now."""

    things: dict[str, int] = Field(description="By kind, those that no other connection reads", examples=[{"deal": 3}])
    events: int = Field(description="Source events")
    requests: int = Field(description="Requests that hold any of them")
    end: int = Field(description="Of these: that hold nothing else, and end")
    shorter: int = Field(description="Of these: that go on without them")
    other_id: int = Field(description="Of those that go on: under another id, for what they are known by goes")


class Removed(BaseModel):
    """What was removed, or would be."""

    preview: bool = Field(description="Nothing was changed")
    keep: bool = Field(description="What it brought stays, and grows older")
    loss: LossTold | None = Field(
        description="null: nothing is lost but its options, its secrets and how far it was read"
    )
    left: str | None = Field(
        description="What the hub entered in the tool, stays there, and where it is removed by hand; null: nothing"
    )


class RemovalTold(BaseModel):
    """How far the removal of what a connection brought is."""

    connection: str = Field(examples=["jira-acme"])
    asked_at: AwareDatetime
    step: str = Field(description="events (they go), anew (everything is computed without them), or finished")
    done: int = Field(description="Source events, of this step")
    total: int
    problem: str | None = Field(description="What it waits for; null: nothing")
    finished_at: AwareDatetime | None


class Removals(BaseModel):
    """Under way, and those of the last three days."""

    items: list[RemovalTold]


@changing.delete("/connections/{identifier}", response_model=Removed, summary="Remove a connection")
async def remove(
    identifier: Id,
    acting: Actor,
    if_match: IfMatch,
    keep: Annotated[bool, Query(description="What it brought stays in the requests; false: it goes, too")] = True,
    unregister: Annotated[
        bool, Query(description="Remove the webhook that the hub entered in the tool, too; see `left`")
    ] = False,
    preview: Preview = False,
) -> Response:
    """Forgets its options, its secrets and how far it was read. With `keep=false` what it brought goes, too: everything
    is computed anew without it, in steps that are told under `/v1/removals`; what people decided stays. Ask with
    `preview=true` first. A tool that is away keeps no connection: what is left in it then is told."""
    async with acting.parts.database.reading() as reader:
        stored = _check(identifier, await connections.get(reader, identifier), versions(if_match))
    left = await _left(acting, stored, unregister=unregister and not preview)
    # Looked at above; without its webhook it has lost a secret since.
    seen = frozenset("*") if unregister else versions(if_match)
    async with acting.changing() as connection:
        _check(identifier, await connections.get(connection, identifier), seen)
        loss = None if keep else (await removal.loss(connection, identifier)).told()
        if not preview:
            await forgotten(acting, connection, identifier, loss)
    return answer({"preview": preview, "keep": keep, "loss": loss, "left": left or None})


def _check(name: str, stored: StoredConnection | None, seen: frozenset[str]) -> StoredConnection:
    """Raises Refused where it is not as its caller saw it."""
    if stored is None:
        raise unknown(name)
    if "*" not in seen and etag_of(stored) not in seen:
        raise Refused(412, "changed", "Somebody changed this connection meanwhile.", "Look at it first.",
                      versions={name: etag_of(stored)})  # fmt: skip
    return stored


async def _left(acting: Acting, stored: StoredConnection, *, unregister: bool) -> str:
    kind = acting.parts.catalogue.get(stored.connector)
    if unregister:
        return await unregistering.removed_or_left(acting.parts, kind, stored, Who(acting.caller, acting.where))
    return await unregistering.left(acting.parts, kind, stored)


async def forgotten(acting: Acting, connection: Any, name: str, loss: dict[str, Any] | None) -> None:
    """Remove it, in the caller's transaction. loss: what goes with it; None: what it brought stays."""
    stored = await connections.get(connection, name)
    if loss is not None:
        await removal.ask(connection, name, acting.now)
    else:
        if not await connections.brought(connection, name):
            await ask_everything(connection, f"connection {name} removed", acting.now)
        await connections.remove(connection, name)
        if stored is not None:
            await sameness.remember(connection, stored)
    before = {"title": stored.title, "connector": stored.connector, "options": stored.options} if stored else None
    action = "connection.removed" if loss is None else "connection.removed with what it brought"
    await acting.note(connection, action, f"connection {name}", before, loss)


@router.get("/removals", response_model=Removals, summary="How far removals are")
async def removals(parts: Equipped) -> Response:
    """Of connections that were removed with what they brought."""
    async with parts.database.reading() as connection:
        return answer({"items": [_told(one) for one in await removal.every(connection)]})


def _told(one: Removing) -> dict[str, Any]:
    return {
        "connection": one.connection, "asked_at": instant(one.asked_at), "step": one.step, "done": one.done,
        "total": one.total, "problem": one.problem,
        "finished_at": instant(one.finished_at) if one.finished_at else None,
    }  # fmt: skip
