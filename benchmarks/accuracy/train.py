"""Fit the weights of suggestions: `python -m benchmarks.accuracy.train [--apply] [--size N]` (`make train`).

Companies of some seeds are fitted, one of another says which features add nothing and are left out, a third group
calibrates the probabilities, and others again, never looked at before, say how good it is. With --apply the weights are
written into the package, as the next version.
"""

import argparse
import asyncio
import logging
import sys
import tempfile
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import orjson

from benchmarks.accuracy.company import company
from benchmarks.accuracy.feeding import feed
from benchmarks.accuracy.fitting import Fit, Row, calibrated, fit
from benchmarks.accuracy.metrics import Pairs, Share, brier, joined, pairwise, reliability
from benchmarks.accuracy.noise import LEVELS as KNOWN_LEVELS
from benchmarks.accuracy.noise import Noise
from benchmarks.accuracy.suggested import Compared, compared
from benchmarks.accuracy.told import events
from benchmarks.accuracy.truth import Planted, Truth
from pipelines.suggest import model

FITTED = (("faint", 111), ("hard", 102), ("faint", 112))
CHOSEN_BY = (("faint", 201),)
CALIBRATED_BY = (("normal", 101), ("normal", 103), ("hard", 104))
HELD_OUT = (("normal", 301), ("hard", 302), ("holdout", 303))
ADDS = 0.0002
"""A feature is left out where the mean loss of the companies that choose grows by less than this without it."""
LEVELS = KNOWN_LEVELS | {"faint": Noise("faint", traps=0.5, faint=0.6, adverse=0.3, careless=0.1)}
"""The benchmark's noise levels, and one in which more than half of the requests have a part that only likeness ties:
of the others alone there would be too little to fit. How likely a pair is at all follows from the others again."""
AGAINST = frozenset({
    "common title", "busy requester", "far apart", "forwards another", "names another", "two issues", "two deals",
    "two tickets", "automatic",
})  # fmt: skip
"""Features that speak against a pair; all others speak for it. What comes out the other way round says something about
the generated companies only, and is left out: nobody could read it."""
THRESHOLD = 0.2
"""What is less likely is not suggested."""


@dataclass(frozen=True, slots=True)
class Set:
    """A company with all pairs that the hub compared, and which of them belong together."""

    name: str
    truth: Truth
    found: list[int]
    """Thing to the group it was put in without suggestions."""
    pairs: list[Compared]
    rows: Sequence[tuple[Row, bool]]


def everything() -> model.Model:
    """Suggests all that is compared; of two units the pair that shows most."""
    return model.Model(0, 0.0, {name: -1.0 if name in AGAINST else 1.0 for name in model.FEATURES}, 1e-15)


async def collect(noise: str, seed: int, size: int) -> Set:
    """Generate a company, take it in, compare."""
    world = company(seed, size, LEVELS[noise])
    told = await events(world)
    pairs: list[Compared] = []

    async def keep(engine: object) -> Sequence[tuple[str, str, float]]:
        pairs.extend(await compared(engine, everything()))  # type: ignore[arg-type]
        return ()

    with tempfile.TemporaryDirectory(prefix="throughline-train-") as folder:
        outcome = await feed(Path(folder) / "hub.db", told, keep)
    things: dict[str, list[int]] = defaultdict(list)
    for thing, artifact in enumerate(world.truth.artifact):
        things[artifact].append(thing)
    pairs = [one for one in pairs if model.worth_asking(one.features)]
    rows = [
        (one.features, any(world.truth.together((a, b)) for a in things[one.left] for b in things[one.right]))
        for one in pairs
    ]
    return Set(f"{noise} {seed}", world.truth, outcome.partition(world.truth), pairs, rows)


def chosen(fitted: Sequence[tuple[Row, bool]], judge: Sequence[tuple[Row, bool]]) -> tuple[Fit, list[str]]:
    """Leave out what comes out against its meaning, and what adds nothing; the smallest weights are tried first."""
    names = [name for name in model.FEATURES if any(name in row for row, _ in fitted)]
    told = [f"{name}: left out, it never occurred" for name in model.FEATURES if name not in names]
    best = fit(fitted, names)
    while odd := [name for name in names if (best.weights[name] < 0) != (name in AGAINST)]:
        name = max(odd, key=lambda one: abs(best.weights[one]))
        told.append(f"{name}: left out, it came out against its meaning ({best.weights[name]:+.2f})")
        names = [other for other in names if other != name]
        best = fit(fitted, names, begin=best)
    loss = best.loss(judge)
    for name in sorted(names, key=lambda one: abs(best.weights[one])):
        without = fit(fitted, [other for other in names if other != name], begin=best)
        more = without.loss(judge) - loss
        if more < ADDS:
            told.append(f"{name}: left out, the loss without it is {more:+.5f}")
            names, best, loss = [other for other in names if other != name], without, without.loss(judge)
    return best, told


def rule(row: Row) -> float:
    """The plain rule that the model is measured against: one requester, one title, within a month."""
    near = row.get("near in time", 0.0) >= 1 / (1 + 30 / 7)
    return 0.9 if row.get("same title") and row.get("same requester") and near else 0.05


def report(one: Set, told: Sequence[float], what: str) -> Iterator[str]:
    """How good some probabilities are on a company."""
    stated = [(probability, true) for probability, (_, true) in zip(told, one.rows, strict=True)]
    yield f"{one.name}, {what}: Brier {brier(stated):.4f}, {len(stated)} pairs, {sum(true for _, true in stated)} true"
    for at in (THRESHOLD, 0.5, 0.8):
        some = [true for probability, true in stated if probability >= at]
        precision = Share(sum(some), len(some))
        low, high = precision.interval()
        yield (f"  from {at}: {len(some)} suggested, precision {precision.value:.3f} [{low:.3f}, {high:.3f}], "
               f"of the true pairs compared {sum(some) / max(1, sum(true for _, true in stated)):.3f}")  # fmt: skip
    before, after = _accepted(one, told)
    recall = f"recall {before.recall.value:.4f} without, {after.recall.value:.4f}"
    yield f"  pairs joined: {recall} with all right ones accepted"
    yield f"  of pairs that only likeness ties: {_likeness(one, told)}"


def _accepted(one: Set, told: Sequence[float]) -> tuple[Pairs, Pairs]:
    true = one.truth.partition()
    return pairwise(true, one.found), pairwise(true, _joined(one, told))


def _joined(one: Set, told: Sequence[float]) -> list[int]:
    thing = {artifact: number for number, artifact in enumerate(one.truth.artifact)}
    right = [
        (thing[pair.left], thing[pair.right])
        for pair, probability, (_, true) in zip(one.pairs, told, one.rows, strict=True)
        if true and probability >= THRESHOLD
    ]
    return joined(one.found, right)


def _likeness(one: Set, told: Sequence[float]) -> str:
    some = [pair for pair, kind in one.truth.evidence().items() if kind is Planted.SIMILARITY]
    after = _joined(one, told)
    before, now = (sum(part[a] == part[b] for a, b in some) for part in (one.found, after))
    return f"{before} of {len(some)} joined without, {now} with"


def table(sets: Iterable[Set], made: Fit) -> Iterator[str]:
    """The reliability table of the model on companies held out."""
    stated = [(made.probability(row), true) for one in sets for row, true in one.rows]
    for each in reliability(stated):
        low, high = each.true.interval()
        yield (f"  {each.low:.1f} to {each.high:.1f}: stated {each.stated:.3f}, true {each.true.value:.3f} "
               f"[{low:.3f}, {high:.3f}] of {each.true.of}")  # fmt: skip


def write(made: Fit) -> None:
    """Put the weights into the package, as the next version."""
    version = model.read(model.FILE.read_bytes()).version + 1
    weights = {name: round(weight, 3) for name, weight in made.weights.items()}
    told = {"version": version, "bias": round(made.bias, 3), "threshold": THRESHOLD, "weights": weights}
    model.FILE.write_bytes(orjson.dumps(told, option=orjson.OPT_INDENT_2) + b"\n")


async def _rows(wanted: Iterable[tuple[str, int]], size: int) -> list[tuple[Row, bool]]:
    return [row for noise, seed in wanted for row in (await collect(noise, seed, size)).rows]


async def _train(size: int) -> tuple[Fit, list[str], list[Set]]:
    fitted, judges = await _rows(FITTED, size), await _rows(CHOSEN_BY, size)
    made, left_out = chosen(fitted, judges)
    made = calibrated(made, await _rows(CALIBRATED_BY, size))
    return made, left_out, [await collect(noise, seed, size) for noise, seed in HELD_OUT]


def main() -> int:
    """Fit, report, and with --apply write."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.accuracy.train", description=__doc__)
    parser.add_argument("--apply", action="store_true", help="write the weights into the package")
    parser.add_argument("--size", type=int, default=600, help="requests of each company (600)")
    given = parser.parse_args()
    logging.disable(logging.ERROR)
    made, left_out, held_out = asyncio.run(_train(given.size))
    lines = [f"bias {made.bias:.3f}", *(f"{name} {weight:.3f}" for name, weight in made.weights.items()), *left_out]
    for one in held_out:
        lines += report(one, [made.probability(row) for row, _ in one.rows], "the model")
        lines += report(one, [rule(row) for row, _ in one.rows], "the plain rule")
    lines += ["reliability, all held out:", *table(held_out, made)]
    sys.stdout.write("\n".join(lines) + "\n")
    if given.apply:
        write(made)
    return 0


if __name__ == "__main__":
    sys.exit(main())
