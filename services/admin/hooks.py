"""The set-up of webhooks: what to enter in the tool, when the last one came, and a delivery to try the way."""

import secrets
from typing import Any

from fastapi import APIRouter
from pydantic import AwareDatetime, BaseModel, Field
from sqlalchemy import select
from starlette.responses import Response

from schemas.access import Role
from services.admin import forms, hooking, refusals
from services.admin.conditions import Actor
from services.admin.connections import Id, Nothing, answering
from services.admin.equipment import Equipment, Equipped
from services.feed import connections
from services.feed.connections import StoredConnection
from services.feed.watch_tables import watched
from services.query.access import needs
from services.query.changing import Adding
from services.query.problems import documented
from services.query.serving import answer, told

router = APIRouter(
    tags=["connections"], dependencies=[needs(Role.ADMIN)], responses=documented(401, 403, 404, 422, 503)
)
trying = APIRouter(
    tags=["connections"], dependencies=[needs(Role.ADMIN)], route_class=Adding,
    responses=documented(400, 401, 403, 404, 413, 415, 422, 503),
)  # fmt: skip


class Webhook(BaseModel):
    """What to enter in the tool."""

    url: str = Field(examples=["https://hub.acme.example/hooks/jira-acme"])
    public: bool = Field(description="Whether an admin said where tools reach the listener (THROUGHLINE_PUBLIC_URL)")
    where: str = Field(examples=["Jira, System, WebHooks, Create a WebHook"])
    events: list[str]
    secret: str = Field(description="The option that proves deliveries", examples=["webhook_secret"])
    secret_stored: bool
    path_token: str | None = Field(description="The option that ends the address where nothing is signed")
    path_token_stored: bool
    given: str | None = Field(description="Where the secret comes from, if the tool makes it")
    registered: str = Field(description="Why the hub does not enter it by itself")
    received_at: AwareDatetime | None = Field(description="When the last delivery came")


class WebhookTold(BaseModel):
    """The set-up of one connection's webhooks."""

    webhook: Webhook | None = Field(description="null: the tool sends none")


class Delivered(BaseModel):
    """What became of a delivery that we sent ourselves."""

    ok: bool
    says: str


class Made(BaseModel):
    """A secret that nobody has yet; it is stored nowhere."""

    secret: str


@router.get("/connections/{identifier}/webhook", response_model=WebhookTold, summary="What to enter in the tool")
async def webhook(identifier: Id, parts: Equipped) -> Response:
    """Address, events, whether a secret is stored, and when the last delivery came. Secrets are not told: where the
    address ends with a path token, add it yourself."""
    async with answering(), parts.database.reading() as connection:
        stored = await connections.get(connection, identifier)
        if stored is None:
            raise refusals.unknown(identifier)
        wanted = select(watched.c.received_at).where(watched.c.connection == identifier)
        received = (await connection.execute(wanted)).scalar()
    found = _told(parts, stored)
    return answer({"webhook": found | {"received_at": told(received)} if found else None})


def _told(parts: Equipment, stored: StoredConnection) -> dict[str, Any]:
    kind = parts.catalogue.get(stored.connector)
    extra = forms.extra_of(kind.Options).get("webhooks") if kind else None
    if not extra:
        return {}
    names = {name: extra.get(name) for name in ("where", "events", "secret", "path_token", "given", "registered")}
    return {
        "url": hooking.address_of(parts, stored.id), "public": parts.hooks_public, **names,
        "secret_stored": extra["secret"] in stored.secrets,
        "path_token_stored": extra.get("path_token") in stored.secrets,
    }  # fmt: skip


@trying.post("/connections/{identifier}/webhook/test", response_model=Delivered, summary="Send a delivery ourselves")
async def test(identifier: Id, nothing: Nothing, acting: Actor) -> Response:
    """To our own listener at its public address, proved as the tool would prove it. It tells nothing, and is stored
    like any other."""
    del nothing
    parts = acting.parts
    async with answering():
        async with parts.database.reading() as connection:
            stored = await connections.get(connection, identifier)
        if stored is None or stored.connector not in parts.catalogue:
            raise refusals.unknown(identifier)
        step = await hooking.delivered(parts, parts.catalogue[stored.connector], stored)
    return answer({"ok": step.ok, "says": step.says})


@trying.post("/webhook-secrets", response_model=Made, summary="A new secret for a webhook")
async def secret(nothing: Nothing) -> Response:
    """256 random bits, to be entered in the tool and in the connection. It is not stored here."""
    del nothing
    return answer({"secret": secrets.token_urlsafe(32)})
