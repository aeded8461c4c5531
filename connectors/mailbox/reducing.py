"""A mail's payload without what the connection does not keep. Pure.

Who wrote what is told apart, and the kind of mail is found, before anything is left out: what stays says the same about
other things as the whole mail does. Of the headers only those stay that mapping reads.
"""

from collections.abc import Iterator
from email.utils import format_datetime
from typing import Any

from connectors.keeping import Keep, kept, kept_apart, names
from connectors.mailbox.body import Body, read_body
from connectors.mailbox.headers import Headers, addresses, date, message_ids
from connectors.mailbox.kinds import kind_of
from connectors.mailbox.mapping import audience_of, subject
from connectors.mailbox.payload import read_payload
from schemas.artifacts import OPEN

_PEOPLE = {"from", "to", "cc", "reply-to"}
_IDS = {"message-id", "in-reply-to", "references"}
_OF_ATTACHED = {"from", "message-id"}


def reduced(payload: dict[str, Any], keep: Keep) -> dict[str, Any]:
    """The payload with what is kept: all of it, or an excerpt of subject and text, or only what names other things."""
    payload = payload | {"keep": keep}
    if keep == "full":
        return payload
    mail = read_payload(payload)
    return payload | {
        "headers": list(_headers(mail.headers, " ".join(kept(subject(mail), keep).split()))),
        "texts": [
            {name: text[name] for name in ("path", "within", "type", "size", "cut") if name in text}
            for text in payload["texts"]
        ],
        "mails": [
            {"path": one.path, "headers": [pair for pair in _headers(one.headers) if pair[0].lower() in _OF_ATTACHED]}
            for one in mail.mails
        ],
        "attachments": [one | {"name": ""} for one in payload["attachments"]]
        if keep == "references"
        else payload["attachments"],
        "words": _words(read_body(mail), keep),
        "kind": kind_of(mail.headers),
    }


def _headers(headers: Headers, shown_subject: str = "") -> Iterator[list[str]]:
    read = set()
    for name, value in headers:
        said = value if name.lower() in _PEOPLE else _stated(name.lower(), value)
        # Of a header that stands twice the first counts, whatever it says.
        if said and (name.lower() in _PEOPLE or name.lower() not in read):
            yield [name, said]
        read.add(name.lower())
    if shown_subject:
        yield ["Subject", shown_subject]


def _stated(name: str, value: str) -> str:
    """A header's value without the words and comments that may stand beside it."""
    if name in _IDS:
        return " ".join(f"<{value}>" for value in message_ids(value))
    if name == "date":
        at = date(value)
        return format_datetime(at) if at else ""
    return value if name == "sensitivity" and audience_of([(name, value)]) != OPEN else ""


def _words(body: Body, keep: Keep) -> dict[str, Any]:
    """An excerpt is of the sender's own words; of what a mail without any passes on; of nothing else."""
    written, passed_on = kept_apart(body.written, body.passed_on, keep)
    shows_quoted = bool(body.forwarded and body.quoted)
    return {
        "written": written,
        "quoted": passed_on if shows_quoted else names(body.quoted),
        "footer": names(body.footer),
        "attached": names(body.attached) if shows_quoted else passed_on,
        "forwarded": _forwarded(body.forwarded, keep),
        "reported": list(body.reported),
        "undelivered": None if body.undelivered is None else list(body.undelivered),
    }


def _forwarded(block: dict[str, str], keep: Keep) -> dict[str, str]:
    """Who wrote the mail that is passed on, and its Message-ID; with an excerpt its subject and time too."""
    if not block:
        return {}
    ids = " ".join(f"<{value}>" for value in message_ids(block.get("message-id", "")))
    shown = {name: kept(text, keep) for name, text in block.items() if name in {"subject", "date"}}
    return {"from": _people(block.get("from", "")), "message-id": ids} | (shown if keep == "excerpt" else {})


def _people(value: str) -> str:
    return ", ".join(_shown(who.name, who.address) for who in addresses([("From", value)], "From"))


def _shown(name: str, address: str) -> str:
    bare = "".join(letter for letter in name if letter not in '"\\')
    return f'"{bare}" <{address}>' if bare else address
