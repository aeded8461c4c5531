"""What people answer to suggestions. Accepting is a decision; rejecting silences the suggestion and decides nothing."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

from sqlalchemy.ext.asyncio import AsyncEngine

from pipelines.deciding import ANY, Deciding, Noted, Outcome, Wish
from pipelines.store import suggestions
from pipelines.store.engine import reading, writing
from pipelines.store.suggestions import Asked
from schemas.canonical import storable
from schemas.decisions import DecisionKind, Refusal

LATER = timedelta(days=14)
"""For so long "not now" hides a suggestion, unless its evidence changes before."""


class Answer(StrEnum):
    """What may be answered."""

    ACCEPTED = "accepted"
    """They belong together: decided, and joined at once."""
    REJECTED = "rejected"
    """They do not, or nobody wants to know: never suggested again. Other evidence may still join them."""
    LATER = "later"
    """Not now."""


class NoSuggestion(Exception):
    """There was never a suggestion with this id."""


@dataclass(frozen=True, slots=True)
class Reply:
    """What somebody answers. made_on: versions of the requests concerned that they saw; only accepting needs them.
    noted: notes it with whoever asks."""

    suggestion: str
    answer: Answer
    by: str
    reason: str = ""
    made_on: frozenset[str] = frozenset({ANY})
    key: str | None = None
    noted: Noted | None = field(default=None, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Answered:
    """What became of it. outcome: of the decision, where it was accepted; until: how long it is hidden."""

    asked: Asked
    answer: Answer
    outcome: Outcome | None = None
    until: datetime | None = None


class Answering:
    """Takes answers."""

    def __init__(self, engine: AsyncEngine, deciding: Deciding, now: Callable[[], datetime]) -> None:
        self.engine = engine
        self.deciding = deciding
        self.now = now

    async def answer(self, reply: Reply, *, preview: bool = False) -> Answered:
        """Take an answer; preview: tell what it would do, and change nothing. The same answer again does nothing more.

        Raises NoSuggestion, Refusal, and what a database raises that is away.
        """
        async with reading(self.engine) as connection:
            asked = await suggestions.asked(connection, reply.suggestion)
        if asked is None:
            raise NoSuggestion(reply.suggestion)
        if asked.answer == reply.answer and reply.answer is not Answer.LATER:
            return Answered(asked, reply.answer)
        _check(asked, reply)
        # First the decision: if it is refused, or the process dies, the suggestion still waits for its answer.
        outcome = await self._decided(asked, reply, preview=preview) if reply.answer is Answer.ACCEPTED else None
        until = self.now() + LATER if reply.answer is Answer.LATER else None
        if not preview:
            async with writing(self.engine) as connection:
                by = storable(reply.by)
                await suggestions.answered(connection, asked, reply.answer.value, by, self.now(), until)
                if reply.noted:
                    said = {"answer": reply.answer.value, "by": by}
                    await reply.noted(connection, "suggestion.answered", f"suggestion {asked.id}", said)
        return Answered(asked, reply.answer, outcome, until)

    async def _decided(self, asked: Asked, reply: Reply, *, preview: bool) -> Outcome:
        reason = f"accepted suggestion {asked.id}" + (f": {reply.reason}" if reply.reason else "")
        wish = Wish(
            DecisionKind.LINK, reply.by, reason, (asked.left,), (asked.right,), made_on=reply.made_on, key=reply.key,
            noted=reply.noted,
        )  # fmt: skip
        return await self.deciding.decide(wish, preview=preview)


def _check(asked: Asked, reply: Reply) -> None:
    """Raise Refusal where another answer was given before, or the suggestion does not stand any more."""
    if asked.answer == Answer.ACCEPTED:
        raise Refusal(
            "said already", f"{asked.by} accepted this suggestion.",
            "To part them again, undo the decision that it became.",
        )  # fmt: skip
    if asked.answer == Answer.REJECTED and reply.answer is Answer.LATER:
        raise Refusal("said already", f"{asked.by} rejected this suggestion.", "It does not come back; accept it, if "
                      "they do belong together.")  # fmt: skip
    if not asked.stands and asked.answer != Answer.REJECTED:
        raise Refusal(
            "nothing to decide", "This suggestion does not stand any more: they came together, or are less alike now.",
            "Look at both as they are; decide by a link, if they belong together.",
        )  # fmt: skip
