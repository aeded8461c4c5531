"""Why two artifacts belong together: the shortest chain of joining links between them. Pure."""

from collections import deque
from collections.abc import Mapping, Sequence
from typing import Any

Link = Mapping[str, Any]
"""As in the record: left, right, relation, effect, evidence, why."""


def chain(links: Sequence[Link], left: str, right: str) -> list[Link]:
    """The joining links that lead from left to right, in order; [] if none do. Equal lengths: the first by artifact."""
    beside: dict[str, list[tuple[str, Link]]] = {}
    for link in links:
        if link["effect"] == "joins":
            beside.setdefault(link["left"], []).append((link["right"], link))
            beside.setdefault(link["right"], []).append((link["left"], link))
    came: dict[str, tuple[str, Link] | None] = {left: None}
    waiting = deque([left])
    while waiting and right not in came:
        here = waiting.popleft()
        for there, link in sorted(beside.get(here, ()), key=lambda pair: pair[0]):
            if there not in came:
                came[there] = (here, link)
                waiting.append(there)
    return _back(came, right)


def _back(came: Mapping[str, tuple[str, Link] | None], right: str) -> list[Link]:
    found: list[Link] = []
    step = came.get(right)
    while step is not None:
        here, link = step
        found.append(link)
        step = came[here]
    return found[::-1]
