"""The SQL of the lookup API, but for lists (see searching). Every statement goes by an index, whatever is stored."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import orjson
from sqlalchemy import (
    Boolean,
    ColumnElement,
    Integer,
    String,
    Text,
    column,
    func,
    literal,
    literal_column,
    or_,
    select,
    table,
    tuple_,
    union_all,
)
from sqlalchemy.ext.asyncio import AsyncConnection

from pipelines.store.bulk import Bulk
from pipelines.store.metadata import Instant
from pipelines.store.tables import activities, changes, facets, latest_facets, members
from schemas.canonical import storable
from services.query.database import Database
from services.query.paging import Place

CONNECTIONS = table(
    "connections",
    column("id", String),
    column("connector", String),
    column("title", String),
    column("state", String),
    column("since", Instant),
    column("true_up_to", Instant),
    column("alive_at", Instant),
    column("first_read_done", Boolean),
    column("progress_done", Integer),
    column("progress_total", Integer),
    column("problem", Text),
    column("attention", Boolean),
    column("retry_at", Instant),
)
"""What may be read of the feed's table: options, secrets and cursors cannot be selected by accident."""

_ELSEWHERE = "-> "
"""Begins what stands in place of an ETag where an id leads to another; see pipelines.store.tables.unpublished."""
_OPTIONS = literal_column("connections.options", Text).label("options")
"""Options, which hold no secret."""


@dataclass(frozen=True, slots=True)
class Stored:
    """A request as stored. record is canonical text; change is the number it was last published under, if it was."""

    id: str
    record: str
    etag: str
    problem: str | None
    change: int | None
    hidden: frozenset[str] = frozenset()
    """Connections whose content is left out of the record, for whoever it is read."""
    elsewhere: frozenset[str] = frozenset()
    """Connections of which they may read what is in this request, and nothing of what it names in others."""


REQUEST = """SELECT r.id, r.record, r.etag, r.problem,
    (SELECT max(c.number) FROM changes c WHERE c.request = r.id) FROM requests r WHERE r.id = :1"""


async def request(database: Database, identifier: str) -> Stored | None:
    """The request with this id, in one statement."""
    rows = await database.direct(REQUEST, identifier)
    return Stored(*rows[0]) if rows else None


async def requests(connection: AsyncConnection, identifiers: Iterable[str]) -> dict[str, Stored]:
    """The requests with these ids, in one statement."""
    sql = """SELECT r.id, r.record, r.etag, r.problem,
        (SELECT max(c.number) FROM changes c WHERE c.request = r.id) FROM requests r WHERE r.id IN {keys}"""
    return {row[0]: Stored(*row) for row in await Bulk(connection).by_keys(sql, identifiers)}


@dataclass(frozen=True, slots=True)
class Known:
    """An artifact that is stored, and the request it is in (None: in none)."""

    artifact: str
    connection: str
    connector: str
    kind: str
    natural_key: str | None
    url: str | None
    request: str | None
    type: str | None = None
    """The tool's own type, such as Epic."""
    kept_out: dict[str, Any] | None = None
    """The decision that keeps it out of every request, as decided.kept tells it."""
    apart: tuple[dict[str, Any], ...] = ()
    """Decisions that keep it apart from others, likewise."""
    created_at: str | None = None
    """By its tool's clock."""

    @property
    def native_id(self) -> str:
        """The tool's own id, the last part of the artifact's id."""
        return self.artifact.split("/", 2)[2]


_LED = """
SELECT c.request, c.merged_into, c.number FROM changes c
WHERE c.request IN {keys} AND NOT EXISTS (
    SELECT 1 FROM changes l WHERE l.request = c.request AND l.number > c.number)
UNION ALL SELECT u.request, u.etag, NULL FROM unpublished u WHERE u.request IN {keys}"""


async def led(connection: AsyncConnection, identifiers: Iterable[str]) -> dict[str, str]:
    """Where request ids lead that no artifact owns any more, as it was told when these went. In one statement."""
    found: dict[str, str] = {}
    for request, to, number in await Bulk(connection).by_keys(_LED, identifiers):
        if number is not None:
            if to:
                found.setdefault(request, to)  # what is not published yet is newer
        elif to.startswith(_ELSEWHERE):
            found[request] = to.removeprefix(_ELSEWHERE)
    return found


_KNOWN = """
WITH named AS (
    SELECT v.value AS name, v.artifact AS artifact FROM artifact_values v
        WHERE v.value IN {keys} AND v.strong = TRUE AND v.names_itself = TRUE
    UNION SELECT m.own_id, m.artifact FROM members m WHERE m.own_id IN {keys}
    UNION SELECT a.id, a.id FROM artifacts a WHERE a.id IN {keys}
)
SELECT n.name, a.id, a.connection, a.connector, a.kind, a.natural_key, a.fields, m.request
FROM named n JOIN artifacts a ON a.id = n.artifact LEFT JOIN members m ON m.artifact = a.id
ORDER BY n.name, a.id"""


async def known(connection: AsyncConnection, names: Iterable[str]) -> dict[str, list[Known]]:
    """By each of these names (reference keys, request ids, artifact ids) the artifacts it names, in one statement."""
    return _by_name(await Bulk(connection).by_keys(_KNOWN, map(storable, names)))


def _by_name(rows: Iterable[Sequence[Any]]) -> dict[str, list[Known]]:
    found: dict[str, list[Known]] = {}
    for name, artifact, connection, connector, kind, natural_key, fields, in_request in rows:
        told = orjson.loads(fields)
        url, type_ = _value(told, "url"), _value(told, "type")
        one = Known(
            artifact, connection, connector, kind, natural_key, url, in_request, type_,
            created_at=_value(told, "created_at"),
        )  # fmt: skip
        found.setdefault(name, []).append(one)
    return found


def _value(fields: dict[str, Any], name: str) -> str | None:
    told = fields.get(name)
    return told[2] if told else None


FEW = 5
"""Names that a hot look-up asks for. As single values, because PostgreSQL would plan arrays anew each time."""

_HOT = 5
"""Artifacts that a hot look-up tells; each comes with its request's record."""

_LEADS = f"""
SELECT v.value, a.id, a.connection, a.connector, a.kind, a.natural_key, a.fields, m.request,
    r.problem, {{record}}, r.etag, EXISTS (SELECT 1 FROM decided d WHERE d.name = a.id AND d.active)
FROM (SELECT DISTINCT value, artifact FROM artifact_values
    WHERE value IN (:1, :2, :3, :4, :5) AND strong = TRUE AND names_itself = TRUE
    ORDER BY value, artifact LIMIT {_HOT + 1}) v
JOIN artifacts a ON a.id = v.artifact LEFT JOIN members m ON m.artifact = a.id
LEFT JOIN requests r ON r.id = m.request"""  # noqa: S608
LEADS = _LEADS.format(record="r.record")
LEADS_BRIEFLY = _LEADS.format(record="coalesce(nullif(r.brief, ''), r.record)")


async def leads(
    database: Database, names: Sequence[str], *, brief: bool = False
) -> tuple[dict[str, list[Known]], dict[str, Stored]] | None:
    """What 1 to FEW reference keys name and the requests of those artifacts by id, in one statement; None where it is
    not all that is to be told: where somebody decided something about one of these, or where there are many.

    brief: the records are no more than what a list shows of them.
    """
    told = [storable(name) for name in names]
    rows = await database.direct(LEADS_BRIEFLY if brief else LEADS, *told, *told[-1:] * (FEW - len(told)))
    if len(rows) > _HOT or any(row[11] for row in rows):
        return None
    artifacts = sorted((row[:8] for row in rows), key=lambda row: (row[0], row[1]))
    stored = {row[7]: Stored(row[7], row[9], row[10], row[8], None) for row in rows if row[9] is not None}
    return _by_name(artifacts), stored


async def standing(database: Database) -> dict[tuple[str, str], int]:
    """How many requests stand where, by (stage, state); "" where no tool says a state. Reads an index only."""
    wanted = select(facets.c.value, func.count()).where(facets.c.kind == "standing").group_by(facets.c.value)
    counted = {value.rpartition("/"): number for value, number in await database.rows(wanted)}
    return {(stage, state): int(number) for (stage, _, state), number in counted.items()}


async def below(connection: AsyncConnection, programmes: Sequence[str], limit: int) -> dict[str, list[str]]:
    """Ids of the requests that belong to each of these artifacts, the newest changed first, at most limit each."""
    key = (latest_facets.c.updated_at, latest_facets.c.request)
    branches = (
        select(
            select(latest_facets.c.value, *key)
            .where(latest_facets.c.kind == "programme", latest_facets.c.value == storable(name))
            .order_by(*(part.desc() for part in key))
            .limit(limit)
            .subquery()
        )
        for name in programmes
    )
    found: dict[str, list[str]] = {}
    rows = [tuple(row) for row in await connection.execute(union_all(*branches))]
    for programme, _, request in sorted(rows, reverse=True):
        found.setdefault(programme, []).append(request)
    return found


@dataclass(frozen=True, slots=True)
class TimelineQuery:
    """Which activities of a request, and where the page begins."""

    request: str
    kinds: Sequence[str] = ()
    artifacts: Sequence[str] = ()
    actors: Sequence[str] = ()
    without: Iterable[str] = ()
    """Connections of whose artifacts nothing is told."""
    since: str | None = None
    until: str | None = None
    descending: bool = False
    after: Place | None = None
    limit: int = 100


_ACTOR: ColumnElement[str] = activities.c.actor.concat("")
"""As an expression an actor has no index: by it the database would go through all that they ever did."""


async def acting(
    connection: AsyncConnection, query: TimelineQuery, identities: Iterable[str], keys: Iterable[str]
) -> set[str]:
    """Which of these identities did something that a timeline tells, and who is behind these activities (keys)."""
    there = members.join(activities, activities.c.artifact == members.c.artifact)
    asked = or_(
        _ACTOR.in_([storable(one) for one in identities]),
        activities.c.key.concat("").in_([storable(one) for one in keys]),
    )
    wanted = select(_ACTOR).select_from(there).distinct()
    wanted = wanted.where(members.c.request == query.request, ~activities.c.withdrawn, *_filters(query), asked)
    return {row[0] for row in await connection.execute(wanted) if row[0]}


async def timeline(connection: AsyncConnection, query: TimelineQuery) -> list[dict[str, Any]]:
    """One more than `limit` activities that stand, as stored; each with `actor_name` where the actor is known."""
    key = tuple_(activities.c.at, activities.c.key)
    there = members.join(activities, activities.c.artifact == members.c.artifact)
    wanted = select(activities.c.key, activities.c.at, activities.c.body).select_from(there)
    wanted = wanted.where(members.c.request == query.request, ~activities.c.withdrawn, *_filters(query))
    if query.after:
        edge = tuple_(*(literal(storable(part)) for part in query.after))
        wanted = wanted.where(key < edge if query.descending else key > edge)
    order = (activities.c.at, activities.c.key)
    wanted = wanted.order_by(*(c.desc() if query.descending else c.asc() for c in order)).limit(query.limit + 1)
    told = [orjson.loads(row.body) for row in await connection.execute(wanted)]
    names = await actor_names(connection, {body["actor"] for body in told if body.get("actor")})
    return [{**body, "actor_name": names.get(body.get("actor", ""))} for body in told]


def _filters(query: TimelineQuery) -> Iterable[Any]:
    for where, values in (
        (activities.c.kind, query.kinds),
        (activities.c.artifact, query.artifacts),
        (_ACTOR, query.actors),
    ):
        if values:
            yield where.in_([storable(value) for value in values])
    for name in query.without:
        yield func.substr(activities.c.artifact, 1, len(name) + 1) != f"{name}/"
    if query.since:
        yield activities.c.at >= query.since
    if query.until:
        yield activities.c.at < query.until


async def actor_names(connection: AsyncConnection, identities: Iterable[str]) -> dict[str, str]:
    """Names of these identities, where known."""
    sql = "SELECT id, name FROM identities WHERE id IN {keys} AND name IS NOT NULL"
    return {row[0]: row[1] for row in await Bulk(connection).by_keys(sql, identities)}


async def connections(database: Database) -> Sequence[Any]:
    """All connections, by id."""
    return await database.rows(select(CONNECTIONS).order_by(CONNECTIONS.c.id))


async def connections_read(database: Database) -> list[tuple[Any, str | None]]:
    """All connections, by id; and whose mailbox each reads, as its options say."""
    rows = await database.rows(select(CONNECTIONS, _OPTIONS).order_by(CONNECTIONS.c.id))
    return [(row, _user(row.options)) for row in rows]


def _user(options: str) -> str | None:
    """Who signs in to a mail server; one damaged row takes no other connection down."""
    try:
        told = orjson.loads(options)
    except orjson.JSONDecodeError:
        return None
    auth = told.get("auth") if isinstance(told, dict) and "host" in told else None
    user = auth.get("user") if isinstance(auth, dict) else None
    return user if isinstance(user, str) else None


async def newest_change(database: Database) -> int:
    """The newest change number; 0 before the first."""
    rows = await database.rows(select(func.coalesce(func.max(changes.c.number), 0)))
    return int(rows[0][0])


async def changes_after(database: Database, number: int, limit: int) -> Sequence[Any]:
    """Changes with a higher number, in their order."""
    told = (changes.c.number, changes.c.request, changes.c.merged_into, changes.c.etag, changes.c.at)
    wanted = select(*told).where(changes.c.number > number).order_by(changes.c.number).limit(limit)
    return await database.rows(wanted)


async def schema_version(database: Database) -> str | None:
    """The migration that the database is at; None before the first."""
    rows = await database.rows(select(column("version_num")).select_from(table("alembic_version")))
    return rows[0][0] if rows else None
