"""dead-letters: listed by cause, shown without secrets, replayed by the hub, dropped with a reason."""

import json
from collections.abc import Sequence

import pytest
from sqlalchemy import select

from pipelines.ingest import Ingest
from pipelines.store import dead_letters as store
from pipelines.store.dead_letters import DeadLetter
from pipelines.store.engine import reading, writing
from schemas.artifacts import Mapped
from schemas.events import MAX_EVENT_BYTES, SourceEvent
from services.admin.letters_told import readable
from services.admin.tables import audit
from services.cli import dead_letters
from services.cli.terminal import EXIT_NOT_FOUND
from services.feed import letters, replays
from services.feed.flow import Outgoing
from services.feed.letters import Letter
from services.feed.pages import Place
from tests.pipelines.memos import Record
from tests.services.cli.company import BROKEN, MAPPINGS, NOW
from tests.services.cli.conftest import BOTH, Desk

HAND = dead_letters.Hand("anna", NOW)
BROKEN_ID = DeadLetter("one/source.hubspot/0/5", "", "", b"", NOW).id


class Topic:
    """The broker: takes records, and hands them to ingest."""

    def __init__(self, *, takes: bool = True) -> None:
        self.takes = takes
        self.records: list[Record] = []

    async def send(self, batch: Sequence[Outgoing]) -> Sequence[Place | Exception]:
        if not self.takes:
            return [OSError("away")] * len(batch)
        for connector, _, value, headers in batch:
            self.records.append(Record(f"source.{connector}", 1, len(self.records), value, list(headers)))
        return [(one.topic, 1, one.offset + 1) for one in self.records[-len(batch) :]]


async def the_letter(desk: Desk, name: str = BROKEN_ID) -> Letter:
    async with reading(desk.engine) as connection:
        (one,) = await letters.letters(connection, [name], states=letters.EVERY)
    return one


async def replay(desk: Desk, *ids: str, cause: str | None = None, agree: bool = True) -> int:
    return await dead_letters.replay(desk.made, ids, cause, None, HAND, desk.screen, lambda _: agree)


def mended(event: SourceEvent) -> Mapped:
    return MAPPINGS["hubspot"](event.model_copy(update={"payload": {"fields": {"title": "Mended", "opens": True}}}))


async def ingest(desk: Desk, topic: Topic, *, well: bool) -> None:
    mappings = {**MAPPINGS, "hubspot": mended} if well else MAPPINGS
    await Ingest(desk.engine, mappings, lambda: NOW, "one")(topic.records)


@BOTH
async def test_listed_by_cause(desk: Desk) -> None:
    await dead_letters.show_all(desk.made, NOW, desk.screen, as_json=False, every=False)
    printed = desk.printed
    heads = ["letters", "what", "is", "wrong", "connection", "state", "newest", "what", "to", "do"]
    assert printed.splitlines()[0].split() == heads
    assert " ".join(printed.splitlines()[1].split()).startswith("1 status: there is none;")
    assert "crm" in printed
    assert "Correct it in the" in printed


async def test_listed_for_programs(desk: Desk, capsys: pytest.CaptureFixture[str]) -> None:
    await dead_letters.show_all(desk.made, NOW, desk.screen, as_json=True, every=False)
    told = json.loads(capsys.readouterr().out)
    assert (told["id"], told["connection"], told["cause"], told["state"]) == (BROKEN_ID, "crm", "bad record", "waiting")
    assert told["replayable"] is True
    assert "content" not in told


@BOTH
async def test_none(desk: Desk) -> None:
    await dead_letters.drop(desk.made, [BROKEN_ID], None, None, "a test deal", HAND, desk.screen, lambda _: True)
    assert "1 letter dropped." in desk.printed
    await dead_letters.show_all(desk.made, NOW, desk.screen, as_json=False, every=False)
    assert desk.printed == "No dead letters: everything that was read could be used.\n"
    one = await the_letter(desk)
    assert (one.state, one.note, one.closed_by, one.closed_at) == ("dropped", "a test deal", "anna", NOW)
    async with reading(desk.engine) as connection:
        (noted,) = (await connection.execute(select(audit))).all()
    assert (noted.action, noted.who) == ("dead-letter.dropped", "anna")
    assert BROKEN_ID in noted.after


@BOTH
async def test_shown_without_secrets(desk: Desk, capsys: pytest.CaptureFixture[str]) -> None:
    assert await dead_letters.show(desk.made, BROKEN_ID, HAND, desk.screen, as_json=False) == 0
    printed = desk.printed
    assert '"token": "•••"' in printed
    assert '"native_id": "4712"' in printed
    assert await dead_letters.show(desk.made, BROKEN_ID, HAND, desk.screen, as_json=True) == 0
    told = capsys.readouterr().out
    assert json.loads(told)["content"]["native_id"] == "4712"
    async with reading(desk.engine) as connection:
        noted = (await connection.execute(select(audit))).all()
    assert [(one.action, one.who, one.object) for one in noted] == [
        ("dead-letter.read", "anna", f"dead letter {BROKEN_ID}")
    ] * 2
    assert "CANARY" not in printed + told


async def test_an_unknown_letter(desk: Desk) -> None:
    assert await dead_letters.show(desk.made, "0" * 16, HAND, desk.screen, as_json=False) == EXIT_NOT_FOUND


@pytest.mark.parametrize(
    ("text", "secret"),
    [
        ("Authorization: Bearer abcdefgh12345678", "abcdefgh12345678"),
        ("see https://anna:hunter2@example.com/x", "hunter2"),
        ("pat-eu1-0a1b2c3d-0000-1111-2222-333344445555", "0a1b2c3d"),
        ('{"headers": {"X-Api-Key": "k-123"}, "list": [{"password": "hunter2"}]}', "k-123"),
        ('[{"client_secret": "s3cret", "name": "kept"}]', "s3cret"),
    ],
)
def test_what_looks_like_a_secret_is_masked(text: str, secret: str) -> None:
    shown = json.dumps(readable(text.encode()), ensure_ascii=False)
    assert secret not in shown
    assert "•••" in shown


async def test_replayed_by_the_hub(desk: Desk) -> None:
    assert await replay(desk, cause="bad record") == 0
    assert desk.printed == (
        "1 letter (bad record) would be published again on the source topics.\n"
        "This release would understand 0.\n"
        "  1 would still fail: object: HubSpot's record should hold an object here\n"
        "1 letter will be replayed by the running hub, or when it runs next.\n"
    )
    assert (await the_letter(desk)).state == "wanted"
    topic, clock = Topic(), 0.0
    sent = replays.Sent(lambda: clock)
    assert await replays.step(desk.engine, topic.send, sent) == 1
    assert (await the_letter(desk)).state == "wanted"  # a broker that forgets may still lose it
    assert await replays.step(desk.engine, topic.send, sent) == 0
    await ingest(desk, topic, well=True)
    assert (await the_letter(desk)).state == "replayed"
    assert [(one.topic, one.value) for one in topic.records] == [("source.hubspot", BROKEN.model_dump_json().encode())]
    assert await replays.step(desk.engine, topic.send) == 0


async def test_asks_first(desk: Desk) -> None:
    assert await replay(desk, BROKEN_ID, agree=False) == 0
    assert (await the_letter(desk)).state == "waiting"


@BOTH
async def test_three_failures_set_it_aside(desk: Desk) -> None:
    for failures, state in ((1, "waiting"), (2, "waiting"), (3, "set aside")):
        assert await replay(desk, cause="bad record") == 0
        topic = Topic()
        assert await replays.step(desk.engine, topic.send) == 1
        for _ in range(2):  # the second time a redelivery
            await ingest(desk, topic, well=False)
            one = await the_letter(desk)
            assert (one.state, one.attempts) == (state, failures)
    assert await replay(desk, cause="bad record") == EXIT_NOT_FOUND
    assert await replay(desk, BROKEN_ID) == 0
    assert (await the_letter(desk)).state == "wanted"


@BOTH
async def test_what_a_broker_forgot_is_published_again(desk: Desk) -> None:
    """It was killed with what it held, after it had taken the letter and before ingest did."""
    await replay(desk, BROKEN_ID)
    clock = 0.0
    sent, forgot = replays.Sent(lambda: clock), Topic()
    assert await replays.step(desk.engine, forgot.send, sent) == 1
    assert await replays.step(desk.engine, forgot.send, replays.Sent()) == 1  # the next process
    clock = replays.AGAIN  # or the broker alone dropped it
    topic = Topic()
    assert await replays.step(desk.engine, topic.send, sent) == 1
    await ingest(desk, topic, well=True)
    assert (await the_letter(desk)).state == "replayed"


async def test_one_that_failed_and_is_wanted_again_does_not_wait(desk: Desk) -> None:
    sent = replays.Sent()
    for failures in (1, 2):
        await replay(desk, BROKEN_ID)
        topic = Topic()
        assert await replays.step(desk.engine, topic.send, sent) == 1
        await ingest(desk, topic, well=False)
        one = await the_letter(desk)
        assert (one.state, one.attempts) == ("waiting", failures)


async def test_it_stays_wanted_while_kafka_is_away(desk: Desk) -> None:
    await replay(desk, BROKEN_ID)
    assert await replays.step(desk.engine, Topic(takes=False).send) == 0
    assert (await the_letter(desk)).state == "wanted"


async def test_what_never_was_on_a_topic_cannot_be_replayed(desk: Desk, capsys: pytest.CaptureFixture[str]) -> None:
    aside = DeadLetter("crm/4713/0123456789abcdef", "bad record", "no id", b"<html>", NOW, "crm")
    large = DeadLetter("one/source.hubspot/0/77", "too large", "cut it", b"x" * (MAX_EVENT_BYTES + 1), NOW, "crm")
    async with writing(desk.engine) as connection:
        await store.add(connection, [aside, large])
    assert await replay(desk, aside.id) == EXIT_NOT_FOUND
    assert desk.printed == "\n"
    said = capsys.readouterr().err
    assert "never reached a topic and cannot be replayed" in said
    assert said.endswith("There is nothing to replay.\n")
    async with writing(desk.engine) as connection:  # a wish from elsewhere
        await letters.ask_replay(connection, [aside.id, large.id])
    assert await replays.due(desk.engine) == []
    for name, note in ((aside.id, replays.READ_AGAIN), (large.id, replays.TOO_LARGE)):
        one = await the_letter(desk, name)
        assert (one.state, one.note) == ("set aside", note)


async def test_what_is_no_event_is_replayed_as_it_is(desk: Desk) -> None:
    odd = DeadLetter("one/acme.source.jira/3/9", "bad record", "no JSON", b"\xff\x00{", NOW)
    async with writing(desk.engine) as connection:
        await store.add(connection, [odd])
    await replay(desk, odd.id)
    topic = Topic()
    assert await replays.step(desk.engine, topic.send) == 1
    assert topic.records[0].topic == "source.jira"
    assert topic.records[0].value == b"\xff\x00{"
    await ingest(desk, topic, well=True)
    assert (await the_letter(desk, odd.id)).attempts == 1
