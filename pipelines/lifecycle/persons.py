"""Which identities are one person: by decision, else by one address. Never by name."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

from schemas.artifacts import Identity
from schemas.decisions import Decision


def persons(identities: Iterable[Identity], decisions: Sequence[Decision]) -> Mapping[str, str]:
    """Identity id to person id, the first of the person's identities by name. {}: no decision, so addresses alone say.

    decisions: about people, those that hold and concern any of the identities. What a decision parts, an equal address
    does not join again.
    """
    if not decisions:
        return {}
    known = sorted(identities, key=lambda one: one.id)
    classes = _Classes(decisions)
    by_address: dict[str, list[str]] = defaultdict(list)
    for each in known:
        if each.address:
            before = by_address[each.address]
            classes.join_any(each.id, before)
            before.append(each.id)
    return {each.id: classes.of(each.id) for each in known}


class _Classes:
    """Identities grouped; the first by name stands for its group."""

    def __init__(self, decisions: Sequence[Decision]) -> None:
        self._of: dict[str, str] = {}
        self._groups: dict[str, set[str]] = {}
        self._apart = [(set(left), set(right)) for left, right in (one.parted for one in decisions) if left]
        for one in decisions:
            for end in one.joined[1:]:
                self.join(one.joined[0], end)

    def of(self, end: str) -> str:
        return self._of.get(end, end)

    def join(self, left: str, right: str) -> None:
        one, other = sorted((self.of(left), self.of(right)))
        if one == other:
            return
        group = self._groups.setdefault(one, {one}) | self._groups.pop(other, {other})
        self._groups[one] = group
        self._of |= dict.fromkeys(group, one)

    def join_any(self, end: str, others: Sequence[str]) -> None:
        """Join with the first of the others that no decision keeps apart."""
        other = next((one for one in others if not self.parted(one, end)), None)
        if other:
            self.join(other, end)

    def parted(self, left: str, right: str) -> bool:
        one = self._groups.get(self.of(left), {left})
        other = self._groups.get(self.of(right), {right})
        return any((one & a and other & b) or (one & b and other & a) for a, b in self._apart)
