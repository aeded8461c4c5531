"""The webhook that the hub enters in Jira, on the connection's page: said first, entered, removed, left behind."""

from collections.abc import Iterator
from datetime import timedelta

import httpx2
import pytest

from schemas.access import THIS_MACHINE
from services.sandbox.jira import FakeJira
from services.web.site import create_site
from tests.services.admin.conftest import NOW, SQLITE, Office, office
from tests.services.admin.test_tools import jira_form
from tests.services.query.conftest import BASE
from tests.services.web.test_site import As

__all__ = ["office"]
pytestmark = SQLITE

ENTER, REMOVE = "/connections/j/webhook-enter", "/connections/j/webhook-remove"


@pytest.fixture
def jira() -> Iterator[FakeJira]:
    with FakeJira(now=lambda: NOW, lag=timedelta(0), administrator=True, burst=100_000) as fake:
        for key, name in (("PAY", "Payments"), ("OPS", "Operations")):
            fake.state.add_project(key, name)
        yield fake


def reader(office: Office) -> httpx2.AsyncClient:
    site = create_site(office.app, As(THIS_MACHINE), lambda: NOW)
    return httpx2.AsyncClient(transport=httpx2.ASGITransport(site), base_url=BASE)


async def test_said_entered_looked_at_and_removed(office: Office, jira: FakeJira) -> None:
    await office.ask("POST", "/v1/connections", jira_form(jira), 201)
    async with reader(office) as http:
        assert "Register it in Jira" in (await http.get("/connections/j")).text
        told = await http.post(ENTER)
        assert told.status_code == 200
        assert "Jira gets the webhook “Throughline (j)”" in told.text
        assert jira.registry.written == []
        told = await http.post(ENTER, data={"sure": "yes"})
        assert (told.status_code, told.headers["location"]) == (303, "/connections/j?webhook=1#webhooks")
        (entered,) = jira.registry.entered.values()
        page = (await http.get("/connections/j?webhook=1")).text
        assert "The webhook stands in the tool" in page
        assert "The hub entered it on 2026-04-01." in page
        assert "nothing is written" in (told := await http.post(ENTER)).text
        assert entered.secret is not None
        assert entered.secret not in page + told.text
        told = await http.post(REMOVE)
        assert "Jira loses the webhook “Throughline (j)”" in told.text
        assert len(jira.registry.entered) == 1
        told = await http.post(REMOVE, data={"sure": "yes"})
        assert told.headers["location"] == "/connections/j?no-webhook=1#webhooks"
        assert jira.registry.entered == {}
        assert "The webhook is removed from the tool" in (await http.get("/connections/j?no-webhook=1")).text


async def test_who_may_not_is_told_beside_the_button(office: Office, jira: FakeJira) -> None:
    jira.administrator = jira.answers.administrator = False
    await office.ask("POST", "/v1/connections", jira_form(jira), 201)
    async with reader(office) as http:
        told = await http.post(ENTER)
    assert told.status_code == 422
    assert told.text.index('id="webhooks"') < told.text.index("no Jira administrator")
    assert "Administer Jira" in told.text


@pytest.mark.parametrize("away", [False, True], ids=["there", "away"])
async def test_removing_the_connection_offers_it(office: Office, jira: FakeJira, *, away: bool) -> None:
    await office.ask("POST", "/v1/connections", jira_form(jira), 201)
    async with reader(office) as http:
        assert "What becomes of its webhook?" not in (await http.get("/connections/j/remove")).text
        await http.post(ENTER, data={"sure": "yes"})
        page = (await http.get("/connections/j/remove")).text
        assert "hooks/j stays in the tool: remove it in Jira, System, WebHooks." in page
        jira.fault("401", on=away)
        told = await http.post("/connections/j/remove", data={"keep": "true", "unregister": "yes"})
        assert told.headers["location"] == "/connections?removed=j" + ("&left=1" if away else "")
        page = (await http.get(told.headers["location"])).text
    assert ("stays in its tool: remove it there by hand" in page) is away
    assert len(jira.registry.entered) == (1 if away else 0)
