"""Webhooks entered in Jira by the hub: what each edition takes, what is refused with which mend, and that deliveries to
what was entered are proved."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
import requests
from pydantic import SecretStr

from connectors.contract import Misconfigured, Surroundings
from connectors.jira import connector
from connectors.jira.options import JiraOptions, PersonalAccessToken, ScopedToken
from connectors.jira.registering import EVENTS, NEWER, OLDER
from connectors.registering import RegistersWebhooks, Registry
from services.sandbox.jira import FakeJira
from services.sandbox.jira_shapes import Edition
from tests.connectors.jira.listening import listening
from tests.connectors.jira.rigs import network
from tests.connectors.jira.test_webhooks import Inbox

SECRET = SecretStr("CANARY-secret-of-forty-three-characters-0123")
URL = "https://hooks.acme.example/hooks/jira-acme"
NEW, OLD = (10, 3, 2), (9, 12, 8)
KINDS: list[tuple[Edition, tuple[int, ...]]] = [("cloud", NEW), ("datacenter", NEW), ("datacenter", OLD)]


def options(fake: FakeJira, **more: Any) -> JiraOptions:
    auth: Any = {"kind": "api_token", "email": fake.email, "token": fake.token}
    if fake.edition == "datacenter":
        auth = PersonalAccessToken(token=SecretStr(fake.token))
    return JiraOptions(**{"base_url": fake.url, "edition": fake.edition, "auth": auth, "projects": ("PAY",)} | more)


@asynccontextmanager
async def registry(fake: FakeJira, **more: Any) -> AsyncIterator[Registry]:
    around = Surroundings(fake.now, network())
    async with connector.open("jira-acme", options(fake, **more), around) as source:
        assert isinstance(source, RegistersWebhooks)
        yield source.registry


@pytest.fixture
def jira(request: pytest.FixtureRequest) -> Any:
    edition: Edition
    edition, version = getattr(request, "param", KINDS[0])
    with FakeJira(edition, version=version, administrator=True, burst=100_000) as fake:
        fake.state.add_project("PAY", "Payments")
        fake.state.add_project("OPS", "Operations")
        yield fake


EVERY = pytest.mark.parametrize("jira", KINDS, indirect=True, ids=["cloud", "data center 10", "data center 9"])


@EVERY
async def test_entered_found_written_over_and_dropped(jira: FakeJira) -> None:
    place = NEWER if (jira.edition, jira.version) == ("datacenter", NEW) else OLDER
    async with registry(jira) as hooks:
        manner = await hooks.manner()
        assert (manner.name, set(manner.events)) == ("Throughline (jira-acme)", set(EVENTS))
        assert manner.filter == 'project in ("PAY")'
        assert (manner.proof, manner.ends_address) == (
            ("webhook_token", True) if jira.version == OLD else ("webhook_secret", False)
        )
        assert await hooks.found() == []
        assert jira.registry.written == []
        await hooks.put(manner, URL, SECRET, None)
        (one,) = await hooks.found()
        assert (one.url, one.enabled, one.fits) == (manner.address(URL, SECRET), True, True)
        assert "“Throughline (jira-acme)” is enabled" in one.says
        assert SECRET.get_secret_value() not in one.says
        other = SecretStr("another-secret-of-forty-three-characters-012")
        await hooks.put(manner, f"{URL}-moved", other, one.id)
        (moved,) = await hooks.found()
        assert (moved.id, moved.url) == (one.id, manner.address(f"{URL}-moved", other))
        await hooks.drop(one.id)
        await hooks.drop(one.id)  # gone already
        assert await hooks.found() == []
    assert jira.registry.written == [
        ("POST", place), ("PUT", f"{place}/1"), ("DELETE", f"{place}/1"),
    ]  # fmt: skip
    assert jira.writes == []


@EVERY
async def test_what_was_entered_is_told_and_proved(jira: FakeJira) -> None:
    inbox, at = Inbox(), jira.now()
    with listening(inbox.app) as url:
        async with registry(jira) as hooks:
            manner = await hooks.manner()
            await hooks.put(manner, f"{url}/hook", SECRET, None)
            anna = jira.state.add_user("Anna", "anna@acme.example")
            jira.hands.create("PAY", "Refunds", at=at, by=anna)
            jira.hands.create("OPS", "Not read", at=at, by=anna)
            statuses = await asyncio.to_thread(jira.registry.send)
    given = options(jira, **{manner.proof: SECRET})
    assert statuses == [202]
    (delivery,) = inbox.deliveries
    told = connector.verify("jira-acme", given, delivery, jira.now())
    if manner.ends_address:  # nothing is signed: Jira is asked
        assert "x-hub-signature" not in delivery.headers
        assert (len(told.events), len(told.hints)) == (0, 1)
    else:
        assert told.events


async def test_what_does_not_fit_is_seen(jira: FakeJira) -> None:
    async with registry(jira) as hooks:
        await hooks.put(await hooks.manner(), URL, SECRET, None)
    async with registry(jira, projects=("PAY", "OPS")) as hooks:
        assert [one.fits for one in await hooks.found()] == [False]
    _entered(jira, "PUT", f"{OLDER}/1", enabled=False)
    async with registry(jira) as hooks:
        (one,) = await hooks.found()
    assert (one.enabled, one.fits) == (False, False)
    assert "disabled" in one.says


@pytest.mark.parametrize("jira", [("datacenter", NEW)], indirect=True)
async def test_what_failed_lately_is_told(jira: FakeJira) -> None:
    async with registry(jira) as hooks:
        await hooks.put(await hooks.manner(), "http://127.0.0.1:9/hooks/jira-acme", SECRET, None)
        jira.hands.create("PAY", "Refunds", at=jira.now(), by=jira.account)
        assert jira.registry.send() == [0]
        (one,) = await hooks.found()
    assert "1 of its deliveries failed, 0 arrived" in one.says


@pytest.mark.parametrize("jira", [("datacenter", NEW)], indirect=True)
async def test_more_than_a_page_of_them_is_found(jira: FakeJira) -> None:
    for number in range(103):
        _entered(jira, "POST", NEWER, url=f"https://else.example/{number}", name=str(number))
    async with registry(jira) as hooks:
        assert len(await hooks.found()) == 103


@EVERY
async def test_an_account_that_only_reads_is_told_what_to_give_it(jira: FakeJira) -> None:
    jira.administrator = jira.answers.administrator = False
    async with registry(jira) as hooks:
        with pytest.raises(Misconfigured, match="no Jira administrator") as told:
            await hooks.manner()
        assert "Administer Jira" in told.value.mend
        assert "by hand" in told.value.mend
        for ask in (hooks.found(), hooks.drop("1")):
            with pytest.raises(Misconfigured, match="no Jira administrator"):
                await ask
    assert jira.registry.entered == {}


async def test_a_scoped_token_and_webhooks_that_are_switched_off_are_told_apart(jira: FakeJira) -> None:
    jira.fault("no-webhooks", on=True)
    async with registry(jira) as hooks:
        with pytest.raises(Misconfigured, match="switched off"):
            await hooks.found()
    with FakeJira(scoped=True, administrator=True) as site:
        auth = ScopedToken(email=site.email, token=SecretStr(site.token), gateway=site.url)
        async with registry(site, auth=auth, cloud_id=site.cloud_id) as hooks:
            with pytest.raises(Misconfigured, match="scoped tokens") as told:
                await hooks.found()
        assert "API token" in told.value.mend


async def test_what_jira_does_not_take_is_told_without_its_words(jira: FakeJira) -> None:
    async with registry(jira, extra_jql='labels = "CANARY" AND colour = blue') as hooks:
        with pytest.raises(Misconfigured, match=r"HTTP 400") as told:
            await hooks.put(await hooks.manner(), URL, SECRET, None)
    assert "further filter" in told.value.mend
    assert "CANARY" not in str(told.value)


@pytest.mark.parametrize(
    ("more", "status"),
    [
        ({}, 201), ({"jqlFilter": "x"}, 400), ({"url": "http://acme.example/x"}, 400), ({"events": []}, 400),
        ({"events": ["jira:tea_made"]}, 400), ({"filters": {"else": "x"}}, 400), ({"name": " "}, 400),
        ({"filters": {"issue-related-events-section": "colour = blue"}}, 400), ({"configuration": {}}, 400),
    ],
)  # fmt: skip
def test_the_fake_is_strict(jira: FakeJira, more: dict[str, Any], status: int) -> None:
    assert _entered(jira, "POST", OLDER, **more) == status


def test_the_fake_knows_its_versions(jira: FakeJira) -> None:
    assert _entered(jira, "POST", NEWER) == 404
    with FakeJira("datacenter", version=OLD, administrator=True) as site:
        assert _entered(site, "POST", OLDER, secret="unheard of") == 400
        assert _entered(site, "POST", OLDER) == 201
    with FakeJira("datacenter", administrator=True) as site:
        assert _entered(site, "POST", OLDER) == 404
        assert _entered(site, "POST", NEWER, secret="ignored by the real one") == 400
        assert _entered(site, "POST", NEWER, configuration={"SECRET": "s" * 40}) == 201


def _entered(fake: FakeJira, method: str, path: str, **more: Any) -> int:
    """As an administrator does by hand: the status."""
    body = {"name": "By hand", "url": URL, "events": ["jira:issue_created"]} | more
    with requests.Session() as session:
        if fake.edition == "datacenter":
            session.headers["Authorization"] = f"Bearer {fake.token}"
        else:
            session.auth = (fake.email, fake.token)
        return session.request(method, fake.url + path, json=body, timeout=10).status_code
