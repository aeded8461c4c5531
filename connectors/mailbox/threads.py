"""Which other mails a mail names: what it answers, passes on, or reports as undelivered."""

from collections.abc import Iterator
from datetime import datetime

from connectors.mailbox import kinds
from connectors.mailbox.body import Body
from connectors.mailbox.headers import first, message_ids
from connectors.mailbox.payload import MailPayload
from schemas.artifacts import Evidence, Reference

_ANCESTORS = 50
"""Of a long thread: the mail that began it, and so many of the last."""


def own_id(mail: MailPayload) -> str | None:
    """The mail's Message-ID in its normal form; None when it has none."""
    return next(iter(message_ids(first(mail.headers, "Message-ID"))), None)


def thread(mail: MailPayload) -> str | None:
    """The Message-ID of the mail that began the conversation, as far as this mail tells."""
    named = [*message_ids(first(mail.headers, "References")), *message_ids(first(mail.headers, "In-Reply-To"))]
    return next(iter(named), own_id(mail))


def references(mail: MailPayload, kind: str, body: Body, since: datetime | None) -> Iterator[Reference]:
    """Its own Message-ID and those it names, each once, with the strongest relation first."""
    me = own_id(mail)
    if me:
        yield Reference("message-id", "", me, Evidence.IDENTITY, "is", "Message-ID", since=since)
    seen = {me}
    for value, relation, field in _named(mail, kind, body):
        if value in seen:
            continue
        seen.add(value)
        evidence = Evidence.QUOTED if relation == "mentions" else Evidence.EXPLICIT
        yield Reference("message-id", "", value, evidence, relation, field, since=since)


def _named(mail: MailPayload, kind: str, body: Body) -> Iterator[tuple[str, str, str]]:
    if kind == kinds.BOUNCE:
        yield from ((value, "bounce", field) for value, field in _reported(mail, body))
    for value in message_ids(first(mail.headers, "In-Reply-To")):
        yield value, "reply", "In-Reply-To"
    ancestors = message_ids(first(mail.headers, "References"))
    for value in [*reversed(ancestors[-_ANCESTORS:]), *ancestors[:1]]:
        yield value, "reply", "References"
    # A digest holds mails of strangers: that it passes them on says nothing about any of them.
    passes_on = "mentions" if kind in {kinds.DIGEST, kinds.LIST} else "forward"
    for attached in mail.mails:
        for value in message_ids(first(attached.headers, "Message-ID"))[:1]:
            yield value, passes_on, "attached mail"
    for value in message_ids(body.forwarded.get("message-id", ""))[:1]:
        yield value, passes_on, "forwarded mail"


def _reported(mail: MailPayload, body: Body) -> Iterator[tuple[str, str]]:
    """The mail that was not delivered: the third part of the report (RFC 3462), or its headers in the text."""
    for attached in mail.mails:
        for value in message_ids(first(attached.headers, "Message-ID"))[:1]:
            yield value, "attached mail"
    yield from ((value, "report") for value in body.reported)
