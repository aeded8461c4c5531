"""Links: which artifacts are held to belong together, and why; and the requests that follow from them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from schemas.artifacts import Evidence, Reference
from schemas.decisions import Decision

LinkKind = Literal["joins", "depends on", "mentions", "programme"]
"""What a link does: holds a request together, carries waiting, is only shown, or attaches to a programme."""


@dataclass(frozen=True, slots=True)
class LinkType:
    """A tool's type of link: its name, and what each of two linked things says of the other."""

    name: str
    outward: str
    inward: str

    @property
    def directions(self) -> tuple[str, ...]:
        """Both, in lower case as relations are stored; one where they are the same."""
        return tuple(dict.fromkeys(one.strip().lower() for one in (self.outward, self.inward)))


@dataclass(frozen=True, slots=True)
class Node:
    """An artifact as correlation sees it, with all the references that stand today (withdrawn ones are absent)."""

    artifact: str
    connection: str
    connector: str
    kind: str
    type: str | None = None
    type_level: int | None = None
    """1 and more: container (epic 1, initiative 2), 0 standard, -1 sub-task; None where the tool has no levels."""
    opens: bool | None = None
    """Whether it may open a request by its nature; None if its mapping does not say."""
    created_at: str | None = None
    """The tool's immutable time of creation, as schemas.canonical.instant writes it; None if unknown."""
    natural_key: str | None = None
    title: str | None = None
    deleted: bool = False
    merged_into: str | None = None
    updated_at: str | None = None
    """Until when its tool's telling of it reaches, as schemas.canonical.instant writes it; None if unknown."""
    references: tuple[Reference, ...] = ()


@dataclass(frozen=True, slots=True)
class Component:
    """Artifacts that may have to do with each other: closed over the values that can join."""

    nodes: tuple[Node, ...]
    counts: Mapping[str, int] = field(default_factory=dict)
    """How many artifacts name a value (by Reference.key) in a title or in written text, for values that stand on more
    artifacts than are given here. Explicit references do not count: an epic may have a hundred children."""
    decisions: tuple[Decision, ...] = ()
    """Those that hold and name any of the artifacts, or what one of these is said to belong to."""


@dataclass(frozen=True, slots=True)
class Link:
    """Two artifacts held to belong together (or that only speak of each other), with the evidence."""

    from_artifact: str
    to_artifact: str | None
    """None: the thing named was not read yet."""
    key: str
    """What they share, as Reference.key."""
    kind: LinkKind
    evidence: Evidence
    relation: str
    """As in Reference. Of a dependency the first artifact waits for the second (`is blocked by`)."""
    why: str
    """One plain sentence."""
    rule: str
    kept: str = ""
    """What kept a mention from joining; "" for links that join and for dependencies."""
    decision: int | None = None
    """Number of the decision by which it joins, or that keeps it from joining."""
    field: str = ""
    start: int = -1
    end: int = -1
    around: str = ""
    since: datetime | None = None
    until: datetime | None = None
    """When its tool took it back; None while it stands."""
    unread: str = ""
    """The name of the thing meant, where it was not read: links to one thing bear one name."""


@dataclass(frozen=True, slots=True)
class Programme:
    """What several requests belong to: an epic or initiative through which two openers are never joined."""

    key: str
    """The container's artifact id, or `unread <connection> <kind|value>` while it was not read."""
    artifact: str | None
    name: str
    """Its natural key or value."""
    requests: tuple[str, ...] = ()
    """Ids of the requests that belong to it, sorted."""
    artifacts: tuple[str, ...] = ()
    """Artifacts attached to it that are in no request, sorted; the container itself where it is in none."""
    links: tuple[Link, ...] = ()


@dataclass(frozen=True, slots=True)
class Group:
    """The artifacts of one request."""

    request: str
    """The request id that its anchor owns."""
    anchor: str
    artifacts: tuple[str, ...]
    openers: tuple[str, ...]
    links: tuple[Link, ...] = ()
    depends_on: tuple[Link, ...] = ()
    """Dependencies that leave or enter the request, and those inside it."""
    mentions: tuple[Link, ...] = ()
    """What only mentions it or is only mentioned by it."""
    past: tuple[Link, ...] = ()
    """What its tools took back: dependencies, and what joined two that are in it by other evidence."""
    programmes: tuple[str, ...] = ()
    """Keys of the programmes it belongs to."""
    remarks: tuple[str, ...] = ()
    """What was left out while it was put together, in plain sentences."""


@dataclass(frozen=True, slots=True)
class Groups:
    """What correlation makes of a component."""

    requests: tuple[Group, ...] = ()
    """Sorted by request id."""
    outside: tuple[str, ...] = ()
    """Artifacts in no request, sorted."""
    programmes: tuple[Programme, ...] = ()
    remarks: tuple[str, ...] = ()
    loose: tuple[Link, ...] = ()
    """Links between what is in no request, of every kind."""
    kept_out: tuple[tuple[str, int], ...] = ()
    """Artifacts in no request, each with the number of the first decision without which it might be in one."""
