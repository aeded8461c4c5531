"""What is stored of references and activities is what was said: there and back through JSON."""

from datetime import UTC, datetime

import orjson
from hypothesis import given
from hypothesis import strategies as st

from pipelines.references import find, understood
from pipelines.store.encoding import activity_of, activity_row, reference_of, reference_row
from schemas.artifacts import Activity, ActivityKind, Audience, Evidence, Reference, State, Text

STORABLE = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), max_size=60)
NAMING = st.lists(
    st.sampled_from(["PAY-12", " ", "R-ABCDEFGH2345", "<m1@x.example>", "https://a.atlassian.net/browse/PAY-7", "\n"])
    | STORABLE
).map("".join)
INSTANTS = st.datetimes(datetime(1990, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001
AUDIENCES = st.builds(Audience, st.sampled_from(["open", "internal", "restricted"]), STORABLE)


def back(reference: Reference) -> Reference:
    return reference_of(orjson.loads(orjson.dumps(reference_row(reference))))


@given(NAMING, st.sampled_from(Evidence), st.none() | INSTANTS)
def test_references_found_in_a_text_come_back(text: str, evidence: Evidence, since: datetime | None) -> None:
    for one in find(Text("body", text, evidence, since)):
        assert back(one) == one


@given(
    st.builds(
        Reference, st.sampled_from(["jira.key", "url", "message-id"]), STORABLE, STORABLE, st.sampled_from(Evidence),
        STORABLE, STORABLE, st.integers(-1, 10**6), st.integers(-1, 10**6), STORABLE, st.none() | INSTANTS,
    )
)  # fmt: skip
def test_references_that_a_tool_states_come_back(reference: Reference) -> None:
    assert back(reference) == reference
    assert back(understood(reference)) == understood(reference)


@given(st.text())
def test_what_cannot_be_stored_is_made_storable_once(text: str) -> None:
    once = back(Reference("url", "", text, Evidence.EXPLICIT, "links to"))
    assert back(once) == once


@given(
    st.builds(
        Activity, STORABLE, STORABLE, st.sampled_from(ActivityKind), INSTANTS, actor=st.none() | STORABLE,
        automatic=st.booleans(), field=st.none() | STORABLE, from_value=st.none() | STORABLE,
        to_label=st.none() | STORABLE, text=st.none() | STORABLE, audience=AUDIENCES,
        objects=st.lists(st.tuples(STORABLE, STORABLE), max_size=3).map(tuple),
        from_category=st.none() | st.sampled_from(State), to_category=st.none() | st.sampled_from(State),
        sets=st.lists(st.tuples(STORABLE, st.none() | STORABLE, st.none() | STORABLE), max_size=3).map(tuple),
    )
)  # fmt: skip
def test_activities_come_back(activity: Activity) -> None:
    assert activity_of(orjson.loads(orjson.dumps(activity_row(activity)))) == activity
