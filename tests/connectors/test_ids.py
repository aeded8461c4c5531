"""A set of ids that holds numbers small is a set all the same."""

from hypothesis import given
from hypothesis import strategies as st

from connectors.ids import Ids

IDS = st.one_of(
    st.integers(0, 10**18).map(str), st.text(max_size=5), st.sampled_from(["007", "0", "-1", "١", "1_0", "+5", ""])
)


@given(st.lists(st.lists(IDS, max_size=30), max_size=4), st.lists(IDS, max_size=10))
def test_it_holds_what_was_added_and_nothing_else(added: list[list[str]], others: list[str]) -> None:
    ids, expected = Ids(), set[str]()
    for some in added:
        ids.update(some)
        expected |= set(some)
        assert len(ids) == len(expected)
    assert set(ids) == expected
    assert len(list(ids)) == len(expected)
    assert {one for one in (*others, *expected) if one in ids} == {*others, *expected} & expected


def test_numbers_come_as_they_count_up_after_the_others() -> None:
    assert list(Ids(["10", "9", "b", "100", "9", "a"])) == ["a", "b", "9", "10", "100"]
