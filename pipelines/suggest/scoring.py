"""From two units to a suggestion: the most likely pair of their faces, and what accepting it would change. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pipelines.suggest.apart import Apart
from pipelines.suggest.faces import Unit
from pipelines.suggest.features import Features, Sizes, compared
from pipelines.suggest.model import Model, worth, worth_asking
from schemas.canonical import canonical_json, digest, short_id


@dataclass(frozen=True, slots=True)
class Suggestion:
    """Two units that may be one. left and right: one artifact of each, in order; units likewise, by their names."""

    left_unit: str
    right_unit: str
    left: str
    right: str
    probability: float
    worth: float
    features: Features
    change: Mapping[str, Any]

    @property
    def id(self) -> str:
        """Follows from the two artifacts alone."""
        return suggestion_id(self.left, self.right)

    @property
    def evidence(self) -> str:
        """A digest of the features: it changes when the evidence does."""
        return digest(canonical_json(dict(self.features)))[:16]


def suggestion_id(left: str, right: str) -> str:
    """The id of what is suggested about two artifacts, whichever comes first."""
    return "S-" + short_id("\n".join(sorted((left, right))))


def is_request(unit: str) -> bool:
    """Whether a unit is a request; artifacts' ids hold a slash."""
    return "/" not in unit


def suggestion(one: Unit, other: Unit, sizes: Sizes, model: Model, apart: Apart) -> Suggestion | None:
    """The most likely pair of two units; None where it is not likely enough, or a decision keeps them apart."""
    left, right = sorted((one, other), key=lambda unit: unit.name)
    if apart.keeps(left.name, right.name) or not (is_request(left.name) or is_request(right.name)):
        return None
    best: tuple[float, str, str, Features] | None = None
    for pair in compared(left, right, sizes):
        ends = sorted((pair.left.artifact, pair.right.artifact))
        if apart.ruled_out.isdisjoint(ends) and worth_asking(pair.features):
            found = (-model.probability(pair.features), ends[0], ends[1], pair.features)
            best = found if best is None or found[:3] < best[:3] else best
    if best is None or -best[0] < model.threshold:
        return None
    rank = worth(-best[0], left.size, right.size)
    return Suggestion(left.name, right.name, best[1], best[2], -best[0], rank, best[3], change(left, right))


def change(left: Unit, right: Unit) -> dict[str, Any]:
    """What accepting would do: the request that stays, those that become part of it, the artifacts that move."""
    requests = sorted(
        (unit for unit in (left, right) if is_request(unit.name)), key=lambda unit: (unit.begun, unit.name)
    )
    into = requests[0]
    moved = right if into is left else left
    return {"into": into.name, "merges": [unit.name for unit in requests[1:]], "moves": moved.size}
