"""One value for a field that several artifacts state: a fixed preference decides, and who differs stays visible."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, Literal

from pipelines.lifecycle.lives import Life, carries
from pipelines.lifecycle.members import Member
from pipelines.lifecycle.spans import over
from schemas.artifacts import ActivityKind, State
from schemas.records import Amount, FieldSource, Holder, Outcome, SourceOther, StatedDate

OTHERS = 20
"""How many that differ are named for one field."""

_KINDS = ("deal", "ticket", "issue", "mail")
"""Whose word counts first: what people curate for the customer, before what they write in passing."""

_DATES: tuple[tuple[Literal["due", "target"], str], ...] = (("due", "due_at"), ("target", "target_at"))


def ranked(life: Life) -> list[Member]:
    """The members, those whose word counts first in front: alive before gone, then by kind, opener first, oldest."""

    def rank(member: Member) -> tuple[bool, int, bool, bool]:
        kind = _KINDS.index(member.kind) if member.kind in _KINDS else len(_KINDS)
        return life.gone(member), kind, member.level != 0, member.fields.get("opens") is not True

    return sorted(life.members, key=rank)


class Choices:
    """The chosen fields of one record, and their sources."""

    def __init__(self, life: Life) -> None:
        self._life = life
        self._ranked = ranked(life)
        self.sources: dict[str, FieldSource] = {}

    def _choose(self, name: str, candidates: Iterable[tuple[Member, Any]]) -> tuple[Member, Any] | None:
        stated = [(member, value) for member, value in candidates if value is not None]
        if not stated:
            return None
        member, value = stated[0]
        others = [SourceOther(artifact=each.id, value=said) for each, said in stated[1:] if said != value]
        self.sources[name] = FieldSource(artifact=member.id, others=tuple(others[:OTHERS]))
        return member, value

    def text(self, name: str) -> str | None:
        """A text field; what is restricted has no say."""
        shown = [each for each in self._ranked if not self._life.request.hides(each)]
        chosen = self._choose(name, ((each, each.text(name)) for each in shown))
        return chosen[1] if chosen else None

    def requester(self) -> str | None:
        """The person who asked first: of the oldest artifact that names a human."""
        people = self._life.people
        named = [each for each in self._life.members if not people.machine(each.text("requester"))]
        first = sorted(named, key=lambda each: (each.fields.get("opens") is not True, self._life.gone(each)))
        chosen = self._choose("requester", ((each, people.person(each.fields.get("requester"))) for each in first))
        return chosen[1] if chosen else None

    def amount(self) -> Amount | None:
        """What the first live deal is worth."""
        open_first = sorted(self._ranked, key=lambda each: self._life.stands(each).state is State.CANCELLED)
        shown = (each for each in open_first if not self._life.request.hides(each))
        chosen = self._choose("amount", ((each, _amount(each.fields.get("amount"))) for each in shown))
        return Amount(**chosen[1]) if chosen else None

    def holder(self) -> Holder | None:
        """The assignee of open work in the stage the request is in, worked on before waiting, else of any open work."""
        life, stage = self._life, self._life.way[-1].stage
        order = (State.ACTIVE, State.WAITING, State.NEW, None)
        open_work = [each for each in self._ranked if life.unfinished(each)]

        def rank(member: Member) -> tuple[bool, int]:
            placed = life.stands(member)
            return placed.stage != stage, order.index(placed.state)

        held = sorted(open_work, key=rank)
        chosen = self._choose("holder", ((each, life.people.person(each.fields.get("assignee"))) for each in held))
        if chosen is None:
            return None
        member, person = chosen
        return Holder(person=life.people.view(person), since=assigned_since(life, member), artifact=member.id)

    def outcome(self) -> Outcome | None:
        """How the request ended: as the last artifact says that ended this way; None while it goes on."""
        life, last = self._life, self._life.way[-1]
        if not ended(life):
            return None
        way = [each for each in self._ranked if carries(each) and life.stands(each).state is last.state]
        shown = [(each, None if life.request.hides(each) else _reason(each)) for each in _newest(life, way)]
        chosen = self._choose("outcome", shown)
        member = chosen[0] if chosen else next((each for each, _ in shown), life.members[0])
        result: Literal["done", "cancelled"] = "cancelled" if last.state is State.CANCELLED else "done"
        return Outcome(result=result, reason=chosen[1] if chosen else None, at=last.entered, artifact=member.id)


def _newest(life: Life, members: Sequence[Member]) -> list[Member]:
    dated = [(since, each) for each in members if (since := life.since(each)) is not None]
    newest = [each for _, each in sorted(dated, key=lambda pair: pair[0], reverse=True)]
    return newest + [each for each in members if life.since(each) is None]


def _reason(member: Member) -> str | None:
    outcome = member.fields.get("outcome")
    reason = outcome.get("reason") if isinstance(outcome, dict) else None
    return reason if isinstance(reason, str) and reason else member.text("resolution")


def _amount(value: object) -> dict[str, str | None] | None:
    if not isinstance(value, dict) or value.get("value") in (None, ""):
        return None
    currency = value.get("currency")
    return {"value": str(value["value"]), "currency": str(currency) if currency else None}


def ended(life: Life) -> bool:
    """Whether nothing is left to do: all cancelled, or done in the last stage that waits for all, or a later one.

    What is nothing but tickets also ended when they are closed: whoever closes one says that what was asked is settled.
    """
    last = life.way[-1]
    return over(last, life.stage_map) or (last.state is State.DONE and life.only_asks)


def assigned_since(life: Life, member: Member) -> datetime | None:
    """Since when the artifact has the assignee it has; None where its history does not say."""
    changes = [each for each in life.activities if each.artifact == member.id and each.kind is ActivityKind.ASSIGNED]
    if not changes:
        return life.born[member.id]
    last = changes[-1]
    same = life.people.named(member, last.to_value) == member.fields.get("assignee")
    return last.at if same else None


def dates(life: Life) -> tuple[StatedDate, ...]:
    """Every due and target date as its tool states it."""
    return tuple(
        StatedDate(meaning=meaning, value=value, artifact=member.id)
        for member in life.members
        if not life.gone(member)
        for meaning, name in _DATES
        if (value := member.text(name)) is not None
    )
