"""Why two artifacts belong together, or why they do not: everything that correlation told of it, put together. Pure.

Sentences name artifacts by their keys and days, never by titles, as those of links do.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from pipelines.correlate.decided import apart_words, on_day, ruled_out_words
from pipelines.correlate.evidence import CALLED_GENERIC
from pipelines.correlate.explain import called
from pipelines.correlate.paths import Paths, ends, kept
from pipelines.correlate.rules import Rules, automatic, container
from schemas.artifacts import Evidence
from schemas.decisions import DecisionKind
from schemas.links import Component, Groups, Link, Node

MOST_AGAINST = 20
"""Links that speak against a chain, told at most."""
MOST_SHARED = 20
"""Shared values told at most."""

_NAMES_NOTHING = frozenset({Evidence.DECISION, Evidence.FIELD, Evidence.WITHDRAWN})


@dataclass(frozen=True, slots=True)
class Said:
    """One link as an answer tells it, with its ends in the order of the path."""

    start: str
    end: str
    link: Link
    kept: str
    """What keeps it from joining; "" where it joins."""
    sentence: str
    since: datetime | None
    """When the evidence came to be, by its tool's clock; None if unknown."""
    carried_by: int | None = None
    """How many artifacts name the value, where they are too many for it to join."""
    other_request: str | None = None
    """The request of its end, where that is another than that of its start."""


@dataclass(frozen=True, slots=True)
class Shared:
    """A value that both artifacts name or are known as, and that joins nothing."""

    key: str | None
    """As Reference.key; None: it stands in text that is restricted."""
    artifacts: int | None
    """How many artifacts name it, where they are too many; None: not counted."""
    why: str
    """What keeps it from joining."""


@dataclass(frozen=True, slots=True)
class Reason:
    """The answer about two artifacts."""

    left: str
    right: str
    left_request: str | None
    right_request: str | None
    together: bool
    """Whether joining links lead from one to the other."""
    sentence: str
    steps: tuple[Said, ...] = ()
    """The chain that joins them; of two that are apart the nearest there is; () where nothing leads to the other."""
    decisions: tuple[tuple[int, str], ...] = ()
    """Decisions that keep them apart: number and sentence."""
    outside: tuple[tuple[str, str], ...] = ()
    """Which of both is in no request, and why."""
    shared: tuple[Shared, ...] = ()
    against: tuple[Said, ...] = ()
    """What speaks against: links of the chain's artifacts that were kept from joining, strongest first."""
    more_against: int = 0
    """How many more there are."""
    remarks: tuple[str, ...] = ()
    """What was left out while the requests concerned were put together."""


def reason(component: Component, groups: Groups, rules: Rules, left: str, right: str) -> Reason:
    """The answer, from what `correlate` made of a component that holds both artifacts. Near-linear in its links."""
    return _Answer(component, groups, rules, left, right).reason()


class _Answer:
    def __init__(self, component: Component, groups: Groups, rules: Rules, left: str, right: str) -> None:
        self._component, self._groups, self._rules = component, groups, rules
        self._left, self._right = left, right
        self._nodes = {node.artifact: node for node in component.nodes}
        self._request = {name: group.request for group in groups.requests for name in group.artifacts}
        self._paths = Paths(groups)

    def reason(self) -> Reason:
        left, right = self._left, self._right
        steps = tuple(self._said(one.start, one.end, one.link) for one in self._paths.nearest(left, right))
        together = left == right or (bool(steps) and not any(step.kept for step in steps))
        decisions = () if together else self._decisions()
        shared = () if together else tuple(self._shared({step.link.key for step in steps}))
        against = self._against(steps) if together else []
        return Reason(
            left=left,
            right=right,
            left_request=self._request.get(left),
            right_request=self._request.get(right),
            together=together,
            sentence=self._sentence(steps, decisions, shared, together=together),
            steps=steps,
            decisions=decisions,
            outside=tuple((name, self._outside(name)) for name in self._ends() if name not in self._request),
            shared=shared,
            against=tuple(against[:MOST_AGAINST]),
            more_against=max(0, len(against) - MOST_AGAINST),
            remarks=self._remarks(),
        )

    def _ends(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys((self._left, self._right)))

    def _said(self, start: str, end: str, link: Link) -> Said:
        keeps = kept(link)
        count = self._component.counts.get(link.key, 0)
        here, there = self._request.get(start), self._request.get(end)
        return Said(
            start,
            end,
            link,
            keeps,
            link.why if link.kept or not keeps else f"{link.why}, but {keeps}",
            link.since,
            carried_by=count if keeps and _names(link) and self._rules.is_generic(link.key, count) and count else None,
            other_request=there if there != here else None,
        )

    def _sentence(
        self,
        steps: tuple[Said, ...],
        decisions: tuple[tuple[int, str], ...],
        shared: Iterable[Shared],
        *,
        together: bool,
    ) -> str:
        left, right = called(self._left, self._nodes), called(self._right, self._nodes)
        if self._left == self._right:
            return f"{_capital(left)} is one artifact"
        if together:
            where = "belong to one request" if self._left in self._request else "hang together, but are in no request"
            return (
                steps[0].sentence
                if len(steps) == 1
                else f"{_capital(left)} and {right} {where}, over {len(steps)} links"
            )
        apart = [step for step in steps if step.kept]
        both = f"{_capital(left)} and {right}"
        if decisions:
            return f"{both} are apart: {decisions[0][1]}"
        if len(apart) == 1:
            return f"{both} are apart: {_small(apart[0].sentence)}"
        if apart:
            return f"{both} are apart: of the {len(steps)} links that come nearest, {len(apart)} join nothing"
        return (
            f"{both} share only what joins nothing"
            if any(shared)
            else f"Nothing that was read links {left} and {right}"
        )

    def _decisions(self) -> tuple[tuple[int, str], ...]:
        """Those that keep apart what one and what the other is joined to."""
        here, there = self._paths.joined_to(self._left), self._paths.joined_to(self._right)
        found = []
        for one in self._component.decisions:
            first, second = map(frozenset, one.parted)
            if (first & here and second & there) or (first & there and second & here):
                found.append((one.number, apart_words(one, (self._left, self._right))))
        return tuple(sorted(found))

    def _outside(self, artifact: str) -> str:
        """Why an artifact is in no request."""
        node = self._nodes[artifact]
        others = len(self._paths.joined_to(artifact)) > 1
        rest = "nothing that it is joined to opens one" if others else "it is joined to nothing"
        return f"{_capital(called(artifact, self._nodes))} is in no request: {self._closed(node)}, and {rest}"

    def _closed(self, node: Node) -> str:
        """Why an artifact opens no request."""
        for one in self._component.decisions:
            if one.kind is DecisionKind.NO_REQUEST and node.artifact in one.left:
                return ruled_out_words(one)
        if self._rules.opens(node):
            number = dict(self._groups.kept_out).get(node.artifact)
            above = next(one for one in self._component.decisions if one.number == number)
            return f"{above.by} decided on {on_day(above)} that what it belongs to is no request (decision {number})"
        return closed(node, self._rules)

    def _shared(self, told: set[str]) -> Iterable[Shared]:
        """Values that both name or are known as, but for those told already."""
        here, there = (
            {one.key for one in self._nodes[name].references if one.evidence not in _NAMES_NOTHING}
            for name in (self._left, self._right)
        )
        # What one of both is known as, the other states of it: a link that is told if it is the nearest.
        own = {
            one.key
            for name in (self._left, self._right)
            for one in self._nodes[name].references
            if one.evidence is Evidence.IDENTITY and one.key not in self._rules.called_generic
        }
        for key in sorted((here & there) - told - own)[:MOST_SHARED]:
            count = self._component.counts.get(key, 0)
            many = self._rules.is_generic(key, count) and count > 0
            yield Shared(key, count if many else None, self._means_nothing(key, count if many else 0))

    def _means_nothing(self, key: str, count: int) -> str:
        if key in self._rules.called_generic:
            return CALLED_GENERIC
        if count:
            return f"{count} artifacts name it, more than {self._rules.generic}: too many for it to join them"
        if key.startswith("url|"):
            return "no artifact is known as it: it may be any page"
        return "it names nothing that is read"

    def _against(self, steps: Iterable[Said]) -> list[Said]:
        """Links of what is on the chain that were kept from joining, each from the chain outwards."""
        chain = dict.fromkeys(end for step in steps for end in (step.start, step.end) if end in self._nodes)
        found = []
        for link in self._paths.touching(chain):
            if link.kept:
                start, end = ends(link)
                start, end = (start, end) if start in chain else (end, start)
                found.append(self._said(start, end, link))
        return found

    def _remarks(self) -> tuple[str, ...]:
        concerned = {self._request.get(name) for name in self._ends()}
        said = {remark for group in self._groups.requests if group.request in concerned for remark in group.remarks}
        if None in concerned:
            said.update(self._groups.remarks)
        return tuple(sorted(said))


def closed(node: Node, rules: Rules) -> str:
    """Why an artifact, by itself, opens no request. For those that `rules.opens` says so of."""
    if node.merged_into:
        return "it was merged into another"
    if automatic(node):
        return f"automatic mail ({node.type}) opens none"
    if rules.of(node.connection).openers is not None:
        return f"things of its type ({node.type or 'none'}) are not among those that open one here"
    if container(node):
        return "what contains others opens none"
    return (
        "it is a sub-task, which only joins one"
        if (node.type_level or 0) < 0
        else "it is of a kind that only joins one"
    )


def _names(link: Link) -> bool:
    return link.evidence in {Evidence.TITLE, Evidence.WRITTEN}


def _capital(words: str) -> str:
    return words[:1].upper() + words[1:]


def _small(sentence: str) -> str:
    """A sentence inside another: it begins with an article in lower case, or with a key as it is."""
    return sentence[:1].lower() + sentence[1:] if sentence.startswith(("The ", "A ")) else sentence
