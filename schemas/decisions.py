"""Decisions: what a person said about correlation, kept for ever on the identities of artifacts and of people."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Literal


class DecisionKind(StrEnum):
    """What was said."""

    LINK = "link"
    """`left` and `right`, one artifact each, belong together."""
    UNLINK = "unlink"
    """They do not."""
    MERGE = "merge"
    """Two requests are one: their anchors, `left` and `right`, belong together."""
    SPLIT = "split"
    """The artifacts of `left` belong together, and to none of `right`, which were in one request with them."""
    NO_REQUEST = "no request"
    """The artifacts of `left` are no request and part of none: noise, a newsletter, a test ticket."""
    SAME_PERSON = "same person"
    """`left` and `right`, one identity each, are of one person."""
    OTHER_PERSON = "other person"
    """They are not."""
    UNDO = "undo"
    """The decision `undoes` no longer holds. An undo can be undone too."""


ABOUT_PEOPLE = frozenset({DecisionKind.SAME_PERSON, DecisionKind.OTHER_PERSON})
"""Kinds that name identities of people; all others name artifacts."""


@dataclass(frozen=True, slots=True)
class Decision:
    """One decision. Nothing about it ever changes; another one may undo it."""

    number: int
    """Counts up with every decision of the hub, from 1."""
    kind: DecisionKind
    left: tuple[str, ...]
    """Ids of artifacts or identities, sorted."""
    right: tuple[str, ...]
    by: str
    """Who decided."""
    reason: str
    """In their words; "" where they gave none."""
    at: datetime
    undoes: int | None = None

    @property
    def joined(self) -> tuple[str, ...]:
        """What the decision says belongs together, in order; () where it says no such thing."""
        if self.kind is DecisionKind.SPLIT:
            return self.left
        together = self.kind in {DecisionKind.LINK, DecisionKind.MERGE, DecisionKind.SAME_PERSON}
        return self.left + self.right if together else ()

    @property
    def parted(self) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """What the decision says does not belong together: no end of the first with any of the second."""
        apart = self.kind in {DecisionKind.UNLINK, DecisionKind.SPLIT, DecisionKind.OTHER_PERSON}
        return (self.left, self.right) if apart else ((), ())


RefusalKind = Literal["unknown", "changed", "contradiction", "said already", "key used", "nothing to decide"]


class Refusal(Exception):
    """A decision that is not taken: what stands in the way, and what to do. Nothing was changed.

    number: of the decision that stands in the way. versions: of the requests concerned as they are now, by id.
    """

    def __init__(
        self,
        kind: RefusalKind,
        problem: str,
        mend: str,
        *,
        number: int | None = None,
        versions: dict[str, str] | None = None,
    ) -> None:
        super().__init__(f"{problem} {mend}")
        self.kind = kind
        self.problem = problem
        self.mend = mend
        self.number = number
        self.versions = versions or {}
