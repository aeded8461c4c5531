"""What a person decides takes effect: judged against other decisions, stored, and understood, in one transaction.

A decision is made on what its maker saw: it names the versions (ETags) of the requests concerned, and is refused where
one of them changed meanwhile.
"""

from collections.abc import Awaitable, Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import orjson
from sqlalchemy import Table, select
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from pipelines.correlate.judging import judge
from pipelines.store import configuration, decisions, tables
from pipelines.store.bulk import Bulk
from pipelines.store.engine import in_the_way, reading, writing
from pipelines.supposing import Supposed, suppose, touched_by
from pipelines.understanding import understand
from pipelines.watching import UNWATCHED, Watch
from schemas.canonical import canonical_json, digest, storable
from schemas.decisions import ABOUT_PEOPLE, Decision, DecisionKind, Refusal

MOST = 1_000
"""Artifacts that one decision may name."""

ANY = "*"
"""In place of versions: whatever they are."""

_ATTEMPTS = 3
"""Of one whom another transaction stood in the way; and to compute beside other writers, before they have to wait."""


Noted = Callable[[AsyncConnection, str, str, Mapping[str, Any]], Awaitable[None]]
"""Notes who did something, in the transaction that does it: what (`decision.taken`), to what, and how it is then."""


@dataclass(frozen=True, slots=True)
class Wish:
    """What somebody wants to decide.

    left, right: ids of artifacts or identities. Of a merge: the ids of two requests; of a split: `right` is a request's
    id, and everything else that is in it; of `no request`: `right` may be a request's id, for all that is in it.
    made_on: versions of the requests concerned that its maker saw. key: repeated with the same wish, it does nothing
    more and tells the same decision. said: a digest of how it was said, where that is not by ids: what a reference
    leads to may be another thing once the decision is taken. noted: notes it with whoever asks; None: nobody does.
    """

    kind: DecisionKind
    by: str
    reason: str = ""
    left: tuple[str, ...] = ()
    right: tuple[str, ...] = ()
    undoes: int | None = None
    made_on: frozenset[str] = frozenset({ANY})
    key: str | None = None
    said: str | None = None
    noted: Noted | None = field(default=None, compare=False, repr=False)

    @property
    def asked(self) -> str:
        """A digest of what is asked, whatever it was made on."""
        told = [self.kind.value, self.by, self.reason, sorted(self.left), sorted(self.right), self.undoes]
        return self.said or digest(canonical_json(told))


@dataclass(frozen=True, slots=True)
class Moved:
    """Artifacts that are in another request than before; None: in no request."""

    before: str | None
    after: str | None
    artifacts: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a decision did, or would do."""

    decision: Decision
    moved: tuple[Moved, ...] = ()
    requests: dict[str, str] = field(default_factory=dict)
    """Versions of the requests that hold what it names, as they are afterwards, by id."""
    made_on: dict[str, str] = field(default_factory=dict)
    """Versions of the requests concerned as they were before, by id."""
    changed: int = 0
    """How many requests were changed at once; those of somebody who is in very many follow."""
    repeated: bool = False
    """It was stored before, under the same key."""


class _Preview(Exception):
    """Ends a transaction that only looked."""

    def __init__(self, outcome: Outcome) -> None:
        self.outcome = outcome


class _Overtaken(Exception):
    """What was computed beforehand does not follow any more."""


class Deciding:
    """Takes decisions. changed: called after a commit that changed requests."""

    def __init__(
        self,
        engine: AsyncEngine,
        now: Callable[[], datetime],
        changed: Callable[[], None] = lambda: None,
        watch: Watch = UNWATCHED,
    ) -> None:
        self.engine, self.now, self.changed, self.watch = engine, now, changed, watch

    async def decide(self, wish: Wish, *, preview: bool = False) -> Outcome:
        """Take a decision; preview: tell what it would do, and change nothing.

        Raises Refusal, and what a database raises that is away.
        """
        for _ in range(_ATTEMPTS - 1):
            try:
                return await self._attempt(wish, preview=preview)
            except DBAPIError as error:
                if not in_the_way(error):
                    raise
        return await self._attempt(wish, preview=preview)

    async def again(self, key: str, said: str) -> Outcome | None:
        """What was decided under a key; None: nothing. Raises Refusal where something else was said then."""
        async with reading(self.engine) as connection:
            known = await decisions.by_key(connection, key)
        return _repeated(*known, said) if known else None

    async def _attempt(self, wish: Wish, *, preview: bool) -> Outcome:
        if self.engine.dialect.name == "sqlite":
            for _ in range(_ATTEMPTS):
                now = self.now()
                async with reading(self.engine) as connection:
                    supposed = await _Case(connection, wish, now).supposed(self.watch)
                with suppress(_Overtaken):
                    return await self._taken(wish, now, supposed, preview=preview)
        return await self._taken(wish, self.now(), None, preview=preview)

    async def _taken(self, wish: Wish, now: datetime, supposed: Supposed | None, *, preview: bool) -> Outcome:
        try:
            async with writing(self.engine) as connection:
                outcome = await _Case(connection, wish, now).taken(supposed)
                if preview:
                    raise _Preview(outcome)
                if wish.noted and not outcome.repeated:
                    await wish.noted(connection, "decision.taken", *_told(outcome.decision))
        except _Preview as looked:
            return looked.outcome
        if not outcome.repeated:
            self.changed()
        return outcome


def _told(decision: Decision) -> tuple[str, dict[str, Any]]:
    """What a decision is called, and what it says, for whoever notes it; not why, which the decision itself keeps."""
    said = {"kind": decision.kind.value, "by": decision.by, "left": decision.left, "right": decision.right}
    return f"decision {decision.number}", said | ({"undoes": decision.undoes} if decision.undoes else {})


class _Case:
    """One wish before the database, in the caller's transaction."""

    def __init__(self, connection: AsyncConnection, wish: Wish, now: datetime) -> None:
        self.connection = connection
        self.bulk = Bulk(connection)
        self.wish = wish
        self.now = now

    async def supposed(self, watch: Watch) -> Supposed | None:
        """What would follow, where it takes long to find out. Reads only; raises Refusal as `taken` would."""
        if await self._repeated():
            return None
        decision, _, _ = await self._judged()
        return await suppose(self.connection, decision, watch)

    async def taken(self, supposed: Supposed | None) -> Outcome:
        """The decision is stored, and what follows. Raises _Overtaken where what was supposed does not follow now."""
        await decisions.alone(self.connection)
        if again := await self._repeated():
            return again
        decision, people, made_on = await self._judged()
        if supposed and not await supposed.holds(self.connection, decision):
            raise _Overtaken
        names = decision.left + decision.right
        before = {} if people else await self._neighbourhood(names)
        await decisions.add(self.bulk, decision, self.wish.key, self.wish.asked)
        if decision.undoes is not None:
            await decisions.undo(self.connection, decision.undoes, decision.number)
        changed = await (supposed.written(self.bulk) if supposed else self._understand(names, people=people))
        after = await self._requests_of(before)
        versions = await self._versions({after.get(name) for name in names})
        outcome = Outcome(decision, _moved(before, after), versions, made_on, changed)
        await decisions.note(self.connection, decision.number, did(outcome))
        return outcome

    async def _repeated(self) -> Outcome | None:
        """What was decided before under the key of the wish."""
        known = await decisions.by_key(self.connection, self.wish.key) if self.wish.key else None
        return _repeated(*known, self.wish.asked) if known else None

    async def _judged(self) -> tuple[Decision, bool, dict[str, str]]:
        """The wish as a decision that no other contradicts, whether it is about people, and what it was made on."""
        decision = await self._formed()
        names = decision.left + decision.right
        people = await decisions.about_people(self.connection, decision)
        made_on = await self._checked_versions(names, people=people)
        await self._judge(decision, names)
        return decision, people, made_on

    async def _formed(self) -> Decision:
        """The wish as a decision on identities of artifacts or people that are known."""
        wish = self.wish
        left, right = wish.left, wish.right
        if wish.kind is DecisionKind.UNDO:
            left, right = await self._undone()
        elif wish.kind in ABOUT_PEOPLE:
            await self._known(tables.identities, left + right)
        else:
            left, right = await self._named()
        return Decision(
            number=await decisions.next_number(self.connection),
            kind=wish.kind,
            left=tuple(sorted(left)),
            right=tuple(sorted(right)),
            by=storable(wish.by),
            reason=storable(wish.reason),
            at=self.now,
            undoes=wish.undoes,
        )

    async def _undone(self) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """What the decision that is to be undone names."""
        number = self.wish.undoes or 0
        found = await decisions.get(self.connection, number)
        if found is None:
            raise Refusal("unknown", f"There is no decision {number}.", "List them to find its number.")
        decision, undone_by = found
        if undone_by is not None:
            raise Refusal(
                "said already", f"Decision {number} was undone by decision {undone_by}.",
                f"To have it hold again, undo decision {undone_by}.", number=undone_by,
            )  # fmt: skip
        return decision.left, decision.right

    async def _named(self) -> tuple[tuple[str, ...], tuple[str, ...]]:
        wish = self.wish
        left, right = tuple(dict.fromkeys(wish.left)), tuple(dict.fromkeys(wish.right))
        if wish.kind is DecisionKind.MERGE:
            anchors = [await self._anchor(request) for request in (*left, *right)]
            left, right = (anchors[0],), (anchors[1],)
        elif wish.kind is DecisionKind.SPLIT:
            whole = await self._members(right[0])
            _check_split(left, whole, right[0])
            right = tuple(name for name in whole if name not in left)
        elif wish.kind is DecisionKind.NO_REQUEST and right:
            left, right = tuple(await self._members(right[0])), ()
        if len(left) + len(right) > MOST:
            raise Refusal(
                "nothing to decide", f"It names {len(left) + len(right)} artifacts, more than {MOST}.",
                "Decide on fewer at a time.",
            )  # fmt: skip
        if set(left) & set(right):
            raise Refusal("nothing to decide", "It names one thing twice.", "Name two different things.")
        await self._known(tables.artifacts, left + right)
        return left, right

    async def _anchor(self, request: str) -> str:
        members = tables.members.c
        wanted = select(members.artifact).where(members.own_id == request, members.request == request)
        anchor: str | None = (await self.connection.execute(wanted)).scalar()
        if anchor is None:
            raise await self._gone(request)
        return anchor

    async def _members(self, request: str) -> list[str]:
        wanted = select(tables.members.c.artifact).where(tables.members.c.request == request)
        found = sorted((await self.connection.execute(wanted)).scalars())
        if not found:
            raise await self._gone(request)
        return found

    async def _gone(self, request: str) -> Refusal:
        """For an id that is no request now: it was one when its maker saw it, where the wish is made on a version."""
        found = await self.connection.execute(
            select(tables.members.c.request).where(tables.members.c.own_id == request)
        )
        now = found.scalar()
        if ANY in self.wish.made_on or now is None:
            return Refusal("unknown", "A request that it names is no request now.", "Look it up for its id as it is.")
        return Refusal(
            "changed", "A request that it is about is part of another one by now.",
            "Look at it as it is now, and decide again.", versions=await self._versions({now}),
        )  # fmt: skip

    async def _known(self, table: Table, names: tuple[str, ...]) -> None:
        sql = f"SELECT id FROM {table.name} WHERE id IN {{keys}}"  # noqa: S608 - the name is one of ours
        found = {row[0] for row in await self.bulk.by_keys(sql, names)}
        if len(found) < len(set(names)) or not names:
            what = "person's identity" if table is tables.identities else "artifact"
            raise Refusal("unknown", f"It names {_an(what)} that was never read.", "Look it up for its id.")

    async def _checked_versions(self, names: Iterable[str], *, people: bool) -> dict[str, str]:
        """Versions of the requests concerned, which are those that its maker saw."""
        anything = ANY in self.wish.made_on
        if people:
            if not anything:
                raise Refusal("nothing to decide", "It is about people, so about no version of a request.",
                              f"Say {ANY} for the versions.")  # fmt: skip
            return {}
        versions = await self._versions(set((await self._requests_of(names)).values()))
        if not (anything or set(versions.values()) <= self.wish.made_on):
            raise Refusal(
                "changed", "A request that it is about changed meanwhile.",
                "Look at it as it is now, and decide again.", versions=versions,
            )  # fmt: skip
        return versions

    async def _judge(self, decision: Decision, names: tuple[str, ...]) -> None:
        held = (await decisions.load(self.bulk, names)).held
        if decision.kind is not DecisionKind.UNDO:
            judge(decision, held, await decisions.called(self.bulk, held))
            return
        again, holds = await decisions.first(self.connection, decision)
        if holds:
            judge(again, held, await decisions.called(self.bulk, held))

    async def _neighbourhood(self, names: tuple[str, ...]) -> dict[str, str | None]:
        """The request of every artifact in the components of these."""
        sql = """SELECT artifact, request FROM members WHERE component IN
            (SELECT component FROM members WHERE artifact IN {keys})"""
        return {row[0]: row[1] for row in await self.bulk.by_keys(sql, names)}

    async def _requests_of(self, names: Iterable[str]) -> dict[str, str | None]:
        sql = "SELECT artifact, request FROM members WHERE artifact IN {keys}"
        return {row[0]: row[1] for row in await self.bulk.by_keys(sql, names)}

    async def _versions(self, requests: set[str | None]) -> dict[str, str]:
        sql = "SELECT id, etag FROM requests WHERE id IN {keys}"
        return {row[0]: row[1] for row in await self.bulk.by_keys(sql, (one for one in requests if one))}

    async def _understand(self, names: tuple[str, ...], *, people: bool) -> int:
        snapshot = await configuration.load(self.connection, hold=True)
        touched = touched_by(names, snapshot.rules, people=people)
        return await understand(self.bulk, touched, snapshot)


def _check_split(left: tuple[str, ...], whole: list[str], request: str) -> None:
    if not set(left) < set(whole):
        outside = len(set(left) - set(whole))
        those = f"{outside} of the artifacts {'is' if outside == 1 else 'are'} not in {request}."
        problem = those if outside else "It would leave nothing behind."
        raise Refusal("nothing to decide", problem, "Name some, but not all, of what is in the request.")


def _moved(before: dict[str, str | None], after: dict[str, str | None]) -> tuple[Moved, ...]:
    ways: dict[tuple[str | None, str | None], list[str]] = {}
    for name, request in before.items():
        if after.get(name) != request:
            ways.setdefault((request, after.get(name)), []).append(name)
    ordered = sorted(ways, key=lambda way: (way[0] or "", way[1] or ""))
    return tuple(Moved(*way, tuple(sorted(ways[way]))) for way in ordered)


def did(outcome: Outcome) -> str:
    """What a decision changed, as JSON."""
    moved = [[one.before, one.after, one.artifacts] for one in outcome.moved]
    told = {"moved": moved, "requests": outcome.requests, "made_on": outcome.made_on, "changed": outcome.changed}
    return canonical_json(told)


def done(decision: Decision, told: str, *, repeated: bool = False) -> Outcome:
    """The outcome that did() told."""
    found = orjson.loads(told)
    moved = tuple(Moved(before, after, tuple(artifacts)) for before, after, artifacts in found["moved"])
    return Outcome(decision, moved, found["requests"], found["made_on"], found["changed"], repeated)


def _repeated(decision: Decision, asked: str, told: str, said: str) -> Outcome:
    """The outcome of a decision that was taken, if the same is asked again."""
    if asked != said:
        raise Refusal(
            "key used", f"This key was used for decision {decision.number}, which says something else.",
            "Use a new key for each decision.", number=decision.number,
        )  # fmt: skip
    return done(decision, told, repeated=True)


def _an(word: str) -> str:
    return f"an {word}" if word[0] in "aeiou" else f"a {word}"
