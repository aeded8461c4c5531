"""What the API answers, as models for the OpenAPI document; the answers are put together from stored text."""

from typing import Any, Literal

from pydantic import AwareDatetime, BaseModel, Field

from schemas.decisions import DecisionKind
from schemas.records import Amount, LifecycleRecord, StateName

RequestId = "^R-[A-Z2-7]{12}$"


class Freshness(BaseModel):
    """Up to when one connection is true."""

    connection: str = Field(examples=["jira-acme"])
    connector: str = Field(examples=["jira"])
    state: str = Field(description="reading, paused or stopped", examples=["reading"])
    true_up_to: AwareDatetime | None = Field(
        description="Everything the tool changed before this instant is in what is served; null during a first read"
    )
    behind_seconds: int | None = Field(description="How long ago that is")
    alive_at: AwareDatetime | None = Field(description="When the tool last answered")
    first_read_done: bool
    problem: str | None = Field(description="What a person must mend, or what it is waiting for")


class Read(Freshness):
    """What one connection reads, since when, and up to when that is true."""

    title: str
    mailbox: str | None = Field(
        description="Whose mailbox it reads; null: it reads none, or you may not read what it brought",
        examples=["it-requests@acme.example"],
    )
    since: AwareDatetime | None = Field(description="Read from when; null: from the beginning")


class FreshnessAnswer(BaseModel):
    """Up to when each connection is true."""

    items: list[Freshness]


class ReadProgress(BaseModel):
    """How far a first read is; total is an estimate, null while nobody can know."""

    done: int
    total: int | None


class Connection(Read):
    """One configured tool. Its options and secrets are not told here."""

    attention: bool = Field(description="It will not go on by itself")
    retry_at: AwareDatetime | None
    progress: ReadProgress


class Connections(BaseModel):
    """All connections, by id."""

    items: list[Connection]


class RequestAnswer(BaseModel):
    """One request: its record as stored, and what depends on the moment."""

    request: LifecycleRecord
    etag: str = Field(description="Hash of the stored record, as in the ETag header")
    change: int | None = Field(description="Number of its newest change; null before its first publication")
    problem: str | None = Field(description="Why the record is not up to date; null: it is")
    summary: str | None = Field(description="One line in people's words; only when asked for by summary=true")
    freshness: list[Freshness]


class Due(BaseModel):
    """A date as a tool states it."""

    meaning: Literal["due", "target"] = Field(description="target: planned release or expected close")
    value: str = Field(description="A date, or an instant, in the tool's words", examples=["2026-04-30"])


class RequestItem(BaseModel):
    """One request of a list."""

    id: str = Field(pattern=RequestId)
    title: str | None
    stage: str = Field(examples=["development"])
    state: StateName | None
    stage_since: AwareDatetime | None
    created_at: AwareDatetime | None
    changed_at: AwareDatetime | None
    requester: str | None = Field(description="Who asked for it: name, else address or id", examples=["Anna Berg"])
    holder: str | None = Field(description="Who has it now, likewise", examples=["Bo Lind"])
    waiting: str | None = Field(description="Why it waits", examples=["customer", "blocked"])
    waits_on: list[str] = Field(description="Keys of what must come first", examples=[["PAY-31"]])
    expected: str = Field(description="What has to happen next", examples=["2 issues to finish, then change"])
    due: Due | None = Field(description="The earliest due date that a tool states, else the earliest target date")
    unit: str | None = Field(description="Business unit")
    amount: Amount | None = Field(description="What it is worth, as a tool states it")
    summary: str = Field(examples=["In development since 3 March; 4 of 6 issues done"])
    etag: str
    problem: str | None
    record: LifecycleRecord | None = Field(default=None, description="Only when asked for by whole=true")


class RequestPage(BaseModel):
    """A page of requests."""

    items: list[RequestItem] = Field(
        description="Fewer than `limit`, or none, where looking on is for the next page: the last has no `next`"
    )
    next: str | None = Field(description="cursor of the next page; null: this is the last")


class Reading(BaseModel):
    """How a reference was understood."""

    kind: str = Field(examples=["jira.key"])
    value: str = Field(examples=["PAY-12"])


class KeptApart(BaseModel):
    """A decision that something does not belong together with something else."""

    number: int
    by: str = Field(examples=["Anna Berg"])
    at: AwareDatetime
    reason: str
    said: str = Field(examples=["Anna Berg decided on 1 April 2026 that PAY-12 is no request (decision 1)"])
    undo: str = Field(
        description="The command that takes it back; or POST /v1/decisions", examples=["throughline undo 1"]
    )


class KeptOut(KeptApart):
    """A decision without which something might be in a request."""

    itself: bool = Field(description="It names this thing; false: it is about what this hangs below or is linked with")


class KnownArtifact(BaseModel):
    """A thing in a tool that is stored."""

    id: str = Field(examples=["jira-acme/issue/10012"])
    connection: str
    connector: str
    kind: str = Field(examples=["issue"])
    native_id: str = Field(examples=["10012"])
    natural_key: str | None = Field(examples=["PAY-12"])
    url: str | None
    request: str | None = Field(description="The request it is in; null: in none")
    kept_out: KeptOut | None = Field(
        description="The decision that it is no request, or by which it lost what it belonged to; null: there is none"
    )
    apart: list[KeptApart] = Field(description="Decisions that keep it apart from others, the oldest first")


class Gone(BaseModel):
    """What became of an id of which nothing is left."""

    said: str = Field(examples=["It was a request until 3 March 2026 (change 12); nothing of it is stored any more"])
    at: AwareDatetime | None = Field(description="When that was published; null: it was never a request")
    change: int | None = Field(description="Under which number of the change feed")
    merged_into: str | None = Field(description="The request it became part of, if it did")
    decisions: list[int] = Field(description="Numbers of the decisions that name it")


class LookupItem(BaseModel):
    """What one reference leads to."""

    place: int = Field(description="Place of the reference among those asked for, from 0")
    outcome: Literal["in a request", "programme", "in no request", "not found"]
    read_as: list[Reading] = Field(description="What the reference may mean, the likeliest first; empty: no reference")
    requests: list[str] = Field(
        description="Ids of the requests it leads to; several if several tools use the name. "
        "Of a programme the 50 newest that belong to it"
    )
    artifacts: list[KnownArtifact]
    gone: Gone | None = Field(
        description="Of a request's or an artifact's id that is not found what is still known of it"
    )
    other_host: str | None = Field(
        description="Where the address asked for lies, where all that was found has addresses elsewhere: it was found "
        "by its key or number alone, and another tool may be meant; else null. The host, with a port that is not the "
        "scheme's own; of HubSpot, where the account decides and not the host, with the account's number",
        examples=["jira.example:8443", "app.hubspot.com (account 9999)"],
    )


class LookupAnswer(BaseModel):
    """What each reference leads to, in the order asked, and up to when what is read is true."""

    items: list[LookupItem]
    requests: dict[str, RequestItem] = Field(description="The requests named above, by id")
    freshness: list[Read] = Field(description="What is read, and up to when that is true; of mail, whose mailbox")


class TimelineActivity(BaseModel):
    """One thing that happened."""

    key: str
    artifact: str
    kind: str = Field(examples=["status changed"])
    at: AwareDatetime
    actor: str | None = None
    actor_name: str | None = None
    automatic: bool = False
    field: str | None = None
    from_value: str | None = None
    from_label: str | None = None
    to_value: str | None = None
    to_label: str | None = None
    text: str | None = None
    objects: list[list[str]] = []
    audience: list[str] | None = Field(default=None, description="Level and the tool's words, unless open")
    restricted: bool = Field(description="Texts and values are left out")


class TimelinePage(BaseModel):
    """A page of what happened."""

    items: list[TimelineActivity]
    next: str | None = Field(description="cursor of the next page; null: this is the last")


class Links(BaseModel):
    """What holds a request together, and what it waits for."""

    request: str
    links: list[dict[str, Any]] = Field(description="As in the record")


class Change(BaseModel):
    """One published change. etag `gone`: the id redirects (merged_into) or is no request any more."""

    number: int
    request: str
    merged_into: str | None
    etag: str
    at: AwareDatetime


class Changes(BaseModel):
    """Changes in their one order, without gaps."""

    items: list[Change]
    next: int = Field(description="Give this as `since` for the next page")
    latest: int = Field(description="Number of the newest change there is")


class Decision(BaseModel):
    """What a person said about correlation."""

    number: int = Field(examples=[1])
    kind: DecisionKind
    left: list[str] = Field(
        description="Ids of artifacts or identities; of `split` those that left", examples=[["jira-acme/issue/10012"]]
    )
    right: list[str] = Field(description="The other end; of `split` those that stayed", examples=[["mail/mail/1"]])
    by: str = Field(examples=["Anna Berg"])
    reason: str = Field(description="In their words; empty where they gave none")
    at: AwareDatetime
    undoes: int | None = Field(description="Number of the decision that it undoes")
    undone_by: int | None = Field(description="Number of the decision because of which it does not hold")
    holds: bool
    said: str = Field(
        description="In one sentence",
        examples=["Anna Berg decided on 1 April 2026 that PAY-12 and PAY-31 belong together (decision 1)"],
    )


class DecisionPage(BaseModel):
    """A page of decisions."""

    items: list[Decision]
    next: str | None = Field(description="cursor of the next page; null: this is the last")


class DecisionMove(BaseModel):
    """Artifacts that come into another request; null: into none, or out of none."""

    from_: str | None = Field(alias="from")
    to: str | None
    artifacts: list[str]


class DecisionAnswer(BaseModel):
    """A decision, and what it changed when it was taken, or (preview) would change now."""

    decision: Decision
    preview: bool
    moved: list[DecisionMove]
    redirects: dict[str, str] = Field(description="Ids of requests that lead to another from then on")
    begun: list[str] = Field(description="Ids of requests that there were none of before")
    ended: list[str] = Field(description="Ids that are no request any more")
    requests: dict[str, str] = Field(description="ETags of the requests that hold what is named, afterwards, by id")
    made_on: dict[str, str] = Field(
        description="ETags of the requests concerned, before, by id: what If-Match may name after a preview"
    )
    changed: int = Field(description="How many requests change at once; those of somebody who is in very many follow")


class Alive(BaseModel):
    """The process answers."""

    status: Literal["alive"]


class Part(BaseModel):
    """One part the hub needs."""

    name: str
    ok: bool
    says: str | None = Field(description="What is wrong, and the mend")


class Ready(BaseModel):
    """Whether everything needed for answers is there."""

    status: Literal["ready", "not ready"]
    parts: list[Part]
