"""How many rows PostgreSQL looks at for one page of a list: each filter under each order, at its begin and later."""

import json
from collections import defaultdict
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, get_args

from sqlalchemy import Select, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from benchmarks.results import Result
from pipelines.store.engine import open_engine, reading
from pipelines.store.tables import facets, requests
from services.query.paging import Place
from services.query.searching import Search, Sort
from services.query.steps import Steps
from tests.services.query.test_listing import visited

MOST = 600
"""Rows that one page may touch, whatever is stored: those of 25 requests, found among values that many share."""
_FILTERS = ("stage", "state", "tool", "connection", "person", "requester", "holder", "unit", "project")


@dataclass(frozen=True, slots=True)
class Looked:
    """A search, in words, and the rows that the scans of its plans touched."""

    what: str
    rows: int


async def add(result: Result, url: str) -> None:
    """A row of what is stored in a database; it must be analysed."""
    engine = open_engine(url)
    async with reading(engine) as connection:
        searches = [each async for each in _searches(connection)]
        looked = [await _looked(connection, what, search) for what, search in searches]
    await engine.dispose()
    most = max(looked, key=lambda one: one.rows)
    result.add(
        f"rows that one page of a list touches, the most of {len(looked)} searches", f"{most.rows} ({most.what})",
        "each filter's most common and rarest value, under each order, from the start and from the middle on",
        f"{MOST}", most.rows < MOST,
    )  # fmt: skip


async def _searches(connection: AsyncConnection) -> AsyncIterator[tuple[str, Search]]:
    middle: dict[Sort, Place] = {sort: await _middle(connection, sort) for sort in get_args(Sort)}
    for what, search in await _filtered(connection):
        for sort, place in middle.items():
            for descending in (True, False):
                asked = replace(search, sort=sort, descending=descending)
                order = f"{what}, by {sort}{' descending' if descending else ''}"
                yield order, asked
                yield f"{order}, later", replace(asked, after=place)


async def _filtered(connection: AsyncConnection) -> list[tuple[str, Search]]:
    many = func.count().label("many")
    counted = select(facets.c.kind, facets.c.value, many).group_by(facets.c.kind, facets.c.value)
    by_kind: dict[str, list[tuple[int, str]]] = defaultdict(list)
    for row in await connection.execute(counted):
        by_kind[row.kind].append((row.many, row.value))
    found = [("nothing", Search())]
    for kind in (*_FILTERS, "word"):
        values = [value for _, value in sorted(by_kind[kind])]
        for what, value in zip(("rare", "common"), values[:1] + values[1:][-1:], strict=False):
            asked: dict[str, Any] = {"text": value} if kind == "word" else {kind: [value]}
            found.append((f"a {what} {kind}", replace(Search(), **asked)))
    return found


async def _middle(connection: AsyncConnection, sort: Sort) -> Place:
    """The place of a request in the middle of an order."""
    column = requests.c[{"updated": "updated_at", "opened": "opened_at"}.get(sort, sort)]
    total = (await connection.execute(select(func.count()).select_from(requests))).scalar_one()
    one = select(column, requests.c.id).order_by(column, requests.c.id).offset(total // 2).limit(1)
    at, name = (await connection.execute(one)).one()
    return at, name


async def _looked(connection: AsyncConnection, what: str, search: Search) -> Looked:
    """What all statements of its first page touch together."""
    touched: list[float] = []

    async def ask(wanted: Select[Any]) -> Sequence[Any]:
        sql = str(wanted.compile(dialect=connection.dialect, compile_kwargs={"literal_binds": True}))
        plan = (await connection.exec_driver_sql("EXPLAIN (ANALYZE, FORMAT JSON) " + sql)).scalar_one()
        touched.extend(visited((json.loads(plan) if isinstance(plan, str) else plan)[0]["Plan"]))
        rows: Sequence[Any] = (await connection.execute(wanted)).all()
        return rows

    await Steps(ask, search).next()
    return Looked(what, round(sum(touched)))
