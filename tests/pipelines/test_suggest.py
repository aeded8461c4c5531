"""How alike two things are: features, blocks, weights. Pure."""

from math import exp
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.suggest import blocks, model
from pipelines.suggest.apart import Apart
from pipelines.suggest.faces import FACES, Face, Told, Unit, face, unit
from pipelines.suggest.features import Sizes, compared, of_faces, same_moment
from pipelines.suggest.model import FEATURES, Model
from pipelines.suggest.people import keys
from pipelines.suggest.scoring import suggestion, suggestion_id
from pipelines.suggest.wording import SENTENCES, reasons
from schemas.artifacts import Evidence, Identity, Reference
from schemas.decisions import Decision, DecisionKind
from schemas.errors import Misconfigured
from tests.pipelines.test_ingest import NOW

ANNA, BEN = Identity("m/anna", "Anna", "anna@customer.example"), Identity("m/ben", "Ben", "ben@acme.example")
PEOPLE = keys([ANNA, BEN])
FEW = Sizes({})
HELD = Model(1, -1.0, {"same title": 2.0, "near in time": 1.0}, 0.5)


def told(name: str, kind: str = "mail", references: tuple[Reference, ...] = (), **fields: Any) -> Told:
    return Told(f"t/{kind}/{name}", "mailbox", kind, {"created_at": "2026-03-02T08:00:00.000000Z"} | fields, references)


def shown(name: str = "1", **more: Any) -> Face:
    return face(told(name, **more), PEOPLE)


def whole(name: str, *members: Told, size: int = 1) -> Unit:
    made = unit(name, size, members, PEOPLE)
    assert made is not None
    return made


def features(one: Face, other: Face, sizes: Sizes = FEW) -> dict[str, float]:
    both = of_faces(one, other, sizes)
    assert both == of_faces(other, one, sizes)
    return both


def test_titles_are_compared_without_prefixes_and_keys() -> None:
    one, other = shown(title="Replace the printer"), shown("2", title="AW: Re: [PAY-12] Replace the Printer!")
    assert one.title == other.title == ("replace", "the", "printer")
    assert (one.answers, other.answers) == (False, True)
    assert features(one, other)["same title"] == 1.0
    like = features(one, shown("3", title="Replace the fax"))
    assert like["like titles"] == 0.5
    assert "same title" not in like


def test_rare_words_count_for_more_than_common_ones() -> None:
    sizes = Sizes({"word|the": 500, "word|replace": 500})
    one, other = shown(title="Replace the printer"), shown("2", title="Replace the fax")
    assert features(one, other, sizes)["like titles"] == pytest.approx(0.24 / 2.24, abs=0.001)
    common = Sizes({blocks.title_key(("replace", "the", "printer")): 20})
    assert features(one, shown("2", title="Replace the printer"), common)["common title"] == pytest.approx(0.667)


def test_people_and_time() -> None:
    one = shown(title="A", requester="m/anna")
    other = shown("2", title="B", requester="m/anna", created_at="2026-03-09T08:00:00.000000Z")
    assert features(one, other) == {"same requester": 1.0, "near in time": 0.5}
    joins = shown("3", title="C", requester="m/ben", participants=[{"identity": "m/anna", "role": "cc"}])
    assert features(one, joins)["requester takes part"] == 1.0
    assert features(one, shown("4", title="D", created_at="2026-09-01T00:00:00.000000Z"))["far apart"] == 1.0


def test_a_forward_that_lost_its_headers() -> None:
    first = shown(title="Printer broken", requester="m/anna", created_at="2026-03-01T23:41:00.000000Z")
    passed = [{"identity": "m/anna", "role": "forwarded"}]
    block = {"subject": "Printer broken", "sent": "Monday, March 2, 2026 1:41 AM"}
    forward = shown("2", title="FW: something", participants=passed, forwarded=block)
    found = features(first, forward)
    assert (found["forwards it"], found["forwards its time"]) == (1.0, 1.0)
    assert features(shown("3", title="Other", requester="m/ben"), forward)["forwards another"] == 1.0
    assert blocks.keys(whole("R-1", told("1", title="Printer broken", requester="m/anna"))) & blocks.keys(
        whole("R-2", told("2", title="FW: something", participants=passed, forwarded=block))
    )


@pytest.mark.parametrize(
    ("text", "same"),
    [
        ("Mon, Mar 2, 2026 at 8:41 AM", True),
        ("2. März 2026 um 09:41:10 MEZ", True),
        ("2026-03-03 00:41", True),
        ("Mon, Mar 2, 2026 at 8:42 AM", False),
        ("Mon, Mar 9, 2026 at 8:41 AM", False),
        ("yesterday", False),
    ],
)
def test_a_moment_in_any_language_and_zone(text: str, same: bool) -> None:
    at = shown(title="A", created_at="2026-03-02T08:41:00.000000Z").at
    assert at is not None
    assert same_moment(text, at) is same


def test_what_one_text_says_of_the_other() -> None:
    deal = shown("9", kind="deal", title="Rollout of the new warehouse")
    assert features(deal, shown(title="Hi", excerpt='How is "Rollout of the new warehouse"?'))["quotes its title"] == 1
    text = "When does the rollout of the new warehouse begin?"
    assert features(deal, shown(title="Hello there", excerpt=text))["title in text"] == 1.0
    key = Reference("jira.key", "j", "PAY-1", Evidence.IDENTITY, "is")
    issue = face(told("7", "issue", (key,), title="X"), {})
    names = Reference("jira.key", "", "PAY-1", Evidence.QUOTED)
    assert features(issue, face(told("8", references=(names,), title="Y"), {}))["named in quoted text"] == 1.0
    another = Reference("jira.key", "", "PAY-2", Evidence.WRITTEN)
    assert features(issue, face(told("8", references=(another,), title="Y"), {}))["names another"] == 1.0
    many = tuple(Reference("jira.key", "", f"PAY-{number}", Evidence.WRITTEN) for number in range(1, 9))
    assert face(told("8", references=many, title="Y"), {}).named == ()


def test_numbers_that_few_hold() -> None:
    one, other = shown(title="Order 4711882"), shown("2", title="Where is it", excerpt="It is 4711882, of 2026.")
    assert one.marks == other.marks == ("4711882",)
    assert features(one, other)["same number"] == 0.5
    assert "same number" not in features(one, other, Sizes({"mark|4711882": blocks.LIMIT + 1}))


def test_a_unit_is_bounded_and_the_same_through_json() -> None:
    many = [told(str(number), title=f"Title number{number} of words {number * 7919}", requester="m/anna",
                 excerpt=" ".join(f"w{each}" for each in range(200))) for number in range(50)]  # fmt: skip
    made = unit("R-1", 50, [*many, told("x", title="Gone", deleted=True)], PEOPLE, {4, 2})
    assert made is not None
    assert len(made.faces) == FACES
    assert made.decided == (2, 4)
    assert len(blocks.keys(made)) <= blocks.MOST
    assert Unit.of(orjson.loads(orjson.dumps(made.told()))) == made
    assert unit("R-2", 1, [told("1")], PEOPLE) is None


def test_keys_of_a_block_are_short() -> None:
    long = [Told("t/mail/1", "m", "mail", {"title": "x" * 5000 + " " + "y" * 5000, "requester": "p" * 400,
                                           "created_at": "2026-03-02T08:00:00.000000Z"})]  # fmt: skip
    made = unit("R-1", 1, long, {"p" * 400: ("p" * 400 + "@a.example",)})
    assert made is not None
    assert max(map(len, blocks.keys(made))) <= 200


@given(st.integers(0, 200), st.integers(0, 200))
def test_what_follows_from_a_size_changes_only_where_it_crosses(before: int, after: int) -> None:
    changes = blocks.level(before) != blocks.level(after)
    small = min(before, after) <= blocks.LIMIT
    assert blocks.crossed("word|x", before, after) == (changes and small)
    assert blocks.crossed("value|x", before, after) == ((before > blocks.LIMIT) != (after > blocks.LIMIT))


def test_persons_by_address_and_by_decision() -> None:
    home = Identity("m/anna-home", "A.", "anna@home.example")
    robot = Identity("m/robot", "Robot", "no-reply@acme.example", machine=True)
    same = Decision(1, DecisionKind.SAME_PERSON, ("m/anna",), ("m/anna-home",), "x", "", NOW)
    known = keys([ANNA, home, robot], [same])
    assert set(known["m/anna"]) & set(known["m/anna-home"]) == {"person|m/anna"}
    assert known["m/robot"] == ()
    twin = Identity("c/anna", "Anna", "anna@customer.example")
    assert keys([twin])["c/anna"] == keys([ANNA])["m/anna"]
    other = Decision(2, DecisionKind.OTHER_PERSON, ("m/anna",), ("c/anna",), "x", "", NOW)
    parted = keys([ANNA, twin], [other])
    assert not set(parted["m/anna"]) & set(parted["c/anna"])


def test_the_probability_as_by_hand() -> None:
    assert HELD.probability({}) == pytest.approx(1 / (1 + exp(1)), abs=1e-4)
    assert HELD.probability({"same title": 1.0}) == pytest.approx(0.7311, abs=1e-4)
    assert HELD.probability({"same title": 1.0, "near in time": 0.5}) == pytest.approx(0.8176, abs=1e-4)
    assert HELD.probability({"two deals": 1.0}) == HELD.probability({})
    assert HELD.parts({"same title": 1.0, "near in time": 0.5, "answer": 1.0}) == [
        ("same title", 2.0), ("near in time", 0.5),
    ]  # fmt: skip


def test_the_weights_of_this_release_as_by_hand() -> None:
    told = model.load()
    raw = orjson.loads(model.FILE.read_bytes())
    assert (told.version, told.threshold) == (raw["version"], raw["threshold"])
    for row in (
        {},
        {"same title": 1.0, "same requester": 1.0, "near in time": 1.0, "one of them alone": 1.0},
        {"like titles": 0.25, "near in time": 0.125, "two issues": 1.0},
        {"common title": 1.0, "same title": 1.0, "near in time": 0.5, "far apart": 1.0},
    ):
        score = raw["bias"] + sum(raw["weights"].get(name, 0) * value for name, value in row.items())
        assert told.probability(row) == pytest.approx(1 / (1 + exp(-score)), abs=1e-4)


def test_likeness_is_for_and_contradiction_is_against() -> None:
    weights = model.load().weights
    alike = {"same title": 1.0, "near in time": 1.0, "same requester": 1.0, "one of them alone": 1.0}
    assert model.load().probability(alike) > 0.9
    assert model.load().probability({**alike, "common title": 1.0}) < model.load().probability(alike)
    assert weights["same title"] > 0 > weights["common title"]


@pytest.mark.parametrize(
    ("raw", "says"),
    [
        (b"nonsense", "holds no version"),
        (b'{"version": 1, "bias": 0, "threshold": 0.5}', "holds no version"),
        (b'{"version": 1, "bias": 0, "threshold": 0.5, "weights": {"shoe size": 1}}', "shoe size"),
        (b'{"version": 1, "bias": "0", "threshold": 0.5, "weights": {}}', "a number belongs"),
        (b'{"version": 1, "bias": 0, "threshold": 1.5, "weights": {}}', "a number belongs"),
        (b'{"version": 1, "bias": 0, "threshold": 0.5, "weights": {"answer": true}}', "a number belongs"),
    ],
)
def test_a_file_that_is_none_is_told(raw: bytes, says: str) -> None:
    with pytest.raises(Misconfigured, match=says):
        model.read(raw)


def test_every_feature_has_its_sentence() -> None:
    assert set(SENTENCES) == set(FEATURES)
    parts = [("near in time", 5.0), ("same title", 2.0), ("two issues", -1.5), ("answer", 0.05)]
    features = {"near in time": 0.9, "same title": 1.0, "two issues": 1.0, "answer": 0.05}
    assert reasons(features, parts) == (
        ["Their titles say the same", "They are near in time"],
        ["Both have an issue"],
    )
    assert reasons({"title in text": 0.9}, []) == (["The text of one holds the title of the other"], [])


def test_the_likeliest_pair_speaks_for_two_units() -> None:
    one = whole("R-B", told("1", title="Printer"), told("2", title="Other thing"), size=3)
    other = whole("R-A", told("3", title="Printer", created_at="2026-03-05T08:00:00.000000Z"))
    found = suggestion(one, other, FEW, HELD, Apart((), {}))
    assert found is not None
    assert found == suggestion(other, one, FEW, HELD, Apart((), {}))
    assert (found.left_unit, found.right_unit) == ("R-A", "R-B")
    assert {found.left, found.right} == {"t/mail/1", "t/mail/3"}
    assert found.id == suggestion_id("t/mail/3", "t/mail/1")
    assert found.change == {"into": "R-B", "merges": ["R-A"], "moves": 1}
    assert len(compared(one, other, FEW)) == 2
    alone = whole("t/mail/9", told("9", title="Printer"))
    assert suggestion(alone, whole("t/mail/8", told("8", title="Printer")), FEW, HELD, Apart((), {})) is None


def test_one_persons_things_of_a_week_are_no_suggestion_without_content() -> None:
    near = {"same requester": 1.0, "near in time": 1.0, "one of them alone": 1.0, "like titles": 0.9}
    assert not model.worth_asking(near)
    assert model.worth_asking({**near, "same title": 1.0})
    assert model.worth_asking({**near, "quotes its title": 1.0})
    assert not model.worth_asking({**near, "same title": 1.0, "two deals": 1.0})
    everybody = Model(1, 9.0, {}, 0.5)
    one, other = (
        whole(f"R-{name}", told(name, title=f"Thing {name}", requester="m/anna")) for name in ("Alpha", "Beta")
    )
    assert suggestion(one, other, FEW, everybody, Apart((), {})) is None


def test_decisions_keep_apart() -> None:
    apart = Decision(1, DecisionKind.UNLINK, ("a/x/1",), ("a/x/2",), "x", "", NOW)
    same = Decision(2, DecisionKind.LINK, ("a/x/2",), ("a/x/3",), "x", "", NOW)
    out = Decision(3, DecisionKind.NO_REQUEST, ("a/x/9",), (), "x", "", NOW)
    held = Apart([apart, same, out], {"a/x/1": "R-1", "a/x/3": "R-3", "a/x/9": "a/x/9"})
    assert held.keeps("R-1", "R-3")
    assert held.keeps("R-3", "R-1")
    assert not held.keeps("R-1", "R-2")
    assert held.ruled_out == {"a/x/9"}
