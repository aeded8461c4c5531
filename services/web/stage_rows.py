"""What a person chooses for a tool's real statuses, as rows of the stage map. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

ANY = "*"
Row = dict[str, Any]
Status = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Choice:
    """What one status is to mean."""

    kind: str
    type: str | None
    status: str | None
    """As the tool says it; None: its tool gives it none."""
    stage: str
    """"" for no choice: what holds without one."""
    state: str
    """"" for what the tool says."""

    @property
    def place(self) -> tuple[str, str, str]:
        """Kind, type and status of the row that says so."""
        return self.kind, self.type or ANY, self.status or ANY


def place_of(row: Mapping[str, Any]) -> tuple[str, str, str]:
    """Kind, type and status of a row; upper and lower case are one, as they are in the map."""
    kind, type_, status = (str(row.get(name) or ANY) for name in ("kind", "type", "status"))
    return kind, type_.casefold(), status.casefold()


def own_row(chosen: Sequence[Mapping[str, Any]], status: Status) -> Mapping[str, Any] | None:
    """The chosen row that is about just this status."""
    wanted = place_of(status)
    return next((row for row in chosen if place_of(row) == wanted), None)


def rows_with(chosen: Iterable[Mapping[str, Any]], choices: Iterable[Choice]) -> list[Row]:
    """All rows that are to be chosen: those that are, changed by these choices. A row for one status goes before those
    that stand, for the first that fits counts; one for a whole type goes behind them."""
    rows = [dict(row) for row in chosen]
    first: list[Row] = []
    for choice in choices:
        wanted = place_of(dict(zip(("kind", "type", "status"), choice.place, strict=True)))
        at = next((number for number, row in enumerate(rows) if place_of(row) == wanted), None)
        if not choice.stage:
            if at is not None:
                del rows[at]
        elif at is not None:
            rows[at] = _row(choice, rows[at])
        elif ANY in wanted:
            rows.append(_row(choice, {}))
        else:
            first.append(_row(choice, {}))
    return first + rows


def _row(choice: Choice, before: Mapping[str, Any]) -> Row:
    """The reason and for whom it waits stay, where nothing else is said."""
    kind, type_, status = choice.place
    told: Row = {"kind": kind, "type": type_, "status": status, "stage": choice.stage}
    same = before.get("stage") == choice.stage and (before.get("state") or "") == choice.state
    if choice.state:
        told["state"] = choice.state
    if same:
        told |= {name: before[name] for name in ("waiting", "reason") if before.get(name)}
    return told
