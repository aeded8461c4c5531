"""Webhooks of a connection: the address and the secret to enter in the tool, and whether deliveries reach us."""

from ipaddress import ip_network

from pydantic import SecretStr

from connectors.addresses import Policy
from connectors.contract import HubError, Misconfigured, Step
from connectors.limiter import Limiter
from connectors.transport import Network, Refused
from services.admin import forms
from services.admin.equipment import Equipment
from services.admin.given import at
from services.admin.setting_up import Wanted
from services.feed.connections import split_secrets

_NAME = "webhook address"
_OWN = Policy(
    allow_loopback=True,
    allowed=tuple(ip_network(one) for one in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7")),
)
"""Our own listener's address comes from who runs the hub, and may be inside."""


def hooks_of(wanted: Wanted) -> tuple[str | None, str | None]:
    """The options with which a connection's deliveries are proved: by a signature, by the end of their address."""
    told = forms.extra_of(wanted.connector.Options).get("webhooks") or {}
    return told.get("secret"), told.get("path_token")


def address_of(parts: Equipment, name: str, token: SecretStr | None = None) -> str:
    """Where deliveries of a connection are sent."""
    return f"{parts.hooks_url}/hooks/{name}" + (f"/{token.get_secret_value()}" if token else "")


async def reachable(parts: Equipment, wanted: Wanted) -> Step | None:
    """Whether our listener answers at its public address; None where nobody said where that is, or no secret is
    given, so that no delivery would count. Something unsigned is sent, which the listener refuses."""
    secrets = split_secrets(wanted.options)[1]
    if not parts.hooks_public or not any(name and at(secrets, name) for name in hooks_of(wanted)):
        return None
    network = Network(_OWN, Limiter("the hub's own webhook address"))
    try:
        async with network.client(parts.hooks_url, timeout=10) as client:
            await client.request("POST", f"/hooks/{wanted.name}", json={})
    except (Refused, Misconfigured) as error:
        if getattr(error, "status", None) == 401 or "401" in str(error):
            return Step(_NAME, ok=True, says=f"Our listener answers at {parts.hooks_url}")
        return Step(_NAME, ok=False, says=_wrong(parts, error))
    except HubError as error:
        return Step(_NAME, ok=False, says=_wrong(parts, error))
    return Step(_NAME, ok=False, says=f"Something else than our listener answers at {parts.hooks_url}")


def _wrong(parts: Equipment, error: HubError) -> str:
    return (
        f"Our listener is not reached at {parts.hooks_url}: {error}. Look at THROUGHLINE_PUBLIC_URL, and at what "
        "passes requests on to the listener"
    )
