"""Named features of a pair: how two things that no evidence joins are alike, and what speaks against. Each 0 to 1."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from math import prod

from pipelines.suggest import blocks
from pipelines.suggest.faces import Face, Unit

Features = Mapping[str, float]
"""Feature to value; what is 0 is left out."""

_RARITY = (1.0, 0.6, 0.3, 0.12)
"""What a word counts for, from rare to common."""
_TEXT_TITLE = 3
"""A title of fewer words may stand in any text."""
_CONTAINED = 0.8
_DAY = 24 * 60
_EVIDENCE = {"title": "named in title", "explicit": "named in title", "written": "named in text",
             "quoted": "named in quoted text"}  # fmt: skip


class Sizes:
    """How many units share each block, by key; what is not there nobody shares."""

    def __init__(self, sizes: Mapping[str, int]) -> None:
        self._sizes = sizes
        self._rarity: dict[str, float] = {}

    def of(self, key: str) -> int:
        """How many units share a block."""
        return self._sizes.get(key, 0)

    def rarity(self, word: str) -> float:
        """What a word of titles counts for."""
        known = self._rarity.get(word)
        if known is None:
            known = self._rarity[word] = _RARITY[blocks.level(self.of(blocks.word_key(word)))]
        return known


@dataclass(frozen=True, slots=True)
class Pair:
    """Two faces, one of each unit, with what is so of them."""

    left: Face
    right: Face
    features: Features


def compared(left: Unit, right: Unit, sizes: Sizes) -> list[Pair]:
    """Each face of the one with each of the other. Symmetric: the same features whichever comes first."""
    whole = _of_units(left, right)
    return [Pair(one, other, whole | of_faces(one, other, sizes)) for one in left.faces for other in right.faces]


def _of_units(left: Unit, right: Unit) -> dict[str, float]:
    both = set(left.kinds) & set(right.kinds)
    told = {
        "other tools": not set(left.connectors) & set(right.connectors),
        "one of them alone": min(left.size, right.size) == 1,
        "two issues": "issue" in both,
        "two deals": "deal" in both,
        "two tickets": "ticket" in both,
    }
    return {name: 1.0 for name, so in told.items() if so}


def of_faces(one: Face, other: Face, sizes: Sizes) -> dict[str, float]:
    """The features of two faces."""
    found = {**_titles(one, other, sizes), **_people(one, other, sizes), **_time(one, other)}
    found |= {**_forwards(one, other), **_named(one, other), **_marks(one, other, sizes)}
    if _quotes(one, other) or _quotes(other, one):
        found["quotes its title"] = 1.0
    if one.automatic or other.automatic:
        found["automatic"] = 1.0
    return {name: round(value, 3) for name, value in found.items() if value}


def _titles(one: Face, other: Face, sizes: Sizes) -> dict[str, float]:
    if not one.title or not other.title:
        return {}
    mine, theirs = set(one.title), set(other.title)
    if mine == theirs:
        common = blocks.level(sizes.of(blocks.title_key(one.title))) / len(blocks.LEVELS)
        first = one if _before(one, other) else other
        second = other if first is one else one
        return {"same title": 1.0, "common title": common, "answer": float(second.answers and not first.answers)}
    shared, every = (sum(sizes.rarity(word) for word in words) for words in (mine & theirs, mine | theirs))
    contained = max(_contained(one.title, other.text), _contained(other.title, one.text))
    return {"like titles": shared / every, "title in text": contained}


def _before(one: Face, other: Face) -> bool:
    return (one.at or 0, one.artifact) < (other.at or 0, other.artifact)


def _contained(title: tuple[str, ...], text: tuple[str, ...]) -> float:
    if len(title) < _TEXT_TITLE or not text:
        return 0.0
    share = len(set(title) & set(text)) / len(set(title))
    return share if share >= _CONTAINED else 0.0


def _quotes(one: Face, other: Face) -> bool:
    """Whether the one's text puts the other's title in quotation marks, or most words of it."""
    title = set(other.title)
    quoted = (set(mark.split()) for mark in one.marks if " " in mark)
    return any(words == title or (len(words) >= _TEXT_TITLE and (words <= title or title <= words))
               for words in quoted if len(title) > 1)  # fmt: skip


def _people(one: Face, other: Face, sizes: Sizes) -> dict[str, float]:
    same = set(one.requesters) & set(other.requesters)
    found: dict[str, float] = {}
    if same:
        found["same requester"] = 1.0
        found["busy requester"] = _busy(same, one, other, sizes)
    elif (set(one.requesters) & set(other.people)) or (set(other.requesters) & set(one.people)):
        found["requester takes part"] = 1.0
    elif one.company and one.company == other.company:
        found["same company"] = 1.0
    every = set(one.people) | set(other.people)
    if every:
        found["shared people"] = len(set(one.people) & set(other.people)) / len(every)
    return found


def _busy(people: set[str], one: Face, other: Face, sizes: Sizes) -> float:
    times = [face.at for face in (one, other) if face.at is not None]
    counts = [
        sizes.of(blocks.person_key(who, window)) for who in people for at in times for window in blocks.windows(at)
    ]
    return blocks.level(max(counts, default=0)) / len(blocks.LEVELS)


def _time(one: Face, other: Face) -> dict[str, float]:
    if one.at is None or other.at is None:
        return {}
    days = abs(one.at - other.at) / _DAY
    return {"near in time": 1 / (1 + days / 7), "far apart": float(days > 90)}


def _forwards(one: Face, other: Face) -> dict[str, float]:
    passed = [(f, of) for f, of in ((one, other), (other, one)) if f.forwarded_from or f.forwarded]
    found: dict[str, float] = {}
    for forward, of in passed:
        if set(forward.forwarded_from) & set(of.requesters) and (forward.forwarded or forward.title) == of.title:
            found["forwards it"] = 1.0
            if of.at is not None and same_moment(forward.forwarded_at, of.at):
                found["forwards its time"] = 1.0
        elif forward.forwarded and forward.forwarded != of.title:
            found["forwards another"] = 1.0
    return found


def same_moment(told: str, minutes: int) -> bool:
    """Whether a time as a mail program wrote it, in any language and zone, may be this one: its minute and year are."""
    numbers = [int(found) for found in re.findall(r"[0-9]{1,4}", told)]
    clock = re.search(r"([0-9]{1,2}):([0-9]{2})", told)
    if clock is None or int(clock[2]) != minutes % 60:
        return False
    day = date(1970, 1, 1) + timedelta(minutes // _DAY)
    around = (day + timedelta(shift) for shift in (-1, 0, 1))
    return any(one.year in numbers and one.day in numbers for one in around)


def _named(one: Face, other: Face) -> dict[str, float]:
    """The best that either says of what the other is known as; correlation found a reason not to join by it."""
    said = {_EVIDENCE[how] for f, of in ((one, other), (other, one)) for value, how in f.named if value in of.known_as}
    best = next((name for name in dict.fromkeys(_EVIDENCE.values()) if name in said), None)
    apart = bool(one.named and other.known_as and not said)
    return {best: 1.0} if best else {"names another": float(apart or bool(other.named and one.known_as and not said))}


def _marks(one: Face, other: Face, sizes: Sizes) -> dict[str, float]:
    shared = [mark for mark in set(one.marks) & set(other.marks) if sizes.of(f"mark|{mark[:80]}") <= blocks.LIMIT]
    return {"same number": 1 - prod(0.5 for _ in shared)} if shared else {}
