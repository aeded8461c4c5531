"""A reference between two ends, as correlation weighs it."""

from dataclasses import dataclass

from schemas.artifacts import EVIDENCE_ORDER, Evidence, Reference
from schemas.canonical import instant
from schemas.decisions import Decision


@dataclass(frozen=True, slots=True)
class Edge:
    """A reference between two ends. An end is an artifact's id, or the name of a thing not read (see `unread`)."""

    strength: Evidence
    source: str
    target: str
    reference: Reference
    kept: str = ""
    """What keeps it from joining."""
    decision: Decision | None = None
    """The decision that joins its ends, or keeps it from joining."""

    @property
    def order(self) -> tuple[int, str, str, str, str]:
        """Strongest first; of equals the older evidence, unknown times last; ties by identity.

        What was written first says where a thing came from; a later remark must not take it away.
        """
        since = instant(self.reference.since) if self.reference.since else "unknown"
        return EVIDENCE_ORDER[self.strength], since, self.source, self.target, self.reference.relation
