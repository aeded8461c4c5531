"""Pictures of a request's life as numbers: where things lie along a line of time, in hundredths of its length. Pure."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from services.web.words import read

_LEAST = 0.6
"""Hundredths that even a moment is wide, so that it is seen."""
_MOST_MARKS = 60
"""Places on a lane at which things may lie apart; nearer ones become one mark."""
_STEPS = (
    timedelta(hours=1), timedelta(hours=3), timedelta(hours=6), timedelta(days=1), timedelta(days=2), timedelta(days=7),
    timedelta(days=14), timedelta(days=30), timedelta(days=91), timedelta(days=182), timedelta(days=365),
    timedelta(days=1826),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Scale:
    """A line of time."""

    begin: datetime
    end: datetime

    def at(self, moment: datetime) -> float:
        """Where a moment lies, from 0 to 100; what is outside lies at the end that is nearer."""
        whole = (self.end - self.begin).total_seconds()
        gone = (min(max(moment, self.begin), self.end) - self.begin).total_seconds()
        return round(100 * gone / whole, 2) if whole else 0.0

    def holds(self, moment: datetime) -> bool:
        """Whether it lies within."""
        return self.begin <= moment <= self.end

    def part(self, length: timedelta, end: datetime) -> "Scale":
        """So much of it, ending at a moment or as near to it as lies within."""
        end = min(max(end, self.begin + length), self.end)
        return Scale(max(self.begin, end - length), end)

    def ticks(self, most: int = 5) -> list[tuple[float, datetime]]:
        """Some moments to be written at the line, at equal distances, none too near its end."""
        length = self.end - self.begin
        step = next((one for one in _STEPS if length / one <= most), _STEPS[-1])
        count = int(length / step)
        return [(self.at(self.begin + step * number), self.begin + step * number) for number in range(count + 1)]


@dataclass(frozen=True, slots=True)
class Bar:
    """A stretch on a line."""

    x: float
    width: float
    kind: str
    """active, waiting, or unknown."""
    round: int


@dataclass(frozen=True, slots=True)
class Stage:
    """One stage of the band."""

    name: str
    standing: str
    bars: Sequence[Bar]
    length: timedelta | None
    """Over all stays; None: not entered, or not known."""
    waited: timedelta
    entered: datetime | None
    left: datetime | None
    rounds: int
    open: bool
    known: bool
    """Whether the history says when each stay began and ended."""


_SORTS: Mapping[str, str] = {
    "status changed": "step", "created": "step", "approved": "step", "deployed": "step", "merged": "step",
    "deleted": "step", "commented": "word", "sent": "word", "feedback given": "word",
}  # fmt: skip


@dataclass(slots=True)
class Mark:
    """Things that happened at about one time."""

    x: float
    entries: list[Mapping[str, Any]] = field(default_factory=list)

    @property
    def sort(self) -> str:
        """What its most telling thing is: a step ahead or back, a word that was said, or something else."""
        sorts = {_SORTS.get(entry["kind"], "other") for entry in self.entries}
        return next(one for one in ("step", "word", "other") if one in sorts)

    @property
    def radius(self) -> float:
        """In pixels: larger for more, and never so large that it hides its neighbours."""
        return min(4 + math.sqrt(len(self.entries)), 9.0)


@dataclass(frozen=True, slots=True)
class Lane:
    """What happened in one tool."""

    connection: str
    connector: str
    marks: Sequence[Mark]
    count: int


def life(record: Mapping[str, Any], now: datetime) -> Scale | None:
    """From the first thing known to the end of the request, or until now; None: nothing has a time."""
    moments = [
        moment
        for moment in (
            read(record["created_at"]), read(record["changed_at"]),
            *(read(at) for view in record["stages"] for at in (view["entered"], view["left"])),
            *(read(one["at"]) for one in record["timeline"]["entries"]),
        )
        if moment is not None
    ]  # fmt: skip
    if not moments:
        return None
    ended = record["current"]["state"] in ("done", "cancelled")
    end = max(moments) if ended else max(now, *moments)
    return Scale(min(moments), max(end, min(moments) + timedelta(hours=1)))


def band(record: Mapping[str, Any], scale: Scale, now: datetime) -> list[Stage]:
    """The stages, each with its stretches along the line."""
    ended = read(record["current"]["state_since"]) if record["current"]["state"] in ("done", "cancelled") else None
    return [_stage(view, scale, ended or now) for view in record["stages"]]


def _stage(view: Mapping[str, Any], scale: Scale, now: datetime) -> Stage:
    spans = [(span, read(span["entered"]), now if span["open"] else read(span["left"])) for span in view["spans"]]
    known = all(begin and end for _, begin, end in spans)
    length = sum((end - begin for _, begin, end in spans if begin and end), timedelta())
    bars = [bar for span, _, _ in spans for bar in _bars(span, scale, now)]
    waited = sum(
        (end - begin for span, _, _ in spans for begin, end in _waits(span, now)), timedelta()
    )  # fmt: skip
    return Stage(
        view["stage"], view["standing"], bars, max(length, timedelta()) if spans and known else None, waited,
        read(view["entered"]), read(view["left"]), view["rounds"], any(span["open"] for span, _, _ in spans), known,
    )  # fmt: skip


def _bars(span: Mapping[str, Any], scale: Scale, now: datetime) -> Iterable[Bar]:
    pieces = span["pieces"] if len(span["pieces"]) == span["pieces_total"] else ()
    for piece in pieces or (span,):
        begin, end = read(piece["entered"]), now if piece["open"] else read(piece["left"])
        x = scale.at(begin) if begin else 0.0
        right = scale.at(end) if end else 100.0
        waiting = piece.get("state") == "waiting"
        kind = "waiting" if waiting else "active" if begin and end else "unknown"
        yield Bar(min(x, 100 - _LEAST), max(round(right - x, 2), _LEAST), kind, span["round"])


def _waits(span: Mapping[str, Any], now: datetime) -> Iterable[tuple[datetime, datetime]]:
    for piece in span["pieces"]:
        begin, end = read(piece["entered"]), now if piece["open"] else read(piece["left"])
        if piece["state"] == "waiting" and begin and end and begin < end:
            yield begin, end


def axis(scale: Scale) -> list[datetime]:
    """Moments at equal distances along a line, both its ends among them."""
    return [scale.begin + (scale.end - scale.begin) * part / 4 for part in range(5)]


def lanes(record: Mapping[str, Any], scale: Scale) -> list[Lane]:
    """What happened, by tool, as marks along the line; tools in the order in which they first came in."""
    of = {one["id"]: (one["connection"], one["connector"]) for one in record["artifacts"]}
    by_tool: dict[tuple[str, str], dict[int, Mark]] = {}
    for entry in record["timeline"]["entries"]:
        at = read(entry["at"])
        tool = of.get(entry["artifact"])
        if at is None or tool is None or not scale.holds(at):
            continue
        x = scale.at(at)
        marks = by_tool.setdefault(tool, {})
        marks.setdefault(int(x * _MOST_MARKS / 100), Mark(x)).entries.append(entry)
    return [
        Lane(*tool, list(marks.values()), sum(len(one.entries) for one in marks.values()))
        for tool, marks in by_tool.items()
    ]
