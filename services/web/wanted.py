"""What somebody wants to see of all requests, as it stands in a page's address."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, time, tzinfo
from typing import Any
from urllib.parse import urlencode

from starlette.datastructures import QueryParams

OPEN = ("new", "active", "waiting", "unknown")
"""States in which a request is not finished."""

STUCK = 14
"""Days in one stage after which an open request is shown as stuck."""

WORDS: Mapping[str, str] = {
    "text": "words", "stage": "stage", "state": "state", "person": "person", "requester": "asked by", "holder": "with",
    "unit": "unit", "project": "project", "tool": "tool", "connection": "connection", "longer": "longer than",
    "since": "changed since",
}  # fmt: skip
"""Filters in the order in which they are shown, as people call them."""

ORDERS: Mapping[str, str] = {"updated": "desc", "opened": "desc", "stage_since": "asc"}
"""Sorts, each with the order in which it is wanted first."""

_API = {"longer": "in_stage_longer_than", "since": "changed_since"}

QUICK: Mapping[str, Mapping[str, Any]] = {
    "Open": {"state": OPEN},
    "Stuck": {"state": OPEN, "longer": str(STUCK), "sort": "stage_since"},
    "Waiting": {"state": ("waiting",), "sort": "stage_since"},
    "Finished": {"state": ("done", "cancelled")},
    "All": {},
}
"""What is asked for most, by name."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """Filters by name with their values, and the order."""

    filters: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    sort: str = "updated"
    order: str = "desc"
    cursor: str = ""

    @classmethod
    def of(cls, query: QueryParams) -> "Wanted":
        """As it stands in an address; what is empty or unknown is left out."""
        filters = {
            name: tuple(dict.fromkeys(text for one in query.getlist(name) if (text := one.strip()))) for name in WORDS
        }
        sort = query.get("sort", "updated")
        sort = sort if sort in ORDERS else "updated"
        order = query.get("order", "")
        return cls(
            {name: values for name, values in filters.items() if values}, sort,
            order if order in ("asc", "desc") else ORDERS[sort], query.get("cursor", ""),
        )  # fmt: skip

    def first(self, name: str) -> str:
        """The value of a filter that has one."""
        return next(iter(self.filters.get(name, ())), "")

    def has(self, name: str, value: str) -> bool:
        """Whether a filter asks for this value."""
        return value in self.filters.get(name, ())

    def api(self, zone: tzinfo, *but: str) -> dict[str, Any]:
        """The API's parameters, without those filters that are named. zone: in which days are meant."""
        told: dict[str, Any] = {
            _API.get(name, name): list(values) if name not in ("text", "longer", "since") else values[0]
            for name, values in self.filters.items()
            if name not in but
        }
        if "changed_since" in told:
            told["changed_since"] = _begin(told["changed_since"], zone)
        return told

    def address(self, path: str = "/requests", /, **other: Any) -> str:
        """The address of a page that wants the same but for `other` (None: not any more). It begins at its first."""
        pairs: dict[str, Any] = {**self.filters}
        if (self.sort, self.order) != ("updated", "desc"):
            pairs |= {"sort": self.sort} | ({"order": self.order} if self.order != ORDERS[self.sort] else {})
        return address(path, pairs | other)

    def without(self, name: str, value: str) -> str:
        """The address where this value is not asked for any more."""
        return self.address(**{name: tuple(one for one in self.filters[name] if one != value)})

    def asked(self) -> Iterator[tuple[str, str, str]]:
        """(what it is called, value, address without it) of everything that is asked for."""
        for name, values in self.filters.items():
            for value in values:
                told = f"{value} days" if name == "longer" and value.isdecimal() else value
                yield WORDS[name], told, self.without(name, value)

    def sorted_by(self, sort: str) -> str:
        """The address in this order; in the opposite one where it is in this already."""
        order = ORDERS[sort]
        if sort == self.sort:
            order = "asc" if self.order == "desc" else "desc"
        return self.address(sort=sort if sort != "updated" or order != "desc" else None, order=order)


def address(path: str, pairs: Mapping[str, Any]) -> str:
    """A path with its parameters; those that are empty are left out."""
    told = urlencode({name: value for name, value in pairs.items() if value}, doseq=True)
    return f"{path}?{told}" if told else path


def _begin(day: str, zone: tzinfo) -> str:
    """When a day begins in a zone; what is no day stays as it is, to be refused with its reason."""
    try:
        return datetime.combine(datetime.strptime(day, "%Y-%m-%d").date(), time(), zone).isoformat()  # noqa: DTZ007
    except ValueError:
        return day
