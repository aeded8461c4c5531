"""Where a connection stands in each kind of record, and what it told already: the cursor, as plain JSON.

HubSpot's search sorts by one property only, shows changes late, ends at 10,000 results, and bulk changes give thousands
of records one time stamp. So a walk asks for "modified since T" in order of time, takes all but the last time stamp of
a full answer, and asks again from that one; where a whole answer has one time stamp it goes through that one in order
of record ids. It never pages by offset, so the ceiling is never met.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from connectors.hubspot.reading import id_at, mapping_at, milliseconds, moment_at

LEDGER_MOST = 20_000
"""Told versions remembered per kind; forgetting more only tells something twice, which changes nothing."""


@dataclass(slots=True)
class Walk:
    """One walk through one kind of record, from `at` (epoch milliseconds) on."""

    at: int
    after: str | None = None
    """Inside the one time stamp `at`: the record id that was told last."""
    started: int = 0
    """When the walk started, by HubSpot's clock; 0: not yet."""
    seen: int = 0
    """The newest time of modification seen."""
    done: int = 0
    """Records walked over, for progress."""

    def query(self) -> tuple[list[dict[str, str]], str]:
        """Filters and sort of the next search."""
        name = "hs_lastmodifieddate"
        if self.after is None:
            return [{"propertyName": name, "operator": "GTE", "value": str(self.at)}], name
        return [
            {"propertyName": name, "operator": "EQ", "value": str(self.at)},
            {"propertyName": "hs_object_id", "operator": "GT", "value": self.after},
        ], "hs_object_id"

    def take(self, rows: list[tuple[str, int]], full: bool) -> tuple[list[tuple[str, int]], bool]:
        """Step on over an answer: the rows to tell now, and whether more may follow.

        full: whether HubSpot may have left some out; then there is a row at least.
        """
        self.seen = max(self.seen, *(at for _, at in rows)) if rows else self.seen
        if self.after is not None:
            taken = rows
            self.at, self.after = (self.at, rows[-1][0]) if full else (self.at + 1, None)
            return self._counted(taken), True
        if not full:
            return self._counted(rows), False
        last = rows[-1][1]
        taken = [row for row in rows if row[1] < last]
        self.at, self.after = (last, None) if taken else (last, "0")
        return self._counted(taken), True

    def _counted(self, rows: list[tuple[str, int]]) -> list[tuple[str, int]]:
        self.done += len(rows)
        return rows


@dataclass(slots=True)
class Standing:
    """One kind of record: up to where it was read, what was told near that place, and the walk under way."""

    mark: int | None = None
    """Everything modified before this was told; None: never walked to the end."""
    told: dict[str, int] = field(default_factory=dict)
    """Record id to the time of modification that was told: the ledger of the overlap."""
    walk: Walk | None = None
    walked: int = 0
    """Records of all walks that ended; only a first read's progress looks at it."""

    def begin(self, since: int, overlap: int) -> Walk:
        """The walk under way, or a new one."""
        if self.walk is None:
            self.walk = Walk(max(0, self.mark - overlap) if self.mark is not None else since)
        return self.walk

    def unseen(self, rows: list[tuple[str, int]]) -> list[str]:
        """Ids of rows that were not told in this version or a later one; they count as told from now on."""
        fresh = [(each, at) for each, at in rows if self.told.get(each, -1) < at]
        self.told |= dict(fresh)
        return [each for each, _ in fresh]

    def forget(self, before: int) -> None:
        """Drop from the ledger what lies before the reach of any later walk."""
        kept = sorted(((at, each) for each, at in self.told.items() if at >= before), reverse=True)[:LEDGER_MOST]
        self.told = {each: at for at, each in kept}

    def end(self, overlap: int) -> None:
        """The walk met nothing more: the mark moves to the newest change seen, but not past the walk's start."""
        assert self.walk is not None
        reached = min(self.walk.seen, self.walk.started)
        self.mark = max(self.mark or 0, reached) if self.walk.seen else self.mark or self.walk.at
        self.walked += self.walk.done
        self.walk = None
        self.forget(self.mark - overlap)


def rows_of(results: list[dict[str, Any]]) -> list[tuple[str, int]]:
    """(record id, time of modification in milliseconds) of search results, in their order."""
    found = []
    for each in results:
        at = moment_at(mapping_at(each, "properties"), "hs_lastmodifieddate") or moment_at(each, "updatedAt")
        native_id = id_at(each, "id")
        if at is not None and native_id is not None:
            found.append((native_id, milliseconds(at)))
    return found


def is_full(answer: dict[str, Any], limit: int) -> bool:
    """Whether a search's answer may not be all that fits. Counted are the results themselves: one without a time, which
    `rows_of` leaves out, must not end a walk."""
    return len(answer["results"]) >= limit or "next" in mapping_at(answer, "paging")


def to_json(standings: dict[str, Standing]) -> dict[str, Any]:
    """The standings as JSON."""
    return {
        kind: {
            "mark": each.mark,
            "told": dict(each.told),
            "walked": each.walked,
            "walk": None if each.walk is None else [*_walk_values(each.walk)],
        }
        for kind, each in standings.items()
    }


def _walk_values(walk: Walk) -> tuple[int, str | None, int, int, int]:
    return walk.at, walk.after, walk.started, walk.seen, walk.done


def from_json(cursor: dict[str, Any] | None, kinds: tuple[str, ...]) -> dict[str, Standing]:
    """The standings in a cursor; a kind it does not know starts at the beginning."""
    stored = mapping_at(cursor, "kinds")
    found: dict[str, Standing] = {}
    for kind in kinds:
        each = mapping_at(stored, kind)
        walk = each.get("walk")
        found[kind] = Standing(
            each.get("mark"), dict(each.get("told") or {}), Walk(*walk) if walk else None, each.get("walked", 0)
        )
    return found


def described(stored: Mapping[str, Any]) -> str:
    """Where reading stands, in words."""
    told = []
    for kind, each in mapping_at(dict(stored), "kinds").items():
        mark, walk = each.get("mark"), each.get("walk")
        if mark:
            told.append(f"{kind}s changed up to {_minute(mark)}")
        if walk and walk[0]:
            told.append(f"{kind}s in a walk that has come to {_minute(walk[0])}")
    return ", ".join(told)


def _minute(at: int) -> str:
    return f"{datetime.fromtimestamp(at / 1000, UTC):%Y-%m-%d %H:%M} UTC"
