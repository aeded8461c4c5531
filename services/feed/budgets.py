"""What a connection takes of its tool's rate limit, as its reader last told it."""

from dataclasses import dataclass
from datetime import datetime

from pydantic import TypeAdapter


@dataclass(frozen=True, slots=True)
class Budget:
    """A share of a rate limit."""

    share: float
    """The part of the tool's limit that this connection may take, as its options say."""
    a_minute: int
    """Requests a minute that this share allows."""
    used: float
    """The part of them that was used in the last minute; may be a little above 1."""
    left: int | None
    """Requests that the tool's own newest answer says are left in its window; None where it does not say."""
    most: int | None
    """Of how many."""
    waits: str
    """What it waits for, and until when, in words; "" for nothing."""
    until: datetime | None
    """Until when it waits."""
    at: datetime
    """When this was so."""


_JSON = TypeAdapter(Budget)


def read(stored: str | None) -> Budget | None:
    """From JSON."""
    return _JSON.validate_json(stored) if stored else None


def dump(budget: Budget) -> str:
    """As JSON."""
    return _JSON.dump_json(budget).decode()
