"""`throughline up --sandbox` and `throughline sandbox`: a company to try things on, and a hub that reads it."""

import asyncio
import contextlib
import signal
import sys
import time
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

from pydantic import BaseModel
from rich.progress import Progress, TaskID
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from pipelines.store import configuration, tables
from pipelines.store.engine import reading, writing
from pipelines.store.pending import ask_everything
from schemas.canonical import canonical_json
from schemas.errors import RetryLater
from services.cli import processes
from services.cli.bars import bars, move
from services.cli.beginning import Tell
from services.cli.installation import Installation, now
from services.cli.pace import beside
from services.cli.processes import API, Hub
from services.cli.terminal import errors, interruptible
from services.feed import connections
from services.feed.rules import configuration_of
from services.sandbox.people import HOUSE
from services.sandbox.process import Ended, SandboxProcess
from services.sandbox.running import Ready, Wish, sandbox
from services.sandbox.script import Happening
from services.settings import is_loopback

POLL_SECONDS = 2.0
_SHORT_LIVES, _SHORT_LIFE_SECONDS = 3, 60.0
"""Tools that end more often within this time are not started again: that would go on for ever."""
_LONGEST_START = timedelta(seconds=60)
_NAMES = ("jira-sandbox", "hubspot-sandbox", "mail-sandbox")
_TITLES = {"jira": "Jira", "hubspot": "HubSpot", "mailbox": "Mailbox"}


@dataclass(frozen=True, slots=True)
class Joined:
    """A connection to one of the sandbox's tools."""

    name: str
    connector: str
    options: dict[str, Any]


def joined(ready: Ready) -> tuple[Joined, ...]:
    """The connections to a sandbox that runs."""
    token = {"kind": "api_token", "email": ready.jira_email, "token": ready.jira_token}
    password = {"kind": "password", "user": ready.mail_user, "password": ready.mail_password}
    jira = {"base_url": ready.jira, "auth": token, "projects": ready.projects, "share": 1.0, "overlap_minutes": 2}
    hubspot = {"base_url": ready.hubspot, "token": ready.hubspot_token, "portal": ready.portal, "share": 1.0}
    mail = {
        "host": ready.mail_host, "port": ready.mail_port, "security": "plain", "auth": password,
        "folders": ready.folders, "own": [f"@{HOUSE}"], "keep": "full",
    }  # fmt: skip
    return (
        Joined(_NAMES[0], "jira", jira | {"keep": "full"}),
        Joined(_NAMES[1], "hubspot", hubspot | {"keep": "full"}),
        Joined(_NAMES[2], "mailbox", mail),
    )


def up_with_company(installation: Installation, pace: float, requests: int, tell: Tell) -> None:
    """Run a hub and a sandbox until Ctrl-C. Raises Misconfigured."""
    made = Installation(installation.settings.model_copy(update=_for_company(installation)))
    began = time.monotonic()
    with SandboxProcess(_wish(installation, pace, requests)) as child:

        async def started(hub: Hub) -> None:
            await Company(made, hub, child, tell, began).mind()

        async def before(hub: Hub) -> None:
            await hold(hub.engine)

        processes.run_forever(processes.run(made, processes.ROLES, tell, started, before))


def _for_company(installation: Installation) -> dict[str, Any]:
    """What is set otherwise beside a sandbox. Where the API is this machine's alone, nobody signs in."""
    alone = is_loopback(installation.settings.api_host) and is_loopback(installation.settings.health_host)
    return {"allow_loopback_tools": True, "poll_interval": POLL_SECONDS} | (
        {"open_to_this_machine": True} if alone else {}
    )


@dataclass(slots=True)
class Company:
    """Minds the sandbox's tools beside a hub: connects them, and starts them again where they end."""

    installation: Installation
    hub: Hub
    child: SandboxProcess
    tell: Tell
    began: float
    """On the monotonic clock."""
    starts: list[float] = field(default_factory=list)
    """When they were started again, on the monotonic clock."""

    async def mind(self) -> None:
        """For ever. Raises Misconfigured, and RetryLater where they end again and again."""
        first: asyncio.Task[None] | None = None
        try:
            while True:
                with contextlib.suppress(Ended):
                    ready = await self.child.ready()
                    await connect(self.installation, self.hub.engine, ready)
                    if first is None:
                        shown = First(self.installation, self.hub, ready, self.tell, self.began)
                        first = asyncio.create_task(shown.follow())
                    await _first_to_end(first, self.child)
                await self._again(await self.child.ended())
        finally:
            if first is not None:
                first.cancel()

    async def _again(self, how: str) -> None:
        now = time.monotonic()
        self.starts = [at for at in self.starts if now - at < _SHORT_LIFE_SECONDS]
        if len(self.starts) >= _SHORT_LIVES:
            raise RetryLater(
                f"the sandbox's tools ended {len(self.starts) + 1} times within a minute, the last time by {how}; "
                "start the hub again, it goes on where it was"
            )
        self.starts.append(now)
        self.tell(f"The sandbox's tools ended ({how}). They are started again, and reading goes on where it was.")
        self.child.again()
        await hold(self.hub.engine)


async def _first_to_end(first: "asyncio.Task[None]", child: SandboxProcess) -> None:
    """Until the child is gone; an error of the first read's display is raised at once."""
    gone = asyncio.create_task(child.ended())
    try:
        await asyncio.wait({first, gone}, return_when=asyncio.FIRST_COMPLETED)
        if first.done():
            first.result()
        await gone
    finally:
        gone.cancel()


def _wish(installation: Installation, pace: float, requests: int, ports: dict[str, int] | None = None) -> Wish:
    folder = (installation.settings.data_dir / "sandbox").absolute()
    return Wish(str(folder), pace, requests=requests, ports=ports or {})


async def hold(engine: AsyncEngine) -> None:
    """Let the connections wait until the tools are up: asked before, they would only be told to have failed."""
    async with writing(engine) as connection:
        for name in _NAMES:
            if await connections.get(connection, name):
                await connections.change(connection, name, retry_at=now() + _LONGEST_START)


async def connect(installation: Installation, engine: AsyncEngine, ready: Ready) -> None:
    """Add the connections that are missing; give the others the addresses that the tools have now."""
    async with writing(engine) as connection:
        for one in joined(ready):
            connector = installation.catalogue[one.connector]
            options = connections.parse_options(connector.Options, one.options)
            stored = await connections.get(connection, one.name)
            if stored is None:
                title = f"{_TITLES[one.connector]} of the sandbox"
                await connections.add(connection, one.name, one.connector, title, options, None, installation.keys)
            elif not await _changed(connection, installation, stored, options):
                await connections.change(connection, one.name, wanted=True, retry_at=None)
                continue
            rules = configuration_of(connector, options)
            await configuration.write(connection, one.name, rules)
            await ask_everything(connection, f"connection {one.name} of the sandbox", now())


async def _changed(
    connection: AsyncConnection, installation: Installation, stored: connections.StoredConnection, options: BaseModel
) -> bool:
    """Store other options; False if they are the same."""
    plain, secrets = connections.split_secrets(options)
    if plain == stored.options:
        return False
    sealed = {field: installation.keys.seal(stored.id, field, secret) for field, secret in secrets.items()}
    return await connections.change(
        connection, stored.id, options=canonical_json(plain), secrets=canonical_json(sealed), problem=None,
        attention=False, retry_at=None, wanted=True, epoch=stored.epoch + 1,
    )  # fmt: skip


@dataclass(slots=True)
class First:
    """Shows how far the first read is, and says what to do then."""

    installation: Installation
    hub: Hub
    ready: Ready
    tell: Tell
    began: float
    """On the monotonic clock."""

    async def follow(self) -> None:
        """Until everything is read."""
        with bars(errors) as progress:
            reads = {
                one.name: progress.add_task(
                    _TITLES[one.connector], total=self.ready.artifacts.get(one.connector), what="things read"
                )
                for one in joined(self.ready)
            }
            merged = progress.add_task("Requests", total=self.ready.requests, what="merged")
            first = 0.0
            there = whole = await self._step(progress, reads, merged)
            while not whole:
                first = first or (progress.tasks[merged].completed and time.monotonic() - self.began)
                await asyncio.sleep(0.2)
                whole = await self._step(progress, reads, merged)
            requests, seconds = int(progress.tasks[merged].completed), time.monotonic() - self.began
            read = f"{requests} requests after {seconds:.1f} s, the first of them after {first or seconds:.1f} s."
        (api,) = (one for one in self.hub.servers if one.title == API)
        await api.listening.wait()  # what was read at an earlier start is there sooner
        self._say(api.url, f"{requests} requests, read at an earlier start." if there else read)

    async def _step(self, progress: Progress, reads: dict[str, TaskID], merged: TaskID) -> bool:
        """Look once; True when everything is read."""
        of = tables.artifacts.c.connection
        async with reading(self.hub.engine) as connection:
            counted = await connection.execute(select(of, func.count()).group_by(of))
            counts = {name: int(number) for name, number in counted}
            requests = (await connection.execute(select(func.count()).select_from(tables.requests))).scalar_one()
            stored = {one.id: one for one in await connections.every(connection)}
            told = await beside(connection, [stored[name] for name in reads if name in stored], now())
        # For a moment there may be more than in the end: what belongs together has not met yet.
        move(progress, merged, requests, self.ready.requests)
        for one in joined(self.ready):
            whole, what = self.ready.artifacts.get(one.connector), told.get(one.name, "things read")
            move(progress, reads[one.name], counts.get(one.name, 0), whole, what=what)
        return all(name in stored and _read(stored[name]) for name in reads)

    def _say(self, pages: str, read: str) -> None:
        settings = self.installation.settings
        issue, deal, *_ = [*self.ready.examples, "", ""]
        command = sys.argv[0].removeprefix(f"{Path.cwd()}/")
        if settings.data_dir != Installation.of({}).settings.data_dir:
            command = f"THROUGHLINE_DATA_DIR={settings.data_dir} {command}"
        self.tell(read)
        self.tell(f"Open {pages} in a browser; programs find the API there under /v1.")
        if settings.open_to_this_machine:
            self.tell(
                "It is open to this machine only: you are signed in as the machine, an admin, without an account."
            )
        self.tell("Try in another terminal:")
        for words in (f"lookup {issue}", f"lookup {deal}", "changes --follow"):
            self.tell(f"  {command} {words}")
        self.tell("Ctrl-C ends everything.")


def _read(stored: connections.StoredConnection) -> bool:
    """Whether a connection's first read is done and understood."""
    return stored.first_read_done and stored.true_up_to is not None


def only_company(installation: Installation, pace: float, requests: int, ports: dict[str, int], say: Tell) -> None:
    """Run the three tools until Ctrl-C. ports: 0 for any. Raises Misconfigured."""
    wish = _wish(installation, pace, requests, {tool: port for tool, port in ports.items() if port})
    with contextlib.suppress(asyncio.CancelledError):
        interruptible()
        asyncio.run(_alone(wish, say))


async def _alone(wish: Wish, say: Tell) -> None:
    task = asyncio.current_task()
    assert task is not None
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, task.cancel)
    async with sandbox(wish) as running:
        ready = running.ready
        say(f"Jira     {ready.jira}   {ready.jira_email}   {ready.jira_token}")
        say(f"HubSpot  {ready.hubspot}   account {ready.portal}   {ready.hubspot_token}")
        say(f"IMAP     {ready.mail_host}:{ready.mail_port} (plain)   {ready.mail_user}   {ready.mail_password}")
        say(f"Worth looking up: {', '.join(ready.examples)}")
        say("A hub started with THROUGHLINE_ALLOW_LOOPBACK_TOOLS=true can be connected to them. Ctrl-C ends them.")

        def tell(happening: Happening) -> None:
            say(f"{happening.tool:8} {happening.what} {running.player.key(happening.name)}")

        await running.go_on(wish.pace, tell)
