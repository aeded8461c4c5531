"""The models of suggestions, as the API answers."""

from typing import Literal

from pydantic import BaseModel, Field

from schemas.records import Instant
from services.query.answers import DecisionAnswer


class SuggestedArtifact(BaseModel):
    """One of the two things."""

    id: str
    connection: str
    connector: str
    kind: str
    natural_key: str | None
    url: str | None
    title: str | None = Field(description="null too where its tool restricts who may read it")
    restricted: bool = Field(description="The title is left out")
    created_at: str | None
    request: str | None = Field(description="The request it is in; null: in none")


class SuggestedChange(BaseModel):
    """What accepting would change."""

    into: str = Field(description="The request that stays")
    merges: list[str] = Field(description="Requests that would become part of it")
    moves: int = Field(description="Artifacts that would come into it")


class Suggestion(BaseModel):
    """Two things that may belong together. Likeness alone never joins them."""

    id: str = Field(examples=["S-MZXW6YTBOI3D"])
    probability: float = Field(description="That they belong together, from 0 to 1", examples=[0.87])
    worth: float = Field(description="By which suggestions are ranked: how likely, times how much it would change")
    reasons: list[str] = Field(description="What speaks for it, the weightiest first")
    against: list[str] = Field(description="What speaks against it")
    features: dict[str, float] = Field(description="The evidence as numbers from 0 to 1")
    artifacts: list[SuggestedArtifact] = Field(min_length=2, max_length=2)
    change: SuggestedChange
    requests: dict[str, str] = Field(description="ETags of the requests concerned, by id: what If-Match may name")
    model: int = Field(description="Version of the weights")
    computed_at: Instant
    offered_at: Instant | None = Field(description="When its day came; null: it waits for it")


class Measured(BaseModel):
    """How good suggestions were, by what people answered."""

    accepted: int
    rejected: int = Field(description="With those that were accepted and taken back by undoing the decision")
    later: int
    precision: float | None = Field(description="Accepted of accepted and rejected; null: none was answered")
    low: float = Field(description="The true share is at least this (95 %)")
    high: float = Field(description="and at most this")


class SuggestionPage(BaseModel):
    """A page of suggestions, the worthiest first."""

    items: list[Suggestion]
    next: str | None = Field(description="cursor of the next page; null: this is the last")
    behind: int = Field(
        description="How many wait for their day, behind THROUGHLINE_SUGGESTIONS_A_DAY; `waiting=true` lists them, too"
    )
    measured: Measured


class SuggestionAnswer(BaseModel):
    """What became of an answer."""

    suggestion: str
    answer: Literal["accepted", "rejected", "later"]
    preview: bool
    until: Instant | None = Field(description="Hidden until then, unless its evidence changes")
    decided: DecisionAnswer | None = Field(description="The decision it became; null: none, or it was one before")
