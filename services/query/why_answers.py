"""What the API answers to why and why not, as models for the OpenAPI document."""

from typing import Literal

from pydantic import AwareDatetime, BaseModel, Field

from services.query.answers import KnownArtifact


class WhyValue(BaseModel):
    """What two artifacts share. Of a value that is restricted, or too long to be kept, both are null."""

    kind: str | None = Field(examples=["jira.key"])
    value: str | None = Field(examples=["PAY-12"])


class WhyLink(BaseModel):
    """One link with all that is known of its evidence."""

    left: str = Field(description="The artifact that names the other", examples=["mail/mail/1"])
    right: str | None = Field(
        description="The artifact named; null: it was not read", examples=["jira-acme/issue/10012"]
    )
    relation: str = Field(examples=["mentions"])
    effect: Literal["joins", "depends on", "mentions", "programme"]
    evidence: str = Field(description="Its class", examples=["title"])
    why: str = Field(examples=["The mail of 3 May 2026 names PAY-12 in its subject"])
    since: AwareDatetime | None = Field(description="When the evidence came to be; null: its tool does not say")
    rule: str = Field(examples=["named in title"])
    version: str = Field(
        description="Of all rules together: another one as soon as a release or a person changes any. `/v1/rules` "
        "tells the one that holds", examples=["8-3f9a1c04"],
    )  # fmt: skip
    kept: str | None = Field(description="What keeps it from joining; null: it joins")
    value: WhyValue
    field: str | None = Field(description="Where it stands: a field, a header, `comment:<id>`", examples=["subject"])
    start: int | None = Field(description="Where in the field's text; null: it is no text")
    end: int | None
    around: str | None = Field(description="The words around it, at most 120 characters", examples=["PAY-12: payslips"])
    marked: tuple[int, int] | None = Field(description="Where in them the value stands", examples=[[0, 6]])
    hidden: bool = Field(description="The words are left out: the tool or the connection restricts them")
    carried_by: int | None = Field(description="How many artifacts name the value, where they are too many to join")
    decision: int | None = Field(description="Number of the decision by which it joins, or that keeps it from joining")
    other_request: str | None = Field(description="The request that it leads to from another")


class WhyDecision(BaseModel):
    """A decision that keeps two artifacts apart."""

    number: int
    why: str


class WhyOutside(BaseModel):
    """Why an artifact is in no request."""

    artifact: str
    why: str


class WhyShared(BaseModel):
    """A value that both name, and that joins nothing."""

    value: WhyValue
    artifacts: int | None = Field(description="How many artifacts name it, where they are too many; null: not counted")
    why: str


class Reasons(BaseModel):
    """Why two artifacts belong together, or why they do not."""

    left: str = Field(description="Artifact at which the chain begins")
    right: str = Field(description="Artifact at which it ends")
    left_request: str | None
    right_request: str | None
    sentence: str = Field(description="The answer in one sentence")
    chain: list[WhyLink] = Field(description="The joining links between them, in order: the fewest there are")
    words: list[str] = Field(description="The chain's reasons, one sentence each")
    nearest: list[WhyLink] = Field(
        description="Of two that are apart: the way from one to the other over the fewest links that join nothing"
    )
    decisions: list[WhyDecision] = Field(description="Decisions of people that keep them apart")
    outside: list[WhyOutside] = Field(description="Which of the two is in no request, and why")
    shared: list[WhyShared] = Field(description="Of two that are apart: what else both name")
    against: list[WhyLink] = Field(
        description="What speaks against the chain: links of its artifacts that were kept from joining, strongest first"
    )
    more_against: int = Field(description="How many more there are")
    remarks: list[str] = Field(description="What was left out while the requests concerned were put together")


class Why(Reasons):
    """Why two artifacts are in one request, or why one of them is not."""

    request: str
    together: bool = Field(description="Both are in this request")
    other_request: str | None = Field(description="The request that the right one is in, if it is in another")


class WhyAlso(BaseModel):
    """Ids of what else the references name."""

    from_: list[str] = Field(alias="from")
    with_: list[str] = Field(alias="with")


class WhyAny(Reasons):
    """Why any two artifacts belong together, or why they do not."""

    request: str | None = Field(description="The request that both are in")
    together: bool = Field(description="Joining links lead from one to the other, in a request or in none")
    artifacts: list[KnownArtifact] = Field(description="The left one and the right one")
    also: WhyAlso
