"""Dead letters: by what cures them; one with its content, edited, tried, replayed, dropped. For admins only."""

import asyncio
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy.ext.asyncio import AsyncConnection
from starlette.responses import Response

from pipelines.store.dead_letters import WAITING
from schemas.access import Role
from schemas.canonical import parse_instant, storable
from services.admin import letters_told as shapes
from services.admin.conditions import Acting, Actor, IfMatch, Preview, check
from services.admin.given import WHOLE
from services.admin.letters_editing import edited
from services.admin.letters_told import cause_told, letter_told, readable
from services.admin.letters_trying import SAMPLE, Tried, TriedAll, Trying, meets, try_all, yields
from services.feed import letters
from services.feed.letters import EVERY, OPEN, Cause, Letter
from services.query import paging, reading
from services.query.access import needs
from services.query.audience import Seen, View
from services.query.changing import Changing
from services.query.problems import documented
from services.query.refused import Refused
from services.query.serving import answer

router = APIRouter(tags=["dead letters"], dependencies=[needs(Role.ADMIN)], responses=documented(401, 403, 503))
changing = APIRouter(
    tags=["dead letters"],
    dependencies=[needs(Role.ADMIN)],
    route_class=Changing,
    responses=documented(400, 401, 403, 404, 409, 412, 413, 415, 422, 428, 503),
)

_KIND = "dead letters"

Id = Annotated[str, Path(pattern=r"^[0-9a-f]{16}$", description="Id of a letter", examples=["0a7743f25b8c1d9e"])]
CauseId = Annotated[str, Path(pattern=r"^[0-9a-f]{16}$", description="Id of a cause", examples=["5f2b8c1d9e0a7743"])]


class Nothing(BaseModel):
    """An empty object."""

    model_config = ConfigDict(extra="forbid")


class Why(BaseModel):
    """Why letters are dropped."""

    model_config = ConfigDict(extra="forbid", str_strip_whitespace=True)

    reason: str = Field(min_length=1, max_length=500, description="Kept with who and when", examples=["A test deal"])


class Edit(BaseModel):
    """What a replay is to publish."""

    model_config = ConfigDict(extra="forbid")

    content: Annotated[Any, WHOLE] = Field(
        description="The whole record as it was shown, changed: an object, or its JSON as text. Masks (•••) that stand "
        "where they stood are secrets that stay",
        examples=[{"connection": "jira-acme", "payload": {"fields": {"summary": "Payslips"}}}],
    )


@router.get("/dead-letters", response_model=shapes.Causes, summary="What could not be used, by what cures it",
            responses=documented(422))  # fmt: skip
async def causes(
    acting: Actor,
    connection: Annotated[str | None, Query(max_length=200, description="Only of this connection")] = None,
    every: Annotated[bool, Query(description="Also those that were replayed or dropped")] = False,
) -> Response:
    """Causes with their counts and what to do, those of most letters first; at most 200."""
    async with acting.parts.database.reading() as reader:
        found = await letters.causes(reader, EVERY if every else OPEN, source=storable(connection or "") or None)
    return answer({"items": [cause_told(one) for one in found], "letters": sum(one.letters for one in found)})


class Page(BaseModel):
    """Which page of a cause."""

    model_config = ConfigDict(extra="forbid")

    every: bool = Field(default=False, description="Also those that were replayed or dropped")
    cursor: str | None = Field(default=None, max_length=500, description="`next` of the page before")
    limit: int = Field(default=25, ge=1, le=100)


@router.get("/dead-letters/causes/{cause}", response_model=shapes.LetterPage, summary="Letters of one cause",
            responses=documented(400, 404, 422))  # fmt: skip
async def of_cause(cause: CauseId, page: Annotated[Page, Query()], acting: Actor, view: Seen) -> Response:
    """The oldest first, without what they hold."""
    kind = paging.asked(_KIND, page, cause)
    place = paging.place(kind, page.cursor)
    try:
        after = (parse_instant(place[0]), place[1]) if place else None
    except ValueError:
        raise paging.foreign() from None
    states = EVERY if page.every else OPEN
    async with acting.parts.database.reading() as reader:
        one = await _cause(reader, cause, states)
        rows = await letters.letters(reader, alike=cause, states=states, after=after, limit=page.limit + 1)
    items = [_told(row, view) for row in rows[: page.limit]]
    more = len(rows) > page.limit
    following = paging.cursor(kind, (items[-1]["at"], items[-1]["id"])) if more else None
    return answer({"cause": cause_told(one), "items": items, "next": following})


@router.get("/dead-letters/{letter}", response_model=shapes.LetterContent, summary="One letter with what it holds",
            responses=documented(404, 422))  # fmt: skip
async def one(letter: Id, acting: Actor, view: Seen) -> Response:
    """Secrets are masked. That it was read is audited."""
    async with acting.changing() as connection:
        found, raw, edit = await _opened(connection, letter, view)
        await acting.note(connection, "dead-letter.read", f"dead letter {letter}")
    content = {"content": readable(raw), "edited_content": None if edit is None else readable(edit)}
    return answer({**_told(found, view), **content}, headers={"ETag": f'"{found.etag}"'})


@changing.put("/dead-letters/{letter}/content", response_model=shapes.ReplayAnswer, summary="Edit what it holds")
async def put_content(
    letter: Id, edit: Edit, acting: Actor, view: Seen, if_match: IfMatch, preview: Preview = False
) -> Response:
    """Kept beside the original, which stays. A replay publishes the edited form, as a person's edit. Tells what it
    yields now."""
    async with acting.changing() as connection:
        found, raw, before = await _opened(connection, letter, view)
        _open(found)
        check(found.etag, if_match, letter)
        text = edited(raw, letter, edit.content)
        if preview:
            await acting.note(connection, "dead-letter.read", f"dead letter {letter}")
        else:
            await letters.edit(connection, letter, text, acting.caller.name, acting.now)
            noted = [readable(one) for one in (before or raw, text)]
            await acting.note(connection, "dead-letter.edited", f"dead letter {letter}", *_whole(noted))
        found = await _found(connection, letter)
    return await _tried(acting, view, found, text, preview=preview)


@changing.delete("/dead-letters/{letter}/content", response_model=shapes.LetterAnswer, summary="Take the edit back")
async def delete_content(letter: Id, acting: Actor, view: Seen, if_match: IfMatch) -> Response:
    """A replay publishes the original again."""
    async with acting.changing() as connection:
        found, raw, before = await _opened(connection, letter, view)
        check(found.etag, if_match, letter)
        if before is not None:
            await letters.edit(connection, letter, None, acting.caller.name, acting.now)
            noted = [readable(one) for one in (before, raw)]
            await acting.note(connection, "dead-letter.edit-taken-back", f"dead letter {letter}", *_whole(noted))
        found = await _found(connection, letter)
    return answer(_told(found, view), headers={"ETag": f'"{found.etag}"'})


@changing.post("/dead-letters/{letter}/replay", response_model=shapes.ReplayAnswer, summary="Have it published again")
async def replay(
    letter: Id, asked: Nothing, acting: Actor, view: Seen, if_match: IfMatch, preview: Preview = False
) -> Response:
    """The running hub publishes it, 50 letters a second at most; one that fails again waits again, and after three
    failures it is set aside. The preview reads it now: what it yields, or the error it still gives."""
    del asked
    async with acting.changing() as connection:
        found, raw, edit = await _opened(connection, letter, view)
        check(found.etag, if_match, letter)
        if not preview:
            await _ask(connection, found)
        action = "dead-letter.read" if preview else "dead-letter.replay-asked"
        await acting.note(connection, action, f"dead letter {letter}")
        found = await _found(connection, letter)
    return await _tried(acting, view, found, edit or raw, preview=preview)


@changing.post("/dead-letters/{letter}/drop", response_model=shapes.Dropped, summary="Set it aside for good")
async def drop(letter: Id, why: Why, acting: Actor, if_match: IfMatch, preview: Preview = False) -> Response:
    """It is kept, with who, when and why; what it says stays missing."""
    async with acting.changing() as connection:
        found = await _found(connection, letter)
        _open(found)
        check(found.etag, if_match, letter)
        if not preview:
            await letters.drop(connection, [letter], storable(why.reason), acting.caller.name, acting.now)
            note = {"reason": why.reason, "state": "dropped"}
            await acting.note(connection, "dead-letter.dropped", f"dead letter {letter}", {"state": found.state}, note)
    return answer({"preview": preview, "letters": 1})


@changing.post("/dead-letters/causes/{cause}/replay", response_model=shapes.ReplayAllAnswer,
               summary="Have all of a cause published again")  # fmt: skip
async def replay_all(
    cause: CauseId, asked: Nothing, acting: Actor, if_match: IfMatch, preview: Preview = False
) -> Response:
    """All that wait; what was set aside is replayed one by one. The preview tries the first 200, and says whether that
    is a sample."""
    del asked
    async with acting.parts.database.reading() as reader:
        cause_now = await _cause(reader, cause)
    check(cause_now.etag, if_match, cause)
    tried = await _tried_all(acting, cause_now)
    many = _waiting(cause_now)
    if not preview:
        async with acting.changing() as connection:
            check((await _cause(connection, cause)).etag, if_match, cause)
            many = await letters.ask_replay_alike(connection, cause)
            if not many:
                raise Refused(409, "state", "None of them waits to be replayed.", shapes.mend_of(cause_now))
            await acting.note(connection, "dead-letter.replay-asked", f"dead letters of cause {cause}", None,
                              {"letters": many, "sentence": shapes.sentence_of(cause_now)})  # fmt: skip
            cause_now = await _cause(connection, cause)
    return answer({"preview": preview, "cause": cause_told(cause_now), "letters": many} | _all_told(tried, many))


def _waiting(cause: Cause) -> int:
    return cause.states.get(WAITING, 0) if cause.letter and cause.letter.replayable else 0


def _all_told(tried: TriedAll, many: int) -> dict[str, Any]:
    fails = [{"sentence": sentence, "letters": number} for sentence, number in tried.fails.most_common()]
    return {"sample": tried.looked < many, "looked": tried.looked, "understood": tried.understood, "fails": fails}


@changing.post("/dead-letters/causes/{cause}/drop", response_model=shapes.Dropped, summary="Drop all of a cause")
async def drop_all(cause: CauseId, why: Why, acting: Actor, if_match: IfMatch, preview: Preview = False) -> Response:
    """They are kept, with who, when and why."""
    async with acting.changing() as connection:
        before = await _cause(connection, cause)
        check(before.etag, if_match, cause)
        many = before.letters
        if not preview:
            many = await letters.drop_alike(connection, cause, storable(why.reason), acting.caller.name, acting.now)
            note = {"reason": why.reason, "letters": many, "sentence": shapes.sentence_of(before)}
            await acting.note(connection, "dead-letter.dropped", f"dead letters of cause {cause}", None, note)
    return answer({"preview": preview, "letters": many})


async def _ask(connection: AsyncConnection, found: Letter) -> None:
    if not found.replayable:
        raise Refused(409, "not-replayable", "It never was on a topic.", shapes.mend(found))
    if not await letters.ask_replay(connection, [found.id]):
        raise Refused(409, "state", f"It is {found.state}.", "Only what waits or is set aside is replayed.")


async def _cause(connection: AsyncConnection, cause: str, states: Any = OPEN) -> Cause:
    found = await letters.causes(connection, states, only=cause)
    if not found:
        raise Refused(404, "unknown-cause", "No dead letter waits for this cause.", "List them under /v1/dead-letters.")
    return found[0]


async def _found(connection: AsyncConnection, letter: str) -> Letter:
    found = await letters.locked(connection, letter)
    if found is None:
        raise Refused(404, "unknown-letter", "No dead letter has this id.", "List them under /v1/dead-letters.")
    return found


async def _opened(connection: AsyncConnection, letter: str, view: View) -> tuple[Letter, bytes, bytes | None]:
    """A letter with what it holds. Raises Refused where its connection is kept from who asks."""
    found = await _found(connection, letter)
    view.admit(found.connection)
    held = await letters.content(connection, letter)
    assert held is not None
    return found, *held


def _open(found: Letter) -> None:
    if found.state not in OPEN:
        raise Refused(409, "state", f"It is {found.state}.", "Nothing is left to do about it.")


def _whole(noted: list[Any]) -> list[Any]:
    return [one if isinstance(one, dict) else {"text": one} for one in noted]


def _told(one: Letter, view: View) -> dict[str, Any]:
    return letter_told(one, readable=view.may(one.connection))


async def _tried(acting: Acting, view: View, found: Letter, raw: bytes, *, preview: bool) -> Response:
    tried = await asyncio.to_thread(_trying(acting).read, raw)
    body = {"preview": preview, "letter": _told(found, view), "tried": await _yields(acting, tried)}
    return answer(body, headers={"ETag": f'"{found.etag}"'})


async def _yields(acting: Acting, tried: Tried) -> dict[str, Any]:
    if tried.telling is None:
        return {"understood": False, "problem": tried.problem, "yields": None}
    async with acting.parts.database.reading() as connection:
        known = await reading.known(connection, meets(tried.telling))
    requests = {one.request for those in known.values() for one in those if one.request}
    return {"understood": True, "problem": None, "yields": yields(tried.telling) | {"meets": sorted(requests)[:10]}}


async def _tried_all(acting: Acting, cause: Cause) -> TriedAll:
    """Try the first of those that would be published."""
    async with acting.parts.database.reading() as connection:
        rows = await letters.letters(connection, alike=cause.id, states=(WAITING,), limit=SAMPLE)
        return await try_all(connection, _trying(acting), rows)


def _trying(acting: Acting) -> Trying:
    return Trying(acting.parts.engine, acting.parts.catalogue, acting.parts.now)
