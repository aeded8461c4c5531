"""Trying a connection before it is saved: its check, step by step, and ten real things with what they would join."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from pydantic import BaseModel
from rich.console import Console
from rich.table import Table
from rich.text import Text

from connectors.contract import Connector, Page, Source, Surroundings
from connectors.limiter import DEFAULT_SHARE, Limiter
from connectors.transport import Network
from pipelines.correlate import correlate
from pipelines.correlate.rules import Rules
from pipelines.ingest import references_of
from schemas.artifacts import EVIDENCE_ORDER, Evidence, Mapped, Reference
from schemas.errors import BadRecord, RetryLater
from schemas.links import Component, Group, Groups, Node
from services.cli.words import counted, listed
from services.query import reading
from services.query.database import Database
from services.query.reading import Known
from services.sandbox.standing import Folder, Standing

if TYPE_CHECKING:
    from services.cli.installation import Installation

THINGS = 10
PAGES = 10
SECONDS = 60.0
_PAUSE = 2.0
_HERE = {"127.0.0.1", "localhost", "::1"}
_SHOWN_REFERENCES = 4


@asynccontextmanager
async def opened_source(
    made: "Installation",
    connector: Connector,
    name: str,
    options: BaseModel,
    now: Callable[[], datetime],
    *,
    sandbox: bool = False,
) -> AsyncIterator[Source]:
    """The connection's source, reading as gently as the hub would, and patient where a hub beside it has used up the
    tool's limit. sandbox: it may be a tool of this hub's sandbox."""
    policy = made.policy
    if sandbox and in_sandbox(options, made.settings.data_dir / "sandbox"):
        policy = replace(policy, allow_loopback=True)
    limiter = Limiter(connector.title, share=getattr(options, "share", DEFAULT_SHARE))
    network = Network(policy, limiter, patience=SECONDS)
    async with connector.open(name, options, Surroundings(now, network)) as source:
        yield source


def in_sandbox(options: BaseModel, folder: Path) -> bool:
    """Whether these options name, on this machine, a port that the sandbox in this folder keeps for its tools."""
    auth = getattr(options, "auth", None)
    if not folder.is_dir() or getattr(auth, "gateway", None) or getattr(auth, "token_url", None):
        return False
    ports = Folder(folder).load(Standing("")).ports
    host, port = getattr(options, "host", None), getattr(options, "port", None)
    if address := getattr(options, "base_url", None):
        parts = urlsplit(address)
        host, port = parts.hostname, parts.port
    return host in _HERE and port in ports.values()


async def passes(source: Source, screen: Console) -> bool:
    """Print each step of the check; False at the first that fails, which says how to mend it."""
    async for step in source.check():
        mark = Text("  ok    ", style="green") if step.ok else Text("  fails ", style="bold red")
        screen.print(mark.append(f"{step.name}: ", style="bold").append(step.says, style="default"))
        if not step.ok:
            return False
    return True


@dataclass(slots=True)
class Thing:
    """An artifact as the first pages tell it."""

    artifact: str
    connection: str
    connector: str
    kind: str
    fields: dict[str, Any]
    parts: dict[str, tuple[Reference, ...]]

    @property
    def references(self) -> tuple[Reference, ...]:
        """All of its parts."""
        return tuple(one for part in self.parts.values() for one in part)

    @property
    def names(self) -> list[str]:
        """The values by which it names others, strongest first, as people write them."""
        others = [one for one in self.references if one.evidence is not Evidence.IDENTITY]
        # Where a tool names a thing by its key too, its number tells a person nothing.
        keyed = {one.relation for one in others if one.kind.endswith(".key")}
        others = [one for one in others if one.relation not in keyed or not one.kind.endswith(".issue")]
        ordered = sorted(others, key=lambda one: EVIDENCE_ORDER[one.evidence])
        return list(dict.fromkeys(f"{one.value} ({one.relation}, {one.evidence.value})" for one in ordered))

    def node(self) -> Node:
        """As correlation sees it."""
        told = self.fields
        return Node(
            artifact=self.artifact, connection=self.connection, connector=self.connector, kind=self.kind,
            type=told.get("type"), type_level=told.get("type_level"), opens=told.get("opens"),
            created_at=told.get("created_at"), natural_key=told.get("natural_key"), title=told.get("title"),
            deleted=bool(told.get("deleted")), merged_into=told.get("merged_into"), references=self.references,
        )  # fmt: skip


@dataclass(slots=True)
class Sample:
    """What the first pages hold."""

    things: list[Thing]
    unusable: int = 0
    """Records that could not be understood."""
    cut: bool = False
    """The tool was too slow to show more."""


async def sample(source: Source, connector: Connector, since: datetime | None) -> Sample:
    """The things of the first pages; where the tool says to wait, it waits. Raises Misconfigured as reading does."""
    things: dict[str, Thing] = {}
    found = Sample([])
    seen = 0
    try:
        async with asyncio.timeout(SECONDS), aclosing(_patiently(source, since)) as pages:
            async for page in pages:
                seen += 1
                _look(page, connector, things, found)
                if len(things) >= THINGS or seen >= PAGES:
                    break
    except TimeoutError:
        found.cut = True
    found.things = list(things.values())
    return found


async def _patiently(source: Source, since: datetime | None) -> AsyncGenerator[Page, None]:
    """The pages of a first read; where the tool says to wait, it goes on after the last page."""
    cursor: dict[str, Any] | None = None
    while True:
        try:
            async for page in source.pages(cursor, since):
                cursor = page.cursor
                yield page
            return
        except RetryLater as error:
            await asyncio.sleep(error.after or _PAUSE)


def _look(page: Page, connector: Connector, things: dict[str, Thing], found: Sample) -> None:
    found.unusable += len(page.set_aside)
    for event in sorted(page.events, key=lambda one: (one.order, one.rank)):
        try:
            _merge(things, connector.map(event))
        except BadRecord:
            found.unusable += 1


def _merge(things: dict[str, Thing], mapped: Mapped) -> None:
    new = Thing(mapped.artifact, mapped.connection, mapped.connector, mapped.kind, {}, {})
    thing = things.setdefault(mapped.artifact, new)
    thing.kind = mapped.kind
    thing.fields |= mapped.fields
    thing.parts |= {name: references_of(part) for name, part in mapped.parts.items()}


async def stored_matches(database: Database, found: Sample) -> dict[str, list[Known]]:
    """By reference key: what is stored already that things of the sample name."""
    keys = {one.key for thing in found.things for one in thing.references if one.evidence is not Evidence.QUOTED}
    async with database.reading() as connection:
        return await reading.known(connection, keys)


def verdicts(found: Sample, rules: Rules, matches: Mapping[str, list[Known]]) -> list[tuple[Thing, str]]:
    """The first things, each with what would become of it: a sentence."""
    groups = correlate(Component(tuple(thing.node() for thing in found.things)), rules)
    by_artifact = {name: group for group in groups.requests for name in group.artifacts}
    titles = {thing.artifact: _called(thing) for thing in found.things}
    return [
        (thing, _verdict(thing, by_artifact.get(thing.artifact), groups, titles, matches))
        for thing in found.things[:THINGS]
    ]


def _verdict(
    thing: Thing, group: Group | None, groups: Groups, titles: Mapping[str, str], matches: Mapping[str, list[Known]]
) -> str:
    known = _joined_stored(thing, matches)
    if known:
        where = f", in {known[0].request}" if known[0].request else ""
        return f"joins {known[0].kind} {known[0].natural_key or known[0].native_id}, read already{where}"
    if group is None:
        programme = next((one for one in groups.programmes if one.artifact == thing.artifact), None)
        if programme:
            return f"a programme of {counted(len(programme.requests), 'request')}"
        return "stays outside: it opens no request, and nothing here that does is named"
    if group.anchor != thing.artifact:
        why = next((link.why for link in group.links if thing.artifact in (link.from_artifact, link.to_artifact)), "")
        return f"joins {titles.get(group.anchor, group.anchor)}" + (f": {why}" if why else "")
    others = len(group.artifacts) - 1
    return "opens a request" + (f", which {counted(others, 'other thing')} here joins" if others else "")


def _joined_stored(thing: Thing, matches: Mapping[str, list[Known]]) -> list[Known]:
    """What is stored of other connections that it names; what is stored of itself is not counted."""
    keys = [one.key for one in thing.references if one.evidence not in (Evidence.IDENTITY, Evidence.QUOTED)]
    return [one for key in keys for one in matches.get(key, ()) if one.artifact != thing.artifact]


def _called(thing: Thing) -> str:
    key = thing.fields.get("natural_key") or ""
    return f"{thing.kind} {key}" if key and len(key) <= 30 else f"the {thing.kind} “{thing.fields.get('title') or ''}”"


def preview(found: Sample, rules: Rules, matches: Mapping[str, list[Known]]) -> Table:
    """Ten things as a table."""
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim", expand=True)
    table.add_column("thing", ratio=2)
    table.add_column("what would become of it", ratio=2)
    table.add_column("what it names", ratio=2)
    for thing, verdict in verdicts(found, rules, matches):
        called, title = Text(_called(thing)), thing.fields.get("title")
        if title and title not in called.plain:
            called.append(f"\n{title}", style="dim")
        table.add_row(called, Text(verdict), Text(listed(thing.names, _SHOWN_REFERENCES) or "nothing"))
    return table


def shown(found: Sample, rules: Rules, matches: Mapping[str, list[Known]], screen: Console) -> None:
    """Print the sample."""
    if not found.things:
        late = " within a minute" if found.cut else ""
        screen.print(f"Nothing to read was found{late}: look at the filters, and from when it is read.")
    else:
        screen.print(preview(found, rules, matches))
    if found.unusable:
        screen.print(f"{counted(found.unusable, 'record')} could not be understood: they would wait as dead letters.")
