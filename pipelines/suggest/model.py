"""The probability that two things belong together: logistic regression over named features, its weights a data file.

Read a weight as it is: each unit of a feature multiplies the odds by e to the power of its weight.
"""

from collections.abc import Mapping
from functools import cache
from math import exp, isfinite, log2
from pathlib import Path
from typing import Any

import orjson

from pipelines.suggest.features import Features
from schemas.errors import Misconfigured

FEATURES = (
    "same title", "common title", "like titles", "title in text", "quotes its title", "answer", "same requester",
    "busy requester", "requester takes part", "same company", "shared people", "near in time", "far apart",
    "forwards it", "forwards its time", "forwards another", "named in title", "named in text", "named in quoted text",
    "names another", "same number", "automatic", "other tools", "one of them alone", "two issues", "two deals",
    "two tickets",
)  # fmt: skip
"""Every name that features.py gives; the data file weighs some of them."""

CONTENT = frozenset({"same title", "title in text", "quotes its title", "forwards it"})
"""Features by which two things say the same. A pair without any is no suggestion: one person asks for many things in a
week."""

FILE = Path(__file__).parent / "weights.json"
"""The weights of this release."""
_MEND = "Put the file of the release back, or fit it again with `make train`"


def worth_asking(features: Features) -> bool:
    """Whether something of the content speaks for it, and nothing rules it out: a request holds one deal, unless its
    tool or a person says otherwise."""
    return not CONTENT.isdisjoint(features) and "two deals" not in features


class Model:
    """Weights as they were read and checked.

    version: counts up with every file. threshold: what is less likely is not suggested.
    """

    def __init__(self, version: int, bias: float, weights: Mapping[str, float], threshold: float) -> None:
        self.version = version
        self.bias = bias
        self.weights = dict(weights)
        self.threshold = threshold

    def probability(self, features: Features) -> float:
        """From 0 to 1, rounded to 4 digits so that it is the same number everywhere."""
        score = self.bias + sum(self.weights.get(name, 0.0) * features[name] for name in sorted(features))
        return round(1 / (1 + exp(-max(-30.0, min(30.0, score)))), 4)

    def parts(self, features: Features) -> list[tuple[str, float]]:
        """What each feature adds to the log odds, the weightiest first; what the model does not weigh is left out."""
        told = [(name, round(self.weights[name] * value, 3)) for name, value in features.items()
                if self.weights.get(name)]  # fmt: skip
        return sorted(told, key=lambda one: (-abs(one[1]), one[0]))


@cache
def load() -> Model:
    """The weights of this release. Raises Misconfigured for a file that is none."""
    return read(FILE.read_bytes())


def read(raw: bytes) -> Model:
    """A file's weights. Raises Misconfigured that names what is wrong with it."""
    try:
        told: Any = orjson.loads(raw)
        version, bias, threshold, weights = (told[name] for name in ("version", "bias", "threshold", "weights"))
    except (orjson.JSONDecodeError, KeyError, TypeError):
        raise Misconfigured(f"{FILE.name} holds no version, bias, threshold and weights", _MEND) from None
    unknown = sorted(set(weights) - set(FEATURES)) if isinstance(weights, dict) else ["weights"]
    if unknown:
        raise Misconfigured(f"{FILE.name} weighs {unknown[0]}, which is no feature of this release", _MEND)
    numbers = [bias, threshold, *weights.values()]
    if not isinstance(version, int) or not all(_number(one) for one in numbers) or not 0 < threshold < 1:
        raise Misconfigured(f"{FILE.name} holds something else where a number belongs", _MEND)
    return Model(version, float(bias), {name: float(one) for name, one in weights.items()}, float(threshold))


def _number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and isfinite(value)


def worth(probability: float, left: int, right: int) -> float:
    """By what suggestions are ranked: how likely it is, times how much it would change (sizes of both sides).

    The number of pairs that would come together counts by its logarithm, or the largest requests would always be first.
    """
    return round(probability * log2(1 + left * right), 4)
