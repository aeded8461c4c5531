"""Why, from what is stored: who may read the words, since when, with what a person decided, and at what cost."""

import time
from datetime import timedelta

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from pipelines.deciding import Deciding, Wish
from pipelines.ingest import Ingest
from pipelines.store import tables
from pipelines.store.bulk import Bulk
from pipelines.store.encoding import reference_row
from pipelines.store.engine import reading, writing
from pipelines.why import Why, why
from schemas.artifacts import (
    Activity,
    ActivityKind,
    Audience,
    Evidence,
    Mapped,
    Part,
    Reference,
    Text,
    request_id,
)
from schemas.canonical import canonical_json
from schemas.decisions import DecisionKind
from schemas.errors import RetryLater
from schemas.events import SourceEvent
from tests.pipelines.conftest import configured
from tests.pipelines.memos import START, map_memo, memo, records

RESTRICTED = Audience("restricted", "Board only")


def map_guarded(event: SourceEvent) -> Mapped:
    """A memo with what the tool restricts of it, and with its history."""
    told, mapped = event.payload, map_memo(event)
    if told.get("secret"):
        mapped.fields["audience"] = {"level": "restricted", "stated": "Board only"}
    parts, done = dict(mapped.parts), list(mapped.activities)
    if comment := told.get("comment"):
        parts["comment:1"] = Part(texts=(Text("comment:1", comment, Evidence.WRITTEN, START),), audience=RESTRICTED)
        done.append(Activity(f"{event.artifact}/c", event.artifact, ActivityKind.COMMENTED, START, field="comment:1",
                             text=comment, audience=RESTRICTED))  # fmt: skip
    if linked := told.get("linked"):
        done.append(Activity(f"{event.artifact}/l", event.artifact, ActivityKind.LINKED, START, field="Parent",
                             to_label=linked, objects=((f"jira.key|{linked}", "parent"),)))  # fmt: skip
    return Mapped(mapped.artifact, mapped.connection, mapped.connector, mapped.kind, mapped.fields, parts, tuple(done),
                  mapped.identities)  # fmt: skip


async def told(engine: AsyncEngine, *events: SourceEvent) -> None:
    await Ingest(engine, {"memo": map_guarded}, lambda: START, "one")(records(list(events)))


async def asked(engine: AsyncEngine, left: int, right: int) -> Why:
    return await why(lambda: reading(engine), f"memos/memo/{left}", f"memos/memo/{right}")


async def test_words_of_a_restricted_artifact_stay_out(engine: AsyncEngine) -> None:
    await told(engine, memo(1), memo(2, text="CANARY MEMO-1", secret=True))
    answer = await asked(engine, 1, 2)
    (words,) = answer.words.values()
    assert (words.hidden, words.around, words.marked) == (True, None, None)
    await configured(engine, shows_restricted=True)
    (words,) = (await asked(engine, 1, 2)).words.values()
    assert (words.hidden, words.around, words.marked) == (False, "CANARY MEMO-1", (7, 13))


async def test_words_of_a_restricted_comment_stay_out_and_those_of_the_text_do_not(engine: AsyncEngine) -> None:
    await told(engine, memo(1), memo(2, text="see MEMO-3", comment="CANARY MEMO-1"), memo(3))
    by_field = {link.field: words for link, words in (await asked(engine, 1, 3)).words.items()}
    assert {field: words.around for field, words in by_field.items()} == {"comment:1": None, "text": "see MEMO-3"}
    assert by_field["comment:1"].hidden
    await configured(engine, shows_restricted=True)
    assert {one.around for one in (await asked(engine, 1, 3)).words.values()} == {"CANARY MEMO-1", "see MEMO-3"}
    await configured(engine, shows_restricted=True, names_only=True)
    assert {one.around for one in (await asked(engine, 1, 3)).words.values()} == {None}


async def test_what_both_name_in_restricted_text_is_not_named(engine: AsyncEngine) -> None:
    page = "https://wiki.example/CANARY"
    await told(engine, memo(1, comment=page), memo(2, text=page), memo(3, text=page, secret=True), memo(4, text=page))
    for pair, shows in (((1, 2), False), ((2, 3), False), ((2, 4), True)):
        (one,) = (await asked(engine, *pair)).reason.shared
        assert one.key == (f"url|{page}" if shows else None)
    await configured(engine, shows_restricted=True)
    assert [one.key for one in (await asked(engine, 1, 3)).reason.shared] == [f"url|{page}"]


async def test_since_when_by_the_history(engine: AsyncEngine) -> None:
    await told(engine, memo(1), memo(2, parent=1), memo(3, parent=1, linked="MEMO-1"))
    assert [said.since for said in (await asked(engine, 2, 3)).reason.steps] == [None, START]


async def test_what_never_changed_dates_from_its_creation_where_the_tool_tells_every_change(
    engine: AsyncEngine,
) -> None:
    await told(engine, memo(1), memo(2, parent=1), memo(3, parent=2, linked="MEMO-9"))
    assert [said.since for said in (await asked(engine, 1, 3)).reason.steps] == [None, None]
    await configured(engine, whole_histories=frozenset({"parent"}))
    steps = (await asked(engine, 1, 3)).reason.steps
    assert [said.since for said in steps] == [START + timedelta(hours=2), None]  # the other was below 9 once


async def test_evidence_that_is_taken_back_is_no_reason_any_more(engine: AsyncEngine) -> None:
    await told(engine, memo(1), memo(2, text="see MEMO-1"))
    assert (await asked(engine, 1, 2)).reason.together
    await told(engine, memo(2, version=2, text="nothing"))
    answer = (await asked(engine, 1, 2)).reason
    assert (answer.together, answer.steps) == (False, ())
    assert answer.left_request != answer.right_request


async def test_the_answer_agrees_with_what_is_stored(engine: AsyncEngine) -> None:
    await told(engine, memo(1), memo(2, text="see MEMO-1"), memo(3, parent=2), memo(4, opens=False), memo(5))
    async with reading(engine) as connection:
        rows = (await connection.execute(tables.members.select())).all()
    stored = {row.artifact: row.request for row in rows}
    for left in range(1, 6):
        for right in range(1, 6):
            answer = (await asked(engine, left, right)).reason
            ends = f"memos/memo/{left}", f"memos/memo/{right}"
            assert (answer.left_request, answer.right_request) == (stored[ends[0]], stored[ends[1]])
            assert answer.together == (left == right or (stored[ends[0]] or left) == (stored[ends[1]] or right))


async def decided(engine: AsyncEngine, kind: DecisionKind, left: int, *right: int, undoes: int | None = None) -> None:
    ends = () if undoes else (f"memos/memo/{left}",)
    wish = Wish(kind, "Anna", left=ends, right=tuple(f"memos/memo/{number}" for number in right), undoes=undoes)
    await Deciding(engine, lambda: START).decide(wish)


async def test_decisions_join_part_and_are_taken_back(engine: AsyncEngine) -> None:
    await told(engine, memo(1), memo(2, text="see MEMO-1"), memo(3), memo(4, parent=3))
    await decided(engine, DecisionKind.UNLINK, 1, 2)
    apart = (await asked(engine, 1, 2)).reason
    words = "Anna decided on 1 March 2026 that they do not belong together (decision 1)"
    assert (apart.together, apart.decisions) == (False, ((1, words),))
    assert [(step.kept, step.link.decision) for step in apart.steps] == [(words, 1)]
    await decided(engine, DecisionKind.LINK, 1, 4)
    linked = (await asked(engine, 1, 3)).reason
    assert [step.link.decision for step in linked.steps] == [2, None]
    assert linked.steps[0].since == START
    assert [said.link.decision for said in linked.against] == [1]
    farther = (await asked(engine, 2, 3)).reason
    assert farther.decisions == ((1, "Anna decided on 1 March 2026 to keep apart what they belong to (decision 1)"),)
    await decided(engine, DecisionKind.UNDO, 0, undoes=1)
    joined = (await asked(engine, 2, 3)).reason
    assert (joined.together, joined.decisions, len(joined.steps)) == (True, (), 3)


async def test_what_a_person_called_no_request_says_who_did(engine: AsyncEngine) -> None:
    await told(engine, memo(1), memo(2, text="see MEMO-1"))
    await decided(engine, DecisionKind.NO_REQUEST, 1)
    answer = (await asked(engine, 1, 2)).reason
    words = "Anna decided on 1 March 2026 that it is no request (decision 1)"
    assert [step.kept for step in answer.steps] == [words]
    assert answer.outside == (("memos/memo/1", f"MEMO-1 is in no request: {words}, and it is joined to nothing"),)


async def test_what_is_not_placed_yet_is_asked_for_again(engine: AsyncEngine) -> None:
    await told(engine, memo(1))
    with pytest.raises(RetryLater, match="read just now"):
        await asked(engine, 1, 2)


async def test_five_thousand_in_one_piece_are_answered_in_bounded_time(engine: AsyncEngine) -> None:
    size = 5_000
    names = [f"memos/memo/{number}" for number in range(1, size + 1)]
    fields = canonical_json({"opens": [1, 0, True], "natural_key": [1, 0, "MEMO"]})
    async with writing(engine) as connection:
        bulk = Bulk(connection)
        await bulk.insert(tables.artifacts, [(name, "memos", "memo", "issue", fields, None, None) for name in names])
        await bulk.insert(tables.members, [(name, names[0], request_id(name), request_id(names[0])) for name in names])
        parts, values = [], []
        for number, name in enumerate(names, 1):
            told_here = [
                Reference("jira.key", "memos", f"MEMO-{number}", Evidence.IDENTITY, "is"),
                Reference("jira.key", "memos", f"MEMO-{number // 2 or 1}", Evidence.EXPLICIT, "parent"),
                Reference("jira.key", "", f"MEMO-{number + 1}", Evidence.WRITTEN, field="text", start=0, end=6),
            ]
            parts.append((name, "memo", 1, 0, "d", canonical_json([reference_row(one) for one in told_here])))
            values += [(name, "memo", one.key, one.evidence is Evidence.IDENTITY, one.evidence is not Evidence.WRITTEN)
                       for one in {one.key: one for one in reversed(told_here)}.values()]  # fmt: skip
        await bulk.insert(tables.parts, parts)
        await bulk.insert(tables.artifact_values, values)
    started = time.process_time()
    answer = await asked(engine, 2_500, size)
    took = time.process_time() - started
    assert answer.reason.together
    assert len(answer.reason.steps) <= 25
    assert took < 10, f"{took:.1f} s of processor time"
