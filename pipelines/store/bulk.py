"""Many rows in one statement, whatever their number: as arrays on PostgreSQL, as one JSON text on SQLite."""

from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Any, cast

import orjson
from sqlalchemy import BigInteger, Boolean, Float, Integer, Table, text
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.sql.elements import TextClause

_TYPES = {Boolean: "boolean", BigInteger: "bigint", Integer: "integer", Float: "double precision"}

_SKIP = " FOR UPDATE SKIP LOCKED"

NEWER = ("order", "rank", "digest")
"""The columns by which the latest telling wins."""


class Bulk:
    """Bulk statements on one open transaction. Rows are tuples in the order of the table's columns, but for the one
    that the database counts itself."""

    def __init__(self, connection: AsyncConnection) -> None:
        self.connection = connection
        self.dialect = connection.dialect.name

    async def insert(
        self, table: Table, rows: Iterable[Sequence[Any]], on_conflict: str = "ignore", returning: str = ""
    ) -> Sequence[Any]:
        """Insert rows, sorted by key so that two writers never wait for each other in a circle.

        on_conflict: `ignore` keeps the row that is there, `replace` takes the new one, `newer` takes it if its
        (order, rank, digest) is higher, `add` adds to its one number. One key may appear once only.
        Returns `returning` of the rows inserted or changed.
        """
        ordered: list[Any] = sorted(cast("Iterable[tuple[Any, ...]]", rows))
        if not ordered:
            return []
        statement = _insert(table, self.dialect, on_conflict, returning)
        told = _arrays(table, ordered) if self.dialect == "postgresql" else _text(ordered)
        result = await self.connection.execute(statement, told)
        return result.all() if returning else []

    async def exactly(self, table: Table, owner: str, owners: Iterable[str], rows: Iterable[Sequence[Any]]) -> None:
        """Have these rows of these owners and no others; a row that is there already is not touched.

        owner: the column that names them, with which an index begins; no column is NULL.
        """
        wanted = sorted(set(owners))
        if not wanted:
            return
        ordered: list[Any] = sorted(cast("Iterable[tuple[Any, ...]]", rows))
        if self.dialect == "postgresql":
            await self.connection.execute(_exactly(table, owner), {"keys": wanted, **_arrays(table, ordered)})
            return
        owned, told = orjson.dumps(wanted).decode(), orjson.dumps(ordered).decode()
        await self.connection.execute(_others(table, owner), {"keys": owned, "rows": told})
        if ordered:
            await self.connection.execute(_missing(table), {"rows": told})

    async def by_keys(self, sql: str, keys: Iterable[str], **parameters: Any) -> Sequence[Any]:
        """Run sql, in which `{keys}` stands for the set of keys. Keys go in sorted.

        `{lock}` locks the rows found, where there are such locks; `{skip}` too, and leaves out those locked by others.
        """
        wanted = sorted(set(keys))
        if not wanted:
            return []
        keys_parameter = wanted if self.dialect == "postgresql" else orjson.dumps(wanted).decode()
        statement = _with_keys(sql, self.dialect)
        result = await self.connection.execute(statement, {"keys": keys_parameter, **parameters})
        return result.all() if result.returns_rows else []

    async def by_numbers(self, sql: str, numbers: Iterable[int]) -> None:
        """Run sql, in which `{numbers}` stands for the set of numbers."""
        if wanted := sorted(set(numbers)):
            given: Any = list(map(str, wanted)) if self.dialect == "postgresql" else orjson.dumps(wanted).decode()
            await self.connection.execute(_with_numbers(sql, self.dialect), {"numbers": given})

    async def by_pairs(self, sql: str, pairs: Iterable[tuple[str, str]]) -> Sequence[Any]:
        """Run sql, in which `{pairs}` stands for the set of pairs: `(artifact, part) IN {pairs}`."""
        wanted = sorted(set(pairs))
        if not wanted:
            return []
        ends = {f"c{place}": [pair[place] for pair in wanted] for place in (0, 1)}
        told = ends if self.dialect == "postgresql" else _text(wanted)
        result = await self.connection.execute(_with_pairs(sql, self.dialect), told)
        return result.all() if result.returns_rows else []


def _text(rows: Sequence[Sequence[Any]]) -> dict[str, Any]:
    return {"rows": orjson.dumps(rows).decode()}


def _arrays(table: Table, rows: Sequence[Sequence[Any]]) -> dict[str, list[str | None]]:
    """The rows by column, in texts: asyncpg asks the database anew for every other type of array on every new
    connection, which takes longer than most of what follows."""
    columns: Iterable[Any] = zip(*rows, strict=True) if rows else [() for _ in _given(table)]
    return {
        f"c{place}": list(told) if _type(column) == "text" else [None if one is None else str(one) for one in told]
        for place, (column, told) in enumerate(zip(_given(table), columns, strict=True))
    }


@lru_cache
def _with_keys(sql: str, dialect: str) -> TextClause:
    if dialect == "postgresql":
        return text(sql.format(keys="(SELECT unnest(CAST(:keys AS text[])))", lock=" FOR UPDATE", skip=_SKIP))
    return text(sql.format(keys="(SELECT value FROM json_each(:keys))", lock="", skip=""))


@lru_cache
def _with_numbers(sql: str, dialect: str) -> TextClause:
    if dialect == "postgresql":
        return text(sql.format(numbers="(SELECT unnest(CAST(CAST(:numbers AS text[]) AS bigint[])))"))
    return text(sql.format(numbers="(SELECT value FROM json_each(:numbers))"))


@lru_cache
def _with_pairs(sql: str, dialect: str) -> TextClause:
    if dialect == "postgresql":
        return text(sql.format(pairs="(SELECT * FROM unnest(CAST(:c0 AS text[]), CAST(:c1 AS text[])))", skip=_SKIP))
    cells = "SELECT json_extract(value, '$[0]'), json_extract(value, '$[1]') FROM json_each(:rows)"
    return text(sql.format(pairs=f"({cells})", skip=""))


@lru_cache
def _insert(table: Table, dialect: str, on_conflict: str, returning: str) -> TextClause:
    columns = [f'"{column.name}"' for column in _given(table)]
    sql = f'INSERT INTO "{table.name}" ({", ".join(columns)}) {_rows(table, dialect)} {_conflict(table, on_conflict)}'
    return text(sql + (f" RETURNING {returning}" if returning else ""))


@lru_cache
def _exactly(table: Table, owner: str) -> TextClause:
    """On PostgreSQL, in one statement: the differences of two sets, by grouping, which never looks at all pairs."""
    key = ", ".join(f'"{column.name}"' for column in table.primary_key)
    columns = ", ".join(f'"{column.name}"' for column in table.columns)
    # OFFSET: owner by owner, whose rows lie side by side in the index. What goes is found by where it lies: where it
    # stands in the key's index need not be looked up.
    sql = f"""WITH n ({columns}) AS MATERIALIZED ({_rows(table, "postgresql")}),
        o AS MATERIALIZED (SELECT t.* FROM unnest(CAST(:keys AS text[])) AS k(owner) CROSS JOIN LATERAL
            (SELECT ctid AS place, {columns} FROM "{table.name}" WHERE "{owner}" = k.owner OFFSET 0) AS t),
        deleted AS (DELETE FROM "{table.name}" WHERE ctid = ANY (ARRAY(
            SELECT (array_agg(place))[1] FROM (SELECT place, {key} FROM o UNION ALL
                SELECT NULL, {key} FROM n WHERE EXISTS (SELECT FROM o)) AS b
            GROUP BY {key} HAVING bool_and(place IS NOT NULL))))
        INSERT INTO "{table.name}" ({columns}) SELECT * FROM n EXCEPT SELECT {columns} FROM o
        {_conflict(table, "replace")}"""  # noqa: S608 - names of our own tables
    return text(sql)


@lru_cache
def _others(table: Table, owner: str) -> TextClause:
    """On SQLite what goes. Not by NOT IN, which looks through all that is told for each row that is not among it."""
    keys = [f'"{column.name}"' for column in table.primary_key]
    key = ", ".join(keys)
    told = ", ".join(f"json_extract(value, '$[{place}]')" for place in range(len(keys)))
    sql = f"""DELETE FROM "{table.name}" WHERE "{owner}" IN (SELECT value FROM json_each(:keys)) AND ({key}) IN
        (SELECT {key} FROM "{table.name}" WHERE "{owner}" IN (SELECT value FROM json_each(:keys))
        EXCEPT SELECT {told} FROM json_each(:rows))"""  # noqa: S608
    return text(sql)


@lru_cache
def _missing(table: Table) -> TextClause:
    columns = [f'"{column.name}"' for column in table.columns]
    others = [f'"{column.name}"' for column in table.columns if not column.primary_key]
    mine, theirs = (", ".join(f"{row}.{name}" for name in others) for row in (f'"{table.name}"', "excluded"))
    sql = f'INSERT INTO "{table.name}" ({", ".join(columns)}) {_rows(table, "sqlite")} {_conflict(table, "replace")}'
    return text(f"{sql} WHERE ({mine}) <> ({theirs})" if others else sql)


def _given(table: Table) -> list[Any]:
    """The columns that rows bring."""
    return [column for column in table.columns if column is not table.autoincrement_column]


def _rows(table: Table, dialect: str) -> str:
    if dialect == "postgresql":
        arrays = (f"CAST(CAST(:c{place} AS text[]) AS {_type(column)}[])" for place, column in enumerate(_given(table)))
        return f"SELECT * FROM unnest({', '.join(arrays)})"  # noqa: S608
    cells = (f"json_extract(value, '$[{place}]')" for place in range(len(_given(table))))
    return f"SELECT {', '.join(cells)} FROM json_each(:rows) WHERE true"  # noqa: S608


def _type(column: Any) -> str:
    return next((name for kind, name in _TYPES.items() if isinstance(column.type, kind)), "text")


def _conflict(table: Table, on_conflict: str) -> str:
    keys = [f'"{column.name}"' for column in table.primary_key]
    others = [f'"{column.name}"' for column in table.columns if not column.primary_key]
    if on_conflict == "ignore" or not others:
        return "ON CONFLICT DO NOTHING"
    sets = ", ".join(f"{name} = excluded.{name}" for name in others)
    sql = f"ON CONFLICT ({', '.join(keys)}) DO UPDATE SET {sets}"
    if on_conflict == "add":
        name = others[0]
        return f'ON CONFLICT ({", ".join(keys)}) DO UPDATE SET {name} = "{table.name}".{name} + excluded.{name}'
    if on_conflict == "newer":
        mine = ", ".join(f'"{table.name}"."{name}"' for name in NEWER)
        theirs = ", ".join(f'excluded."{name}"' for name in NEWER)
        sql += f" WHERE ({theirs}) > ({mine})"
    return sql
