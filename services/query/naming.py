"""What is meant by the people and things that a timeline is asked for: as the request's record names them."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from pipelines.lifecycle.withholding import connection_of
from services.query import reading
from services.query.problems import wrong
from services.query.reading import Stored, TimelineQuery

Record = Mapping[str, Any]
"""A record as its reader sees it."""


def artifacts(record: Record, asked: Iterable[str]) -> list[str]:
    """Ids of the artifacts that are known by these ids or natural keys. Raises Refused for what names none of them."""
    known: dict[str, set[str]] = {}
    for one in record["artifacts"]:
        known.setdefault(one["id"], set()).add(one["id"])
        if one["natural_key"]:
            known.setdefault(one["natural_key"].lower(), set()).add(one["id"])
    meant: set[str] = set()
    for name in asked:
        found = known.get(name) or known.get(name.strip().lower())
        if not found:
            raise wrong(
                "query.artifact", "names nothing in this request",
                "give an id or natural_key of its record's artifacts, or follow /v1/lookup?reference= to its request",
            )  # fmt: skip
        meant |= found
    return sorted(meant)


async def actors(connection: AsyncConnection, found: Stored, record: Record, asked: Sequence[str]) -> list[str]:
    """Identities of the people that are meant by ids of persons or identities, or by e-mail addresses.

    Those of hidden connections are left out: who did what may not be found out by asking for it. Raises Refused for
    what names nobody of the request.
    """
    people = _people(record)
    hidden = found.hidden
    others = [one for one in asked if not _of(people, one) and connection_of(one) not in hidden]
    acting = await _acting(connection, found, record, others) if others else set()
    if others and not (acting | _named(record)).issuperset(others):
        raise wrong(
            "query.actor", "names nobody of this request",
            "give an id, an identity or an address of its record's people, or an actor of its timeline",
        )  # fmt: skip
    meant = acting.union(others, *(_of(people, one) for one in asked))
    return sorted(one for one in meant if connection_of(one) not in hidden)


def called(record: Record) -> dict[str | None, str | None]:
    """What the people of a record are called, by their identities."""
    return {identity: one["name"] for one in record["people"] for identity in one["identities"]}


def _people(record: Record) -> dict[str, set[str]]:
    """Identities of the people by whatever names them: ids, identities, addresses, also those known from elsewhere."""
    known: dict[str, set[str]] = {}
    holder = record["holder"]["person"] if record["holder"] else None
    for one in filter(None, (*record["people"], record["requester"], holder)):
        mine = {one["id"], *one["identities"]}
        addresses = {each["address"] for each in one["known_as"] if each["address"]}
        for name in mine | set(one["elsewhere"]) | addresses:
            known.setdefault(name, set()).update(mine)
    return known


def _of(people: Mapping[str, set[str]], name: str) -> set[str]:
    return people.get(name) or people.get(name.strip().lower()) or set()


async def _acting(connection: AsyncConnection, found: Stored, record: Record, names: Sequence[str]) -> set[str]:
    """Identities with these names that did something here, and those behind the record's entries by these persons: who
    only acts by machine is none of its people."""
    entries = [one["key"] for one in record["timeline"]["entries"] if one["actor"] in names]
    return await reading.acting(connection, TimelineQuery(found.id, without=found.hidden), names, entries)


def _named(record: Record) -> set[str]:
    """Persons that the record names elsewhere than among its people."""
    return set(filter(None, _mentions(record)))


def _mentions(record: Record) -> Iterator[str | None]:
    yield from (one["actor"] for one in record["timeline"]["entries"])
    yield from (one["assignee"] for one in record["artifacts"])
    yield from (record[name]["actor"] for name in ("last_human", "last_automatic") if record[name])
    if record["last_said"]:
        yield record["last_said"]["by"]
