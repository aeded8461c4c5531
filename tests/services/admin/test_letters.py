"""Dead letters: by what cures them; one opened, edited, tried, replayed, dropped; who did it is known."""

import asyncio
import time
from dataclasses import replace
from typing import Any

import orjson
import pytest
from sqlalchemy import event as listen
from sqlalchemy import select

from connectors.catalogue import catalogue
from pipelines.ingest import Ingest
from pipelines.store import audiences
from pipelines.store import dead_letters as store
from pipelines.store.dead_letters import DeadLetter, sentence
from pipelines.store.engine import reading, writing
from schemas.access import Audience, Role
from schemas.events import MAX_EVENT_BYTES, SourceEvent, to_kafka
from services.admin.letters_told import Causes, LetterContent, LetterPage, ReplayAllAnswer, ReplayAnswer
from services.admin.routers import ROUTERS
from services.admin.tables import audit
from services.feed import replays
from services.query.app import create_app
from tests.services.admin.conftest import NOW, Office
from tests.services.cli.company import BROKEN, MAPPINGS, map_told, telling
from tests.services.cli.test_dead_letters import BROKEN_ID, Topic
from tests.services.query.conftest import client_of
from tests.services.test_roles import Someone

SQLITE = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


class Told:
    """A connector whose mapping is the company's."""

    map = staticmethod(map_told)


@pytest.fixture
def office(office: Office) -> Office:
    """The mappings of this release are the company's."""
    known: Any = {**catalogue(), "hubspot": Told(), "jira": Told()}
    office.app.state.equipment = replace(office.equipment, catalogue=known)
    return office


def lying(number: int, event: SourceEvent, reason: str, cause: str = "bad record") -> DeadLetter:
    """A letter as ingest leaves it."""
    _, value, _ = to_kafka(event)
    return DeadLetter(f"one/source.{event.connector}/0/{number}", cause, reason, value, NOW)


def deal(number: int, **told: Any) -> SourceEvent:
    fields = {"title": f"Deal {number}", "natural_key": str(number), "opens": True}
    return telling("crm", "hubspot", "deal", str(number), **{"fields": fields, **told})


async def fill(office: Office, *letters: DeadLetter) -> None:
    async with writing(office.engine) as connection:
        await store.add(connection, letters)


async def noted(office: Office) -> list[tuple[str, str]]:
    async with reading(office.engine) as connection:
        rows = (await connection.execute(select(audit).order_by(audit.c.number))).all()
    return [(row.action, row.object) for row in rows]


async def ingested(office: Office, topic: Topic) -> None:
    await Ingest(office.engine, MAPPINGS, lambda: NOW, "one")(topic.records)


async def test_letters_are_told_by_what_cures_them(office: Office) -> None:
    reasons = ("status: '{0}' is none; use open", "amount 12{0} of deal {0} is no amount")
    several = [lying(number, deal(number), reasons[number % 2].format(number)) for number in range(10, 15)]
    fault = lying(20, telling("jira-acme", "jira", "issue", "1"), "KeyError at mapping.py:x", "failed: KeyError at m")
    html = DeadLetter("crm/9/0123", "bad record", "no JSON", b"<html>", NOW, "crm")
    await fill(office, *several, fault, html)
    told = Causes.model_validate(await office.ask("GET", "/v1/dead-letters"))
    seen = [(one.sentence, one.connection, one.letters, one.replayable) for one in told.items]
    assert seen[:2] == [
        ("status: … is none; use open", "crm", 3, True),
        ("amount … of deal … is no amount", "crm", 2, True),
    ]
    assert sorted(seen[2:]) == [
        ("failed: KeyError at m", "jira-acme", 1, True),
        ("no JSON", "crm", 1, False),
        ("status: there is none; the tool must say where it stands", "crm", 1, True),
    ]
    assert told.letters == 8
    assert next(one.mend for one in told.items if not one.replayable).startswith("It never reached a topic")
    only = await office.ask("GET", "/v1/dead-letters?connection=jira-acme")
    assert [one["letters"] for one in only["items"]] == [1]


async def test_the_letters_of_a_cause_page(office: Office) -> None:
    await fill(office, *(lying(number, deal(number), f"no {number}") for number in range(5)))
    statements: list[str] = []
    listen.listen(office.engine.sync_engine, "before_cursor_execute", lambda *a: statements.append(a[2]))
    (cause,) = [one for one in (await office.ask("GET", "/v1/dead-letters"))["items"] if one["sentence"] == "no …"]
    assert len([one for one in statements if "dead_letters" in one]) == 2
    path, found, cursor = f"/v1/dead-letters/causes/{cause['id']}?limit=2", list[str](), ""
    while True:
        page = LetterPage.model_validate(await office.ask("GET", path + cursor))
        found += [one.id for one in page.items]
        assert page.cause.letters == 5
        if page.next is None:
            break
        cursor = f"&cursor={page.next}"
    for other in (f"{path}&every=true", path.replace(cause["id"], "0" * 16)):
        assert "as you did then" in (await office.ask("GET", other + cursor, status=400))["mend"]
    assert len(found) == len(set(found)) == 5
    await office.ask("GET", path + "&cursor=bm8", status=400)
    await office.ask("GET", f"/v1/dead-letters/causes/{'0' * 16}", status=404)


async def test_one_is_opened_without_secrets_and_that_is_noted(office: Office) -> None:
    told = await office.ask("GET", f"/v1/dead-letters/{BROKEN_ID}")
    one = LetterContent.model_validate(told)
    assert one.content["payload"]["token"] == "•••"
    assert one.content["native_id"] == "4712"
    assert "CANARY" not in orjson.dumps(told).decode()
    assert await noted(office) == [("dead-letter.read", f"dead letter {BROKEN_ID}")]
    await office.ask("GET", f"/v1/dead-letters/{'0' * 16}", status=404)


async def test_an_edit_is_tried_kept_beside_and_replayed(office: Office) -> None:
    path = f"/v1/dead-letters/{BROKEN_ID}"
    seen = await office.ask("GET", path)
    content = seen["content"]
    content["payload"] |= {"broken": False, "fields": {"title": "Mended", "natural_key": "4712", "opens": True}}
    still = await office.ask("POST", f"{path}/replay?preview=true", {}, if_match=seen["etag"])
    assert ReplayAnswer.model_validate(still).tried.problem == BAD
    tried = await office.ask("PUT", f"{path}/content?preview=true", {"content": content}, if_match=seen["etag"])
    assert tried["tried"]["yields"]["title"] == "Mended"
    assert (await office.ask("GET", path))["edited_content"] is None

    kept = await office.ask("PUT", f"{path}/content", {"content": content}, if_match=seen["etag"])
    assert kept["letter"]["edited"] == {"by": "this machine", "at": "2026-04-01T12:00:00.000000Z"}
    await office.ask("POST", f"{path}/replay", {}, 412, if_match=seen["etag"])
    after = await office.ask("GET", path)
    assert after["content"]["payload"]["broken"] is True
    assert after["edited_content"]["payload"]["token"] == "•••"
    assert "CANARY" not in orjson.dumps(after).decode()

    asked = await office.ask("POST", f"{path}/replay", {}, if_match=kept["letter"]["etag"])
    assert asked["letter"]["state"] == "wanted"
    topic = Topic()
    assert await replays.step(office.engine, topic.send) == 1
    event = SourceEvent.model_validate_json(topic.records[0].value or b"")
    assert event.payload["token"] == "CANARY-SECRET"
    assert event.replaces == BROKEN.id
    assert event.rank == 2
    await ingested(office, topic)
    found = await office.ask("GET", "/v1/lookup?reference=crm/deal/4712")
    assert found["items"][0]["outcome"] == "in a request"
    assert (await office.ask("GET", "/v1/dead-letters"))["items"] == []
    again = await office.ask("GET", "/v1/dead-letters?every=true")
    assert [one["states"] for one in again["items"]] == [{"replayed": 1}]
    held = await office.ask("GET", path)
    assert held["content"] == seen["content"] | {"payload": seen["content"]["payload"] | {"broken": True, "fields": {}}}
    actions = [action for action, _ in await noted(office)]
    assert actions.count("dead-letter.edited") == 1
    assert actions.count("dead-letter.replay-asked") == 1
    async with reading(office.engine) as connection:
        every = (await connection.execute(select(audit.c.before, audit.c.after))).all()
    assert "CANARY" not in str(every)


BAD = "status: there is none; the tool must say where it stands"


@SQLITE
async def test_an_edit_is_taken_back(office: Office) -> None:
    path = f"/v1/dead-letters/{BROKEN_ID}"
    content = (await office.ask("GET", path))["content"] | {"order": 2}
    await office.ask("PUT", f"{path}/content", {"content": orjson.dumps(content).decode()}, if_match="*")
    assert (await office.ask("GET", path))["edited_content"]["order"] == 2
    back = await office.ask("DELETE", f"{path}/content", if_match="*")
    assert back["edited"] is None
    assert (await office.ask("GET", path))["edited_content"] is None


WRONG: list[tuple[Any, str]] = [
    ("{", "body.content"),
    ("<html>", "body.content"),
    (None, "body.content"),
    ({"connection": "crm"}, "body.content.connector"),
    ({"native_id": "4713"}, "body.content.native_id"),
    ({"connection": "other"}, "body.content.connection"),
    ({"payload": {"title": "•••"}}, "body.content.payload.title"),
    ({"payload": {"text": "x" * MAX_EVENT_BYTES}}, "body.content"),
    ({"surprise": 1}, "body.content.surprise"),
]


@SQLITE
async def test_an_edit_that_cannot_be_is_refused_by_its_field(office: Office) -> None:
    path = f"/v1/dead-letters/{BROKEN_ID}"
    whole = (await office.ask("GET", path))["content"]
    for change, field in WRONG:
        body = change if not isinstance(change, dict) or change == {"connection": "crm"} else whole | change
        told = await office.ask("PUT", f"{path}/content", {"content": body}, 422, if_match="*")
        assert [one["field"] for one in told["errors"]] == [field]
    assert (await office.ask("GET", path))["edited_content"] is None


async def test_all_of_a_cause_are_tried_then_replayed(office: Office) -> None:
    well = [lying(number, deal(number), f"not installed here {number}") for number in range(30, 33)]
    worse = [lying(number, deal(number, broken=True), f"not installed here {number}") for number in (40, 41)]
    await fill(office, *well, *worse)
    cause = next(one for one in (await office.ask("GET", "/v1/dead-letters"))["items"] if one["letters"] == 5)
    assert cause["mend"] == "Install the connector, then replay."
    path = f"/v1/dead-letters/causes/{cause['id']}/replay"
    told = ReplayAllAnswer.model_validate(await office.ask("POST", f"{path}?preview=true", {}, if_match=cause["etag"]))
    assert (told.preview, told.letters, told.looked, told.understood, told.sample) == (True, 5, 5, 3, False)
    assert [(one.sentence, one.letters) for one in told.fails] == [(BAD, 2)]
    asked = await office.ask("POST", path, {}, if_match=cause["etag"])
    assert (asked["letters"], asked["cause"]["states"]) == (5, {"wanted": 5})
    assert (await office.ask("POST", path, {}, 409, if_match="*"))["detail"] == "None of them waits to be replayed."
    topic = Topic()
    assert await replays.step(office.engine, topic.send) == 5
    await ingested(office, topic)
    left = await office.ask("GET", "/v1/dead-letters")
    assert [(one["sentence"], one["letters"]) for one in left["items"]] == [(BAD, 3)]


async def test_of_two_at_once_the_second_is_told(office: Office) -> None:
    path = f"/v1/dead-letters/{BROKEN_ID}"
    seen = await office.ask("GET", path)
    bodies = [("/drop", {"reason": "A test deal"}), ("/replay", {})]

    async def sent(ending: str, body: Any) -> int:
        headers = {"If-Match": seen["etag"]}
        return (await office.http.post(path + ending, json=body, headers=headers)).status_code

    statuses = await asyncio.gather(*(sent(*one) for one in bodies))
    assert sorted(statuses) in ([200, 409], [200, 412])
    state = (await office.ask("GET", path))["state"]
    assert state == ("dropped" if statuses[0] == 200 else "wanted")


@SQLITE
async def test_dropped_with_who_when_and_why(office: Office) -> None:
    path = f"/v1/dead-letters/{BROKEN_ID}"
    await office.ask("POST", f"{path}/drop", {"reason": " "}, 422, if_match="*")
    assert await office.ask("POST", f"{path}/drop?preview=true", {"reason": "x"}, if_match="*") == {
        "preview": True, "letters": 1,
    }  # fmt: skip
    await office.ask("POST", f"{path}/drop", {"reason": "A test deal"}, if_match="*")
    told = await office.ask("GET", path)
    closed = {"by": "this machine", "at": "2026-04-01T12:00:00.000000Z", "reason": "A test deal"}
    assert (told["state"], told["closed"]) == ("dropped", closed)
    await office.ask("POST", f"{path}/replay", {}, 409, if_match="*")
    await office.ask("POST", f"{path}/drop", {"reason": "again"}, 409, if_match="*")


async def test_all_of_a_cause_are_dropped(office: Office) -> None:
    await fill(office, *(lying(number, deal(number), f"no {number}") for number in range(3)))
    (cause,) = [one for one in (await office.ask("GET", "/v1/dead-letters"))["items"] if one["sentence"] == "no …"]
    path = f"/v1/dead-letters/causes/{cause['id']}/drop"
    assert (await office.ask("POST", path, {"reason": "Tests"}, if_match=cause["etag"]))["letters"] == 3
    await office.ask("POST", path, {"reason": "Tests"}, 404, if_match=cause["etag"])


@SQLITE
async def test_what_never_was_on_a_topic_is_told_so(office: Office) -> None:
    aside = DeadLetter("crm/4713/0123456789abcdef", "bad record", "no id", b"<html>", NOW, "crm")
    await fill(office, aside)
    told = await office.ask("POST", f"/v1/dead-letters/{aside.id}/replay", {}, 409, if_match="*")
    assert told["type"] == "urn:throughline:problem:not-replayable"
    assert (await office.ask("GET", f"/v1/dead-letters/{aside.id}"))["content"] == "<html>"


@SQLITE
async def test_an_audience_keeps_content_from_admins_too(office: Office) -> None:
    async with writing(office.engine) as connection:
        await audiences.write(connection, "crm", Audience("named", frozenset({"anna@acme.example"})))
    app = create_app(office.engine, lambda: NOW, access=Someone(Role.ADMIN), more=ROUTERS)
    app.state.equipment = office.app.state.equipment
    path = f"/v1/dead-letters/{BROKEN_ID}"
    async with client_of(app) as http:
        (cause,) = (await http.get("/v1/dead-letters")).json()["items"]
        page = (await http.get(f"/v1/dead-letters/causes/{cause['id']}")).json()
        assert page["items"][0]["reason"] is None
        assert (await http.get(path)).json()["type"] == "urn:throughline:problem:audience"
        answer = await http.post(f"{path}/replay?preview=true", json={}, headers={"If-Match": "*"})
        assert answer.status_code == 403
    assert await noted(office) == []


@pytest.mark.parametrize(
    ("reason", "said"),
    [
        ("status: 'nonsense' is none; use open or done", "status: … is none; use open or done"),
        ("PAY-12: the tool's own status isn't there", "…: the tool's own status isn't there"),
        ("comment 10012 of https://acme.example/x, by anna@acme.example", "comment … of …, by …"),
        ("lines 1, 2, 3 are odd", "lines … are odd"),
    ],
)
def test_a_sentence_names_no_single_thing(reason: str, said: str) -> None:
    assert sentence("bad record", reason) == said


@pytest.mark.parametrize("made_up", ["a", "A-", "[", "é", "'", "a.b "])
def test_what_a_record_makes_up_takes_no_long_time(made_up: str) -> None:
    started = time.process_time()
    told = sentence("bad record", f"kind: the connector knows no {made_up * (400_000 // len(made_up))}")
    assert told.startswith("kind: the connector knows no")
    assert len(told) <= 200
    assert time.process_time() - started < 1
