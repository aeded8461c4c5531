"""The stage map of one connection: its tool's real statuses, where each stands and why, and a change of it."""

from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC
from typing import Annotated, Any, Literal, TypeVar

import orjson
from fastapi import APIRouter, Body
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncConnection
from starlette.responses import Response

from pipelines.assembly import UNMAPPED
from pipelines.lifecycle.stages import ANY_VALUE, Placement, place
from pipelines.store import configuration, statuses
from pipelines.store.configuration import Chosen, Configuration, ConnectionConfiguration
from pipelines.store.statuses import Looked, Real
from pipelines.store.tables import facets
from pipelines.trying import MOST
from schemas.access import Role
from schemas.artifacts import State, Status
from schemas.canonical import instant, storable
from schemas.stages import STAGES
from services.admin import rules_told
from services.admin.conditions import Actor, IfMatch, Key, Preview
from services.admin.mapping_proposing import Known, propose
from services.admin.rules import Name
from services.admin.rules_changing import Asked, Concerned, again, change, own_of, unknown, wanted
from services.admin.rules_form import Row, told_row
from services.admin.rules_told import RulesChange
from services.admin.rules_trying import Trial, etag_of
from services.query.access import needs
from services.query.audience import Seen
from services.query.changing import Changing
from services.query.problems import documented
from services.query.serving import answer

router = APIRouter(tags=["rules"], dependencies=[needs(Role.ADMIN)], responses=documented(401, 403, 404, 422, 503))
changing = APIRouter(
    tags=["rules"],
    dependencies=[needs(Role.ADMIN)],
    route_class=Changing,
    responses={
        200: {"model": rules_told.RulesAnswer, "description": "What it would do (preview), or that nothing changes"},
        201: {"model": rules_told.RulesAnswer, "description": "It holds; everything it concerns is computed again"},
        **documented(400, 401, 403, 404, 412, 413, 415, 422, 428, 503),
    },
)

T = TypeVar("T")

MOST_TOLD = 500
"""Statuses that are told."""
_LOOKED_FOR = 40
"""Statuses whose requests are looked for before a change is tried, those of most artifacts first."""


class Proposed(BaseModel):
    """A stage and a state that may be right."""

    stage: str = Field(examples=["alignment"])
    state: str | None = Field(description="null: as the tool says")
    reason: str = Field(examples=['its name says "board"; "awaiting" says waiting'])


class StatusTold(BaseModel):
    """A status that artifacts really have, and where it stands."""

    kind: str = Field(examples=["issue"])
    type: str | None = Field(description="The tool's own type", examples=["Story"])
    status: str | None = Field(description="null: its tool gives it none", examples=["Awaiting board"])
    status_id: str | None
    category: str | None = Field(description="The tool's own category, as a state")
    artifacts: int = Field(description="How many have it; where the answer is a sample, about")
    stage: str = Field(description="Where it stands; `not mapped`: no row knows it", examples=["not mapped"])
    state: str | None
    waiting: str | None
    by: Literal["chosen", "default", "nothing"] = Field(description="Whose row says so")
    row: int | None = Field(description="Place of the row in `chosen`, from 0", examples=[0])
    reason: str = Field(description="Why")
    proposal: Proposed | None = Field(description="For what is not mapped; it holds only once somebody chooses it")


class Sample(BaseModel):
    """How much was looked at."""

    looked: int
    of: int


class StageMapAnswer(BaseModel):
    """The stage map of one connection."""

    connection: str
    connector: str
    stages: list[str] = Field(description="The stages in their order")
    states: list[str]
    chosen: list[dict[str, Any]] = Field(description="Rows that a person chose, asked first and in this order")
    statuses: list[StatusTold] = Field(description="Those that no row knows first, then those of most artifacts")
    unmapped: int = Field(description="How many no row knows")
    sample: Sample | None = Field(
        description="null: every artifact was looked at; else they are counted meanwhile: ask again"
    )
    counted_at: AwareDatetime | None = Field(
        description="Where there are very many: when they were counted, at most ten minutes ago or while they are "
        "counted anew; null: just now"
    )
    withheld: bool = Field(description="You may not read what this connection brought: its statuses are not told")
    etag: str = Field(description="Of what is chosen for the connection: give it as If-Match")


class StageMapChange(BaseModel):
    """The rows that are to be chosen, in place of those that are."""

    model_config = ConfigDict(extra="forbid")

    stages: list[Row] | None = Field(max_length=2000, description="Asked in their order; null: none")


@router.get(
    "/connections/{identifier}/stage-map", response_model=StageMapAnswer, summary="Real statuses, and their stage"
)
async def stage_map(identifier: Name, acting: Actor, view: Seen) -> Response:
    """What the tool really has, with how many artifacts each; where each stands and why; a proposal for what no row
    knows."""
    name = storable(identifier)
    async with acting.parts.database.reading() as connection:
        every = await configuration.every(connection)
        if name not in every:
            raise unknown()
        by = await configuration.load(connection)
        counted = acting.parts.counts.of(acting.parts.database, name) if await _many(connection, name) else None
        looked = counted.looked if counted else await statuses.real(connection, name)
        missed = await _missed(connection, name, looked, counted=bool(counted))
    told, unmapped = _told(name, every, by, looked, missed) if view.may(name) else ([], 0)
    own = every[name]
    return answer(
        {
            "connection": name, "connector": own.connector, "stages": list(STAGES), "states": list(State),
            "chosen": [told_row(rule) for rule in own.chosen.stages], "statuses": told,
            "unmapped": unmapped,
            "sample": {"looked": looked.looked, "of": looked.of} if looked.sample else None,
            "counted_at": instant(counted.at.astimezone(UTC)) if counted else None,
            "withheld": not view.may(name), "etag": etag_of(own.chosen),
        }
    )  # fmt: skip


async def _many(connection: AsyncConnection, name: str) -> bool:
    return await statuses.count(connection, name) > statuses.EXACT


async def _missed(connection: AsyncConnection, name: str, looked: Looked, *, counted: bool) -> list[Real]:
    """Statuses of requests that no row knows and a sample, or an older count, did not meet: they are noted with each
    request."""
    if not looked.sample and not counted:
        return []
    begin = orjson.dumps([name]).decode().removesuffix("]") + ","
    noted = select(facets.c.value, func.count()).where(
        facets.c.kind == UNMAPPED, facets.c.value >= begin, facets.c.value < begin[:-1] + "-"
    ).group_by(facets.c.value)  # fmt: skip
    met = {(one.kind, one.type or "", one.status.label if one.status else "") for one in looked.statuses}
    found: dict[tuple[str, str, str], int] = {}
    for value, requests in await connection.execute(noted):
        _, kind, type_, label, count = orjson.loads(value)
        if (kind, type_, label) not in met:
            found[kind, type_, label] = found.get((kind, type_, label), 0) + count * requests
    return [
        Real(kind, type_ or None, Status(label, label, None, None), None, number)
        for (kind, type_, label), number in found.items()
    ]


def _told(
    name: str, every: dict[str, ConnectionConfiguration], by: Configuration, looked: Looked, missed: list[Real]
) -> tuple[list[dict[str, Any]], int]:
    """Those that are told, and how many no row knows."""
    scale = looked.of / looked.looked if looked.looked else 1.0
    placed = [(one, _place(by, name, every[name], one), round(one.artifacts * scale)) for one in looked.statuses]
    placed += [(one, _place(by, name, every[name], one), one.artifacts) for one in missed]
    stand = Counter[tuple[str, str | None, str]]()
    for one, at, number in placed:
        if at.row is not None:
            stand[one.kind, one.type, at.stage] += number
    known = [Known(*where, number) for where, number in stand.items()]
    before = sum(len(own.rows()) for other, own in every.items() if other < name)
    placed.sort(key=lambda told: (
        told[1].row is not None, -told[2], told[0].kind, told[0].type or "",
        (told[0].status and told[0].status.label) or ""))  # fmt: skip
    rows = [_status(one, at, number, before, every[name], known) for one, at, number in placed[:MOST_TOLD]]
    return rows, sum(at.row is None for _, at, _ in placed)


def _place(by: Configuration, name: str, own: ConnectionConfiguration, one: Real) -> Placement:
    return place(by.stage_map, name, own.connector, one.kind, one.type, one.status)


def _status(
    one: Real, at: Placement, number: int, before: int, own: ConnectionConfiguration, known: list[Known]
) -> dict[str, Any]:
    row = None if at.row is None else at.row - 1 - before
    chosen = row is not None and row < len(own.chosen.stages)
    guess = propose(one.kind, one.type, one.status, known) if row is None else None
    category = one.status.category if one.status else None
    return {
        "kind": one.kind, "type": one.type, "status": one.status.label if one.status else None,
        "status_id": one.status.id if one.status else None, "category": category, "artifacts": number,
        "stage": at.stage, "state": at.state, "waiting": at.waiting,
        "by": "nothing" if row is None else "chosen" if chosen else "default", "row": row if chosen else None,
        "reason": at.reason,
        "proposal": guess and {"stage": guess.stage, "state": guess.state, "reason": guess.reason},
    }  # fmt: skip


_EXAMPLE = {"stages": [{"kind": "issue", "type": "Story", "status": "Awaiting board", "stage": "alignment",
                        "state": "waiting", "waiting": "another team"}]}  # fmt: skip


@changing.post("/connections/{identifier}/stage-map", status_code=201, response_model=rules_told.RulesAnswer,
               summary="Choose other rows")  # fmt: skip
async def choose_stages(
    identifier: Name, given: Annotated[StageMapChange, Body(openapi_examples={"a row": {"value": _EXAMPLE}})],
    acting: Actor, if_match: IfMatch, key: Key = None, preview: Preview = False,
) -> Response:  # fmt: skip
    """All rows that are to be chosen. The preview says how many requests would change stage or state from what to what,
    with examples; a look that would take longer than 5 s says that it is a sample. It is a change of the rules, with
    its history and its undo (/v1/rules/changes), applied by computing again (/v1/progress)."""
    name = storable(identifier)
    told = RulesChange.model_validate({"connection": name, "stages": given.stages})
    asked = Asked(name, if_match, key, preview, told.model_dump(mode="json", exclude_unset=True), concerned)
    if (done := await again(acting, asked)) is not None:
        return done
    own = await own_of(acting, name)
    return await change(acting, asked, own.chosen, wanted(told, own))


async def concerned(connection: AsyncConnection, one: Trial) -> Concerned:
    """Components with an artifact of a status that would stand elsewhere: some of each status, those of most artifacts
    first."""
    words = _words(one)
    if words and await _many(connection, one.name):
        return await _gathered(
            words, lambda word, most: statuses.components_saying(connection, one.name, word, most), more=False
        )
    looked, own = await statuses.real(connection, one.name), (await configuration.every(connection))[one.name]
    other = [each for each in looked.statuses if _moves(one, own, each)]
    most = sorted(other, key=lambda each: -each.artifacts)[:_LOOKED_FOR]
    return await _gathered(
        most, lambda each, share: statuses.components_in(connection, one.name, each, share),
        more=looked.sample or len(other) > len(most),
    )  # fmt: skip


def _words(one: Trial) -> tuple[str, ...]:
    """The statuses that rows name which come or go; none where rows for all statuses do, or rows change their order."""
    assert isinstance(one.before, Chosen)
    assert isinstance(one.after, Chosen)
    before, after = one.before.stages, one.after.stages
    changed = {rule.status for rule in set(before) ^ set(after)}
    both = set(before) & set(after)
    same_order = [rule for rule in before if rule in both] == [rule for rule in after if rule in both]
    return tuple(sorted(changed)) if same_order and ANY_VALUE not in changed and len(changed) <= _LOOKED_FOR else ()


async def _gathered(
    those: Sequence[T], look: Callable[[T, int], Awaitable[list[str]]], *, more: bool
) -> Concerned:  # fmt: skip
    """Some components for each of these. more: there are others than these."""
    share = max(20, MOST // len(those)) if those else 0
    names: dict[str, None] = {}
    for each in those:
        found = await look(each, share + 1)
        more = more or len(found) > share
        names |= dict.fromkeys(found[:share])
    return Concerned(tuple(names), more)


def _moves(one: Trial, own: ConnectionConfiguration, each: Real) -> bool:
    before, after = (_place(by, one.name, own, each) for by in (one.now, one.then))
    return (before.stage, before.state, before.waiting) != (after.stage, after.state, after.waiting)
