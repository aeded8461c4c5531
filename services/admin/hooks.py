"""The set-up of webhooks: what to enter in the tool, or to have it entered by the hub; when the last one came, and a
delivery to try the way."""

import secrets
from typing import Any, Literal

from fastapi import APIRouter
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field
from sqlalchemy import select
from starlette.responses import Response

from connectors.contract import Connector
from schemas.access import Role
from services.admin import forms, hooking, refusals, registering, unregistering
from services.admin.conditions import Acting, Actor, Preview
from services.admin.connections import Id, Nothing, answering
from services.admin.equipment import Equipment, Equipped
from services.admin.saving import Who
from services.feed import connections, registrations
from services.feed.connections import StoredConnection
from services.feed.registrations import Registration
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
    responses=documented(400, 401, 403, 404, 412, 413, 415, 422, 503),
)  # fmt: skip


class Noted(BaseModel):
    """A webhook that the hub entered in the tool by itself."""

    url: str = Field(description="Where it sends to, as it was entered")
    begun_at: AwareDatetime
    done_at: AwareDatetime | None = Field(description="null: it is not known whether it was entered")
    says: str = Field(description="How that stands, as it is known here")


class WebhookToEnter(BaseModel):
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
    registers: bool = Field(description="Whether the hub can enter it by itself, when it is asked to")
    registered: str = Field(description="What the hub needs for that, or why it cannot")
    registration: Noted | None = Field(description="null: the hub entered none")
    received_at: AwareDatetime | None = Field(description="When the last delivery came")


class WebhookTold(BaseModel):
    """The set-up of one connection's webhooks."""

    webhook: WebhookToEnter | None = Field(description="null: the tool sends none")


class WebhookWish(BaseModel):
    """How the webhook is to be entered."""

    model_config = ConfigDict(extra="forbid")

    renew: bool = Field(
        default=False, strict=True, description="With another secret, though the one that is there is well"
    )


class Written(BaseModel):
    """What is written in the tool. Its secret is told to nobody else."""

    name: str = Field(examples=["Throughline (jira-acme)"])
    url: str
    events: list[str]
    filter: str = Field(description="In the tool's own language; empty: all", examples=['project in ("PAY")'])
    proof: str = Field(description="The option that proves its deliveries", examples=["webhook_secret"])


class Entered(BaseModel):
    """What was written in the tool, or would be."""

    preview: bool = Field(description="Nothing was written")
    does: Literal["enter", "write over", "keep"] = Field(description="keep: the one that is there is well")
    says: str
    warning: str | None
    writes: Written
    where: str = Field(description="Where the tool lists it", examples=["Jira, System, WebHooks"])
    found: list[str] = Field(description="What the tool told of those that send to this connection")


class Taken(BaseModel):
    """What was removed in the tool, or would be."""

    preview: bool = Field(description="Nothing was removed")
    number: int
    says: str


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
        noted = await registrations.of(connection, identifier)
    found = _told(parts, stored)
    more = {"received_at": told(received), "registration": _noted(parts, stored, noted)}
    return answer({"webhook": found | more if found else None})


def _noted(parts: Equipment, stored: StoredConnection, noted: Registration | None) -> dict[str, Any] | None:
    if noted is None:
        return None
    says = _standing(parts, stored, noted)
    return {"url": noted.urls[-1], "begun_at": told(noted.asked_at), "done_at": told(noted.done_at), "says": says}


def _standing(parts: Equipment, stored: StoredConnection, noted: Registration) -> str:
    if noted.done_at is None:
        return "Entering it was begun and not ended: have it entered again, which finds what is there."
    if noted.urls[-1] != hooking.address_of(parts, stored.id):
        return f"It sends to {noted.urls[-1]}, where this hub was reached before: have it entered again."
    options = filter(None, hooking.hooks_of(parts.catalogue[stored.connector]))
    known = (registrations.opened(parts.keys, stored.id, one, stored.secrets.get(one)) for one in options)
    if noted.proof not in [registrations.proof_of(one) for one in known if one is not None]:
        return "Its secret was changed here since: have it entered again, or its deliveries are refused."
    return f"The hub entered it on {noted.done_at:%Y-%m-%d}."


def _told(parts: Equipment, stored: StoredConnection) -> dict[str, Any]:
    kind = parts.catalogue.get(stored.connector)
    extra = forms.extra_of(kind.Options).get("webhooks") if kind else None
    if not extra:
        return {}
    names = {name: extra.get(name) for name in ("where", "events", "secret", "path_token", "given", "registered")}
    return {
        "url": hooking.address_of(parts, stored.id), "public": parts.hooks_public, **names,
        "registers": bool(extra.get("registers")),
        "secret_stored": extra["secret"] in stored.secrets,
        "path_token_stored": extra.get("path_token") in stored.secrets,
    }  # fmt: skip


@trying.post("/connections/{identifier}/webhook", response_model=Entered, summary="Enter it in the tool")
async def enter(identifier: Id, asked: WebhookWish, acting: Actor, preview: Preview = False) -> Response:
    """With a secret that the hub makes and keeps; nobody is told it. Where it stands there already nothing is written,
    and where one that sends to this connection does not fit, or sends to where the hub was reached before, it is
    written over: there is never a second. Needs an account that the tool lets do that. Ask with `preview=true` first:
    it says what would be written."""
    parts = acting.parts
    async with answering():
        kind, stored = await _of(parts, identifier)
        if preview:
            plan = await registering.preview(parts, kind, stored, renew=asked.renew)
        else:
            plan = await registering.register(parts, kind, stored, _who(acting), renew=asked.renew)
    return answer({"preview": preview, **plan.told()})


@trying.delete("/connections/{identifier}/webhook", response_model=Taken, summary="Remove it from the tool")
async def take_away(identifier: Id, acting: Actor, preview: Preview = False) -> Response:
    """All that the tool has that send to this connection, and the secret that the hub made for it. Reading goes on by
    asking."""
    async with answering():
        kind, stored = await _of(acting.parts, identifier)
        gone = await unregistering.unregister(acting.parts, kind, stored, _who(acting), only_look=preview)
    return answer({"preview": preview, **gone.told()})


async def _of(parts: Equipment, identifier: str) -> tuple[Connector, StoredConnection]:
    async with parts.database.reading() as connection:
        stored = await connections.get(connection, identifier)
    if stored is None or stored.connector not in parts.catalogue:
        raise refusals.unknown(identifier)
    return parts.catalogue[stored.connector], stored


def _who(acting: Acting) -> Who:
    return Who(acting.caller, acting.where)


@trying.post("/connections/{identifier}/webhook/test", response_model=Delivered, summary="Send a delivery ourselves")
async def test(identifier: Id, nothing: Nothing, acting: Actor) -> Response:
    """To our own listener at its public address, proved as the tool would prove it. It tells nothing, and is stored
    like any other."""
    del nothing
    parts = acting.parts
    async with answering():
        kind, stored = await _of(parts, identifier)
        step = await hooking.delivered(parts, kind, stored)
    return answer({"ok": step.ok, "says": step.says})


@trying.post("/webhook-secrets", response_model=Made, summary="A new secret for a webhook")
async def secret(nothing: Nothing) -> Response:
    """256 random bits, to be entered in the tool and in the connection. It is not stored here."""
    del nothing
    return answer({"secret": secrets.token_urlsafe(32)})
