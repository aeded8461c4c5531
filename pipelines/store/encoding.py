"""How references and activities are written into their JSON columns, and read back."""

from datetime import datetime
from typing import Any

from schemas.artifacts import OPEN, Activity, ActivityKind, Audience, Evidence, Reference, State
from schemas.canonical import instant, parse_instant, storable

# A look-up in a table is a fifth of what an enumeration's call costs, and this runs for every row read.
_EVIDENCE = {one.value: one for one in Evidence}
_KINDS = {one.value: one for one in ActivityKind}
_TEXTS = ("actor", "field", "from_value", "from_label", "to_value", "to_label", "from_category", "to_category", "text")
_STATES = {one.value: one for one in State}


def reference_row(reference: Reference) -> list[Any]:
    """A reference as a JSON list; how the other end states it only where it does."""
    row = [
        reference.kind,
        reference.scope,
        storable(reference.value),
        reference.evidence.value,
        storable(reference.relation),
        reference.field,
        reference.start,
        reference.end,
        storable(reference.around),
        _text(reference.since),
    ]
    return [*row, storable(reference.mirror)] if reference.mirror else row


def reference_of(row: list[Any]) -> Reference:
    """The reference that reference_row wrote."""
    kind, scope, value, evidence, relation, field, start, end, around, since, *mirror = row
    return Reference(
        kind, scope, value, _EVIDENCE[evidence], relation, field, start, end, around, _instant(since), *mirror
    )


def activity_row(activity: Activity) -> dict[str, Any]:
    """An activity as a JSON object without what it does not say."""
    row: dict[str, Any] = {"key": activity.key, "artifact": activity.artifact, "kind": activity.kind.value}
    row["at"] = instant(activity.at)
    for name in _TEXTS:
        value = getattr(activity, name)
        if value is not None:
            row[name] = storable(value)
    if activity.automatic:
        row["automatic"] = True
    if activity.objects:
        row["objects"] = [list(pair) for pair in activity.objects]
    if activity.audience != OPEN:
        row["audience"] = [activity.audience.level, activity.audience.stated]
    if activity.sets:
        row["sets"] = [[text if text is None else storable(text) for text in one] for one in activity.sets]
    return row


def activity_of(row: dict[str, Any]) -> Activity:
    """The activity that activity_row wrote."""
    told = dict(row)
    told["kind"] = _KINDS[told["kind"]]
    told["at"] = parse_instant(told["at"])
    told["objects"] = tuple((value, role) for value, role in told.get("objects", ()))
    told["audience"] = Audience(*told["audience"]) if "audience" in told else OPEN
    for name in ("from_category", "to_category"):
        if name in told:
            told[name] = _STATES[told[name]]
    if "sets" in told:
        told["sets"] = tuple((name, before, after) for name, before, after in told["sets"])
    return Activity(**told)


def _text(at: datetime | None) -> str | None:
    return instant(at) if at else None


def _instant(text: str | None) -> datetime | None:
    return parse_instant(text) if text else None
