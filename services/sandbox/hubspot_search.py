"""HubSpot's search over what its index shows: filters, one sort, offset paging up to 10,000."""

from collections.abc import Callable, Container
from datetime import datetime
from typing import Any

from services.sandbox.hubspot_account import Account, Record
from services.sandbox.hubspot_vocabulary import (
    FILTER_GROUPS,
    FILTERS,
    FILTERS_IN_ALL,
    PROPERTIES,
    SEARCH_CEILING,
    SEARCH_LIMIT,
)

Shown = dict[str, str | None]


class Invalid(Exception):
    """A request HubSpot refuses with 400 VALIDATION_ERROR; the text says why."""


def search(account: Account, kind: str, body: dict[str, Any]) -> tuple[list[tuple[Record, Shown]], int, str | None]:
    """The records of one answer as the index shows them, how many fit in all, and where the next answer begins."""
    if unknown := set(body) - {"filterGroups", "sorts", "properties", "limit", "after", "query"}:
        raise Invalid(f"Unknown fields in the search: {sorted(unknown)}")
    known_properties(account.known(kind), body.get("properties", []))
    limit, after = _number(body.get("limit", 10), "limit"), _number(body.get("after", 0), "after")
    if not 1 <= limit <= SEARCH_LIMIT:
        raise Invalid(f"The limit must be between 1 and {SEARCH_LIMIT}")
    if after + limit > SEARCH_CEILING:
        raise Invalid("The total of `limit` and `after` may not pass 10000")
    fits = _any_group(kind, body.get("filterGroups", []))
    found = [(record, shown) for record, shown in account.indexed(kind) if fits(shown)]
    _sort(kind, found, body.get("sorts", []))
    following = str(after + limit) if after + limit < len(found) else None
    return found[after : after + limit], len(found), following


def known_properties(known: Container[str], names: Any) -> list[str]:
    """The names, if each is a known property. Raises Invalid."""
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise Invalid("properties must be a list of names")
    if unknown := [name for name in names if name not in known]:
        raise Invalid(f"There are no properties {unknown}")
    return names


def _number(value: Any, name: str) -> int:
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    if isinstance(value, str) and value.isdecimal():
        return int(value)
    raise Invalid(f"{name} must be a number")


def _any_group(kind: str, groups: Any) -> Callable[[Shown], bool]:
    if not isinstance(groups, list) or len(groups) > FILTER_GROUPS:
        raise Invalid(f"Up to {FILTER_GROUPS} filter groups are allowed")
    parsed = [[_filter(kind, each) for each in _filters(group)] for group in groups]
    if sum(len(group) for group in parsed) > FILTERS_IN_ALL:
        raise Invalid(f"Up to {FILTERS_IN_ALL} filters are allowed in all")
    return lambda shown: not parsed or any(all(fits(shown) for fits in group) for group in parsed)


def _filters(group: Any) -> list[dict[str, Any]]:
    filters = group.get("filters") if isinstance(group, dict) else None
    if not isinstance(filters, list) or len(filters) > FILTERS or set(group) != {"filters"}:
        raise Invalid(f"A filter group holds `filters`, up to {FILTERS}")
    return filters


_COMPARE: dict[str, Callable[[float, float], bool]] = {
    "EQ": lambda one, other: one == other,
    "NEQ": lambda one, other: one != other,
    "GT": lambda one, other: one > other,
    "GTE": lambda one, other: one >= other,
    "LT": lambda one, other: one < other,
    "LTE": lambda one, other: one <= other,
}


def _filter(kind: str, told: Any) -> Callable[[Shown], bool]:
    if not isinstance(told, dict) or set(told) != {"propertyName", "operator", "value"}:
        raise Invalid("A filter holds propertyName, operator and value")
    name, compare, value = told["propertyName"], _COMPARE.get(told["operator"]), told["value"]
    known_properties(PROPERTIES[kind], [name])
    if compare is None or not isinstance(value, str) or not value.isdecimal():
        raise Invalid("The sandbox compares numbers and times in milliseconds with EQ, NEQ, GT, GTE, LT, LTE")
    return lambda shown: shown[name] is not None and compare(_comparable(shown[name]), float(value))


def _comparable(value: str | None) -> float:
    """A number, or a time in milliseconds."""
    assert value is not None
    if value.lstrip("-").replace(".", "", 1).isdecimal():
        return float(value)
    return round(datetime.fromisoformat(value).timestamp() * 1000)


def _sort(kind: str, found: list[tuple[Record, Shown]], sorts: Any) -> None:
    """One sort only. Records that are equal in it come in no order one could rely on: here, newest id first."""
    if not isinstance(sorts, list) or len(sorts) > 1:
        raise Invalid("Only one sort is allowed")
    found.sort(key=lambda each: -int(each[0].id))
    for told in sorts:
        if not isinstance(told, str):
            raise Invalid("A sort is a property's name, with - before it for descending")
        name = told.removeprefix("-")
        known_properties(PROPERTIES[kind], [name])
        found.sort(key=lambda each: _comparable(each[1][name] or "0"), reverse=told.startswith("-"))
