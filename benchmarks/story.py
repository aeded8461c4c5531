"""Source events of the generated company, told by the real connectors over the real protocols, and kept in a file.

A company of any number of requests is played into the sandbox's tools on a clock of the story's own, and the three
connectors read it: once when all has happened (a first read), or every few hours of the story (live order, in which a
thing is told again each time it changed).
"""

import asyncio
import pickle
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any, TypeAlias

from pydantic import BaseModel

from connectors.catalogue import catalogue
from connectors.contract import Connector, Source, Surroundings
from connectors.limiter import Limiter
from connectors.transport import Network, Policy
from pipelines.store.configuration import ConnectionConfiguration
from schemas.canonical import digest
from schemas.events import to_kafka
from services.cli.sandbox import Joined, joined
from services.feed.connections import parse_options
from services.feed.rules import configuration_of
from services.sandbox.company import MONTH, Company
from services.sandbox.hubspot import HubSpotServer
from services.sandbox.hubspot_account import Account
from services.sandbox.hubspot_limits import Limits
from services.sandbox.jira import FakeJira
from services.sandbox.mailbox import MailServer
from services.sandbox.playing import PROJECTS, Player
from services.sandbox.post import PASSWORD, USER
from services.sandbox.running import Ready
from services.sandbox.script import Happening

NOW = datetime(2026, 3, 1, 9, tzinfo=UTC)
MONTHS = 6
LAG = timedelta(seconds=1)
SEEN = timedelta(seconds=10)
"""After this long everything that happened is visible to a reader."""

Told: TypeAlias = tuple[str, bytes, bytes, list[tuple[str, bytes]]]
"""(connector, key, value, headers) as the feed publishes it."""


@dataclass(slots=True)
class Clock:
    """The story's time."""

    at: datetime

    def __call__(self) -> datetime:
        return self.at


def unhurried() -> Limiter:
    """A limiter on a clock that only waiting moves: nobody waits for a turn."""
    passed = [0.0]

    def block(seconds: float) -> None:
        passed[0] += seconds

    async def sleep(seconds: float) -> None:
        passed[0] += seconds

    return Limiter("the sandbox", requests=1e6, share=1, clock=lambda: passed[0], sleep=sleep, block=block)


@dataclass(slots=True)
class Tools:
    """The three tools with a connection to each, on the story's clock."""

    clock: Clock
    player: Player
    sources: dict[str, Source]
    connections: tuple[Joined, ...]
    cursors: dict[str, Any] = field(default_factory=dict)

    async def read(self) -> list[Told]:
        """What is new in each tool, as the feed would publish it."""
        told: list[Told] = []
        for name, source in self.sources.items():
            async for page in source.pages(self.cursors.get(name), None):
                told += [(event.connector, *to_kafka(event)) for event in page.events]
                self.cursors[name] = page.cursor
        self.player.jira.requests.clear()
        return told


@dataclass(frozen=True, slots=True)
class Served:
    """The three tools on loopback, and how to come to them."""

    player: Player
    connections: tuple[Joined, ...]
    writes: tuple[list[str], ...]
    """What each tool was asked to change, if anything."""


@asynccontextmanager
async def served(clock: Callable[[], datetime], begin: datetime) -> AsyncIterator[Served]:
    """Start the tools, empty but for people and projects."""
    account = Account(clock, lag=LAG)
    mail = MailServer(now=clock)
    jira = FakeJira(now=clock, lag=LAG, burst=10**9)
    player = Player(jira, account, mail.mailbox, begin)
    with jira:
        async with HubSpotServer(account, limits=Limits(on=False)) as hubspot, mail:
            ready = Ready(
                jira=jira.url, jira_email=jira.email, jira_token=jira.token, hubspot=hubspot.url,
                hubspot_token=hubspot.token, portal=account.portal, mail_host="127.0.0.1", mail_port=mail.port,
                mail_user=USER, mail_password=PASSWORD, projects=list(PROJECTS), folders=list(mail.mailbox.folders),
                artifacts={}, requests=0, examples=[],
            )  # fmt: skip
            yield Served(player, joined(ready), (jira.writes, hubspot.writes, mail.writes))


@asynccontextmanager
async def tools(clock: Clock, begin: datetime) -> AsyncIterator[Tools]:
    """Start the tools, each with a connection opened."""
    async with AsyncExitStack() as stack:
        world = await stack.enter_async_context(served(clock, begin))
        sources = {one.name: await _opened(stack, one, clock) for one in world.connections}
        yield Tools(clock, world.player, sources, world.connections)


def options_of(one: Joined) -> tuple[Connector, BaseModel]:
    """The connector of a connection, and its options."""
    connector = catalogue()[one.connector]
    return connector, parse_options(connector.Options, one.options)


async def _opened(stack: AsyncExitStack, one: Joined, clock: Clock) -> Source:
    connector, options = options_of(one)
    surroundings = Surroundings(clock, Network(Policy(allow_loopback=True), unhurried()))
    return await stack.enter_async_context(connector.open(one.name, options, surroundings))


def rules(connections: Sequence[Joined]) -> dict[str, ConnectionConfiguration]:
    """The configuration that the connections add."""
    return {one.name: configuration_of(*options_of(one)) for one in connections}


@dataclass(frozen=True, slots=True)
class Story:
    """Source events in the order in which they are told, and the rules of the connections that told them."""

    told: list[Told]
    rules: dict[str, ConnectionConfiguration]


async def tell(requests: int, readings: int, seed: int = 7) -> Story:
    """Play a company of so many requests, reading it so many times on the way (1: a first read)."""
    company = Company(seed, NOW, requests, MONTHS)
    begin = NOW - MONTHS * MONTH - timedelta(days=1)
    clock, told = Clock(begin), list[Told]()
    async with tools(clock, begin) as world:
        for until, happenings in _by_time(company, readings):
            for happening in happenings:
                clock.at = max(clock.at, happening.at)
                world.player.play(happening)
            clock.at = max(clock.at, until) + SEEN
            told += await world.read()
        return Story(told, rules(world.connections))


def _by_time(company: Company, readings: int) -> Iterator[tuple[datetime, list[Happening]]]:
    """The past in equal spans of time: (end, what happened)."""
    step = company.months * MONTH / readings
    until, span = company.now - company.months * MONTH + step, list[Happening]()
    for happening in company.past():
        while happening.at > until:
            yield until, span
            until, span = until + step, []
        span.append(happening)
    yield company.now, span


def path_of(folder: Path, requests: int, readings: int) -> Path:
    """Where a story is kept, by the code that told it: another release may tell it otherwise."""
    return folder / f"company-{requests}-{readings}-{_code()}.pickle"


@cache
def _code() -> str:
    root = Path(__file__).parents[1]
    folders = (root / "connectors", root / "schemas", root / "services" / "sandbox", root / "services" / "feed")
    files = sorted(file for folder in folders for file in folder.rglob("*.py"))
    files += [Path(__file__), root / "pipelines" / "store" / "configuration.py"]
    return digest(*(file.read_text("utf-8") for file in files))[:12]


def kept(folder: Path, requests: int, readings: int, progress: Callable[[str], None] = lambda _: None) -> Story:
    """The story from the folder's file; told and written there when it is asked for the first time."""
    path = path_of(folder, requests, readings)
    if not path.exists():
        progress(f"telling a company of {requests} requests, read {readings} times")
        folder.mkdir(parents=True, exist_ok=True)
        beside = path.with_suffix(".new")
        beside.write_bytes(pickle.dumps(asyncio.run(tell(requests, readings)), protocol=5))
        beside.replace(path)
    story: Story = pickle.loads(path.read_bytes())
    return story
