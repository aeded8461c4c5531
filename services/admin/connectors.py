"""The kinds of tools that can be connected, each with the form that connects it."""

from typing import Any

from fastapi import APIRouter
from pydantic import BaseModel, Field
from starlette.responses import Response

from connectors.contract import Connector
from schemas.access import Role
from services.admin import forms
from services.admin.equipment import Equipped
from services.admin.given import SENT
from services.query.access import needs
from services.query.problems import documented
from services.query.serving import answer

router = APIRouter(tags=["connections"], dependencies=[needs(Role.ADMIN)], responses=documented(401, 403, 503))

_FIELD = {"name": "auth.api_token.token", "path": ["auth", "token"], "kind": "secret", "label": "API token",
          "help": "Lives a year at most; note when it ends", "example": None, "required": True, "advanced": False,
          "of": None, "default": None}  # fmt: skip


class Permission(BaseModel):
    """Something that the tool must grant."""

    name: str = Field(examples=["Browse Projects"])
    what: str = Field(alias="for", description="What it is needed for", examples=["issues and their history"])


class Granted(BaseModel):
    """Where the tool grants it."""

    where: str = Field(examples=["id.atlassian.com, Security, API tokens"])
    url: str | None = None


class Hooks(BaseModel):
    """How webhooks of this tool are set up."""

    where: str = Field(examples=["Jira, System, WebHooks, Create a WebHook"])
    events: list[str]
    secret: str = Field(description="Name of the option that proves deliveries", examples=["webhook_secret"])
    path_token: str | None = Field(default=None, description="Option that ends the address where nothing is signed")
    given: str | None = Field(default=None, description="Where the secret comes from, if the tool makes it")
    registers: bool = Field(default=False, description="Whether the hub can enter them by itself, when it is asked")
    registered: str = Field(description="What the hub needs for that, or why it cannot")
    listed: str | None = Field(
        default=None, description="Where the tool lists them", examples=["Jira, System, WebHooks"]
    )


class Kind(BaseModel):
    """One kind of tool."""

    name: str = Field(examples=["jira"])
    title: str = Field(examples=["Jira"])
    reads: str = Field(description="What is read of it, in a sentence or two")
    account: str | None = Field(description="With which account it is best read")
    granted: Granted | None = Field(description="Where the tool grants what is needed, if not by way of signing in")
    permissions: list[Permission]
    webhooks: Hooks | None = Field(description="null: the tool sends none")
    where_to: list[str] = Field(
        description="Options, by dotted name, that say where secrets are sent, and for whom; where one changes, "
        "secrets are typed again",
        examples=[["base_url"]],
    )
    fields: list[dict[str, Any]] = Field(
        description="The form, in its order. `name`: of the input and in errors; `path`: where the value stands in "
        "`options`; `kind`: text, secret, choice, choices, list, yes, whole, number, instant, day, group (`fields`) "
        "or alternatives (has `alternatives`, each with `value`, `label`, `help`, `granted`, `permissions`, `fields`); "
        "`advanced`: folded away; `of`: webhooks, or null",
        examples=[[_FIELD]],
    )
    options: dict[str, Any] = Field(description="JSON Schema of the options", examples=[{"type": "object"}])


class Kinds(BaseModel):
    """Every kind of tool, by name."""

    items: list[Kind]


@router.get("/connectors", response_model=Kinds, summary="What can be connected, and the form for it")
async def connectors(parts: Equipped) -> Response:
    """Each kind of tool with its options as a form: labels, help, secrets, ways to sign in, and what it needs where."""
    return answer({"items": [kind_told(one) for one in parts.catalogue.values()]})


def kind_told(connector: Connector) -> dict[str, Any]:
    """One kind, as JSON."""
    extra = forms.extra_of(connector.Options)
    return {
        "name": connector.name,
        "title": connector.title,
        "reads": extra.get("reads") or forms.summary(connector.Options),
        **{name: extra.get(name) for name in ("account", "granted", "webhooks")},
        "permissions": extra.get("permissions", []),
        "where_to": list(SENT),
        "fields": forms.fields_of(connector.Options),
        "options": connector.Options.model_json_schema(),
    }
