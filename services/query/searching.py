"""The SQL of lists. One filter drives and goes by an index in the order asked for; the others are looked up by key.

Three drivers: a facet (`kind`, `value`, ordered by the sort key), the sort key of all requests where nothing is
filtered, or a range of another instant, whose finds are sorted. None looks through all requests for a filter's sake.
"""

from collections.abc import Iterator, Sequence, Set
from dataclasses import dataclass
from typing import Any, Literal

from sqlalchemy import ColumnElement, Select, and_, exists, literal, literal_column, select, tuple_, union_all
from sqlalchemy.sql import FromClause

from pipelines.search import name_term, terms
from pipelines.store.tables import facets, requests
from schemas.canonical import storable
from services.query.paging import Place

Sort = Literal["updated", "opened", "stage_since"]

COLUMNS = {"updated": "updated_at", "opened": "opened_at", "stage_since": "stage_since"}

MOST_SELECTIVE = (
    "word",
    "holder",
    "requester",
    "person",
    "project",
    "unit",
    "prefix",
    "connection",
    "standing",
    "stage",
    "state",
    "tool",
)
"""Which filter drives when several are given: the kind whose values are on the fewest requests, as a rule."""

MOST_WORDS = 12

_MOST_STANDINGS = 8
"""Pairs of a stage and a state that are looked for as pairs: each is looked up by itself where they drive."""


@dataclass(frozen=True, slots=True)
class Search:
    """What is looked for. Several values of one filter mean any of them; several filters mean all."""

    text: str = ""
    stage: Sequence[str] = ()
    state: Sequence[str] = ()
    tool: Sequence[str] = ()
    connection: Sequence[str] = ()
    person: Sequence[str] = ()
    requester: Sequence[str] = ()
    holder: Sequence[str] = ()
    unit: Sequence[str] = ()
    project: Sequence[str] = ()
    changed_since: str | None = None
    """Instant as text."""
    in_stage_since: str | None = None
    """Instant as text: in its stage since then or longer."""
    sort: Sort = "updated"
    descending: bool = True
    after: Place | None = None
    limit: int = 25


@dataclass(frozen=True, slots=True)
class _Filter:
    """A facet with any of these values, or of any value that begins with `prefix`."""

    kind: str
    values: tuple[str, ...] = ()
    prefix: str = ""

    def on(self, source: Any, value: str | None = None) -> ColumnElement[bool]:
        """The condition on rows of facets: for one of the values, or for all."""
        here = source.c.value
        if self.prefix:
            wanted = and_(here >= self.prefix, here < _after(self.prefix))
        else:
            wanted = here.in_(self.values) if value is None else here == value
        return and_(source.c.kind == self.kind, wanted)

    def among(self, found_by: Set[tuple[str, str]]) -> bool:
        """The same of facets that are at hand."""
        if self.prefix:
            return any(kind == self.kind and value.startswith(self.prefix) for kind, value in found_by)
        return any((self.kind, value) in found_by for value in self.values)


def statement(search: Search) -> Select[Any]:
    """Rows of `requests` (id, sort key as `key`, record, etag, problem), one more than `limit`, in order."""
    found = _found(search, list(_filters(search))).subquery("found")
    order = _order((found.c.key, found.c.request), search)
    told = (requests.c.id, found.c.key, requests.c.record, requests.c.etag, requests.c.problem)
    return select(*told).select_from(found.join(requests, requests.c.id == found.c.request)).order_by(*order)


def finds(search: Search, facets: Set[tuple[str, str]]) -> bool:
    """Whether a request that is found by these facets fits what is looked for. Instants are not looked at."""
    return all(one.among(facets) for one in _filters(search))


def _filters(search: Search) -> Iterator[_Filter]:
    words = [storable(word) for word in terms(search.text, MOST_WORDS)]
    yield from (_Filter("word", (word,)) for word in words[:-1])
    yield from (_Filter("word", prefix=word) for word in words[-1:])
    for kind in ("person", "requester", "holder"):
        if people := getattr(search, kind):
            # An identity's id or an address as it is, or a name as it was normalised.
            yield _Filter(kind, _distinct(form for one in people for form in (one, one.lower(), name_term(one))))
    if search.unit:
        yield _Filter("unit", _distinct(name_term(unit) for unit in search.unit))
    yield from _standing(search)
    for kind in ("project", "connection", "tool"):
        if values := getattr(search, kind):
            yield _Filter(kind, _distinct(values))


def _standing(search: Search) -> Iterator[_Filter]:
    """Stage and state; of both together fewer requests have it than of either, and one look tells."""
    states = list(dict.fromkeys("" if one == "unknown" else one for one in search.state))
    stages = _distinct(search.stage) if search.stage else ()
    if stages and states and len(stages) * len(states) <= _MOST_STANDINGS:
        yield _Filter("standing", tuple(f"{stage}/{state}" for stage in stages for state in states))
        return
    if stages:
        yield _Filter("stage", stages)
    if states:
        yield _Filter("state", tuple(states))


def _distinct(values: Any) -> tuple[str, ...]:
    return tuple(dict.fromkeys(storable(value) for value in values if value)) or ("",)


def _found(search: Search, filters: list[_Filter]) -> Select[Any]:
    driver = min(filters, key=_selective, default=None)
    if driver is None or (driver.prefix and _other_ranges(search)):
        return _ordered(requests, requests.c.id, search, filters)
    source = facets.alias("driver")
    others = [one for one in filters if one is not driver]
    if driver.prefix:
        # A request may have several words that begin alike.
        return _ordered(source, source.c.request, search, others, driver.on(source)).distinct()
    branches = (_ordered(source, source.c.request, search, others, driver.on(source, one)) for one in driver.values)
    return _merged(list(branches), search)


def _selective(one: _Filter) -> int:
    return MOST_SELECTIVE.index("prefix" if one.prefix else one.kind)


def _ordered(source: FromClause, request: Any, search: Search, others: list[_Filter],
             *driving: ColumnElement[bool]) -> Select[Any]:  # fmt: skip
    key: Any = source.c[COLUMNS[search.sort]]
    if _other_ranges(search):
        # As an expression it has no index, so that the range is what the database goes by, then sorts.
        key = key.concat("")
    conditions = [*driving, *_ranges(source, search), *(_has(request, one) for one in others)]
    if search.after:
        edge = tuple_(*(literal(part) for part in search.after))
        here = tuple_(key, request)
        conditions.append(here < edge if search.descending else here > edge)
    wanted = select(request.label("request"), key.label("key")).where(*conditions)
    return wanted.order_by(*_order((key, request), search)).limit(_limit(search))


def _merged(branches: list[Select[Any]], search: Search) -> Select[Any]:
    """The first of all branches, each request once."""
    if len(branches) == 1:
        return branches[0]
    every = union_all(*(select(branch.subquery()) for branch in branches)).subquery("every")
    wanted = select(every.c.request, every.c.key).distinct()
    return wanted.order_by(*_order((every.c.key, every.c.request), search)).limit(_limit(search))


def _has(request: Any, wanted: _Filter) -> ColumnElement[bool]:
    other = facets.alias()
    return exists().where(other.c.request == request, wanted.on(other))


def _ranges(source: FromClause, search: Search) -> Iterator[ColumnElement[bool]]:
    if search.changed_since:
        yield source.c.updated_at >= search.changed_since
    if search.in_stage_since:
        # "" stands for an unknown instant: nobody knows that it is long.
        yield and_(source.c.stage_since > "", source.c.stage_since <= search.in_stage_since)


def _other_ranges(search: Search) -> bool:
    asked = {"updated": search.changed_since, "stage_since": search.in_stage_since}
    return any(since for column, since in asked.items() if column != search.sort)


def _order(columns: Sequence[Any], search: Search) -> list[Any]:
    return [one.desc() if search.descending else one.asc() for one in columns]


def _limit(search: Search) -> Any:
    # In the text, not as a parameter: PostgreSQL plans a generic statement for a tenth of the table otherwise.
    return literal_column(str(int(search.limit) + 1))


def _after(prefix: str) -> str:
    """The first text that no longer begins with prefix, in the order of code points."""
    last = ord(prefix[-1]) + 1
    return prefix[:-1] + chr(0xE000 if 0xD800 <= last <= 0xDFFF else min(last, 0x10FFFF))
