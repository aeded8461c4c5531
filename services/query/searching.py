"""The SQL of lists. One filter drives and goes by an index in the order asked for; the others are looked up by key.

Three drivers: a facet (`kind`, `value`, ordered by the sort key), the sort key of all requests where nothing is
filtered, or a range of another instant, whose finds are sorted. None looks through all requests for a filter's sake.
The beginning of a word stands for several facets; `steps` finds out which, and how to go.
"""

from collections.abc import Iterable, Iterator, Sequence, Set
from dataclasses import dataclass
from typing import Any, Literal

from sqlalchemy import (
    BindParameter,
    ColumnElement,
    Select,
    SelectBase,
    and_,
    bindparam,
    func,
    literal,
    literal_column,
    select,
    tuple_,
    union_all,
)
from sqlalchemy.sql import FromClause

from pipelines.search import name_term, terms
from pipelines.store.tables import facets, latest_facets, requests
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

OF_ONE = 4
"""Words of one request that begin alike, counted on: so many places are sorted for each request of a page."""

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
    brief: bool = False
    """Whether of a record what a list shows is enough."""


@dataclass(frozen=True, slots=True)
class Filter:
    """A facet with any of these values, or with any value that begins with `prefix`."""

    kind: str
    values: tuple[str, ...] = ()
    prefix: str = ""

    def of(self, values: Iterable[str]) -> "Filter":
        """With these values in place of the beginning that they have."""
        return Filter(self.kind, tuple(values))

    def on(self, source: Any, value: str | None = None) -> ColumnElement[bool]:
        """The condition on rows of facets: for one of the values, or for all."""
        here = source.c.value
        if self.prefix:
            wanted = and_(here >= self.given(self.prefix), here < self.given(_after(self.prefix)))
        elif value is not None:
            wanted = here == self.given(value)
        else:
            wanted = here.in_([self.given(one) for one in self.values])
        return and_(source.c.kind == self.given(self.kind), wanted)

    def given(self, value: str) -> BindParameter[str]:
        """The value as the database is given it. Words, which are letters and digits alone, stand in the text: of a
        parameter PostgreSQL assumes, from the sixth time on, that few requests have it, and gathers all that do.
        """
        return bindparam(None, value, literal_execute=self.kind == "word", unique=True)

    def among(self, found_by: Set[tuple[str, str]]) -> bool:
        """The same of facets that are at hand."""
        if self.prefix:
            return any(kind == self.kind and value.startswith(self.prefix) for kind, value in found_by)
        return any((self.kind, value) in found_by for value in self.values)


@dataclass(frozen=True, slots=True)
class Way:
    """What a statement goes by, from request to request, and what it asks of each of them."""

    driver: Filter | None
    """None: all requests, or those of a range of instants."""
    others: tuple[Filter, ...]
    until: Place | None = None
    """The last place that it goes to; None: to the end."""
    one_by_one: bool = False
    """Each request is looked up by itself, whatever the database takes for better: there are few of them."""


def way_of(search: Search) -> Way:
    """By the filter that fewest requests fit, as a rule."""
    filters = tuple(_filters(search))
    driver = by_fewest(filters)
    if driver is None or (driver.prefix and next(_other_ranges(search), None)):
        return Way(None, filters)
    return Way(driver, tuple(one for one in filters if one is not driver))


def by_fewest(filters: Iterable[Filter]) -> Filter | None:
    """The filter that drives."""
    return min(filters, key=lambda one: MOST_SELECTIVE.index("prefix" if one.prefix else one.kind), default=None)


def statement(search: Search, way: Way) -> Select[Any]:
    """Rows of `requests` (id, sort key as `key`, record or its brief, etag, problem), one more than `limit`, in order.

    Fewer are all there are, unless a beginning drives that has more than OF_ONE places for each of them.
    """
    found = _found(search, way).subquery("found")
    order = _order((found.c.key, found.c.request), search)
    short = func.coalesce(func.nullif(requests.c.brief, ""), requests.c.record).label("record")
    record = short if search.brief else requests.c.record
    told = (requests.c.id, found.c.key, record, requests.c.etag, requests.c.problem)
    return select(*told).select_from(found.join(requests, requests.c.id == found.c.request)).order_by(*order)


def far(search: Search, requests_on: int) -> Select[Any]:
    """The place (key, id) that lies so many requests on; no row: the end is nearer."""
    key = requests.c[COLUMNS[search.sort]]
    wanted = select(key.label("key"), requests.c.id).where(*_between(key, requests.c.id, search, None))
    return wanted.order_by(*_order((key, requests.c.id), search)).offset(_literal(requests_on - 1)).limit(_literal(1))


def values(wanted: Filter, most: int) -> Select[Any]:
    """The first values that begin so: from one to the next by the index, however many requests have them."""
    found = select(_next(wanted.given(wanted.prefix), wanted).label("value"), _literal(1).label("number")).cte(
        "found", recursive=True
    )
    on = and_(found.c.value.is_not(None), found.c.number < _literal(most))
    found = found.union_all(select(_next(found.c.value, wanted, passed=True), found.c.number + _literal(1)).where(on))
    return select(found.c.value).where(found.c.value.is_not(None))


def _next(value: Any, wanted: Filter, *, passed: bool = False) -> Any:
    """The first value from here on. One bound from below: SQLite goes by any of two."""
    here = facets.alias("here")
    beyond = here.c.value > value if passed else here.c.value >= value
    first = select(here.c.value).where(
        here.c.kind == wanted.given(wanted.kind), beyond, here.c.value < wanted.given(_after(wanted.prefix))
    )
    return first.order_by(here.c.value).limit(_literal(1)).scalar_subquery()


def counted(wanted: Filter, most: int) -> Select[Any]:
    """How many facets there are of it, counted no further than `most`."""
    # In the order of the index, or PostgreSQL may fetch all before it counts some.
    some = select(facets.c.value).where(wanted.on(facets)).order_by(facets.c.value).limit(_literal(most)).subquery()
    return select(func.count()).select_from(some)


def finds(search: Search, facets: Set[tuple[str, str]]) -> bool:
    """Whether a request that is found by these facets fits what is looked for. Instants are not looked at."""
    return all(one.among(facets) for one in _filters(search))


def _filters(search: Search) -> Iterator[Filter]:
    words = [storable(word) for word in terms(search.text, MOST_WORDS)]
    yield from (Filter("word", (word,)) for word in words[:-1])
    yield from (Filter("word", prefix=word) for word in words[-1:])
    for kind in ("person", "requester", "holder"):
        if people := getattr(search, kind):
            # An identity's id or an address as it is, or a name as it was normalised.
            yield Filter(kind, _distinct(form for one in people for form in (one, one.lower(), name_term(one))))
    if search.unit:
        yield Filter("unit", _distinct(name_term(unit) for unit in search.unit))
    yield from _standing(search)
    if search.project:
        # Jira writes them in capitals; where a tool has small letters, they are given as they are.
        yield Filter("project", _distinct(form for one in search.project for form in (one, one.upper())))
    for kind in ("connection", "tool"):
        if values := getattr(search, kind):
            yield Filter(kind, _distinct(values))


def _standing(search: Search) -> Iterator[Filter]:
    """Stage and state; of both together fewer requests have it than of either, and one look tells."""
    states = list(dict.fromkeys("" if one == "unknown" else one for one in search.state))
    stages = _distinct(search.stage) if search.stage else ()
    if stages and states and len(stages) * len(states) <= _MOST_STANDINGS:
        yield Filter("standing", tuple(f"{stage}/{state}" for stage in stages for state in states))
        return
    if stages:
        yield Filter("stage", stages)
    if states:
        yield Filter("state", tuple(states))


def _distinct(values: Any) -> tuple[str, ...]:
    return tuple(dict.fromkeys(storable(value) for value in values if value)) or ("",)


def _found(search: Search, way: Way) -> Select[Any]:
    driver = way.driver
    if driver is None:
        return _ordered(requests, requests.c.id, search, way)
    by = next(_other_ranges(search), search.sort)
    source = (latest_facets if by == "updated" else facets).alias("driver")
    if driver.prefix:
        return _sorted(_ordered(source, source.c.request, search, way, driver.on(source), most=OF_ONE), search)
    branches = (_ordered(source, source.c.request, search, way, driver.on(source, one)) for one in driver.values)
    return _merged(list(branches), search)


def _ordered(source: FromClause, request: Any, search: Search, way: Way, *driving: ColumnElement[bool],
             most: int = 1) -> Select[Any]:  # fmt: skip
    key = _instant(source, search.sort)
    if next(_other_ranges(search), None):
        # As an expression it has no index, so that the range is what the database goes by, then sorts.
        key = key.concat("")
    asked = (_has(request, one, way) for one in way.others)
    conditions = [*driving, *_ranges(source, search), *asked, *_between(key, request, search, way.until)]
    wanted = select(request.label("request"), key.label("key")).where(*conditions)
    return wanted.order_by(*_order((key, request), search)).limit(_literal(most * (search.limit + 1)))


def _instant(source: FromClause, name: str) -> Any:
    """Of the request, where it is not beside the facet."""
    column = COLUMNS[name]
    if column in source.c:
        return source.c[column]
    return select(requests.c[column]).where(requests.c.id == source.c.request).scalar_subquery()


def _between(key: Any, request: Any, search: Search, until: Place | None) -> Iterator[ColumnElement[bool]]:
    """After the place where the page before ended, and no further than another."""
    here = tuple_(key, request)
    if search.after:
        edge = tuple_(*(literal(part) for part in search.after))
        yield here < edge if search.descending else here > edge
    if until:
        edge = tuple_(*(literal(part) for part in until))
        yield here >= edge if search.descending else here <= edge


def _merged(branches: list[Select[Any]], search: Search) -> Select[Any]:
    """The first of all branches, each request once."""
    if len(branches) == 1:
        return branches[0]
    return _sorted(union_all(*(select(branch.subquery()) for branch in branches)), search)


def _sorted(found: SelectBase, search: Search) -> Select[Any]:
    every = found.subquery("every")
    wanted = select(every.c.request, every.c.key).distinct()
    return wanted.order_by(*_order((every.c.key, every.c.request), search)).limit(_literal(search.limit + 1))


def _has(request: Any, wanted: Filter, way: Way) -> ColumnElement[bool]:
    other = facets.alias()
    found: Select[Any] = select(_literal(1)).where(other.c.request == request, wanted.on(other))
    if way.one_by_one:  # PostgreSQL may fetch all that have it beforehand if it is told `exists`
        return found.limit(_literal(1)).scalar_subquery().is_not(None)
    return found.exists()


def _ranges(source: FromClause, search: Search) -> Iterator[ColumnElement[bool]]:
    if search.changed_since:
        yield _instant(source, "updated") >= search.changed_since
    if search.in_stage_since:
        # "" stands for an unknown instant: nobody knows that it is long.
        since = _instant(source, "stage_since")
        yield and_(since > "", since <= search.in_stage_since)


def _other_ranges(search: Search) -> Iterator[str]:
    """Of which instants there is a range beside the one that is sorted by."""
    asked = {"stage_since": search.in_stage_since, "updated": search.changed_since}
    return (name for name, since in asked.items() if since and name != search.sort)


def _order(columns: Sequence[Any], search: Search) -> list[Any]:
    return [one.desc() if search.descending else one.asc() for one in columns]


def _literal(number: int) -> Any:
    # In the text, not as a parameter: PostgreSQL plans a generic statement for a tenth of the table otherwise.
    return literal_column(str(int(number)))


def _after(prefix: str) -> str:
    """The first text that no longer begins with prefix, in the order of code points."""
    last = ord(prefix[-1]) + 1
    return prefix[:-1] + chr(0xE000 if 0xD800 <= last <= 0xDFFF else min(last, 0x10FFFF))
