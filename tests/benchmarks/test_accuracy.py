"""Generated companies with known truth: what they are made of; and the floors, at a fixed seed and at a fresh one."""

import ast
import asyncio
import secrets
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks.accuracy import feeding, gate, holdout, measuring, report
from benchmarks.accuracy.company import company
from benchmarks.accuracy.measuring import Measured, by_evidence, by_trap, suggested, whole
from benchmarks.accuracy.metrics import Share
from benchmarks.accuracy.noise import LEVELS
from benchmarks.accuracy.running import SEED, SIZE, run
from benchmarks.accuracy.told import events
from benchmarks.accuracy.traps import Trap
from benchmarks.accuracy.truth import Planted, Truth
from benchmarks.accuracy.world import World
from schemas.events import MAX_EVENT_BYTES, SourceEvent, to_kafka

SMALL = 400
FOLDER = Path(feeding.__file__).parent


@pytest.fixture(scope="module")
def small() -> tuple[World, list[SourceEvent]]:
    world = company(SEED, 120, LEVELS["hard"])
    return world, asyncio.run(events(world))


def test_every_trap_occurs_often_and_both_ways() -> None:
    truth = company(SEED, SIZE, LEVELS["normal"]).truth
    for trap in Trap:
        pairs = truth.concerned[trap]
        together = sum(truth.together(pair) for pair in pairs)
        assert len(pairs) >= gate.ENOUGH_PAIRS, trap
        assert together >= 100, trap
        assert len(pairs) - together >= 100, trap
        assert len(trap.value.split()) >= 5, "a sentence says what happens"


def test_a_seed_is_one_company(small: tuple[World, list[SourceEvent]]) -> None:
    again = asyncio.run(events(company(SEED, 120, LEVELS["hard"])))
    other = asyncio.run(events(company(SEED + 1, 120, LEVELS["hard"])))
    assert [event.id for event in again] == [event.id for event in small[1]]
    assert [event.id for event in other] != [event.id for event in small[1]]


@pytest.mark.parametrize("noise", LEVELS)
def test_what_is_planted_is_true(noise: str) -> None:
    truth = company(3, 150, LEVELS[noise]).truth
    assert all(truth.together((one, other)) for one, other, _ in truth.planted)
    allowed = whole(truth, truth.ceiling(Planted.MENTION))
    assert allowed.pairs.precision.value == 1
    least = {"clean": 1.0, "normal": 0.97, "holdout": 0.97, "hard": 0.7}[noise]
    assert allowed.exact.value >= least
    every = by_evidence(truth, truth.partition())
    assert all(share.hits == share.of for share in every.values())
    assert sum(share.of for share in every.values()) == len(list(truth.pairs()))


def test_every_thing_is_told_and_nothing_else(small: tuple[World, list[SourceEvent]]) -> None:
    world, told = small
    assert "" not in world.truth.artifact
    assert {event.artifact for event in told} == set(world.truth.artifact)
    assert {event.connector for event in told} == {"jira", "hubspot", "mailbox"}
    assert {"issue", "changelog", "comment", "remotelinks", "presence"} <= {event.kind for event in told}
    assert {"deal", "ticket", "note", "email", "associations", "merge", "mail"} <= {event.kind for event in told}
    assert all(len(to_kafka(event)[1]) <= MAX_EVENT_BYTES for event in told)
    assert len({(event.id, event.version) for event in told}) == len(told)


def test_two_mails_with_one_message_id_are_two_artifacts(small: tuple[World, list[SourceEvent]]) -> None:
    world, _ = small
    of_mails: dict[str, set[int | None]] = {}
    for mail in world.mails:
        of_mails.setdefault(world.truth.artifact[mail.thing], set()).add(world.truth.request[mail.thing])
    assert all(len(requests) == 1 for requests in of_mails.values())


def test_the_generator_shares_no_code_with_what_it_measures() -> None:
    forbidden = ("pipelines.correlate", "pipelines.references", "services.sandbox", "pipelines.lifecycle")
    for path in sorted(FOLDER.glob("*.py")):
        tree = ast.parse(path.read_text("utf-8"))
        named = {node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
        named |= {one.name for node in ast.walk(tree) if isinstance(node, ast.Import) for one in node.names}
        assert not [name for name in named if name.startswith(forbidden) or ".mapping" in name], path.name


def test_the_templates_kept_for_reporting_stand_nowhere_else() -> None:
    kept = {form for one in holdout.WORDINGS for form in (*one.asks, *one.answers, *one.naming)}
    texts = [mail.text for mail in company(SEED, 200, LEVELS["normal"]).mails]
    starts = [form.partition("{")[0].strip() for form in kept]
    assert not [start for start in starts if len(start) > 8 and any(start in text for text in texts)]
    reported = [mail.text for mail in company(SEED, 200, LEVELS["holdout"]).mails]
    assert sum(any(start in text for start in starts if len(start) > 8) for text in reported) > len(reported) / 4


def _three() -> Truth:
    """Request 0: things 0, 1, 2 (explicit, then only likeness); request 1: things 3, 4 (a mention); thing 5: none."""
    truth = Truth(["a", "b", "c", "d", "e", "f"], [0, 0, 0, 1, 1, None])
    truth.planted = [(0, 1, Planted.EXPLICIT), (1, 2, Planted.SIMILARITY), (3, 4, Planted.MENTION)]
    truth.concern(Trap.DIGEST, [5], [0, 3], 10)
    truth.concern(Trap.DIGEST, [0], [1, 2, 3], 10)
    return truth


def test_evidence_is_the_weakest_step_of_the_best_chain() -> None:
    assert _three().evidence() == {
        (0, 1): Planted.EXPLICIT, (0, 2): Planted.SIMILARITY, (1, 2): Planted.SIMILARITY, (3, 4): Planted.MENTION,
    }  # fmt: skip
    assert _three().ceiling(Planted.MENTION) == [0, 0, 2, 3, 3, 5]


def test_a_trap_is_measured_on_its_pairs() -> None:
    digest = next(iter(by_trap(_three(), [1, 1, 2, 1, 3, 1])))  # 0, 1, 3 and the digest in one
    assert (digest.trap, digest.pairs, digest.occurrences) == (Trap.DIGEST, 5, 2)
    assert digest.precision == Share(1, 4)
    assert digest.kept_apart == Share(0, 3)
    assert digest.found == Share(1, 1)


def test_suggestions_are_judged_and_accepted_by_hand() -> None:
    stated = [("b", "c", 0.9), ("a", "f", 0.6), ("a", "nothing known", 0.5)]
    judged = suggested(_three(), [1, 1, 2, 3, 3, 4], stated)
    assert judged.right == Share(1, 2)
    assert judged.brier == pytest.approx((0.01 + 0.36) / 2)
    assert judged.accepted.exact == Share(2, 2)


def _measured(truth: Truth, found: Sequence[int]) -> Measured:
    members: dict[str, str | None] = {name: str(group) for name, group in zip(truth.artifact, found, strict=True)}
    outcome = feeding.Outcome(members, (("b", "c", 0.9),), events=6, seconds=1.0, unread=0)
    return measuring.measure("normal", 2, 1, truth, outcome)


def test_the_gate_names_each_floor_that_is_missed() -> None:
    assert not list(gate.missed(_measured(_three(), [1, 1, 1, 2, 2, 3])))
    missed = list(gate.missed(_measured(_three(), [1, 2, 3, 4, 5, 5])))
    assert len(missed) == 4
    assert "recall of what explicit evidence and mentions allow: 0.0000, at least 0.97" in missed
    unread = replace(_measured(_three(), [1, 1, 1, 2, 2, 3]), unread=2)
    assert list(gate.missed(unread)) == ["source events that were not understood: 2, none allowed"]


def test_a_trap_of_few_pairs_is_missed_where_it_is_surely_too_bad() -> None:
    good = _measured(_three(), [1, 1, 1, 2, 2, 3])
    for precision, pairs, missed in ((Share(0, 40), 60, True), (Share(3, 4), 60, False), (Share(560, 600), 600, True),
                                     (Share(56, 60), 90, False), (Share(600, 600), 600, False)):  # fmt: skip
        traps = (replace(good.traps[0], pairs=pairs, precision=precision),)
        assert bool(list(gate.missed(replace(good, traps=traps)))) is missed, precision


def test_the_section_replaces_itself_and_nothing_else() -> None:
    told = report.section([_measured(_three(), [1, 1, 1, 2, 2, 3])] * 2, [])
    page = "# Benchmarks\n\n## One\n\n1\n\n## Two\n\n2\n"
    once = report.put(page, told)
    assert once.startswith(page)
    assert report.put(once, told) == once
    moved = report.put(
        once.replace("## Two", report.HEADING + "\n\nold\n\n## Two", 1).rpartition(report.HEADING)[0], told
    )
    assert moved.count(report.HEADING) == 1
    assert moved.index("## One") < moved.index(report.HEADING) < moved.index("## Two")
    assert report.kept(moved) == told
    assert report.kept(page) == ""


@pytest.fixture(scope="module", params=["fixed", "fresh"])
def normal(request: pytest.FixtureRequest) -> Measured:
    seed = SEED if request.param == "fixed" else secrets.randbelow(10**9)
    print(f"accuracy: seed {seed}")
    return run(seed, SMALL, "normal")


@pytest.mark.timeout(180)
def test_everything_is_understood(normal: Measured) -> None:
    assert normal.unread == 0, f"seed {normal.seed}"
    assert normal.events > 3 * SMALL
    assert normal.ceiling.exact.value > gate.EXACT, f"seed {normal.seed}: the generator plants too little evidence"


@pytest.mark.timeout(180)
def test_the_floors_are_reached(normal: Measured) -> None:
    assert not list(gate.missed(normal)), f"seed {normal.seed}"
