"""What an admin may insist on, what not, and how often it is asked; and what no connection is called or begins with."""

from datetime import timedelta

import pytest

from services.sandbox.mailbox import MailServer
from tests.services.admin.conftest import NOW, SQLITE, Office
from tests.services.admin.test_tools import mail_form

pytestmark = SQLITE


async def test_it_is_insisted_once_and_not_with_every_change(office: Office) -> None:
    async with MailServer(now=lambda: NOW) as server:
        form = mail_form(server)
        await office.ask("POST", "/v1/connections", form, 201)
        await office.ask("POST", "/v1/connections", form | {"name": "second"}, 409)
        await office.ask("POST", "/v1/connections", form | {"name": "second", "anyway": True}, 201)
        other = {"title": "Other", "options": form["options"] | {"keep": "full"}}
        told = await office.ask("PUT", "/v1/connections/second", other, If_Match="*")
        assert (told["title"], told["options"]["keep"]) == ("Other", "full")


async def test_one_that_comes_to_read_what_another_reads_is_refused(office: Office) -> None:
    async with MailServer(now=lambda: NOW) as server:
        form = mail_form(server)
        await office.ask("POST", "/v1/connections", form, 201)
        elsewhere = form | {"name": "second", "unchecked": True}
        elsewhere["options"] = form["options"] | {"auth": {"kind": "password", "user": "else", "password": "x"}}
        await office.ask("POST", "/v1/connections", elsewhere, 201)
        told = await office.ask("PUT", "/v1/connections/second", {"title": "", "options": form["options"]}, 409,
                                If_Match="*")  # fmt: skip
        assert (told["detail"], told["anyway"]) == ("The connection mail reads this tool already", True)


@pytest.mark.parametrize(
    ("sent", "field"),
    [
        ({"since": (NOW + timedelta(minutes=1)).isoformat()}, "body.since"),
        ({"title": "Mail \u202e gro.live"}, "body.title"),
        ({"title": "two\nlines"}, "body.title"),
        ({"name": "A b"}, "body.name"),
    ],
)
async def test_what_no_connection_is_called_and_begins_with(
    office: Office, sent: dict[str, str], field: str
) -> None:  # fmt: skip
    form = {"connector": "mailbox", "name": "mail", "options": {"host": "imap.acme.example"}}
    told = await office.ask("POST", "/v1/connections", form | sent, 422)
    assert [one["field"] for one in told["errors"]] == [field]


async def test_nothing_is_read_again_from_a_moment_that_is_to_come(office: Office) -> None:
    ahead = {"since": (NOW + timedelta(days=1)).isoformat()}
    told = await office.ask("POST", "/v1/connections/inbox/read-again", ahead, 422, If_Match="*")
    assert told["errors"][0]["problem"] == "lies ahead"
