"""Many stored requests by COPY: the rows that the pipeline makes of some requests, again and again with other numbers.

The requests of a small company are renamed by one mark, a number that is nowhere else in it, and go through the
pipeline. A copy has another number in the mark's place, and the ids and digests that follow from that; so its rows are
those that the pipeline makes of its events, which `same` checks for a sample.
"""

import itertools
import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from io import BytesIO
from typing import Any

import asyncpg
import orjson
from sqlalchemy import Table, select
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from benchmarks.clones import LAST, Copy, Names
from benchmarks.story import Told
from pipelines import assembly
from pipelines.correlate import correlate
from pipelines.lifecycle import etag
from pipelines.store import components, configuration, tables
from pipelines.store.bulk import Bulk
from pipelines.store.engine import reading
from schemas.artifacts import request_id
from schemas.canonical import digest

TABLES: tuple[tuple[Table, str], ...] = (
    (tables.source_events, "artifact"), (tables.artifacts, "id"), (tables.parts, "artifact"),
    (tables.artifact_values, "artifact"), (tables.activities, "artifact"), (tables.members, "artifact"),
    (tables.components, "id"), (tables.requests, "component"), (tables.facets, "request"),
    (tables.latest_facets, "request"),
)  # fmt: skip
"""With the column by which a row belongs to a template."""
_MARKS = 50_000
_LARGEST = 3
"""Artifacts of a request that is copied."""
_CHUNK = 2_000
_PLACE = re.compile("\x01(\\d+)\x01")
_ESCAPES = str.maketrans({"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r"})
_AGAIN = """INSERT INTO reference_values SELECT value, count(*) FILTER (WHERE NOT strong) FROM
(SELECT artifact, value, bool_or(strong) AS strong FROM artifact_values GROUP BY artifact, value) AS held
GROUP BY value"""
_INDEXES = """SELECT c.relname AS name, pg_get_indexdef(c.oid) AS made FROM pg_index AS i
JOIN pg_class AS c ON c.oid = i.indexrelid JOIN pg_class AS t ON t.oid = i.indrelid
WHERE t.relname = ANY($1) AND NOT i.indisprimary"""
_KEYS = """SELECT t.relname AS "table", k.conname AS name, pg_get_constraintdef(k.oid) AS made FROM pg_constraint AS k
JOIN pg_class AS t ON t.oid = k.conrelid WHERE t.relname = ANY($1) AND k.contype = 'p'"""


@dataclass(frozen=True, slots=True)
class Pattern:
    """A text with places for what differs from copy to copy."""

    pieces: tuple[str, ...]
    places: tuple[int, ...]

    @classmethod
    def of(cls, text: str) -> "Pattern":
        """From a text in which N between two bytes 1 is the place of the N-th value."""
        parts = _PLACE.split(text)
        return cls(tuple(parts[::2]), tuple(int(one) for one in parts[1::2]))

    def filled(self, values: Sequence[str]) -> str:
        """The text of a copy."""
        told = [self.pieces[0]]
        for piece, place in zip(self.pieces[1:], self.places, strict=True):
            told += (values[place], piece)
        return "".join(told)


Recipe = Callable[[Sequence[str]], str]


@dataclass
class Template:
    """One request's rows, to be copied."""

    mark: str
    artifacts: list[str]
    recipes: list[Recipe] = field(default_factory=list)
    """Of the values after the copy's number, in order."""
    lines: dict[str, Pattern] = field(default_factory=dict)
    """By table: its rows in COPY's text format."""
    events: list[Told] = field(default_factory=list)
    _ids: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for artifact in self.artifacts:
            self._ids[request_id(artifact)] = len(self.recipes) + 1
            self.recipes.append(self._renamed_id(artifact))

    def _renamed_id(self, artifact: str) -> Recipe:
        return lambda values: request_id(artifact.replace(self.mark, values[0]))

    def pattern(self, text: str) -> Pattern:
        """A text with places for the number and the request ids."""
        return Pattern.of(self._places(text))

    def _places(self, text: str) -> str:
        text = text.replace(self.mark, "\x010\x01")
        for identifier, place in self._ids.items():
            text = text.replace(identifier, f"\x01{place}\x01")
        return text

    def follows(self, made: Callable[..., str], *texts: str) -> str:
        """The place of a value that follows from texts."""
        patterns = [self.pattern(text) for text in texts]
        self.recipes.append(lambda values: made(*(pattern.filled(values) for pattern in patterns)))
        return f"\x01{len(self.recipes)}\x01"

    def row(self, cells: Iterable[Any]) -> str:
        """A row in COPY's text format, with places."""
        return "\t".join(self._places(_cell(one)) for one in cells) + "\n"

    def values(self, number: int) -> list[str]:
        """What differs in a copy."""
        values = [str(number)]
        for recipe in self.recipes:
            values.append(recipe(values))
        return values


@dataclass(frozen=True, slots=True)
class Stock:
    """What can be copied: requests, and the people in them, who stay the same in all copies."""

    templates: list[Template]
    identities: list[tuple[Any, ...]]


def _cell(value: Any) -> str:
    if value is None:
        return "\\N"
    if isinstance(value, bool):
        return "t" if value else "f"
    text = str(value)
    return text if text.startswith("\x01") else text.translate(_ESCAPES)


def marked(told: Sequence[Told]) -> tuple[str, list[Told]]:
    """A mark that is nowhere in the events, and the events renamed by it."""
    everything = b"\n".join(value for _, _, value, _ in told)
    mark = next(number for number in range(_MARKS, LAST) if str(number).encode() not in everything)
    copy = Copy(Names.of(told), mark)
    return str(mark), [copy.told(one) for one in told]


async def templates(engine: AsyncEngine, mark: str, told: Sequence[Told]) -> list[Template]:
    """Of the requests that hang together with no other, and are not large."""
    events: dict[str, list[Told]] = defaultdict(list)
    for one in told:
        events[one[1].decode()].append(one)
    async with reading(engine) as connection:
        snapshot = await configuration.load(connection)
        found: list[Template] = []
        for component in (await connection.execute(select(tables.components.c.id))).scalars().all():
            loaded = await components.look(Bulk(connection), component, snapshot.rules)
            groups = correlate(assembly.component_of(loaded, sorted(loaded.artifacts)), snapshot.rules)
            if len(groups.requests) != 1 or groups.outside or not len(loaded.artifacts) <= _LARGEST:
                continue
            group = groups.requests[0]
            programmes = [one for one in groups.programmes if one.key in group.programmes]
            template = Template(mark, sorted(loaded.artifacts))
            basis = [repr(group), *(repr(one) for one in programmes)]
            await _rows(connection, template, component, group.request, basis)
            template.events = [one for name in template.artifacts for one in events[name]]
            found.append(template)
    return found


async def _rows(
    connection: AsyncConnection, template: Template, component: str, request: str, basis: list[str]
) -> None:
    keys = {"artifact": template.artifacts, "id": template.artifacts, "component": [component], "request": [request]}
    for table, column in TABLES:
        own = keys[column] if table is not tables.components else [component]
        wanted = select(*_columns(table)).where(table.c[column].in_(own)).order_by(*table.primary_key.columns)
        rows = [dict(row) for row in (await connection.execute(wanted)).mappings()]
        for row in rows:
            _follow(template, table, row, basis)
        template.lines[table.name] = Pattern.of("".join(template.row(row.values()) for row in rows))


def _columns(table: Table) -> list[Any]:
    return [column for column in table.columns if column is not table.autoincrement_column]


def _follow(template: Template, table: Table, row: dict[str, Any], basis: list[str]) -> None:
    """Put in what follows from other texts of the row."""
    if table is tables.parts:
        row["digest"] = template.follows(digest, row["candidates"])
    elif table is tables.activities:
        row["digest"] = template.follows(digest, row["body"])
    elif table is tables.requests:
        row["etag"] = template.follows(etag, row["record"])
        row["basis"] = template.follows(digest, *basis)
    elif table is tables.source_events:
        event = orjson.loads(row["event"])
        named = (event["connection"], event["kind"], event["native_id"], event["version"], event["form"])
        row["id"] = template.follows(lambda *texts: digest(*texts)[:32], *named)


async def stock(engine: AsyncEngine, mark: str, told: Sequence[Told]) -> Stock:
    """All that can be copied of what the pipeline made of these events."""
    async with reading(engine) as connection:
        rows = (await connection.execute(select(tables.identities))).all()
    return Stock(await templates(engine, mark, told), [tuple(row) for row in rows])


async def load(url: str, made: Stock, first: int, count: int) -> list[tuple[Template, int]]:
    """COPY so many requests into the database, by numbers from `first` on. Returns which.

    Raises ValueError for more than there are numbers of one width; more templates need fewer.
    """
    if first + count // len(made.templates) > LAST:
        raise ValueError(f"{len(made.templates)} templates are too few for {count:,} requests")
    database = await asyncpg.connect(url)
    todo = [
        (template, first + place // len(made.templates))
        for place, template in zip(range(count), itertools.cycle(made.templates), strict=False)
    ]
    try:
        await database.execute("SET synchronous_commit = off")
        await database.execute("SET maintenance_work_mem = '1GB'")
        await _waiting(database, "8GB")
        named = [table.name for table, _ in TABLES]
        indexes, keys = await database.fetch(_INDEXES, named), await database.fetch(_KEYS, named)
        for index in indexes:
            await database.execute(f'DROP INDEX "{index["name"]}"')
        for key in keys:
            await database.execute(f'ALTER TABLE "{key["table"]}" DROP CONSTRAINT "{key["name"]}"')
        names = [column.name for column in tables.identities.columns]
        await database.copy_records_to_table("identities", records=made.identities, columns=names)
        for start in range(0, len(todo), _CHUNK):
            await _copy(database, todo[start : start + _CHUNK])
        for key in keys:
            made_again = f'ALTER TABLE "{key["table"]}" ADD CONSTRAINT "{key["name"]}" {key["made"]}'
            await database.execute(made_again, timeout=None)
        for index in indexes:
            await database.execute(index["made"], timeout=None)
        await database.execute("TRUNCATE reference_values")
        await database.execute(_AGAIN, timeout=None)
        await database.execute("VACUUM ANALYZE", timeout=None)
    finally:
        await _waiting(database, None)
        await database.close()
    return todo


async def _waiting(database: Any, log: str | None) -> None:
    """How much log PostgreSQL writes before it writes the tables; None: what it was."""
    said = f"SET max_wal_size = '{log}'" if log else "RESET max_wal_size"
    await database.execute(f"ALTER SYSTEM {said}")
    await database.execute("SELECT pg_reload_conf()")


async def _copy(database: Any, todo: list[tuple[Template, int]]) -> None:
    filled = [(template, template.values(number)) for template, number in todo]
    for table, _ in TABLES:
        text = "".join(template.lines[table.name].filled(values) for template, values in filled)
        names = [column.name for column in _columns(table)]
        await database.copy_to_table(table.name, source=BytesIO(text.encode()), columns=names, format="text")


def events_of(todo: Sequence[tuple[Template, int]]) -> list[Told]:
    """The source events of copies."""
    return [
        (connector, key.replace(mark, number), value.replace(mark, number), [])
        for template, copy in todo
        for mark, number in [(template.mark.encode(), str(copy).encode())]
        for connector, key, value, _ in template.events
    ]


async def same(stored: AsyncEngine, piped: AsyncEngine, todo: Sequence[tuple[Template, int]]) -> list[str]:
    """Where the rows of these requests differ between two databases: `table: key`."""
    artifacts = [one.replace(template.mark, str(number)) for template, number in todo for one in template.artifacts]
    differ: list[str] = []
    for table, column in TABLES:
        if table is tables.components:
            continue
        one, other = [await _held(engine, table, column, artifacts) for engine in (stored, piped)]
        differ += [f"{table.name}: {row[:2]}" for row in sorted(one ^ other, key=repr)]
    return differ


async def _held(engine: AsyncEngine, table: Table, column: str, artifacts: list[str]) -> set[tuple[Any, ...]]:
    requests = "SELECT request FROM members WHERE artifact IN {keys}"
    where = {
        "request": f"request IN ({requests})", "component": f"id IN ({requests})",
    }.get(column, f"{column} IN {{keys}}")  # fmt: skip
    names = ", ".join(f'"{one.name}"' for one in _columns(table))
    async with reading(engine) as connection:
        rows = await Bulk(connection).by_keys(f"SELECT {names} FROM {table.name} WHERE {where}", artifacts)
    return {tuple(row) for row in rows}
