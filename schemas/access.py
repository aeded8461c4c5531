"""Who asks, and what they may do."""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Literal

How = Literal["loopback", "session", "token", "proxy"]
"""Known by: being on this machine, a sign-in, an API token, what a trusted proxy says."""


class Role(StrEnum):
    """What somebody may do; each may do all that the ones before it may."""

    WATCHER = "watcher"
    """Reads the hub's measures, and nothing of its content. For programs that watch it."""
    VIEWER = "viewer"
    """Reads requests."""
    EDITOR = "editor"
    """Decides what belongs together."""
    ADMIN = "admin"
    """Sets up connections, rules and accounts."""

    def covers(self, needed: "Role") -> bool:
        """Whether this role may do what the other may."""
        ranks = list(Role)
        return ranks.index(self) >= ranks.index(needed)


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks."""

    name: str
    """As people know them; kept with what they decide."""
    role: Role
    how: How
    account: str | None = None
    """Permanent id of the account; None: nobody signed in, it is this machine."""
    email: str | None = None
    """A verified address, by which they are found among the people of requests; None: none is known."""
    groups: frozenset[str] = field(default_factory=frozenset)
    """As the identity provider or the proxy names them."""
    reads_all: bool = False
    """Whether no audience keeps content from them: who is on this machine holds the database too."""


THIS_MACHINE = Caller("this machine", Role.ADMIN, "loopback", reads_all=True)
"""Whoever calls a hub that is open to its own machine."""


@dataclass(frozen=True, slots=True)
class Audience:
    """Who may read what a connection brought; the others see that there is a request, its stages and its times."""

    kind: Literal["everybody", "named", "participants"] = "everybody"
    """Everybody who is signed in; the people and groups named; or the people of the request it is in."""
    people: frozenset[str] = field(default_factory=frozenset)
    """E-mail addresses in lower case."""
    groups: frozenset[str] = field(default_factory=frozenset)

    def admits(self, caller: Caller, participants: frozenset[str]) -> bool:
        """Whether the caller may read it in a request with these people (their addresses, in lower case)."""
        address = (caller.email or "").lower()
        if caller.reads_all or self.kind == "everybody":
            return True
        if self.kind == "named":
            return address in self.people or not self.groups.isdisjoint(caller.groups)
        return bool(address) and address in participants


EVERYBODY = Audience()
