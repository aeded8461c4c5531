"""What a request waits on is another one, as a rule: what is needed of it to tell since when and until when. Pure."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import replace
from datetime import datetime

from pipelines.correlate import dating
from pipelines.store.components import StoredArtifact
from schemas.artifacts import Activity, ActivityKind, Evidence, Reference
from schemas.links import Group, Link

Happened = Mapping[str, Sequence[Activity]]
"""Artifact to its activities."""

_MOVES = frozenset({ActivityKind.CREATED, ActivityKind.STATUS, ActivityKind.DELETED, ActivityKind.MERGED})


def told_of(group: Group, known: Set[str]) -> set[str]:
    """Artifacts of whose activities the record is made: its own, and what they wait on. known: those that were read."""
    return set(group.artifacts) | (waited_for(group) & known)


def waited_for(group: Group) -> set[str]:
    """What things in the request wait on, or waited on until a tool took that back."""
    links = (*group.depends_on, *(link for link in group.past if link.kind == "depends on"))
    return {link.to_artifact for link in links if link.to_artifact}


def moves(group: Group, happened: Happened) -> Iterator[Activity]:
    """What happened to things outside that the request waits on, as far as it says whether they were done."""
    own = set(group.artifacts)
    for name in sorted(waited_for(group) - own):
        yield from (each for each in happened.get(name, ()) if each.kind in _MOVES or each.sets)


def names_of(artifact: str, references: Sequence[Reference]) -> frozenset[str]:
    """Keys of references by which others name an artifact."""
    return frozenset(one.key for one in references if one.evidence is Evidence.IDENTITY) | {artifact}


def dated(links: Sequence[Link], artifacts: Mapping[str, StoredArtifact], happened: Happened) -> tuple[Link, ...]:
    """Dependencies with since when they are there: most tools tell that in the histories of their ends only.

    Linear in the links and in what happened: what others waited for may have been linked thousands of times.
    """
    ends = {name for link in links for name in (link.from_artifact, link.to_artifact) if name and name in artifacts}
    known_as = {name: names_of(name, artifacts[name].references) for name in ends}
    made: dict[tuple[str, str], list[Activity]] = defaultdict(list)
    for end in ends:
        for each in happened.get(end, ()):
            for name in {name for name, _ in each.objects} if each.kind is ActivityKind.LINKED else ():
                made[end, name].append(each)
    return tuple(replace(link, since=_since(link, known_as, made)) for link in links)


def _since(
    link: Link, known_as: Mapping[str, frozenset[str]], made: Mapping[tuple[str, str], Sequence[Activity]]
) -> datetime | None:
    """made: by artifact and name of another, what linked these two."""
    one, other = link.from_artifact, link.to_artifact or ""
    told = {
        left: [each for name in sorted(known_as.get(right, ())) for each in made.get((left, name), ())]
        for left, right in ((one, other), (other, one))
    }
    return dating.since(link, known_as, told) or _other_end(link, known_as, told)


def _other_end(link: Link, known_as: Mapping[str, frozenset[str]], happened: Happened) -> datetime | None:
    """When what must come first was linked with the other, if it was once: in which way is told in words of its own."""
    names = known_as.get(link.from_artifact, frozenset())
    times = {
        each.at
        for each in happened.get(link.to_artifact or "", ())
        if each.kind is ActivityKind.LINKED and any(role == "linked" and name in names for name, role in each.objects)
        if link.until is None or each.at <= link.until
    }
    return times.pop() if len(times) == 1 else None
