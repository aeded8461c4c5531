"""An e-mail that HubSpot logged on a record: who wrote to whom, what of it is new, and its Message-ID."""

import json
from dataclasses import dataclass
from typing import Any

from connectors.hubspot.people import full_name
from connectors.hubspot.reading import dicts_at, mapping_at, text_at
from connectors.hubspot.texts import written_and_quoted
from connectors.hubspot.told import Told
from schemas.artifacts import Evidence, Reference

_DIRECTIONS = {"INCOMING_EMAIL": "received", "FORWARDED_EMAIL": "forwarded", "EMAIL": "sent"}


@dataclass(frozen=True, slots=True)
class LoggedMail:
    """What a logged e-mail says."""

    subject: str | None
    direction: str | None
    sender: str | None
    people: tuple[tuple[str, str], ...]
    written: str
    quoted: str
    message_id: str | None

    @staticmethod
    def read(told: Told) -> "LoggedMail":
        """Read the e-mail's properties (developers.hubspot.com, "Email" under engagements)."""
        properties = told.properties
        people = _people(told)
        written, quoted = written_and_quoted(
            text_at(properties, "hs_email_html") or text_at(properties, "hs_email_text") or "", signs(properties)
        )
        direction = text_at(properties, "hs_email_direction")
        return LoggedMail(
            subject=text_at(properties, "hs_email_subject"),
            direction=_DIRECTIONS.get(direction or "", direction),
            sender=next((identity for identity, role in people if role == "from"), None),
            people=people,
            written=written,
            quoted=quoted,
            message_id=normal_message_id(text_at(properties, "hs_email_message_id")),
        )

    def message_ids(self) -> tuple[Reference, ...]:
        """The mail itself, where a mailbox holds it too. HubSpot states it, so it is as explicit as an association."""
        if self.message_id is None:
            return ()
        field = "hs_email_message_id"
        return (Reference("message-id", "", self.message_id, Evidence.EXPLICIT, "association", field),)


def signs(properties: Any) -> str:
    """The sender's name, as a signature begins with it."""
    sender = mapping_at(_headers(text_at(properties, "hs_email_headers")), "from")
    return full_name(sender, "firstName", "lastName") or ""


def normal_message_id(text: str | None) -> str | None:
    """A Message-ID without angle brackets, the part after @ in lower case; None for what is none."""
    bare = (text or "").strip().removeprefix("<").removesuffix(">").strip()
    left, at, right = bare.rpartition("@")
    if not at or not left or not right or any(space in bare for space in " \t\r\n<>"):
        return None
    return f"{left}@{right.lower()}"


def _people(told: Told) -> tuple[tuple[str, str], ...]:
    headers = _headers(text_at(told.properties, "hs_email_headers"))
    senders = [mapping_at(headers, "from")] if mapping_at(headers, "from") else []
    found: dict[tuple[str, str], None] = {}
    for role, entries in (("from", senders), ("to", dicts_at(headers, "to")), ("cc", dicts_at(headers, "cc"))):
        for entry in entries:
            identity = told.people.address(text_at(entry, "email"), full_name(entry, "firstName", "lastName"))
            if identity:
                found[identity, role] = None
    if not senders:
        identity = told.people.address(text_at(told.properties, "hs_email_from_email"))
        if identity:
            found = {(identity, "from"): None} | found
    return tuple(found)


def _headers(text: str | None) -> Any:
    try:
        return json.loads(text) if text else {}
    except (ValueError, RecursionError):
        return {}
