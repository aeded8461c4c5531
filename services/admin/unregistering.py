"""The webhook of a connection, removed from its tool by the hub: when an admin asks, and when the connection goes."""

from dataclasses import dataclass
from typing import Any

from connectors.contract import Connector, HubError
from pipelines.store.engine import reading, writing
from services.admin import audit, forms, hooking
from services.admin.equipment import Equipment
from services.admin.registering import opened_registry, ours
from services.admin.saving import Who
from services.feed import registrations
from services.feed.connections import StoredConnection


@dataclass(frozen=True, slots=True)
class Dropped:
    """What became of a connection's webhook in its tool."""

    number: int
    """How many were removed there, or would be."""
    says: str

    def told(self) -> dict[str, Any]:
        """As JSON."""
        return {"number": self.number, "says": self.says}


async def unregister(
    parts: Equipment, connector: Connector, stored: StoredConnection, who: Who, *, only_look: bool = False
) -> Dropped:
    """Remove from the tool what sends to this connection, and forget the secret that was made for it. Raises
    Misconfigured, RetryLater: what is left in the tool then is found again the same way."""
    async with parts.turn(stored.id), opened_registry(parts, connector, stored) as registry:
        url = hooking.address_of(parts, stored.id)
        async with reading(parts.engine) as connection:
            noted = await registrations.of(connection, stored.id)
        there = ours(await registry.found(), url, noted)
        told = [f"“{one.name}”" for one in there]
        if not only_look:
            for one in there:
                await registry.drop(one.id)
            if there or noted is not None:
                await _forgotten(parts, connector, stored.id, who, told)
    return Dropped(len(there), _said(connector.title, told, only_look=only_look))


def _said(title: str, told: list[str], *, only_look: bool) -> str:
    there = " and ".join(told)
    if only_look:
        return f"{title} loses the webhook {there}." if there else f"{title} has no webhook that sends to us."
    if not there:
        return f"{title} had no webhook that sends to us."
    return f"Removed in {title}: {there}. What it would have told is read a little later, by asking."


async def _forgotten(parts: Equipment, connector: Connector, name: str, who: Who, told: list[str]) -> None:
    proofs = tuple(filter(None, hooking.hooks_of(connector)))
    async with writing(parts.engine) as connection:
        void = await registrations.forget(connection, parts.keys, name, proofs)
        await audit.note(
            connection, who.caller, "connection.webhook unregistered", f"connection {name}", {"found": told},
            {"forgotten": void} if void else None, parts.now(), who.where,
        )  # fmt: skip


async def left(parts: Equipment, connector: Connector | None, stored: StoredConnection) -> str:
    """What stays in the tool when the connection goes, in a sentence; "" where the hub entered nothing there."""
    async with reading(parts.engine) as connection:
        noted = await registrations.of(connection, stored.id)
    if noted is None:
        return ""
    told = (forms.extra_of(connector.Options).get("webhooks") or {}) if connector else {}
    where = told.get("listed") or stored.title
    return f"A webhook that sends to {noted.urls[-1]} stays in the tool: remove it in {where}."


async def removed_or_left(parts: Equipment, connector: Connector | None, stored: StoredConnection, who: Who) -> str:
    """Before a connection goes: remove its webhook; what is left where that cannot be, in a sentence. Raises nothing:
    a tool that is away is no reason to keep a connection."""
    stays = await left(parts, connector, stored)
    if not stays or connector is None:
        return stays
    try:
        await unregister(parts, connector, stored, who)
    except HubError as error:
        return f"{stays} The hub could not: {str(error).rstrip('.')}."
    return ""
