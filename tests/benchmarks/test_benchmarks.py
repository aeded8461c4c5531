"""Each benchmark walks all of its path at the smallest size, so that none of them rots; what it measures is no matter.

Their own means are looked at too: copies, bulk-loaded rows, the split by step, the load generator.
"""

import asyncio
import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks import baseline, bulk, measure, story
from benchmarks.__main__ import BENCHMARKS
from benchmarks.clones import FIRST, Copy, Names, copies
from benchmarks.parts import Parts
from benchmarks.results import Result, document
from benchmarks.sizes import SMALL
from benchmarks.steps import Sampler, codes
from tests.parts.presence import PartMissing, missing


@pytest.fixture(scope="module")
def parts(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Parts]:
    with Parts(tmp_path_factory.mktemp("company"), durable=False) as made:
        try:
            assert made.kafka.running
            assert made.postgres.running
        except PartMissing as part:
            missing(str(part))
        yield made


@pytest.fixture(scope="module")
def company(tmp_path_factory: pytest.TempPathFactory) -> story.Story:
    return story.kept(tmp_path_factory.mktemp("company"), 4, 3)


@pytest.mark.kafka
@pytest.mark.postgres
@pytest.mark.parametrize("name", list(BENCHMARKS))
def test_walks_its_path(name: str, parts: Parts) -> None:
    result = BENCHMARKS[name](parts, SMALL, lambda _: None)
    assert result.rows
    page = document([result], 1.0)
    assert all(row.what in page for row in result.rows)


@pytest.mark.kafka
@pytest.mark.postgres
def test_the_bare_path_takes_everything_in(parts: Parts) -> None:
    asyncio.run(baseline.load(parts.kafka.bootstrap, "bare-test", 1_000))
    with parts.place("kafka+postgresql") as place:
        url = place.database_url.replace("+asyncpg", "")
        asyncio.run(baseline.run(parts.kafka.bootstrap, "bare-test", url, 1_000))
        told = parts.postgres.sql("SELECT count(*), max(length(value)) FROM events", url.rpartition("/")[2])
    things, size = map(int, told.split("|"))
    assert 700 < things < 900  # a fifth are updates
    assert size == baseline.SIZE


def test_live_order_tells_more_than_a_first_read(tmp_path: Path, company: story.Story) -> None:
    first = story.kept(tmp_path, 4, 1)
    assert {key for _, key, _, _ in first.told} == {key for _, key, _, _ in company.told}
    assert len(first.told) <= len(company.told)
    assert {name for name, _, _, _ in first.told} == {"jira", "hubspot", "mailbox"}
    assert story.kept(tmp_path, 4, 1).told == first.told


def test_copies_are_about_other_things_of_the_same_shape(company: story.Story) -> None:
    names = Names.of(company.told)
    told = [[json.loads(Copy(names, FIRST + turn).told(one)[2]) for one in company.told] for turn in (0, 1)]
    before, *others = [{one["artifact"] for one in each} for each in (map(_event, company.told), *told)]
    assert len(before) == len(others[0]) == len(others[1])
    assert not before & others[0]
    assert not others[0] & others[1]
    assert [one["order"] for one in told[0]] == [one["order"] for one in told[1]]
    assert len(list(copies(company.told, len(company.told) + 5))) == len(company.told) + 5
    many = Copy(Names(frozenset({"10007", "20172"}), frozenset(), {}), FIRST)  # a company of thousands of issues
    assert many.text('"10007", "20172", "20173"') == '"10000010007", "10000020172", "20173"'
    for letter in (
        "r8.ask.20260119120000",
        "r216-twin.ask.20260120131149",
        "r8-2.form.20260119120000",
        "c.news.20260119120000",
    ):
        assert many.text(f"<{letter}@acme.example>") == f"<{letter}x{FIRST}@acme.example>"


def _event(told: story.Told) -> dict[str, str]:
    found: dict[str, str] = json.loads(told[2])
    return found


def test_a_mark_is_in_every_thing_of_the_company(company: story.Story) -> None:
    mark, told = bulk.marked(company.told)
    assert all(mark in _event(one)["artifact"] for one in told)
    assert all(mark in _event(one)["native_id"] for one in told)


def test_steps_name_functions_that_are_there() -> None:
    assert len(codes()) >= 15


def test_the_split_by_step_sees_this_process_work() -> None:
    with Sampler() as sampler:
        before = measure.used(os.getpid())["hub"].cpu
        while measure.used(os.getpid())["hub"].cpu < before + 0.1:
            sum(range(10_000))
    assert sampler.looks.total() >= 10
    assert sum(sampler.shares().values()) == pytest.approx(1)


@pytest.mark.postgres
def test_the_page_says_what_was_missed() -> None:
    result = Result("Speed")
    result.add("slow", "1/s", goal="2/s", met=False)
    result.add("quick", "3/s", goal="2/s", met=True)
    try:
        page = document([result], 60)
    except PartMissing as part:  # it names the version of each part
        missing(str(part))
    assert "| slow | 1/s |  | 2/s | **missed** |" in page
    assert "| quick | 3/s |  | 2/s | met |" in page
