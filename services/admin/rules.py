"""Rules: what was chosen over how types, statuses, links and values are understood; tried, changed, taken back."""

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Body, Path, Query
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import Response

from pipelines.store import choices, configuration, relations
from pipelines.store import values as stored_values
from pipelines.store.choices import Choice
from pipelines.store.configuration import ALL, Chosen, Installation
from pipelines.why import version_of
from schemas.access import Role
from schemas.canonical import storable
from schemas.errors import Misconfigured
from services.admin import rules_links, rules_told, rules_values
from services.admin.conditions import Acting, Actor, IfMatch, Key, Preview
from services.admin.letters import Nothing
from services.admin.rules_changing import Asked, again, change, current, limits_wanted, own_of, wanted
from services.admin.rules_form import LimitsForm, told_again
from services.admin.rules_told import RulesChange, change_told, connection_told
from services.admin.rules_trying import etag_of
from services.query import paging, reading
from services.query.access import needs
from services.query.audience import Seen
from services.query.changing import Changing
from services.query.database import Database
from services.query.problems import documented, wrong
from services.query.refused import Refused
from services.query.serving import answer

router = APIRouter(tags=["rules"], dependencies=[needs(Role.ADMIN)], responses=documented(401, 403, 503))
changing = APIRouter(
    tags=["rules"],
    dependencies=[needs(Role.ADMIN)],
    route_class=Changing,
    responses={
        200: {"model": rules_told.RulesAnswer, "description": "What it would do (preview), or that nothing changes"},
        201: {"model": rules_told.RulesAnswer, "description": "It holds; everything it concerns is computed again"},
        **documented(400, 401, 403, 404, 409, 412, 413, 415, 422, 428, 503),
    },
)

_KIND = "changes of rules"
_LOOK_SECONDS = 3.0
"""Links that were read are looked at for so long."""
NEWEST = 2**63 - 1

Number = Annotated[int, Path(ge=1, le=NEWEST, description="Number of a change", examples=[1])]
Name = Annotated[str, Path(max_length=200, description="A connection", examples=["jira-acme"])]


@router.get("/rules", response_model=rules_told.Rules, summary="What is chosen, and what holds")
async def rules(acting: Actor) -> Response:
    """For each connection, and for all together."""
    async with acting.parts.database.reading() as connection:
        every, chosen = await configuration.every(connection), await configuration.installation(connection)
        holds = (await configuration.load(connection)).rules
    there = {row.id for row in await reading.connections(acting.parts.database)}
    limits = told_again(Installation(**{name: getattr(holds, name) for name in LimitsForm.model_fields}))
    told = [connection_told(name, own, removed=name not in there) for name, own in every.items()]
    return answer(
        {
            "installation": {"chosen": told_again(chosen), "holds": limits, "etag": etag_of(chosen)},
            "connections": told,
            "version": version_of(holds),
        }
    )


_EXAMPLES: dict[str, Any] = {
    "a row of the stage map": {"value": {"connection": "jira-acme", "stages": [
        {"kind": "issue", "status": "Awaiting board", "stage": "alignment", "state": "waiting",
         "waiting": "another team"}]}},
    "a kind of link": {"value": {"connection": "jira-acme", "link_kinds": {"is part of": "joins"}}},
    "what opens a request": {"value": {"connection": "jira-acme", "openers": ["Story", "Sub-task"]}},
    "limits": {"value": {"generic": 100}},
}  # fmt: skip


@changing.post("/rules", status_code=201, response_model=rules_told.RulesAnswer, summary="Choose other rules")
async def choose(
    given: Annotated[RulesChange, Body(openapi_examples=_EXAMPLES)], acting: Actor, if_match: IfMatch,
    key: Key = None, preview: Preview = False,
) -> Response:  # fmt: skip
    """The preview says what would merge, split, begin or end, and which requests would stand in another stage; a look
    that would take longer than 5 s says that it is a sample. Then it holds, and what it concerns is computed again (see
    /v1/progress)."""
    if not given.given:
        raise wrong("body", "changes nothing", "give what is to be chosen, such as stages")
    name = storable(given.connection or ALL)
    asked = Asked(name, if_match, key, preview, given.model_dump(mode="json", exclude_unset=True))
    if (done := await again(acting, asked)) is not None:
        return done
    before, after, remarks = await _wanted(acting, name, given)
    return await change(acting, asked, before, after, remarks)


async def _wanted(acting: Acting, name: str, given: RulesChange) -> tuple[Choice, Choice, list[str]]:
    if name == ALL:
        before = await current(acting, ALL)
        assert isinstance(before, Installation)
        return before, limits_wanted(given, before), []
    own = await own_of(acting, name)
    after = wanted(given, own)
    remarks: list[str] = []
    if given.link_kinds:
        connector, hasty = acting.parts.catalogue.get(own.connector), _hasty(acting)
        try:
            after, remarks = await rules_links.named(hasty, connector, name, own, after)
        except Misconfigured as error:
            raise wrong("body.link_kinds", error.problem.partition(": ")[2], error.mend) from None
    return own.chosen, after, remarks


def _hasty(acting: Acting) -> Database:
    return Database(acting.parts.engine, _LOOK_SECONDS)


class Listed(BaseModel):
    """Which changes are listed."""

    model_config = ConfigDict(extra="forbid")

    connection: str | None = Field(default=None, max_length=200, description='Only of this one; "" for all together')
    cursor: str | None = Field(default=None, max_length=500, description="`next` of the page before")
    limit: int = Field(default=25, ge=1, le=100)


@router.get("/rules/changes", response_model=rules_told.ChangePage, summary="Changes of what was chosen",
            responses=documented(400, 422))  # fmt: skip
async def history(listed: Annotated[Listed, Query()], acting: Actor) -> Response:
    """The newest first, with who, when, and what was taken out and put in."""
    kind = paging.asked(_KIND, listed)
    place = paging.place(kind, listed.cursor)
    if place is not None and not (place[0].isascii() and place[0].isdecimal() and len(place[0]) < len(str(NEWEST))):
        raise paging.foreign()
    before = int(place[0]) if place else None
    name = None if listed.connection is None else storable(listed.connection)
    async with acting.parts.database.reading() as connection:
        rows = await choices.made(connection, name, listed.limit + 1, before)
        newest = await choices.newest(connection)
    items = [change_told(one, one.number == newest.get(one.connection)) for one in rows[: listed.limit]]
    following = paging.cursor(kind, (str(items[-1]["number"]), "")) if len(rows) > listed.limit else None
    return answer({"items": items, "next": following})


@router.get("/rules/changes/{number}", response_model=rules_told.ChangeTold, summary="One change",
            responses=documented(404, 422))  # fmt: skip
async def one_change(number: Number, acting: Actor) -> Response:
    """Who chose what instead of what, and when."""
    async with acting.parts.database.reading() as connection:
        found = await choices.get(connection, number)
        newest = await choices.newest(connection)
    if found is None:
        raise _unknown_change()
    return answer(change_told(found, found.number == newest.get(found.connection)))


def _unknown_change() -> Refused:
    return Refused(404, "unknown-change", "There is no change with this number.", "List them under /v1/rules/changes.")


@changing.post("/rules/changes/{number}/undo", status_code=201, response_model=rules_told.RulesAnswer,
               summary="Take a change back")  # fmt: skip
async def undo(
    number: Number, asked_for: Nothing, acting: Actor, if_match: IfMatch, key: Key = None, preview: Preview = False
) -> Response:
    """What held before it holds again, as a change of its own. Only the newest change of a connection's rules can be
    taken back: what came after it stands on it."""
    del asked_for
    async with acting.parts.database.reading() as connection:
        found = await choices.get(connection, number)
    if found is None:
        raise _unknown_change()
    asked = Asked(found.connection, if_match, key, preview, {"undo": number})
    if (done := await again(acting, asked)) is not None:
        return done
    if await current(acting, found.connection) != found.after:
        raise Refused(409, "later-change", "A later change came after it.", "Take that one back first.")
    return await change(acting, asked, found.after, found.before)


class LinkKind(BaseModel):
    """A relation that links bear."""

    relation: str = Field(examples=["is blocked by"])
    does: str = Field(description="joins, depends on or mentions", examples=["depends on"])
    chosen: bool
    artifacts: int = Field(description="That state it; in the sample, where it is one")


class LinkKinds(BaseModel):
    """The kinds of links of one connection."""

    connection: str
    items: list[LinkKind]
    sample: bool = Field(description="Only the links of some artifacts were counted")
    etag: str


@router.get("/connections/{identifier}/link-kinds", response_model=LinkKinds, summary="Links that were read",
            responses=documented(404, 422))  # fmt: skip
async def link_kinds(identifier: Name, acting: Actor, view: Seen) -> Response:
    """Each relation that was read or chosen: what it does, and how many artifacts state it. Who may not read the
    connection is told what is chosen."""
    own = await own_of(acting, storable(identifier))
    async with acting.parts.database.reading() as connection:
        seen, sample = await relations.stated_by_some(connection, storable(identifier))
    if not view.may(storable(identifier)):
        seen = {}
    kinds = [one | {"chosen": one["relation"] in own.chosen.link_kinds} for one in rules_links.told(own, seen)]
    return answer({"connection": identifier, "items": kinds, "sample": sample, "etag": etag_of(own.chosen)})


class ValueTold(BaseModel):
    """A value that very many artifacts carry."""

    value: str = Field(description="Give it back as `value` to speak of it", examples=["jira.key|PAY-500"])
    written: str = Field(description="As a person would type it", examples=["PAY-500"])
    said: str = Field(examples=["PAY-500 is on 1,204 artifacts"])
    artifacts: int = Field(description="That carry it")
    named_by: int = Field(description="That name it in titles and texts without more")
    holds: int = Field(description="Artifacts of a very large group that it holds together; 0: none")
    state: Literal["generic", "generic by choice", "specific by choice", "joins"] = Field(
        description="generic: it joins nothing; specific: it joins all that name it"
    )


class ValuesAnswer(BaseModel):
    """Values that join too much or would, and those that somebody spoke of."""

    items: list[ValueTold]
    limit: int = Field(description="A value that more artifacts name is generic, unless somebody calls it specific")
    etag: str = Field(description="Of what is chosen for all connections together: give it as If-Match")


@router.get("/values", response_model=ValuesAnswer, summary="What very many artifacts carry")
async def values(acting: Actor, view: Seen) -> Response:
    """Generic and specific values, those of most artifacts first, at most 50 and those that somebody spoke of; without
    those that only things carry which you may not read."""
    async with acting.parts.database.reading() as connection:
        found = await rules_values.found(connection)
        hidden = await stored_values.only_of(connection, [one.common.value for one in found], view.outside)
        chosen = await configuration.installation(connection)
        limit = (await configuration.load(connection)).rules.generic
    items = [
        {"value": one.common.value, "written": rules_values.written(one.common.value), "said": one.words,
         "artifacts": one.common.artifacts, "named_by": one.common.named_by, "holds": one.common.holds,
         "state": one.state}
        for one in found if one.common.value not in hidden
    ]  # fmt: skip
    return answer({"items": items, "limit": limit, "etag": etag_of(chosen)})


def _on_nothing() -> Refused:
    return wrong("body.value", "is on no artifact", "give it as /v1/values lists it: a key, an address, an id")


class Called(BaseModel):
    """What a person says of a value."""

    model_config = ConfigDict(extra="forbid")

    value: str = Field(min_length=3, max_length=1000, description="As listed, or any reference", examples=["PAY-500"])
    meaning: Literal["generic", "specific", "found"] = Field(
        description="It joins nothing; it joins all that name it; as the data say"
    )


@changing.post("/values", status_code=201, response_model=rules_told.RulesAnswer, summary="Call a value generic or not")
async def call(
    called: Called, acting: Actor, view: Seen, if_match: IfMatch, key: Key = None, preview: Preview = False
) -> Response:  # fmt: skip
    """A change of the rules of all connections together, with its preview, its history and its undo. Where the value is
    a name of a thing, `generic` holds for all its names (an issue's key, number and address): `chosen.called_generic`
    of the answer lists each."""
    asked = Asked(ALL, if_match, key, preview, called.model_dump(mode="json"))
    if (done := await again(acting, asked)) is not None:
        return done
    before = await current(acting, ALL)
    assert not isinstance(before, Chosen)
    async with acting.parts.database.reading() as connection:
        try:
            meant = await rules_values.meant(connection, storable(called.value))
        except Misconfigured:
            raise _on_nothing() from None
        if await stored_values.only_of(connection, meant.names, view.outside):
            raise _on_nothing()
    said = f"{rules_values.written(meant.value)} is on {meant.carried:,} artifacts."
    return await change(acting, asked, before, meant.called(before, called.meaning), [said])
