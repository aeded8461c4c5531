"""Suggestions through both databases: what is found does not depend on order, and what a person answers stays."""

import random
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import event as listen
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from pipelines.answering import Answer, Answering, NoSuggestion, Reply
from pipelines.deciding import Deciding, Wish
from pipelines.rebuild import Rebuild
from pipelines.store import suggestion_tables, tables
from pipelines.store.engine import writing
from pipelines.suggest import blocks
from pipelines.suggest.model import Model
from pipelines.suggesting import Suggesting
from schemas.artifacts import request_id
from schemas.decisions import DecisionKind, Refusal
from schemas.events import SourceEvent
from tests.pipelines.memos import memo, records
from tests.pipelines.test_ingest import NOW, ingest_of, rows
from tests.pipelines.test_order import empty

MODEL = Model(7, -2.0, {"same title": 3.0, "same requester": 1.0, "like titles": 2.0, "common title": -3.0}, 0.5)
PRINTER = "Replace the printer upstairs"


def suggesting_of(engine: AsyncEngine, a_day: int = 20, at: Any = NOW) -> Suggesting:
    return Suggesting(engine, lambda: at, "here", model=MODEL, a_day=a_day)


async def settle(engine: AsyncEngine) -> None:
    suggesting = suggesting_of(engine)
    while await suggesting.once():
        pass


async def tell(engine: AsyncEngine, events: Sequence[SourceEvent], first: int = 0) -> None:
    await ingest_of(engine)(records(list(events), first=first))


async def suggested(engine: AsyncEngine) -> set[tuple[str, str]]:
    """Numbers of the memos of each suggestion."""
    found = await rows(engine, suggestion_tables.suggestions)
    return {(one.left.rpartition("/")[2], one.right.rpartition("/")[2]) for one in found}


async def whole(engine: AsyncEngine) -> dict[str, Any]:
    """All that must not depend on order."""
    return {
        "suggestions": [tuple(row)[:-1] for row in await rows(engine, suggestion_tables.suggestions)],
        "units": [tuple(row) for row in await rows(engine, suggestion_tables.units)],
        "blocks": [tuple(row) for row in await rows(engine, suggestion_tables.unit_blocks)],
        "sizes": [tuple(row) for row in await rows(engine, suggestion_tables.block_sizes)],
        "left": await rows(engine, suggestion_tables.uncompared) + await rows(engine, suggestion_tables.unit_marks),
    }


def answering_of(engine: AsyncEngine, at: Any = NOW) -> Answering:
    return Answering(engine, Deciding(engine, lambda: at), lambda: at)


async def the_id(engine: AsyncEngine) -> str:
    (one,) = await rows(engine, suggestion_tables.suggestions)
    return str(one.id)


async def requests(engine: AsyncEngine) -> set[str | None]:
    return {row.request for row in await rows(engine, tables.members)}


async def test_like_things_are_suggested_and_never_joined(engine: AsyncEngine) -> None:
    await tell(engine, [memo(1, title=PRINTER), memo(2, title=f"Re: {PRINTER}"), memo(3, title="Move the fax")])
    await settle(engine)
    (one,) = await rows(engine, suggestion_tables.suggestions)
    assert await suggested(engine) == {("1", "2")}
    assert one.probability == pytest.approx(0.8808, abs=0.001)
    assert one.model == 7
    assert (
        one.change == f'{{"into":"{request_id("memos/memo/1")}","merges":["{request_id("memos/memo/2")}"],"moves":1}}'
    )
    assert len(await requests(engine)) == 3


async def test_what_comes_together_or_is_unlike_later_is_suggested_no_more(engine: AsyncEngine) -> None:
    await tell(engine, [memo(number, title=PRINTER) for number in (1, 2, 3)])
    await settle(engine)
    assert await suggested(engine) == {("1", "2"), ("1", "3"), ("2", "3")}
    await tell(engine, [memo(2, version=2, title=PRINTER, text="MEMO-1"), memo(3, version=2, title="Another")], first=3)
    await settle(engine)
    assert await suggested(engine) == set()


async def test_of_two_requests_one_pair_is_suggested(engine: AsyncEngine) -> None:
    await tell(engine, [memo(1, title=PRINTER), memo(2, title=PRINTER, parent=1), memo(3, title=PRINTER),
                        memo(4, title=PRINTER, parent=3)])  # fmt: skip
    await settle(engine)
    (one,) = await rows(engine, suggestion_tables.suggestions)
    assert {one.left_unit, one.right_unit} == {request_id("memos/memo/1"), request_id("memos/memo/3")}
    assert '"moves":2' in one.change


async def test_a_title_that_everybody_uses_brings_nobody_together(engine: AsyncEngine) -> None:
    many = blocks.LIMIT + 8
    await tell(engine, [memo(number, title="Change request", by=f"person{number}") for number in range(many)])
    await settle(engine)
    assert await suggested(engine) == set()
    few = [memo(number, version=2, title=f"Other {number} thing", by=f"person{number}") for number in range(3, many)]
    await tell(engine, few, first=many)
    await settle(engine)
    assert await suggested(engine) == {("0", "1"), ("0", "2"), ("1", "2")}


async def test_accepting_joins_by_a_decision(engine: AsyncEngine) -> None:
    await tell(engine, [memo(1, title=PRINTER), memo(2, title=PRINTER)])
    await settle(engine)
    reply = Reply(await the_id(engine), Answer.ACCEPTED, "anna", "same printer")
    before = await answering_of(engine).answer(reply, preview=True)
    assert before.outcome is not None
    assert len(await requests(engine)) == 2
    done = await answering_of(engine).answer(reply)
    assert done.outcome is not None
    assert done.outcome.decision.kind is DecisionKind.LINK
    assert done.outcome.decision.reason == f"accepted suggestion {reply.suggestion}: same printer"
    assert await requests(engine) == {request_id("memos/memo/1")}
    await settle(engine)
    assert await suggested(engine) == set()
    assert (await answering_of(engine).answer(reply)).outcome is None
    with pytest.raises(Refusal, match="accepted"):
        await answering_of(engine).answer(Reply(reply.suggestion, Answer.REJECTED, "ben"))


async def test_what_was_rejected_never_returns(engine: AsyncEngine) -> None:
    await tell(engine, [memo(1, title=PRINTER), memo(2, title=PRINTER)])
    await settle(engine)
    reply = Reply(await the_id(engine), Answer.REJECTED, "anna")
    await answering_of(engine).answer(reply)
    assert await suggested(engine) == set()
    again = [memo(number, version=2, title=PRINTER) for number in (1, 2)]
    await tell(engine, [*again, memo(3, title=PRINTER, parent=2)], first=2)
    await settle(engine)
    assert await suggested(engine) == set()
    await Rebuild(engine, ingest_of(engine).telling, lambda: NOW, "here").swap()
    await settle(engine)
    assert await suggested(engine) == set()
    assert len(await rows(engine, suggestion_tables.units)) == 2
    with pytest.raises(Refusal, match="rejected"):
        await answering_of(engine).answer(Reply(reply.suggestion, Answer.LATER, "ben"))
    await answering_of(engine).answer(Reply(reply.suggestion, Answer.ACCEPTED, "ben"))
    assert await requests(engine) == {request_id("memos/memo/1")}


async def test_an_unknown_suggestion_and_one_that_fell_away_are_told(engine: AsyncEngine) -> None:
    await tell(engine, [memo(1, title=PRINTER), memo(2, title=PRINTER)])
    await settle(engine)
    assert await suggesting_of(engine).offer() == 1
    name = await the_id(engine)
    await tell(engine, [memo(2, version=2, title="Another thing")], first=2)
    await settle(engine)
    with pytest.raises(Refusal, match="does not stand"):
        await answering_of(engine).answer(Reply(name, Answer.ACCEPTED, "anna"))
    with pytest.raises(NoSuggestion):
        await answering_of(engine).answer(Reply("S-AAAAAAAAAAAA", Answer.ACCEPTED, "anna"))


async def test_what_decisions_keep_apart_is_not_suggested(engine: AsyncEngine) -> None:
    await tell(engine, [memo(1, title=PRINTER), memo(2, title=PRINTER)])
    await settle(engine)
    apart = Wish(DecisionKind.UNLINK, "anna", left=("memos/memo/1",), right=("memos/memo/2",))
    number = (await Deciding(engine, lambda: NOW).decide(apart)).decision.number
    await settle(engine)
    assert await suggested(engine) == set()
    await Deciding(engine, lambda: NOW).decide(Wish(DecisionKind.UNDO, "anna", undoes=number))
    await settle(engine)
    assert await suggested(engine) == {("1", "2")}
    noise = Wish(DecisionKind.NO_REQUEST, "anna", left=("memos/memo/2",))
    await Deciding(engine, lambda: NOW).decide(noise)
    await settle(engine)
    assert await suggested(engine) == set()


async def test_no_more_than_so_many_are_offered_a_day(engine: AsyncEngine) -> None:
    await tell(engine, [memo(number, title=PRINTER) for number in range(1, 5)])
    await settle(engine)
    assert await suggesting_of(engine, a_day=4).offer() == 4
    assert await suggesting_of(engine, a_day=4).offer() == 0
    assert await suggesting_of(engine, a_day=4, at=NOW + timedelta(days=1)).offer() == 2
    assert len(await rows(engine, suggestion_tables.suggestion_answers)) == 6


async def test_what_fell_away_before_anybody_answered_takes_nobodys_place(engine: AsyncEngine) -> None:
    await tell(engine, [memo(1, title=PRINTER), memo(2, title=PRINTER)])
    await settle(engine)
    assert await suggesting_of(engine, a_day=1).offer() == 1
    await tell(engine, [memo(2, version=2, title="Fax"), memo(3, title=f"Re: {PRINTER}")], first=2)
    await settle(engine)
    assert await suggested(engine) == {("1", "3")}
    assert await suggesting_of(engine, a_day=1).offer() == 1
    assert await suggesting_of(engine, a_day=1).offer() == 0


async def test_other_weights_have_everything_looked_at_again(engine: AsyncEngine) -> None:
    await tell(engine, [memo(1, title=PRINTER), memo(2, title=PRINTER), memo(3, title=PRINTER, opens=False)])
    suggesting = suggesting_of(engine)
    assert await suggesting.begin()
    await settle(engine)
    async with writing(engine) as connection:
        for table in ("units", "unit_blocks", "block_sizes", "suggestions"):
            await connection.execute(text(f"DELETE FROM {table}"))
        await connection.execute(text("UPDATE stamps SET value = '0.0' WHERE name = 'suggest'"))
    await suggesting.begin()
    await settle(engine)
    assert len(await suggested(engine)) == 3


async def test_only_one_worker_looks(engine: AsyncEngine) -> None:
    await tell(engine, [memo(1, title=PRINTER), memo(2, title=PRINTER)])
    assert await suggesting_of(engine).once() > 0
    other = Suggesting(engine, lambda: NOW, "there", model=MODEL)
    assert await other.once() == 0


@pytest.mark.parametrize("number", [4, 120])
async def test_a_step_takes_the_same_statements_however_much_it_looks_at(engine: AsyncEngine, number: int) -> None:
    await tell(engine, [memo(each, title=f"{PRINTER} {each // 2}") for each in range(number)])
    suggesting = suggesting_of(engine)
    counts = []
    for _ in range(2):
        statements: list[str] = []
        listen.listen(engine.sync_engine, "before_cursor_execute", lambda *told: statements.append(told[2]))  # noqa: B023
        await suggesting.once()
        counts.append(len(statements))
    assert counts[0] <= 25
    assert counts[1] - 0 <= 2 * 25


TITLES = st.sampled_from([PRINTER, f"Re: {PRINTER}", "Replace printer", "The printer upstairs", "Move the fax", "Fax"])


@st.composite
def histories(draw: st.DrawFn) -> list[SourceEvent]:
    """Memos that are named alike, join and part again, in versions."""
    events = []
    for number in range(1, draw(st.integers(2, 7)) + 1):
        for version in range(1, draw(st.integers(1, 2)) + 1):
            events.append(
                memo(
                    number, version=version, title=draw(TITLES), by=draw(st.sampled_from(["anna", "ben"])),
                    parent=draw(st.none() | st.integers(1, 7)), opens=draw(st.booleans()),
                )
            )  # fmt: skip
    return events


@settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))
@given(told=histories(), seed=st.integers(0, 2**32))
async def test_the_order_in_which_things_come_does_not_matter(
    engine: AsyncEngine, told: list[SourceEvent], seed: int
) -> None:
    await empty(engine)
    await tell(engine, told)
    await settle(engine)
    expected = await whole(engine)
    assert expected["left"] == []
    await empty(engine)
    chance = random.Random(seed)
    shuffled = chance.sample(told, len(told))
    place = 0
    while place < len(shuffled):
        size = chance.randint(1, 4)
        await tell(engine, shuffled[place : place + size], first=place)
        place += size
        for _ in range(chance.randint(0, 3)):
            await suggesting_of(engine).once()
    await settle(engine)
    assert await whole(engine) == expected


class Fussy(Model):
    """Weights that fail on answers."""

    def probability(self, features: Any) -> float:
        if features.get("answer"):
            raise ZeroDivisionError
        return super().probability(features)


async def test_a_fault_with_one_unit_stops_no_other(engine: AsyncEngine) -> None:
    await tell(engine, [memo(1, title="Move the fax downstairs"), memo(2, title="Re: Move the fax downstairs"),
                        memo(3, title=PRINTER, by="ben"), memo(4, title=PRINTER, by="ben")])  # fmt: skip
    fussy = Fussy(1, MODEL.bias, MODEL.weights, MODEL.threshold)
    suggesting = Suggesting(engine, lambda: NOW, "here", model=fussy)
    while await suggesting.once():
        pass
    assert await suggested(engine) == {("3", "4")}
    assert await rows(engine, suggestion_tables.uncompared) == []
