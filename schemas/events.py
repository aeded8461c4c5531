"""Source events: what a tool said, as it said it; and their form on the wire (CloudEvents 1.0, Kafka binary mode)."""

from collections.abc import Iterable
from functools import cached_property
from typing import Any, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError

from schemas.canonical import canonical_json, digest, instant

SCHEMA_VERSION = 1
"""The version of this envelope. Readers accept this one and the one before it."""

MAX_EVENT_BYTES = 500_000
"""The largest source event on the wire; connectors cut along the tool's own units to stay below it."""

TYPE_PREFIX = "throughline.source."


class SourceEvent(BaseModel):
    """One thing a tool said, with who, where and when it was fetched.

    Unique by (connection, kind, native_id, version, form); `id` is the hash of these, so that the same telling
    read twice is one event.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    connection: str = Field(description="Permanent id of the connection that heard it", examples=["jira-acme"])
    connector: str = Field(description="Name of the connector", examples=["jira"])
    kind: str = Field(description="What kind of thing speaks, in the tool's words", examples=["issue", "comment"])
    native_id: str = Field(description="The tool's own permanent id of the thing", examples=["10012"])
    artifact: str = Field(
        description="Id of the artifact it tells about: <scope>/<kind>/<native id>", examples=["jira-acme/issue/10012"]
    )
    version: str = Field(description="The tool's version of the thing, or a hash of its canonical content")
    order: int = Field(
        ge=-(2**63),
        lt=2**63,
        description="Orders the versions of one thing: microseconds since 1970, or the tool's counter",
    )
    form: Literal["fetched", "pushed"] = Field(default="fetched", description="Read by us, or told by a webhook")
    fetched_at: AwareDatetime = Field(description="When we read it")
    payload: dict[str, Any] = Field(description="What the tool said, no field renamed or interpreted")
    replaces: str | None = Field(default=None, description="Id of the event that a person's edit replaces")

    @cached_property
    def id(self) -> str:
        """32 hex digits naming this telling for ever."""
        return digest(self.connection, self.kind, self.native_id, self.version, self.form)[:32]

    @property
    def rank(self) -> int:
        """Settles equal orders: the fetched form is fuller than the pushed one, a person's edit beats both."""
        if self.replaces:
            return 2
        return 1 if self.form == "fetched" else 0


def content_version(payload: object) -> str:
    """The version of a thing whose tool keeps none: a hash of its canonical content."""
    return "sha256:" + digest(canonical_json(payload))


def to_kafka(event: SourceEvent) -> tuple[bytes, bytes, list[tuple[str, bytes]]]:
    """(key, value, headers) of the event in CloudEvents' Kafka binary mode; the key keeps an artifact's order."""
    attributes = {
        "ce_specversion": "1.0",
        "ce_id": event.id,
        "ce_source": f"/connections/{event.connection}",
        "ce_type": TYPE_PREFIX + f"{event.connector}.{event.kind}.v{SCHEMA_VERSION}",
        "ce_subject": event.artifact,
        "ce_time": instant(event.fetched_at),
        "content-type": "application/json",
    }
    headers = [(name, text.encode()) for name, text in attributes.items()]
    return event.artifact.encode(), event.model_dump_json().encode(), headers


class Undecodable(ValueError):
    """A record on a source topic that is no source event; the text says what is wrong and with which field."""


def from_kafka(value: bytes | None, headers: Iterable[tuple[str, bytes | None]]) -> SourceEvent:
    """The source event in a Kafka record's value. Raises Undecodable, never anything else."""
    if value is None:
        raise Undecodable("the record has no value; source topics carry no tombstones")
    kinds = [text for name, text in headers if name == "ce_type" and text]
    if kinds and not _readable(kinds[-1]):
        raise Undecodable("ce_type names a version of the envelope that this release cannot read; upgrade first")
    try:
        return SourceEvent.model_validate_json(value)
    except ValidationError as error:
        first = error.errors(include_input=False, include_context=False, include_url=False)[0]
        place = ".".join(str(part) for part in first["loc"]) or "the record"
        raise Undecodable(f"{place}: {first['msg']}") from None


def _readable(ce_type: bytes) -> bool:
    name, _, version = ce_type.decode("utf-8", "replace").rpartition(".v")
    return name.startswith(TYPE_PREFIX) and version.isdecimal() and int(version) in {SCHEMA_VERSION - 1, SCHEMA_VERSION}
