"""Jira and a mailbox, tried and added through the API as HubSpot is: wrong first, then right."""

from datetime import timedelta
from typing import Any

import pytest

from services.sandbox.jira import FakeJira
from services.sandbox.mailbox import MailServer
from services.sandbox.post import PASSWORD, USER
from tests.services.admin.conftest import NOW, SQLITE, Office

pytestmark = SQLITE

MAIL = (
    b"From: Anna Berg <anna@acme.example>\r\nTo: requests@sandbox.example\r\nSubject: A new printer\r\n"
    b"Message-ID: <printer-1@acme.example>\r\nDate: Tue, 31 Mar 2026 09:00:00 +0000\r\n\r\nWe need one.\r\n"
)


def jira_form(fake: FakeJira, **options: Any) -> dict[str, Any]:
    auth = {"kind": "api_token", "email": fake.email, "token": fake.token}
    told = {"base_url": fake.url, "projects": "OPS, PAY", "auth": auth, "share": "1", **options}
    return {"connector": "jira", "name": "j", "options": told}


def mail_form(server: MailServer, **auth: str) -> dict[str, Any]:
    return {"connector": "mailbox", "name": "mail", "options": {
        "host": "127.0.0.1", "port": str(server.port), "security": "plain",
        "auth": {"kind": "password", "user": USER, "password": PASSWORD, **auth}}}  # fmt: skip


async def test_jira_wrong_first_and_then_right(office: Office) -> None:
    with FakeJira(now=lambda: NOW, lag=timedelta(0)) as fake:
        anna = fake.state.add_user("Anna Kern", "anna@acme.example")
        for key, name in (("PAY", "Payments"), ("OPS", "Operations")):
            fake.state.add_project(key, name)
        fake.hands.create("OPS", "Refunds take too long", at=NOW - timedelta(days=3), by=anna)
        fake.hands.create("OPS", "Backups fail", at=NOW - timedelta(days=1), by=anna)
        told = await office.ask("POST", "/v1/connections/test", jira_form(fake, projects="OPS, NONE"))
        assert not told["ok"]
        assert (told["steps"][-1]["name"], told["steps"][-1]["ok"]) == ("project NONE", False)
        assert "Browse Projects" in told["steps"][-1]["says"]
        told = await office.ask("POST", "/v1/connections/test", jira_form(fake))
        assert told["ok"]
        assert {one["name"] for one in told["steps"]} >= {"address", "sign-in", "project PAY", "issues", "clock"}
        seen = await office.ask("POST", "/v1/connections/preview", jira_form(fake))
        assert [one["title"] for one in seen["things"]] == ["Backups fail", "Refunds take too long"]
        assert all(one["becomes"] == "opens" and one["url"] for one in seen["things"])
        assert await office.ask("POST", "/v1/connections/estimate", jira_form(fake)) == {"things": 2}
        added = await office.ask("POST", "/v1/connections", jira_form(fake), 201)
        assert added["options"]["projects"] == ["OPS", "PAY"]
        assert fake.token not in str([told, seen, added])
        assert fake.writes == []


async def test_a_mailbox_wrong_first_and_then_right(office: Office) -> None:
    async with MailServer(now=lambda: NOW) as server:
        server.mailbox.append("INBOX", MAIL, NOW - timedelta(days=5))
        told = await office.ask("POST", "/v1/connections/test", mail_form(server, password="CANARY"))
        assert [(one["name"], one["ok"]) for one in told["steps"]] == [
            ("address", True), ("reach", True), ("sign-in", False),
        ]  # fmt: skip
        assert "CANARY" not in str(told)
        told = await office.ask("POST", "/v1/connections/test", mail_form(server))
        assert told["ok"]
        assert told["steps"][-1] == {
            "name": "clock", "ok": True, "says": "No mail arrived in this machine's future", "needed": True,
        }  # fmt: skip
        seen = await office.ask("POST", "/v1/connections/preview", mail_form(server))
        assert [(one["title"], one["becomes"]) for one in seen["things"]] == [("A new printer", "opens")]
        assert await office.ask("POST", "/v1/connections/estimate", mail_form(server)) == {"things": 1}
        later = mail_form(server) | {"since": NOW.isoformat()}
        assert await office.ask("POST", "/v1/connections/estimate", later) == {"things": 0}
        added = await office.ask("POST", "/v1/connections", mail_form(server), 201)
        assert added["secrets"][0]["input"] == "auth.password.password"
        assert PASSWORD not in str([told, seen, added])
        assert server.writes == []


@pytest.mark.parametrize("security", ["tls", "starttls"])
async def test_a_certificate_that_nobody_trusts_is_its_own_step(office: Office, security: str) -> None:
    """The server speaks no TLS at all."""
    async with MailServer(now=lambda: NOW) as server:
        form = mail_form(server)
        form["options"]["security"] = security
        told = await office.ask("POST", "/v1/connections/test", form)
    names = [(one["name"], one["ok"]) for one in told["steps"]]
    assert names == [("address", True), ("certificate" if security == "tls" else "reach", False)]
