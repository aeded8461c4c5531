"""By which keys a person is known, whichever of their identities a tool names."""

from collections.abc import Iterable, Mapping, Sequence

from pipelines.correlate.parts import Parts
from schemas.artifacts import Identity
from schemas.decisions import Decision


def keys(identities: Iterable[Identity], decisions: Sequence[Decision] = ()) -> Mapping[str, tuple[str, ...]]:
    """Identity id to the keys of its person: the address, and what a decision joined; none of a machine.

    decisions: about people, those that hold. What a decision parts from another is known by itself alone.
    """
    classes, joined, parted = Parts(), set[str](), set[str]()
    for one in decisions:
        joined |= set(one.joined)
        parted |= {end for side in one.parted for end in side}
        for end in one.joined[1:]:
            classes.join(one.joined[0], end)
    first: dict[str, str] = {}
    for end in sorted(joined):
        first.setdefault(classes.of(end), end)
    found = {}
    for each in identities:
        own = [each.address if each.address and each.id not in parted else each.id]
        if each.id in joined:
            own.append(f"person|{first[classes.of(each.id)]}")
        found[each.id] = () if each.machine else tuple(own)
    return found
