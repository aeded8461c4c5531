"""Decisions as they are stored, as the API and the command line tell them."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC
from typing import Any

from sqlalchemy import Select, select
from sqlalchemy.ext.asyncio import AsyncConnection

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


async def kept_out(connection: AsyncConnection, artifacts: Iterable[str]) -> dict[str, dict[str, Any]]:
    """By each of these artifacts that people said to be no request, the first decision that says so, as JSON values."""
    sql = f"""SELECT x.name, d.* FROM decided x JOIN decisions d ON d.number = x.number
        WHERE x.name IN {{keys}} AND x.active AND d.kind = '{DecisionKind.NO_REQUEST.value}'
        ORDER BY d.number DESC"""  # noqa: S608 - the word is ours
    bulk = Bulk(connection)
    found = {row[0]: decisions.decision_of(row) for row in await bulk.by_keys(sql, artifacts)}
    called = await decisions.called(bulk, found.values())
    whole = {name: _told(one, None, said(one, called)) for name, one in found.items()}
    return {name: {part: one[part] for part in ("number", "by", "at", "reason", "said")} for name, one in whole.items()}
