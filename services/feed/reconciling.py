"""Comparing what a tool has with what is here: the wish for it, how far it is, and what came out."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from pydantic import TypeAdapter
from sqlalchemy import delete, func, insert, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from pipelines.store.tables import artifacts
from services.feed import connections
from services.feed.told import Difference, Reconciled
from services.feed.watch_tables import differences as difference_table
from services.feed.watch_tables import reconciles

LISTED = 1000
"""Differences kept for each kind."""
Kind = Literal["missing", "different", "extra"]


@dataclass(slots=True)
class Result:
    """What came out."""

    compared: int = 0
    missing: int = 0
    different: int = 0
    extra: int = 0
    fetched: int = 0
    mended: bool = False
    problem: str = ""
    """Why it ended before its end; "" where it did not."""
    since: datetime | None = None
    """From when on things were compared; None: all of them."""

    @property
    def says(self) -> str:
        """As a sentence."""
        if self.problem:
            return f"it could not be ended: {self.problem}"
        since = f" since {self.since:%Y-%m-%d}" if self.since else ""
        if not self.missing + self.different + self.extra:
            return f"all of {self.compared:,} things{since} are the same"
        told = [
            f"{self.missing:,} are missing here",
            f"{self.different:,} changed later in the tool",
            f"{self.extra:,} are here and not in the tool",
        ]
        counts = (self.missing, self.different, self.extra)
        found = ", ".join(words for words, number in zip(told, counts, strict=True) if number)
        fetched = f"; {self.fetched:,} were fetched again" if self.mended else ""
        return f"of {self.compared:,} things{since} in the tool {found}{fetched}"


_JSON = TypeAdapter(Result)


async def ask(connection: AsyncConnection, name: str, *, mend: bool) -> None:
    """Wish for a comparison: a hub that reads the connection carries it out. mend: fetch what is found again."""
    await connections.change(connection, name, wanted=True)  # first: its reader, too, locks the connection before
    await _put(connection, name, wanted=True, mend=mend)


async def _put(connection: AsyncConnection, name: str, **values: Any) -> None:
    put = postgresql.insert if connection.dialect.name == "postgresql" else sqlite.insert
    row = put(reconciles).values({"connection": name, "wanted": False, "mend": False, "listed": 0} | values)
    await connection.execute(row.on_conflict_do_update(index_elements=["connection"], set_=values))


async def wish(connection: AsyncConnection, name: str) -> bool | None:
    """Whether what is found is to be mended, of the comparison that is wished for; None: none is."""
    wanted = select(reconciles.c.mend).where(reconciles.c.connection == name, reconciles.c.wanted)
    return (await connection.execute(wanted)).scalar()


async def schedule(connection: AsyncConnection, name: str) -> None:
    """Wish for a comparison without mending, unless there is a wish already."""
    put = postgresql.insert if connection.dialect.name == "postgresql" else sqlite.insert
    row = put(reconciles).values(connection=name, wanted=True, mend=False, listed=0)
    values = {"wanted": True, "mend": reconciles.c.wanted & reconciles.c.mend}
    await connection.execute(row.on_conflict_do_update(index_elements=["connection"], set_=values))


async def known(connection: AsyncConnection, name: str) -> int:
    """How many artifacts a connection has brought."""
    wanted = select(func.count()).select_from(artifacts).where(artifacts.c.connection == name)
    return int((await connection.execute(wanted)).scalar_one())


async def began(connection: AsyncConnection, name: str, at: datetime, expected: int) -> None:
    """Note that a comparison is under way."""
    await _put(connection, name, wanted=True, started_at=at, listed=0, expected=expected)


async def came_to(connection: AsyncConnection, name: str, number: int) -> None:
    """Note how much was compared."""
    here = reconciles.c.connection == name
    await connection.execute(update(reconciles).where(here).values(listed=number))


async def ended(
    connection: AsyncConnection, name: str, result: Result, found: Sequence[Difference], at: datetime
) -> None:
    """Store the outcome in place of the last one."""
    await connection.execute(delete(difference_table).where(difference_table.c.connection == name))
    rows = [
        {"connection": name, "kind": one.kind, "artifact": one.artifact, "theirs": one.theirs, "ours": one.ours}
        for one in found
    ]
    if rows:
        await connection.execute(insert(difference_table), rows)
    stored = _JSON.dump_json(result).decode()
    await _put(connection, name, wanted=False, mend=False, started_at=None, finished_at=at, result=stored)


async def of(connection: AsyncConnection, names: Sequence[str]) -> dict[str, Reconciled]:
    """How comparing stands, of some connections."""
    wanted = select(reconciles).where(reconciles.c.connection.in_(names))
    return {row.connection: _told(row) for row in await connection.execute(wanted)}


def _told(row: Any) -> Reconciled:
    result = _JSON.validate_json(row.result) if row.result else Result()
    return Reconciled(
        bool(row.wanted), row.started_at, row.listed, row.expected, row.finished_at, result.compared, result.missing,
        result.different, result.extra, result.fetched, result.mended, result.says if row.result else "",
    )  # fmt: skip


async def differences(
    connection: AsyncConnection, name: str, kind: Kind | None = None, limit: int = 3 * LISTED
) -> list[Difference]:
    """What the last comparison found, by kind and artifact; at most LISTED of each kind are kept."""
    mine = difference_table.c.connection == name
    wanted = select(difference_table).where(mine, *([difference_table.c.kind == kind] if kind else []))
    ordered = wanted.order_by(difference_table.c.kind, difference_table.c.artifact).limit(limit)
    return [Difference(row.kind, row.artifact, row.theirs, row.ours) for row in await connection.execute(ordered)]
