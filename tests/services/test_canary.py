"""Content and secrets stay where they belong, whatever goes wrong.

A hub at log level debug reads a mail, an issue and things of a faulty connector, all of unique words, while passwords
turn wrong, records are bad, mappings raise, the database refuses and is broken. Then those words stand in no log line,
trace, metric, error or probe; and the secrets stand nowhere at all but sealed.
"""

import asyncio
import subprocess
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import httpx2
import pytest
from argon2 import PasswordHasher
from pydantic import BaseModel, SecretStr
from sqlalchemy import insert, text
from sqlalchemy.ext.asyncio import AsyncEngine

from connectors.jira.options import ApiToken, JiraOptions
from connectors.mailbox import MailboxOptions
from connectors.mailbox.options import Password
from pipelines.store.engine import open_engine, writing
from pipelines.store.metadata import metadata
from schemas.access import Role
from services import migrations
from services.admin import accounts, tables
from services.admin.accounts import By
from services.admin.credentials import hashed
from services.admin.passwords import Passwords
from services.broker import BrokerSettings, Outgoing, close, connect, open_broker, publish_page
from services.feed import connections
from services.sandbox.jira import FakeJira
from services.sandbox.jira_webhooks import Webhooks
from services.sandbox.mailbox import MailServer
from services.security import key_ring
from tests.conftest import Bus
from tests.faults.world import HUB, World, end
from tests.parts.kafka import ADMIN, ADMIN_PASSWORD, Kafka
from tests.parts.leash import leash, tied
from tests.parts.presence import free_port
from tests.services import canary_connector
from tests.services.test_telemetry import Collector

SUBJECT, BODY, SENDER = "Vermilionaxolotl", "Ceruleantapir", "heliotropeyak"
TITLE, PUSHED, POISON, THING = "Zanzibarquokka", "Ochrenumbat", "Magentapangolin", "Saffronokapi"
CONTENT = (SUBJECT, BODY, SENDER, TITLE, PUSHED, POISON, THING)
API_TOKEN, WEBHOOK, MAIL_PASSWORD = "jira-secret-umberkakapo", "hook-secret-tealdugong", "mail-secret-indigogecko"
THING_TOKEN, WRONG_KAFKA = "thing-secret-olivecassowary", "kafka-secret-wrongibex"
SECRET = "bearer-secret-0123456789abcdef0123456789abc"
BEARER = f"tl_abcdefghij_{SECRET}"
COOKIE, PASSWORD, WRONG_PASSWORD = "cookie-secret-rustpika", "account-secret-mauvesaola", "account-secret-wronggaur"
SECRETS = (
    API_TOKEN, WEBHOOK, MAIL_PASSWORD, THING_TOKEN, WRONG_KAFKA, SECRET, COOKIE, PASSWORD, WRONG_PASSWORD,
    ADMIN_PASSWORD,
)  # fmt: skip

MAIL = f"""\
From: Helio Yak <{SENDER}@canary.example>
To: requests@canary.example
Subject: {SUBJECT} please
Message-ID: <one@canary.example>
Date: Mon, 02 Mar 2026 10:00:00 +0000

We need the {BODY} by Friday.
"""
NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)


@pytest.fixture
def jira() -> Iterator[FakeJira]:
    with FakeJira(burst=100_000, administrator=True) as fake:
        fake.token = API_TOKEN
        fake.state.add_project("PAY", "Payments")
        fake.hands.create("PAY", f"{TITLE} is slow", at=NOW, by=fake.state.add_user("Anna", f"{SENDER}@acme.example"))
        yield fake


@pytest.fixture
async def mail() -> AsyncIterator[MailServer]:
    async with MailServer() as server:
        server.manners.password = MAIL_PASSWORD
        server.mailbox.append("INBOX", MAIL.encode(), NOW)
        yield server


@pytest.fixture
def collector() -> Iterator[Collector]:
    running = Collector()
    yield running
    running.close()


@pytest.fixture(params=["embedded+sqlite", pytest.param("secure kafka+postgresql", marks=pytest.mark.kafka)])
async def hub(
    request: pytest.FixtureRequest, jira: FakeJira, mail: MailServer, collector: Collector, tmp_path: Path
) -> AsyncIterator[World]:
    url: str = request.getfixturevalue("sqlite_url" if "sqlite" in request.param else "postgres_url")
    folder = tmp_path / "hub"
    folder.mkdir()
    made = World((), lambda: 0, _bus(request), url, folder, open_engine(url))
    await migrations.upgrade(made.engine)
    await _accounts(made.engine)
    made.settings |= {
        "LOG_LEVEL": "debug", "LOG_FORMAT": "json", "OTLP_ENDPOINT": collector.endpoint,
        "OPEN_TO_THIS_MACHINE": "false", "API_PORT": str(free_port()), "WEBHOOK_PORT": str(free_port()),
    }  # fmt: skip
    if made.bus.kafka:
        made.settings |= {
            "KAFKA_TLS": "true", "KAFKA_CA_FILE": str(made.bus.kafka.ca_file), "KAFKA_USERNAME": ADMIN,
            "KAFKA_PASSWORD": ADMIN_PASSWORD,
        }  # fmt: skip
    await migrations.upgrade(made.engine)
    await configure(made, jira, mail)
    yield made
    await made.engine.dispose()


def _bus(request: pytest.FixtureRequest) -> Bus:
    if "embedded" in request.param:
        return Bus("embedded", BrokerSettings(bootstrap="unused:1", embedded=True, prefix="canary."))
    kafka: Kafka = request.getfixturevalue("secure_kafka")
    settings = BrokerSettings(
        bootstrap=kafka.bootstrap, prefix=f"c{time.monotonic_ns()}.", replication=1, tls=True, ca_file=kafka.ca_file,
        mechanism="scram-sha-512", username=ADMIN, password=SecretStr(ADMIN_PASSWORD),
    )  # fmt: skip
    return Bus("kafka", settings, kafka=kafka)


async def configure(hub: World, jira: FakeJira, mail: MailServer) -> None:
    made: dict[str, tuple[str, BaseModel]] = {
        "issues": ("jira", JiraOptions(
            base_url=jira.url, auth=ApiToken(email=jira.email, token=SecretStr(API_TOKEN)), share=1.0,
            webhook_secret=SecretStr(WEBHOOK),
        )),
        "mails": ("mailbox", MailboxOptions(
            host="127.0.0.1", port=mail.port, security="plain", keep="full",
            auth=Password(user=mail.manners.user, password=SecretStr(MAIL_PASSWORD)),
        )),
        "things": ("canary", canary_connector.CanaryOptions(token=SecretStr(THING_TOKEN), words=f"{THING} {SENDER}")),
    }  # fmt: skip
    keys = key_ring((), hub.folder / "secret.key")
    async with writing(hub.engine) as connection:
        for name, (kind, options) in made.items():
            await connections.add(connection, name, kind, name, options, None, keys)


def start(hub: World, log: str, **settings: str) -> "subprocess.Popen[bytes]":
    """A hub process that also finds the faulty connector, as an installed package."""
    info = hub.folder.parent / "site" / "canary-1.0.dist-info"
    info.mkdir(parents=True, exist_ok=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: canary\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[throughline.connectors]\ncanary = tests.services.canary_connector\n")
    environ = hub.environ | {"PYTHONPATH": str(info.parent)} | {f"THROUGHLINE_{k}": v for k, v in settings.items()}
    with (hub.folder / log).open("ab") as file:
        return subprocess.Popen(tied(HUB, "-", "1"), env=environ, stdout=file, stderr=file, pass_fds=(leash(),))


async def until(holds: Callable[[], Awaitable[Any]], why: Callable[[], Any], seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not await holds():
        assert time.monotonic() < deadline, why()
        await asyncio.sleep(0.2)


async def told(engine: AsyncEngine, sql: str) -> list[Any]:
    async with engine.connect() as connection:
        return [tuple(row) for row in (await connection.execute(text(sql))).all()]


async def refuse_poison(engine: AsyncEngine) -> None:
    """From now on the database refuses a word, and quotes the row (PostgreSQL), or the word (SQLite), in its error."""
    if engine.dialect.name == "sqlite":
        sql = f"""CREATE TRIGGER poison BEFORE UPDATE ON artifacts WHEN NEW.fields LIKE '%{POISON}%'
            BEGIN SELECT RAISE(ABORT, 'no {POISON} here'); END"""
    else:
        sql = f"ALTER TABLE artifacts ADD CONSTRAINT poison CHECK (fields NOT LIKE '%{POISON}%')"
    async with writing(engine) as connection:
        await connection.execute(text(sql))


async def rename(engine: AsyncEngine, old: str, new: str) -> None:
    async with writing(engine) as connection:
        await connection.execute(text(f"ALTER TABLE {old} RENAME TO {new}"))


async def test_no_content_and_no_secret_where_it_does_not_belong(
    hub: World, jira: FakeJira, mail: MailServer, collector: Collector
) -> None:
    engine, hooks = hub.engine, f"http://127.0.0.1:{hub.settings['WEBHOOK_PORT']}/hooks/issues"
    pushes = Webhooks(jira, hooks, secret=WEBHOOK, loss=0, duplicates=0, disorder=False)
    process = start(hub, "hub.log")
    answers: list[str] = []
    try:
        await until(lambda: there(engine, "requests", 2), hub.log)
        await until(lambda: there(engine, "dead_letters", 3), hub.log)
        await refuse_poison(engine)
        if hub.bus.kafka:
            await _junk(hub)
        await _told_by_webhook(jira, pushes, hooks)
        await until(lambda: there(engine, "dead_letters WHERE cause LIKE 'refused%'", 1), hub.log)
        for table, said in (("facets", "understanding.waits"), ("parts", "the batch will be repeated")):
            await rename(engine, table, "away")
            with jira.lock:
                jira.hands.create("PAY", f"{TITLE} again", at=datetime.now(UTC), by=jira.account)
            assert pushes.send() == [204]
            await until(partial(_logged, hub, said), hub.log)
            await rename(engine, "away", table)
        answers += await _registered(hub)
        (entered,) = jira.registry.entered.values()
        mail.manners.refuse_login = f"[AUTHENTICATIONFAILED] {SUBJECT} {MAIL_PASSWORD}".encode()
        mail.kick()
        jira.fault("401", on=True)
        await until(lambda: there(engine, "connections WHERE attention", 2), hub.log)
        await asyncio.sleep(2.5)  # until the gauges have looked
        await until(lambda: _ready(hub), hub.log)  # what was away is waited for a little longer than it was
        answers += await _asked(hub)
    finally:
        assert end(process) == 0, hub.log()
    if hub.bus.kafka:
        refused = start(hub, "refused.log", KAFKA_PASSWORD=WRONG_KAFKA)
        assert await asyncio.to_thread(refused.wait, 60) != 0
        assert "refuses the user name or password" in (hub.folder / "refused.log").read_text()
    places = await _places(hub, collector, answers)
    assert [(place, word) for place, said in places.items() for word in CONTENT if word in said] == []
    everything = places | await _kept(hub)
    assert entered.secret is not None
    secrets = (*SECRETS, entered.secret)
    assert [(place, word) for place, said in everything.items() for word in secrets if word in said] == []


async def there(engine: AsyncEngine, rows: str, number: int) -> bool:
    """Whether there are so many rows."""
    return int((await told(engine, f"SELECT count(*) FROM {rows}"))[0][0]) >= number


async def _logged(hub: World, words: str) -> bool:
    return words in (hub.folder / "hub.log").read_text()


async def _ready(hub: World) -> bool:
    async with httpx2.AsyncClient(timeout=30) as client:
        return (await client.get(f"http://127.0.0.1:{hub.settings['API_PORT']}/readyz")).status_code == 200


async def _junk(hub: World) -> None:
    """What is no source event, on a source topic."""
    settings = hub.bus.settings
    broker = open_broker(settings)
    await connect(broker, settings)
    topic = settings.topic("source.jira")
    junk = [f"{TITLE} {BODY}".encode(), b'{"connection": "' + TITLE.encode() + b'", "kind": 7}']
    await publish_page(broker, [Outgoing(topic, b"k", value, [("ce_id", TITLE.encode())]) for value in junk])
    await close(broker)
    await until(lambda: there(hub.engine, "dead_letters", 5), hub.log)


async def _accounts(engine: AsyncEngine) -> None:
    """Somebody with a password, who is signed in, and a program with a token."""
    at = datetime.now(UTC)
    hasher = Passwords(PasswordHasher(time_cost=1, memory_cost=1024))
    by = By(None, at)
    async with writing(engine) as connection:
        anna = await accounts.add(connection, by, "Anna", Role.ADMIN, password=await hasher.hash(PASSWORD))
        token = {"id": "abcdefghij", "hashed": hashed(SECRET), "title": "canary", "role": "admin", "created_at": at}
        await connection.execute(insert(tables.api_tokens).values(token))
        session = {"id": "S-1", "hashed": hashed(COOKIE), "account": anna.id, "created_at": at, "seen_at": at}
        await connection.execute(insert(tables.sessions).values(session | {"expires_at": at + timedelta(days=1)}))


async def _signed_in(here: str) -> list[httpx2.Response]:
    """What is said to who signs in, wrong and right, and to who is."""
    async with httpx2.AsyncClient(timeout=30) as client:
        said = [
            await client.post(f"{here}/v1/sign-in", json={"name": "Anna", "password": word})
            for word in (WRONG_PASSWORD, PASSWORD)
        ]
        client.cookies.clear()
        signed = {"Cookie": f"throughline={COOKIE}", "Sec-Fetch-Site": "same-origin"}
        change = {"password": WRONG_PASSWORD, "old_password": f"{WRONG_PASSWORD}!"}
        mine = (await client.get(f"{here}/v1/me", headers=signed)).json()["account"]
        said.append(await client.patch(f"{here}/v1/accounts/{mine}", json=change, headers=signed | {"If-Match": "*"}))
        said.append(await client.post(f"{here}/v1/tokens", json={"title": BEARER, "role": PASSWORD}, headers=signed))
        assert [one.status_code for one in said] == [401, 200, 422, 422]
        said += [
            await client.get(f"{here}/v1/{noun}", headers=signed)
            for noun in ("me", "accounts", "sessions", "tokens", "audit", "audit.csv")
        ]
        assert {one.status_code for one in said[4:]} == {200}
    return said


async def _told_by_webhook(jira: FakeJira, pushes: Webhooks, hooks: str) -> None:
    """One delivery that is signed, one that the database will refuse, one that nobody proves, and one of no JSON."""
    at = datetime.now(UTC)
    issue = jira.hands.create("PAY", f"{PUSHED} needs a look", at=at, by=jira.account)
    jira.hands.comment(issue, f"{POISON} and {PUSHED}", at=at, by=jira.account)
    jira.hands.create("PAY", f"{POISON} is the word", at=at, by=jira.account)
    assert set(pushes.send()) == {204}
    async with httpx2.AsyncClient(timeout=30) as client:
        said = await client.post(f"{hooks}?q={TITLE}", content=TITLE, headers={"X-Hub-Signature": f"sha256={TITLE}"})
        assert said.status_code == 401
        assert TITLE not in said.text


async def _registered(hub: World) -> list[str]:
    """What is said of a webhook that the hub enters in Jira, with a secret of its own making."""
    place = f"http://127.0.0.1:{hub.settings['API_PORT']}/v1/connections/issues/webhook"
    async with httpx2.AsyncClient(headers={"Authorization": f"Bearer {BEARER}"}, timeout=60) as client:
        said = [await client.post(place, json=wish) for wish in ({}, {}, {"renew": True})]
        said += [await client.get(place), await client.request("DELETE", f"{place}?preview=true")]
    assert {one.status_code for one in said} == {200}, [one.text for one in said]
    return [one.text for one in said]


async def _asked(hub: World) -> list[str]:
    """What the probes say, and what errors say to questions with words that must not come back."""
    here = f"http://127.0.0.1:{hub.settings['API_PORT']}"
    async with httpx2.AsyncClient(headers={"Authorization": f"Bearer {BEARER}"}, timeout=30) as client:
        said = [await client.get(here + path) for path in ("/metrics", "/readyz", "/v1/connections", "/v1/freshness")]
        assert [one.status_code for one in said] == [200, 200, 200, 200]
        errors = [
            await client.get(f"{here}/v1/requests?stage={TITLE}&limit={BODY}&cursor={SUBJECT}"),
            await client.get(f"{here}/v1/requests/{TITLE}"),
            await client.get(f"{here}/{SUBJECT}"),
            await client.get(f"{here}/v1/connections", headers={"Authorization": f"Bearer {TITLE}{'x' * 40}"}),
        ]
        assert all(one.status_code >= 400 for one in errors)
        await client.get(f"{here}/v1/lookup?reference={SENDER}@canary.example")
    assert "mails" in said[2].text
    said += await _signed_in(here)
    return [one.text for one in [*said, *errors]]


async def _places(hub: World, collector: Collector, answers: list[str]) -> dict[str, str]:
    """Where no content may stand."""
    engine = hub.engine
    letters = await told(engine, "SELECT cause, reason, origin, note FROM dead_letters")
    assert {cause.partition(":")[0] for cause, *_ in letters} >= {"bad record", "failed", "refused"}
    problems = await told(engine, "SELECT problem FROM connections")
    assert len([one for (one,) in problems if one]) >= 2
    assert collector.spans
    logs = {path.name: path.read_text() for path in hub.folder.glob("*.log")}
    assert '"level": "info", "logger": "aiokafka' in logs["hub.log"], "libraries are heard as much as they ever are"
    return logs | {
        "dead letters": str(letters),
        "problems": str(problems),
        "requests' problems": str(await told(engine, "SELECT problem FROM requests")),
        "traces": collector.raw.decode("latin-1"),
        "answers": "\n".join(answers),
    }


async def _kept(hub: World) -> dict[str, str]:
    """All that is kept: every column of every table, and every file but the key."""
    found = {table: str(await told(hub.engine, f'SELECT * FROM "{table}"')) for table in metadata.tables}
    assert SUBJECT in found["source_events"]
    assert THING in found["dead_letters"]
    files = [path for path in hub.folder.parent.rglob("*") if path.is_file()]
    return found | {path.name: path.read_bytes().decode("latin-1") for path in files}
