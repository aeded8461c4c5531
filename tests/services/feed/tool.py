"""A tool that says what a test tells it to: a connector of its own behind the same contract as Jira's."""

import hashlib
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr

from connectors.contract import BadRecord, Connector, Delivery, Page, Pushed, SetAside, Step, Surroundings, Unverified
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
    opened: int = 0
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
        yield self

    async def check(self) -> AsyncIterator[Step]:
        yield Step("answers", True, "it does")

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
        yield Page([memo(int(hint)) for hint in hints], {}, None)

    def map(self, event: SourceEvent) -> Mapped:
        return map_memo(event)

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
