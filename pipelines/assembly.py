"""From stored rows to the pure steps' inputs, and from a record to the row it is stored as. Pure."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from pipelines.dependencies import dated, moves
from pipelines.lifecycle import etag, to_text
from pipelines.lifecycle.members import TIMED, LinkInput, Member, RequestInput
from pipelines.lifecycle.persons import persons
from pipelines.search import LONGEST_NAME, name_term, terms
from pipelines.store.components import Loaded, StoredArtifact
from pipelines.store.facts import CONNECTION
from pipelines.store.people import Known
from pipelines.store.requests import RequestRow
from schemas.artifacts import Activity, Identity, participants_in
from schemas.canonical import canonical_json, digest, instant
from schemas.links import Component, Group, Link, Node, Programme
from schemas.records import BRIEF, LifecycleRecord, PersonView
from schemas.stages import NOT_MAPPED

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

WITH_STATUS, UNMAPPED = "with status", "unmapped"
"""Kinds of facets that count a request's artifacts: [connection, count], [connection, kind, type, status, count]."""
_LABEL = 120
"""Characters kept of a type or a status there."""


def components_of(loaded: Loaded) -> list[list[str]]:
    """The loaded artifacts in parts that share no value, each sorted, ordered by their first."""
    parent: dict[str, str] = {artifact: artifact for artifact in loaded.artifacts}

    def root(name: str) -> str:
        while parent[name] != name:
            parent[name] = parent[parent[name]]
            name = parent[name]
        return name

    first: dict[str, str] = {}
    for artifact, value in loaded.edges:
        one, other = root(first.setdefault(value, artifact)), root(artifact)
        if one != other:
            parent[max(one, other)] = min(one, other)
    parts: dict[str, list[str]] = {}
    for artifact in sorted(loaded.artifacts):
        parts.setdefault(root(artifact), []).append(artifact)
    return list(parts.values())


def component_of(loaded: Loaded, artifacts: Iterable[str]) -> Component:
    """What correlation is told of one component."""
    names = tuple(artifacts)
    nodes = tuple(_node(loaded.artifacts[name]) for name in names)
    return Component(nodes, loaded.mentions, loaded.decisions.among(names))


def _node(artifact: StoredArtifact) -> Node:
    return Node(
        artifact=artifact.id,
        connection=artifact.connection,
        connector=artifact.connector,
        kind=artifact.kind,
        type=artifact.value("type"),
        type_level=artifact.value("type_level"),
        opens=artifact.value("opens"),
        created_at=artifact.value("created_at"),
        natural_key=artifact.value("natural_key"),
        title=artifact.value("title"),
        deleted=bool(artifact.value("deleted")),
        merged_into=artifact.value("merged_into"),
        updated_at=artifact.value("updated_at"),
        references=artifact.references,
    )


def basis_of(group: Group, programmes: Iterable[Programme]) -> str:
    """A digest of who is in a request and why: while it stays, only what its artifacts say can change the record."""
    return digest(repr(group), *(repr(one) for one in programmes))


def others_of(group: Group, programmes: Iterable[Programme]) -> set[str]:
    """Artifacts outside the request whose state its record shows."""
    links = group.depends_on + group.mentions + group.past
    named = {end for link in links for end in (link.from_artifact, link.to_artifact)}
    named |= {one.artifact for one in programmes}
    return {name for name in named if name} - set(group.artifacts)


@dataclass(frozen=True, slots=True)
class Who:
    """The people that a request may have to do with."""

    identities: tuple[Identity, ...]
    elsewhere: frozenset[str]
    """Those that nothing of the request names: they may be of one person with those it names."""
    persons: Mapping[str, str]


NOBODY = Who((), frozenset(), {})


def who(artifacts: Iterable[StoredArtifact], activities: Iterable[Activity], known: Known) -> Who:
    """Everybody these name, and who else may be one of them."""
    here = identities_named(artifacts, activities)
    around = known.around(here)
    identities = tuple(known.identities[name] for name in sorted(around) if name in known.identities)
    decided = known.decisions.among(around)
    return Who(identities, frozenset(around - here), persons(identities, decided))


def request_input(
    group: Group,
    programmes: tuple[Programme, ...],
    loaded: Loaded,
    activities: Mapping[str, Sequence[Activity]],
    people: Who,
    shows_restricted: frozenset[str],
) -> RequestInput:
    """What the fold is told of one request. activities: by artifact, of those that `dependencies.told_of` names."""
    why = _reasons(group)
    others = sorted(name for name in others_of(group, programmes) if name in loaded.artifacts)
    waits = dated(group.depends_on, loaded.artifacts, activities)
    links = [_link(link) for link in group.links + waits + group.mentions if link.to_artifact]
    links += [
        LinkInput(one.artifact, group.anchor, "programme", "programme", "explicit", _programme_why(one, group))
        for one in programmes
        if one.artifact
    ]
    return RequestInput(
        id=group.request,
        members=[_member(loaded.artifacts[name], why.get(name, "")) for name in group.artifacts],
        activities=[*(each for name in group.artifacts for each in activities[name]), *moves(group, activities)],
        identities=people.identities,
        persons=people.persons,
        elsewhere=people.elsewhere,
        links=links,
        past=[_link(link) for link in dated(group.past, loaded.artifacts, activities)],
        others=[_member(loaded.artifacts[name], "") for name in others],
        shows_restricted=shows_restricted,
    )


def _reasons(group: Group) -> dict[str, str]:
    """Artifact to the sentence of the link that ties it to the request's oldest part, over the fewest links.

    Two artifacts may meet in a thing that was not read: what both answer, or name.
    """
    ties: dict[str, list[tuple[str, str]]] = defaultdict(list)
    for link in group.links:
        other = link.to_artifact or link.unread
        ties[link.from_artifact].append((other, link.why))
        ties[other].append((link.from_artifact, link.why))
    why = {group.anchor: "It is the oldest part of the request"}
    reached = [group.anchor]
    for name in reached:
        for other, reason in ties[name]:
            if other not in why:
                why[other] = reason
                reached.append(other)
    return why


def _programme_why(programme: Programme, group: Group) -> str:
    """The sentence of the link by which the request, or a programme inside that it belongs to, lies below it."""
    own = {*group.artifacts, *group.programmes} - {programme.key}
    links = (one for one in programme.links if own & {one.from_artifact, one.to_artifact, one.unread})
    link = next(links, None)
    return link.why if link else f"Belongs to {programme.name}"


def _link(link: Link) -> LinkInput:
    assert link.to_artifact is not None
    return LinkInput(
        link.from_artifact, link.to_artifact, link.relation, link.kind, link.evidence.value, link.why,
        link.since, link.until,
    )  # fmt: skip


def _member(artifact: StoredArtifact, why: str) -> Member:
    fields = {name: told[2] for name, told in artifact.fields.items() if not name.startswith(CONNECTION)}
    times = {
        name: EPOCH + timedelta(microseconds=told[0])
        for name in TIMED
        if (told := artifact.fields.get(name)) is not None and told[0] > 0
    }
    native = artifact.id.split("/", 2)[2]
    readers = (name.removeprefix(CONNECTION) for name in artifact.fields if name.startswith(CONNECTION))
    also = tuple(sorted(name for name in readers if name != artifact.connection))
    return Member(
        artifact.id, artifact.connection, artifact.connector, artifact.kind, native, fields, times, why, also
    )  # fmt: skip


def identities_named(artifacts: Iterable[StoredArtifact], activities: Iterable[Activity]) -> set[str]:
    """Identities that the artifacts' people fields and the activities name."""
    names: set[Any] = {activity.actor for activity in activities}
    for artifact in artifacts:
        names |= {artifact.value("requester"), artifact.value("assignee")}
        names |= participants_in(artifact.value("participants"))
    return {name for name in names if isinstance(name, str)}


def request_row(told: RequestInput, record: LifecycleRecord, component: str, basis: str) -> RequestRow:
    """The row a record is stored as that was folded from this."""
    text = to_text(record)
    return RequestRow(
        id=record.id,
        component=component,
        record=text,
        etag=etag(text),
        basis=basis,
        title=record.title or "",
        stage=record.current.stage,
        state=record.current.state or "",
        opened_at=_sortable(record.created_at),
        updated_at=_sortable(record.changed_at),
        stage_since=_sortable(record.current.stage_since),
        brief=record.model_dump_json(include=set(BRIEF)),
        facets=facets_of(record, told.identities, told.elsewhere),
    )


def _sortable(at: datetime | None) -> str:
    return instant(at) if at else ""


def facets_of(
    record: LifecycleRecord, identities: Iterable[Identity] = (), elsewhere: Set[str] = frozenset()
) -> frozenset[tuple[str, str]]:
    """(kind, value) of everything by which a request is found.

    identities: all that it was folded from; elsewhere: those of them that it does not name.
    """
    return frozenset(_facets(record, {one.id for one in identities}, elsewhere))


def _facets(record: LifecycleRecord, identities: Set[str], elsewhere: Set[str]) -> Iterable[tuple[str, str]]:
    yield "stage", record.current.stage
    yield "state", record.current.state or ""
    yield "standing", f"{record.current.stage}/{record.current.state or ''}"  # to be counted
    if record.business_unit:
        yield "unit", name_term(record.business_unit)
    for project in record.projects:
        yield "project", project[:LONGEST_NAME]
    for programme in record.programmes:
        yield "programme", programme.artifact
    for artifact in record.artifacts:
        yield "tool", artifact.connector
        yield from (("connection", name) for name in (artifact.connection, *artifact.also_read_by))
        yield from (("word", word) for word in terms(f"{artifact.title or ''} {artifact.natural_key or ''}"))
    yield from _people_facets(record, identities, elsewhere)
    yield from _mapping_facets(record)


def _people_facets(record: LifecycleRecord, identities: Set[str], elsewhere: Set[str]) -> Iterable[tuple[str, str]]:
    shown = {name for person in record.people for name in _names_of(person)} | (identities - elsewhere)
    yield from (("person", name) for name in shown)
    yield from (("considered", name) for name in identities - shown)
    yield from (("word", word) for person in record.people for word in terms(person.name or ""))
    holder = record.holder.person if record.holder else None
    yield from (("requester", name) for name in _names_of(record.requester))
    yield from (("holder", name) for name in _names_of(holder))


def _names_of(person: PersonView | None) -> Iterable[str]:
    """By what somebody is asked for: ids, addresses, and names as they are normalised."""
    if person is None:
        return
    yield from (person.id, *person.identities, *person.elsewhere)
    yield from filter(None, (one.address for one in person.known_as))
    yield from filter(None, map(name_term, {one.name for one in person.known_as if one.name}))


def _mapping_facets(record: LifecycleRecord) -> Iterable[tuple[str, str]]:
    """How many artifacts have a status, by connection, and how many of which status no row of the stage map knows."""
    carriers = [one for one in record.artifacts if one.status is not None]
    for connection, count in Counter(one.connection for one in carriers).items():
        yield WITH_STATUS, canonical_json([connection, count])
    unmapped = Counter(
        (one.connection, one.kind, (one.type or "")[:_LABEL], (one.status or "")[:_LABEL])
        for one in carriers
        if one.stage == NOT_MAPPED
    )
    for named, count in unmapped.items():
        yield UNMAPPED, canonical_json([*named, count])
