"""Webhooks that a tool lets others register: the one thing that is ever written into a tool, and only when an admin
asks for it. Reading never comes here.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from pydantic import SecretStr


@dataclass(frozen=True, slots=True)
class Hook:
    """A webhook that the tool has."""

    id: str
    name: str
    url: str
    """Where it sends to. May end with a secret, so it is never shown as it is."""
    enabled: bool
    fits: bool
    """It sends what would be asked for now."""
    says: str
    """What the tool tells of it, as a sentence without an end: its name, whether it is enabled, what failed lately."""


@dataclass(frozen=True, slots=True)
class Manner:
    """How this tool would take the webhook of a connection."""

    name: str
    """Under which the tool lists it."""
    events: tuple[str, ...]
    filter: str
    """Of which things it tells, in the tool's own language; "": of all."""
    proof: str
    """The option that proves its deliveries: with it they are signed, or (ends_address) their address ends with it."""
    ends_address: bool
    where: str
    """Where a person finds it in the tool."""

    def address(self, url: str, secret: SecretStr) -> str:
        """What the tool is to call."""
        return f"{url}/{secret.get_secret_value()}" if self.ends_address else url


class Registry(Protocol):
    """The webhooks of one tool, as one account may see and set them. Raises Misconfigured where it may not, RetryLater
    where the tool is away."""

    async def manner(self) -> Manner:
        """How it would be registered. Writes nothing."""
        ...

    async def found(self) -> Sequence[Hook]:
        """All that the tool has, whoever entered them. Writes nothing."""
        ...

    async def put(self, manner: Manner, url: str, secret: SecretStr, instead: str | None) -> None:
        """Writes one: a new one, or over the one of this id. url: without what ends_address adds."""
        ...

    async def drop(self, hook: str) -> None:
        """Removes the one of this id; well, too, where it is gone already."""
        ...


@runtime_checkable
class RegistersWebhooks(Protocol):
    """A source whose tool takes webhooks from an account that may; besides Source."""

    registry: Registry
