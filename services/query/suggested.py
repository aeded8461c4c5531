"""Suggestions as they are stored, as the API and the command line tell them."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from math import sqrt
from typing import Any

import orjson
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from pipelines.store import configuration
from pipelines.store.bulk import Bulk
from pipelines.store.metadata import Instant
from pipelines.suggest import model
from pipelines.suggest.wording import reasons
from schemas.canonical import instant

_SHOWN = """FROM suggestions s JOIN members l ON l.artifact = s."left" JOIN members r ON r.artifact = s."right"
    LEFT JOIN suggestion_answers a ON a."left" = s."left" AND a."right" = s."right"
    WHERE COALESCE(l.request, l.artifact) <> COALESCE(r.request, r.artifact)
        AND (a.answer IS NULL OR (a.answer = 'later' AND (a.until <= :now OR a.evidence <> s.evidence)))"""
"""Those that wait: not answered, or put off until now, of things that are apart as things are now."""

_COLUMNS = """SELECT s.id, s."left", s."right", s.probability, s.worth, s.features, s.change, s.model, s.computed_at,
    l.request AS left_request, r.request AS right_request, a.offered_at"""

_COUNTS = """SELECT a.answer, a.answer = 'accepted' AND NOT EXISTS (
        SELECT 1 FROM decided l JOIN decided r ON r.number = l.number
        WHERE l.name = a."left" AND r.name = a."right" AND l.active AND l.joins AND r.joins) AS undone, count(*)
    FROM suggestion_answers a WHERE a.answer IS NOT NULL GROUP BY 1, 2"""
"""What was answered how often; what was accepted and taken back by undoing the decision apart."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which suggestions. artifacts: one end is one of these; request: or is in it. after: worth and id of the last.

    waiting: also those that wait for their day; always so where something is looked up by name.
    """

    artifacts: Sequence[str] | None = None
    request: str | None = None
    least: float = 0.0
    waiting: bool = False
    after: tuple[float, str] | None = None
    limit: int = 25


@dataclass(frozen=True, slots=True)
class Row:
    """A suggestion as it is stored, with the requests that its two artifacts are in now."""

    id: str
    left: str
    right: str
    probability: float
    worth: float
    features: dict[str, float]
    change: dict[str, Any]
    model: int
    computed_at: str
    left_request: str | None
    right_request: str | None
    offered_at: datetime | None


async def page(connection: AsyncConnection, wanted: Wanted, now: datetime) -> list[Row]:
    """The worthiest first, one more than the limit."""
    sql = f"{_COLUMNS} {_SHOWN} AND s.probability >= :least"
    values: dict[str, Any] = {"least": wanted.least}
    named = wanted.artifacts is not None or wanted.request is not None
    if not named and not wanted.waiting:
        sql += " AND a.offered_at IS NOT NULL"
    if wanted.request is not None:
        sql += " AND (s.left_unit = :request OR s.right_unit = :request)"
        values["request"] = wanted.request
    if wanted.after is not None:
        sql += " AND (s.worth < :worth OR (s.worth = :worth AND s.id > :last))"
        values |= {"worth": wanted.after[0], "last": wanted.after[1]}
    ordered = " ORDER BY s.worth DESC, s.id LIMIT :most"
    values["most"] = wanted.limit + 1
    if wanted.artifacts is None:
        return await _rows(connection, sql + ordered, values, now)
    sql += ' AND (s."left" IN {keys} OR s."right" IN {keys})'
    return [
        _row(row)
        for row in await Bulk(connection).by_keys(sql + ordered, wanted.artifacts, now=_at(connection, now), **values)
    ]


async def waiting(connection: AsyncConnection, now: datetime) -> int:
    """How many are offered and wait for an answer."""
    sql = f"SELECT count(*) {_SHOWN} AND a.offered_at IS NOT NULL"
    return int((await connection.execute(text(sql), {"now": _at(connection, now)})).scalar_one())


async def behind(connection: AsyncConnection, now: datetime) -> int:
    """How many the day's limit holds back: they were never offered."""
    sql = f"SELECT count(*) {_SHOWN} AND a.offered_at IS NULL"
    return int((await connection.execute(text(sql), {"now": _at(connection, now)})).scalar_one())


async def one(connection: AsyncConnection, name: str, now: datetime) -> Row | None:
    """The suggestion with this id, if it waits."""
    found = await _rows(connection, f"{_COLUMNS} {_SHOWN} AND s.id = :id", {"id": name}, now)
    return next(iter(found), None)


async def _rows(connection: AsyncConnection, sql: str, values: dict[str, Any], now: datetime) -> list[Row]:
    rows = await connection.execute(text(sql), {**values, "now": _at(connection, now)})
    return [_row(row) for row in rows]


def _at(connection: AsyncConnection, at: datetime) -> Any:
    """An instant as a textual statement takes it."""
    bound = Instant().process_bind_param(at, connection.dialect)
    return bound.isoformat(" ", "microseconds") if connection.dialect.name == "sqlite" and bound else bound


def _row(row: Any) -> Row:
    offered = datetime.fromisoformat(row.offered_at) if isinstance(row.offered_at, str) else row.offered_at
    offered = offered.replace(tzinfo=UTC) if offered is not None and offered.tzinfo is None else offered
    features, change = orjson.loads(row.features), orjson.loads(row.change)
    return Row(
        row.id, row.left, row.right, row.probability, row.worth, features, change, row.model, row.computed_at,
        row.left_request, row.right_request, offered,
    )  # fmt: skip


async def told(connection: AsyncConnection, rows: Sequence[Row]) -> list[dict[str, Any]]:
    """Suggestions as JSON values; a number of statements that does not depend on how many."""
    artifacts = await _artifacts(connection, {name for row in rows for name in (row.left, row.right)})
    requests = {name for row in rows for name in (row.left_request, row.right_request) if name}
    sql = "SELECT id, etag FROM requests WHERE id IN {keys}"
    etags = {each[0]: each[1] for each in await Bulk(connection).by_keys(sql, requests)}
    weights = model.load()
    return [_told(row, artifacts, etags, weights) for row in rows]


def _told(row: Row, artifacts: dict[str, Any], etags: dict[str, str], weights: model.Model) -> dict[str, Any]:
    speaks, against = reasons(row.features, weights.parts(row.features))
    ends = [(row.left, row.left_request), (row.right, row.right_request)]
    return {
        "id": row.id,
        "probability": row.probability,
        "worth": row.worth,
        "reasons": speaks,
        "against": against,
        "features": row.features,
        "artifacts": [{**artifacts[name], "request": request} for name, request in ends],
        "change": row.change,
        "requests": {request: etags[request] for _, request in ends if request in etags},
        "model": row.model,
        "computed_at": row.computed_at,
        "offered_at": instant(row.offered_at) if row.offered_at else None,
    }


async def _artifacts(connection: AsyncConnection, names: set[str]) -> dict[str, dict[str, Any]]:
    sql = "SELECT id, connection, connector, kind, natural_key, fields FROM artifacts WHERE id IN {keys}"
    shown = (await configuration.load(connection)).shows_restricted
    found = {}
    for name, where, connector, kind, key, raw in await Bulk(connection).by_keys(sql, names):
        fields = {field: value[2] for field, value in orjson.loads(raw).items()}
        audience = fields.get("audience")
        hidden = isinstance(audience, dict) and audience.get("level") == "restricted" and where not in shown
        found[name] = {
            "id": name, "connection": where, "connector": connector, "kind": kind, "natural_key": key,
            "url": fields.get("url"), "title": None if hidden else fields.get("title"), "restricted": hidden,
            "created_at": fields.get("created_at"),
        }  # fmt: skip
    return found


async def measured(connection: AsyncConnection) -> dict[str, Any]:
    """How often people accepted what was suggested, and did not take that back; with the interval that so many answers
    allow (Wilson, 95 %)."""
    counts: Counter[str] = Counter()
    for said, undone, number in await connection.execute(text(_COUNTS)):
        counts["rejected" if undone else said] += number
    accepted, rejected = counts["accepted"], counts["rejected"]
    answered = accepted + rejected
    low, high = interval(accepted, answered)
    return {
        "accepted": accepted, "rejected": rejected, "later": counts["later"],
        "precision": round(accepted / answered, 4) if answered else None, "low": low, "high": high,
    }  # fmt: skip


def interval(hits: int, of: int) -> tuple[float, float]:
    """Where the true share lies, with 95 % confidence; (0, 1) where nothing was counted."""
    if not of:
        return 0.0, 1.0
    z, p = 1.959964, hits / of
    middle, half = p + z * z / (2 * of), z * sqrt(p * (1 - p) / of + z * z / (4 * of * of))
    scale = 1 + z * z / of
    return round(max(0.0, (middle - half) / scale), 4), round(min(1.0, (middle + half) / scale), 4)
