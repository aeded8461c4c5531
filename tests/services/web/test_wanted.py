"""What stands in a page's address; cells of a spreadsheet; dates and amounts in words."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from starlette.datastructures import QueryParams

from services.web.pages.export import safe
from services.web.wanted import Wanted
from services.web.words import When, money

BERLIN = ZoneInfo("Europe/Berlin")


def wanted(query: str) -> Wanted:
    return Wanted.of(QueryParams(query))


def test_what_is_empty_or_unknown_is_left_out() -> None:
    assert wanted("text=&stage=&utm=1&state=done&state=done&order=sideways&sort=nothing") == Wanted(
        {"state": ("done",)}
    )


def test_the_address_says_the_same() -> None:
    for query in ("", "stage=change&stage=development&sort=opened", "text=a+b%26c&longer=14&sort=updated&order=asc"):
        once = wanted(query)
        assert wanted(once.address().partition("?")[2]) == once
    assert wanted("state=done").address("/requests.csv") == "/requests.csv?state=done"
    assert wanted("state=done&text=x&cursor=abc").without("state", "done") == "/requests?text=x"


def test_one_click_turns_the_order_and_another_one_turns_it_back() -> None:
    once = wanted(wanted("text=x").sorted_by("stage_since").partition("?")[2])
    assert (once.sort, once.order) == ("stage_since", "asc")
    twice = wanted(once.sorted_by("stage_since").partition("?")[2])
    assert (twice.sort, twice.order) == ("stage_since", "desc")
    assert wanted(wanted("").sorted_by("updated").partition("?")[2]).order == "asc"
    assert wanted("sort=updated&order=asc").sorted_by("updated") == "/requests?order=desc"


def test_days_are_the_readers_days() -> None:
    told = wanted("since=2026-07-01&longer=14&stage=change").api(BERLIN)
    assert told == {
        "stage": ["change"], "in_stage_longer_than": "14", "changed_since": "2026-07-01T00:00:00+02:00",
    }  # fmt: skip
    assert wanted("since=yesterday").api(BERLIN) == {"changed_since": "yesterday"}


@pytest.mark.parametrize("cell", ["=1+1", "+1", "-cmd|' /C calc'!A0", "@SUM(A1)", "\tx", "\r=1"])
def test_no_cell_is_a_formula(cell: str) -> None:
    assert safe(cell) == "'" + cell


@pytest.mark.parametrize(("cell", "told"), [(None, ""), ("a=b", "a=b"), ("-12.50", "-12.50"), (3, "3")])
def test_other_cells_stay_as_they_are(cell: object, told: str) -> None:
    assert safe(cell) == told


def test_dates_as_tools_state_them() -> None:
    when = When(datetime(2026, 4, 1, 23, 30, tzinfo=UTC), BERLIN)
    assert "1 Apr" in when.stated("2026-04-01")
    assert when.past("2026-04-01")  # in Berlin it is the second
    assert not when.past("2026-04-02")
    assert when.past("2026-04-01T23:29:00Z")
    assert when.stated("<soon>") == "&lt;soon&gt;"
    assert not when.past("soon")


def test_amounts() -> None:
    assert money({"value": "43000", "currency": "EUR"}) == "43\u202f000 EUR"
    assert money({"value": "12000.00", "currency": None}) == "12\u202f000"
    assert money({"value": "1.50", "currency": "CHF"}) == "1.50 CHF"
    assert money({"value": "much", "currency": "EUR"}) == "much EUR"
