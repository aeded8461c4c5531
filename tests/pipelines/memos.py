"""A tool as small as can be: memos that are known by a key and mention others in their text.

A memo may say more: `old`, the number of the key that it had before it was moved; `notes`, the notes that stand under
it (number to text); `deleted`; `copy`, names of those who are on copy; `address` and `name`, of who wrote it;
`whom`, the id of that identity; `asker`, who asked for it; `say`, what who wrote it said instead of setting its status;
`behind`, the number of a memo that has to be done first; `noticed`, of the other memo of which that was said now; its
`url`; `links`, of [relation, how the other memo says it, its number]; `freed`, of [relation, number]: links that were
taken back now.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from schemas.artifacts import Activity, ActivityKind, Evidence, Identity, Mapped, Part, Reference, Text, artifact_id
from schemas.canonical import instant
from schemas.errors import BadRecord
from schemas.events import SourceEvent, content_version, to_kafka

START = datetime(2026, 3, 1, 9, tzinfo=UTC)


def memo(
    number: int,
    *,
    version: int = 1,
    text: str = "",
    parent: int | None = None,
    status: str = "open",
    by: str = "anna",
    connection: str = "memos",
    **more: Any,
) -> SourceEvent:
    """What the tool says of a memo."""
    payload = {"number": number, "version": version, "text": text, "parent": parent, "status": status, "by": by} | more
    return SourceEvent(
        connection=connection,
        connector="memo",
        kind="memo",
        native_id=str(number),
        artifact=artifact_id(connection, "memo", str(number)),
        version=f"{version}/{content_version(payload)}",
        order=version,
        fetched_at=START + timedelta(days=30),
        payload=payload,
    )


def map_memo(event: SourceEvent) -> Mapped:
    """The mapping: a memo's key is MEMO-<number>."""
    told = event.payload
    if told["status"] == "nonsense":
        raise BadRecord("status: 'nonsense' is none; use open or done")
    if told["status"] == "explode":
        raise ZeroDivisionError("a fault of the mapping")
    scope, number = event.connection, told["number"]
    created = START + timedelta(hours=number)
    references = _references(told, scope)
    texts = (Text("text", told["text"], Evidence.WRITTEN, created),)
    person = told.get("whom", f"{scope}/account/{told['by']}")
    at = created + timedelta(hours=told["version"])
    said = _happened(event, at, person)
    return Mapped(
        artifact=event.artifact,
        connection=event.connection,
        connector="memo",
        kind="issue",
        fields={
            "title": told.get("title", f"Memo {number}"),
            "natural_key": f"MEMO-{number}",
            "created_at": instant(created),
            "opens": told.get("opens", True),
            "requester": f"{scope}/account/{told['asker']}" if "asker" in told else person,
            "status": {"id": told["status"], "label": told["status"], "category": None, "pipeline": None},
        }
        | {name: told[name] for name in ("out_of_scope", "deleted", "url") if name in told}
        | (
            {"participants": [{"role": "cc", "identity": f"{scope}/account/{one}"} for one in told["copy"]]}
            if "copy" in told
            else {}
        )
        | ({"updated_at": instant(at)} if "links" in told or "freed" in told else {})
        | ({"standing": {"note:": [f"note:{one}" for one in told["notes"]]}} if "notes" in told else {}),
        parts={"memo": Part(tuple(references), texts)}
        | {
            f"note:{one}": Part((), (Text(f"note:{one}", text, Evidence.WRITTEN, created),))
            for one, text in told.get("notes", {}).items()
        }
        | ({f"history:{told['version']}": Part(tuple(_freed(told, scope, at)))} if "freed" in told else {}),
        activities=(said,),
        identities=(
            Identity(person, told.get("name", told["by"].title()), told.get("address", f"{told['by']}@example.com")),
        ),
    )


def _references(told: dict[str, Any], scope: str) -> list[Reference]:
    references = [Reference("jira.key", scope, f"MEMO-{told['number']}", Evidence.IDENTITY, "is")]
    if told["parent"] is not None:
        references.append(Reference("jira.key", scope, f"MEMO-{told['parent']}", Evidence.EXPLICIT, "parent"))
    if told.get("old") is not None:
        references.append(Reference("jira.key", scope, f"MEMO-{told['old']}", Evidence.IDENTITY, "is"))
    if "behind" in told:
        name = f"MEMO-{told['behind']}"
        references.append(Reference("jira.key", scope, name, Evidence.EXPLICIT, "is blocked by", "issuelinks"))
    for relation, mirror, number in told.get("links", ()):
        name = f"MEMO-{number}"
        references.append(Reference("jira.key", scope, name, Evidence.EXPLICIT, relation, "issuelinks", mirror=mirror))
    return references


def _freed(told: dict[str, Any], scope: str, at: datetime) -> Iterator[Reference]:
    for relation, number in told["freed"]:
        words = f"this memo {relation}" if relation != "parent" else relation
        yield Reference("jira.key", scope, f"MEMO-{number}", Evidence.WITHDRAWN, words, "link", since=at)


def _happened(event: SourceEvent, at: datetime, person: str) -> Activity:
    told, key = event.payload, f"{event.artifact}/{event.payload['version']}"
    if "say" in told:
        return Activity(key, event.artifact, ActivityKind.COMMENTED, at, person, text=told["say"])
    if "noticed" in told:
        name, way = f"MEMO-{told['noticed']}", "is blocked by" if "behind" in told else "blocks"
        objects = ((f"jira.key|{name}", "linked"),)
        return Activity(key, event.artifact, ActivityKind.LINKED, at, person,
                        to_label=f"This memo {way} {name}", objects=objects)  # fmt: skip
    return Activity(key, event.artifact, ActivityKind.STATUS, at, person,
                    to_value=told["status"], to_label=told["status"])  # fmt: skip


@dataclass
class Record:
    """A Kafka record."""

    topic: str
    partition: int
    offset: int
    value: bytes | None
    headers: Sequence[tuple[str, bytes | None]]


def records(events: list[SourceEvent], *, first: int = 0, partition: int = 0) -> list[Record]:
    """Records as they lie in a topic."""
    made = []
    for place, event in enumerate(events):
        _, value, headers = to_kafka(event)
        made.append(Record("source.memo", partition, first + place, value, list(headers)))
    return made
