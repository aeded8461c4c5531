"""What the contract tests need from a connector: a running fake tool, hands to change it, a clock, and its faults."""

import json
import random
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar, Self

from pydantic import BaseModel

from connectors.contract import Connector, HubError, Page, Surroundings
from schemas.artifacts import Activity, Evidence, Mapped, Part
from schemas.canonical import canonical_json
from schemas.events import SourceEvent


class Rig(ABC):
    """One fake tool on loopback with a connection to it. `async with Rig() as rig` starts and ends the fake.

    The fake's index lag and late visibility are on by default; `settle` lets the clock pass them.
    """

    connector: ClassVar[Connector]
    connection = "c-test"
    lag: ClassVar[timedelta] = timedelta(minutes=2)
    """After this long everything the tool was told is visible to a poll."""
    faults: ClassVar[Mapping[str, type[HubError]]] = {}
    """Name of a fault to what a connector must raise while it lasts: RetryLater or Misconfigured."""
    evidence: ClassVar[Sequence[str]] = ()
    """Kinds of evidence that can be added and taken away: `title`, `comment`, `link`, ..."""

    def __init__(self) -> None:
        self.clock = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)

    def now(self) -> datetime:
        """The one clock of fake and connector."""
        return self.clock

    def advance(self, seconds: float) -> None:
        """Let time pass."""
        self.clock += timedelta(seconds=seconds)

    def settle(self) -> None:
        """Let so much time pass that everything told so far is visible."""
        self.advance(self.lag.total_seconds() + 1)

    @abstractmethod
    async def __aenter__(self) -> Self: ...

    @abstractmethod
    async def __aexit__(self, *_: object) -> None: ...

    @abstractmethod
    def surroundings(self) -> Surroundings:
        """Clock and network for the connector; the network may reach loopback and waits for no rate limit."""

    @abstractmethod
    def options(self) -> BaseModel:
        """Valid options for the fake, with a secret that `secrets` names."""

    @abstractmethod
    def create(self, title: str) -> str:
        """A new thing in the tool, at the clock's time: its artifact id."""

    @abstractmethod
    def change(self, artifact: str) -> None:
        """A change that any reader must notice (a status, a field), at the clock's time."""

    @abstractmethod
    def delete(self, artifact: str) -> None:
        """Take a thing away for good, at the clock's time."""

    @abstractmethod
    def fault(self, name: str, *, on: bool) -> None:
        """Switch one of `faults` on or off."""

    @abstractmethod
    def add_evidence(self, kind: str, artifact: str) -> str:
        """Make an artifact name something else by this kind of evidence: the key of the reference that then stands.

        For evidence that is text, the text itself (it stands as one of a part's texts)."""

    @abstractmethod
    def remove_evidence(self, kind: str, artifact: str) -> None:
        """Take back what `add_evidence` did."""

    @property
    @abstractmethod
    def writes(self) -> Sequence[str]:
        """Every request that would have changed the tool."""

    @property
    @abstractmethod
    def secrets(self) -> Sequence[str]:
        """The secrets in the options: they may appear in no error and no event."""

    @classmethod
    @abstractmethod
    def recordings(cls) -> Sequence[SourceEvent]:
        """Recorded source events of every kind and shape, for mapping."""


@dataclass
class Folded:
    """What a set of source events says, put together as ingest does: the latest telling wins, piece by piece."""

    fields: dict[tuple[str, str], tuple[tuple[int, int, str], Any]] = field(default_factory=dict)
    parts: dict[tuple[str, str], tuple[tuple[int, int, str], Part]] = field(default_factory=dict)
    activities: dict[str, tuple[tuple[int, int, str], Activity]] = field(default_factory=dict)

    def add(self, event: SourceEvent, mapped: Mapped) -> None:
        """Take in one telling; order and repetition do not matter."""
        for name, value in mapped.fields.items():
            _latest(self.fields, (mapped.artifact, name), event, canonical_json(value), value)
        for name, part in mapped.parts.items():
            _latest(self.parts, (mapped.artifact, name), event, repr(part), part)
        for activity in mapped.activities:
            _latest(self.activities, activity.key, event, repr(activity), activity)

    def stands(self, artifact: str, name: str) -> bool:
        """Whether a part still stands: its tool did not list its siblings without it since it was told."""
        told = self.parts[artifact, name][0]
        listing = self.fields.get((artifact, "standing"))
        if listing is None or listing[0][0] < told[0]:
            return True
        return all(name in names for prefix, names in listing[1].items() if name.startswith(prefix))

    def says(self, artifact: str) -> set[str]:
        """Reference keys and texts that stand in the artifact's parts now."""
        found: set[str] = set()
        for (owner, name), (_, part) in self.parts.items():
            if owner == artifact and self.stands(artifact, name):
                found |= {one.key for one in part.references if one.evidence is not Evidence.WITHDRAWN}
                found |= {text.text for text in part.texts}
        return found

    def value(self, artifact: str, name: str) -> Any:
        """A field's present value; None if nothing told it."""
        return self.fields.get((artifact, name), (None, None))[1]

    def state(self) -> dict[str, Any]:
        """Everything, comparable: equal states were told the same things."""
        return {
            "fields": {key: value for key, (_, value) in self.fields.items()},
            "parts": {key: part for key, (_, part) in self.parts.items() if self.stands(*key)},
            "activities": {key: activity for key, (_, activity) in self.activities.items() if self._counts(activity)},
        }

    def _counts(self, activity: Activity) -> bool:
        part = (activity.artifact, activity.field or "")
        return not activity.withdrawn and (part not in self.parts or self.stands(*part))


def _latest(kept: dict[Any, Any], key: Any, event: SourceEvent, content: str, value: Any) -> None:
    stamp = (event.order, event.rank, content)
    if key not in kept or kept[key][0] < stamp:
        kept[key] = (stamp, value)


def fold(connector: Connector, events: Iterable[SourceEvent]) -> Folded:
    """What these events say together."""
    folded = Folded()
    for event in events:
        folded.add(event, connector.map(event))
    return folded


async def read(
    rig: Rig, cursor: dict[str, Any] | None = None, at_most: int | None = None, since: datetime | None = None
) -> list[Page]:
    """Open the connection, read its pages from a cursor (all, or so many and then drop it), close it."""
    pages: list[Page] = []
    async with rig.connector.open(rig.connection, rig.options(), rig.surroundings()) as source:
        stream = source.pages(None if cursor is None else json.loads(json.dumps(cursor)), since)
        async for page in stream:
            pages.append(page)
            if at_most is not None and len(pages) >= at_most:
                break
        await stream.aclose()  # type: ignore[attr-defined]
    return pages


def events_of(pages: Iterable[Page]) -> list[SourceEvent]:
    """All events of these pages, in their order."""
    return [event for page in pages for event in page.events]


class Runner:
    """A feed in small: publishes pages, keeps cursors, and may be killed between any two steps."""

    def __init__(self, rig: Rig, seed: int) -> None:
        self.rig = rig
        self.random = random.Random(seed)
        self.cursor: dict[str, Any] | None = None
        self.published: list[SourceEvent] = []

    async def step(self, *, kill: bool) -> None:
        """Read some pages; when killed, the last page was published but its cursor not kept (or neither)."""
        count = self.random.randint(1, 3) if kill else None
        pages = await read(self.rig, self.cursor, at_most=count)
        for place, page in enumerate(pages):
            last = place == len(pages) - 1
            if kill and last and self.random.random() < 0.3:
                return
            self.published.extend(page.events)
            if kill and last:
                return
            self.cursor = page.cursor
