"""A small language for hand-written lives of requests, and a compact text of the records they fold into."""

from datetime import UTC, datetime
from typing import Any

from pipelines.lifecycle.members import LinkInput, Member, RequestInput
from pipelines.lifecycle.stages import StageMap
from schemas.artifacts import OPEN, Activity, ActivityKind, Audience, Identity, State
from schemas.records import LifecycleRecord, Span
from schemas.stages import StageRule

_ISSUE = (
    ("To Do", "requirements", State.NEW, None),
    ("Analysis", "requirements", State.ACTIVE, None),
    ("Ready", "development", State.NEW, None),
    ("In Progress", "development", State.ACTIVE, None),
    ("Waiting for customer", "development", State.WAITING, "customer"),
    ("Done", "development", State.DONE, None),
    ("Won't do", "development", State.CANCELLED, None),
)

RULES = (
    StageRule("jira", "issue", "Release", "Planned", "change", State.NEW, "a planned release"),
    StageRule("jira", "issue", "Release", "Rolling out", "change", State.ACTIVE, "a release under way"),
    StageRule("jira", "issue", "Release", "Released", "change", State.DONE, "a finished release"),
    *(
        StageRule("jira", "issue", "*", name, stage, state, f"{name} row", "", why)
        for name, stage, state, why in _ISSUE
    ),
    StageRule("jira", "issue", "Bug", "*", "improvement", None, "a bug's own category"),
    StageRule("hubspot", "deal", "*", "Open", "alignment", State.ACTIVE, "an open deal"),
    StageRule("hubspot", "deal", "*", "Contract sent", "alignment", State.WAITING, "with them", "", "customer"),
    StageRule("hubspot", "deal", "*", "Won", "alignment", State.DONE, "signed"),
    StageRule("hubspot", "deal", "*", "Lost", "alignment", State.CANCELLED, "not signed"),
    StageRule("hubspot", "ticket", "*", "Open", "improvement", State.ACTIVE, "a ticket"),
    StageRule("hubspot", "ticket", "*", "Closed", "improvement", State.DONE, "a closed ticket"),
    StageRule("mailbox", "mail", "*", "*", "alignment", State.ACTIVE, "a mail"),
)

STAGE_MAP = StageMap(RULES)

ANNA = Identity("jira/account/anna", "Anna Berg", "anna@hub.example")
BEN = Identity("jira/account/ben", "Ben Okoro", "ben@hub.example")
CARLA = Identity("mail/address/carla@customer.example", "Carla Diaz", "carla@customer.example")
ANNA_MAIL = Identity("mail/address/anna@hub.example", "Anna Berg", "anna@hub.example")
ROBOT = Identity("jira/account/robot", "Build robot", None, machine=True)
EVERYONE = (ANNA, BEN, CARLA, ANNA_MAIL, ROBOT)


def at(day: int, hour: int = 9, minute: int = 0, month: int = 3) -> datetime:
    """A moment of March 2026, UTC."""
    return datetime(2026, month, day, hour, minute, tzinfo=UTC)


def status(label: str, category: str | None = None) -> dict[str, Any]:
    return {"id": label.lower().replace(" ", "-"), "label": label, "category": category, "pipeline": None}


def mail(number: int, when: datetime, sender: Identity = CARLA, to: Identity = ANNA_MAIL, **fields: Any) -> Member:
    told = {
        "title": f"Mail {number}",
        "type": "person",
        "natural_key": f"{number}@customer.example",
        "created_at": when.isoformat(),
        "requester": sender.id,
        "opens": True,
        "participants": [{"identity": sender.id, "role": "from"}, {"identity": to.id, "role": "to"}],
    }
    return Member(f"mail/mail/{number}", "mailbox", "mailbox", "mail", str(number), told | fields, {}, f"mail {number}")


def sent(number: int, when: datetime, sender: Identity = CARLA, text: str = "Please help") -> Activity:
    return Activity(f"mail/mail/{number}/sent", f"mail/mail/{number}", ActivityKind.SENT, when, sender.id, text=text)


def issue(number: int, now: str | None, created: datetime | None, kind: str = "Story", **fields: Any) -> Member:
    told = {
        "title": f"Issue {number}",
        "type": kind,
        "type_level": 0,
        "natural_key": f"PAY-{number}",
        "url": f"https://jira.example/browse/PAY-{number}",
        "status": status(now) if now else None,
        "created_at": created.isoformat() if created else None,
        "project": {"key": "PAY", "name": "Payments"},
    }
    return Member(f"jira/issue/{number}", "jira", "jira", "issue", str(number), told | fields, {}, f"issue {number}")


def crm(kind: str, number: int, now: str, created: datetime, **fields: Any) -> Member:
    told = {
        "title": f"{kind.title()} {number}",
        "status": status(now),
        "created_at": created.isoformat(),
        "opens": True,
    }
    id_ = f"hubspot/{kind}/{number}"
    told["natural_key"] = str(number)
    return Member(id_, "hubspot", "hubspot", kind, str(number), told | fields, {}, f"{kind} {number}")


def moved(member: Member, when: datetime, before: str | None, after: str, actor: Identity | None = ANNA) -> Activity:
    old, new = status(before) if before else None, status(after)
    return Activity(
        f"{member.id}/{when.isoformat()}/{after}",
        member.id,
        ActivityKind.STATUS,
        when,
        actor.id if actor else None,
        from_value=old["id"] if old else None,
        from_label=old["label"] if old else None,
        to_value=new["id"],
        to_label=new["label"],
    )


def way(member: Member, first: str, *moves: tuple[datetime, str]) -> list[Activity]:
    """Moves of an artifact, each from where the one before ended."""
    found = []
    for when, after in moves:
        found.append(moved(member, when, first, after))
        first = after
    return found


def assigned(member: Member, when: datetime, to: Identity | None, before: Identity | None = None) -> Activity:
    def native(who: Identity | None) -> str | None:
        return who.id.rpartition("/")[2] if who else None

    key = f"{member.id}/assigned/{when.isoformat()}"
    return Activity(key, member.id, ActivityKind.ASSIGNED, when, BEN.id, from_value=native(before), to_value=native(to))


def changed(member: Member, when: datetime, field: str, before: str | None, after: str | None) -> Activity:
    key = f"{member.id}/{field}/{when.isoformat()}"
    sets = ((field, before, after),)
    return Activity(key, member.id, ActivityKind.FIELD, when, ANNA.id, field="in the tool's words", sets=sets)


def comment(member: Member, when: datetime, text: str, actor: Identity = ANNA, audience: Audience = OPEN) -> Activity:
    key = f"{member.id}/comment/{when.isoformat()}"
    return Activity(key, member.id, ActivityKind.COMMENTED, when, actor.id, text=text, audience=audience)


def request(members: list[Member], *activities: Activity, **more: Any) -> RequestInput:
    return RequestInput("R-TEST", members, list(activities), EVERYONE, **more)


def depends(one: Member, other: Member, since: datetime | None) -> LinkInput:
    why = f"{one.fields['natural_key']} is blocked by {other.fields['natural_key']}"
    return LinkInput(one.id, other.id, "is blocked by", "depends on", "explicit", why, since)


def _when(moment: datetime | None, is_open: bool = False) -> str:
    if moment is None:
        return "now" if is_open else "?"
    return f"{moment:%d %b %H:%M}"


def _span(stage: str, span: Span) -> str:
    pieces = ", ".join(
        f"{_when(each.entered)} {each.state}{f' ({each.waiting})' if each.waiting else ''}" for each in span.pieces
    )
    return f"{stage} {span.round}: {_when(span.entered)} - {_when(span.left, span.open)}: {pieces}"


def way_of(record: LifecycleRecord) -> list[str]:
    """Stays in the order of the stages, one line each."""
    return [_span(view.stage, span) for view in record.stages for span in view.spans]


def here(record: LifecycleRecord) -> str:
    now = record.current
    state = f"{now.state} ({now.waiting})" if now.waiting else str(now.state)
    return f"{now.stage} since {_when(now.stage_since)}, {state} since {_when(now.state_since)}"


def artifacts_of(record: LifecycleRecord) -> list[str]:
    return [
        f"{each.id}: {each.stage}, {each.state} since {_when(each.entered)}, {each.history}"
        for each in record.artifacts
    ]
