"""What happens at the sandbox company, as data: happenings in order of time, and the true answer beside them.

Things are called by symbolic names ("r7.story"), because the tools give keys and ids when a happening is
played. A text names a thing as `[[r7.story]]` (its key, id or Message-ID) or `[[url r7.deal]]` (its address).
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

Tool = Literal["jira", "hubspot", "mail"]
Evidence = Literal["first", "explicit", "mention", "similar", "none"]

ARTIFACTS = frozenset({"issue", "deal", "ticket", "note", "email", "arrive"})
"""What makes a thing that lives in a tool, as opposed to what happens to one."""


@dataclass(frozen=True, slots=True)
class Happening:
    """One thing that happens in one tool."""

    at: datetime
    tool: Tool
    what: str
    """What is done: `issue`, `transition`, `comment`, ... (see `playing`)."""
    name: str
    """The thing it is done to, or that it makes."""
    by: str = ""
    """Who does it."""
    payload: dict[str, Any] = field(default_factory=dict)
    request: str = ""
    """For what makes a thing: the request that it truly belongs to; "" for none."""
    evidence: Evidence = "none"
    """How that can be known from what the tools say: it is the first of its request, a tool states it, a person's text
    names it, it is only alike, or not at all."""


@dataclass(slots=True)
class Truth:
    """The true answer: which things belong to which request, and how that can be known."""

    requests: dict[str, dict[str, Evidence]] = field(default_factory=dict)
    """Request to the names of its things."""
    outside: set[str] = field(default_factory=set)
    """Names of things that belong to no request."""

    @classmethod
    def of(cls, happenings: Iterable[Happening]) -> "Truth":
        """The truth about these happenings."""
        truth = cls()
        for happening in happenings:
            truth.note(happening)
        return truth

    def note(self, happening: Happening) -> None:
        """Take one more happening in."""
        if happening.what not in ARTIFACTS:
            return
        if happening.request:
            self.requests.setdefault(happening.request, {})[happening.name] = happening.evidence
        else:
            self.outside.add(happening.name)

    def joined(self) -> dict[str, set[str]]:
        """The requests as far as evidence can find them: what is only alike stands for itself."""
        groups: dict[str, set[str]] = {}
        for request, things in self.requests.items():
            for name, evidence in things.items():
                groups.setdefault(name if evidence == "similar" else request, set()).add(name)
        return groups
