"""A connector as another package might install it, with two faults: what it maps raises, quoting what it choked on."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any, ClassVar

from pydantic import BaseModel, SecretStr

from connectors.contract import BadRecord, Delivery, Page, Pushed, SetAside, Step, Surroundings, Unverified
from schemas.artifacts import Mapped
from schemas.events import SourceEvent
from schemas.stages import StageRule

AT = datetime(2026, 3, 1, 9, tzinfo=UTC)


class CanaryOptions(BaseModel):
    token: SecretStr
    words: str


class CanarySource:
    """Tells one thing whose mapping raises, one that is bad, and one that is not even an event."""

    def __init__(self, connection: str, options: CanaryOptions) -> None:
        self.connection, self.options = connection, options

    def _event(self, number: str) -> SourceEvent:
        artifact = f"{self.connection}/thing/{number}"
        return SourceEvent(
            connection=self.connection, connector="canary", kind="thing", native_id=number, artifact=artifact,
            version="1", order=1, fetched_at=AT, payload={"words": self.options.words},
        )  # fmt: skip

    async def check(self) -> AsyncIterator[Step]:
        yield Step("reach", True, "it is there")

    async def pages(self, cursor: dict[str, Any] | None, since: datetime | None) -> AsyncIterator[Page]:
        events = (self._event("raises"), self._event("bad")) if cursor is None else ()
        aside = (SetAside("3", "the thing has no id", self.options.words),) if cursor is None else ()
        yield Page(events, {"read": True}, AT, set_aside=aside)

    async def census(self, known: Mapping[str, str], cursor: dict[str, Any] | None) -> AsyncIterator[Page]:
        yield Page((), {}, AT)

    async def fetch(self, hints: Any) -> AsyncIterator[Page]:
        yield Page((), {}, AT)


class CanaryConnector:
    name: ClassVar[str] = "canary"
    title: ClassVar[str] = "Canary"
    Options: ClassVar[type[BaseModel]] = CanaryOptions
    stages: ClassVar[tuple[StageRule, ...]] = ()
    link_kinds: ClassVar[Mapping[str, str]] = {}

    @asynccontextmanager
    async def open(
        self, connection: str, options: CanaryOptions, surroundings: Surroundings
    ) -> AsyncIterator[CanarySource]:
        yield CanarySource(connection, options)

    def map(self, event: SourceEvent) -> Mapped:
        if event.native_id == "bad":
            raise BadRecord("words: none of them is known; mend them in the tool")
        raise ValueError(f"cannot make sense of {event.payload}")

    def verify(self, connection: str, options: CanaryOptions, delivery: Delivery, now: datetime) -> Pushed:
        raise Unverified("it never pushes")


connector = CanaryConnector()
