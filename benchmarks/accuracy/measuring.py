"""What a hub's outcome is worth against the truth. Pure."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from benchmarks.accuracy.feeding import Outcome, Suggestion
from benchmarks.accuracy.metrics import (
    Bin,
    Pairs,
    Partition,
    Quality,
    Share,
    b_cubed,
    brier,
    exact,
    joined,
    pairwise,
    reliability,
)
from benchmarks.accuracy.traps import Trap
from benchmarks.accuracy.truth import Planted, Truth


@dataclass(frozen=True, slots=True)
class Whole:
    """A partition as a whole."""

    pairs: Pairs
    b_cubed: Quality
    exact: Share


@dataclass(frozen=True, slots=True)
class TrapResult:
    """How one trap was taken."""

    trap: Trap
    occurrences: int
    pairs: int
    precision: Share
    """Of its pairs that were joined, those that belong together."""
    kept_apart: Share
    """Of its pairs that do not belong together, those that stayed apart."""
    found: Share
    """Of its pairs that belong together by explicit evidence or a mention, those that were joined."""


@dataclass(frozen=True, slots=True)
class Suggested:
    """What the suggestions are worth."""

    right: Share
    accepted: Whole
    """Once somebody accepted every right one and rejected the others."""
    reliability: tuple[Bin, ...]
    brier: float | None


@dataclass(frozen=True, slots=True)
class Measured:
    """One company's result."""

    noise: str
    size: int
    seed: int
    things: int
    events: int
    seconds: float
    unread: int
    automatic: Whole
    ceiling: Whole
    """Of a hub that joins all that explicit evidence and mentions allow, and nothing else."""
    found: dict[Planted, Share]
    """Of the true pairs with this evidence, those that were joined."""
    traps: tuple[TrapResult, ...]
    suggested: Suggested | None

    @property
    def allowed(self) -> Share:
        """Of the true pairs that explicit evidence or a mention allows, those that were joined."""
        some = (self.found[Planted.EXPLICIT], self.found[Planted.MENTION])
        return Share(sum(one.hits for one in some), sum(one.of for one in some))


def measure(noise: str, size: int, seed: int, truth: Truth, outcome: Outcome) -> Measured:
    """Compare what the hub made of a company with what is true."""
    found = outcome.partition(truth)
    return Measured(
        noise=noise,
        size=size,
        seed=seed,
        things=len(truth.artifact),
        events=outcome.events,
        seconds=outcome.seconds,
        unread=outcome.unread + len(outcome.missing),
        automatic=whole(truth, found),
        ceiling=whole(truth, truth.ceiling(Planted.MENTION)),
        found=by_evidence(truth, found),
        traps=tuple(by_trap(truth, found)),
        suggested=suggested(truth, found, outcome.suggestions) if outcome.suggestions else None,
    )


def whole(truth: Truth, found: Partition) -> Whole:
    """All measures of a partition."""
    true = truth.partition()
    return Whole(pairwise(true, found), b_cubed(true, found), exact(true, found, truth.requests()))


def by_evidence(truth: Truth, found: Partition) -> dict[Planted, Share]:
    """Per kind of evidence: its true pairs that were joined, of all of them."""
    planted = truth.evidence()
    every = Counter(planted.values())
    hits = Counter(kind for (one, other), kind in planted.items() if found[one] == found[other])
    return {kind: Share(hits[kind], every[kind]) for kind in Planted}


def by_trap(truth: Truth, found: Partition) -> Iterable[TrapResult]:
    """Each trap with the pairs it concerns."""
    planted = truth.evidence()
    for trap in Trap:
        pairs = truth.concerned[trap]
        true = {pair for pair in pairs if truth.together(pair)}
        held = {(one, other) for one, other in pairs if found[one] == found[other]}
        allowed = {pair for pair in true if planted[pair] <= Planted.MENTION}
        yield TrapResult(
            trap,
            truth.occurrences[trap],
            len(pairs),
            Share(len(held & true), len(held)),
            Share(len(pairs - true - held), len(pairs - true)),
            Share(len(allowed & held), len(allowed)),
        )


def suggested(truth: Truth, found: Partition, suggestions: Sequence[Suggestion]) -> Suggested:
    """Judge suggestions: how many are right, what accepting them gives, how true their probabilities are."""
    thing = {artifact: number for number, artifact in enumerate(truth.artifact)}
    known = [(thing[one], thing[other], stated) for one, other, stated in suggestions if {one, other} <= thing.keys()]
    stated = [(probability, truth.together((one, other))) for one, other, probability in known]
    accepted = [(one, other) for one, other, _ in known if truth.together((one, other))]
    return Suggested(
        Share(len(accepted), len(known)),
        whole(truth, joined(found, accepted)),
        tuple(reliability(stated)),
        brier(stated),
    )
