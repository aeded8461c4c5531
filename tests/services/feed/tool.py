"""A tool that says what a test tells it to: a connector of its own behind the same contract as Jira's."""

import hashlib
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr

from connectors.contract import (
    BadRecord,
    Connector,
    Delivery,
    Fields,
    Listed,
    Noticed,
    Page,
    Pushed,
    SetAside,
    Step,
    Surroundings,
    Unverified,
)
from schemas.artifacts import Mapped
from schemas.events import SourceEvent
from tests.pipelines.memos import map_memo, memo


class Plain(BaseModel):
    """Signs in with a token."""

    kind: Literal["plain"] = "plain"
    token: SecretStr


class Double(BaseModel):
    """Signs in with two secrets, one of them a level deeper."""

    kind: Literal["double"] = "double"
    user: str
    password: SecretStr
    proxy: Plain | None = None


class MemoOptions(BaseModel):
    """What an admin fills in."""

    model_config = ConfigDict(extra="forbid")

    base_url: str = "https://memos.example"
    auth: Plain | Double = Field(discriminator="kind")
    folders: tuple[str, ...] = ()
    webhook_secret: SecretStr | None = None


def options(token: str = "t0ken") -> MemoOptions:
    return MemoOptions(auth=Plain(token=SecretStr(token)), webhook_secret=SecretStr("hook secret"))


def page(number: int, *events: SourceEvent, more: bool = True, set_aside: Sequence[SetAside] = ()) -> Page:
    """Page `number` with its events, or with one memo of that number."""
    return Page(events or (memo(number),), {"page": number}, None, more, None, set_aside)


def signature(body: bytes) -> str:
    return hashlib.sha256(b"hook secret" + body).hexdigest()


@dataclass
class Tool:
    """Both sides: `said` is what it has to say, page by page; an exception among the pages is raised there, once."""

    said: list[Page | Exception] = field(default_factory=list)
    found: list[Page] = field(default_factory=list)
    """What its census says."""
    stuck: Exception | None = None
    """What every fetch fails with."""
    bad: set[str] = field(default_factory=set)
    """Hints that no fetch can read, as a fault of a connector has it."""
    hidden: bool = False
    """Every fetch goes well and shows nothing, as for an account that lost a permission."""
    steps: list[Step] = field(default_factory=lambda: [Step("answers", True, "it does")])
    has: list[Listed] | Exception = field(default_factory=list)
    """What its inventory lists."""
    named: Fields = field(default_factory=lambda: Fields({"f1": "Deal number"}))
    """Its fields."""
    covers: timedelta | None = None
    noticed: list[Noticed] = field(default_factory=list)
    """What it announces each time it is opened."""
    looked: list[str] = field(default_factory=list)
    """"check", "inventory"."""
    opened: int = 0
    replaced: Callable[[str, SecretStr], Awaitable[None]] | None = None
    """By which whoever reads keeps a secret that the tool gives."""
    asked: list[tuple[str, Any]] = field(default_factory=list)
    """("pages", cursor), ("fetch", hints), ("census", cursor)."""
    name: ClassVar[str] = "memo"
    title: ClassVar[str] = "Memos"
    Options: ClassVar[type[Any]] = MemoOptions
    stages: ClassVar[tuple[Any, ...]] = ()
    link_kinds: ClassVar[Mapping[str, str]] = {}

    @asynccontextmanager
    async def open(self, connection: str, options: Any, surroundings: Surroundings) -> AsyncIterator["Tool"]:
        assert options.auth.token.get_secret_value() == "t0ken"
        assert connection
        assert surroundings.now().tzinfo
        self.opened += 1
        self.replaced = surroundings.replaced
        for one in self.noticed:
            surroundings.noticed(one)
        yield self

    async def check(self) -> AsyncIterator[Step]:
        self.looked.append("check")
        for step in self.steps:
            yield step

    async def fields(self) -> Fields:
        return self.named

    async def inventory(self) -> AsyncIterator[Sequence[Listed]]:
        self.looked.append("inventory")
        if isinstance(self.has, Exception):
            raise self.has
        for start in range(0, len(self.has), 100):
            yield self.has[start : start + 100]

    def describe(self, cursor: Mapping[str, Any]) -> str:
        return f"page {cursor['page']}"

    async def pages(self, cursor: dict[str, Any] | None, since: datetime | None) -> AsyncIterator[Page]:
        del since
        self.asked.append(("pages", cursor))
        place = cursor["page"] if cursor else 0
        while place < len(self.said):
            said = self.said[place]
            if isinstance(said, Exception):
                del self.said[place]
                raise said
            place += 1
            yield said

    async def census(self, known: Mapping[str, str], cursor: dict[str, Any] | None) -> AsyncIterator[Page]:
        del known
        self.asked.append(("census", cursor))
        for one in self.found:
            yield one

    async def fetch(self, hints: Sequence[str]) -> AsyncIterator[Page]:
        self.asked.append(("fetch", tuple(hints)))
        if self.stuck:
            raise self.stuck
        if self.bad & set(hints):
            raise KeyError("a field that is not there")
        told = [] if self.hidden else [memo(int(hint.removeprefix("MEMO-"))) for hint in hints]
        yield Page(told, {}, None)

    def map(self, event: SourceEvent) -> Mapped:
        mapped = map_memo(event)
        if "updated" in event.payload:
            return replace(mapped, fields=dict(mapped.fields) | {"updated_at": event.payload["updated"]})
        return mapped

    def verify(self, connection: str, options: Any, delivery: Delivery, now: datetime) -> Pushed:
        """`tell N` tells memo N whole, `hint N` only names it."""
        del connection, now
        secret = options.webhook_secret
        if secret is None or delivery.headers.get("x-signature") != signature(delivery.body):
            raise Unverified("the signature does not fit")
        words = delivery.body.split()
        if len(words) != 2:
            raise BadRecord("body: two words are needed")
        named = delivery.headers.get("x-delivery", "")
        if words[0] == b"tell":
            return Pushed([memo(int(words[1])).model_copy(update={"form": "pushed"})], (), named)
        return Pushed((), (words[1].decode(),), named)


def catalogue(tool: Tool) -> dict[str, Connector]:
    return {"memo": tool}
