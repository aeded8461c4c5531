"""The walk through a search that has one sort, a ceiling, and thousands of records with one time stamp."""

import json

from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.hubspot.walk import Standing, from_json, is_full, rows_of, to_json

OVERLAP = 300_000


class Search:
    """HubSpot's search over (id, modified) rows. Equal rows come newest id first: in no order one may rely on."""

    def __init__(self, rows: dict[int, int]) -> None:
        self.rows = rows
        self.asked = 0

    def __call__(self, filters: list[dict[str, str]], sort: str, limit: int) -> list[tuple[str, int]]:
        self.asked += 1
        found = [
            (number, at) for number, at in self.rows.items() if all(self._fits(number, at, each) for each in filters)
        ]
        found.sort(reverse=True)
        found.sort(key=lambda row: row[0] if sort == "hs_object_id" else row[1])
        return [(str(number), at) for number, at in found[:limit]]

    @staticmethod
    def _fits(number: int, at: int, told: dict[str, str]) -> bool:
        value = number if told["propertyName"] == "hs_object_id" else at
        wanted = int(told["value"])
        return {"GTE": value >= wanted, "EQ": value == wanted, "GT": value > wanted}[told["operator"]]


def walk(search: Search, standing: Standing, limit: int, started: int = 10**12) -> list[str]:
    """One walk to its end, with the standing written down and read again after every answer."""
    told: list[str] = []
    more = True
    while more:
        going = standing.begin(0, OVERLAP)
        going.started = going.started or started
        filters, sort = going.query()
        found = search(filters, sort, limit)
        rows, more = going.take(found, full=len(found) >= limit)
        told += standing.unseen(rows)
        if more:
            standing.forget(min(going.at, going.started) - OVERLAP)
        else:
            standing.end(OVERLAP)
        kept = from_json(json.loads(json.dumps({"kinds": to_json({"deal": standing})})), ("deal",))["deal"]
        standing.mark, standing.told, standing.walk = kept.mark, kept.told, kept.walk
    return told


def test_more_records_than_the_ceiling_with_one_time_stamp_are_each_told_once() -> None:
    search = Search(dict.fromkeys(range(1, 10051), 5000000) | {20_000: 6_000_000})
    told = walk(search, Standing(), 200)
    assert sorted(map(int, told)) == [*range(1, 10_051), 20_000]
    assert search.asked < 10_051 / 200 + 5


@given(
    st.dictionaries(st.integers(1, 60), st.integers(0, 5).map(lambda step: 1_000_000 + step * 200_000), max_size=40),
    st.integers(1, 9),
)
@settings(max_examples=150, deadline=None)
def test_every_record_is_told_once_whatever_the_page(rows: dict[int, int], limit: int) -> None:
    standing = Standing()
    assert sorted(map(int, walk(Search(rows), standing, limit))) == sorted(rows)
    assert walk(Search(rows), standing, limit) == [], "a second walk tells nothing twice"


def test_a_result_without_a_time_ends_no_walk() -> None:
    results = [
        {"id": "7", "properties": {"hs_lastmodifieddate": "2026-03-02T12:00:00Z"}},
        {"id": "8", "properties": {}},
    ]
    assert [each for each, _ in rows_of(results)] == ["7"]
    assert is_full({"results": results}, 2)
    assert is_full({"results": results[:1], "paging": {"next": {"after": "1"}}}, 2)
    assert not is_full({"results": results[:1]}, 2)


def test_a_record_that_shows_late_is_told_by_the_next_walk() -> None:
    standing = Standing()
    walk(Search({1: 1_000_000, 2: 1_250_000}), standing, 200)
    assert walk(Search({1: 1_000_000, 2: 1_250_000, 3: 1_000_500}), standing, 200) == ["3"]


def test_the_mark_stays_behind_the_start_of_the_walk() -> None:
    standing = Standing()
    walk(Search({1: 9_000_000}), standing, 200, started=7_000_000)
    assert standing.mark == 7_000_000, "what changed while the walk went on is looked at again"


def test_an_empty_answer_moves_no_mark() -> None:
    standing = Standing(mark=1_000_000)
    walk(Search({}), standing, 200, started=9_000_000)
    assert standing.mark == 1_000_000
