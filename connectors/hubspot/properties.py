"""What is read of each kind of HubSpot record, and which of it is text that people write."""

_RECORD = ("hs_object_id", "hs_lastmodifieddate", "hubspot_owner_id", "hs_created_by_user_id")
PROPERTIES = {
    "deal": (
        *_RECORD,
        *("dealname", "description", "dealstage", "pipeline", "dealtype", "amount", "deal_currency_code", "closedate"),
        *("createdate", "hs_next_step", "hs_priority", "closed_lost_reason", "closed_won_reason"),
        *("hs_merged_object_ids", "hs_object_source_label"),
    ),
    "ticket": (
        *_RECORD,
        *("subject", "content", "hs_pipeline", "hs_pipeline_stage", "hs_ticket_priority", "hs_ticket_category"),
        *("createdate", "closed_date", "source_type", "hs_resolution"),
        *("hs_merged_object_ids", "hs_object_source_label"),
    ),
    "note": (*_RECORD, "hs_createdate", "hs_timestamp", "hs_note_body"),
    "email": (
        *_RECORD,
        *("hs_createdate", "hs_timestamp", "hs_email_subject", "hs_email_text", "hs_email_html", "hs_email_headers"),
        *("hs_email_from_email", "hs_email_direction", "hs_email_status", "hs_email_message_id"),
    ),
    "contact": ("firstname", "lastname", "email"),
    "company": ("name", "domain"),
}
"""What is read of each kind; nothing else is asked for."""

HISTORY = {
    "deal": ("dealstage", "hubspot_owner_id", "amount", "closedate", "hs_priority"),
    "ticket": ("hs_pipeline_stage", "hubspot_owner_id", "hs_ticket_priority"),
}
"""Properties whose past values are read."""

TITLES = {"deal": "dealname", "ticket": "subject", "email": "hs_email_subject"}
BODIES = {"deal": "description", "ticket": "content", "note": "hs_note_body"}
"""Rich text. That of an e-mail stands in one of two properties, and its quotes are told apart."""
LINES = ("hs_next_step", "closed_lost_reason", "closed_won_reason", "hs_resolution")
"""Further properties that people fill with words of their own; all others are choices, numbers, times and ids."""
