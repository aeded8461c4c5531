"""Every kind of evidence as the tools tell it: where it joins two things, where it must not, what takes it back."""

from dataclasses import dataclass
from datetime import timedelta
from email.utils import format_datetime
from typing import Any

from pipelines.deciding import Wish
from schemas.artifacts import Evidence, artifact_id, request_id
from schemas.decisions import DecisionKind
from schemas.events import SourceEvent, content_version
from tests.connectors.jira.recorded import NOW, teller
from tests.connectors.mailbox.letters import NOON, letter, told

CUSTOM: dict[str, dict[str, Any]] = {
    "customfield_10050": {"name": "CRM deal", "custom": "textfield"},
    "customfield_10014": {"name": "Epic Link", "custom": "com.pyxis.greenhopper.jira:gh-epic-link"},
}
STORY, SUBTASK, EPIC = ({"name": "Story", "subtask": False}, {"name": "Sub-task", "subtask": True},
                        {"name": "Epic", "subtask": False, "hierarchyLevel": 1})  # fmt: skip
Events = tuple[SourceEvent, ...]


def issue(
    number: int, version: int = 1, summary: str = "Payslips", kind: dict[str, Any] = STORY, **fields: Any
) -> SourceEvent:
    """An issue PAY-<number> as search shows it."""
    whole = {"summary": summary, "issuetype": kind, "created": f"2026-03-02T08:{number:02}:00.000+0000", **fields}
    body = {"id": str(number), "key": f"PAY-{number}", "fields": whole}
    return teller(connection="jira", names=CUSTOM).issue_fields(body, version, [])


def beside(number: int) -> dict[str, Any]:
    """An issue as others show it."""
    return {"id": str(number), "key": f"PAY-{number}"}


def linked(number: int, relation: str) -> list[dict[str, Any]]:
    return [{"type": {"name": relation, "outward": relation, "inward": "?"}, "outwardIssue": beside(number)}]


def remote(number: int, address: str | None, hours: int = 0) -> SourceEvent:
    links = [{"object": {"url": address}}] if address else []
    return teller(connection="jira", fetched_at=NOW + timedelta(hours=hours)).remote_links(
        str(number), links, str(hours)
    )


def comment(number: int, text: str, *, gone: bool = False) -> SourceEvent:
    body = {"id": "77", "body": text, "created": "2026-03-03T08:00:00.000+0000"}
    says = teller(connection="jira")
    return says.comment_deleted(str(number), body, 2 * 10**15) if gone else says.comment(str(number), body)


def moved(number: int, old: str) -> SourceEvent:
    """The history of an issue that had another key."""
    return changed(number, {"field": "Key", "fromString": old, "toString": f"PAY-{number}"})


def unlinked(number: int, other: int) -> SourceEvent:
    """The history of an issue whose link to another was taken back."""
    said = f"This issue implements PAY-{other}"
    return changed(number, {"field": "Link", "from": f"PAY-{other}", "fromString": said, "to": None})


def changed(number: int, item: dict[str, Any]) -> SourceEvent:
    """An issue's history with one change."""
    history = {"id": "900", "created": "2026-03-04T08:00:00.000+0000", "items": [item]}
    return teller(connection="jira").pushed_history(str(number), history, None)


def mail(
    number: int, subject: str = "New export", text: str = "Please.\n", seconds: int = 0, **headers: str
) -> SourceEvent:
    at = NOON + timedelta(minutes=number, seconds=seconds)
    return told(letter(subject, text, number, at, **headers).as_bytes(), at)


def forward(number: int, inner: int) -> SourceEvent:
    whole = letter("Fwd: New export", "FYI.\n", number)
    whole.add_attachment(letter("New export", "Please.\n", inner))
    return told(whole.as_bytes())


def bounce(of: int) -> SourceEvent:
    head = (
        "From: MAILER-DAEMON@mx.example.com\nSubject: Undelivered Mail Returned to Sender\n"
        f"Date: {format_datetime(NOON)}\nMessage-ID: <b{of}@mx.example.com>\nAuto-Submitted: auto-replied\n"
        'MIME-Version: 1.0\nContent-Type: multipart/report; report-type=delivery-status; boundary="b"\n\n'
    )
    body = f"--b\nContent-Type: text/rfc822-headers\n\nSubject: New export\nMessage-ID: <m{of}@example.com>\n\n--b--\n"
    return told((head + body).encode())


def crm(kind: str, thing: str, number: str, order: int = 1, **payload: Any) -> SourceEvent:
    payload |= {"around": {"portal": "4711"}}
    return SourceEvent(
        connection="crm", connector="hubspot", kind=kind, native_id=f"{kind}/{number}",
        artifact=artifact_id("crm", thing, number), version=f"{order}/{content_version(payload)}", order=order,
        fetched_at=NOW, payload=payload,
    )  # fmt: skip


def deal(number: str, order: int = 1, kind: str = "deal", **properties: str) -> SourceEvent:
    record = {"id": number, "createdAt": "2026-03-01T08:00:00Z", "properties": properties}
    return crm(kind, kind, number, order, object=record)


def associated(kind: str, number: str, *deals: str, order: int = 1) -> SourceEvent:
    named = {"deals": [{"toObjectId": one} for one in deals]}
    return crm("associations", kind, number, order, of={"type": kind, "id": number}, associations=named)


def merged(old: str, into: str) -> SourceEvent:
    return crm("merge", "deal", old, merged=old, type="deal", survivor={"id": into})


@dataclass(frozen=True)
class Case:
    """One kind of evidence between two things."""

    name: str
    relation: str
    evidence: Evidence
    one: str
    other: str
    joins: Events
    """With it the two are one request; () where it never joins."""
    apart: Events
    """What looks like it, and joins nothing; its last thing stands for one of the two where that is not there."""
    back: Events | Wish = ()
    """What the tool tells afterwards, or a person says, by which they part again."""
    say: Wish | None = None
    """A decision that is the evidence, taken after what was read."""


P1, P2 = "jira/issue/1", "jira/issue/2"
D1, D2, T1 = "crm/deal/10001", "crm/deal/10002", "crm/ticket/20001"
M1, M2 = mail(1).artifact, mail(2, "Re: New export", In_Reply_To="<m1@example.com>").artifact
EXPLICIT, TITLE, WRITTEN, QUOTED = Evidence.EXPLICIT, Evidence.TITLE, Evidence.WRITTEN, Evidence.QUOTED
WITHDRAWN = Evidence.WITHDRAWN


def parted(one: str, other: str) -> Wish:
    """What was sent is never taken back: a person says that it does not count."""
    return Wish(DecisionKind.UNLINK, "Anna", left=(one,), right=(other,))


_TOGETHER = Wish(DecisionKind.LINK, "Anna", left=(P1,), right=(P2,))
_ANSWER = mail(2, "Re: New export", In_Reply_To="<m1@example.com>")
_REUSED = mail(2, "Invoices (PAY-2)", In_Reply_To="<m1@example.com>")
_FORWARD, _BOUNCE = forward(3, 1), bounce(1)
_SAME, _OTHER = mail(1, seconds=20), mail(1, "Lunch", "Pizza?\n", 3600)
_DIGEST = "PAY-1, PAY-2, PAY-3, PAY-4, PAY-5, PAY-6, PAY-7"
_SUBJECT, _TEXT = mail(4, "About PAY-1"), mail(4, text="Please do PAY-1.\n")
_MANY, _QUOTES = mail(4, text=f"{_DIGEST}\n"), mail(4, text="Thanks!\n\nOn Monday Ben wrote:\n> PAY-1 is due\n")
_PARTS = (issue(1), issue(2, kind=SUBTASK, parent=beside(1)), issue(3, kind=SUBTASK, parent=beside(1)))
_LIST = mail(4, text="Please look at:\n- PAY-1\n- PAY-2\n- PAY-3\n")
_REQUEST = mail(4, text=f"It is about {request_id(P1)}.\n")
_NO_REQUEST = mail(4, text="It is about R-AAAAAAAAAAAA.\n")

CASES = (
    Case("a decision", "decided to belong to", Evidence.DECISION, P1, P2, (issue(1), issue(2)), (issue(1), issue(2)),
         Wish(DecisionKind.UNDO, "Anna", undoes=1), _TOGETHER),
    Case("a parent", "parent", EXPLICIT, P2, P1, (issue(1), issue(2, kind=SUBTASK, parent=beside(1))),
         (issue(1), issue(2, kind=SUBTASK, parent=beside(9))), (issue(2, 2),)),
    Case("a sub-task", "sub-task", EXPLICIT, P1, P2, (issue(1, subtasks=[beside(2)]), issue(2, kind=SUBTASK)),
         (issue(1, subtasks=[beside(9)]), issue(2, kind=SUBTASK)), (issue(1, 2),)),
    Case("an epic", "epic", EXPLICIT, P2, P1, (issue(1, kind=EPIC), issue(2, customfield_10014="PAY-1")),
         (issue(1, kind=EPIC), issue(2, customfield_10014="PAY-9")), (issue(2, 2),)),
    Case("a link that joins", "implements", EXPLICIT, P2, P1, (issue(1), issue(2, issuelinks=linked(1, "implements"))),
         (issue(1), issue(2, issuelinks=linked(1, "relates to"))), (issue(2, 2),)),
    Case("a link that waits", "is blocked by", EXPLICIT, P2, P1, (),
         (issue(1), issue(2, issuelinks=linked(1, "is blocked by")))),
    Case("a link that mentions", "relates to", EXPLICIT, P2, P1, (),
         (issue(1), issue(2, issuelinks=linked(1, "relates to")))),
    Case("a link of an unknown type", "smells like", EXPLICIT, P2, P1, (),
         (issue(1), issue(2, issuelinks=linked(1, "smells like")))),
    Case("a remote link", "remote link", EXPLICIT, P1, D1,
         (issue(1), deal("10001"), remote(1, "https://app.hubspot.com/contacts/4711/record/0-3/10001")),
         (issue(1), deal("10001"), remote(1, "https://app.hubspot.com/contacts/9999/record/0-3/10001")),
         (remote(1, None, 1),)),
    Case("an association", "association", EXPLICIT, T1, D1,
         (deal("10001"), deal("20001", kind="ticket"), associated("ticket", "20001", "10001")),
         (deal("10001"), deal("20001", kind="ticket"), associated("ticket", "20001", "10002")),
         (associated("ticket", "20001", order=2),)),
    Case("a merged record", "merged into", EXPLICIT, D1, D2, (deal("10001"), deal("10002"), merged("10001", "10002")),
         (deal("10001"), deal("10002"), merged("10003", "10002")), parted(D1, D2)),
    Case("a reply", "reply", EXPLICIT, M2, M1, (mail(1), _ANSWER), (mail(1), issue(2), _REUSED), parted(M2, M1)),
    Case("a forward", "forward", EXPLICIT, _FORWARD.artifact, M1, (mail(1), _FORWARD), (mail(1), forward(3, 8)),
         parted(_FORWARD.artifact, M1)),
    Case("a bounce", "bounce", EXPLICIT, _BOUNCE.artifact, M1, (mail(1), _BOUNCE), (mail(1), bounce(8)),
         parted(_BOUNCE.artifact, M1)),
    Case("one identity", "is", EXPLICIT, M1, _SAME.artifact, (mail(1), _SAME), (mail(1), _OTHER),
         parted(M1, _SAME.artifact)),
    Case("a request id", "request", EXPLICIT, _REQUEST.artifact, P1, (issue(1), _REQUEST), (issue(1), _NO_REQUEST),
         parted(_REQUEST.artifact, P1)),
    Case("a title", "mentions", TITLE, P2, P1, (issue(1), issue(2, summary="As in PAY-1")),
         (issue(1), issue(2, summary=_DIGEST)), (issue(2, 2),)),
    Case("a subject", "mentions", TITLE, _SUBJECT.artifact, P1, (issue(1), _SUBJECT),
         (issue(1), mail(4, "About XPAY-1")), parted(_SUBJECT.artifact, P1)),
    Case("a dedicated field", "dedicated field", TITLE, P1, D1, (issue(1, customfield_10050="10001"), deal("10001")),
         (issue(1, customfield_10050="about 10001"), deal("10001")), (issue(1, 2),)),
    Case("a text", "mentions", WRITTEN, _TEXT.artifact, P1, (issue(1), _TEXT), (issue(1), _MANY),
         parted(_TEXT.artifact, P1)),
    Case("a list", "mentions in a list", WRITTEN, _LIST.artifact, P1, (*_PARTS, _LIST),
         (issue(1), issue(2), issue(3), _LIST), parted(_LIST.artifact, P1)),
    Case("a comment", "mentions", WRITTEN, P2, P1, (issue(1), issue(2), comment(2, "See PAY-1")),
         (issue(1), issue(2), comment(2, _DIGEST)), (comment(2, "", gone=True),)),
    Case("small letters", "mentions in small letters", WRITTEN, P2, P1,
         (issue(1), issue(2), comment(2, "see pay-1")), (issue(1), issue(2), comment(2, "see top-1")),
         (comment(2, "", gone=True),)),
    Case("an old key", "mentions", WRITTEN, P2, P1, (issue(1), moved(1, "PAY-70"), issue(2), comment(2, "See PAY-70")),
         (issue(1), moved(1, "PAY-70"), issue(2), comment(2, "See PAY-71")), (comment(2, "", gone=True),)),
    Case("quoted text", "mentions", QUOTED, _QUOTES.artifact, P1, (), (issue(1), _QUOTES)),
    Case("a link once", "implements", WITHDRAWN, P2, P1, (), (issue(1), issue(2), unlinked(2, 1))),
)  # fmt: skip
