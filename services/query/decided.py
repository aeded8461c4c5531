"""Decisions as they are stored, as the API and the command line tell them."""

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC
from typing import Any

from sqlalchemy import Select, select
from sqlalchemy.ext.asyncio import AsyncConnection

from pipelines import outside
from pipelines.correlate.judging import said
from pipelines.deciding import Moved, Outcome, done
from pipelines.store import decisions, tables
from pipelines.store.bulk import Bulk
from schemas.artifacts import request_id
from schemas.canonical import instant, storable
from schemas.decisions import Decision, DecisionKind

_ROWS, _NAMES, _MEMBERS = tables.decisions.c, tables.decided.c, tables.members.c


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which decisions. names: of artifacts or identities, any of them; None: whatever is named. before: a number."""

    names: Sequence[str] | None = None
    request: str | None = None
    """Something that is in it now is named."""
    kind: str | None = None
    by: str | None = None
    holds: bool | None = None
    before: int | None = None
    limit: int = 25


@dataclass(frozen=True, slots=True)
class Stored:
    """A decision, the number of the one that undid it, and what it changed when it was taken."""

    decision: Decision
    undone_by: int | None
    did: str

    @property
    def outcome(self) -> Outcome:
        """What it changed."""
        return done(self.decision, self.did)


async def page(connection: AsyncConnection, wanted: Wanted) -> list[Stored]:
    """The newest first, one more than the limit."""
    statement = select(tables.decisions).order_by(_ROWS.number.desc()).limit(wanted.limit + 1)
    return [_stored(row) for row in await connection.execute(_filtered(statement, wanted))]


def _filtered(statement: Select[Any], wanted: Wanted) -> Select[Any]:
    if wanted.before is not None:
        statement = statement.where(_ROWS.number < wanted.before)
    if wanted.kind is not None:
        statement = statement.where(_ROWS.kind == wanted.kind)
    if wanted.by is not None:
        statement = statement.where(_ROWS.by == storable(wanted.by))
    if wanted.holds is not None:
        statement = statement.where(_ROWS.undone_by.is_(None) if wanted.holds else _ROWS.undone_by.is_not(None))
    if wanted.names is not None:
        statement = statement.where(_ROWS.number.in_(select(_NAMES.number).where(_NAMES.name.in_(wanted.names))))
    if wanted.request is not None:
        there = tables.members.join(tables.decided, _NAMES.name == _MEMBERS.artifact)
        inside = select(_NAMES.number).select_from(there).where(_MEMBERS.request == wanted.request)
        statement = statement.where(_ROWS.number.in_(inside))
    return statement


async def one(connection: AsyncConnection, number: int) -> Stored | None:
    """The decision with this number."""
    row = (await connection.execute(select(tables.decisions).where(_ROWS.number == number))).first()
    return _stored(row) if row else None


async def linked(connection: AsyncConnection, artifact: str, other: str) -> Stored | None:
    """The newest decision that says of exactly these two that they belong together; among the newest 100 of the one."""
    newest = await page(connection, Wanted([artifact], kind=DecisionKind.LINK, limit=100))
    ends = {artifact, other}
    return next((one for one in newest if {*one.decision.left, *one.decision.right} == ends), None)


def _stored(row: Any) -> Stored:
    return Stored(decisions.decision_of(row), row.undone_by, row.did)


async def told(connection: AsyncConnection, those: Sequence[Stored]) -> list[dict[str, Any]]:
    """The decisions as JSON values, each with its sentence; one statement for all names."""
    called = await decisions.called(Bulk(connection), [one.decision for one in those])
    return [_told(one.decision, one.undone_by, said(one.decision, called)) for one in those]


def _told(decision: Decision, undone_by: int | None, sentence: str) -> dict[str, Any]:
    return {
        "number": decision.number,
        "kind": decision.kind.value,
        "left": decision.left,
        "right": decision.right,
        "by": decision.by,
        "reason": decision.reason,
        "at": instant(decision.at.astimezone(UTC)),
        "undoes": decision.undoes,
        "undone_by": undone_by,
        "holds": undone_by is None,
        "said": sentence,
    }


def effects(outcome: Outcome) -> dict[str, Any]:
    """What a decision changed, or would: who moves, which ids lead where, which requests begin and end."""
    moved = outcome.moved
    return {
        "moved": [{"from": each.before, "to": each.after, "artifacts": each.artifacts} for each in moved],
        "redirects": {
            each.before: each.after for each in moved if each.before and each.after and _owns(each, each.before)
        },
        "begun": [each.after for each in moved if each.after and _owns(each, each.after)],
        "ended": [each.before for each in moved if each.before and not each.after and _owns(each, each.before)],
        "requests": outcome.requests,
        "made_on": outcome.made_on,
        "changed": outcome.changed,
    }


def _owns(moved: Moved, request: str) -> bool:
    """Whether the anchor of a request is among what moved."""
    return any(request_id(artifact) == request for artifact in moved.artifacts)


@dataclass(frozen=True, slots=True)
class Kept:
    """What decisions that hold do to an artifact, as JSON values."""

    out: dict[str, Any] | None = None
    """The first that keeps it out of every request."""
    apart: tuple[dict[str, Any], ...] = ()
    """Those that say it does not belong together with something."""


_ABOUT = """SELECT x.name, d.* FROM decided x JOIN decisions d ON d.number = x.number
    WHERE x.name IN {keys} AND x.active ORDER BY d.number"""


async def kept(connection: AsyncConnection, artifacts: dict[str, str | None]) -> dict[str, Kept]:
    """By artifact what decisions keep it out of or apart from; without those that none does.

    artifacts: to the request that each is in. What is in none is correlated anew, where something was decided about
    what it hangs together with.
    """
    bulk = Bulk(connection)
    about: dict[str, list[Decision]] = defaultdict(list)
    for row in await bulk.by_keys(_ABOUT, artifacts):
        about[row[0]].append(decisions.decision_of(row))
    own = {name: one for name, those in about.items() for one in those[::-1] if one.kind is DecisionKind.NO_REQUEST}
    out = own | await outside.kept_out(
        connection, (name for name, request in artifacts.items() if not request and name not in own)
    )
    every = {*out.values(), *(one for those in about.values() for one in those)}
    called = await decisions.called(bulk, every) if every else str
    return {
        name: Kept(
            _short(out[name], called) | {"itself": name in out[name].left + out[name].right} if name in out else None,
            tuple(_short(one, called) for one in about[name] if name in (*one.parted[0], *one.parted[1])),
        )
        for name in sorted(out.keys() | about.keys())
    }


def _short(decision: Decision, called: Callable[[str], str]) -> dict[str, Any]:
    whole = _told(decision, None, said(decision, called))
    short = {part: whole[part] for part in ("number", "by", "at", "reason", "said")}
    return short | {"undo": f"throughline undo {decision.number}"}
