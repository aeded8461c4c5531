"""What a connection keeps to its audience comes out in no answer, for no role; the others see stages and times."""

import json
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import httpx2
import pytest
from sqlalchemy import insert
from sqlalchemy.ext.asyncio import AsyncEngine
from starlette.types import Scope

from pipelines.lifecycle.withholding import withheld
from pipelines.store import audiences
from pipelines.store.configuration import ConnectionConfiguration, write
from pipelines.store.engine import writing
from schemas.access import THIS_MACHINE, Audience, Caller, Role
from schemas.artifacts import artifact_id, request_id
from schemas.records import Dependency, LifecycleRecord
from services.feed.tables import connections
from services.query.app import create_app
from tests.pipelines.memos import memo
from tests.services.query.conftest import NOW, Hub, client_of, connection_row, filled, over, owned
from tests.services.query.test_suggestions import settle

PLANTED = ("planted", "secretword", "planta")
"""Words of titles, texts and people that only the connection `board` knows."""

BOARD = Audience("named", frozenset({"clara@example.com"}), frozenset({"Board"}))
STRANGERS = [Caller("Sam", role, "session", f"a-{role}", "sam@example.com", frozenset({"Staff"}))
             for role in (Role.VIEWER, Role.EDITOR, Role.ADMIN)]  # fmt: skip


class As:
    """Access that knows one caller."""

    def __init__(self, caller: Caller) -> None:
        self._caller = caller

    async def caller(self, scope: Scope) -> Caller | None:
        """The one."""
        del scope
        return self._caller


async def with_a_board(engine: AsyncEngine) -> None:
    """A second connection, whose things are in one request with others, and in one of their own."""
    async with writing(engine) as connection:
        await write(connection, "board", ConnectionConfiguration("jira", frozenset()))
        await connection.execute(insert(connections), [connection_row("board", title="The board")])
        await audiences.write(connection, "board", BOARD)
    wish = {"kind": "unlink", "a": "board/memo/22", "b": "MEMO-4", "by": "Clara", "reason": "It is a planted one"}
    async with over(engine) as hub:
        await hub.told(
            memo(21, connection="board", title="Planted title", text="Secretword: part of MEMO-1", by="planta"),
            memo(22, connection="board", title="Planted matter of its own", by="planta"),
            memo(22, connection="board", version=2, title="Planted matter of its own", by="planta", status="nothing"),
            memo(23, connection="board", title="New printer, planted", by="planta"),
        )  # fmt: skip
        assert (await hub.http.post("/v1/decisions", json=wish, headers={"If-Match": "*"})).status_code == 201
        await settle(hub)


@pytest.fixture
async def company(database_url: str) -> AsyncIterator[Hub]:
    """The company with its board."""
    async with filled(database_url, with_a_board) as made:
        yield made


def read_by(company: Hub, caller: Caller) -> httpx2.AsyncClient:
    return client_of(create_app(company.engine, lambda: NOW, access=As(caller), keep_seconds=0))


def paths(company: Hub) -> list[str]:
    """Of every answer that may hold content."""
    own = owned_by("board", 22)
    requests = [
        f"/v1/requests/{one}{rest}"
        for one in (owned(1), own)
        for rest in ("", "?summary=true", f"?as_of={(NOW - timedelta(hours=1)).isoformat()[:-6]}Z", "/timeline",
                     "/timeline?order=desc", "/links", "/why?with=board/memo/21")
    ]  # fmt: skip
    return [
        *requests, "/v1/requests", "/v1/requests?whole=true", "/v1/requests?connection=board&whole=true",
        "/v1/lookup?reference=MEMO-1", "/v1/lookup?reference=MEMO-1&reference=board/memo/22&whole=true",
        f"/v1/lookup?reference={own}&whole=true", "/v1/lookup?reference=board/memo/21",
        "/v1/why?from=MEMO-1&with=board/memo/21", "/v1/why?from=MEMO-4&with=board/memo/22",
        "/v1/why?from=MEMO-2&with=MEMO-3", "/v1/changes", "/v1/decisions", "/v1/decisions/1", "/v1/suggestions",
        "/v1/suggestions?waiting=true", "/v1/connections", "/v1/freshness", "/v1/connections/board/unmapped",
        "/v1/connections/memos/unmapped", "/openapi.json",
    ]  # fmt: skip


def owned_by(connection: str, number: int) -> str:
    return request_id(f"{connection}/memo/{number}")


async def read(http: httpx2.AsyncClient, path: str) -> str:
    answer = await http.get(path)
    assert answer.status_code in (200, 403), f"{path}: {answer.text}"
    return answer.text.lower()


@pytest.mark.parametrize("caller", STRANGERS, ids=lambda one: one.role)
async def test_the_words_come_out_in_no_answer(company: Hub, caller: Caller) -> None:
    async with read_by(company, caller) as http:
        for path in paths(company):
            text = await read(http, path)
            assert [word for word in PLANTED if word in text] == [], path


async def test_they_do_come_out_for_those_who_may_read_them(company: Hub) -> None:
    named = Caller("Clara", Role.VIEWER, "session", "a-2", "Clara@example.com")
    grouped = Caller("Gus", Role.VIEWER, "proxy", "a-3", None, frozenset({"Board"}))
    for caller in (named, grouped, THIS_MACHINE):
        async with read_by(company, caller) as http:
            seen = {word for path in paths(company) for word in PLANTED if word in await read(http, path)}
        assert seen == set(PLANTED)


async def test_who_is_in_the_request_reads_it_there_and_nowhere_else(company: Hub) -> None:
    async with writing(company.engine) as connection:
        await audiences.write(connection, "board", Audience("participants"))
    bert = Caller("Bert", Role.VIEWER, "session", "a-4", "bert@example.com")
    async with read_by(company, bert) as http:
        assert "planted title" in await read(http, f"/v1/requests/{owned(1)}")
        assert "planted" not in await read(http, f"/v1/requests/{owned_by('board', 22)}")
        assert "planted" not in await read(http, f"/v1/lookup?reference={owned_by('board', 22)}")
    nobody = Caller("A program", Role.VIEWER, "token", "a-5", None)
    async with read_by(company, nobody) as http:
        assert "planted" not in await read(http, f"/v1/requests/{owned(1)}")


async def test_who_is_in_a_request_reads_nothing_of_another_that_it_names(company: Hub) -> None:
    async with writing(company.engine) as connection:
        await audiences.write(connection, "board", Audience("participants"))
    bert = Caller("Bert", Role.VIEWER, "session", "a-4", "bert@example.com")
    async with read_by(company, bert) as http:
        text = await read(http, f"/v1/requests/{owned(1)}/why?with=board/memo/22")
        assert "memo-22" not in text
        assert "planted" not in text
        assert '"hidden":true' in text or "you may not read" in text


async def test_the_others_see_that_there_is_a_request_with_stages_and_times(company: Hub) -> None:
    async with read_by(company, STRANGERS[0]) as http:
        told = (await http.get(f"/v1/requests/{owned_by('board', 22)}")).json()["request"]
    whole = (await company.get(f"/v1/requests/{owned_by('board', 22)}"))["request"]
    assert (told["stages"], told["current"], told["created_at"]) == (
        whole["stages"], whole["current"], whole["created_at"],
    )  # fmt: skip
    assert (told["title"], told["requester"], told["people"]) == (None, None, [])
    assert [(one["restricted"], one["stage"]) for one in told["artifacts"]] == [(True, whole["artifacts"][0]["stage"])]


@pytest.mark.parametrize("query", ["text=planted", "text=secretword", "person=planta@example.com", "text=memo+21"])
async def test_what_may_not_be_read_finds_nothing(company: Hub, query: str) -> None:
    assert await found(company.http, query) != [] or query == "text=secretword"
    async with read_by(company, STRANGERS[2]) as http:
        assert await found(http, query) == []


async def test_pages_go_on_behind_what_is_passed_over(company: Hub) -> None:
    await company.told(*(memo(30 + one, connection="board", title=f"Planted {one}") for one in range(7)))
    async with read_by(company, STRANGERS[0]) as http:
        seen: list[str] = []
        cursor: str | None = ""
        while cursor is not None:
            answer = (await http.get("/v1/requests", params={"limit": "2", "text": "memo"} | (
                {"cursor": cursor} if cursor else {}))).json()  # fmt: skip
            seen += [one["id"] for one in answer["items"]]
            cursor = answer["next"]
    assert sorted(seen) == sorted(set(seen))
    assert {owned(1), owned(4), owned(5)} <= set(seen)
    assert not {owned_by("board", 30 + one) for one in range(7)} & set(seen)


async def test_an_etag_of_a_part_is_another_and_still_good_for_a_decision(company: Hub) -> None:
    whole = await company.http.get(f"/v1/requests/{owned(1)}")
    async with read_by(company, STRANGERS[1]) as http:
        part = await http.get(f"/v1/requests/{owned(1)}")
        assert part.headers["ETag"] != whole.headers["ETag"]
        again = await http.get(f"/v1/requests/{owned(1)}", headers={"If-None-Match": part.headers["ETag"]})
        assert again.status_code == 304
        other = await http.get(f"/v1/requests/{owned(4)}")
        wish: Any = {"kind": "merge", "requests": [owned(1), owned(4)], "by": "Sam"}
        tags = f"{part.headers['ETag']}, {other.headers['ETag']}"
        done = await http.post("/v1/decisions", json=wish, headers={"If-Match": tags})
        assert done.status_code == 201, done.text
        assert [word for word in PLANTED if word in done.text.lower()] == []


async def found(http: httpx2.AsyncClient, query: str) -> list[str]:
    return [one["id"] for one in (await http.get(f"/v1/requests?{query}")).json()["items"]]


async def test_what_a_request_waits_on_elsewhere_is_named_to_nobody_who_is_only_in_this_one(company: Hub) -> None:
    record = LifecycleRecord.model_validate((await company.get(f"/v1/requests/{owned(1)}"))["request"])
    first = record.artifacts[0].id
    waits = Dependency(
        artifact=first, other="board/memo/22", other_key="MEMO-22", other_title="Planted", other_state=None, open=True,
        since=None, why="MEMO-22 says so",
    )  # fmt: skip
    inside = waits.model_copy(update={"other": "board/memo/21", "other_key": "MEMO-21", "why": ""})
    told = withheld(record.model_copy(update={"blocked_by": (waits, inside)}), frozenset(), frozenset({"board"}))
    assert [(one.other, one.other_key) for one in told.blocked_by] == [
        ("board/memo/22", None), ("board/memo/21", "MEMO-21"),
    ]  # fmt: skip
    assert "MEMO-22" not in told.model_dump_json()
    assert (told.title, told.people) == (record.title, record.people)


async def test_what_somebody_is_called_there_is_told_to_who_may_read_it(company: Hub) -> None:
    mine, theirs = owned(31), owned_by("board", 24)
    zoe: dict[str, Any] = {"name": None, "address": "zoe@example.com"}
    await company.told(
        memo(31, by="zoe", **zoe), memo(31, version=2, by="zoe", status="done", **zoe),
        memo(24, connection="board", by="zplus", name="Planta Zoe", address="zoe@example.com"),
    )  # fmt: skip
    finding = ("person=Planta+Zoe", "person=board/account/zplus", "requester=planta+zoe", "text=planta")
    async with read_by(company, STRANGERS[0]) as http:
        for path in (f"/v1/requests/{mine}?summary=true", f"/v1/requests/{mine}/timeline", "/v1/requests?whole=true",
                     f"/v1/lookup?reference={mine}&whole=true", "/v1/changes"):  # fmt: skip
            text = await read(http, path)
            assert "planta" not in text, path
            assert "zplus" not in text, path
        record = (await http.get(f"/v1/requests/{mine}")).json()["request"]
        assert (record["requester"]["name"], record["requester"]["address"]) == (None, "zoe@example.com")
        assert [one["words"] for one in record["timeline"]["entries"]] == [
            "zoe@example.com moved MEMO-31 to open", "zoe@example.com moved MEMO-31 to done",
        ]  # fmt: skip
        assert not any([await found(http, query) for query in finding])
        assert mine in await found(http, "person=zoe@example.com")
    async with read_by(company, THIS_MACHINE) as http:
        asked = (await http.get(f"/v1/requests/{mine}")).json()["request"]["requester"]
        assert (asked["name"], asked["elsewhere"]) == ("Planta Zoe", ["board/account/zplus"])
        told = (await http.get(f"/v1/requests/{mine}/timeline")).json()["items"]
        assert {one["actor_name"] for one in told} == {"Planta Zoe"}
        for query in finding:
            assert {mine, theirs} <= set(await found(http, query)), query


BOTH: dict[str, Any] = {"address": "zz@example.com"}


@pytest.mark.parametrize("told", [
    pytest.param([
        memo(31, by="bert", asker="bert"), memo(31, version=2, by="zoe", asker="bert", say="hello", name=None, **BOTH),
        memo(24, connection="board", by="planta1", name="Planta Zoe", **BOTH),
    ], id="who said the last word"),
    pytest.param([
        memo(31, by="bert", asker="bert"), memo(32, parent=31, by="zz", name="Zed", **BOTH),
        memo(51, connection="board", text="part of MEMO-31", by="aplanta", name="Planta Z", **BOTH),
        memo(31, version=3, by="zz", asker="bert", say="hello", name="Zed", **BOTH),
    ], id="by two identities in one request"),
])  # fmt: skip
@pytest.mark.parametrize("audience", [BOARD, Audience("participants")], ids=lambda one: one.kind)
async def test_nor_is_it_told_beside_what_they_said(company: Hub, told: list[Any], audience: Audience) -> None:
    async with writing(company.engine) as connection:
        await audiences.write(connection, "board", audience)
    await company.told(*told)
    async with read_by(company, STRANGERS[0]) as http:
        for path in (f"/v1/requests/{owned(31)}?summary=true", f"/v1/requests/{owned(31)}/timeline",
                     "/v1/requests?whole=true", f"/v1/lookup?reference={owned(31)}&whole=true"):  # fmt: skip
            assert "planta" not in await read(http, path), path
    async with read_by(company, THIS_MACHINE) as http:
        assert "planta" in await read(http, f"/v1/requests/{owned(31)}")


async def test_nor_is_an_address_of_there(company: Hub) -> None:
    nameless: dict[str, Any] = {"by": "zoe", "name": None, "address": None}
    await company.told(
        memo(31, **nameless), memo(31, version=2, status="done", **nameless),
        memo(24, connection="board", by="other", name=None, address="planta@board.example"),
    )  # fmt: skip
    wish = {"kind": "same person", "identities": ["memos/account/zoe", "board/account/other"], "by": "Clara"}
    assert (await company.http.post("/v1/decisions", json=wish, headers={"If-Match": "*"})).status_code == 201
    async with read_by(company, STRANGERS[0]) as http:
        assert "planta@" not in await read(http, f"/v1/requests/{owned(31)}?summary=true")
        assert "planta@" not in await read(http, f"/v1/requests/{owned(31)}/timeline")
    async with read_by(company, THIS_MACHINE) as http:
        assert "planta@" in await read(http, f"/v1/requests/{owned(31)}")


async def test_what_only_a_kept_mailbox_brought_is_kept_though_ids_of_mails_are_nobodys(company: Hub) -> None:
    zoe: dict[str, Any] = {"address": "zoe.planta@example.com"}
    sent = memo(71, connection="board", title="Planted subject", text="part of MEMO-4: secretword", by="x",
                name="Planta Zoe", whom="mail/address/zoe.planta@example.com", **zoe)  # fmt: skip
    alone = memo(72, connection="board", title="Planted subject", by="x", name="Planta Zoe",
                 whom="mail/address/zoe.planta@example.com", **zoe)  # fmt: skip
    ids = {"71": artifact_id("mail", "mail", "71"), "72": artifact_id("mail", "mail", "72")}
    await company.told(
        *(one.model_copy(update={"artifact": ids[one.native_id]}) for one in (sent, alone)),
        memo(31, by="zoe", name=None, address="zoe.planta@example.com"),
    )  # fmt: skip
    why = "/v1/why?from=MEMO-4&with=mail/mail/71"
    kept = request_id(ids["72"])
    async with read_by(company, STRANGERS[0]) as http:
        for path in (f"/v1/requests/{kept}", f"/v1/requests/{kept}/timeline", why):
            text = await read(http, path)
            assert [word for word in (*PLANTED, "zoe") if word in text] == [], path
        assert "planta zoe" not in await read(http, f"/v1/requests/{owned(31)}?summary=true")
    async with read_by(company, THIS_MACHINE) as http:
        assert "planta zoe" in await read(http, f"/v1/requests/{kept}")
        assert "planta zoe" in await read(http, f"/v1/requests/{owned(31)}?summary=true")
        assert "secretword" in await read(http, why)


async def test_an_undo_of_what_was_decided_of_people_names_nobody_of_there(company: Hub) -> None:
    wish: Any = {"kind": "same person", "identities": ["planta@example.com", "memos/account/anna"], "by": "Clara"}
    taken = await company.http.post("/v1/decisions", json=wish, headers={"If-Match": "*"})
    number = taken.json()["decision"]["number"]
    undo = {"kind": "undo", "decision": number, "by": "Clara"}
    assert (await company.http.post("/v1/decisions", json=undo, headers={"If-Match": "*"})).status_code == 201
    async with read_by(company, STRANGERS[2]) as http:
        assert "planta" not in await read(http, "/v1/decisions")
    async with read_by(company, THIS_MACHINE) as http:
        assert "planta" in await read(http, "/v1/decisions")


async def test_whose_mailbox_is_read_is_told_to_who_may_read_it(company: Hub) -> None:
    reads = {"host": "imap.example.com", "auth": {"kind": "password", "user": "requests@example.com"}}
    async with writing(company.engine) as connection:
        rows = [connection_row("inbox", options=json.dumps(reads)), connection_row("kept", options=json.dumps(reads)),
                connection_row("hurt", options='{"host')]  # fmt: skip
        await connection.execute(insert(connections), rows)
        await audiences.write(connection, "kept", BOARD)
    clara = Caller("Clara", Role.VIEWER, "session", "a-c", "clara@example.com", frozenset())
    for caller, kept in ((STRANGERS[2], None), (clara, "requests@example.com")):
        async with read_by(company, caller) as http:
            items = (await http.get("/v1/connections")).json()["items"]
            nowhere = (await http.get("/v1/lookup", params={"reference": "PAY-99"})).json()["freshness"]
        for read in (items, nowhere):
            told = {one["connection"]: one["mailbox"] for one in read}
            assert told == {"memos": None, "board": None, "inbox": "requests@example.com", "kept": kept, "hurt": None}
