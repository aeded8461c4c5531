"""What a reference means: which artifacts are known as its value, or which thing that was not read yet."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import NamedTuple, TypeAlias

from pipelines.correlate.dedicated import counted
from pipelines.correlate.rules import FREE_KINDS, Rules, owners, stated
from pipelines.references import LISTED, SMALL, own
from schemas.artifacts import Evidence, Reference
from schemas.canonical import instant
from schemas.links import Component, Node

NAMING = frozenset({Evidence.TITLE, Evidence.WRITTEN})
"""Evidence by which a text names a thing."""

Text: TypeAlias = tuple[str, object]
"""One of an artifact's texts: its field and time."""


def unread(connection: str, key: str) -> str:
    """The name of a thing that is known to exist in a connection ("" for none) but was not read."""
    return f"unread {connection or '-'} {key}"


def strength(reference: Reference) -> Evidence:
    """A request id is the hub's own and in no other use: whoever writes it down means the request."""
    if reference.kind == "request" and reference.evidence in NAMING:
        return Evidence.EXPLICIT
    return reference.evidence


def place(reference: Reference) -> tuple[object, ...]:
    """Orders references of one meaning: the first of them is told."""
    since = instant(reference.since) if reference.since else "~"
    return since, reference.field, reference.start, reference.key, reference.scope, reference.end, reference.around


class Named(NamedTuple):
    """A reference with the ends it may mean (artifacts, or a thing not read) and the connections they may be of."""

    reference: Reference
    ends: tuple[str, ...]
    owners: frozenset[str] = frozenset()

    @property
    def ambiguous(self) -> bool:
        """Whether several connections may be meant."""
        return len(self.owners) > 1


class Meanings:
    """The artifacts of a component, who is known as which value, and what follows for each reference."""

    def __init__(self, component: Component, rules: Rules) -> None:
        self.rules = rules
        ordered = sorted(component.nodes, key=lambda node: node.artifact)
        self.nodes = {node.artifact: counted(node, rules) for node in ordered}
        self.holders: dict[str, tuple[Node, ...]] = {}
        """By Reference.key, in the order of artifact ids."""
        self.held_as: dict[tuple[str, str], Reference] = {}
        """By artifact and key: how the artifact is known as it."""
        self._named_by: dict[str, int] = {}
        self._count(component.counts)
        self.meaningless = {name for name, key in self.held_as if key in rules.called_generic}
        """Artifacts known as a value that means nothing: what they state themselves joins nothing either."""
        self.known = {name: self._known(node) for name, node in self.nodes.items()}
        """By artifact: its references that mean something here."""
        self.texts = {name: _texts(known) for name, known in self.known.items()}
        """By artifact, for each text (field and time): the things that it names."""
        self.unknown = {name: _unknown(node, self.known[name]) for name, node in self.nodes.items()}
        """By artifact, for each text that is a list: keys at its lines' beginnings that mean nothing here, of projects
        that are not read. `UTF-8` within a sentence is none of them."""

    def _count(self, counts: Mapping[str, int]) -> None:
        holders: dict[str, list[Node]] = defaultdict(list)
        named_by: dict[str, int] = defaultdict(int)
        for node in self.nodes.values():
            is_known_as = [one for one in (*node.references, own(node.artifact)) if one.evidence is Evidence.IDENTITY]
            held = {one.key: one for one in sorted(is_known_as, key=place)}
            strong = {one.key for one in node.references if stated(one)}
            for key, reference in held.items():
                holders[key].append(node)
                self.held_as[node.artifact, key] = reference
            for key in {one.key for one in node.references if one.evidence in NAMING} - held.keys() - strong:
                named_by[key] += 1
        self.holders = {key: tuple(nodes) for key, nodes in holders.items()}
        self._named_by = {**named_by, **counts}

    def _known(self, node: Node) -> tuple[Named, ...]:
        named = (self._named(node, one) for one in node.references if one.evidence is not Evidence.IDENTITY)
        return tuple(one for one in named if one and (one.ends or one.ambiguous))

    def _named(self, node: Node, reference: Reference) -> Named | None:
        """What a reference means; None if nothing that is known here."""
        holders = self.holders.get(reference.key, ())
        if reference.kind in FREE_KINDS:
            if holders:
                return Named(reference, tuple(holder.artifact for holder in holders if holder is not node))
            # An address that nobody is known as may be any page; a reply header and a request id are certain.
            certain = reference.kind != "url" and strength(reference) is Evidence.EXPLICIT
            return Named(reference, (unread("", reference.key),)) if certain else None
        owning = owners(reference, node, holders, self.rules)
        if not owning:
            return None
        ends = tuple(holder.artifact for holder in holders if holder.connection in owning)
        if not ends and reference.relation == SMALL:
            return None
        if not ends and len(owning) == 1:
            ends = (unread(next(iter(owning)), reference.key),)
        return Named(reference, tuple(end for end in ends if end != node.artifact), owning)

    def generic(self, key: str) -> bool:
        """Whether too many artifacts name a value for it to join them."""
        return self.rules.is_generic(key, self._named_by.get(key, 0))

    def named_in(self, artifact: str, text: Text) -> int:
        """How many things a text names, also of projects that are not read."""
        return len(self.texts[artifact].get(text, ())) + len(self.unknown[artifact].get(text, ()))

    def digest(self, artifact: str) -> bool:
        """Whether a text of the artifact names many things."""
        return any(self.named_in(artifact, text) > self.rules.digest for text in self.texts[artifact])

    def things(self, artifact: str) -> set[str]:
        """What the artifact's texts name, digests left out."""
        texts = self.texts[artifact].items()
        return set().union(*(things for text, things in texts if self.named_in(artifact, text) <= self.rules.digest))


def _unknown(node: Node, known: Iterable[Named]) -> dict[Text, set[str]]:
    meant = {named.reference.key for named in known}
    texts: dict[Text, set[str]] = defaultdict(set)
    for one in node.references:
        if one.relation == LISTED and one.evidence in NAMING and one.kind not in FREE_KINDS and one.key not in meant:
            texts[one.field, one.since].add(one.key)
    return dict(texts)


def _texts(known: Iterable[Named]) -> dict[Text, set[str]]:
    texts: dict[Text, set[str]] = defaultdict(set)
    for reference, ends, _ in known:
        if reference.evidence in NAMING:
            texts[reference.field, reference.since].add(next(iter(ends), reference.key))
    return dict(texts)
