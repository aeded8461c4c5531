"""Connections as they stand, for everybody; and comparing what a tool has with what is here, for admins."""

from typing import Annotated, Any

import orjson
from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter
from starlette.responses import Response

from schemas.access import Role
from services.admin import conditions, refusals
from services.admin.conditions import Actor, IfMatch
from services.admin.connection_told import etag_of
from services.admin.connections import Id
from services.admin.equipment import Equipped
from services.feed import connections, reconciling, watching
from services.feed.reconciling import Kind
from services.feed.told import Difference, Told
from services.query.access import needs
from services.query.changing import Changing
from services.query.problems import documented
from services.query.serving import answer

everybody = APIRouter(tags=["connections"], dependencies=[needs(Role.VIEWER)], responses=documented(401, 403, 404, 503))
router = APIRouter(
    tags=["connections"], dependencies=[needs(Role.ADMIN)], responses=documented(401, 403, 404, 422, 503)
)
changing = APIRouter(
    tags=["connections"], dependencies=[needs(Role.ADMIN)], route_class=Changing,
    responses=documented(400, 401, 403, 404, 412, 413, 415, 422, 428, 503),
)  # fmt: skip

_TOLD = TypeAdapter(Told)
_DIFFERENCES = TypeAdapter(list[Difference])


class AllTold(BaseModel):
    """Every connection, by id."""

    items: list[Told]


class Differences(BaseModel):
    """What the last comparison found."""

    items: list[Difference] = Field(description="At most 1,000 of a kind")


class ComparisonWish(BaseModel):
    """A comparison that is to be."""

    model_config = ConfigDict(extra="forbid")

    mend: bool = Field(default=False, strict=True, description="Fetch again what is missing or different")


@everybody.get("/watching", response_model=AllTold, summary="How every connection stands")
async def every(parts: Equipped) -> Response:
    """State and freshness, events an hour, how far a first read is, failures by what mends them, what the tool
    announced, the last comparison."""
    async with parts.database.reading() as reader:
        found = await watching.every(reader, parts.now())
    return answer({"items": [told(one) for one in found]})


@everybody.get("/connections/{identifier}/watching", response_model=Told, summary="How one connection stands")
async def one(identifier: Id, parts: Equipped) -> Response:
    """The same of one connection."""
    async with parts.database.reading() as reader:
        found = await watching.told(reader, identifier, parts.now())
    if found is None:
        raise refusals.unknown(identifier)
    return answer(told(found))


@router.get("/connections/{identifier}/differences", response_model=Differences, summary="What a comparison found")
async def differences(
    identifier: Id,
    parts: Equipped,
    kind: Annotated[Kind | None, Query(description="Only these")] = None,
    limit: Annotated[int, Query(ge=1, le=3000)] = 100,
) -> Response:
    """Of the last one: what the tool has and is not here, what changed there later, what is here and not there."""
    async with parts.database.reading() as reader:
        if await connections.get(reader, identifier) is None:
            raise refusals.unknown(identifier)
        found = await watching.differences(reader, identifier, kind=kind, limit=limit)
    return answer({"items": _DIFFERENCES.dump_python(list(found), mode="json")})


@changing.post("/connections/{identifier}/reconcile", response_model=Told, summary="Compare the tool with what is here")
async def reconcile(identifier: Id, wish: ComparisonWish, acting: Actor, if_match: IfMatch) -> Response:
    """The running hub carries it out; `reconciled` of the answer, and of later ones, says how far it is."""
    async with acting.changing() as connection:
        stored = await connections.get(connection, identifier)
        if stored is None:
            raise refusals.unknown(identifier)
        conditions.check(etag_of(stored), if_match, identifier)
        await reconciling.ask(connection, identifier, mend=wish.mend)
        await acting.note(
            connection, "connection.reconcile.asked", f"connection {identifier}", None, {"mend": wish.mend}
        )
        found = await watching.told(connection, identifier, acting.now)
    return answer(told(found))


def told(found: Told | None) -> dict[str, Any]:
    """As JSON, instants as everywhere in UTC."""
    written: dict[str, Any] = orjson.loads(_TOLD.dump_json(found)) if found else {}
    return written
