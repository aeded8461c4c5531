"""A record as those see it who may not read some of its connections: stages and times stay, content goes. Pure."""

from collections.abc import Iterable, Set
from typing import Any

from pipelines.lifecycle.people import called
from schemas.artifacts import request_id
from schemas.records import (
    ActivityMark,
    ArtifactView,
    Dependency,
    Expected,
    FieldSource,
    Holder,
    KnownAs,
    LastSaid,
    LifecycleRecord,
    LinkView,
    PersonView,
    Programme,
    SourceOther,
    TimelineEntry,
)

NOT_SHOWN = "Not shown: its connection restricts who may read it"

_CHOSEN = ("title", "business_unit", "priority", "amount", "outcome")
"""Fields that are taken from one artifact, as `sources` says."""

ANYBODYS = frozenset({"mail"})
"""What ids begin with that are of no one connection: mails and their addresses. Which of them brought what a request
does not hold is not known: it is of any."""

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
    sight = _Sight(record, hidden, elsewhere)
    mine = {one.id: hidden >= {one.connection, *one.also_read_by} for one in record.artifacts}
    here = {one for one in (*mine, *_named(record)) if mine.get(one, connection_of(one) in sight.away)}
    reasons = {one.why for one in record.links if not _speaks_of(one, here)}
    reasons |= {one.why for one in record.artifacts if request_id(one.id) == record.id}  # "It is the oldest part"
    keys = {one.natural_key for one in record.artifacts if one.natural_key and one.id not in here}
    blocked_by = tuple(_dependency(one, here) for one in record.blocked_by)
    known = {one.other_key for one in blocked_by if one.other_key}
    return record.model_copy(
        update={
            "requester": sight.person(record.requester),
            "holder": _holder(record.holder, here, sight),
            "people": sight.people,
            "projects": tuple(one for one in record.projects if any(key.startswith(f"{one}-") for key in keys)),
            "timeline": record.timeline.model_copy(
                update={"entries": tuple(_entry(one, here, sight) for one in record.timeline.entries)}
            ),
            "artifacts": tuple(_artifact(one, here, sight, reasons) for one in record.artifacts),
            "links": tuple(_link(one, here) for one in record.links),
            "blocked_by": blocked_by,
            "blocks": tuple(_dependency(one, here) for one in record.blocks),
            "programmes": tuple(_programme(one, here) for one in record.programmes),
            "dates": tuple(one for one in record.dates if one.artifact not in here),
            "last_said": _said(record.last_said, here, sight),
            "expected": _expected(record.expected, known) if here else record.expected,
            "not_mapped": record.not_mapped.model_copy(
                update={
                    "statuses": tuple(one for one in record.not_mapped.statuses if one.connection not in hidden)
                }
            ),
            "last_human": _mark(record.last_human, here, sight),
            "last_automatic": _mark(record.last_automatic, here, sight),
            "restricted": record.restricted
            + sum(one.id in here and not one.restricted for one in record.artifacts),
            **_chosen(record, here, sight),
        }
    )  # fmt: skip


class _Sight:
    """What may be seen of a record's people: those whom the other connections name, called as the others call them."""

    def __init__(self, record: LifecycleRecord, hidden: Set[str], elsewhere: Set[str]) -> None:
        self._hidden = hidden
        self.away = hidden | elsewhere | (ANYBODYS if hidden or elsewhere else frozenset())
        """What ids begin with of which nothing is told that the record does not hold."""
        seen = {one.id: self.person(one) for one in record.people}
        self._seen = {name: one for name, one in seen.items() if one is not None}
        self.people = tuple(self._seen.values())
        self.names = _names(self.people)
        """What those who are seen are called."""
        self.unsaid = _names(record.people) - self.names

    def id_of(self, person: str | None) -> str | None:
        """By which id somebody of the record's people is seen, if they are."""
        seen = self._seen.get(person or "")
        return seen.id if seen else None

    def name_of(self, person: str | None) -> str | None:
        """What they are called, likewise."""
        seen = self._seen.get(person or "")
        return (seen.name or seen.address) if seen else None

    def person(self, person: PersonView | None) -> PersonView | None:
        """Somebody as far as they are seen."""
        if person is None:
            return None
        known_as = tuple(shown for one in person.known_as if (shown := self._known_as(one)))
        seen = {one.identity for one in known_as}
        identities = tuple(one for one in person.identities if one in seen)
        if not identities:
            return None
        return person.model_copy(
            update={
                **called(known_as),
                "id": person.id if person.id in seen else identities[0],
                "roles": person.roles if identities == person.identities else (),
                "identities": identities,
                "elsewhere": tuple(one for one in person.elsewhere if one in seen),
                "known_as": known_as,
            }
        )

    def _known_as(self, one: KnownAs) -> KnownAs | None:
        scope = connection_of(one.identity)
        if not one.connections:
            return one if scope not in self.away else None
        left = tuple(name for name in one.connections if name not in self._hidden)
        return one.model_copy(update={"connections": left}) if left and scope not in self._hidden else None


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


def _chosen(record: LifecycleRecord, here: Set[str], sight: _Sight) -> dict[str, Any]:
    """Fields that came from what is hidden: as another artifact states them, or not at all."""
    values: dict[str, Any] = {}
    sources: dict[str, FieldSource] = {}
    for name, source in record.sources.items():
        others = tuple(_other(name, source.others, here, sight))
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


def _other(name: str, others: Iterable[SourceOther], here: Set[str], sight: _Sight) -> Iterable[SourceOther]:
    """What else is stated of a field, where it may be seen."""
    for one in others:
        if one.artifact in here:
            continue
        person = sight.id_of(str(one.value)) if name in _PEOPLE else None
        if person:
            yield one.model_copy(update={"value": person})
        elif name not in _PEOPLE or connection_of(str(one.value)) not in sight.away:
            yield one


def _holder(one: Holder | None, here: Set[str], sight: _Sight) -> Holder | None:
    person = None if one is None or one.artifact in here else sight.person(one.person)
    return one.model_copy(update={"person": person}) if one and person else None


def _names(people: Iterable[PersonView]) -> set[str]:
    return {name for one in people for name in (one.name, one.address) if name}


def _said(one: LastSaid | None, here: Set[str], sight: _Sight) -> LastSaid | None:
    if one is None or one.artifact in here:
        return None
    return one.model_copy(update={"by": sight.id_of(one.by), "by_name": sight.name_of(one.by)})


def _artifact(one: ArtifactView, here: Set[str], sight: _Sight, reasons: Set[str]) -> ArtifactView:
    """reasons: sentences that speak of nothing hidden."""
    if one.id not in here:
        why = one.why if one.why in reasons else NOT_SHOWN
        return one.model_copy(update={"assignee": sight.id_of(one.assignee), "why": why})
    return one.model_copy(
        update={
            "natural_key": None, "url": None, "title": None, "type": None, "status": None, "waiting": None,
            "mapped_by": NOT_SHOWN, "assignee": None, "restricted": True, "why": NOT_SHOWN,
        }
    )  # fmt: skip


def _entry(one: TimelineEntry, here: Set[str], sight: _Sight) -> TimelineEntry:
    actor = sight.id_of(one.actor)
    if one.artifact in here or one.kind in _ABOUT_TWO or (one.actor is not None and actor is None):
        return one.model_copy(update={"actor": None, "actor_name": None, "words": NOT_SHOWN, "restricted": True})
    name = sight.name_of(one.actor)
    words = _said_of(one, name)
    if any(each in words for each in sight.unsaid) or (one.kind == "assigned" and not _to_whom(words, sight.names)):
        words = NOT_SHOWN
    return one.model_copy(update={"actor": actor, "actor_name": name, "words": words})


def _said_of(one: TimelineEntry, name: str | None) -> str:
    """The sentence of an entry about whom it is told of: it begins with what they are called."""
    if one.actor_name is None or one.actor_name == name or not one.words.startswith(f"{one.actor_name} "):
        return one.words
    return f"{name or 'Somebody'}{one.words.removeprefix(one.actor_name)}"


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


def _mark(one: ActivityMark | None, here: Set[str], sight: _Sight) -> ActivityMark | None:
    if one is None or one.actor is None:
        return one
    actor = sight.id_of(one.actor) or (one.actor if connection_of(one.actor) not in sight.away else None)
    return one.model_copy(update={"actor": None if one.artifact in here else actor})
