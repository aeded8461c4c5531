"""Webhooks at the command line: shown, entered in Jira after it was said what is written, and taken away again."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from pydantic import SecretStr

from connectors.jira.options import ApiToken, JiraOptions
from pipelines.store.engine import reading, writing
from schemas.errors import Misconfigured
from services.cli import config, hooking, removing
from services.cli import connections as commands
from services.cli.installation import Installation
from services.feed import connections
from services.sandbox.jira import FakeJira
from tests.services.cli.company import NOW
from tests.services.cli.conftest import Desk


@pytest.fixture
def jira() -> Iterator[FakeJira]:
    with FakeJira(now=lambda: NOW, lag=timedelta(0), administrator=True) as fake:
        fake.state.add_project("PAY", "Payments")
        yield fake


@pytest.fixture
async def site(desk: Desk, jira: FakeJira) -> Desk:
    """The desk with this Jira connected as j."""
    desk.environ |= {"THROUGHLINE_ALLOW_LOOPBACK_TOOLS": "true", "THROUGHLINE_PUBLIC_URL": "https://hub.acme.example"}
    desk.made = Installation.of(desk.environ)
    auth = ApiToken(email=jira.email, token=SecretStr(jira.token))
    options = JiraOptions(base_url=jira.url, auth=auth, projects=("PAY",), share=1.0)
    async with writing(desk.engine) as connection:
        await connections.add(connection, "j", "jira", "Jira", options, None, desk.made.keys)
    return desk


def words(desk: Desk) -> str:
    return " ".join(desk.printed.split())


async def test_entered_once_it_was_agreed_to(site: Desk, jira: FakeJira) -> None:
    asked: list[str] = []

    def no(question: str) -> bool:
        asked.append(question)
        return False

    await hooking.register(site.made, "j", lambda: NOW, site.screen, no, renew=False)
    told = words(site)
    assert "sends to https://hub.acme.example/hooks/j" in told
    assert told.endswith("Nothing is written.")
    assert (asked, jira.registry.written) == (["Write this in Jira?"], [])
    await hooking.register(site.made, "j", lambda: NOW, site.screen, lambda _: True, renew=False)
    assert "“Throughline (j)” stands in Jira, System, WebHooks" in words(site)
    (entered,) = jira.registry.entered.values()
    await hooking.register(site.made, "j", lambda: NOW, site.screen, no, renew=False)
    assert "nothing is written" in words(site)
    await hooking.register(site.made, "j", lambda: NOW, site.screen, lambda _: True, renew=True)
    printed = site.printed
    (anew,) = jira.registry.entered.values()
    assert anew.secret != entered.secret
    assert anew.secret is not None
    assert anew.secret not in printed
    await hooking.show(site.made, "j", lambda: NOW, site.screen)
    told = words(site)
    assert "address https://hub.acme.example/hooks/j" in told
    assert "secret stored" in told
    assert "webhook in the tool: “Throughline (j)” is enabled in Jira" in told
    assert await commands.test(site.made, "j", lambda: NOW, site.screen) == 0
    assert "ok webhook in the tool" in words(site)


async def test_taken_away_again(site: Desk, jira: FakeJira) -> None:
    await hooking.register(site.made, "j", lambda: NOW, site.screen, lambda _: True, renew=False)
    await hooking.unregister(site.made, "j", lambda: NOW, site.screen, lambda _: False)
    assert words(site).endswith("Jira loses the webhook “Throughline (j)”. Nothing is removed.")
    await hooking.unregister(site.made, "j", lambda: NOW, site.screen, lambda _: True)
    assert "Removed in Jira: “Throughline (j)”" in words(site)
    assert jira.registry.entered == {}
    await hooking.unregister(site.made, "j", lambda: NOW, site.screen, lambda _: False)
    assert words(site) == "Jira has no webhook that sends to us."


async def test_who_may_not_is_told_what_to_do(site: Desk, jira: FakeJira) -> None:
    jira.administrator = jira.answers.administrator = False
    with pytest.raises(Misconfigured, match="no Jira administrator") as told:
        await hooking.register(site.made, "j", lambda: NOW, site.screen, lambda _: True, renew=False)
    assert "Administer Jira" in told.value.mend
    with pytest.raises(Misconfigured, match="takes no webhook"):
        await hooking.register(site.made, "inbox", lambda: NOW, site.screen, lambda _: True, renew=False)
    with pytest.raises(Misconfigured, match="sends no webhooks"):
        await hooking.show(site.made, "inbox", lambda: NOW, site.screen)


@pytest.mark.parametrize("away", [False, True], ids=["there", "away"])
async def test_removing_says_what_stays_in_the_tool(site: Desk, jira: FakeJira, *, away: bool) -> None:
    await hooking.register(site.made, "j", lambda: NOW, site.screen, lambda _: True, renew=False)
    await removing.remove(site.made, "j", lambda: NOW, site.screen, lambda _: False)
    assert "hooks/j stays in the tool: remove it in Jira, System, WebHooks. Or say --unregister." in words(site)
    jira.fault("401", on=away)
    await removing.remove(site.made, "j", lambda: NOW, site.screen, lambda _: True, unregister=True)
    told = words(site)
    assert ("stays in the tool: remove it in Jira, System, WebHooks. The hub could not" in told) is away
    assert told.endswith("j is removed.")
    assert len(jira.registry.entered) == (1 if away else 0)
    async with reading(site.engine) as connection:
        assert await connections.get(connection, "j") is None


@pytest.mark.parametrize("how", ["keep", "drop"])
async def test_a_file_that_takes_it_away_removes_the_webhook_where_that_is_said(
    site: Desk, jira: FakeJira, tmp_path: Path, how: str
) -> None:
    await hooking.register(site.made, "j", lambda: NOW, site.screen, lambda _: True, renew=False)
    path = tmp_path / "set-up.yaml"
    path.write_text(f"connections:\n  j: {{removed: {how}}}\n")
    await config.diff(site.made, path, lambda: NOW, site.screen)
    assert "hooks/j stays in the tool: remove it in Jira, System, WebHooks. Or say --unregister." in words(site)
    await config.diff(site.made, path, lambda: NOW, site.screen, unregister=True)
    assert "The webhook that the hub entered in Jira is removed there, too." in words(site)
    assert len(jira.registry.entered) == 1
    await config.apply(
        site.made, path, lambda: NOW, site.screen, lambda _: True, unchecked=False, unregister=True
    )  # fmt: skip
    assert jira.registry.entered == {}
    async with reading(site.engine) as connection:
        assert await connections.get(connection, "j") is None


@pytest.mark.parametrize("public", [None, "http://hub.acme.example", "https://127.0.0.1:8701", "https://10.0.0.5"])
async def test_an_address_that_the_tool_cannot_reach_is_refused(site: Desk, public: str | None) -> None:
    """Of a tool that is not on this machine: an address that answers nothing, for nothing is asked of it."""
    site.environ.pop("THROUGHLINE_PUBLIC_URL")
    site.environ |= {"THROUGHLINE_PUBLIC_URL": public} if public else {}
    site.made = Installation.of(site.environ)
    auth = ApiToken(email="hub@acme.example", token=SecretStr("CANARY"))
    options = JiraOptions(base_url="https://8.8.4.4", auth=auth)
    async with writing(site.engine) as connection:
        await connections.add(connection, "far", "jira", "Jira", options, None, site.made.keys)
    with pytest.raises(Misconfigured) as told:
        await hooking.register(site.made, "far", lambda: NOW, site.screen, lambda _: True, renew=False)
    assert told.value.field == "public_url"
    assert "THROUGHLINE_PUBLIC_URL" in told.value.mend
    await hooking.show(site.made, "far", lambda: NOW, site.screen)
    assert f"look {told.value.problem}. Set THROUGHLINE_PUBLIC_URL" in words(site)
