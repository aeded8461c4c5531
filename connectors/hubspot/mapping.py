"""HubSpot's source events in the hub's words. Pure: what it needs to know stands in the event.

Five kinds of events: `deal` and `ticket` (the record with its property history), `note` and `email` (logged on
records), `associations` (what a record is associated with, and who and which companies these are) and `merge` (a
record that lives on inside another). Contacts, companies, owners and users become identities and fields only.
"""

from collections.abc import Callable
from typing import Any

from connectors.contract import BadRecord
from connectors.hubspot import custom, history
from connectors.hubspot.mails import LoggedMail
from connectors.hubspot.pipelines import Pipelines
from connectors.hubspot.properties import BODIES, TITLES
from connectors.hubspot.reading import (
    PIPELINE_PROPERTY,
    PLURALS,
    STAGE_PROPERTY,
    decimal_text,
    dicts_at,
    id_at,
    mapping_at,
    merged_ids,
    moment_at,
    required,
    required_id,
    text_at,
)
from connectors.hubspot.texts import plain, written_and_quoted
from connectors.hubspot.told import Told
from connectors.keeping import EXCERPT
from schemas.artifacts import Evidence, Mapped, Part, Reference, Text, artifact_id
from schemas.canonical import instant
from schemas.events import SourceEvent

_PRIORITY = {"deal": "hs_priority", "ticket": "hs_ticket_priority"}
_WORTH_SHOWING = {
    "dealtype": "Deal type",
    "hs_next_step": "Next step",
    "hs_ticket_category": "Category",
    "source_type": "Source",
    "hs_object_source_label": "Created through",
}
"""Properties shown as further fields, with the label HubSpot gives them in English."""


def map_event(event: SourceEvent) -> Mapped:
    """What the event says. Raises BadRecord for what cannot be understood, never anything else."""
    reader = _KINDS.get(event.kind)
    if reader is None:
        raise BadRecord(f"kind: HubSpot tells no '{event.kind}'; known are {', '.join(_KINDS)}")
    try:
        return reader(event)
    except RecursionError:
        raise BadRecord("payload: nested too deeply") from None


def _record(event: SourceEvent) -> Mapped:
    told = Told(event, required(event.payload, "object"))
    kind, properties = event.kind, told.properties
    pipelines = Pipelines(kind, told.around)
    status = pipelines.status(text_at(properties, STAGE_PROPERTY[kind]), text_at(properties, PIPELINE_PROPERTY[kind]))
    body = plain(text_at(properties, BODIES[kind]) or "")
    fields = told.fields() | {
        "title": text_at(properties, TITLES[kind]),
        "type": pipelines.label(text_at(properties, PIPELINE_PROPERTY[kind])),
        "opens": told.around.get("opens") is not False,
        "status": status,
        "assignee": told.people.owner(id_at(properties, "hubspot_owner_id")),
        "priority": text_at(properties, _PRIORITY[kind]),
        "excerpt": told.kept(body, EXCERPT),
        "outcome": _outcome(told, status),
        "fields": {label: text for name, label in _WORTH_SHOWING.items() if (text := text_at(properties, name))}
        | custom.shown(told),
    }
    fields |= custom.standing(told) | custom.in_roles(told)
    fields |= _money_and_time(told) if kind == "deal" else {"resolution": text_at(properties, "hs_resolution")}
    texts = (
        *_text("title", text_at(properties, TITLES[kind]), Evidence.TITLE),
        *_apart("description", text_at(properties, BODIES[kind])),
        *_text("next step", text_at(properties, "hs_next_step"), Evidence.WRITTEN),
    )
    part = Part((told.myself(), *_known_as(told, properties)), texts)
    return told.mapped(fields, {"record": part} | custom.part(told), history.activities(told, pipelines))


def _text(field: str, text: str | None, evidence: Evidence) -> tuple[Text, ...]:
    return (Text(field, text, evidence),) if text else ()


def _apart(field: str, source: str | None) -> tuple[Text, ...]:
    written, quoted = written_and_quoted(source or "")
    return (*_text(field, written, Evidence.WRITTEN), *_text("quoted", quoted, Evidence.QUOTED))


def _known_as(told: Told, properties: dict[str, Any]) -> tuple[Reference, ...]:
    """A merged record is known by the ids of those it swallowed."""
    return tuple(told.reference(told.kind, old, Evidence.IDENTITY, "is") for old in merged_ids(properties))


def _money_and_time(told: Told) -> dict[str, Any]:
    amount = decimal_text(text_at(told.properties, "amount"))
    closes = moment_at(told.properties, "closedate")
    currency = text_at(told.properties, "deal_currency_code")
    return {
        "amount": {"value": amount, "currency": currency} if amount else None,
        "target_at": instant(closes) if closes else None,
    }


def _outcome(told: Told, status: dict[str, Any] | None) -> dict[str, Any] | None:
    result = status and status["category"]
    if result not in ("done", "cancelled"):
        return None
    entered = history.entered(told, STAGE_PROPERTY[told.kind])
    at = entered or moment_at(told.properties, "closedate" if told.kind == "deal" else "closed_date")
    reason = text_at(told.properties, "closed_won_reason" if result == "done" else "closed_lost_reason")
    return {"result": result, "reason": reason, "at": instant(at) if at else None}


def _note(event: SourceEvent) -> Mapped:
    told = Told(event, required(event.payload, "object"))
    body = plain(text_at(told.properties, "hs_note_body") or "")
    fields = told.fields() | {"opens": False, "excerpt": told.kept(body, EXCERPT), "type": "note"}
    part = Part((told.myself(),), _apart("note", text_at(told.properties, "hs_note_body")))
    return told.mapped(fields, {"record": part}, history.commented(told, body))


def _email(event: SourceEvent) -> Mapped:
    told = Told(event, required(event.payload, "object"))
    mail = LoggedMail.read(told)
    fields = told.fields() | {
        "title": mail.subject,
        "type": mail.direction,
        "opens": False,
        "participants": [{"identity": identity, "role": role} for identity, role in mail.people],
        "excerpt": told.kept(mail.written, EXCERPT),
    }
    texts = (
        *_text("subject", mail.subject, Evidence.TITLE),
        *_text("body", mail.written, Evidence.WRITTEN),
        *_text("quoted", mail.quoted, Evidence.QUOTED),
    )
    references = (told.myself(), *mail.message_ids())
    return told.mapped(fields, {"record": Part(references, texts)}, history.sent(told, mail))


def _associations(event: SourceEvent) -> Mapped:
    of = required(event.payload, "of")
    kind = text_at(of, "type")
    if kind not in PLURALS:
        raise BadRecord("of.type: associations are told of a deal, ticket, note or email")
    told = Told(event, {"id": required_id(of)}, kind)
    associations = mapping_at(event.payload, "associations")
    part = Part(tuple(_associated(told, associations)))
    if kind in ("note", "email"):
        return told.mapped({}, {"associations": part}, ())
    contacts = {
        identity: record for record in dicts_at(event.payload, "contacts") if (identity := told.people.contact(record))
    }
    fields = {
        "participants": [{"identity": identity, "role": "contact"} for identity in contacts],
        "requester": _requester(associations, contacts),
    }
    if told.around.get("unit") is not True:
        fields["business_unit"] = _company(associations, dicts_at(event.payload, "companies"))
    return told.mapped(fields, {"associations": part}, ())


def _associated(told: Told, associations: dict[str, Any]) -> list[Reference]:
    """References to the deals and tickets a record is associated with.

    Whether a note or e-mail on several deals belongs to each of them is for correlation to say.
    """
    found: list[Reference] = []
    for kind in ("deal", "ticket"):
        listed = (id_at(each, "toObjectId") for each in dicts_at(associations, PLURALS[kind]))
        ids = dict.fromkeys(each for each in listed if each)
        found += [told.reference(kind, each, Evidence.EXPLICIT, "association", "associations") for each in ids]
    return found


def _primary(associated: list[dict[str, Any]]) -> str | None:
    """The id that HubSpot marks as primary, or the only one there is."""
    for each in associated:
        labels = [text_at(kind, "label") or "" for kind in dicts_at(each, "associationTypes")]
        if any(label.casefold().startswith("primary") for label in labels):
            return id_at(each, "toObjectId")
    return id_at(associated[0], "toObjectId") if len(associated) == 1 else None


def _requester(associations: dict[str, Any], contacts: dict[str, dict[str, Any]]) -> str | None:
    wanted = _primary(dicts_at(associations, "contacts"))
    return next((identity for identity, record in contacts.items() if wanted and id_at(record, "id") == wanted), None)


def _company(associations: dict[str, Any], companies: list[dict[str, Any]]) -> str | None:
    wanted = _primary(dicts_at(associations, "companies"))
    record = next((each for each in companies if wanted and id_at(each, "id") == wanted), None)
    properties = mapping_at(record, "properties")
    return text_at(properties, "name") or text_at(properties, "domain")


def _merge(event: SourceEvent) -> Mapped:
    kind = text_at(event.payload, "type")
    if kind not in STAGE_PROPERTY:
        raise BadRecord("type: only deals and tickets are read as merged")
    told = Told(event, {"id": required_id(event.payload, "merged")}, kind)
    survivor = required(event.payload, "survivor")
    into = artifact_id(event.connection, kind, required_id(survivor))
    if into == told.artifact:
        raise BadRecord("survivor.id: a record cannot be merged into itself")
    alias = told.reference(kind, required_id(survivor), Evidence.EXPLICIT, "merged into", "hs_merged_object_ids")
    said = {"natural_key": told.id, "merged_into": into}
    return told.mapped(said, {"merge": Part((told.myself(), alias))}, history.merged(told, into, survivor))


_KINDS: dict[str, Callable[[SourceEvent], Mapped]] = {
    "deal": _record,
    "ticket": _record,
    "note": _note,
    "email": _email,
    "associations": _associations,
    "merge": _merge,
}
