"""A mail's source event → what it says in the hub's words. Pure."""

from collections.abc import Iterator
from datetime import datetime

from connectors.keeping import EXCERPT
from connectors.mailbox import kinds
from connectors.mailbox.body import Body, read_body
from connectors.mailbox.headers import Address, Headers, addresses, date, decoded, first
from connectors.mailbox.payload import MailPayload, read_payload
from connectors.mailbox.threads import own_id, references, thread
from schemas.artifacts import OPEN, Activity, ActivityKind, Audience, Evidence, Identity, Mapped, Part, Text
from schemas.canonical import instant
from schemas.events import SourceEvent

WORDS = 20_000
"""The most characters of a mail's own words kept in full."""

ADDRESS = "mail/address/"
_ROLES = {"From": "from", "To": "to", "Cc": "cc", "Reply-To": "reply-to"}
_PARTICIPANTS = 100
_SENSITIVITY = {
    "personal": Audience("restricted", "Personal"),
    "private": Audience("restricted", "Private"),
    "company-confidential": Audience("internal", "Company-Confidential"),
}


def map_event(event: SourceEvent) -> Mapped:
    """What the mail says. Raises BadRecord for a payload that is no mail's."""
    mail = read_payload(event.payload)
    kind = mail.kind or kinds.kind_of(mail.headers)
    body = read_body(mail)
    created = created_at(mail)
    people = _people(mail, body)
    audience = audience_of(mail.headers)
    identities = _identities(people, kind)
    sender = next((identity_id(who) for who, role in people if role == "from"), None)
    sent = (
        Activity(
            f"{event.artifact}/sent", event.artifact, ActivityKind.SENT, created, sender, kind in kinds.MACHINES,
            text=_kept(mail, body), audience=audience,
        ),
    ) if created else ()  # fmt: skip
    found = tuple(references(mail, kind, body, created))
    return Mapped(
        artifact=event.artifact,
        connection=event.connection,
        connector=event.connector,
        kind="mail",
        fields=_fields(mail, kind, body, created, people, audience),
        parts={"mail": Part(found, tuple(_texts(mail, kind, body, created)), audience)},
        activities=sent,
        identities=identities,
    )


def created_at(mail: MailPayload) -> datetime | None:
    """The earlier of the sender's Date and the server's arrival time; None when neither is known."""
    known = [at for at in (date(first(mail.headers, "Date")), mail.internal_date) if at is not None]
    return min(known) if known else None


def audience_of(headers: Headers) -> Audience:
    """Who may read it, by the Sensitivity header (RFC 4021 section 2.1.55)."""
    return _SENSITIVITY.get(first(headers, "Sensitivity").strip().lower(), OPEN)


def identity_id(who: Address) -> str:
    """An address is the same identity in every mailbox."""
    return f"{ADDRESS}{who.address}"


def _people(mail: MailPayload, body: Body) -> list[tuple[Address, str]]:
    named = [(who, role) for header, role in _ROLES.items() for who in addresses(mail.headers, header)]
    senders = {who.address for who, role in named if role == "from"}
    named = [(who, role) for who, role in named if role != "reply-to" or who.address not in senders]
    forwarded = addresses([("From", body.forwarded.get("from", ""))], "From")
    for attached in mail.mails:
        forwarded += addresses(attached.headers, "From")
    return [*named, *((who, "forwarded") for who in forwarded)][:_PARTICIPANTS]


def _identities(people: list[tuple[Address, str]], kind: str) -> tuple[Identity, ...]:
    found: dict[str, Identity] = {}
    for who, role in people:
        machine = (role == "from" and kind in {kinds.BOUNCE, kinds.AUTOMATIC}) or kinds.no_person(who.address)
        known = found.get(identity_id(who))
        if known is None or (who.name and not known.name):
            found[identity_id(who)] = Identity(identity_id(who), who.name or None, who.address, machine)
    return tuple(found.values())


def _fields(
    mail: MailPayload, kind: str, body: Body, created: datetime | None, people: list[tuple[Address, str]],
    audience: Audience,
) -> dict[str, object]:  # fmt: skip
    sender = next((identity_id(who) for who, role in people if role == "from"), None)
    fields: dict[str, object] = {
        "natural_key": own_id(mail),
        "type": kind,
        "opens": kind == kinds.PERSON and not mail.own,
        "created_at": instant(created) if created else None,
        "requester": sender if kind in {kinds.PERSON, kinds.LIST} and not mail.own else None,
        "participants": [{"identity": identity_id(who), "role": role} for who, role in people],
        "thread": thread(mail),
        "audience": {"level": audience.level, "stated": audience.stated},
    }
    if kind == kinds.BOUNCE and body.undelivered is not None:
        fields["undelivered"] = [f"{ADDRESS}{address}" for address in body.undelivered]
    if mail.keep == "references":
        return fields
    return fields | {
        "title": subject(mail) or None,
        "excerpt": (body.written or body.passed_on)[:EXCERPT] or None,
        "attachments": [one.model_dump() for one in mail.attachments],
        "forwarded": _passed_on(body),
    }


def _passed_on(body: Body) -> dict[str, str] | None:
    """Subject and time of a mail forwarded in the text, as its header block states them."""
    told = {"subject": body.forwarded.get("subject"), "sent": body.forwarded.get("date")}
    return {name: value[:1_000] for name, value in told.items() if value} or None


def subject(mail: MailPayload) -> str:
    """The subject as people read it, on one line."""
    return " ".join(decoded(first(mail.headers, "Subject")).split())[:1_000]


def _kept(mail: MailPayload, body: Body) -> str | None:
    room = {"full": WORDS, "excerpt": EXCERPT, "references": 0}[mail.keep]
    return body.written[:room] or None


def _texts(mail: MailPayload, kind: str, body: Body, since: datetime | None) -> Iterator[Text]:
    own = Evidence.QUOTED if kind in kinds.MACHINES else Evidence.WRITTEN
    for name, text, evidence in (
        ("subject", subject(mail), Evidence.TITLE),
        ("text", body.written, own),
        ("quoted", body.quoted, Evidence.QUOTED),
        ("footer", body.footer, Evidence.QUOTED),
        ("attached", body.attached, Evidence.QUOTED),
    ):
        if text:
            yield Text(name, text, evidence, since)
