"""Requests as stored: the record's text, and the columns by which it is listed and found."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import orjson

from pipelines.store import tables
from pipelines.store.bulk import Bulk
from pipelines.store.components import stands
from pipelines.store.encoding import activity_of
from pipelines.turns import Turns
from schemas.artifacts import Activity, request_id

GONE = "gone"
"""In place of an etag: no artifact of the request opens one any more."""


@dataclass(frozen=True, slots=True)
class StoredRequest:
    """A request as it was stored before."""

    component: str
    etag: str
    basis: str
    problem: str | None


@dataclass(frozen=True, slots=True)
class RequestRow:
    """A request to store. Sort keys are instants as text, "" where unknown."""

    id: str
    component: str
    record: str
    etag: str
    basis: str
    title: str
    stage: str
    state: str
    opened_at: str
    updated_at: str
    stage_since: str
    brief: str = ""
    """Those fields of the record that a list shows, as JSON: a tenth of it."""
    problem: str | None = None
    facets: frozenset[tuple[str, str]] = field(default_factory=frozenset)
    same: bool = False
    """Whether it is stored so already, but perhaps for its facets: they say of people what no record says."""


async def stored(bulk: Bulk, components: Iterable[str]) -> dict[str, StoredRequest]:
    """The requests that these components held before."""
    sql = "SELECT id, component, etag, basis, problem FROM requests WHERE component IN {keys}"
    return {row[0]: StoredRequest(*row[1:]) for row in await bulk.by_keys(sql, components)}


async def activities_of(
    bulk: Bulk, fields: dict[str, dict[str, list[Any]]], turns: Turns | None = None
) -> dict[str, list[Activity]]:
    """Artifact to its activities that stand, oldest first; fields: as stored, by artifact."""
    sql = """SELECT artifact, "order", body FROM activities WHERE artifact IN {keys} AND NOT withdrawn
        ORDER BY artifact, at, key"""
    found: dict[str, list[Activity]] = {artifact: [] for artifact in fields}
    for artifact, order, body in await bulk.by_keys(sql, fields):
        activity = activity_of(orjson.loads(body))
        if activity.field is None or stands(activity.field, order, fields[artifact]):
            found[artifact].append(activity)
        if turns:
            await turns.give()
    return found


async def write(bulk: Bulk, rows: list[RequestRow], ended: Iterable[str], target_of: dict[str, str | None]) -> None:
    """Store requests; remove those that ended. target_of: own id of each artifact to the request it is in now.

    Marks as unpublished what changed, and each ended id with where it leads now.
    """
    ended = set(ended)
    changed = [row for row in rows if not row.same]
    await bulk.insert(tables.requests, [_columns(row) for row in changed], "replace")
    await _find_by(bulk, rows, ended)
    await bulk.by_keys("DELETE FROM requests WHERE id IN {keys}", ended)
    marks = [(row.id, row.etag) for row in changed]
    marks += [(name, f"-> {target}" if (target := target_of.get(name)) else GONE) for name in ended]
    await bulk.insert(tables.unpublished, marks, "replace")


async def _find_by(bulk: Bulk, rows: list[RequestRow], ended: set[str]) -> None:
    """Store by what requests are found. What stays as it is, which is most of it, is not touched."""
    concerned = {row.id for row in rows} | ended
    facets = [(row.id, kind, value, row.opened_at, row.stage_since) for row in rows for kind, value in row.facets]
    latest = [(kind, value, row.updated_at, row.id) for row in rows for kind, value in row.facets]
    await bulk.exactly(tables.facets, "request", concerned, facets)
    await bulk.exactly(tables.latest_facets, "request", concerned, latest)


async def mark_failed(bulk: Bulk, failed: dict[str, str]) -> None:
    """Keep the last good record of these requests, and say why it is not up to date."""
    for reason in sorted(set(failed.values())):
        names = [name for name, why in failed.items() if why == reason]
        await bulk.by_keys("UPDATE requests SET problem = :reason WHERE id IN {keys}", names, reason=reason)


def _columns(row: RequestRow) -> tuple[Any, ...]:
    return (
        row.id, row.component, row.record, row.etag, row.basis, row.problem, row.title, row.stage, row.state,
        row.opened_at, row.updated_at, row.stage_since, row.brief,
    )  # fmt: skip


def own_ids(artifacts: Iterable[str], request_of: dict[str, str]) -> dict[str, str | None]:
    """The request id that each artifact owns, to the request it is in."""
    return {request_id(artifact): request_of.get(artifact) for artifact in artifacts}
