"""Who people are, for those who may not read all connections: what the other connections say of them, and all of it."""

from typing import Any

import pytest
from sqlalchemy import insert

from pipelines.store import audiences
from pipelines.store.configuration import ConnectionConfiguration, write
from pipelines.store.engine import writing
from schemas.access import THIS_MACHINE, Audience, Caller, Role
from schemas.artifacts import artifact_id
from services.feed.tables import connections
from tests.pipelines.memos import memo
from tests.services.query.conftest import Hub, connection_row, owned
from tests.services.query.test_audience import BOARD, STRANGERS, company, found, read, read_by
from tests.services.query.test_suggestions import settle

__all__ = ["company"]

ZOE: dict[str, Any] = {"address": "zoe@example.com"}
MAILED = "mail/address/zoe.planta@example.com"


def mail(number: int, connection: str = "kept", **more: Any) -> Any:
    """A mail: neither its id nor its people's ids name the mailbox."""
    event = memo(number, connection=connection, **more)
    return event.model_copy(update={"artifact": artifact_id("mail", "mail", str(number))})


@pytest.fixture
async def kept(company: Hub) -> Hub:
    """With a mailbox that is kept to some, and one for everybody."""
    async with writing(company.engine) as connection:
        for name in ("kept", "open"):
            await write(connection, name, ConnectionConfiguration("jira", frozenset()))
        await connection.execute(insert(connections), [connection_row("kept"), connection_row("open")])
        await audiences.write(connection, "kept", BOARD)
    return company


async def decide(hub: Hub, **wish: Any) -> int:
    taken = await hub.http.post("/v1/decisions", json=wish | {"by": "Clara"}, headers={"If-Match": "*"})
    assert taken.status_code == 201, taken.text
    return int(taken.json()["decision"]["number"])


async def seen(hub: Hub, caller: Caller, number: int) -> Any:
    async with read_by(hub, caller) as http:
        return (await http.get(f"/v1/requests/{owned(number)}")).json()["request"]


async def test_a_name_of_there_takes_no_other_name_away(company: Hub) -> None:
    await company.told(
        memo(31, by="zoe", name=None, **ZOE),
        memo(61, connection="memos2", by="other", name="Zoe Visible", **ZOE),
        memo(24, connection="board", by="zplus", name="Planta Zoe", **ZOE),
    )
    stranger, whole = [await seen(company, caller, 31) for caller in (STRANGERS[0], THIS_MACHINE)]
    assert (stranger["requester"]["name"], whole["requester"]["name"]) == ("Zoe Visible", "Planta Zoe")
    assert [one["identity"] for one in stranger["requester"]["known_as"]] == [
        "memos/account/zoe", "memos2/account/other",
    ]  # fmt: skip
    words = [[one["words"] for one in each["timeline"]["entries"]] for each in (stranger, whole)]
    assert words == [["Zoe Visible moved MEMO-31 to open"], ["Planta Zoe moved MEMO-31 to open"]]


@pytest.mark.parametrize("caller", [THIS_MACHINE, STRANGERS[0]], ids=["all", "a stranger"])
async def test_all_names_and_addresses_that_may_be_read_find_the_same(company: Hub, caller: Caller) -> None:
    await company.told(
        memo(31, by="zoe", name="Zoe Short", address="zoe@a.example"),
        memo(61, connection="memos2", by="other", name="Zoe Longname", address="zoe@z.example"),
    )
    await decide(company, kind="same person", identities=["memos/account/zoe", "memos2/account/other"])
    names = ("Zoe Short", "Zoe Longname", "zoe@a.example", "zoe@z.example", "memos2/account/other")
    async with read_by(company, caller) as http:
        for kind in ("person", "requester"):
            assert [name for name in names if owned(31) not in await found(http, f"{kind}={name}")] == []
        for name in ("zoe@a.example", "zoe@z.example", "memos2/account/other"):
            did = await http.get(f"/v1/requests/{owned(31)}/timeline", params={"actor": name})
            assert [one["actor"] for one in did.json()["items"]] == ["memos/account/zoe"], name


async def test_who_acts_here_by_an_account_is_seen_though_another_account_of_theirs_is_not(company: Hub) -> None:
    await company.told(
        memo(31, by="bert"),
        memo(51, connection="board", text="part of MEMO-31", by="aplanta", name="Planta Z", **ZOE),
        memo(31, version=2, by="zoe", asker="bert", say="hello", name="Zoe", **ZOE),
    )
    record = await seen(company, STRANGERS[0], 31)
    (zoe,) = [one for one in record["people"] if one["name"] == "Zoe"]
    assert (zoe["id"], zoe["identities"]) == ("memos/account/zoe", ["memos/account/zoe"])
    said = [one for one in record["timeline"]["entries"] if one["kind"] == "commented"]
    assert [(one["actor"], one["actor_name"], one["words"]) for one in said] == [
        ("memos/account/zoe", "Zoe", "Zoe commented on MEMO-31: “hello”")
    ]
    assert record["last_said"]["by"] == "memos/account/zoe"


async def test_of_two_mailboxes_in_one_request_the_one_tells_nobody_of_the_other(kept: Hub) -> None:
    await kept.told(
        mail(71, title="Planted subject", text="part of MEMO-4", by="x", name="Planta Zoe", whom=MAILED, address=None),
        mail(73, "open", text="part of MEMO-4", by="y", name="Yann", whom="mail/address/yann@example.com"),
    )
    async with read_by(kept, STRANGERS[0]) as http:
        for path in (f"/v1/requests/{owned(4)}?summary=true", f"/v1/requests/{owned(4)}/timeline"):
            text = await read(http, path)
            assert ("planta" in text, "yann" in text) == (False, True), path
    people = {one["id"]: one for one in (await seen(kept, THIS_MACHINE, 4))["people"]}
    assert people[MAILED]["known_as"] == [
        {"identity": MAILED, "name": "Planta Zoe", "address": None, "connections": ["kept"]}
    ]


async def test_decisions_name_no_address_that_a_kept_mailbox_may_have_brought(kept: Hub) -> None:
    sent = [mail(71, by="x", name="Planta Zoe", whom=MAILED), mail(72, "open", by="y"), mail(73, "open", by="y")]
    await kept.told(*sent)
    people = await decide(kept, kind="same person", identities=[MAILED, "memos/account/anna"])
    hidden = await decide(kept, kind="link", a="mail/mail/71", b="mail/mail/72", reason="Planta said so")
    shown = await decide(kept, kind="link", a="mail/mail/72", b="mail/mail/73", reason="They are alike")
    async with read_by(kept, STRANGERS[0]) as http:
        assert "planta" not in await read(http, "/v1/decisions")
        told = {one["number"]: one for one in (await http.get("/v1/decisions")).json()["items"]}
        assert (told[people]["left"], told[people]["right"]) == ([], ["memos/account/anna"])
        assert [told[number]["reason"] for number in (hidden, shown)] == ["", "They are alike"]
        for number in (people, hidden):
            assert "planta" not in await read(http, f"/v1/decisions/{number}")


async def test_nothing_is_suggested_about_mails_of_a_kept_mailbox(kept: Hub) -> None:
    like = {"title": "New printer for the third floor", "by": "x", "name": "Xenia", "address": "xenia@example.com"}
    await kept.told(mail(71, **like), mail(72, "open", **like))
    await settle(kept)
    asked = "/v1/suggestions?waiting=true"
    items = (await kept.get(asked))["items"]
    mails = [one for one in items if "mail/mail/71" in {each["id"] for each in one["artifacts"]}]
    assert mails
    async with read_by(kept, STRANGERS[1]) as http:
        told = [one["id"] for one in (await http.get(asked)).json()["items"]]
        assert not {one["id"] for one in mails} & set(told)
        assert (await http.get(f"/v1/suggestions/{mails[0]['id']}")).status_code == 404
        answer = await http.post(
            f"/v1/suggestions/{mails[0]['id']}/answer", json={"answer": "rejected"}, headers={"If-Match": "*"}
        )
        assert answer.status_code == 404


async def test_who_is_in_a_request_is_so_by_each_address_it_names_and_by_no_decision(company: Hub) -> None:
    async with writing(company.engine) as connection:
        await audiences.write(connection, "board", Audience("participants"))
    await company.told(
        memo(31, by="zoe", address="zoe@a.example"), memo(32, parent=31, by="zoe2", address="zoe@z.example"),
        memo(51, connection="board", title="Planted title", text="part of MEMO-31", by="x"),
        memo(61, connection="memos2", by="other", address="curious@example.com"),
    )  # fmt: skip
    await decide(company, kind="same person", identities=["memos/account/zoe", "memos/account/zoe2"])
    await decide(company, kind="same person", identities=["memos/account/zoe", "memos2/account/other"])
    addresses = ("zoe@a.example", "zoe@z.example", "curious@example.com")
    callers = [Caller("Z", Role.VIEWER, "session", "a-9", address) for address in addresses]
    told = [await seen(company, caller, 31) for caller in callers]
    assert ["Planted title" in {one["title"] for one in each["artifacts"]} for each in told] == [True, True, False]


async def test_a_mail_in_two_mailboxes_is_read_by_whom_one_of_them_is_for(kept: Hub) -> None:
    told: dict[str, Any] = {"title": "Planted for both", "by": "x", "name": "Xenia", "whom": MAILED, "address": None}
    await kept.told(mail(71, **told), mail(71, "open", **told), mail(72, title="Planted for one", by="y"))
    (both,) = await filed(kept, THIS_MACHINE, "connection=open")
    assert [(one["connection"], one["also_read_by"]) for one in both["artifacts"]] == [("kept", ["open"])]
    assert {one["title"] for one in await filed(kept, THIS_MACHINE, "connection=kept")} == {
        "Planted for both", "Planted for one",
    }  # fmt: skip
    for query in ("connection=open", "text=planted+both", f"person={MAILED}"):
        (shown,) = await filed(kept, STRANGERS[0], query)
        assert (shown["title"], shown["requester"]["name"]) == ("Planted for both", "Xenia")
    assert {one["title"] for one in await filed(kept, STRANGERS[0], "connection=kept")} == {"Planted for both", None}
    async with read_by(kept, STRANGERS[0]) as http:
        did = (await http.get(f"/v1/requests/{both['id']}/timeline")).json()["items"]
        assert {(one["actor"], one["restricted"]) for one in did} == {(MAILED, False)}


async def filed(hub: Hub, caller: Caller, query: str) -> list[Any]:
    async with read_by(hub, caller) as http:
        return [one["record"] for one in (await http.get(f"/v1/requests?whole=true&{query}")).json()["items"]]
