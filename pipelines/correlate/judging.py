"""Whether a decision may be taken: judged against other decisions alone, never against evidence. Pure."""

from collections import defaultdict, deque
from collections.abc import Callable, Iterable, Sequence

from pipelines.correlate.explain import day
from pipelines.correlate.parts import Parts
from schemas.canonical import instant
from schemas.decisions import Decision, DecisionKind, Refusal

MEND = "Undo that decision first, if it no longer holds."


def judge(wish: Decision, others: Iterable[Decision], called: Callable[[str], str] = str) -> None:
    """Raise Refusal where the wish contradicts decisions that hold, or says what one of them says.

    others: all that hold and are linked to what the wish names by what they join. called: what people call an artifact.
    """
    held = sorted(others, key=lambda one: one.number)
    for one in held:
        if _says(one) == _says(wish):
            raise Refusal("said already", f"{said(one, called)}.", "Nothing needs to be decided.", number=one.number)
    classes = Parts()
    for one in (*held, wish):
        for end in one.joined[1:]:
            classes.join(one.joined[0], end)
    for one in (*held, wish):
        if pair := _joined_pair(one, classes):
            raise _contradiction(wish, one, pair, held, called)
    _judge_ruled_out(wish, held, classes, called)


def _says(decision: Decision) -> tuple[object, ...]:
    """What a decision says, whoever says it, and in whichever order."""
    if decision.kind is DecisionKind.NO_REQUEST:
        return "out", frozenset(decision.left)
    left, right = decision.parted
    return frozenset(decision.joined), frozenset({frozenset(left), frozenset(right)})


def _joined_pair(decision: Decision, classes: Parts) -> tuple[str, str] | None:
    """Two ends that the decision keeps apart although they are joined."""
    left, right = decision.parted
    at = {classes.of(end): end for end in reversed(left)}
    return next(((at[classes.of(end)], end) for end in right if classes.of(end) in at), None)


def _contradiction(
    wish: Decision, parting: Decision, pair: tuple[str, str], held: Sequence[Decision], called: Callable[[str], str]
) -> Refusal:
    if parting is not wish:
        return Refusal("contradiction", f"{said(parting, called)}.", MEND, number=parting.number)
    # A split joins what leaves: its own part of the way stands in nobody's way.
    way = [one for one in _way(pair, [one for one in (*held, wish) if one.joined]) if one is not wish]
    words = "; ".join(said(one, called) for one in way)
    mend = MEND if len(way) < 2 else "Undo one of these decisions first, if it no longer holds."
    return Refusal("contradiction", f"{words}.", mend, number=way[0].number if way else None)


def _way(pair: tuple[str, str], joining: Sequence[Decision]) -> list[Decision]:
    """The fewest decisions that join two ends."""
    by_end: dict[str, list[Decision]] = defaultdict(list)
    for one in joining:
        for end in one.joined:
            by_end[end].append(one)
    came: dict[str, tuple[str, Decision] | None] = {pair[0]: None}
    waiting = deque([pair[0]])
    while waiting and pair[1] not in came:
        here = waiting.popleft()
        for one in by_end[here]:
            for end in one.joined:
                if end not in came:
                    came[end] = (here, one)
                    waiting.append(end)
    way: list[Decision] = []
    step = came.get(pair[1])
    while step:
        way.append(step[1])
        step = came[step[0]]
    return way[::-1]


def _judge_ruled_out(wish: Decision, held: Sequence[Decision], classes: Parts, called: Callable[[str], str]) -> None:
    """What is no request cannot be joined with what may be one."""
    out = {end: one for one in reversed((*held, wish)) if one.kind is DecisionKind.NO_REQUEST for end in one.left}
    inside: dict[str, list[str]] = defaultdict(list)
    for one in (*held, wish):
        for end in one.joined:
            inside[classes.of(end)].append(end)
    for ends in inside.values():
        ruled, free = [end for end in ends if end in out], [end for end in ends if end not in out]
        if ruled and free:
            against = out[ruled[0]]
            if against is wish:
                against = next(one for one in held if ruled[0] in one.joined)
            raise Refusal("contradiction", f"{said(against, called)}.", MEND, number=against.number)


def said(decision: Decision, called: Callable[[str], str] = str) -> str:
    """A decision in one sentence, without its full stop: who said what, and when."""
    on = day(instant(decision.at))
    return f"{decision.by} decided on {on} that {says(decision, called)} (decision {decision.number})"


def says(decision: Decision, called: Callable[[str], str] = str) -> str:
    """What a decision says, as a part of a sentence."""
    left, right = _listed(decision.left, called), _listed(decision.right, called)
    one = len(decision.left) == 1
    return {
        DecisionKind.LINK: f"{left} and {right} belong together",
        DecisionKind.UNLINK: f"{left} and {right} do not belong together",
        DecisionKind.MERGE: f"the requests of {left} and {right} are one",
        DecisionKind.SPLIT: f"{left} {'belongs' if one else 'belong'} to another request than {right}",
        DecisionKind.NO_REQUEST: f"{left} {'is' if one else 'are'} no request",
        DecisionKind.SAME_PERSON: f"{left} and {right} are one person",
        DecisionKind.OTHER_PERSON: f"{left} and {right} are two people",
        DecisionKind.UNDO: f"decision {decision.undoes} no longer holds",
    }[decision.kind]


def _listed(ends: Sequence[str], called: Callable[[str], str]) -> str:
    shown = [called(end) for end in ends[:3]]
    more = len(ends) - len(shown)
    return ", ".join(shown) + (f" and {more} more" if more else "")
