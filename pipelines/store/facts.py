"""Land source events, and merge what they say into artifacts, parts, activities and identities.

Every merge is "latest telling wins" by (order, rank, content): in any order, any number of times, the same rows.
"""

import re
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson

from pipelines.correlate.dedicated import meaning
from pipelines.correlate.rules import Rules, lay_below, stated
from pipelines.store import decisions, tables
from pipelines.store.bulk import Bulk
from pipelines.store.encoding import activity_row, reference_row
from schemas.artifacts import Activity, Evidence, Identity, Mapped, Reference, participants_in
from schemas.canonical import canonical_json, digest, storable
from schemas.decisions import Decision
from schemas.events import SourceEvent

Values = dict[str, tuple[bool, bool]]

OWN = "@own"
"""The part that holds the request id which the artifact owns."""

CONNECTION = "@connection:"
"""Prefix of the pseudo-fields by which an artifact remembers which connections read it."""


_NUL = re.compile(r"(?<!\\)((?:\\\\)*)\\u0000")
"""The escape of a NUL; behind a backslash that is one itself, somebody wrote these letters."""

Supposing = Callable[[tuple[Decision, ...]], Iterable[Decision]]


@dataclass(frozen=True, slots=True)
class Telling:
    """One source event with what mapping and the finders made of it."""

    event: SourceEvent
    mapped: Mapped
    references: dict[str, tuple[Reference, ...]] = field(default_factory=dict)
    """Part name to all references in it, stated and found."""
    raw: str = ""
    """The event's JSON as it came; "" where it was never text."""


@dataclass(slots=True)
class Notes:
    """What was deferred and is being worked off: it is to go with that."""

    numbers: set[int] = field(default_factory=set)
    names: int = 0
    """How many it began with."""
    gathered: set[str] = field(default_factory=set)
    """Artifacts and components whose notes were looked for."""
    linked: set[str] = field(default_factory=set)
    """Artifacts whose values were looked for."""
    last: tuple[str, str] | None = None
    """The last (kind, name) looked at, in their order; None: nothing follows."""


@dataclass(slots=True)
class Touched:
    """What a batch changed: where correlation has to look again."""

    rules: Rules
    """By which a value may be generic: mentions of it join nothing."""
    artifacts: set[str] = field(default_factory=set)
    linked: set[str] = field(default_factory=set)
    """Those of them whose parts changed: their values lead on."""
    values: set[str] = field(default_factory=set)
    generic: set[str] = field(default_factory=set)
    """Values that too many artifacts mention: only those that hold them strongly are concerned."""
    held: set[str] = field(default_factory=set)
    """Values that those linked hold, and that are no more and no less generic than before: they follow from these."""
    identities: set[str] = field(default_factory=set)
    """Those that go by another name or address now: every record that names them is folded again."""
    named_in: set[str] = field(default_factory=set)
    """Requests whose records show one of these identities; found while the components are looked for."""
    many_named: set[str] = field(default_factory=set)
    """Identities that so many records show that recompute takes care of them."""
    components: set[str] = field(default_factory=set)
    """To be computed again for another reason."""
    notes: Notes | None = None
    """Where this came from, if it was deferred."""
    everything: bool = False
    """Fold every request of the components concerned, whatever looks unchanged."""
    reading: bool = False
    """Nothing can be written while this is looked at."""
    beside: bool = False
    """All this is of a second set of tables, which nobody else writes."""
    however_large: bool = False
    """Understand components of any size; otherwise what touches very large ones is left aside."""
    left_aside: set[str] = field(default_factory=set)
    """Artifacts that were."""
    too_large: set[str] = field(default_factory=set)
    """The components because of which they were."""
    supposing: Supposing | None = None
    """What holds of decisions, given those that hold: where one is looked at that is not taken yet."""


async def land(bulk: Bulk, tellings: Iterable[Telling]) -> set[str]:
    """Store source events as they came; known ones fall out. Returns the ids of those that are new."""
    rows = {telling.event.id: _event_row(telling) for telling in tellings}
    stored = await bulk.insert(tables.source_events, rows.values(), "ignore", "id")
    return {row[0] for row in stored}


def _event_row(telling: Telling) -> tuple[str, ...]:
    event = telling.event
    # JSON escapes a NUL, which would be fine as text but not where a database reads the JSON.
    text = telling.raw or event.model_dump_json()
    if "\\u0000" in text:
        text = _NUL.sub(r"\1\\ufffd", text)
    return (
        event.id, event.connection, event.connector, storable(event.kind), storable(event.native_id),
        storable(event.artifact), storable(text),
    )  # fmt: skip


async def merge(bulk: Bulk, tellings: Sequence[Telling], rules: Rules) -> Touched:
    """Merge tellings into the facts. Returns what changed; tellings that change nothing touch nothing."""
    touched = Touched(rules)
    new = await _merge_artifacts(bulk, tellings, touched)
    await _merge_parts(bulk, tellings, new, touched)
    await _merge_activities(bulk, tellings, touched)
    await _merge_identities(bulk, tellings, touched)
    return touched


async def _merge_artifacts(bulk: Bulk, tellings: Sequence[Telling], touched: Touched) -> set[str]:
    """Returns the artifacts that nothing was told of before."""
    mapped = {telling.mapped.artifact: telling.mapped for telling in tellings}
    blank = [(m.artifact, m.connection, m.connector, m.kind, "{}", None, None) for m in mapped.values()]
    new = {row[0] for row in await bulk.insert(tables.artifacts, blank, "ignore", "id")}
    sql = "SELECT id, fields FROM artifacts WHERE id IN {keys} ORDER BY id{lock}"
    before = {row[0]: row[1] for row in await bulk.by_keys(sql, mapped)}
    states = {artifact: orjson.loads(fields) for artifact, fields in before.items()}
    for telling in tellings:
        _merge_fields(states[telling.mapped.artifact], telling)
    rows = []
    for artifact, state in states.items():
        text = canonical_json(state)
        if text != before[artifact]:
            touched.artifacts.add(artifact)
            rows.append(_artifact_row(mapped[artifact], state, text))
    await bulk.insert(tables.artifacts, rows, "replace")
    return new


def _merge_fields(state: dict[str, Any], telling: Telling) -> None:
    order, rank = telling.event.order, telling.event.rank
    state[CONNECTION + telling.mapped.connection] = [0, 0, True]
    for name, value in telling.mapped.fields.items():
        known = state.get(name)
        if known is None or _newer((order, rank, value), known):
            state[name] = [order, rank, _storable(value)]


def _newer(told: tuple[int, int, Any], known: list[Any]) -> bool:
    if (told[0], told[1]) != (known[0], known[1]):
        return (told[0], told[1]) > (known[0], known[1])
    return canonical_json(_storable(told[2])) > canonical_json(known[2])


def _storable(value: Any) -> Any:
    if isinstance(value, str):
        return storable(value)
    if isinstance(value, dict):
        return {storable(key): _storable(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_storable(inner) for inner in value]
    return value


def _artifact_row(mapped: Mapped, state: dict[str, Any], text: str) -> tuple[Any, ...]:
    connection = min(name[len(CONNECTION) :] for name in state if name.startswith(CONNECTION))
    created = state.get("created_at", (0, 0, None))[2]
    key = state.get("natural_key", (0, 0, None))[2]
    return (mapped.artifact, connection, mapped.connector, mapped.kind, text, created, key)


async def _merge_parts(bulk: Bulk, tellings: Sequence[Telling], new: set[str], touched: Touched) -> None:
    latest: dict[tuple[str, str], tuple[Any, ...]] = {}
    values: dict[tuple[str, str], Values] = {}
    for telling in tellings:
        for part, references in telling.references.items():
            if part == OWN and telling.mapped.artifact not in new:
                continue  # what an artifact is by itself never changes
            candidates = canonical_json([reference_row(reference) for reference in references])
            order, rank = (telling.event.order, telling.event.rank) if part != OWN else (0, 0)
            stamp = (order, rank, digest(candidates))
            key = (telling.mapped.artifact, storable(part))
            if key not in latest or stamp > latest[key][2:5]:
                latest[key] = (*key, *stamp, candidates)
                values[key] = values_of(references, touched.rules, telling.mapped.connection)
    changed = await bulk.insert(tables.parts, latest.values(), "newer", "artifact, part")
    keys = [(row[0], row[1]) for row in changed]
    await replace_values(bulk, keys, values, touched)


def values_of(references: Iterable[Reference], rules: Rules, connection: str) -> Values:
    """Value to (names itself, strong) for every reference that may ever join; of fields only what the rules count."""
    named: Values = {}
    for told in references:
        reference = meaning(told, connection, rules)
        if reference is None or reference.evidence is Evidence.QUOTED or lay_below(reference):
            continue
        itself = reference.evidence is Evidence.IDENTITY
        strong = itself or stated(reference)
        before = named.get(key := storable(reference.key), (False, False))
        named[key] = (before[0] or itself, before[1] or strong)
    return named


async def replace_values(
    bulk: Bulk, parts: list[tuple[str, str]], values: dict[tuple[str, str], Values], touched: Touched
) -> None:
    """Write which values these parts hold in place of what they held; artifacts and values concerned are touched."""
    changed = {artifact for artifact, _ in parts}
    touched.artifacts |= changed
    touched.linked |= changed
    before = await _values_of(bulk, changed)
    await bulk.by_pairs("DELETE FROM artifact_values WHERE (artifact, part) IN {pairs}", parts)
    rows = [(*key, value, *kinds) for key in parts for value, kinds in values[key].items()]
    await bulk.insert(tables.artifact_values, rows, "ignore")
    after = await _values_of(bulk, changed)
    delta = Counter(dict.fromkeys((value for (_, value) in before | after), 0))
    delta.update(value for (_, value), strong in after.items() if not strong)
    delta.subtract(value for (_, value), strong in before.items() if not strong)
    fresh = {artifact for artifact, part in parts if part == OWN}
    places = await _meeting_places(bulk, fresh)
    delta.update(dict.fromkeys(places, 0))
    counted = await bulk.insert(tables.reference_values, delta.items(), "add", "value, mentions")
    if late := await _meeting_places(bulk, fresh) - places:  # decided while this waited for other workers
        counted = [
            *counted,
            *await bulk.insert(tables.reference_values, [(value, 0) for value in late], "add", "value, mentions"),
        ]
    held = {value for _, value in after}
    for value, mentions in counted:
        if value in touched.rules.called_generic:
            continue
        generic = touched.rules.is_generic(value, min(mentions, mentions - delta[value]))
        (touched.generic if generic else touched.values).add(value)
        if value in held and generic is touched.rules.is_generic(value, mentions):
            touched.held.add(value)


async def _meeting_places(bulk: Bulk, fresh: set[str]) -> set[str]:
    """The values of what a decision joins with artifacts that were never stored before. Whoever brings one of two
    touches both places, so that of two workers the later one waits, and then sees what the other brought."""
    return decisions.meeting_places(await decisions.partners(bulk, fresh) - fresh)


async def _values_of(bulk: Bulk, artifacts: set[str]) -> dict[tuple[str, str], bool]:
    """(artifact, value) to whether any of its parts holds the value strongly."""
    sql = "SELECT artifact, value, strong FROM artifact_values WHERE artifact IN {keys}"
    held: dict[tuple[str, str], bool] = {}
    for artifact, value, strong in await bulk.by_keys(sql, artifacts):
        held[artifact, value] = held.get((artifact, value), False) or bool(strong)
    return held


async def _merge_activities(bulk: Bulk, tellings: Sequence[Telling], touched: Touched) -> None:
    latest: dict[str, tuple[Any, ...]] = {}
    for telling in tellings:
        for activity in telling.mapped.activities:
            row = _activity_row(activity, telling.event)
            if row[0] not in latest or row[5:8] > latest[row[0]][5:8]:
                latest[row[0]] = row
    changed = await bulk.insert(tables.activities, latest.values(), "newer", "artifact")
    touched.artifacts |= {row[0] for row in changed}


def _activity_row(activity: Activity, event: SourceEvent) -> tuple[Any, ...]:
    body = activity_row(activity)
    text = canonical_json(body)
    stamp = (event.order, event.rank, digest(text))
    key = storable(activity.key)
    return (key, activity.artifact, body["at"], body["kind"], body.get("actor"), *stamp, activity.withdrawn, text)


async def _merge_identities(bulk: Bulk, tellings: Sequence[Telling], touched: Touched) -> None:
    latest: dict[str, tuple[Any, ...]] = {}
    for telling in tellings:
        for identity in telling.mapped.identities:
            row = _identity_row(identity, telling.event.order, telling.event.rank)
            if row[0] not in latest or row[1:4] > latest[row[0]][1:4]:
                latest[row[0]] = row
    for name in {name for telling in tellings for name in _named(telling.mapped)}:
        # A row that says nothing yet: whoever tells it later meets whoever names it now.
        latest.setdefault(name, _identity_row(Identity(name), -1, 0))
    sql = "SELECT id, name, address, machine FROM identities WHERE id IN {keys} ORDER BY id{lock}"
    before = {row[0]: (row[1], row[2], bool(row[3])) for row in await bulk.by_keys(sql, latest)}
    stored = await bulk.insert(tables.identities, latest.values(), "newer", "id, name, address, machine")
    told = {row[0]: (row[1], row[2], bool(row[3])) for row in stored}
    touched.identities |= {name for name, what in told.items() if before.get(name) != what}


def _named(mapped: Mapped) -> set[str]:
    people = {activity.actor for activity in mapped.activities}
    people |= {mapped.fields.get("requester"), mapped.fields.get("assignee")}
    people |= participants_in(mapped.fields.get("participants"))
    return {storable(name) for name in people if isinstance(name, str)}


def _identity_row(identity: Identity, order: int, rank: int) -> tuple[Any, ...]:
    name = storable(identity.name) if identity.name else None
    address = storable(identity.address) if identity.address else None
    stamp = (order, rank, digest(name or "", address or "", str(identity.machine)))
    return (storable(identity.id), *stamp, name, address, identity.machine)
