"""Dead letters as JSON: causes with their mend, letters, and what they hold, secrets masked."""

from typing import Any

import orjson
from pydantic import AwareDatetime, BaseModel, Field

from schemas.canonical import storable
from services.admin.masking import masked
from services.feed.letters import Cause, Letter
from services.query.serving import told

_AGAIN = "read its connection again from a date before it"


class CauseAnswer(BaseModel):
    """Dead letters that one mend may cure: of one connection, with the same sentence."""

    id: str = Field(examples=["5f2b8c1d9e0a7743"])
    sentence: str = Field(description="What is wrong, without ids and numbers", examples=["status: … is none"])
    cause: str = Field(description="The kind of cause", examples=["bad record"])
    connection: str | None = Field(description="null: the record does not say", examples=["jira-acme"])
    letters: int = Field(examples=[12])
    states: dict[str, int] = Field(
        description="How many of them wait, are wanted (will be replayed), are replayed, set aside or dropped",
        examples=[{"waiting": 11, "set aside": 1}],
    )
    first: AwareDatetime
    last: AwareDatetime
    replayable: bool = Field(description="Whether they came from a topic; others can only be read again")
    mend: str = Field(description="What to do", examples=["Edit what is wrong, then replay."])
    example: str = Field(description="Id of one of them")
    etag: str


class Causes(BaseModel):
    """What could not be used, by what cures it."""

    items: list[CauseAnswer]
    letters: int = Field(description="How many letters these are together")


class Edited(BaseModel):
    """Who edited it, and when."""

    by: str
    at: AwareDatetime


class Closed(Edited):
    """Who dropped it, when and why."""

    reason: str | None


class LetterAnswer(BaseModel):
    """One dead letter, without its content."""

    id: str = Field(examples=["0a7743f25b8c1d9e"])
    connection: str | None
    cause: str
    cause_id: str
    sentence: str
    reason: str | None = Field(description="What is wrong with this one; null: you may not read its connection")
    state: str = Field(examples=["waiting"])
    attempts: int = Field(description="Replays that failed; after three it is set aside")
    note: str | None = Field(description="Why it was dropped, or cannot be replayed")
    at: AwareDatetime
    origin: str = Field(description="Where the record lay")
    replayable: bool
    bytes: int
    mend: str
    edited: Edited | None = Field(description="A replay publishes the edited form; the original stays")
    closed: Closed | None
    etag: str


class LetterPage(BaseModel):
    """Letters of one cause, the oldest first."""

    cause: CauseAnswer
    items: list[LetterAnswer]
    next: str | None


class LetterContent(LetterAnswer):
    """One dead letter with what it holds."""

    content: Any = Field(description="The record as it came: JSON, or text where it is none; secrets are masked (•••)")
    edited_content: Any = Field(description="What a replay publishes in its place; null: nobody edited it")


class Yields(BaseModel):
    """What a letter would add."""

    artifact: str
    connection: str
    kind: str
    title: str | None
    natural_key: str | None
    type: str | None
    url: str | None
    status: str | None
    fields: list[str] = Field(description="Names of the fields it states")
    activities: int
    people: int
    references: list[dict[str, str]]
    more_references: int
    meets: list[str] = Field(description="Requests that hold something it names: it may join them")


class TriedAnswer(BaseModel):
    """What one letter says if it is read now."""

    understood: bool
    problem: str | None = Field(description="Why it still cannot be used")
    yields: Yields | None


class ReplayAnswer(BaseModel):
    """What a replay of one letter would do, or that it was asked for."""

    preview: bool
    letter: LetterAnswer
    tried: TriedAnswer


class Fails(BaseModel):
    """Letters that would fail again."""

    sentence: str
    letters: int


class ReplayAllAnswer(BaseModel):
    """What a replay of all of a cause would do, or that it was asked for."""

    preview: bool
    cause: CauseAnswer
    letters: int = Field(description="That would be, or will be, published again")
    sample: bool = Field(description="Only `looked` of them were tried: the first")
    looked: int
    understood: int
    fails: list[Fails] = Field(description="Those that were tried and would fail again, by what is wrong")


class Dropped(BaseModel):
    """Letters that were, or would be, dropped."""

    preview: bool
    letters: int


def mend(letter: Letter) -> str:
    """What to do about it."""
    if letter.origin.startswith("rebuild/"):
        return "Upgrade, then run throughline rebuild again; drop it once that understands it."
    if letter.cause == "too large":
        return f"Upgrade: a newer connector may cut it; then {_AGAIN}."
    if not letter.replayable:
        return f"It never reached a topic: mend it in the tool, or upgrade; then {_AGAIN}."
    if letter.cause.startswith(("failed: ", "refused: ")):
        return "This release cannot use it: upgrade, look at the preview, then replay."
    if "not installed here" in letter.sentence:
        return "Install the connector, then replay."
    if "upgrade" in letter.sentence:
        return "Upgrade, then replay."
    return "Correct it in the tool, where it is read again by itself; or edit it here, look at the preview, and replay."


def sentence_of(one: Cause) -> str:
    """What is wrong."""
    return (one.letter.sentence or one.letter.cause) if one.letter else ""


def mend_of(one: Cause) -> str:
    """What to do about them."""
    return mend(one.letter) if one.letter else ""


def cause_told(one: Cause) -> dict[str, Any]:
    """A cause as JSON."""
    letter = one.letter
    assert letter is not None
    return {
        "id": one.id, "sentence": letter.sentence or letter.cause, "cause": letter.cause,
        "connection": letter.connection or None, "letters": one.letters, "states": one.states,
        "first": told(one.first), "last": told(one.last), "replayable": letter.replayable, "mend": mend(letter),
        "example": one.example, "etag": one.etag,
    }  # fmt: skip


def letter_told(one: Letter, *, readable: bool = True) -> dict[str, Any]:
    """A letter as JSON, without its content; readable: whether its reader may read its connection."""
    edited = {"by": one.edited_by, "at": told(one.edited_at)} if one.edited_by else None
    closed = {"by": one.closed_by, "at": told(one.closed_at), "reason": one.note} if one.closed_by else None
    return {
        "id": one.id, "connection": one.connection or None, "cause": one.cause, "cause_id": one.alike,
        "sentence": one.sentence or one.cause, "reason": masked(one.reason) if readable else None, "state": one.state,
        "attempts": one.attempts, "note": one.note, "at": told(one.at), "origin": one.origin,
        "replayable": one.replayable, "bytes": one.size, "mend": mend(one), "edited": edited, "closed": closed,
        "etag": one.etag,
    }  # fmt: skip


def parsed(raw: bytes) -> Any:
    """What a record holds, as JSON or text."""
    text = raw.decode("utf-8", "replace")
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        return storable(text)


def readable(raw: bytes) -> Any:
    """The same, masked."""
    return masked(parsed(raw))
