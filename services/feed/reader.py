"""One connection being read: its inbox, its pages, its census, and the pause until the next time."""

import asyncio
import logging
from collections import Counter
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import aclosing, suppress
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from pydantic import SecretStr
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from connectors.contract import (
    BadRecord,
    Connector,
    Misconfigured,
    Page,
    RetryLater,
    SetAside,
    Source,
    Surroundings,
    Unverified,
    described,
)
from connectors.limiter import DEFAULT_SHARE, Limiter
from connectors.transport import Network, Policy
from pipelines.store import leases
from pipelines.store.engine import reading, writing
from pipelines.watching import UNWATCHED, Watch
from schemas.events import SourceEvent
from services.feed import connections, inbox, known, pages
from services.feed.asking import Unforeseen, asked
from services.feed.budgets import Budget
from services.feed.connections import StoredConnection
from services.feed.flow import Flow
from services.feed.lookout import Lookout
from services.security import KeyRing

logger = logging.getLogger("throughline.feed")

TRIES = 3
"""So often a thing that a webhook named is fetched before it is set aside."""
PAGES_KEPT = timedelta(days=7)
"""How long applied pages are kept: what was read when, for who looks into a gap."""


@dataclass(frozen=True, slots=True)
class Reading:
    """What every reader of this process shares."""

    engine: AsyncEngine
    flow: Flow
    catalogue: dict[str, Connector]
    keys: KeyRing
    policy: Policy
    now: Callable[[], datetime]
    poll: timedelta = timedelta(seconds=60)
    census: timedelta = timedelta(hours=24)
    watch: Watch = UNWATCHED
    hints: Counter[tuple[str, str]] = field(default_factory=Counter)
    """How often a thing that a webhook named could not be fetched: (connection, hint)."""


@dataclass(slots=True)
class Reader:
    """Reads one connection as long as it holds the lease. Ends by an error: RetryLater, Misconfigured, LeaseLost."""

    shared: Reading
    stored: StoredConnection
    lease: leases.Lease
    renewed_at: datetime
    limiter: Limiter | None = None
    lookout: Lookout = field(init=False)
    wake: asyncio.Event = field(default_factory=asyncio.Event)
    succeeded: bool = False
    """Whether it has come to a pause: then a failure is the first of its kind."""
    _given: dict[str, list[SecretStr]] = field(default_factory=dict)
    """Every secret it had, by dotted name: those it began with, and those that the tool gave in their place."""
    _polled: datetime = field(init=False)
    """When the last poll ended."""
    _read_at: Any = None
    """The span in which the newest page was read."""

    def __post_init__(self) -> None:
        self._polled = self.shared.now()
        self.lookout = Lookout(self.shared.engine, self.name, self.shared.now, self._mine)

    @property
    def name(self) -> str:
        """The connection's id."""
        return self.stored.id

    def budget(self) -> Budget | None:
        """How its share of the rate limit is used; None before it begins."""
        if self.limiter is None:
            return None
        spent = self.limiter.spent()
        return Budget(
            spent.share, round(spent.rate * 60), round(spent.used, 3), spent.left, spent.most, spent.waiting or "",
            spent.until, self.shared.now(),
        )  # fmt: skip

    def as_stored(self, stored: StoredConnection) -> bool:
        """Whether it reads with what is stored; False: somebody configured something, or whoever tested the connection
        was given another secret in place of one that is void since."""
        others = [name for name, sealed in stored.secrets.items() if sealed != self.stored.secrets.get(name)]
        return stored.epoch == self.stored.epoch and all(self._had(name, stored.secrets[name]) for name in others)

    def _had(self, name: str, sealed: str) -> bool:
        if name not in self._given:  # it has not begun
            return True
        try:
            return self.shared.keys.open(self.name, name, sealed) in self._given[name]
        except Misconfigured:  # sealed anew with a key that this process does not have: it goes on with what it has
            return True

    async def run(self) -> None:
        """Read for ever."""
        connector = self.shared.catalogue[self.stored.connector]
        options = connections.parse_options(connector.Options, connections.with_secrets(self.stored, self.shared.keys))
        self._given = {name: [secret] for name, secret in connections.split_secrets(options)[1].items()}
        self.limiter = Limiter(connector.title, share=getattr(options, "share", DEFAULT_SHARE))
        board = self.lookout.board
        network = Network(self.shared.policy, self.limiter, noticed=board)
        surroundings = Surroundings(self.shared.now, network, self._replaced, board)
        async with connector.open(self.name, options, surroundings) as source:
            try:
                while True:
                    await self._round(connector, options, source)
                    await self._pause(source)
            except Misconfigured:
                # Which right was lost is told by the step of the check that fails.
                with suppress(RetryLater, Misconfigured):
                    await self.lookout.look(source)
                raise

    async def _round(self, connector: Connector, options: Any, source: Source) -> None:
        # First of all, so that what arrives from here on is seen by the next round.
        self.wake.clear()
        if self.stored.wanted:
            await self._change(wanted=False)
        later = await self._hints(connector, options, source)
        await self._pages(source)
        if later is not None:
            raise later
        await self._census(source)
        await self.lookout.round(source)
        if await self.lookout.compare(source, self._publish_beside, lambda: self._news(source)):
            self.stored = replace(self.stored, census_at=pages.LONG_AGO)
            self.wake.set()

    async def _pages(self, source: Source) -> None:
        cursor, since = self.stored.cursor, self.stored.since
        async with aclosing(self._told(source.pages(cursor, since))) as told:
            async for page in told:
                await self._publish(page)
                self.stored = replace(self.stored, cursor=page.cursor)
        if not self.stored.first_read_done:
            await self._change(first_read_done=True)
            self.stored = replace(self.stored, first_read_done=True)
        self._polled = self.shared.now()

    async def _publish(self, page: Page, *, moves_cursor: bool = True) -> None:
        place = self.place(page.cursor) if moves_cursor else ""
        with self.shared.watch.span("page.publish", after=self._read_at, connection=self.name, events=len(page.events)):
            await self.shared.flow.publish(
                self.name, page, self.lease, self.stored.epoch, moves_cursor=moves_cursor, place=place
            )

    async def _publish_beside(self, page: Page) -> None:
        await self._publish(page, moves_cursor=False)

    def place(self, cursor: dict[str, Any] | None) -> str:
        """A cursor in words."""
        return described(self.shared.catalogue[self.stored.connector], cursor)

    async def _news(self, source: Source) -> None:
        """What is read beside takes hours at a gentle pace; the news does not wait for it."""
        if self.shared.now() - self._polled >= self.shared.poll:
            await self._pages(source)

    async def _census(self, source: Source) -> None:
        now = self.shared.now()
        if self.stored.census_at is None:
            # The first read has just seen everything: the first census comes one interval later.
            await self._change(census_at=now)
            self.stored = replace(self.stored, census_at=now)
        if now - (self.stored.census_at or now) < self.shared.census:
            return
        async with reading(self.shared.engine) as connection:
            artifacts = await known.artifacts_of(connection, self.name)
        async with aclosing(self._told(source.census(artifacts, self.stored.census_cursor))) as told:
            async for page in told:
                await self._publish(page, moves_cursor=False)
                await self._change(census_cursor=page.cursor)
                self.stored = replace(self.stored, census_cursor=page.cursor)
                await self._news(source)
        # The last cursor is kept: it is what the connector's next census compares with.
        await self._change(census_at=now)
        self.stored = replace(self.stored, census_at=now)
        await self.lookout.schedule()

    async def _hints(self, connector: Connector, options: Any, source: Source) -> RetryLater | None:
        """Turn what webhooks told into pages, and fetch what they only hinted at.

        Returns why a fetch has to wait: a hint that always fails must not keep the polls from telling the same.
        """
        async with reading(self.shared.engine) as connection:
            deliveries = await inbox.waiting(connection, self.name)
        if not deliveries:
            return None
        if len(deliveries) == inbox.ONE_LOOK:
            self.wake.set()  # more may wait: look again after the next pages, without a pause
        self._read_at, hints, events, unusable = None, dict[str, None](), list[SourceEvent](), list[SetAside]()
        for _, delivery, received_at in deliveries:
            try:
                pushed = connector.verify(self.name, options, delivery, received_at)
            except (BadRecord, Unverified) as error:
                unusable.append(SetAside("webhook", str(error), delivery.body.decode("utf-8", "replace")))
                continue
            hints |= dict.fromkeys(pushed.hints)
            events += pushed.events
        if events or unusable:
            await self._publish(Page(events, {}, None, set_aside=unusable), moves_cursor=False)
        if hints and (later := await self._fetch(source, tuple(hints))):
            return later
        async with writing(self.shared.engine) as connection:
            await inbox.mark_handled(connection, [number for number, _, _ in deliveries], self.shared.now())
        return None

    async def _fetch(self, source: Source, hints: tuple[str, ...]) -> RetryLater | None:
        """Fetch what webhooks named. One thing that cannot be fetched is found by itself, and in the end set aside."""
        try:
            await self._fetched(source, hints)
        except RetryLater as error:
            return error
        except Unforeseen as error:
            return await self._one_by_one(source, hints) if len(hints) > 1 else await self._failed(hints[0], error)
        return None

    async def _one_by_one(self, source: Source, hints: tuple[str, ...]) -> RetryLater | None:
        later: RetryLater | None = None
        for hint in hints:
            later = await self._fetch(source, (hint,)) or later
        return later

    async def _fetched(self, source: Source, hints: tuple[str, ...]) -> None:
        async with aclosing(self._told(asked(source.fetch(hints)))) as told:
            async for page in told:
                await self._publish_beside(page)

    async def _failed(self, hint: str, error: Unforeseen) -> RetryLater | None:
        """Why a thing has to wait; None where it failed so often that it was set aside as a dead letter."""
        times = self.shared.hints[self.name, hint] = self.shared.hints[self.name, hint] + 1
        if times < TRIES:
            return RetryLater(f"One thing that a webhook named cannot be fetched ({error}); it is tried again")
        del self.shared.hints[self.name, hint]
        reason = f"a webhook named it, and fetching it failed {TRIES} times: {error}"
        await self._publish_beside(Page((), {}, None, set_aside=[SetAside(hint, reason, hint)]))
        return None

    async def _pause(self, source: Source) -> None:
        """Until the next poll, or until something says that there is news."""
        async with writing(self.shared.engine) as connection:
            await pages.prune(connection, self.name, self.shared.now() - PAGES_KEPT)
        await self._change(alive_at=self.shared.now(), problem=None, attention=False, retry_at=None)
        self.succeeded = True
        seconds = self.shared.poll.total_seconds()
        listen: Callable[[float], Awaitable[Any]] | None = getattr(source, "wait", None)
        waits: set[asyncio.Task[Any]] = {asyncio.create_task(self.wake.wait())}
        if listen is not None:
            waits.add(asyncio.ensure_future(listen(seconds)))
        try:
            done, _ = await asyncio.wait(waits, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        finally:
            for task in waits:
                task.cancel()
            await asyncio.gather(*waits, return_exceptions=True)
        self.stored = replace(self.stored, wanted=self.wake.is_set())

    async def _mine(self, connection: AsyncConnection) -> None:
        """Raises LeaseLost, Reconfigured where this reader may not write any more."""
        await leases.check(connection, self.lease)
        await connections.check(connection, self.name, self.stored.epoch)

    async def _change(self, **values: Any) -> None:
        async with writing(self.shared.engine) as connection:
            await self._mine(connection)
            await connections.change(connection, self.name, **values)

    async def _replaced(self, field: str, secret: SecretStr) -> None:
        """Seal and keep a secret that the tool gave in place of the stored one."""
        self._given.setdefault(field, []).append(secret)
        sealed = self.shared.keys.seal(self.name, field, secret)
        async with writing(self.shared.engine) as connection:
            await self._mine(connection)
            await connections.keep_secret(connection, self.name, field, sealed)

    async def _told(self, pages: AsyncIterator[Page]) -> AsyncGenerator[Page, None]:
        """The pages as a generator that can be closed, whatever kind of iterator they are."""
        while True:
            with self.shared.watch.span("page.read", connection=self.name) as self._read_at:
                try:
                    page = await anext(pages)
                except StopAsyncIteration:
                    return
            yield page
