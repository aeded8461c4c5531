"""What is chosen for statuses, as rows of the stage map."""

from hypothesis import given
from hypothesis import strategies as st

from services.web.stage_rows import Choice, own_row, place_of, rows_with

CHOSEN = [
    {"kind": "issue", "type": "Bug", "status": "Done", "stage": "change", "state": "done", "reason": "As Anna said"},
    {"kind": "issue", "type": "*", "status": "Done", "stage": "development", "reason": "All others"},
]

words = st.sampled_from(["Done", "done", "To do", "In review", "*"])
choices = st.builds(
    Choice, st.just("issue"), st.one_of(st.none(), st.sampled_from(["Bug", "Story"])), words,
    st.sampled_from(["", "change", "development"]), st.sampled_from(["", "active", "done"]),
)  # fmt: skip


def test_one_status_goes_before_and_a_whole_type_behind() -> None:
    story = Choice("issue", "Story", "Done", "improvement", "active")
    mails = Choice("mail", None, None, "alignment", "")
    assert rows_with(CHOSEN, [story, mails]) == [
        {"kind": "issue", "type": "Story", "status": "Done", "stage": "improvement", "state": "active"},
        *CHOSEN,
        {"kind": "mail", "type": "*", "status": "*", "stage": "alignment"},
    ]


def test_a_row_is_changed_where_it_stands_and_taken_away() -> None:
    changed = rows_with(CHOSEN, [Choice("issue", "bug", "DONE", "improvement", "")])
    assert changed == [{"kind": "issue", "type": "bug", "status": "DONE", "stage": "improvement"}, CHOSEN[1]]
    assert rows_with(CHOSEN, [Choice("issue", "Bug", "Done", "", "")]) == [CHOSEN[1]]
    assert rows_with([], [Choice("issue", "Bug", "Done", "", "done")]) == []


def test_what_is_said_again_keeps_its_reason() -> None:
    assert rows_with(CHOSEN, [Choice("issue", "Bug", "Done", "change", "done")]) == CHOSEN


def test_a_status_finds_its_own_row_alone() -> None:
    assert own_row(CHOSEN, {"kind": "issue", "type": "bug", "status": "done"}) == CHOSEN[0]
    assert own_row(CHOSEN, {"kind": "issue", "type": "Story", "status": "Done"}) is None


@given(st.lists(choices, unique_by=lambda one: place_of(dict(zip(("kind", "type", "status"), one.place, strict=True)))))
def test_every_choice_has_one_row_and_saying_it_again_changes_nothing(said: list[Choice]) -> None:
    rows = rows_with(CHOSEN, said)
    places = [place_of(row) for row in rows]
    assert len(set(places)) == len(places)
    for choice in said:
        row = own_row(rows, {"kind": choice.kind, "type": choice.type, "status": choice.status})
        assert (row["stage"] if row else "") == choice.stage
    assert rows_with(rows, said) == rows
