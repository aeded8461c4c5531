"""A record as those see it who may not read some of its connections: stages and times stay, content goes. Pure."""

from collections.abc import Iterable, Set
from typing import Any

from schemas.artifacts import request_id
from schemas.records import (
    ActivityMark,
    ArtifactView,
    Dependency,
    Expected,
    FieldSource,
    Holder,
    LastSaid,
    LifecycleRecord,
    LinkView,
    PersonView,
    Programme,
    TimelineEntry,
)

NOT_SHOWN = "Not shown: its connection restricts who may read it"

_CHOSEN = ("title", "business_unit", "priority", "amount", "outcome")
"""Fields that are taken from one artifact, as `sources` says."""

_ANYBODYS = frozenset({"mail"})
"""Addresses of mails are of no one connection: who may not read one of them is told no name that only mails elsewhere
say."""

_PEOPLE = ("requester", "holder")
"""Fields whose values are ids of people."""

_ABOUT_TWO = frozenset({"linked", "unlinked", "merged", "moved"})
"""Kinds of activities whose words name another artifact."""


def connection_of(name: str) -> str:
    """The connection that an id of an artifact or identity begins with."""
    return name.partition("/")[0]


def withheld(record: LifecycleRecord, hidden: Set[str], elsewhere: Set[str] = frozenset()) -> LifecycleRecord:
    """The record without titles, people and text of the connections that are hidden.

    elsewhere: connections that are hidden in what the record names and does not hold.
    """
    here = {one.id for one in record.artifacts if one.connection in hidden}
    mine = {one.id for one in record.artifacts}
    here |= {one for one in _named(record) if connection_of(one) in (hidden if one in mine else hidden | elsewhere)}
    kept_out = hidden | _shared(record, hidden)
    away = kept_out | elsewhere | (_ANYBODYS if hidden or elsewhere else frozenset())
    people = tuple(shown for one in record.people if (shown := _person(one, kept_out, away)) is not None)
    seen = {one.id for one in people}
    names = _names(record.people) - _names(people)
    shown_as = _names(people)
    reasons = {one.why for one in record.links if not _speaks_of(one, here)}
    reasons |= {one.why for one in record.artifacts if request_id(one.id) == record.id}  # "It is the oldest part"
    keys = {one.natural_key for one in record.artifacts if one.natural_key and one.id not in here}
    blocked_by = tuple(_dependency(one, here) for one in record.blocked_by)
    known = {one.other_key for one in blocked_by if one.other_key}
    return record.model_copy(
        update={
            "requester": _person(record.requester, kept_out, away),
            "holder": _holder(record.holder, here, kept_out, away),
            "people": people,
            "projects": tuple(one for one in record.projects if any(key.startswith(f"{one}-") for key in keys)),
            "timeline": record.timeline.model_copy(
                update={"entries": tuple(_entry(one, here, seen, names, shown_as) for one in record.timeline.entries)}
            ),
            "artifacts": tuple(_artifact(one, here, seen, reasons) for one in record.artifacts),
            "links": tuple(_link(one, here) for one in record.links),
            "blocked_by": blocked_by,
            "blocks": tuple(_dependency(one, here) for one in record.blocks),
            "programmes": tuple(_programme(one, here) for one in record.programmes),
            "dates": tuple(one for one in record.dates if one.artifact not in here),
            "last_said": _said(record.last_said, here, seen, names),
            "expected": _expected(record.expected, known) if here else record.expected,
            "not_mapped": record.not_mapped.model_copy(
                update={
                    "statuses": tuple(one for one in record.not_mapped.statuses if one.connection not in hidden)
                }
            ),
            "last_human": _mark(record.last_human, here, seen, away),
            "last_automatic": _mark(record.last_automatic, here, seen, away),
            "restricted": record.restricted
            + sum(one.id in here and not one.restricted for one in record.artifacts),
            **_chosen(record, here, away),
        }
    )  # fmt: skip


def _shared(record: LifecycleRecord, hidden: Set[str]) -> set[str]:
    """What ids of the record begin with that are of no one connection, as those of mails, where only what is hidden
    brought such."""
    brought = {(connection_of(one.id), one.connection in hidden) for one in record.artifacts}
    return {name for name, of_hidden in brought if of_hidden and (name, False) not in brought}


def _named(record: LifecycleRecord) -> Iterable[str]:
    """Artifacts that the record names beside its own."""
    for one in (*record.blocked_by, *record.blocks):
        yield one.other
    for programme in record.programmes:
        yield programme.artifact
    for link in record.links:
        yield from (link.left, link.right)


def _expected(expected: Expected, known: Set[str]) -> Expected:
    """What is to come, without the names of whom or what it waits for where these may be hidden."""
    waits_on = tuple(one for one in expected.waits_on if one in known)
    named = expected.what == "answer" or waits_on != expected.waits_on
    return expected.model_copy(update={"waits_on": waits_on, "words": NOT_SHOWN if named else expected.words})


def _chosen(record: LifecycleRecord, here: Set[str], away: Set[str]) -> dict[str, Any]:
    """Fields that came from what is hidden: as another artifact states them, or not at all."""
    values: dict[str, Any] = {}
    sources: dict[str, FieldSource] = {}
    for name, source in record.sources.items():
        others = tuple(one for one in source.others if one.artifact not in here and not (
            name in _PEOPLE and connection_of(str(one.value)) in away
        ))  # fmt: skip
        if source.artifact not in here:
            sources[name] = source.model_copy(update={"others": others})
        elif name == "title" and others and isinstance(others[0].value, str):
            # A title is a text like any other; of structured values it is not known how the others are to be read.
            sources[name] = FieldSource(artifact=others[0].artifact, others=others[1:])
            values[name] = others[0].value
    for name in _CHOSEN:
        if name not in sources:
            values[name] = None
    if record.outcome and record.outcome.artifact not in here:
        values["outcome"] = record.outcome
    return {**values, "sources": sources}


def _person(person: PersonView | None, hidden: Set[str], away: Set[str]) -> PersonView | None:
    """Somebody as far as the other connections know them: what they are called comes from there, or is left out.

    away: connections that are hidden outside of the request.
    """
    if person is None:
        return None
    kept = tuple(one for one in person.identities if connection_of(one) not in hidden)
    if not kept:
        return None
    elsewhere = tuple(one for one in person.elsewhere if connection_of(one) not in away)
    shown = {*kept, *elsewhere}
    name_from, address_from = person.name_from or person.id, person.address_from or person.id
    return person.model_copy(
        update={
            "id": person.id if person.id in shown else kept[0],
            "name": person.name if name_from in shown else None,
            "name_from": person.name_from if name_from in shown else None,
            "address": person.address if address_from in shown else None,
            "address_from": person.address_from if address_from in shown else None,
            "roles": person.roles if len(kept) == len(person.identities) else (),
            "identities": kept, "elsewhere": elsewhere,
        }
    )  # fmt: skip


def _holder(one: Holder | None, here: Set[str], hidden: Set[str], away: Set[str]) -> Holder | None:
    person = None if one is None or one.artifact in here else _person(one.person, hidden, away)
    return one.model_copy(update={"person": person}) if one and person else None


def _names(people: Iterable[PersonView]) -> set[str]:
    return {name for one in people for name in (one.name, one.address) if name}


def _said(one: LastSaid | None, here: Set[str], seen: Set[str], names: Set[str]) -> LastSaid | None:
    if one is None or one.artifact in here:
        return None
    by = one.by if one.by in seen else None
    return one.model_copy(update={"by": by, "by_name": one.by_name if by and one.by_name not in names else None})


def _artifact(one: ArtifactView, here: Set[str], seen: Set[str], reasons: Set[str]) -> ArtifactView:
    """seen: ids of people that are shown. reasons: sentences that speak of nothing hidden."""
    if one.id not in here:
        why = one.why if one.why in reasons else NOT_SHOWN
        return one.model_copy(update={"assignee": one.assignee if one.assignee in seen else None, "why": why})
    return one.model_copy(
        update={
            "natural_key": None, "url": None, "title": None, "type": None, "status": None, "waiting": None,
            "mapped_by": NOT_SHOWN, "assignee": None, "restricted": True, "why": NOT_SHOWN,
        }
    )  # fmt: skip


def _entry(one: TimelineEntry, here: Set[str], seen: Set[str], names: Set[str], shown_as: Set[str]) -> TimelineEntry:
    """names: what people are called who are shown without these names; shown_as: what they are called here."""
    if one.artifact in here or one.kind in _ABOUT_TWO or (one.actor is not None and one.actor not in seen):
        return one.model_copy(update={"actor": None, "actor_name": None, "words": NOT_SHOWN, "restricted": True})
    kept = None if one.actor_name in names else one.actor_name
    if any(name in one.words for name in names) or (one.kind == "assigned" and not _to_whom(one.words, shown_as)):
        return one.model_copy(update={"actor_name": kept, "words": NOT_SHOWN})
    return one


def _to_whom(words: str, shown_as: Set[str]) -> bool:
    """Whether it was assigned to nobody, or to somebody who is shown: others may be known from elsewhere alone."""
    return " to " not in words or words.endswith((" to somebody", *(f" to {name}" for name in shown_as)))


def _link(one: LinkView, here: Set[str]) -> LinkView:
    return one.model_copy(update={"why": NOT_SHOWN}) if _speaks_of(one, here) else one


def _speaks_of(one: LinkView, here: Set[str]) -> bool:
    """Whether a link's sentence may speak of what is hidden. A decision's names more than the two."""
    return not here.isdisjoint((one.left, one.right)) or (bool(here) and one.evidence == "decision")


def _dependency(one: Dependency, here: Set[str]) -> Dependency:
    if one.other in here:
        return one.model_copy(update={"other_key": None, "other_title": None, "other_url": None, "why": NOT_SHOWN})
    return one.model_copy(update={"why": NOT_SHOWN}) if one.artifact in here else one


def _programme(one: Programme, here: Set[str]) -> Programme:
    if one.artifact in here:
        return one.model_copy(update={"natural_key": None, "title": None, "url": None, "why": NOT_SHOWN})
    return one.model_copy(update={"why": NOT_SHOWN}) if here else one


def _mark(one: ActivityMark | None, here: Set[str], seen: Set[str], away: Set[str]) -> ActivityMark | None:
    if one is None or one.actor is None or one.actor in seen:
        return one.model_copy(update={"actor": None}) if one and one.artifact in here else one
    hidden = one.artifact in here or connection_of(one.actor) in away
    return one.model_copy(update={"actor": None}) if hidden else one
