"""The lifecycle record: what the query service serves for one business request.

The record is stored as canonical text and holds data only: instants, never durations up to now, and nothing about when
or how it was fetched. Freshness, change number and the one-line summary are added when it is served.
Every model is frozen; text that its tool or its connection restricts is left out and marked `restricted`.
"""

from datetime import UTC, datetime
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    ConfigDict,
    Field,
    PlainSerializer,
    WithJsonSchema,
)

from schemas.canonical import instant

RECORD_VERSION = 1
"""The version of the record's form. Readers accept this one and the one before it."""


def _utc(at: datetime) -> datetime:
    return at if at.tzinfo is UTC else at.astimezone(UTC)


Instant = Annotated[
    AwareDatetime,
    AfterValidator(_utc),
    PlainSerializer(instant, return_type=str, when_used="json"),
    WithJsonSchema({"type": "string", "format": "date-time", "examples": ["2026-03-03T09:00:00.000000Z"]}),
]
"""A moment in UTC with microseconds, written at fixed width so that its text sorts as the moments do."""

StateName = Literal["new", "active", "waiting", "done", "cancelled"]
"""What a thing is doing inside its stage."""


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class KnownAs(_Model):
    """What one tool calls a person: an account, a contact, an address of mails."""

    identity: str = Field(description="Its id", examples=["mail/address/anna@example.com"])
    name: str | None = Field(examples=["Anna Berg"])
    address: str | None = Field(description="E-mail address in lower case", examples=["anna@example.com"])
    connections: tuple[str, ...] = Field(
        default=(),
        description="Of the request's artifacts that name it, sorted; none: it is known from elsewhere",
        examples=[["support"]],
    )


class PersonView(_Model):
    """A person with everything they are to this request."""

    id: str = Field(
        description="Id of the person in this request: of their first identity here",
        examples=["mail/address/anna@example.com"],
    )
    name: str | None = Field(description="As the tools of this request call them, else others", examples=["Anna Berg"])
    address: str | None = Field(description="E-mail address in lower case", examples=["anna@example.com"])
    roles: tuple[str, ...] = Field(
        default=(), description="What they are to this request, sorted", examples=[["assignee", "requester"]]
    )
    identities: tuple[str, ...] = Field(default=(), description="Their accounts and addresses seen in this request")
    elsewhere: tuple[str, ...] = Field(
        default=(),
        description="Their others: with the same address (of more than 20 the first), or theirs by a decision",
    )
    known_as: tuple[KnownAs, ...] = Field(
        default=(), description="What the tools say of them, those of this request first: name and address are from it"
    )
    machine: bool = Field(default=False, description="An account that no human stands behind")


class Holder(_Model):
    """Who has the request now."""

    person: PersonView
    since: Instant | None = Field(description="Since when, as the tool states it; null where its history does not say")
    artifact: str = Field(description="Id of the artifact that is assigned to them", examples=["jira-acme/issue/10012"])


class Piece(_Model):
    """An unbroken stretch of one state inside a stage."""

    entered: Instant | None = Field(description="Null where the tool's history does not say")
    left: Instant | None = Field(description="Null while it lasts, or where the history does not say (see `open`)")
    open: bool = Field(default=False, description="It lasts until now")
    state: StateName | None = Field(description="Null where the tool does not say")
    waiting: str | None = Field(default=None, description="Why it waits", examples=["customer", "blocked"])


class Span(_Model):
    """One stay of the request in a stage, from entry to exit."""

    round: int = Field(description="1 for the first stay; more is rework", examples=[1])
    entered: Instant | None = Field(description="Null where the tools' history does not say")
    left: Instant | None = Field(description="Null while it lasts, or where the history does not say (see `open`)")
    open: bool = Field(default=False, description="It lasts until now")
    active_seconds: int = Field(description="Seconds in its closed pieces that were new or active")
    waiting_seconds: int = Field(description="Seconds in its closed pieces that were waiting")
    pieces: tuple[Piece, ...] = Field(default=(), description="Its stretches, oldest first; at most the newest 50")
    pieces_total: int = Field(description="How many stretches there are in all")


class StageView(_Model):
    """What became of one stage. All stages of the map are listed in order; `not mapped` follows if it occurred."""

    stage: str = Field(examples=["development"])
    gate: Literal["any", "all"] = Field(
        description="any: left as soon as some artifact is in a later stage; all: left when all that entered are done"
    )
    standing: Literal["ahead", "current", "left"] = Field(description="Not reached, where the request is, or behind it")
    entered: Instant | None = Field(description="First entry")
    left: Instant | None = Field(description="Last exit; null while current")
    rounds: int = Field(description="Number of stays; more than 1 is rework")
    active_seconds: int = Field(description="Over all stays, closed pieces only")
    waiting_seconds: int = Field(description="Over all stays, closed pieces only")
    spans: tuple[Span, ...] = ()


class Current(_Model):
    """Where the request is now."""

    stage: str = Field(examples=["development"])
    stage_since: Instant | None = Field(description="Entry into this stay; null where the history does not say")
    state: StateName | None = Field(description="Null where no tool says")
    state_since: Instant | None
    waiting: str | None = Field(default=None, description="Why it waits", examples=["customer"])
    round: int = Field(default=1, description="More than 1: it came back to this stage")
    reopened: int = Field(default=0, description="How often it came back from done or cancelled")


class TimelineEntry(_Model):
    """One thing that happened, or a run of like things by one hand on one artifact within minutes."""

    key: str = Field(description="Natural key of the (first) activity")
    kind: str = Field(examples=["status changed"])
    at: Instant
    until: Instant | None = Field(default=None, description="The last of a run of like activities")
    count: int = Field(default=1, description="How many activities the entry stands for")
    actor: str | None = Field(default=None, description="Id of the person")
    actor_name: str | None = None
    automatic: bool = Field(default=False, description="Done by a machine")
    artifact: str
    words: str = Field(examples=["Anna Berg moved PAY-12 from In Progress to Done"])
    restricted: bool = Field(default=False, description="What was said is left out")


class Timeline(_Model):
    """The newest entries; the whole is paged under the request's own timeline resource."""

    entries: tuple[TimelineEntry, ...] = Field(default=(), description="Oldest first; at most the newest 200")
    total: int = Field(description="Number of all activities, before like ones became one entry")


class ArtifactView(_Model):
    """A thing in a tool that belongs to the request."""

    id: str = Field(examples=["jira-acme/issue/10012"])
    connection: str = Field(description="Of several that read it the first by name", examples=["jira-acme"])
    also_read_by: tuple[str, ...] = Field(
        default=(), description="Further connections that read it, as one mail in two mailboxes", examples=[["sales"]]
    )
    connector: str = Field(examples=["jira"])
    kind: str = Field(examples=["issue"])
    native_id: str = Field(examples=["10012"])
    natural_key: str | None = Field(description="What people call it: issue key, deal id, Message-ID")
    url: str | None
    title: str | None
    type: str | None = Field(examples=["Story"])
    status: str | None = Field(description="The tool's own word", examples=["In Progress"])
    stage: str = Field(examples=["development"])
    state: StateName | None
    waiting: str | None = None
    mapped_by: str = Field(description="Why it counts to this stage and state")
    entered: Instant | None = Field(description="Since when it has its stage and state; null where nothing says")
    history: Literal["complete", "incomplete"] = Field(description="Whether its tool told every change of status")
    assignee: str | None = Field(description="Id of the person")
    created_at: Instant | None
    deleted: bool = False
    out_of_scope: bool = Field(default=False, description="No longer selected by its connection's filter")
    merged_into: str | None = None
    restricted: bool = Field(default=False, description="Its title and texts are left out")
    why: str = Field(description="Why it belongs to the request", examples=["PAY-12 is named in the mail's subject"])


class LinkView(_Model):
    """Two artifacts held together (or one waiting on another), with the reason."""

    left: str
    right: str
    relation: str = Field(examples=["mentions", "blocks", "reply"])
    effect: str = Field(description="joins, depends on, mentions or programme", examples=["joins"])
    evidence: str = Field(
        description="Its class: decision (a person said so), explicit, title, written or quoted",
        examples=["explicit", "decision"],
    )
    why: str = Field(description="One plain sentence")
    since: Instant | None = None


class Dependency(_Model):
    """Something outside or inside the request that one of its artifacts waits on, or that waits on it."""

    artifact: str = Field(description="The artifact of this request")
    other: str = Field(description="Id of the other artifact")
    other_key: str | None = Field(examples=["PAY-31"])
    other_title: str | None = None
    other_url: str | None = None
    other_state: StateName | None = Field(description="Null where it was never read")
    open: bool | None = Field(description="The one that must come first is not done; null where it was never read")
    since: Instant | None = Field(description="When the link was made, where its tool says so")
    why: str = ""


class Programme(_Model):
    """A container (epic, initiative) that this and other requests belong to."""

    artifact: str
    natural_key: str | None
    title: str | None
    url: str | None
    why: str = ""


class StatedDate(_Model):
    """A date as a tool states it; never computed."""

    meaning: Literal["due", "target"] = Field(description="target: planned release or expected close")
    value: str = Field(description="A date, or an instant, in the tool's words", examples=["2026-04-30"])
    artifact: str


class Amount(_Model):
    """What the request is worth, as the tool states it."""

    value: str = Field(description="Decimal as text", examples=["12000.00"])
    currency: str | None = Field(examples=["EUR"])


class Outcome(_Model):
    """How it ended."""

    result: Literal["done", "cancelled"]
    reason: str | None = Field(description="In the tool's words", examples=["Won't do"])
    at: Instant | None
    artifact: str


class LastSaid(_Model):
    """The last thing a person said to the requester."""

    at: Instant
    by: str | None = Field(description="Id of the person")
    by_name: str | None
    artifact: str
    words: str | None = Field(description="At most 300 characters; null where they may not be shown")


class Expected(_Model):
    """What has to happen next, read off the stages; never a forecast."""

    what: Literal["answer", "unblock", "finish", "start", "nothing", "unknown"]
    words: str = Field(examples=["2 issues to finish, then change"])
    stage: str | None = Field(description="The stage that it leads to or goes on in")
    waits_on: tuple[str, ...] = Field(default=(), description="Keys of what must come first")


class ActivityMark(_Model):
    """The newest activity of a sort."""

    at: Instant
    kind: str
    actor: str | None
    artifact: str
    key: str


class Progress(_Model):
    """How many issues are done. Cancelled, deleted and merged ones, containers and sub-tasks do not count."""

    done: int
    total: int
    cancelled: int = 0


class UnmappedStatus(_Model):
    """A status that no row of the stage map knows."""

    connection: str
    kind: str
    type: str | None
    status: str | None
    artifacts: int


class NotMapped(_Model):
    """What the stage map does not know about this request."""

    artifacts: int = Field(description="How many of the request's artifacts have no stage")
    of: int = Field(description="Of how many")
    statuses: tuple[UnmappedStatus, ...] = Field(default=(), description="Most artifacts first; at most five")


class SourceOther(_Model):
    """What another artifact says where it differs."""

    artifact: str
    value: Any


class FieldSource(_Model):
    """Where a field of the record comes from."""

    artifact: str
    others: tuple[SourceOther, ...] = ()


class LifecycleRecord(_Model):
    """The life of one business request, merged from every tool that knows a part of it."""

    version: int = RECORD_VERSION
    id: str = Field(examples=["R-MZXW6YTBOI3D"])
    title: str | None = Field(description="Null where nothing that may be shown has one")
    requester: PersonView | None
    holder: Holder | None = Field(description="Who has it now; null when it is finished or nobody is assigned")
    people: tuple[PersonView, ...] = ()
    business_unit: str | None = None
    projects: tuple[str, ...] = Field(default=(), description="Keys of the projects its artifacts are in")
    current: Current
    stages: tuple[StageView, ...]
    timeline: Timeline
    artifacts: tuple[ArtifactView, ...]
    links: tuple[LinkView, ...] = ()
    blocked_by: tuple[Dependency, ...] = ()
    blocks: tuple[Dependency, ...] = ()
    programmes: tuple[Programme, ...] = ()
    dates: tuple[StatedDate, ...] = Field(default=(), description="Due and target dates as each tool states them")
    outcome: Outcome | None = None
    priority: str | None = None
    amount: Amount | None = None
    last_said: LastSaid | None = None
    expected: Expected
    progress: Progress
    not_mapped: NotMapped
    restricted: int = Field(default=0, description="How many artifacts have content that is left out")
    created_at: Instant | None = Field(description="When its oldest artifact was created in its tool")
    changed_at: Instant | None = Field(description="The newest thing that any tool says happened to it")
    last_human: ActivityMark | None = None
    last_automatic: ActivityMark | None = None
    as_of: Instant | None = Field(default=None, description="Set when the record answers for an earlier moment")
    sources: dict[str, FieldSource] = Field(
        default_factory=dict, description="For each chosen field: the artifact it came from, and what others say"
    )


BRIEF = frozenset(
    {"title", "requester", "holder", "business_unit", "current", "blocked_by", "dates", "outcome", "amount"}
    | {"expected", "progress", "created_at", "changed_at"}
)
"""The fields of a record that a list shows of it; they are stored beside it, since the rest is nine tenths."""
