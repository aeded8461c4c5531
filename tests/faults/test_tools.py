"""HubSpot and a mailbox through the whole hub: told by webhooks, away for a while and back, moved to another server."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import orjson
import pytest
from sqlalchemy import func, select

from pipelines.store import tables
from pipelines.store.engine import reading
from services.cli.sandbox import Joined
from services.feed.tables import connections, inbox
from services.sandbox.hubspot import HubSpotServer
from services.sandbox.hubspot_account import Account
from services.sandbox.hubspot_limits import Limits
from services.sandbox.hubspot_webhooks import Webhooks
from services.sandbox.mailbox import MailServer
from services.sandbox.post import PASSWORD, USER
from tests.conftest import Pair
from tests.connectors.mailbox.letters import letter
from tests.faults.world import World, differences, end, installed, left_alone
from tests.parts.presence import free_port, listening

SECRET = "an app's secret of some length"
EMBEDDED = pytest.mark.parametrize("pair", ["embedded+sqlite"], indirect=True)
"""What is tried here does not depend on broker and database."""


def now() -> datetime:
    return datetime.now(UTC)


async def reached(holds: Callable[[], Awaitable[bool]], seconds: float = 60) -> None:
    """Wait until it holds. Raises TimeoutError."""
    async with asyncio.timeout(seconds):
        while not await holds():
            await asyncio.sleep(0.05)


async def until(holds: Callable[[], Awaitable[bool]], hub: World) -> None:
    try:
        await reached(holds)
    except TimeoutError:
        pytest.fail(f"it did not come to it in time: {await hub.standing()}\n{hub.log()}")


async def titles(hub: World) -> set[str]:
    """Of all requests."""
    return {orjson.loads(record)["title"] for record in (await hub.records()).values()}


async def problem(hub: World) -> str | None:
    """What the only connection waits for."""
    async with reading(hub.engine) as connection:
        found: str | None = (await connection.execute(select(connections.c.problem))).scalar_one()
    return found


async def waits(hub: World) -> bool:
    return await problem(hub) is not None


@asynccontextmanager
async def running(hub: World) -> AsyncIterator[None]:
    """A hub that has read all there is; ended well. The tools run in this process and have to answer meanwhile."""
    process = hub.start()
    try:
        await hub.settled(process=process)
        yield
    finally:
        code = await asyncio.to_thread(end, process)
    assert code == 0, hub.log()


# --- HubSpot ---


@pytest.fixture
async def crm() -> AsyncIterator[HubSpotServer]:
    account = Account(now, lag=timedelta(0))
    owner = account.create_owner("Olga", "Owner", "olga@vendor.example")
    for number in range(6):
        account.create_deal(f"Deal {number}", now() - timedelta(hours=number + 1), owner)
    async with HubSpotServer(account, port=free_port(), limits=Limits(on=False)) as server:
        yield server
        assert server.writes == []


@pytest.fixture
async def hub(crm: HubSpotServer, pair: Pair, tmp_path: Path) -> AsyncIterator[World]:
    options = {"base_url": crm.url, "token": crm.token, "client_secret": SECRET, "share": 1.0}
    joined = (Joined("crm", "hubspot", options),)
    async with installed(
        joined, lambda: len(crm.account.records), pair.bus, pair.database_url, tmp_path / "hub"
    ) as made:
        made.settings = {"WEBHOOK_PORT": str(free_port())}
        yield made


def hooks_of(crm: HubSpotServer, hub: World, secret: str = SECRET) -> Webhooks:
    url = f"http://127.0.0.1:{hub.settings['WEBHOOK_PORT']}/hooks/crm"
    hooks = Webhooks(crm.account, url, secret, loss=0.0, twice=0.5)
    hooks.due()  # what happened before the app was there
    return hooks


@EMBEDDED
async def test_what_a_signed_webhook_tells_of_a_deal_is_seen_at_once(
    crm: HubSpotServer, hub: World, tmp_path: Path
) -> None:
    hub.settings["POLL_INTERVAL"] = "3600"
    async with running(hub):
        await until(lambda: asyncio.to_thread(listening, int(hub.settings["WEBHOOK_PORT"])), hub)
        hooks, forged = hooks_of(crm, hub), hooks_of(crm, hub, "another secret")
        (_, deal), (_, other) = list(crm.account.records)[:2]
        crm.account.set("deal", deal, None, None, dealname="Renamed by hand")
        crm.account.set_stage("deal", other, "contractsent")
        crm.account.create_note("They signed", ("deal", crm.account.create_deal("Made by hand")))
        assert set(await forged.send()) == {401}
        answers = await hooks.send() + await hooks.send()
        assert set(answers) == {204}
        expected = await left_alone(hub, tmp_path, settings={"POLL_INTERVAL": "1"})

        async def same() -> bool:
            return await hub.records() == expected

        with suppress(TimeoutError):  # the comparison below shows what differs
            await reached(same)

        async def handled() -> bool:
            marked = select(func.count()).select_from(inbox).where(inbox.c.handled_at.is_not(None))
            async with reading(hub.engine) as connection:
                return (await connection.execute(marked)).scalar_one() == len(answers)

        await until(handled, hub)  # marked only after what it told was published
    assert differences(expected, await hub.records()) == []


@EMBEDDED
async def test_hubspot_is_away_and_comes_back(crm: HubSpotServer, hub: World) -> None:
    async with running(hub):
        await crm.__aexit__()
        await until(lambda: waits(hub), hub)
        crm.account.create_deal("Made meanwhile")
        await crm.__aenter__()

        async def told() -> bool:
            return "Made meanwhile" in await titles(hub) and not await waits(hub)

        await until(told, hub)
    assert await titles(hub) == {*(f"Deal {number}" for number in range(6)), "Made meanwhile"}


# --- a mailbox ---


@pytest.fixture
async def post() -> AsyncIterator[MailServer]:
    async with MailServer(port=free_port()) as server:
        for number in range(3):
            at = now() - timedelta(hours=number + 1)
            server.mailbox.append("INBOX", letter(f"Wish {number}", number=number, at=at).as_bytes(), at)
        yield server
        assert server.writes == []


@pytest.fixture
async def office(post: MailServer, pair: Pair, tmp_path: Path) -> AsyncIterator[World]:
    auth = {"kind": "password", "user": USER, "password": PASSWORD}
    options = {"host": "127.0.0.1", "port": post.port, "security": "plain", "auth": auth}
    joined = (Joined("requests", "mailbox", options),)

    def mails() -> int:
        return len(post.mailbox.folders["INBOX"].mails)

    async with installed(joined, mails, pair.bus, pair.database_url, tmp_path / "hub") as made:
        yield made


@EMBEDDED
async def test_a_mail_server_is_away_and_another_one_comes_back(post: MailServer, office: World) -> None:
    """The folder is the same, its UIDVALIDITY and all UIDs are others; mail came meanwhile."""
    async with running(office):
        before = await office.records()
        await post.__aexit__(None, None, None)
        await until(lambda: waits(office), office)
        post.mailbox.append("INBOX", letter("Wish made meanwhile", number=9, at=now()).as_bytes())
        post.mailbox.renew("INBOX", first_uid=100)
        await post.__aenter__()

        async def told() -> bool:
            return "Wish made meanwhile" in await titles(office) and not await waits(office)

        await until(told, office)
    after = await office.records()
    assert before.items() <= after.items(), differences(before, after)
    assert len(after) == len(before) + 1
    async with reading(office.engine) as connection:
        assert (await connection.execute(select(func.count()).select_from(tables.artifacts))).scalar_one() == 4
