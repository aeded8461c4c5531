"""What a HubSpot account knows by itself: types, their properties, default pipelines, association types, limits.

Written from HubSpot's documentation, not from what the connector asks: the two must be able to disagree.
"""

from typing import Any

TYPE_IDS = {"contact": "0-1", "company": "0-2", "deal": "0-3", "ticket": "0-5", "note": "0-46", "email": "0-49"}
KINDS = {
    "contacts": "contact",
    "companies": "company",
    "deals": "deal",
    "tickets": "ticket",
    "notes": "note",
    "emails": "email",
}
STAGES = {"deal": "dealstage", "ticket": "hs_pipeline_stage"}
HISTORY_KEPT = {"contact": 45}
"""Values kept of a property; 20 for everything but contacts."""

SCOPES = {
    "contact": "crm.objects.contacts.read",
    "company": "crm.objects.companies.read",
    "deal": "crm.objects.deals.read",
    "ticket": "crm.objects.tickets.read",
    "note": "crm.objects.contacts.read",
    "email": "sales-email-read",
    "owner": "crm.objects.owners.read",
}

SEARCH_LIMIT, SEARCH_CEILING, FILTER_GROUPS, FILTERS, FILTERS_IN_ALL = 200, 10_000, 5, 6, 18
READ_LIMIT, HISTORY_LIMIT, ASSOCIATION_LIMIT, LIST_LIMIT, OWNER_LIMIT = 100, 50, 1000, 100, 500

_EVERY = {
    "hs_object_id",
    "hs_createdate",
    "hs_lastmodifieddate",
    "hs_created_by_user_id",
    "hs_updated_by_user_id",
    "hs_merged_object_ids",
    "hs_object_source",
    "hs_object_source_label",
    "hs_all_owner_ids",
    "hubspot_owner_id",
    "hubspot_team_id",
}
PROPERTIES: dict[str, set[str]] = {
    "contact": _EVERY | {"firstname", "lastname", "email", "phone", "company", "createdate", "lastmodifieddate"},
    "company": _EVERY | {"name", "domain", "city", "country", "industry", "createdate"},
    "deal": _EVERY
    | {"dealname", "dealstage", "pipeline", "amount", "closedate", "createdate", "dealtype", "description"}
    | {"deal_currency_code", "hs_priority", "hs_next_step", "closed_lost_reason", "closed_won_reason", "hs_is_closed"},
    "ticket": _EVERY
    | {"subject", "content", "hs_pipeline", "hs_pipeline_stage", "hs_ticket_priority", "hs_ticket_category"}
    | {"createdate", "closed_date", "source_type", "hs_resolution"},
    "note": _EVERY | {"hs_note_body", "hs_timestamp", "hs_attachment_ids"},
    "email": _EVERY
    | {"hs_email_subject", "hs_email_text", "hs_email_html", "hs_email_headers", "hs_email_direction"}
    | {"hs_email_status", "hs_email_message_id", "hs_email_from_email", "hs_email_to_email", "hs_timestamp"},
}

ASSOCIATION_TYPES = {
    ("deal", "ticket"): 27,
    ("ticket", "deal"): 28,
    ("deal", "contact"): 3,
    ("contact", "deal"): 4,
    ("deal", "company"): 341,
    ("company", "deal"): 342,
    ("ticket", "contact"): 16,
    ("contact", "ticket"): 15,
    ("ticket", "company"): 339,
    ("company", "ticket"): 340,
    ("note", "deal"): 214,
    ("deal", "note"): 213,
    ("note", "ticket"): 228,
    ("ticket", "note"): 227,
    ("email", "deal"): 210,
    ("deal", "email"): 209,
    ("email", "ticket"): 224,
    ("ticket", "email"): 223,
}
"""(from, to) to HubSpot's type id of a plain association ("Association type IDs")."""

_MADE = "2020-01-01T00:00:00.000Z"
_DEALS = [
    ("appointmentscheduled", "Appointment Scheduled", "0.2"),
    ("qualifiedtobuy", "Qualified To Buy", "0.4"),
    ("presentationscheduled", "Presentation Scheduled", "0.6"),
    ("decisionmakerboughtin", "Decision Maker Bought-In", "0.8"),
    ("contractsent", "Contract Sent", "0.9"),
    ("closedwon", "Closed Won", "1.0"),
    ("closedlost", "Closed Lost", "0.0"),
]
_TICKETS = [("1", "New", "OPEN"), ("2", "Waiting on contact", "OPEN"), ("3", "Waiting on us", "OPEN")]


def deal_pipeline(
    pipeline_id: str = "default", label: str = "Sales Pipeline", stages: list[tuple[str, str, str]] | None = None
) -> dict[str, Any]:
    """A deal pipeline; stages as (id, label, probability)."""
    told = [
        (stage_id, name, {"probability": chance, "isClosed": "true" if float(chance) in (0.0, 1.0) else "false"})
        for stage_id, name, chance in stages or _DEALS
    ]
    return _pipeline(pipeline_id, label, told)


def ticket_pipeline(
    pipeline_id: str = "0", label: str = "Support Pipeline", stages: list[tuple[str, str, str]] | None = None
) -> dict[str, Any]:
    """A ticket pipeline; stages as (id, label, OPEN or CLOSED)."""
    told = [
        (stage_id, name, {"ticketState": state, "isClosed": str(state == "CLOSED").lower()})
        for stage_id, name, state in stages or [*_TICKETS, ("4", "Closed", "CLOSED")]
    ]
    return _pipeline(pipeline_id, label, told)


def _pipeline(pipeline_id: str, label: str, stages: list[tuple[str, str, dict[str, str]]]) -> dict[str, Any]:
    times = {"createdAt": _MADE, "updatedAt": _MADE, "archived": False}
    listed = [
        {"id": stage_id, "label": name, "displayOrder": place, "metadata": metadata, **times}
        for place, (stage_id, name, metadata) in enumerate(stages)
    ]
    return {"id": pipeline_id, "label": label, "displayOrder": 0, "stages": listed, **times}


DEFAULT_PIPELINES = {"deal": deal_pipeline, "ticket": ticket_pipeline}
