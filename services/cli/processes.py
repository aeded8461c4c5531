"""The long-running roles, wired: one of them a process when scaled out, all of them in one by default."""

import asyncio
import logging
import signal
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterable, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field
from datetime import timedelta
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any

from faststream.kafka import KafkaBroker
from sqlalchemy.ext.asyncio import AsyncEngine
from starlette.types import ASGIApp

from pipelines.ingest import Ingest
from pipelines.publish import Publisher
from pipelines.recompute import Recompute
from pipelines.suggesting import Suggesting
from schemas.errors import Misconfigured
from services import migrations
from services.admin.removal import Removal
from services.broker import (
    LIFECYCLES,
    BrokerSettings,
    EmbeddedBroker,
    Outgoing,
    Placed,
    Reach,
    Ready,
    batch_subscriber,
    close,
    connect,
    ensure_topics,
    open_broker,
    publish_page,
    source_topic,
    told_up_to,
)  # fmt: skip
from services.broker.batches import Subscription
from services.cli.alone import Alone, outlived, place
from services.cli.beginning import (
    Tell,
    calm_collector,
    few_heaps,
    give_back,
    keys_told,
    later,
    loaded,
    said_to_run,
    stamped,
    upgraded,
)
from services.cli.installation import Installation, now
from services.cli.listeners import Listener
from services.cli.probes import checks
from services.cli.terminal import errors, interruptible
from services.cli.watching import Gauges, Observer, traced
from services.feed import flow, replays
from services.feed.feed import Feed
from services.feed.flow import Bus, Flow
from services.feed.gaps import GapGuard
from services.feed.pages import Place
from services.feed.reader import Reading
from services.feed.webhooks import Webhooks
from services.query.serving import Check
from services.telemetry import Metrics, Tracing, configure_logs

if TYPE_CHECKING:
    from services.admin.entrance import Entrance
    from services.query.reads import Reads

logger = logging.getLogger("throughline")

ROLES = ("feed", "ingest", "publish", "query", "webhooks")
GROUP = "ingest"
API = "the API"
"""Title of the listener for programs and pages."""


def configure_logging(installation: Installation) -> None:
    """Logs as the settings say."""
    colours = errors.is_terminal and not errors.no_color
    configure_logs(installation.settings.log_level, installation.settings.log_format, colours=colours)


@contextmanager
def tracing(installation: Installation, roles: Sequence[str]) -> Iterator[Tracing]:
    """Traces of this process; what is left is sent at the end."""
    endpoint = installation.settings.otlp_endpoint
    made = Tracing(str(endpoint) if endpoint else None, "all" if set(roles) == set(ROLES) else ",".join(sorted(roles)))
    try:
        yield made
    finally:
        made.close()


@dataclass
class Hub:
    """The running parts of one process."""

    installation: Installation
    engine: AsyncEngine
    lookups: AsyncEngine
    """The same database for the API, which sees closed connections by itself and saves the look before each use."""
    settings: BrokerSettings
    embedded: EmbeddedBroker | None
    ready: Ready
    broker: KafkaBroker
    watch: Observer
    tell: Tell
    closing: asyncio.Event = field(default_factory=asyncio.Event)
    publisher: Publisher | None = None
    ingest: Ingest | None = None
    subscription: Subscription | None = None
    feed: Feed | None = None
    reads: "Reads | None" = None
    hooks_here: str = ""
    """Where this process listens for webhooks, if it does."""
    roles: list[str] = field(default_factory=list)
    tasks: list[Awaitable[Any]] = field(default_factory=list)
    servers: list[Listener] = field(default_factory=list)

    def add(self, role: str) -> None:
        """Wire one role. Subscribers must be added before the broker connects."""
        self.roles.append(role)
        getattr(self, f"_add_{role}")()

    def _add_ingest(self) -> None:
        mappings = {name: one.map for name, one in self.installation.catalogue.items()}
        ingest = self.ingest = Ingest(
            self.engine, mappings, now, self.ready.incarnation, self._changed, self.watch,
            self.installation.settings.batch_size, self.installation.holder,
        )  # fmt: skip
        connector_of = {self.settings.topic(source_topic(name)): name for name in mappings}
        guard = GapGuard(
            self.engine, ingest, self._positions, self.ready.incarnation, connector_of,
            embedded=self.embedded is not None,
        )  # fmt: skip
        self.subscription = batch_subscriber(
            self.broker, self.settings, [source_topic(name) for name in mappings], GROUP, self.watch.batch(guard),
            max_records=self.installation.settings.batch_size, batch_timeout_ms=50, assigned=guard.assigned,
        )  # fmt: skip
        recompute = Recompute(self.engine, now, self.installation.holder, self.wake_publisher, self.watch)
        self.tasks += [recompute.run(), ingest.catch_up.run(), self.subscription.watch(self.watch.revived)]
        suggesting = Suggesting(
            self.engine, now, self.installation.holder, a_day=self.installation.settings.suggestions_a_day,
            behind=lambda: ingest.catch_up.behind,
        )  # fmt: skip
        self.tasks.append(later(suggesting.run))
        removal = Removal(self.engine, ingest.telling, now, self.installation.holder, self._changed)
        self.tasks.append(later(removal.run))

    def _positions(self) -> Subscription:
        assert self.subscription is not None
        return self.subscription

    def _changed(self) -> None:
        self.watch.changed()
        self.wake_publisher()

    def wake_publisher(self) -> None:
        """There may be something to publish."""
        if self.publisher:
            self.publisher.wake.set()

    def _add_publish(self) -> None:
        # The embedded broker forgets, and has no readers that did not begin after it.
        told = None if self.embedded else partial(told_up_to, self.settings)
        self.publisher = Publisher(self.engine, self._send_lifecycles, now, self.installation.holder, told=told)
        self.tasks.append(self.publisher.run())

    async def _send_lifecycles(self, records: Sequence[tuple[bytes, bytes, list[tuple[str, bytes]]]]) -> list[bool]:
        topic = self.settings.topic(LIFECYCLES)
        with self.watch.publishing(len(records)):
            outgoing = [Outgoing(topic, key, value, traced(headers)) for key, value, headers in records]
            results = await publish_page(self.broker, outgoing)
        sent = [isinstance(result, Placed) for result in results]
        self.watch.metrics.records_published.inc(sum(sent))
        return sent

    def _add_feed(self) -> None:
        bus = Bus(self._send_source, self.ready.incarnation, self.embedded is not None)
        shared = Reading(
            self.engine, Flow(self.engine, bus, now), self.installation.catalogue, self.installation.keys,
            self.installation.policy, now, timedelta(seconds=self.installation.settings.poll_interval),
            watch=self.watch,
        )  # fmt: skip
        self.feed = Feed(shared, self.installation.holder)
        self.tasks.append(self.feed.run())
        self.tasks.append(later(partial(replays.run, self.engine, self._send_source)))

    async def _send_source(self, records: Sequence[flow.Outgoing]) -> list[Place | Exception]:
        named = [
            Outgoing(self.settings.topic(source_topic(name)), key, value, traced(headers))
            for name, key, value, headers in records
        ]
        results = await publish_page(self.broker, named)
        return [
            (record.topic, one.partition, one.offset + 1) if isinstance(one, Placed) else one
            for record, one in zip(named, results, strict=True)
        ]

    def _add_query(self) -> None:
        settings = self.installation.settings
        self._serve(API, self._site, (settings.api_host, settings.api_port), "THROUGHLINE_API")
        self.tasks.append(self._know_people(self.servers[-1], inviting=True))
        self._measure()

    def _site(self) -> ASGIApp:
        from services.cli.site import begun

        return begun(self)

    def add_probes(self) -> None:
        """A listener for probes and measures only, where it is wanted. For processes without the API."""
        settings = self.installation.settings
        if settings.health_port is None:
            return
        self._serve("probes", self._probes, (settings.health_host, settings.health_port), "THROUGHLINE_HEALTH")
        self.tasks.append(self._know_people(self.servers[-1]))
        self._measure()

    def _probes(self) -> ASGIApp:
        from services.cli.entering import access_of
        from services.query.first import create_probes

        access = access_of(self.installation, self.entrance)
        return create_probes(
            self.lookups, now, access=access, checks=self.checks(), metrics=self.watch.metrics.registry,
            schema_version=migrations.head(),
        )  # fmt: skip

    @cached_property
    def entrance(self) -> "Entrance":
        """Who comes in; made with the first application that asks, since it takes long to load."""
        from services.cli.entering import entrance

        return entrance(self.installation, self.engine, self.lookups)

    async def _know_people(self, server: Listener, *, inviting: bool = False) -> None:
        await server.listening.wait()
        from services.cli.entering import invite

        if inviting:
            await invite(self.installation, self.entrance, self.tell, server.url)
        written = [self.entrance.access, self.reads]
        await asyncio.gather(*(one.run() for one in written if one))

    def _measure(self) -> None:
        # After the roles that it looks at: they are added in this order (see hub).
        self.tasks.append(later(Gauges(self.engine, self.watch.metrics, self.subscription, self.feed).run))

    def checks(self) -> Mapping[str, Check]:
        """What /readyz looks at, by part."""
        return checks(
            Reach(self.broker, self.settings), self.lookups, now,
            feed=self.feed, ingest=self.ingest, subscription=self.subscription, publisher=self.publisher,
        )  # fmt: skip

    def _add_webhooks(self) -> None:
        address = (self.installation.settings.webhook_host, self.installation.settings.webhook_port)
        server = self._serve("webhooks", self._hooks, address, "THROUGHLINE_WEBHOOK")
        if not address[1]:
            server.claim()
        self.hooks_here = server.url

    def _hooks(self) -> ASGIApp:
        public = str(self.installation.settings.public_url or self.hooks_here)
        return Webhooks(self.engine, self.installation.catalogue, self.installation.keys, public, now).app()

    def _serve(self, title: str, make: Callable[[], ASGIApp], address: tuple[str, int], setting: str) -> Listener:
        server = Listener(title, make, address, setting, self.closing)
        self.servers.append(server)
        self.tasks.append(server.run_until_stopped())
        return server


@asynccontextmanager
async def hub(installation: Installation, roles: Sequence[str], tell: Tell) -> AsyncIterator[Hub]:
    """A hub with these roles wired and connected; its tasks are not started."""
    async with AsyncExitStack() as stack:
        if installation.embedded:
            stack.enter_context(installation.alone())
        embedded = stack.enter_context(installation.embedded_broker())
        connectors = installation.catalogue  # loaded while the embedded broker still starts
        loading = [loaded("services.cli.site")] if "query" in roles else []
        engine = await stack.enter_async_context(installation.engine())
        await upgraded(engine, tell)
        sole = Alone(engine, place(installation.settings.data_dir), now)
        if embedded:
            await stack.enter_async_context(sole.held(tell))
        if "ingest" in roles:
            await stamped(engine)
        settings = installation.broker_settings(embedded)
        ready = await ensure_topics(settings, connectors, embedded, tell=tell)
        broker = open_broker(settings)
        watch = Observer(Metrics(), stack.enter_context(tracing(installation, roles)))
        await keys_told(installation, engine, tell)
        lookups = await stack.enter_async_context(installation.engine(ping=False))
        made = Hub(installation, engine, lookups, settings, embedded, ready, broker, watch, tell)
        for role in sorted(roles):
            made.add(role)
        made.tasks += [outlived(embedded), sole.keep()] if embedded else [Reach(broker, settings).run()]
        if "query" not in roles:
            made.add_probes()
        await asyncio.gather(*loading)
        for server in made.servers:  # before the roles run: beside them it takes three times as long
            await server.make()
        await connect(broker, settings, tell=tell)
        calm_collector()
        stack.push_async_callback(close, broker)
        yield made


def run_forever(work: Coroutine[Any, Any, None]) -> None:
    """Run a long-lived process on uvloop, where there is one (there is none on Windows)."""
    interruptible()
    try:
        import uvloop
    except ImportError:
        asyncio.run(work)
        return
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(work)


Beside = Callable[[Hub], Awaitable[None]]


async def nothing(_: Hub) -> None:
    """Nothing more is to be done with the hub."""


def telling_where(tell: Tell, roles: Sequence[str]) -> Beside:
    """Say once what runs, and where it listens."""

    async def say(running: Hub) -> None:
        for server in running.servers:
            await server.listening.wait()
        where = [f"{one.title} at {one.url}" for one in running.servers]
        tell(said_to_run(roles, where, whole=set(roles) == set(ROLES)))

    return say


async def run(
    installation: Installation, roles: Sequence[str], tell: Tell, started: Beside = nothing, before: Beside = nothing
) -> None:
    """Run roles until SIGINT or SIGTERM, or until one of them fails; `started` runs beside them, `before` before them.

    Raises Misconfigured for what only a person can mend.
    """
    if installation.embedded and set(roles) != set(ROLES):
        raise Misconfigured(
            "The embedded broker serves one process only",
            "Set THROUGHLINE_KAFKA_BOOTSTRAP (and a PostgreSQL database) to run roles apart, or use `throughline up`",
        )
    few_heaps()
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    # A task of its own, so that a stop also ends a start that still waits for Kafka or the database.
    life = asyncio.create_task(_live(installation, roles, tell, started, before))
    stopping = asyncio.create_task(stop.wait())
    await asyncio.wait({life, stopping}, return_when=asyncio.FIRST_COMPLETED)
    stopping.cancel()
    life.cancel()
    with suppress(asyncio.CancelledError):
        await life


async def _live(installation: Installation, roles: Sequence[str], tell: Tell, started: Beside, before: Beside) -> None:
    """Run until cancelled; what ends before by an error ends everything, what ends well was done."""
    async with hub(installation, roles, tell) as running:
        await before(running)
        tasks = {asyncio.ensure_future(task) for task in [*running.tasks, give_back(), started(running)]}
        waiting = set(tasks)
        try:
            while waiting:
                done, waiting = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
                for task in done:
                    task.result()
        finally:
            await _end(running, tasks)


async def _end(running: Hub, tasks: Iterable["asyncio.Future[Any]"]) -> None:
    running.closing.set()
    for server in running.servers:
        server.stop()
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
