"""Secrets that an admin typed a moment ago, while a connection is tried before it is saved.

They are kept in this process only, for one person and one address that they are sent to, and are forgotten soon: no
secret goes back to a browser, and none goes to another address than it was typed for.
"""

import secrets
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

_LASTS = timedelta(minutes=30)
_MOST = 200


@dataclass(frozen=True, slots=True)
class _Draft:
    owner: str
    target: str
    typed: Mapping[str, str]
    until: datetime


class Drafts:
    """Typed secrets by a ticket that the form holds. The oldest are forgotten where there are too many."""

    def __init__(self, now: Callable[[], datetime]) -> None:
        self._now = now
        self._kept: OrderedDict[str, _Draft] = OrderedDict()

    def keep(self, owner: str, target: str, typed: Mapping[str, str]) -> str:
        """The ticket under which these are found again; "" for none. owner: who typed them; target: where they are
        sent."""
        self._forget()
        if not typed:
            return ""
        ticket = secrets.token_urlsafe(24)
        self._kept[ticket] = _Draft(owner, target, dict(typed), self._now() + _LASTS)
        return ticket

    def take(self, ticket: str, owner: str, target: str) -> Mapping[str, str]:
        """What was typed, by the dotted place in the options; nothing for somebody else or another address. A ticket is
        good once."""
        self._forget()
        draft = self._kept.pop(ticket, None)
        return draft.typed if draft and (draft.owner, draft.target) == (owner, target) else {}

    def _forget(self) -> None:
        while self._kept:
            ticket, draft = next(iter(self._kept.items()))
            if draft.until > self._now() and len(self._kept) < _MOST:
                return
            del self._kept[ticket]
