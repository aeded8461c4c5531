"""What each reference counts for: it joins, states a dependency, only mentions, or means nothing that is known here."""

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta

from pipelines.correlate.edges import Edge
from pipelines.correlate.meaning import Meanings, Named, Text, place, strength, unread
from pipelines.correlate.rules import FREE_KINDS, Rules, automatic, container
from pipelines.correlate.withdrawing import standing, withdrawn
from schemas.artifacts import Evidence, Reference
from schemas.canonical import parse_instant
from schemas.links import Component, LinkKind, Node

INVERSE = {
    "blocks": "is blocked by",
    "is depended on by": "depends on",
    "is required by": "requires",
    "gates": "is gated by",
}
"""Dependencies as the one waited for states them, and the same as the one that waits would."""

_A_MINUTE = timedelta(minutes=1)
_A_FORTNIGHT = timedelta(days=14)

_OTHER_USE = "the old thread was used for something else"
_WORD = re.compile(r"[^\W\d_]{4,}")
"""In most languages the words that say nothing of a matter are shorter."""

CALLED_GENERIC = "somebody said that it means nothing by itself"

_PREFIX = re.compile(
    r"(?:re|fwd?|aw|wg|sv|vs|tr|rv|antw|odp|ynt|ref|rif|doorst)(?:\[\d+\])?\s*:|\[ext(?:ern(?:al)?)?\]"
)


@dataclass(slots=True)
class Weighed:
    """A component's references, weighed."""

    nodes: dict[str, Node]
    joins: list[Edge] = field(default_factory=list)
    depends: list[Edge] = field(default_factory=list)
    mentions: list[Edge] = field(default_factory=list)
    past: dict[LinkKind, list[Edge]] = field(default_factory=dict)
    """What tools took back, by what it did; the time of the reference is when."""
    levels: dict[str, int] = field(default_factory=dict)
    """Level of each end that is a container, read or not."""
    unknown: Mapping[str, Mapping[Text, set[str]]] = field(default_factory=dict)
    """Keys at the beginnings of listed lines that mean nothing here (see `Meanings`)."""


def weigh(component: Component, rules: Rules) -> Weighed:
    """Each reference of each artifact, weighed by the rules. Linear in the number of references."""
    meanings = Meanings(component, rules)
    weighed = Weighed(meanings.nodes, unknown=meanings.unknown)
    weighed.levels = {name: node.type_level or 1 for name, node in meanings.nodes.items() if container(node)}
    edges = [edge for node in meanings.nodes.values() for edge in _edges(node, meanings, weighed.levels)]
    gone = [edge for node in meanings.nodes.values() for edge in withdrawn(node, meanings)]
    edges = _logged_on_several([*standing(edges, gone, meanings.nodes), *_same(meanings)], meanings)
    for edge in _distinct(edges):
        if edge.kept:
            weighed.mentions.append(edge)
        elif _kind(meanings.nodes[edge.source], edge.reference, rules) == "depends on":
            weighed.depends.append(edge)
        else:
            weighed.joins.append(edge)
    weighed.depends = _distinct(_from_who_waits(weighed.depends, meanings.nodes))
    weighed.past = _past(gone, meanings)
    return weighed


def _distinct(edges: Iterable[Edge]) -> list[Edge]:
    """One edge for each pair of ends, strength, relation and outcome, told by its first place; in order."""
    first: dict[tuple[object, ...], Edge] = {}
    for edge in sorted(edges, key=lambda edge: place(edge.reference)):
        first.setdefault((edge.order, edge.kept), edge)
    return sorted(first.values(), key=lambda edge: (edge.order, edge.kept))


def _from_who_waits(edges: Iterable[Edge], nodes: Mapping[str, Node]) -> Iterator[Edge]:
    for edge in edges:
        inverse = INVERSE.get(edge.reference.relation.lower())
        if inverse and edge.target in nodes:
            turned = replace(edge.reference, relation=inverse)
            edge = replace(edge, source=edge.target, target=edge.source, reference=turned)
        yield edge


def _past(gone: Iterable[Edge], meanings: Meanings) -> dict[LinkKind, list[Edge]]:
    found: dict[LinkKind, list[Edge]] = defaultdict(list)
    for edge in gone:
        node = meanings.nodes[edge.source]
        if _means_nothing(node, edge.reference, meanings):
            continue
        said = replace(edge.reference, relation=meanings.rules.relation_in(node, edge.reference.relation))
        found[meanings.rules.link_kind(node, said.relation)].append(replace(edge, reference=said))
    return {kind: _distinct(_from_who_waits(edges, meanings.nodes)) for kind, edges in found.items()}


def _kind(node: Node, reference: Reference, rules: Rules) -> LinkKind:
    """What a reference does: by its relation where it is explicit. A request id always joins."""
    if reference.evidence is not Evidence.EXPLICIT or reference.kind == "request":
        return "joins"
    return rules.link_kind(node, reference.relation)


def _edges(node: Node, meanings: Meanings, levels: dict[str, int]) -> Iterator[Edge]:
    """The edges that an artifact's references make. Adds the level of containers that were not read."""
    if node.merged_into:
        merge = Reference("artifact", "", node.merged_into, Evidence.EXPLICIT, "merged into")
        yield Edge(Evidence.EXPLICIT, node.artifact, node.merged_into, merge)
    replies = _replies(node, meanings)
    for named in meanings.known[node.artifact]:
        reference = named.reference
        if reference.evidence is Evidence.WITHDRAWN:
            continue
        kept = _kept(node, named, meanings)
        if not kept and _replying(reference):
            if reference.key not in replies:
                continue
            kept = replies[reference.key]
        for end in named.ends or (unread("", reference.key),):
            if end not in meanings.nodes and _names_container(node, reference):
                levels[end] = max(levels.get(end, 0), 1 + (node.type_level or 0))
            yield Edge(strength(reference), node.artifact, end, reference, kept)


def _names_container(node: Node, reference: Reference) -> bool:
    """Whether a thing not read must be a container: an epic, or the parent of what is no sub-task."""
    if reference.evidence is not Evidence.EXPLICIT:
        return False
    return reference.relation == "epic" or (
        reference.relation == "parent" and node.type_level is not None and node.type_level >= 0
    )


def _kept(node: Node, named: Named, meanings: Meanings) -> str:
    """What keeps a reference from joining; "" for nothing."""
    reference = named.reference
    if reference.evidence is Evidence.QUOTED:
        return "it stands only in quoted text, a signature or what a machine wrote"
    if _kind(node, reference, meanings.rules) == "mentions":
        return "this kind of link does not join"
    if _means_nothing(node, reference, meanings):
        return CALLED_GENERIC
    if named.ambiguous:
        return f"{len(named.owners)} connections may mean it"
    if reference.evidence is Evidence.EXPLICIT and reference.kind == "message-id":
        return "several different mails bear that Message-ID" if _strangers(named, meanings) else ""
    if any(end in meanings.nodes and automatic(meanings.nodes[end]) for end in named.ends):
        return "automatic mail is joined by reply only"
    if automatic(node) and not _subject_alone(node, reference, meanings):
        return "automatic mail joins by reply, and by the one thing that its subject names"
    return "" if reference.evidence is Evidence.EXPLICIT else _crowded(node, reference, meanings)


def _means_nothing(node: Node, reference: Reference, meanings: Meanings) -> bool:
    """Whether somebody said that what it names, or what states it, means nothing by itself."""
    return reference.key in meanings.rules.called_generic or node.artifact in meanings.meaningless


def _strangers(named: Named, meanings: Meanings) -> bool:
    """Whether the mails that bear one Message-ID are not copies of one mail."""
    ends = [meanings.nodes[end] for end in named.ends if end in meanings.nodes]
    return any(not copies(ends[0], other) for other in ends[1:])


def _subject_alone(node: Node, reference: Reference, meanings: Meanings) -> bool:
    """Whether it is the one thing that a subject names: a notice of a tool, a portal's copy, a list's mail about it."""
    return (
        reference.evidence is Evidence.TITLE
        and len(meanings.texts[node.artifact][reference.field, reference.since]) == 1
    )


def _crowded(node: Node, reference: Reference, meanings: Meanings) -> str:
    # A request id means one thing however many write it down; a text that names many speaks of each of them alone.
    # No exact count of the first: it would change in every request that names the value whenever one more does.
    if reference.kind != "request" and meanings.generic(reference.key):
        return f"more than {meanings.rules.generic} artifacts name it"
    count = meanings.named_in(node.artifact, (reference.field, reference.since))
    return f"the text names {count} things" if count > meanings.rules.digest else ""


def _replying(reference: Reference) -> bool:
    return reference.kind == "message-id" and reference.evidence is Evidence.EXPLICIT and reference.relation == "reply"


def _replies(node: Node, meanings: Meanings) -> dict[str, str]:
    """Message-IDs by which a mail joins what it answers, and what keeps it from joining ("" for nothing).

    The direct parent speaks for the whole thread, so that what breaks off from a thread takes its answers along.
    """
    headers = [named.reference for named in meanings.known[node.artifact] if _replying(named.reference)]
    keys = {reference.key for reference in headers}
    direct = {reference.key for reference in headers if reference.field.lower() == "in-reply-to"}
    read = keys & meanings.holders.keys()
    nearest = sorted(direct & read) or sorted(read, key=lambda key: _created(meanings.holders[key]))[-1:]
    if nearest and (reason := _breaks_off(node, meanings.holders[nearest[0]][0], meanings)):
        return dict.fromkeys(nearest, reason)
    unread_ones = set() if direct & read else keys - read
    return dict.fromkeys([*nearest, *unread_ones], "")


def _created(holders: tuple[Node, ...]) -> tuple[str, str]:
    return max((holder.created_at or "", holder.artifact) for holder in holders)


def _breaks_off(node: Node, parent: Node, meanings: Meanings) -> str:
    """Why an answer that names things of its own does not belong to the mail it answers; "" if it does.

    Where both name a thing, that thing joins them anyway. One that names nothing breaks off where it comes long after
    under a subject with hardly a word of the old one: mail programs go by subjects in this too.
    """
    things = meanings.things(node.artifact)
    if not things:
        return _OTHER_USE if _begins_anew(node, parent) else ""
    if things & meanings.things(parent.artifact):
        return ""
    if meanings.digest(parent.artifact):
        return "that mail names many things and this one names its own"
    old, new = bare_subject(parent.title), bare_subject(node.title)
    changed = old and new and old not in new and new not in old
    return _OTHER_USE if changed else ""


def _begins_anew(node: Node, parent: Node) -> bool:
    """Whether a mail that a person wrote answers an old mail of a person under a subject of its own."""
    if automatic(node) or automatic(parent) or not node.created_at or not parent.created_at:
        return False
    if parse_instant(node.created_at) - parse_instant(parent.created_at) < _A_FORTNIGHT:
        return False
    before, after = bare_subject(parent.title), bare_subject(node.title)
    if before in after or after in before:
        return False
    old, new = set(_WORD.findall(before)), set(_WORD.findall(after))
    return bool(old and new) and 2 * len(old & new) < min(len(old), len(new))


def bare_subject(title: str | None) -> str:
    """A subject without its prefixes, as it is compared."""
    subject = " ".join((title or "").lower().split())
    while found := _PREFIX.match(subject):
        subject = subject[found.end() :].lstrip()
    return subject


def _same(meanings: Meanings) -> Iterator[Edge]:
    """Edges between artifacts that are known as the same value of the same owner: copies of one thing."""
    for key, holders in meanings.holders.items():
        if key in meanings.rules.called_generic:
            continue
        before: dict[str, list[Node]] = defaultdict(list)
        for node in holders:
            reference = meanings.held_as[node.artifact, key]
            others = before["" if reference.kind in FREE_KINDS else node.connection]
            other = next((one for one in reversed(others) if copies(one, node)), None)
            if other is not None:
                held = replace(reference, evidence=Evidence.EXPLICIT, relation="is")
                yield Edge(Evidence.EXPLICIT, other.artifact, node.artifact, held)
            others.append(node)


def copies(one: Node, other: Node) -> bool:
    """Whether two things under one name can be one: two mails with one Message-ID only if they were sent within a
    minute and have one subject. Some senders give many mails one Message-ID."""
    if one.kind != "mail" or other.kind != "mail":
        return True
    old, new = bare_subject(one.title), bare_subject(other.title)
    if old and new and old not in new and new not in old:  # a mailing list puts its name before
        return False
    if not one.created_at or not other.created_at:
        return one.created_at == other.created_at
    return abs(parse_instant(one.created_at) - parse_instant(other.created_at)) <= _A_MINUTE


def _logged_on_several(edges: list[Edge], meanings: Meanings) -> list[Edge]:
    """Notes and logged mails that a CRM associates with several deals join none: CRMs associate them with every
    open deal of a contact by default."""
    several: dict[str, set[str]] = defaultdict(set)
    pairs = [_logged(edge, meanings) for edge in edges]
    for pair in pairs:
        if pair:
            several[pair[0]].add(pair[1])
    return [
        replace(edge, kept="it is logged on several at once") if pair and len(several[pair[0]]) > 1 else edge
        for edge, pair in zip(edges, pairs, strict=True)
    ]


def _logged(edge: Edge, meanings: Meanings) -> tuple[str, str] | None:
    """(what only joins, what it is associated with) of an association with something of an exclusive kind."""
    if edge.kept or edge.reference.relation != "association":
        return None
    for joiner, other in ((edge.source, edge.target), (edge.target, edge.source)):
        low, high = meanings.nodes.get(joiner), meanings.nodes.get(other)
        if low and high and _exclusive(high, meanings.rules) and not _exclusive(low, meanings.rules):
            return None if meanings.rules.opens(low) else (joiner, other)
    return None


def _exclusive(node: Node, rules: Rules) -> bool:
    return node.kind in rules.exclusive and not node.merged_into
