"""Source event to artifact state, references, texts, activities and people. Pure, and knows no configuration.

Kinds of source events (made by pull.py and push.py): `issue`, `changelog`, `comment`, `remotelinks`, `presence`.
Parts told: `issue`, `key:<key>`, `comment:<id>`, `remotelinks`, `fields:custom` (references that custom fields hold),
and `history:<n>` where a chunk of history holds old keys, or links that were taken back.
"""

from collections.abc import Callable
from typing import Any

from connectors.contract import BadRecord
from connectors.jira import custom, issues
from connectors.jira.histories import activities, old_keys, taken_back
from connectors.jira.links import issue_key, itself, keys, named_issues, remote
from connectors.jira.people import People
from connectors.jira.shapes import moment, obj, rows, word
from connectors.jira.text import ROOM, words
from schemas.artifacts import FIELDS_PART, OPEN, Activity, ActivityKind, Audience, Evidence, Mapped, Part, Text
from schemas.events import SourceEvent


def map_event(event: SourceEvent) -> Mapped:
    """What the event says. Raises BadRecord with the field that is missing, never anything else."""
    read = _KINDS.get(event.kind)
    if read is None:
        raise BadRecord(f"kind: the Jira connector knows no {event.kind!r}; upgrade, or drop the record")
    return read(event)


def _mapped(event: SourceEvent, **said: Any) -> Mapped:
    return Mapped(artifact=event.artifact, connection=event.connection, connector=event.connector, kind="issue", **said)


def _issue_id(event: SourceEvent) -> str:
    issue_id = word(event.payload.get("issueId"))
    if issue_id is None:
        raise BadRecord("issueId: missing; the record cannot be laid to an issue")
    return issue_id


def _issue(event: SourceEvent) -> Mapped:
    issue = obj(event.payload.get("issue"))
    issue_id, fields = word(issue.get("id")), obj(issue.get("fields"))
    if issue_id is None or not fields:
        raise BadRecord("issue: id and fields are needed, one of them is missing")
    people = People(event.connection)
    names, site = obj(event.payload.get("names")), word(event.payload.get("site"))
    said = issues.told(issue, names if "names" in event.payload else None, site, people)
    # A webhook does not say what its fields are called: what they held when the issue was read last stands.
    held = custom.candidates(fields, names)
    comment_ids = event.payload.get("commentIds")
    if isinstance(comment_ids, list):
        said["standing"] = {
            "comment:": [f"comment:{one}" for one in comment_ids if isinstance(one, str)],
            FIELDS_PART: [FIELDS_PART] if held else [],
        }
    references = (
        *itself(event.connection, issue_id, issues.issue_url(issue, site)),
        *named_issues(event.connection, fields, names),
    )
    part = Part(tuple(dict.fromkeys(references)), _issue_texts(fields), _issue_audience(fields))
    done = _created(event, issue_id, fields, people)
    parts = {"issue": part} | keys(event.connection, issue_key(issue.get("key")))
    parts |= {FIELDS_PART: Part(held, (), part.audience)} if held else {}
    return _mapped(event, fields=said, parts=parts, activities=done, identities=people.all())


def _issue_texts(fields: dict[str, Any]) -> tuple[Text, ...]:
    description = words(fields.get("description"))
    texts = (
        Text("summary", word(fields.get("summary")) or "", Evidence.TITLE),
        Text("description", description.written[:ROOM], Evidence.WRITTEN),
        Text("description", description.quoted[:ROOM], Evidence.QUOTED),
    )
    return tuple(text for text in texts if text.text)


def _issue_audience(fields: dict[str, Any]) -> Audience:
    security = fields.get("security")
    return Audience("restricted", word(obj(security).get("name")) or "") if security else OPEN


def _created(event: SourceEvent, issue_id: str, fields: dict[str, Any], people: People) -> tuple[Activity, ...]:
    at = moment(fields.get("created"))
    if at is None:
        return ()
    actor = people.account(fields.get("creator")) or people.account(fields.get("reporter"))
    key = f"{event.connection}/{issue_id}/created"
    machine = people.is_machine(actor)
    return (Activity(key, event.artifact, ActivityKind.CREATED, at, actor, machine, audience=_issue_audience(fields)),)


def _changelog(event: SourceEvent) -> Mapped:
    issue_id, histories = _issue_id(event), event.payload.get("histories")
    people = People(event.connection)
    told_at = moment(event.payload.get("timestamp"))
    categories = obj(event.payload.get("categories"))
    done = activities(event.connection, event.artifact, issue_id, histories, people, told_at, categories)
    unique = tuple({activity.key: activity for activity in done}.values())
    past = (*old_keys(event.connection, histories), *taken_back(event.connection, histories, told_at))
    chunk = word(event.payload.get("chunk")) or event.version
    parts = {f"history:{chunk}": Part(tuple(dict.fromkeys(past)))} if past else {}
    return _mapped(event, parts=parts, activities=unique, identities=people.all())


def _comment(event: SourceEvent) -> Mapped:
    issue_id, comment = _issue_id(event), obj(event.payload.get("comment"))
    comment_id = word(comment.get("id"))
    if comment_id is None:
        raise BadRecord("comment.id: missing")
    people = People(event.connection)
    name = f"comment:{comment_id}"
    gone = event.payload.get("deleted") is True
    audience = comment_audience(comment)
    author = people.account(comment.get("author"))
    said = words(comment.get("body"))
    # What an app writes names other things by rule, not because a person meant it.
    strength = Evidence.QUOTED if people.is_machine(author) else Evidence.WRITTEN
    at = moment(comment.get("created"))
    texts = (
        Text(name, said.written[:ROOM], strength, at),
        Text(name, said.quoted[:ROOM], Evidence.QUOTED, at),
    )
    part = Part((), () if gone else tuple(text for text in texts if text.text), audience)
    done: tuple[Activity, ...] = ()
    if at is not None:
        activity = Activity(
            key=f"{event.connection}/{issue_id}/comment/{comment_id}",
            artifact=event.artifact,
            kind=ActivityKind.COMMENTED,
            at=at,
            actor=author,
            automatic=people.is_machine(author),
            field=name,
            text=None if gone else (said.written or said.quoted or None),
            audience=audience,
            withdrawn=gone,
        )
        done = (activity,)
    return _mapped(event, parts={name: part}, activities=done, identities=people.all())


def comment_audience(comment: dict[str, Any]) -> Audience:
    """Restricted to a role or group (`visibility`), internal to a service desk's agents, or open.

    Cloud states `jsdPublic`; Data Center keeps the property `sd.public.comment` (docs.atlassian.com, Jira Service
    Management REST API).
    """
    visibility = obj(comment.get("visibility"))
    if visibility:
        return Audience("restricted", word(visibility.get("value")) or word(visibility.get("identifier")) or "")
    internal = comment.get("jsdPublic") is False or any(
        one.get("key") == "sd.public.comment" and obj(one.get("value")).get("internal") in (True, "true")
        for one in rows(comment.get("properties"))
    )
    return Audience("internal", "internal comment") if internal else OPEN


def _remotelinks(event: SourceEvent) -> Mapped:
    _issue_id(event)
    links = event.payload.get("links")
    if not isinstance(links, list):
        raise BadRecord("links: missing; a list is needed")
    return _mapped(event, parts={"remotelinks": Part(remote(links))})


def _presence(event: SourceEvent) -> Mapped:
    """Whether the issue is there: `deleted`, `out_of_scope`, `restricted` or `present`."""
    issue_id, told = _issue_id(event), event.payload.get("told")
    if told == "present":
        return _mapped(event, fields={"deleted": False, "out_of_scope": False})
    if told == "out_of_scope":
        return _mapped(event, fields={"out_of_scope": True})
    if told == "restricted":
        return _restricted(event, issue_id)
    if told != "deleted":
        raise BadRecord("told: one of deleted, out_of_scope, restricted, present is needed")
    people = People(event.connection)
    actor = people.account(event.payload.get("user"))
    at = moment(event.payload.get("timestamp"))
    key = f"{event.connection}/{issue_id}/deleted"
    done = (Activity(key, event.artifact, ActivityKind.DELETED, at, actor),) if at else ()
    return _mapped(event, fields={"deleted": True}, activities=done, identities=people.all())


def _restricted(event: SourceEvent, issue_id: str) -> Mapped:
    """The issue now has a security level and the connection does not read such issues: what it said is taken back."""
    level = word(event.payload.get("level")) or ""
    audience = Audience("restricted", level)
    part = Part(tuple(itself(event.connection, issue_id, None)), (), audience)
    parts = {"issue": part, "remotelinks": Part((), (), audience)}
    parts |= keys(event.connection, issue_key(event.payload.get("issueKey")))
    fields = {
        "audience": {"level": "restricted", "stated": level},
        "out_of_scope": True,
        "title": None,
        "excerpt": None,
        "fields": {},
        "attachments": [],
        "labels": [],
        "standing": {"comment:": [], FIELDS_PART: []},
    }
    return _mapped(event, fields=fields, parts=parts)


_KINDS: dict[str, Callable[[SourceEvent], Mapped]] = {
    "issue": _issue,
    "changelog": _changelog,
    "comment": _comment,
    "remotelinks": _remotelinks,
    "presence": _presence,
}
