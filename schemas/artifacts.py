"""What mapping makes of a source event: a telling of one artifact's state, its references, texts, activities, people.

Everything here merges by *latest telling wins*, field by field, part by part, key by key: the winner is the telling
with the highest (order, rank, content), so that any order of arrival and any repetition ends in the same state.
"""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, Literal

from schemas.canonical import digest, short_id


def artifact_id(scope: str, kind: str, native_id: str) -> str:
    """`<scope>/<kind>/<native id>`; scope is the connection, or what several connections share (all mail: `mail`)."""
    if len(native_id) > 200:
        native_id = "sha256:" + digest(native_id)
    return f"{scope}/{kind}/{native_id}"


def request_id(artifact: str) -> str:
    """The one request id that an artifact owns for ever, such as `R-MZXW6YTBOI3D`."""
    return "R-" + short_id(artifact)


class State(StrEnum):
    """What an artifact is doing inside a stage."""

    NEW = "new"
    ACTIVE = "active"
    WAITING = "waiting"
    DONE = "done"
    CANCELLED = "cancelled"


class Evidence(StrEnum):
    """How strong a reference is as evidence; the order here is from strongest to weakest."""

    DECISION = "decision"
    """A person said so."""
    IDENTITY = "identity"
    """The artifact is known as this value."""
    EXPLICIT = "explicit"
    """A parent, a link, an association, a reply header, a remote link: the tool itself states it."""
    TITLE = "title"
    """Named in a subject, a title or a field meant for it."""
    WRITTEN = "written"
    """Named in the text that a person wrote."""
    QUOTED = "quoted"
    """Named in quoted text, a signature, a footer, or text that a machine wrote: never joins."""
    FIELD = "field"
    """Stands alone in a short field that may be meant for it. Means nothing unless the connection's rules say what;
    then it counts as TITLE."""
    WITHDRAWN = "withdrawn"
    """The tool itself stated it once and took it back at `since`: it joins nothing, and is shown of what was before."""


EVIDENCE_ORDER = {evidence: place for place, evidence in enumerate(Evidence)}


@dataclass(frozen=True, slots=True)
class Audience:
    """Who may read a thing's content, as its tool states it. Everybody with access to the tool, when level is open."""

    level: Literal["open", "internal", "restricted"] = "open"
    stated: str = ""
    """The tool's own words: a security level, a role, a mail's sensitivity."""


OPEN = Audience()


@dataclass(frozen=True, slots=True)
class Reference:
    """A value by which an artifact names itself or another, and where it does so.

    kind says what the value means (see REFERENCE_KINDS), value is in the kind's normal form. scope says whose value it
    is: a connection's id where its tool stated it, a host name where a URL named it, "" where a text did not say.
    """

    kind: str
    scope: str
    value: str
    evidence: Evidence
    relation: str = "mentions"
    """`is`, or how it points: `parent`, `epic`, `reply`, `association`, `remote link`, `mentions`, or a link type's
    name in its direction (`blocks`, `is blocked by`, `implements`)."""
    field: str = ""
    """The field or header that holds it."""
    start: int = -1
    end: int = -1
    around: str = ""
    """The words around it, at most 120 characters."""
    since: datetime | None = None
    """When the evidence came to be, by the tool's clock; None if it does not say."""
    mirror: str = ""
    """The relation by which the other end states the same, where the tool states it at both. Once the other end tells
    that it was taken back, an older telling of this end does not count."""

    @property
    def key(self) -> str:
        """Kind and value as one text of at most 200 characters: what two artifacts share when they meet.

        The scope is left out: a bare `PAY-12` in a mail meets the PAY-12 of every Jira, and correlation decides.
        """
        text = f"{self.kind}|{self.value}"
        return text if len(text) <= 200 else "sha256|" + digest(text)


@dataclass(frozen=True, slots=True)
class Text:
    """A text in which references may be found, told apart by who wrote it."""

    field: str
    text: str
    evidence: Evidence
    since: datetime | None = None


@dataclass(frozen=True, slots=True)
class Part:
    """A piece of an artifact that is told as a whole (its own fields, one comment, its links): a newer telling of a
    part replaces the older, so that what no longer stands there no longer counts."""

    references: tuple[Reference, ...] = ()
    texts: tuple[Text, ...] = ()
    audience: Audience = OPEN


FIELDS_PART = "fields:custom"
"""The part that holds the candidates with Evidence.FIELD, and nothing else."""


class ActivityKind(StrEnum):
    """One thing that happened."""

    CREATED = "created"
    STATUS = "status changed"
    FIELD = "field changed"
    ASSIGNED = "assigned"
    COMMENTED = "commented"
    LINKED = "linked"
    UNLINKED = "unlinked"
    MOVED = "moved"
    MERGED = "merged"
    DELETED = "deleted"
    SENT = "sent"
    APPROVED = "approved"
    DEPLOYED = "deployed"
    FEEDBACK = "feedback given"


@dataclass(frozen=True, slots=True)
class Activity:
    """One thing that happened to an artifact, with a natural key by which two tellings become one.

    from_value and to_value are the tool's permanent ids where it has them, the labels what it showed at that time.
    """

    key: str
    artifact: str
    kind: ActivityKind
    at: datetime
    actor: str | None = None
    """An identity's id."""
    automatic: bool = False
    """Done by a machine: an auto-reply, a rank change. Stall clocks do not count it as human."""
    field: str | None = None
    from_value: str | None = None
    from_label: str | None = None
    to_value: str | None = None
    to_label: str | None = None
    from_category: State | None = None
    """Of a change of status, what kind of status its tool says that each of the two is."""
    to_category: State | None = None
    text: str | None = None
    """What was said, in plain text."""
    objects: tuple[tuple[str, str], ...] = ()
    """Other artifacts or reference keys concerned, each with its role."""
    audience: Audience = OPEN
    withdrawn: bool = False
    """The tool took it back: a deleted comment."""
    sets: tuple[tuple[str, str | None, str | None], ...] = ()
    """What it changed of the artifact's state: a field of FIELDS, its value before and after; of `outcome` the result,
    of `waiting` the reason, of `amount` the value."""


@dataclass(frozen=True, slots=True)
class Identity:
    """An account or address of a human (or a machine) in one tool."""

    id: str
    """`<scope>/<kind>/<native id>`, as for artifacts: `jira-acme/account/5b10a2`, `mail/address/anna@example.com`."""
    name: str | None = None
    address: str | None = None
    """E-mail address in lower case: identities with one address are one person."""
    machine: bool = False


@dataclass(frozen=True, slots=True)
class Status:
    """Where a tool says that an artifact stands."""

    id: str
    """The tool's permanent id of the status or stage; its name where it has none."""
    label: str
    category: State | None = None
    """What the tool itself says about its kind (Jira's status category, a closed deal stage), never a guess."""
    pipeline: str | None = None
    """The pipeline the status belongs to, where the tool has several."""


@dataclass(frozen=True, slots=True)
class Mapped:
    """What one source event says, in the hub's words."""

    artifact: str
    connection: str
    connector: str
    kind: str
    """Kind of artifact: `issue`, `deal`, `ticket`, `mail`, `note`."""
    fields: dict[str, Any] = field(default_factory=dict)
    """The fields this telling states, by the names of FIELDS; JSON values; None where it states that there is none."""
    parts: dict[str, Part] = field(default_factory=dict)
    activities: tuple[Activity, ...] = ()
    identities: tuple[Identity, ...] = ()


def participants_in(told: object) -> set[str]:
    """Identity ids in a value of the field `participants`; what is not of its shape names nobody."""
    rows = told if isinstance(told, list) else []
    names = (row.get("identity") for row in rows if isinstance(row, dict))
    return {name for name in names if isinstance(name, str)}


FIELDS = {
    "title": "text",
    "url": "text: where a person opens it in the tool",
    "natural_key": "text: issue key, deal id, Message-ID",
    "type": "text: the tool's type (Story, Epic; a deal's pipeline; for mail: person, auto-reply, list, bounce)",
    "type_level": "int: 1 and more: container (epic 1, initiative 2), 0 standard, -1 sub-task",
    "opens": "bool: by its nature it may open a request (a person's mail, a deal, a ticket); configuration decides",
    "status": "object: id, label, category, pipeline (see Status)",
    "created_at": "instant: the tool's immutable time of creation",
    "updated_at": "instant",
    "requester": "identity id",
    "assignee": "identity id",
    "participants": "list of {identity, role}",
    "priority": "text",
    "amount": "object: value (decimal as text), currency",
    "due_at": "instant or date text",
    "target_at": "instant or date text: planned release, expected close",
    "resolution": "text",
    "outcome": "object: result (done, cancelled), reason, at (instant)",
    "waiting": "object: reason (customer, another team, blocked), since (instant)",
    "business_unit": "text",
    "project": "object: key, name",
    "labels": "list of text",
    "excerpt": "text: the first 500 characters of its own words",
    "attachments": "list of {name, size, type}",
    "forwarded": "object: subject, sent: of a mail that this one passes on in its text, as they stand there",
    "undelivered": "list of identity ids: whom, as a bounce says, the mail it names did not reach",
    "thread": "text: what groups messages of one conversation",
    "audience": "object: level, stated (see Audience)",
    "standing": "object: prefix of part names to all names under it that stand as of this telling; such a part that is"
    " neither named nor told later is withdrawn, and with it the activities whose `field` is its name",
    "deleted": "bool: the tool says it is deleted (true) or restored (false)",
    "out_of_scope": "bool: no longer selected by the connection's filter",
    "merged_into": "artifact id",
    "fields": "object: further fields worth showing, label to text",
    "development": "object: what the tool knows of branches, pull requests, deployments",
}
"""The names a telling may use in `Mapped.fields`, with the shape of each value."""


REFERENCE_KINDS = {
    "jira.key": "an issue key in capitals: PAY-12",
    "jira.issue": "an issue's numeric id",
    "hubspot.deal": "a deal's record id; likewise hubspot.ticket, hubspot.note, hubspot.email",
    "message-id": "a Message-ID without its angle brackets; the part after @ in lower case",
    "url": "any other address: scheme and host in lower case, no fragment, no tracking parameters",
    "request": "a request id of this hub: R-MZXW6YTBOI3D",
    "field": "what a short field holds, as it stands there; with Evidence.FIELD, the field's id as `field` and its name"
    " as `relation`",
}
"""Kinds of references and the normal form of their values."""
