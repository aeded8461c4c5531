"""What a request is folded from: its artifacts as they stand, what happened to them, and who and what they point at."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from schemas.artifacts import Activity, Identity

TIMED = ("deleted", "merged_into", "out_of_scope")
"""Fields of which it matters when they were told: nothing else says since when."""


@dataclass(frozen=True, slots=True)
class Member:
    """One artifact's state, merged from all its tellings."""

    id: str
    connection: str
    """Of several that read it the first by name."""
    connector: str
    kind: str
    native_id: str
    fields: Mapping[str, Any] = field(default_factory=dict)
    """By the names of schemas.artifacts.FIELDS; instants as text."""
    times: Mapping[str, datetime] = field(default_factory=dict)
    """For each field of TIMED the tool's time of the telling it was taken from, where known."""
    why: str = ""
    """Why it belongs to the request, in one sentence."""
    also_read_by: tuple[str, ...] = ()
    """Further connections, sorted."""

    def text(self, name: str) -> str | None:
        """A field's text; None where it states none."""
        value = self.fields.get(name)
        return value if isinstance(value, str) and value else None

    @property
    def level(self) -> int:
        """1 for a container (epic, initiative), 0 for a standard thing, -1 for a sub-task."""
        value = self.fields.get("type_level")
        return value if isinstance(value, int) else 0

    @property
    def restricted(self) -> bool:
        """Whether its tool lets only some of its users read it."""
        audience = self.fields.get("audience")
        return audience is not None and isinstance(audience, (dict, Mapping)) and audience.get("level") == "restricted"


@dataclass(frozen=True, slots=True)
class LinkInput:
    """Two artifacts and what holds them together. left and right are artifact ids."""

    left: str
    right: str
    relation: str
    effect: str
    """`joins`, `depends on` (left cannot go on before right is done), `mentions`, or `programme` (one end is a member,
    the other contains it)."""
    evidence: str = ""
    why: str = ""
    since: datetime | None = None
    until: datetime | None = None
    """When its tool took it back; None while it stands."""


@dataclass(frozen=True, slots=True)
class RequestInput:
    """Everything the record of one request depends on. The order of any sequence has no effect."""

    id: str
    members: Sequence[Member]
    activities: Sequence[Activity] = ()
    """Of members and of others; those of anything else are ignored."""
    identities: Sequence[Identity] = ()
    persons: Mapping[str, str] = field(default_factory=dict)
    """Identity id to the id of whom a decision makes it one with. One that is missing is grouped by its address, else a
    person of its own."""
    elsewhere: frozenset[str] = frozenset()
    """Those of the identities that no artifact or activity of the request names."""
    links: Sequence[LinkInput] = ()
    past: Sequence[LinkInput] = ()
    """Links that were taken back: what waited by them waited, and an earlier moment shows them."""
    others: Sequence[Member] = ()
    """Artifacts outside the request that its links point at: blockers, what it blocks, programmes."""
    shows_restricted: frozenset[str] = frozenset()
    """Connections whose restricted content may be kept in records."""

    def hides(self, member: Member) -> bool:
        """Whether the member's title and texts stay out of the record."""
        return member.restricted and member.connection not in self.shows_restricted
