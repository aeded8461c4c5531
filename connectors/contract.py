"""What a connector is.

Three verbs: `check` says whether the tool can be read, `pages` reads what changed, `census` lists what is there.
A page carries the events and the cursor that is true once these events are safe, so that the question "may the
cursor move?" has one visible answer.

Errors are named by what to do next; see schemas.errors.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, ClassVar, Protocol, runtime_checkable

from pydantic import SecretStr

from schemas.artifacts import Mapped
from schemas.errors import BadRecord, HubError, Misconfigured, RetryLater
from schemas.events import SourceEvent
from schemas.links import LinkType
from schemas.stages import StageRule

__all__ = [
    "BadRecord", "Connector", "Delivery", "Describes", "Fields", "HubError", "Inventoried", "Listed", "Misconfigured",
    "NamesFields", "NamesLinkTypes", "Noticed", "Page", "Progress", "Pushed", "Remarks", "RetryLater", "Scoped",
    "SetAside", "Source", "Step", "Surroundings", "Unverified", "described", "unheard",
]  # fmt: skip


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a first read is. total is None while nobody can know; it is an estimate, never a promise."""

    done: int
    total: int | None = None


@dataclass(frozen=True, slots=True)
class Page:
    """What a connection reads in one go."""

    events: Sequence[SourceEvent]
    cursor: dict[str, Any]
    """JSON; true once the events are safe. Opaque to everyone but its connector."""
    true_up_to: datetime | None
    """Everything the tool changed before this instant is in this page or an earlier one; None while a first read is
    under way."""
    more: bool = False
    """Another page can be read at once; False: wait for the poll interval."""
    progress: Progress | None = None
    set_aside: Sequence["SetAside"] = ()


@dataclass(frozen=True, slots=True)
class SetAside:
    """A record the tool sent that cannot become a source event: kept as a dead letter, with its reason."""

    native_id: str
    reason: str
    raw: str


@dataclass(frozen=True, slots=True)
class Step:
    """One step of a check: what was tried, whether it went well, and the words for it (with the mend if not)."""

    name: str
    ok: bool
    says: str
    of_fields: bool = False
    """Everything is read, but for a field that the options name (see NamesFields)."""


@dataclass(frozen=True, slots=True)
class Pushed:
    """What a verified webhook delivery holds: events, and native things to fetch because the body is thin."""

    events: Sequence[SourceEvent] = ()
    hints: Sequence[str] = ()
    delivery: str = ""
    """The sender's own id of this delivery, equal across its retries; "" where it has none."""


class Unverified(HubError):
    """A webhook delivery whose signature, time or path does not prove its sender: answer 401, store nothing."""


class Source(Protocol):
    """One opened connection: reads one tool instance with one set of options. Safe to open, read and close again."""

    def check(self) -> AsyncIterator[Step]:
        """Each step of "can this be read?" by name, ending at the first that fails. Never raises HubError."""
        ...

    def pages(self, cursor: dict[str, Any] | None, since: datetime | None) -> AsyncIterator[Page]:
        """What changed since the cursor, oldest first, until nothing new is left; resumable after every page.

        cursor None: a first read from `since` (None: everything there is). Raises RetryLater, Misconfigured.
        """
        ...

    def census(self, known: Mapping[str, str], cursor: dict[str, Any] | None) -> AsyncIterator[Page]:
        """Compare what is there with `known` (artifact id to a connector-made fingerprint; may be empty): events for
        what changed without moving the tool's own time stamp, and deletes that a direct read confirms."""
        ...

    def fetch(self, hints: Sequence[str]) -> AsyncIterator[Page]:
        """The full telling of what webhooks hinted at; pages carry an empty cursor, which is not to be stored."""
        ...


@dataclass(frozen=True, slots=True)
class Noticed:
    """Something that a tool announces, or that changed in it, before data is lost."""

    kind: str
    """deprecated, ends (both RFC 9745 and RFC 8594), gone (HTTP 410), lost (a step of the check), field gone, field
    new."""
    subject: str
    """The part of the tool: a path without ids, a step's name, a field's id. At most 200 characters."""
    says: str
    mend: str
    due: datetime | None = None
    """When it ends, where the tool says so."""


def unheard(noticed: Noticed) -> None:
    """Where nobody keeps what is noticed."""
    del noticed


async def forgotten(field: str, secret: SecretStr) -> None:
    """Where nothing can be kept, as in a trial before a connection is stored."""
    del field, secret


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a connector is handed: it reads no clock, environment or file of its own."""

    now: Callable[[], datetime]
    network: "Any"
    """connectors.transport.Network: guarded HTTP clients and sockets, and the connection's share of the rate limit."""
    replaced: Callable[[str, SecretStr], Awaitable[None]] = forgotten
    """Keeps a secret of the options (dotted name) that the tool gave in place of the one it had."""
    noticed: Callable[[Noticed], None] = unheard
    """Hears what the tool announces; may be called from any thread."""


class Connector(Protocol):
    """One kind of tool."""

    name: ClassVar[str]
    title: ClassVar[str]
    Options: ClassVar[type[Any]]
    """A Pydantic model of what the admin fills in, which doubles as the form: SecretStr for secrets, a title and a help
    line per field."""
    stages: ClassVar[tuple[StageRule, ...]]
    """The default stage map, with reasons."""
    link_kinds: ClassVar[Mapping[str, str]]
    """Each of the tool's link relations (lower case, in its direction): `joins`, `depends on` or `mentions`.
    A relation that is not listed mentions."""

    def open(self, connection: str, options: Any, surroundings: Surroundings) -> AbstractAsyncContextManager[Source]:
        """A source for these options. Makes no request before it is asked something."""
        ...

    def map(self, event: SourceEvent) -> Mapped:
        """What the event says, in the hub's words. Pure. Raises BadRecord for what cannot be understood."""
        ...

    def verify(self, connection: str, options: Any, delivery: "Delivery", now: datetime) -> Pushed:
        """The events or hints in a webhook delivery. Raises Unverified (tools that never push, always), BadRecord."""
        ...


@runtime_checkable
class NamesLinkTypes(Protocol):
    """A connector whose tool's links have types with two directions; besides Connector."""

    link_types: ClassVar[tuple[LinkType, ...]]
    """Those that the tool has from the start."""

    def link_types_in(self, event: SourceEvent) -> tuple[LinkType, ...]:
        """The types of the links that an event tells."""
        ...


@dataclass(frozen=True, slots=True)
class Listed:
    """One thing that a tool has, as a comparison with what is known needs it."""

    artifact: str
    changed_at: datetime | None
    """When the tool last changed it; None: it does not say."""
    hint: str
    """What `Source.fetch` takes for it; "" where it cannot be fetched by itself."""


@runtime_checkable
class Inventoried(Protocol):
    """A source that lists what its tool has without reading it whole; besides Source. Where a source has none, all is
    read again and listed (see connectors.inventories)."""

    covers: timedelta | None
    """How far back the list goes; None: to the beginning, so that what is not listed is not there."""

    def inventory(self) -> AsyncIterator[Sequence[Listed]]:
        """What there is, at most some hundreds at once, in any order. Raises RetryLater, Misconfigured."""
        ...


@dataclass(frozen=True, slots=True)
class Fields:
    """What a tool has that options and rules may name: custom fields, properties, types, pipelines and their stages. An
    id that is of no field begins with what it is of, as in `pipeline 77`."""

    there: Mapping[str, str]
    """Id to name."""
    needed: Mapping[str, str] = field(default_factory=dict)
    """Id that the options name to the dotted name of the option."""
    ended: Mapping[str, datetime] = field(default_factory=dict)
    """Since when something that is needed is not there, where the tool says so."""
    near: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """What may be meant by something that is needed and not there, the likeliest first."""
    custom: bool = False
    """All custom fields are among them, so that what rules name and is not among them is gone."""


@runtime_checkable
class NamesFields(Protocol):
    """A source whose tool's fields come and go; besides Source."""

    async def fields(self) -> Fields:
        """What there is now. Raises RetryLater, Misconfigured."""
        ...


@runtime_checkable
class Remarks(Protocol):
    """A source that can tell what in its options leads nowhere, though the rest is read; besides Source."""

    async def remarks(self) -> Sequence[str]:
        """In words that can stand alone; none: nothing. Raises RetryLater, Misconfigured."""
        ...


@runtime_checkable
class Scoped(Protocol):
    """A source that says whose records it reads, where no option does; besides Source."""

    async def scopes(self) -> frozenset[str]:
        """The scopes by which addresses of its records name it, such as `hubspot:4711`. Raises RetryLater,
        Misconfigured."""
        ...


@runtime_checkable
class Describes(Protocol):
    """A connector that says its cursor in words; besides Connector."""

    def describe(self, cursor: Mapping[str, Any]) -> str:
        """Where reading stands, as a part of a sentence: "issues changed up to ...". Never raises."""
        ...


def described(connector: Connector, cursor: Mapping[str, Any] | None) -> str:
    """A cursor in words; "" where its connector has none for it."""
    return connector.describe(cursor) if cursor and isinstance(connector, Describes) else ""


@runtime_checkable
class TellsHistories(Protocol):
    """A connector that reads the whole history of what it reads; besides Connector."""

    whole_histories: ClassVar[frozenset[str]]
    """Fields of which the tool tells every change since creation; `parent`: of what a thing hangs below."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """A webhook request as it arrived."""

    method: str
    url: str
    """The outside address as the sender called it."""
    headers: Mapping[str, str] = field(default_factory=dict)
    """Names in lower case."""
    body: bytes = b""
