"""What no row of the stage map knows, by connection: its share, and the statuses whose mapping would mend most."""

from collections import Counter
from dataclasses import dataclass, field

import orjson
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from pipelines.assembly import UNMAPPED, WITH_STATUS
from pipelines.store.tables import facets

MOST = 5
"""Statuses told of a connection."""


@dataclass(frozen=True, slots=True)
class UnknownStatus:
    """A status that no row knows. type "": its tool gives it none."""

    kind: str
    type: str
    status: str
    artifacts: int


@dataclass(slots=True)
class Unmapped:
    """Of one connection's artifacts that have a status and are in a request."""

    artifacts: int = 0
    """No row knows them."""
    of: int = 0
    statuses: list[UnknownStatus] = field(default_factory=list)
    """Those of most artifacts first."""

    @property
    def share(self) -> float:
        """From 0 to 1."""
        return round(self.artifacts / self.of, 4) if self.of else 0.0


async def unmapped(connection: AsyncConnection, name: str | None = None) -> dict[str, Unmapped]:
    """By connection, or of this one; without those that have nothing with a status.

    One statement over one index: a row for each request and connection, and one for each of its unknown statuses.
    """
    wanted = select(facets.c.kind, facets.c.value, func.count()).group_by(facets.c.kind, facets.c.value)
    wanted = wanted.where(facets.c.kind.in_((UNMAPPED, WITH_STATUS)))
    if name is not None:
        begin = orjson.dumps([name]).decode().removesuffix("]") + ","
        wanted = wanted.where(facets.c.value >= begin, facets.c.value < begin[:-1] + "-")  # the sign after the comma
    found: dict[str, Unmapped] = {}
    statuses: dict[str, Counter[tuple[str, str, str]]] = {}
    for kind, value, requests in await connection.execute(wanted):
        source, *status, count = orjson.loads(value)
        one = found.setdefault(source, Unmapped())
        if kind == WITH_STATUS:
            one.of += count * requests
            continue
        one.artifacts += count * requests
        statuses.setdefault(source, Counter())[tuple(status)] += count * requests
    for source, counted in statuses.items():
        most = sorted(counted.items(), key=lambda pair: (-pair[1], pair[0]))
        found[source].statuses = [UnknownStatus(*named, count) for named, count in most[:MOST]]
    return found
