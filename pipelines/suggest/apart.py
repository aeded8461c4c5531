"""Which units decisions keep apart, and which artifacts they say are no request's."""

from collections.abc import Iterable, Mapping

from pipelines.correlate.parts import Parts
from schemas.decisions import Decision, DecisionKind


class Apart:
    """decisions: that hold and concern any of the artifacts. unit_of: the artifacts that one names, to their units."""

    def __init__(self, decisions: Iterable[Decision], unit_of: Mapping[str, str]) -> None:
        held = tuple(decisions)
        self._pairs: set[frozenset[str]] = set()
        self.ruled_out = frozenset(end for one in held if one.kind is DecisionKind.NO_REQUEST for end in one.left)
        classes = Parts()
        for one in held:
            for end in one.joined[1:]:
                classes.join(one.joined[0], end)
        units: dict[str, set[str]] = {}
        for name, unit in unit_of.items():
            units.setdefault(classes.of(name), set()).add(unit)
        for one in held:
            left, right = ({unit for end in side for unit in units.get(classes.of(end), ())} for side in one.parted)
            self._pairs |= {frozenset((a, b)) for a in left for b in right}

    def keeps(self, left: str, right: str) -> bool:
        """Whether some decision says that something of the one does not belong to something of the other."""
        return frozenset((left, right)) in self._pairs
