"""Webhooks of a connection: the address to enter in the tool, and whether deliveries reach our listener."""

import httpx2

from connectors.contract import Connector, Delivery, Misconfigured, Step
from services.admin import forms
from services.admin.equipment import Equipment
from services.admin.given import stored_whole
from services.admin.setting_up import Wanted
from services.feed.connections import StoredConnection, split_secrets

_NAME = "webhook address"
_SECONDS = 10.0
_REFUSED, _TAKEN = 401, 204


def hooks_of(connector: Connector) -> tuple[str | None, str | None]:
    """The options with which deliveries are proved: by a signature, by the end of their address."""
    told = forms.extra_of(connector.Options).get("webhooks") or {}
    return told.get("secret"), told.get("path_token")


def address_of(parts: Equipment, name: str) -> str:
    """Where deliveries of a connection are sent."""
    return f"{parts.hooks_url}/hooks/{name}"


def proves(wanted: Wanted) -> bool:
    """Whether a secret is given that proves deliveries."""
    secrets = split_secrets(wanted.options)[1]
    return any(name and name in secrets for name in hooks_of(wanted.connector))


async def reachable(parts: Equipment, wanted: Wanted) -> Step | None:
    """Whether our listener answers at its public address; None where nobody said where that is, or no secret is
    given, so that no delivery would count. Something unsigned is sent, which the listener refuses."""
    if not parts.hooks_public or not proves(wanted):
        return None
    status = await _sent(Delivery("POST", address_of(parts, wanted.name), {}, b"{}"))
    if status == _REFUSED:
        return Step(_NAME, ok=True, says=f"Our listener answers at {parts.hooks_url}")
    return Step(_NAME, ok=False, says=_wrong(parts, status))


async def delivered(parts: Equipment, connector: Connector, stored: StoredConnection) -> Step:
    """Send our own listener a delivery that tells nothing, proved as the tool would prove it. Raises Misconfigured."""
    make = getattr(connector, "trial_delivery", None)
    if make is None:
        raise Misconfigured(f"{connector.title} sends no webhooks", "Nothing is needed: it is asked from time to time")
    options = stored_whole(connector.Options, stored, parts.keys)
    status = await _sent(make(options, address_of(parts, stored.id), parts.now()))
    if status == _TAKEN:
        return Step(_NAME, ok=True, says=f"The delivery arrived at {parts.hooks_url}, was proved and stored")
    if status == _REFUSED:
        says = (
            f"It arrived at {parts.hooks_url} and was refused: what passes requests on changes their address or body, "
            "or THROUGHLINE_PUBLIC_URL is not what is called"
        )
        return Step(_NAME, ok=False, says=says)
    return Step(_NAME, ok=False, says=_wrong(parts, status))


async def _sent(delivery: Delivery) -> int | None:
    """The status that our listener's address answers with; None: nobody answers. The address comes from who runs the
    hub, never from an admin."""
    headers = {"content-type": "application/json", **delivery.headers}
    try:
        async with httpx2.AsyncClient(trust_env=False, follow_redirects=False, timeout=_SECONDS) as client:
            return (await client.post(delivery.url, content=delivery.body, headers=headers)).status_code
    except httpx2.HTTPError:
        return None


def _wrong(parts: Equipment, status: int | None) -> str:
    heard = "nobody answers" if status is None else f"something answers HTTP {status} that is not our listener"
    return (
        f"Our listener is not reached at {parts.hooks_url}: {heard}. Look at THROUGHLINE_PUBLIC_URL, and at what "
        "passes requests on to the listener"
    )
