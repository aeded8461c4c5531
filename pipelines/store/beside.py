"""A second set of the derived tables, filled beside the running system and then put in the place of the first.

On PostgreSQL it is a schema that comes first in the search path; on SQLite a file of its own to which the real one is
attached as `live`. By their plain names the same statements find the derived tables here, and all others where they
are.
"""

from abc import ABC, abstractmethod
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import URL, MetaData, Table, event, func, select, text
from sqlalchemy.dialects import postgresql
from sqlalchemy.engine import Connection
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine
from sqlalchemy.sql.schema import SchemaConst

from pipelines.store import tables
from pipelines.store.metadata import metadata
from schemas.errors import Misconfigured

DERIVED: tuple[Table, ...] = (
    tables.artifacts, tables.parts, tables.artifact_values, tables.reference_values, tables.components, tables.members,
    tables.activities, tables.identities, tables.requests, tables.facets, tables.latest_facets,
    tables.glue,
)  # fmt: skip
_MADE = (*DERIVED, tables.unpublished)
"""What is filled marks its own changes as unpublished; those marks end with it."""

_PATIENCE = "800ms"
"""For locks that readers may hold: below PostgreSQL's deadlock_timeout, so that the swap gives way, not a reader."""


_PACKED = """SELECT c.relname, a.attname, CASE a.attcompression WHEN 'l' THEN 'lz4' ELSE 'pglz' END
    FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
    WHERE c.relnamespace = CAST(CAST(:first AS text) AS regnamespace) AND a.attcompression <> ''"""
"""Columns for whose long values somebody chose how they are packed."""


class Busy(Exception):
    """Readers hold a table for longer than the swap waits: roll back, and try again."""


class Beside(ABC):
    """The second set. Names of tables: `here` is the second set, `there` the one in use."""

    same: str
    """The operator that takes two NULLs for equal."""
    here: str
    there: str

    def __init__(self, engine: AsyncEngine) -> None:
        self.engine = engine

    @abstractmethod
    async def make(self) -> None:
        """Empty tables; leftovers of an earlier one are removed."""

    @abstractmethod
    async def remove(self) -> None:
        """Leave nothing behind."""

    @abstractmethod
    def batch(self) -> AbstractAsyncContextManager[AsyncConnection]:
        """One transaction on the second set."""

    @abstractmethod
    def unmoved(self) -> AbstractAsyncContextManager[AsyncConnection]:
        """One transaction that sees both sets, and the inputs, as of one moment; holds nobody up."""

    @abstractmethod
    def alone(self, lease: str) -> AbstractAsyncContextManager[AsyncConnection]:
        """One transaction during which nothing else lands, nor is computed by who holds this lease: both wait."""

    @abstractmethod
    async def landed(self) -> int:
        """A number such that every source event up to it is visible, and any other will have a higher one."""

    @abstractmethod
    async def settle(self) -> None:
        """Let the database learn what it now holds, so that its first plans after the exchange are good ones."""

    @abstractmethod
    async def exchange(self, connection: AsyncConnection) -> None:
        """Put the second set in the place of the first. Raises Busy, Misconfigured."""

    def names(self, table: Table) -> dict[str, str]:
        """For SQL: `{here}`, `{there}`, and the conditions `{key}` (same key) and `{row}` (same row) on n and o."""
        key = " AND ".join(f'n."{column.name}" = o."{column.name}"' for column in table.primary_key)
        row = " AND ".join(f'n."{column.name}" {self.same} o."{column.name}"' for column in table.columns)
        return {
            "here": f'{self.here}."{table.name}"', "there": f'{self.there}."{table.name}"', "key": key,
            "row": f"{key} AND {row}",
        }  # fmt: skip


class _OnPostgres(Beside):
    same = "IS NOT DISTINCT FROM"

    async def make(self) -> None:
        await self.remove()
        async with self.engine.begin() as connection:
            await connection.execute(text(f"CREATE SCHEMA {self.here}"))
            copies = _copies(self._name)
            await connection.run_sync(copies.create_all)
            for table, column, method in (await connection.execute(text(_PACKED), {"first": self.there})).all():
                if f"{self._name}.{table}" in copies.tables:
                    alter = f'ALTER TABLE {self.here}."{table}" ALTER COLUMN "{column}" SET COMPRESSION {method}'
                    await connection.execute(text(alter))

    async def remove(self) -> None:
        async with self.engine.begin() as connection:
            self._name = f"{(await connection.execute(text('SELECT current_schema()'))).scalar_one()}_rebuild"
            self.there, self.here = f'"{self._name.removesuffix("_rebuild")}"', f'"{self._name}"'
            for table in _MADE:
                # By name and without CASCADE, so that nothing but our own leftovers goes.
                await connection.execute(text(f'DROP TABLE IF EXISTS {self.here}."{table.name}"'))
            await connection.execute(text(f"DROP SCHEMA IF EXISTS {self.here}"))

    @asynccontextmanager
    async def batch(self) -> AsyncIterator[AsyncConnection]:
        async with self.engine.begin() as connection:
            await self._first_here(connection)
            await connection.execute(text("SET LOCAL synchronous_commit TO off"))  # a crash throws it all away anyway
            yield connection

    @asynccontextmanager
    async def unmoved(self) -> AsyncIterator[AsyncConnection]:
        async with self.engine.connect() as plain:
            connection = await plain.execution_options(isolation_level="REPEATABLE READ")
            async with connection.begin():
                await self._first_here(connection)
                yield connection

    @asynccontextmanager
    async def alone(self, lease: str) -> AsyncIterator[AsyncConnection]:
        async with self.engine.begin() as connection:
            await self._first_here(connection)
            # A batch lands its events before it touches anything else, or takes what was deferred.
            await connection.execute(text("LOCK TABLE source_events, deferred, decisions IN EXCLUSIVE MODE"))
            await self._hold(connection, lease)
            yield connection

    async def _hold(self, connection: AsyncConnection, lease: str) -> None:
        """Hold the lease's row, which every step of its holder asks for first."""
        nobody = {"name": lease, "holder": "", "epoch": 0, "until": datetime(1970, 1, 1, tzinfo=UTC)}
        await connection.execute(postgresql.insert(tables.leases).values(nobody).on_conflict_do_nothing())
        row = select(tables.leases.c.epoch).where(tables.leases.c.name == lease).with_for_update()
        await connection.execute(row)

    async def _first_here(self, connection: AsyncConnection) -> None:
        await connection.execute(text(f"SET LOCAL search_path TO {self.here}, {self.there}"))

    async def landed(self) -> int:
        async with self.engine.begin() as connection:
            # Numbers are given when a batch lands, not when it commits: wait for those that are under way.
            await connection.execute(text("LOCK TABLE source_events IN SHARE MODE"))
            return await _newest(connection)

    async def settle(self) -> None:
        async with self.engine.begin() as connection:
            for table in DERIVED:
                await connection.execute(text(f'ANALYZE {self.here}."{table.name}"'))

    async def exchange(self, connection: AsyncConnection) -> None:
        try:
            await connection.execute(text(f"SET LOCAL lock_timeout TO '{_PATIENCE}'"))
            for table in DERIVED:
                name = f'"{table.name}"'
                await connection.execute(text(f"DROP TABLE {self.there}.{name}"))
                await connection.execute(text(f"ALTER TABLE {self.here}.{name} SET SCHEMA {self.there}"))
        except DBAPIError as error:
            state = getattr(error.orig, "sqlstate", "")
            if state in {"55P03", "40P01"}:
                raise Busy from None
            if state == "2BP01":
                raise Misconfigured(
                    "Something that is not the hub's hangs on its tables (a view?)", "Drop it, and make it anew after"
                ) from None
            raise


class _OnSqlite(Beside):
    same = "IS"
    here, there = "main", "live"

    def __init__(self, engine: AsyncEngine) -> None:
        super().__init__(engine)
        if not engine.url.database or engine.url.database == ":memory:":
            raise Misconfigured("A database in memory cannot be computed anew", "Use a file", "database_url")
        self._live = engine.url.database
        self._file = Path(f"{self._live}.rebuild")
        self._engine = create_async_engine(
            URL.create("sqlite+aiosqlite", database=str(self._file)), hide_parameters=True
        )
        self._tame()

    def _tame(self) -> None:
        @event.listens_for(self._engine.sync_engine, "connect")
        def _connect(connection: Any, _record: Any) -> None:
            connection.isolation_level = None
            cursor = connection.cursor()
            cursor.execute("ATTACH DATABASE ? AS live", (self._live,))
            for pragma in ("busy_timeout=60000", "main.journal_mode=MEMORY", "main.synchronous=OFF"):
                cursor.execute(f"PRAGMA {pragma}")
            cursor.close()

        @event.listens_for(self._engine.sync_engine, "begin")
        def _begin(connection: Connection) -> None:
            both = connection.get_execution_options().get("alone")
            connection.exec_driver_sql("BEGIN IMMEDIATE" if both else "BEGIN")

    async def make(self) -> None:
        self._unlink()
        async with self._engine.begin() as connection:
            await connection.run_sync(_copies(None).create_all, checkfirst=False)

    async def remove(self) -> None:
        await self._engine.dispose()
        self._unlink()

    def _unlink(self) -> None:
        for ending in ("", "-journal", "-wal", "-shm"):
            Path(f"{self._file}{ending}").unlink(missing_ok=True)

    @asynccontextmanager
    async def batch(self) -> AsyncIterator[AsyncConnection]:
        async with self._engine.begin() as connection:
            yield connection

    def unmoved(self) -> AbstractAsyncContextManager[AsyncConnection]:
        return self.batch()  # the first read of `live` fixes what the transaction sees of it

    @asynccontextmanager
    async def alone(self, lease: str) -> AsyncIterator[AsyncConnection]:  # noqa: ARG002 - nobody else writes anyway
        async with self._engine.execution_options(alone=True).connect() as connection, connection.begin():
            yield connection

    async def landed(self) -> int:
        async with self._engine.connect() as connection, connection.begin():
            return await _newest(connection)

    async def settle(self) -> None:
        """Rows are exchanged, not tables: what is known of these stays."""

    async def exchange(self, connection: AsyncConnection) -> None:
        # Only what differs is written: one writer at a time waits here, and the usual difference is small.
        gone = "DELETE FROM {there} AS o WHERE NOT EXISTS (SELECT 1 FROM {here} n WHERE {row})"
        come = "INSERT INTO {there} SELECT * FROM {here} n WHERE NOT EXISTS (SELECT 1 FROM {there} o WHERE {key})"
        for table in DERIVED:
            for sql in (gone, come):
                await connection.execute(text(sql.format(**self.names(table))))


def _copies(schema: str | None) -> MetaData:
    copies = MetaData(naming_convention=metadata.naming_convention)
    for table in _MADE:
        table.to_metadata(copies, schema=schema or SchemaConst.RETAIN_SCHEMA)
    return copies


async def _newest(connection: AsyncConnection) -> int:
    return int(
        (await connection.execute(select(func.coalesce(func.max(tables.source_events.c.landed), 0)))).scalar_one()
    )


@asynccontextmanager
async def beside(engine: AsyncEngine) -> AsyncIterator[Beside]:
    """A second set, empty at first; gone at the end. Raises Misconfigured where it cannot be made."""
    made: Beside = _OnPostgres(engine) if engine.dialect.name == "postgresql" else _OnSqlite(engine)
    try:
        await made.make()
    except DBAPIError as error:
        if getattr(error.orig, "sqlstate", "") != "42501":
            raise
        raise Misconfigured(
            "The database's user may make no schema, which computing beside the running hub needs",
            "GRANT CREATE ON DATABASE to it", "database_url",
        ) from None  # fmt: skip
    try:
        yield made
    finally:
        await made.remove()
