"""Decisions through the database: they take effect at once, outlive everything, and never contradict each other."""

import asyncio
import random
from datetime import timedelta
from typing import Any

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from pipelines.deciding import Deciding, Moved, Outcome, Wish
from pipelines.rebuild import Rebuild
from pipelines.recompute import Recompute
from pipelines.store import tables
from pipelines.store.beside import DERIVED
from pipelines.store.engine import writing
from schemas.artifacts import request_id
from schemas.decisions import DecisionKind, Refusal
from schemas.events import SourceEvent
from tests.pipelines.memos import memo, records
from tests.pipelines.test_ingest import NOW, ingest_of, members, outcome, rows
from tests.pipelines.test_order import WRITERS, empty, engine_of, histories, tell

__all__ = ["engine_of"]

LINK, UNLINK, MERGE, SPLIT, OUT, UNDO = (
    DecisionKind.LINK, DecisionKind.UNLINK, DecisionKind.MERGE, DecisionKind.SPLIT, DecisionKind.NO_REQUEST,
    DecisionKind.UNDO,
)  # fmt: skip


def name(number: int) -> str:
    return f"memos/memo/{number}"


def wish(kind: DecisionKind, left: list[int] = [], right: list[int] = [], **more: Any) -> Wish:  # noqa: B006
    return Wish(kind, "Anna", left=tuple(map(name, left)), right=tuple(map(name, right)), **more)


async def decide(engine: AsyncEngine, one: Wish, *, preview: bool = False) -> Outcome:
    return await Deciding(engine, lambda: NOW).decide(one, preview=preview)


async def refused(engine: AsyncEngine, one: Wish) -> Refusal:
    with pytest.raises(Refusal) as told:
        await decide(engine, one)
    return told.value


async def together(engine: AsyncEngine) -> set[frozenset[str]]:
    found: dict[str | None, set[str]] = {}
    for number, request in (await members(engine)).items():
        found.setdefault(request, set()).add(number)
    return {frozenset(numbers) for request, numbers in found.items() if request}


def parts(*numbers: str) -> set[frozenset[str]]:
    return {frozenset(one) for one in numbers}


async def test_a_link_joins_at_once_redirects_the_younger_id_and_an_undo_takes_it_back(engine: AsyncEngine) -> None:
    await ingest_of(engine)(records([memo(1), memo(2), memo(3, text="MEMO-2")]))
    before = await outcome(engine)
    told = await decide(engine, wish(LINK, [3], [1], reason="the same matter"))
    assert await together(engine) == parts("123")
    one, two = request_id(name(1)), request_id(name(2))
    assert told.moved == (Moved(two, one, (name(2), name(3))),)
    assert list(told.requests) == [one]
    marks = {row.request: row.etag for row in await rows(engine, tables.unpublished)}
    assert marks[two] == f"-> {one}"
    undone = await decide(engine, wish(UNDO, undoes=1))
    assert (undone.decision.number, undone.decision.undoes) == (2, 1)
    assert await outcome(engine) == before
    await decide(engine, wish(UNDO, undoes=2))
    assert await together(engine) == parts("123")
    assert (await refused(engine, wish(UNDO, undoes=2))).number == 3
    assert (await refused(engine, wish(UNDO, undoes=9))).kind == "unknown"


async def test_later_evidence_brings_back_nothing_and_drops_nothing(engine: AsyncEngine) -> None:
    ingest = ingest_of(engine)
    await ingest(records([memo(1), memo(2, text="MEMO-1"), memo(3), memo(4)]))
    await decide(engine, wish(UNLINK, [1], [2]))
    await decide(engine, wish(LINK, [3], [4]))
    later = [memo(2, version=2, parent=1), memo(1, version=2, text="MEMO-2"), memo(3, version=2), memo(4, version=2)]
    await ingest(records(later, first=4))
    assert await together(engine) == parts("1", "2", "34")


async def test_a_split_leaves_the_id_with_the_older_part_and_a_merge_mends_it(engine: AsyncEngine) -> None:
    await ingest_of(engine)(records([memo(1), memo(2, text="MEMO-1"), memo(3, text="MEMO-1"), memo(4, text="MEMO-3")]))
    whole = request_id(name(1))
    split = await decide(engine, Wish(SPLIT, "Anna", left=(name(3), name(4)), right=(whole,)))
    assert split.moved == (Moved(whole, request_id(name(3)), (name(3), name(4))),)
    assert await together(engine) == parts("12", "34")
    again = Wish(MERGE, "Ben", left=(whole,), right=(request_id(name(3)),))
    stands = await refused(engine, again)
    assert (stands.kind, stands.number) == ("contradiction", 1)
    assert stands.problem.startswith("Anna decided on 1 April 2026 that MEMO-3, MEMO-4 belong to another request than")
    await decide(engine, wish(UNDO, undoes=1))
    assert await together(engine) == parts("1234")


async def test_a_merge_names_anchors_and_only_requests_as_they_are(engine: AsyncEngine) -> None:
    await ingest_of(engine)(records([memo(1), memo(2), memo(3, text="MEMO-2")]))
    ids = [request_id(name(number)) for number in (1, 2, 3)]
    told = await decide(engine, Wish(MERGE, "Anna", left=(ids[0],), right=(ids[1],)))
    assert (told.decision.left, told.decision.right) == ((name(1),), (name(2),))
    assert await together(engine) == parts("123")
    assert (await refused(engine, Wish(MERGE, "Anna", left=(ids[0],), right=(ids[2],)))).kind == "unknown"


async def test_what_is_no_request_ends_and_comes_back_by_undo(engine: AsyncEngine) -> None:
    ingest = ingest_of(engine)
    await ingest(records([memo(1), memo(2, text="MEMO-1"), memo(3)]))
    told = await decide(engine, Wish(OUT, "Anna", right=(request_id(name(1)),)))
    assert told.decision.left == (name(1), name(2))
    assert told.moved == (Moved(request_id(name(1)), None, (name(1), name(2))),)
    await ingest(records([memo(4, parent=1), memo(3, version=2, text="MEMO-2")], first=3))
    assert await together(engine) == parts("3")
    await decide(engine, wish(UNDO, undoes=1))
    assert await together(engine) == parts("1234")


async def test_a_preview_changes_nothing_and_tells_what_the_decision_then_does(engine: AsyncEngine) -> None:
    await ingest_of(engine)(records([memo(1), memo(2)]))
    before = await outcome(engine), await rows(engine, tables.unpublished)
    look = await decide(engine, wish(LINK, [1], [2]), preview=True)
    assert (await outcome(engine), await rows(engine, tables.unpublished)) == before
    assert await rows(engine, tables.decisions) == []
    assert await decide(engine, wish(LINK, [1], [2])) == look


async def test_a_decision_made_on_an_older_version_is_refused_with_the_newer(engine: AsyncEngine) -> None:
    ingest = ingest_of(engine)
    await ingest(records([memo(1), memo(2)]))
    seen = frozenset(row.etag for row in await rows(engine, tables.requests))
    await ingest(records([memo(2, version=2, status="done")], first=2))
    told = await refused(engine, wish(LINK, [1], [2], made_on=seen))
    assert told.kind == "changed"
    assert set(told.versions) == {request_id(name(1)), request_id(name(2))}
    await decide(engine, wish(LINK, [1], [2], made_on=frozenset(told.versions.values())))
    assert await together(engine) == parts("12")


async def test_a_request_that_was_merged_away_meanwhile_changed(engine: AsyncEngine) -> None:
    await ingest_of(engine)(records([memo(1), memo(2), memo(3, text="MEMO-2")]))
    seen = frozenset(row.etag for row in await rows(engine, tables.requests))
    one, two = request_id(name(1)), request_id(name(2))
    await decide(engine, Wish(MERGE, "Anna", left=(one,), right=(two,)))
    for late in (
        Wish(SPLIT, "Ben", left=(name(3),), right=(two,), made_on=seen),
        Wish(MERGE, "Ben", left=(one,), right=(two,), made_on=seen),
        Wish(OUT, "Ben", right=(two,), made_on=seen),
    ):
        told = await refused(engine, late)
        assert (told.kind, list(told.versions)) == ("changed", [one])
    assert (await refused(engine, Wish(OUT, "Ben", right=("R-AAAAAAAAAAAA",), made_on=seen))).kind == "unknown"


async def test_one_key_is_one_decision(engine: AsyncEngine) -> None:
    await ingest_of(engine)(records([memo(1), memo(2), memo(3)]))
    first = await decide(engine, wish(LINK, [1], [2], key="k"))
    again = await decide(engine, wish(LINK, [1], [2], key="k"))
    assert again.repeated
    assert again.decision == first.decision
    assert again.requests == first.requests
    assert (await refused(engine, wish(LINK, [1], [3], key="k"))).number == 1
    assert len(await rows(engine, tables.decisions)) == 1


@pytest.mark.parametrize(
    ("one", "kind"),
    [
        (wish(LINK, [1], [9]), "unknown"),
        (wish(LINK, [1], [1]), "nothing to decide"),
        (Wish(SPLIT, "Anna", left=(name(2),), right=(request_id(name(1)),)), "nothing to decide"),
        (Wish(SPLIT, "Anna", left=(name(1),), right=(request_id(name(1)),)), "nothing to decide"),
        (Wish(SPLIT, "Anna", left=(name(1),), right=("R-AAAAAAAAAAAA",)), "unknown"),
        (Wish(OUT, "Anna", right=("R-AAAAAAAAAAAA",)), "unknown"),
        (Wish(DecisionKind.SAME_PERSON, "Anna", left=("memos/account/anna",), right=("x",)), "unknown"),
    ],
)
async def test_nonsense_is_refused_and_nothing_is_kept(engine: AsyncEngine, one: Wish, kind: str) -> None:
    await ingest_of(engine)(records([memo(1), memo(2)]))
    told = await refused(engine, one)
    assert told.kind == kind
    assert told.mend
    assert await rows(engine, tables.decisions) == []


async def test_two_accounts_become_one_person_in_every_record_that_names_them(engine: AsyncEngine) -> None:
    await ingest_of(engine)(records([memo(1, by="anna"), memo(2, by="ann"), memo(3, by="ann", text="MEMO-1")]))
    accounts = ("memos/account/ann", "memos/account/anna")
    same = Wish(DecisionKind.SAME_PERSON, "Ben", left=accounts[:1], right=accounts[1:])
    await decide(engine, same)
    found = {row.id: orjson.loads(row.record) for row in await rows(engine, tables.requests)}
    assert [one["id"] for one in found[request_id(name(1))]["people"]] == [accounts[0]]
    facets = {(row.request, row.value) for row in await rows(engine, tables.facets) if row.kind == "person"}
    assert {(request_id(name(2)), account) for account in accounts} <= facets
    await decide(engine, wish(UNDO, undoes=1))
    found = {row.id: orjson.loads(row.record) for row in await rows(engine, tables.requests)}
    assert len(found[request_id(name(1))]["people"]) == 2


async def forget(engine: AsyncEngine) -> None:
    """Remove everything that was read, as when connections are removed with what they brought."""
    async with writing(engine) as connection:
        for table in (*DERIVED, tables.source_events, tables.unpublished, tables.deferred, tables.pending):
            await connection.execute(text(f'DELETE FROM "{table.name}"'))


async def test_decisions_outlive_a_rebuild_and_a_second_reading_of_everything(engine: AsyncEngine) -> None:
    ingest = ingest_of(engine)
    events = [memo(1), memo(2, text="MEMO-1"), memo(3), memo(4), memo(5, text="MEMO-4")]
    await ingest(records(events))
    await decide(engine, Wish(SPLIT, "Anna", left=(name(2),), right=(request_id(name(1)),)))
    await decide(engine, wish(LINK, [2], [3]))
    await decide(engine, wish(OUT, [4]))
    expected = await outcome(engine)
    rebuild = Rebuild(engine, ingest.telling, lambda: NOW, "here")
    assert await rebuild.check() == []
    assert (await rebuild.swap()).changed == 0
    assert await outcome(engine) == expected
    await forget(engine)
    for place, event in enumerate(reversed(events)):
        await ingest(records([event], first=place))
    assert await outcome(engine) == expected


async def test_a_decision_taken_while_everything_is_computed_anew_is_in_what_is_put_in_place(
    engine: AsyncEngine,
) -> None:
    ingest = ingest_of(engine)
    await ingest(records([memo(number) for number in range(1, 7)]))
    taken: list[asyncio.Task[Outcome]] = []

    def progress(_: Any) -> None:
        if not taken:
            taken.append(asyncio.create_task(decide(engine, wish(LINK, [1], [2]))))

    rebuild = Rebuild(engine, ingest.telling, lambda: NOW, "here", progress, batch=2)
    await asyncio.gather(rebuild.swap(), asyncio.sleep(0))
    await taken[0]
    assert await together(engine) == parts("12", "3", "4", "5", "6")
    assert await rebuild.check() == []


async def test_a_merge_and_a_split_at_one_moment_leave_one_of_them_refused(engine: AsyncEngine) -> None:
    await ingest_of(engine)(records([memo(1), memo(2, text="MEMO-1"), memo(3)]))
    seen = frozenset(row.etag for row in await rows(engine, tables.requests))
    merge = Wish(MERGE, "Anna", left=(request_id(name(1)),), right=(request_id(name(3)),), made_on=seen)
    split = Wish(SPLIT, "Ben", left=(name(2),), right=(request_id(name(1)),), made_on=seen)
    told = await asyncio.gather(decide(engine, merge), decide(engine, split), return_exceptions=True)
    (lost,) = [one for one in told if isinstance(one, BaseException)]
    assert isinstance(lost, Refusal)
    assert lost.kind == "changed"
    assert await together(engine) in (parts("123"), parts("1", "2", "3"))
    assert len(await rows(engine, tables.decisions)) == 1


async def test_whoever_brings_two_that_were_joined_they_meet(engine: AsyncEngine) -> None:
    """Both are read anew at one moment by two workers: each waits for the other's."""
    for number in range(1, 30, 2):
        one, other = memo(number), memo(number + 1)
        await ingest_of(engine)(records([one, other]))
        await decide(engine, wish(LINK, [number], [number + 1]))
        await forget(engine)
        await asyncio.gather(ingest_of(engine)(records([one])), ingest_of(engine)(records([other], partition=1)))
        assert await together(engine) == {frozenset({str(number), str(number + 1)})}


def account(writer: str) -> str:
    return f"memos/account/{writer}"


@st.composite
def wishes(draw: st.DrawFn) -> list[Wish]:
    found = []
    for _ in range(draw(st.integers(1, 5))):
        if draw(st.integers(0, 2)) == 0:
            anna, ben = draw(st.permutations(WRITERS))[:2]
            kind = draw(st.sampled_from([DecisionKind.SAME_PERSON, DecisionKind.OTHER_PERSON]))
            found.append(Wish(kind, "Anna", left=(account(anna),), right=(account(ben),)))
            continue
        one, other = draw(st.lists(st.integers(1, 9), min_size=2, max_size=2, unique=True))
        kind = draw(st.sampled_from([LINK, LINK, UNLINK, UNLINK, OUT]))
        found.append(wish(kind, [one], [] if kind is OUT else [other]))
    return found


async def _say(engine: AsyncEngine, wanted: list[Wish]) -> list[Wish]:
    """Take the decisions in their order, up to the first that names what was not read yet. Returns what is left."""
    while wanted:
        try:
            await decide(engine, wanted[0])
        except Refusal as told:
            if told.kind == "unknown":
                return wanted
        wanted = wanted[1:]
    return []


async def _with_wishes(engine: AsyncEngine, events: list[SourceEvent], wanted: list[Wish], chance: Any) -> None:
    place = 0
    while place < len(events):
        size = chance.randint(1, 6)
        await tell(engine, events[place : place + size], chance, chance.choice([1, 2]))
        wanted = await _say(engine, wanted)
        place += size
    await Recompute(engine, lambda: NOW, "here").late()  # what a decision on people has looked at once more


async def _whenever_it_comes(
    engine_of: Any, events: list[SourceEvent], wanted: list[Wish], seed: int, workers: int
) -> None:
    """Decisions before, between or after what they speak of, in any order of events by any number of workers:
    byte-equal; so when all is read anew after them, and when all is computed anew."""
    read = {event.artifact for event in events} | {account(event.payload["by"]) for event in events}
    wanted = [one for one in wanted if read.issuperset(one.left + one.right)]
    engine = await engine_of()
    try:
        await empty(engine)
        await tell(engine, events, random.Random(0), 1)
        assert await _say(engine, wanted) == []
        expected = await outcome(engine)
        chance = random.Random(seed)
        await forget(engine)
        again = [*events, *chance.sample(events, len(events) // 3)]
        await tell(engine, chance.sample(again, len(again)), chance, workers)
        assert await outcome(engine) == expected
        await empty(engine)
        await _with_wishes(engine, chance.sample(events, len(events)), wanted, chance)
        assert await outcome(engine) == expected
        assert await Rebuild(engine, ingest_of(engine).telling, lambda: NOW, "here").check() == []
    finally:
        await engine.dispose()


WORKERS = st.sampled_from([1, 2])


@settings(max_examples=8, deadline=None, suppress_health_check=list(HealthCheck))
@given(events=histories(), wanted=wishes(), seed=st.integers(0, 2**16), workers=WORKERS)
async def test_when_a_decision_comes_does_not_matter(
    engine_of: Any, events: list[SourceEvent], wanted: list[Wish], seed: int, workers: int
) -> None:
    await _whenever_it_comes(engine_of, events, wanted, seed, workers)


@pytest.mark.soak
@settings(max_examples=3_000, deadline=None, suppress_health_check=list(HealthCheck))
@given(events=histories(), wanted=wishes(), seed=st.integers(0, 2**16), workers=WORKERS)
async def test_when_a_decision_comes_does_not_matter_for_thousands(
    engine_of: Any, events: list[SourceEvent], wanted: list[Wish], seed: int, workers: int
) -> None:
    await _whenever_it_comes(engine_of, events, wanted, seed, workers)


async def test_the_number_of_a_decision_says_when_it_was_taken(engine: AsyncEngine) -> None:
    await ingest_of(engine)(records([memo(1), memo(2), memo(3)]))
    clock = [NOW]
    deciding = Deciding(engine, lambda: clock[0])
    for one in (wish(LINK, [1], [2]), wish(UNLINK, [1], [3]), wish(OUT, [3])):
        await deciding.decide(one)
        clock[0] += timedelta(hours=1)
    stored = await rows(engine, tables.decisions)
    assert [(row.number, row.at) for row in stored] == [(n + 1, NOW + timedelta(hours=n)) for n in range(3)]
