"""What an admin fills in for a HubSpot connection."""

import re
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator

Kind = Literal["deal", "ticket"]

_PROPERTY = re.compile(r"[a-z0-9][a-z0-9_]{0,99}")

_KEYS = "HubSpot, Settings, Integrations, Service Keys, Create service key"


class Options(BaseModel):
    """One HubSpot account, read with one token."""

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        hide_input_in_errors=True,
        title="HubSpot",
        json_schema_extra={
            "reads": "Deals and tickets with their history, their notes and e-mails. Nothing is ever written.",
            "granted": {"where": _KEYS},
            "permissions": [
                {"name": "crm.objects.deals.read", "for": "deals and their pipelines"},
                {"name": "crm.objects.tickets.read", "for": "tickets and their pipelines"},
                {"name": "crm.objects.contacts.read", "for": "names of contacts; notes"},
                {"name": "crm.objects.companies.read", "for": "names of companies"},
                {"name": "crm.objects.owners.read", "for": "names of owners"},
                {"name": "sales-email-read", "for": "logged e-mails; leave it out and switch E-mails off to read none"},
            ],
            "webhooks": {
                "where": "HubSpot, the app, Webhooks: target URL and subscriptions",
                "events": [
                    "creation, deletion, property change, merge and association change of deals",
                    "creation, deletion, property change, merge and association change of tickets",
                ],
                "secret": "client_secret",
                "given": "HubSpot signs with the app's own client secret: copy it from the app into this connection.",
                "registered": "HubSpot lets only the app's developer account set up webhooks, not the token of an "
                "installed app: enter it in the app by hand. Service keys send no webhooks.",
            },
        },
    )

    base_url: str = Field(
        default="https://api.hubapi.com",
        title="API address",
        description="Where HubSpot's API answers; change it only for a proxy or the sandbox.",
    )
    app_url: str = Field(
        default="",
        title="App address",
        description="Where people open HubSpot, such as https://app-eu1.hubspot.com. Empty: as HubSpot itself says.",
    )
    api_version: Literal["2026-09", "2026-03", "v3"] = Field(
        default="2026-09",
        title="API version",
        description="HubSpot's dated API version. v3 (with v4 associations) ends in 2027: for proxies that lag behind.",
        json_schema_extra={"advanced": True},
    )
    token_kind: Literal["service key", "project app", "private app"] = Field(
        default="service key",
        title="Kind of token",
        description="A service key is what a new account gets; app tokens can also send webhooks.",
        json_schema_extra={
            "choices": {
                "service key": "Service key",
                "project app": "Token of a project app",
                "private app": "Token of a private app",
            }
        },
    )
    token: SecretStr = Field(
        title="Token",
        description="Starts with pat-. Settings, Integrations, Service Keys: only the read scopes listed.",
    )
    client_secret: SecretStr | None = Field(
        default=None,
        title="Client secret",
        description="Only for webhooks: the app's client secret, with which HubSpot signs. Service keys send none.",
        json_schema_extra={"of": "webhooks"},
    )
    portal: int | None = Field(
        default=None,
        ge=1,
        title="Hub ID",
        description="The account's number; the test shows it. When given, a token of another account is refused.",
    )
    objects: tuple[Kind, ...] = Field(
        default=("deal", "ticket"),
        min_length=1,
        title="Records",
        description="Which records are read: deal, ticket or both.",
    )
    opening_pipelines: tuple[str, ...] = Field(
        default=(),
        title="Pipelines that open requests",
        description="Ids of pipelines whose records open a request; others only join one. Empty: all pipelines.",
    )
    properties: tuple[str, ...] = Field(
        default=(),
        max_length=20,
        title="Further properties",
        description="Internal names of properties of deals and tickets to read and show; what they name, rules say.",
        examples=["erp_order, jira_key"],
        json_schema_extra={"advanced": True},
    )
    due_property: str = Field(
        default="",
        title="Property with the due date",
        description="Internal name of a date property that says until when a deal or ticket is due.",
        json_schema_extra={"advanced": True},
    )
    unit_property: str = Field(
        default="",
        title="Property with the business unit",
        description="Internal name; empty: the primary company is the business unit.",
        json_schema_extra={"advanced": True},
    )
    read_notes: bool = Field(default=True, title="Notes", description="Read notes logged on the records above.")
    read_emails: bool = Field(default=True, title="E-mails", description="Read e-mails logged on the records above.")
    keep: Literal["full", "excerpt", "references"] = Field(
        default="excerpt",
        title="Keep of content",
        description="Of titles and texts: all, the first 500 characters, or only what they name (keys, addresses).",
        json_schema_extra={"choices": {"full": "Full text", "excerpt": "Excerpt", "references": "References only"}},
    )
    share: float = Field(
        default=0.25,
        gt=0,
        le=1,
        title="Share of the limit",
        description="The part of HubSpot's request limits this connection takes; all apps of an account share them.",
    )
    overlap_minutes: int = Field(
        default=5,
        ge=5,
        le=120,
        title="Overlap in minutes",
        description="How far each read looks back, because HubSpot's search shows changes late.",
    )
    page_size: int = Field(
        default=200, ge=1, le=200, title="Records a page", description="How many records one search asks for."
    )

    @field_validator("base_url", "app_url")
    @classmethod
    def _without_slash(cls, value: str) -> str:
        return value.rstrip("/")

    @field_validator("properties")
    @classmethod
    def _internal_names(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for name in value:
            cls._internal_name(name)
        return tuple(dict.fromkeys(value))

    @field_validator("due_property", "unit_property")
    @classmethod
    def _internal_name(cls, value: str) -> str:
        if value and not _PROPERTY.fullmatch(value):
            raise ValueError("give the property's internal name, such as erp_order, not its label")
        return value

    @property
    def named_properties(self) -> tuple[str, ...]:
        """Properties that are read because the admin names them."""
        return tuple(dict.fromkeys(filter(None, (*self.properties, self.due_property, self.unit_property))))

    @property
    def kinds(self) -> tuple[str, ...]:
        """Kinds of artifacts that are read, in the order they are read in."""
        logged = [kind for kind, wanted in (("note", self.read_notes), ("email", self.read_emails)) if wanted]
        return (*dict.fromkeys(self.objects), *logged)
