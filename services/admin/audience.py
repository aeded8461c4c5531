"""Who may read what a connection brought: seen and set."""

import hashlib
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Body, Header, Path
from pydantic import BaseModel, ConfigDict, Field, field_validator
from sqlalchemy.ext.asyncio import AsyncConnection
from starlette.requests import Request
from starlette.responses import Response

from pipelines.store import audiences
from pipelines.store.engine import reading, writing
from schemas.access import Audience, Caller, Role
from schemas.canonical import canonical_json
from services.admin import audit
from services.admin.equipment import Equipped
from services.feed import connections
from services.query.access import caller_of, needs
from services.query.changing import Changing, versions
from services.query.problems import documented
from services.query.refused import Refused
from services.query.serving import answer

router = APIRouter(tags=["connections"], dependencies=[needs(Role.ADMIN)], responses=documented(401, 403, 404, 503))
changing = APIRouter(
    tags=["connections"], dependencies=[needs(Role.ADMIN)], route_class=Changing,
    responses=documented(400, 401, 403, 404, 412, 413, 415, 422, 428, 503),
)  # fmt: skip

MOST = 500
"""People and groups that can be named each; more than these are better named as a group."""

Name = Annotated[str, Path(max_length=40, description="A connection", examples=["jira-acme"])]
One = Annotated[str, Field(min_length=1, max_length=320, pattern=r"^[^\x00-\x1f\x7f]+$")]


class ConnectionAudience(BaseModel):
    """Who may read it. Others see that there is a request, its stages and its times: no titles, people or text."""

    model_config = ConfigDict(extra="forbid")

    kind: Literal["everybody", "named", "participants"] = Field(
        description="Everybody who is signed in; the people and groups named; or, in each request, the people in it"
    )
    people: list[One] = Field(
        default=[], max_length=MOST, description="E-mail addresses", examples=[["anna@acme.example"]]
    )
    groups: list[One] = Field(
        default=[], max_length=MOST, description="Groups, as the identity provider or the proxy names them",
        examples=[["Board"]],
    )  # fmt: skip

    @field_validator("people")
    @classmethod
    def _addresses(cls, people: list[str]) -> list[str]:
        return sorted({one.strip().lower() for one in people})

    def audience(self) -> Audience:
        """As it is stored. Whom it names matters only where somebody is named."""
        named = self.kind == "named"
        return Audience(self.kind, frozenset(self.people if named else ()), frozenset(self.groups if named else ()))


_EXAMPLES: Any = {
    "named": {"value": {"kind": "named", "people": ["anna@acme.example"], "groups": ["Board"]}},
    "participants": {"value": {"kind": "participants"}},
    "everybody": {"value": {"kind": "everybody"}},
}


@router.get("/connections/{identifier}/audience", response_model=ConnectionAudience, summary="Who may read it")
async def audience(identifier: Name, parts: Equipped) -> Response:
    """Of one connection. The ETag is what If-Match of a change names."""
    async with reading(parts.engine) as connection:
        await _known(connection, identifier)
        found = await audiences.of(connection, identifier)
    return answer(told(found), headers={"ETag": f'"{tag(found)}"'})


@changing.put("/connections/{identifier}/audience", response_model=ConnectionAudience, summary="Say who may read it")
async def change(
    identifier: Name,
    wanted: Annotated[ConnectionAudience, Body(openapi_examples=_EXAMPLES)],
    parts: Equipped,
    asked: Request,
    if_match: Annotated[str, Header(description="ETag of the audience as it was shown; * for whatever it is",
                                    examples=["*"])],
) -> Response:  # fmt: skip
    """Holds from the next answer on, within a second, also for what is stored already; nothing is computed anew."""
    new = wanted.audience()
    if new.kind == "named" and not (new.people or new.groups):
        raise Refused(
            422, "nobody", "Nobody is named.", "Name people or groups, or choose another kind.",
            errors=[{"field": "body.people", "problem": "names nobody", "mend": "give an address or a group"}],
        )  # fmt: skip
    async with writing(parts.engine) as connection:
        await _known(connection, identifier)
        await set_audience(
            connection, identifier, new, await caller_of(asked), parts.now(), audit.where_of(asked), versions(if_match)
        )
    return answer(told(new), headers={"ETag": f'"{tag(new)}"'})


async def set_audience(
    connection: AsyncConnection, name: str, new: Audience, caller: Caller, now: Any, where: str | None,
    made_on: frozenset[str] = frozenset({"*"}),
) -> None:  # fmt: skip
    """Let an audience hold, and note who did it. Raises Refused where it is not the one that it was made on."""
    before = await audiences.of(connection, name)
    if "*" not in made_on and tag(before) not in made_on:
        raise Refused(
            412, "changed", "Somebody changed the audience meanwhile.", "Look at what holds now, and say it again."
        )
    if new != before:
        await audiences.write(connection, name, new)
        await audit.note(
            connection, caller, "audience.changed", f"connection {name}", told(before), told(new), now, where
        )


async def _known(connection: AsyncConnection, name: str) -> None:
    if await connections.get(connection, name) is None:
        raise Refused(404, "unknown-connection", "There is no connection of this name.", "See /v1/connections.")


def told(audience: Audience) -> dict[str, Any]:
    """As JSON values."""
    return {"kind": audience.kind, "people": sorted(audience.people), "groups": sorted(audience.groups)}


def tag(audience: Audience) -> str:
    """Names an audience in If-Match."""
    return hashlib.sha256(canonical_json(told(audience)).encode()).hexdigest()[:16]
