"""The rules of correlation: a frozen snapshot of configuration, and what follows from it for one artifact or value."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, is_dataclass
from typing import Any

from schemas.artifacts import Evidence, Reference
from schemas.canonical import canonical_json, digest
from schemas.links import LinkKind, Node

BUILT_IN: Mapping[str, LinkKind] = {
    "parent": "joins",
    "epic": "joins",
    "sub-task": "joins",
    "reply": "joins",
    "bounce": "joins",
    "forward": "joins",
    "association": "joins",
    "remote link": "joins",
    "merged into": "joins",
    "is": "joins",
    "request": "joins",
}
"""What explicit relations that every connector uses do, unless a connection's link kinds say otherwise."""

FREE_KINDS = frozenset({"message-id", "url", "request"})
"""Kinds of values that belong to no connection: they mean the same wherever they stand."""

_STATED = frozenset({Evidence.EXPLICIT, Evidence.WITHDRAWN})

_ENGLISH = "this issue "
"""How the words of a link's history begin in English: what follows is the whole relation, `indirectly blocks` too."""

DEDICATED = "dedicated field"
"""The relation of what stands in a field that a connection's rules say is meant for it."""

STRENGTHS = (Evidence.EXPLICIT, Evidence.TITLE, Evidence.WRITTEN)
"""Evidence that can join, strongest first. The order in which edges are joined, and dropped from the end."""


@dataclass(frozen=True, slots=True)
class ConnectionRules:
    """What is known of one connection."""

    connector: str
    projects: frozenset[str] = frozenset()
    """Keys of the projects it reads, in capitals, earlier keys too."""
    scopes: frozenset[str] = frozenset()
    """How addresses name it: hosts as references.scope_of gives them, `hubspot:<portal>`."""
    link_kinds: Mapping[str, LinkKind] = field(default_factory=dict)
    """Relations in lower case: the connector's defaults with the connection's own choices over them."""
    openers: frozenset[str] | None = None
    """Types that open a request, in any case; None: what opens by its nature, and standard issues."""
    reference_fields: Mapping[str, str] = field(default_factory=dict)
    """Fields that are meant for one kind of value, by id or name in lower case: to `hubspot.deal`, or to
    `hubspot.deal@crm` where it is that connection's."""
    whole_histories: frozenset[str] = frozenset()
    """Fields of which its tool tells every change since an artifact was created; `parent`: of what it hangs below."""


_UNKNOWN = ConnectionRules(connector="")


@dataclass(frozen=True, slots=True)
class Rules:
    """Everything correlation is told besides the artifacts."""

    connections: Mapping[str, ConnectionRules] = field(default_factory=dict)
    exclusive: frozenset[str] = frozenset({"deal"})
    """Kinds of artifacts of which a request holds two only by explicit evidence."""
    digest: int = 5
    """A text that names more things than this is a digest: it only mentions them."""
    generic: int = 50
    """A value that more artifacts than this name in a title or text joins nothing by being named there."""
    component: int = 1_000
    """The most artifacts that titles and written text may hold together."""
    called_generic: frozenset[str] = frozenset()
    """Values (by Reference.key) of which a person said that they join nothing, however they are stated."""
    called_specific: frozenset[str] = frozenset()
    """Values of which a person said that they mean one thing, however many artifacts name them."""

    def is_generic(self, key: str, named_by: int) -> bool:
        """Whether a value means too little to join those that name it. named_by: how many do in titles and texts."""
        return key in self.called_generic or (named_by > self.generic and key not in self.called_specific)

    def of(self, connection: str) -> ConnectionRules:
        """The rules of one connection; of one that is not configured (any more): no project, no scope, no choice."""
        return self.connections.get(connection, _UNKNOWN)

    def link_kind(self, node: Node, relation: str) -> LinkKind:
        """What an explicit relation stated by an artifact does."""
        relation = relation.lower()
        return self.of(node.connection).link_kinds.get(relation) or BUILT_IN.get(relation, "mentions")

    def relation_in(self, node: Node, words: str) -> str:
        """The relation that a history's words end in: `this issue is blocked by`, in whatever language they begin.

        The words themselves where no link kind is named so.
        """
        kinds, left = self.of(node.connection).link_kinds, words.lower()
        if left.startswith(_ENGLISH):
            return left.removeprefix(_ENGLISH)
        while left not in kinds and left:
            left = left.partition(" ")[2]
        return left or words

    def opens(self, node: Node) -> bool:
        """Whether the artifact opens a request. Automatic mail and what was merged into another never do."""
        if node.merged_into or automatic(node):
            return False
        chosen = self.of(node.connection).openers
        if chosen is not None:
            return (node.type or "").lower() in {name.lower() for name in chosen}
        return node.opens if node.opens is not None else node.type_level == 0


def fingerprint(rules: Rules) -> str:
    """Eight characters that are others as soon as any rule is: of a connection, or of all together."""
    return digest(canonical_json(_plain(rules)))[:8]


def _plain(value: Any) -> Any:
    if is_dataclass(value):
        return {one.name: _plain(getattr(value, one.name)) for one in fields(value)}
    if isinstance(value, Mapping):
        return {name: _plain(one) for name, one in value.items()}
    return sorted(value) if isinstance(value, frozenset) else value


def lay_below(reference: Reference) -> bool:
    """Whether it is what an artifact once lay below: that would keep together whatever was moved out of an epic."""
    return reference.evidence is Evidence.WITHDRAWN and reference.relation in BUILT_IN


def stated(reference: Reference) -> bool:
    """Whether its tool states it, or did once: then it is followed however many name the value, and a text of the same
    artifact that names it too is not counted."""
    return reference.evidence in _STATED and not lay_below(reference)


def says(words: str, relation: str) -> bool:
    """Whether a history's words (see `relation_in`) name a relation; both in lower case."""
    if words.startswith(_ENGLISH):
        return words == _ENGLISH + relation
    return f" {words}".endswith(f" {relation}")


def automatic(node: Node) -> bool:
    """Whether a mail was written by a machine, or to many: an auto-reply, a bounce, a list, a digest."""
    return node.kind == "mail" and node.type not in {None, "", "person"}


def container(node: Node) -> bool:
    """Whether other requests may lie under it: an epic, an initiative."""
    return (node.type_level or 0) > 0


def owners(reference: Reference, node: Node, holders: tuple[Node, ...], rules: Rules) -> frozenset[str]:
    """The connections whose value a reference may mean: none is unknown, several are ambiguous.

    A bare key in an artifact of a connection that owns the project means that connection's own.
    """
    if reference.scope in rules.connections:
        return frozenset({reference.scope})
    connector, _, sort = reference.kind.partition(".")
    named = {
        name
        for name, connection in rules.connections.items()
        if connection.connector == connector and (not reference.scope or reference.scope in connection.scopes)
    }
    holding = {holder.connection for holder in holders} & named
    if sort == "key":
        project = reference.value.rpartition("-")[0]
        named = {name for name in named if project in rules.connections[name].projects}
    owning = frozenset(named | holding)
    return frozenset({node.connection}) if not reference.scope and node.connection in owning else owning
