"""A hub that has read the sandbox's tools, with something of everything in it: what generated requests are sent to."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx2
from argon2 import PasswordHasher
from prometheus_client import CollectorRegistry
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncEngine

from connectors.addresses import Policy
from connectors.catalogue import catalogue
from pipelines.ingest import Ingest
from pipelines.publish import Publisher
from pipelines.store import configuration, tables
from pipelines.store.dead_letters import DeadLetter
from pipelines.store.dead_letters import add as add_letters
from pipelines.store.engine import open_engine, reading, writing
from pipelines.suggest.model import Model
from pipelines.suggesting import Suggesting
from schemas.access import Role
from services import migrations
from services.admin import accounts, tokens
from services.admin.accounts import Account, By
from services.admin.audit import noting
from services.admin.entrance import Entrance
from services.admin.equipment import Equipment
from services.admin.passwords import Passwords
from services.admin.routers import ROUTERS
from services.admin.signing_in import Accounts, Manner
from services.cli.sandbox import Joined, joined
from services.feed import connections
from services.feed.feed import Feed
from services.feed.flow import Bus, Flow, Outgoing
from services.feed.pages import Place
from services.feed.reader import Reading
from services.feed.rules import configuration_of
from services.query.access import Loopback
from services.query.app import create_app
from services.query.database import Database
from services.sandbox.running import Ready
from services.security import key_ring
from tests.pipelines.memos import Record
from tests.services.query.conftest import client_of

SPARE = tuple(f"spare-{number}" for number in range(6))
"""Connections that may be removed."""
HOOKED = "jira-hooked"
"""A connection whose webhook comes and goes."""
PASSWORD = "correct horse CANARY"
_EAGER = Model(7, 5.0, {"same title": 3.0}, 0.01)
"""Offers whatever is alike at all."""


def clock() -> datetime:
    """Now."""
    return datetime.now(UTC)


def local(host: str, port: int) -> Sequence[str]:
    """Names of tools on this machine lead here; no other name is known, and none is asked for."""
    del port
    if host in ("127.0.0.1", "localhost"):
        return ["127.0.0.1"]
    raise OSError("no such name")


@dataclass
class Company:
    """A hub's database, and what is in it, by the name of what it is."""

    engine: AsyncEngine
    folder: Path
    ready: Ready
    ids: dict[str, list[Any]] = field(default_factory=dict)
    letter: Any = None
    """The content of the letter that is edited."""
    hooks_url: str = "http://127.0.0.1:9"
    """Where webhooks are listened for."""

    @property
    def equipment(self) -> Equipment:
        """With which admins work here."""
        return Equipment(
            self.engine, Database(self.engine, 10.0), catalogue(), key_ring([], self.folder / "key"),
            Policy(allow_loopback=True), clock, self.hooks_url, hooks_public=True, resolver=local,
        )  # fmt: skip

    def app(self, *, everybody: bool) -> Any:
        """The API; everybody: it is open to this machine, and nobody signs in."""
        database, hasher = Database(self.engine, 5), Passwords(PasswordHasher(1, 1024, 1))
        manner = Manner()
        access = None if everybody else Accounts(self.engine, database, clock, manner)
        app = create_app(
            self.engine, clock, access=access or Loopback(), metrics=CollectorRegistry(), more=ROUTERS,
            poll_seconds=0.1,
            noting=lambda who, where: noting(who, clock, where),
        )  # fmt: skip
        app.state.equipment = self.equipment
        app.state.entrance = Entrance(self.engine, database, clock, hasher, manner, access)
        return app

    async def account(self, name: str, role: Role) -> tuple[Account, str, list[str]]:
        """Somebody, by PASSWORD: the account, the text of a token of it, and the ids of others that it has."""
        async with writing(self.engine) as connection:
            by = By(None, clock())
            hashed = await Passwords(PasswordHasher(1, 1024, 1)).hash(PASSWORD)
            account = await accounts.add(connection, by, name, role, password=hashed)
            made = [await tokens.add(connection, by, "generated", role, account.id, None) for _ in range(9)]
        (_, text), *others = made
        return account, text, [one.id for one, _ in others]

    async def others(self) -> list[str]:
        """Ids of accounts that are nobody's."""
        async with writing(self.engine) as connection:
            by = By(None, clock())
            made = [await accounts.add(connection, by, f"Somebody {number}", Role.VIEWER) for number in range(5)]
        return [one.id for one in made]


@asynccontextmanager
async def settled(url: str, folder: Path, ready: Ready) -> AsyncIterator[Company]:
    """A database that holds what the sandbox's tools tell, and what people did with it."""
    engine = open_engine(url)
    await migrations.upgrade(engine)
    company = Company(engine, folder, ready)
    await _connected(company)
    await _read(company)
    async with client_of(company.app(everybody=True)) as http:
        await _worked_with(company, http)
    yield company
    await engine.dispose()


async def _connected(company: Company) -> None:
    keys, told = key_ring([], company.folder / "key"), joined(company.ready)
    signed = replace(told[0], options=told[0].options | {"webhook_secret": "0123456789abcdef0123456789abcdef"})
    other = [{"portal": 5000 + number, "token": f"pat-na1-spare-{number}"} for number, _ in enumerate(SPARE)]
    spare = [replace(told[1], name=SPARE[number], options=told[1].options | more) for number, more in enumerate(other)]
    every = [signed, *told[1:], *spare, replace(told[0], name=HOOKED)]
    async with writing(company.engine) as connection:
        for one in every:
            await _connect(connection, one, keys)


async def _connect(connection: Any, one: Joined, keys: Any) -> None:
    kind = catalogue()[one.connector]
    options = connections.parse_options(kind.Options, one.options)
    await connections.add(connection, one.name, one.connector, one.name, options, None, keys)
    await configuration.write(connection, one.name, configuration_of(kind, options))
    if one.name in (*SPARE, HOOKED):
        await connections.change(connection, one.name, state="stopped", first_read_done=True)


class _Topic:
    """A broker that is only a list, understood at once."""

    def __init__(self, ingest: Ingest) -> None:
        self._ingest = ingest
        self.records: list[Record] = []

    async def send(self, chunk: Sequence[Outgoing]) -> list[Place | Exception]:
        """Take records, and understand them."""
        placed: list[Place | Exception] = []
        new: list[Record] = []
        for name, _, value, headers in chunk:
            offset = len(self.records) + len(new)
            new.append(Record(f"source.{name}", 0, offset, value, [*headers]))
            placed.append((f"source.{name}", 0, offset + 1))
        self.records += new
        await self._ingest(new)
        return placed


async def _read(company: Company) -> None:
    """The first read of every connection."""
    engine, kinds = company.engine, catalogue()
    topic = _Topic(Ingest(engine, {name: one.map for name, one in kinds.items()}, clock, ""))
    shared = Reading(
        engine, Flow(engine, Bus(topic.send, "", False), clock), kinds, key_ring([], company.folder / "key"),
        Policy(allow_loopback=True), clock, timedelta(hours=1),
    )  # fmt: skip
    feeding = asyncio.create_task(Feed(shared, "one").run(tick=0.02))
    try:
        async with asyncio.timeout(60):
            while not await _is_read(company):
                assert not feeding.done()
                await asyncio.sleep(0.05)
    finally:
        feeding.cancel()
        with suppress(asyncio.CancelledError):
            await feeding
    await _letters(company, topic.records)
    await _published(company)


async def _is_read(company: Company) -> bool:
    async with reading(company.engine) as connection:
        every = await connections.every(connection)
    return all(one.first_read_done and (one.true_up_to or one.state == "stopped") for one in every)


async def _letters(company: Company, records: Sequence[Record]) -> None:
    """Letters of several causes, made of what was really read."""
    told = [one.value for one in records if one.value and one.topic == "source.hubspot"]
    made = [
        DeadLetter(f"one/source.hubspot/0/{number}", "bad record", f"{'abcdefgh'[number % 8]}: is none; give one",
                   told[number % len(told)], clock(), "hubspot-sandbox")
        for number in range(64)
    ]  # fmt: skip
    async with writing(company.engine) as connection:
        await add_letters(connection, made)


async def _published(company: Company) -> None:
    async def send(batch: Sequence[Any]) -> list[bool]:
        return [True] * len(batch)

    while await Publisher(company.engine, send, clock, "one").once():
        pass
    suggesting = Suggesting(company.engine, clock, "one", model=_EAGER)
    while await suggesting.once():
        pass
    await suggesting.offer()


async def _worked_with(company: Company, http: httpx2.AsyncClient) -> None:
    """What an admin and an editor would have done so far; and what there is now."""

    async def done(method: str, path: str, body: Any) -> Any:
        answer = await http.request(method, path, json=body, headers={"If-Match": "*"})
        assert answer.is_success, answer.text
        return answer.json()

    suggestions = (await told(http, "/v1/suggestions"))["items"]
    left = {name for one in suggestions for name in one["requests"]}  # else decisions would do away with suggestions
    requests = [one["id"] for one in (await told(http, "/v1/requests?limit=100"))["items"] if one["id"] not in left]
    whole = [await told(http, f"/v1/requests/{name}") for name in requests]
    things = [one["id"] for each in whole for one in each["request"]["artifacts"]]
    for first, second in zip(things[:2], things[-2:], strict=True):
        await done("POST", "/v1/decisions", {"kind": "link", "a": first, "b": second})
    for change in ({"generic": 60}, {"connection": HOOKED, "openers": ["Bug"]}):
        await done("POST", "/v1/rules", change)
    await done("PUT", "/v1/connections/mail-sandbox/audience", {"kind": "participants"})
    causes = [one["id"] for one in (await told(http, "/v1/dead-letters"))["items"]]
    letters = {cause: [one["id"] for one in (await told(http, f"/v1/dead-letters/causes/{cause}"))["items"]]
               for cause in causes}  # fmt: skip
    async with reading(company.engine) as connection:
        people = list((await connection.execute(select(tables.identities.c.id))).scalars())
    company.ids |= {
        "request": [*requests, "R-AAAAAAAAAAAA"], "artifact": things,
        "reference": [*company.ready.examples, *things[:9]],
        "connection": ["hubspot-sandbox", "jira-sandbox", "mail-sandbox"], "spare connection": list(SPARE[:-1]),
        "hubspot": ["hubspot-sandbox"], "kept": list(SPARE[-1:]), "jira": ["jira-sandbox"], "hooked": [HOOKED],
        "decision": [one["number"] for one in (await told(http, "/v1/decisions"))["items"]],
        "suggestion": [one["id"] for one in suggestions[::2]],
        "answered suggestion": [one["id"] for one in suggestions[1::2]],
        "change": [one["number"] for one in (await told(http, "/v1/rules/changes"))["items"]],
        "newest change": [(await told(http, "/v1/rules/changes"))["items"][0]["number"]],
        "cause": causes[:1], "letter": letters[causes[0]], "edited letter": letters[causes[1]][:1],
        "replayed letter": letters[causes[2]], "dropped letter": letters[causes[3]], "replayed cause": causes[4:6],
        "dropped cause": causes[6:8], "person": people,
    }  # fmt: skip
    company.letter = (await told(http, f"/v1/dead-letters/{letters[causes[1]][0]}"))["content"]


async def told(http: httpx2.AsyncClient, path: str) -> Any:
    """The JSON that is answered."""
    answer = await http.get(path)
    assert answer.is_success, answer.text
    return answer.json()
