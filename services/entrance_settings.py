"""Settings of who comes in: accounts, an identity provider, a proxy that signs people in. Read by settings.py."""

import re
from ipaddress import IPv4Network, IPv6Network
from typing import Annotated, Any
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, Field, HttpUrl, SecretStr
from pydantic_settings import BaseSettings, NoDecode

from connectors.addresses import never_reached
from schemas.access import Role

_HEADER = r"^[A-Za-z0-9-]{1,80}$"
_SHORTEST_SECRET = 32


def _by_commas(value: object) -> object:
    """Names of groups hold spaces."""
    return tuple(part.strip() for part in value.split(",") if part.strip()) if isinstance(value, str) else value


def listed(value: object) -> object:
    """A text with commas or spaces as its parts."""
    return tuple(part for part in re.split(r"[\s,]+", value) if part) if isinstance(value, str) else value


def _roles(value: object) -> object:
    if not isinstance(value, str):
        return value
    pairs = [part.rpartition("=") for part in value.split(",") if part.strip()]
    return {group.strip(): role.strip().lower() for group, _, role in pairs}


def _own(value: Any) -> Any:
    """An address that whoever runs the hub gives: it may be in their own house, and is no metadata service."""
    parts = urlsplit(str(value or ""))
    if "@" in parts.netloc:
        raise ValueError("leave out user and password")
    if never_reached(parts.hostname or ""):
        raise ValueError("is link-local, multicast or a metadata service, which is never reached")
    return value


Url = Annotated[HttpUrl, AfterValidator(_own)]


class EntranceSettings(BaseSettings):
    """Who comes in."""

    site_url: Url | None = Field(
        default=None,
        title="Address of the pages",
        description="Address under which people reach pages and API, where that is not the API's own; by HTTPS, "
        "sessions are kept from plain HTTP",
        examples=["https://hub.example.com"],
    )
    open_to_this_machine: bool = Field(
        default=False,
        title="Open to this machine",
        description="Ask nobody to sign in: everybody on this machine is an admin. Only where the API listens at this "
        "machine's own addresses; `make demo` and `up --sandbox` do so",
    )
    session_idle_days: float = Field(
        default=7, gt=0, le=365, title="Idle sessions (days)", description="A session ends when it was unused so long"
    )
    session_days: float = Field(
        default=30, gt=0, le=365, title="Sessions (days)", description="A session ends so long after the sign-in"
    )
    requests_a_minute: int = Field(
        default=6_000, ge=60, le=10_000_000, title="Requests a minute",
        description="So often one caller may ask one process; who asks more often waits",
    )  # fmt: skip
    oidc_issuer: Annotated[str | None, AfterValidator(_own)] = Field(
        default=None,
        title="Identity provider",
        description="Issuer that signs people in by OpenID Connect, exactly as it names itself; https, or this machine",
        examples=["https://login.example.com"],
        pattern=r"^(https://\S+|http://(127\.0\.0\.1|localhost|\[::1\])(:\d+)?(/\S*)?)$",
    )
    oidc_client_id: str | None = Field(
        default=None, title="Client at the provider", description="As whom the hub is registered there"
    )
    oidc_client_secret: SecretStr | None = Field(
        default=None, title="Secret at the provider", description="Of that client"
    )
    oidc_title: str = Field(
        default="single sign-on", max_length=80, title="Name of the provider", description="As people know it"
    )
    oidc_groups_claim: str = Field(
        default="groups", title="Groups claim", description="Claim of the provider that lists somebody's groups"
    )
    newcomer_groups: Annotated[tuple[str, ...], NoDecode, BeforeValidator(_by_commas)] = Field(
        default=(),
        title="Groups of newcomers",
        description="Who is in one of these groups becomes a viewer at the first sign-in elsewhere",
        examples=["All staff,Partners"],
    )
    newcomer_domains: Annotated[tuple[str, ...], NoDecode, BeforeValidator(listed)] = Field(
        default=(),
        title="Domains of newcomers",
        description="Who has a verified address in one of these domains becomes a viewer, likewise",
        examples=["example.com"],
    )
    group_roles: Annotated[dict[str, Role], NoDecode, BeforeValidator(_roles)] = Field(
        default={},
        title="Roles of groups",
        description="Who is in a group has its role at every sign-in elsewhere, and loses it with the group",
        examples=["Hub admins=admin,IT=editor"],
    )
    proxy_networks: Annotated[tuple[IPv4Network | IPv6Network, ...], NoDecode, BeforeValidator(listed)] = Field(
        default=(),
        title="Networks of the proxy",
        description="Addresses of a proxy in front of the hub, whose X-Forwarded-For is believed; separated by commas",
        examples=["10.1.0.5/32"],
    )
    proxy_user_header: str | None = Field(
        default=None,
        title="User header of the proxy",
        description="Header by which that proxy names whom it signed in; needs the proxy's secret",
        examples=["X-Forwarded-User"],
        pattern=_HEADER,
    )
    proxy_email_header: str | None = Field(
        default=None, title="Address header of the proxy", description="Their verified e-mail address",
        examples=["X-Forwarded-Email"], pattern=_HEADER,
    )  # fmt: skip
    proxy_groups_header: str | None = Field(
        default=None, title="Groups header of the proxy", description="Their groups, separated by commas",
        examples=["X-Forwarded-Groups"], pattern=_HEADER,
    )  # fmt: skip
    proxy_secret: SecretStr | None = Field(
        default=None,
        title="Secret of the proxy",
        description="At least 32 characters that the proxy sends as X-Throughline-Proxy-Secret",
    )


def check_together(settings: EntranceSettings, *, beyond: str | None) -> None:
    """Raises ValueError, as `field|what is wrong`, for settings that do not go together.

    beyond: the field of an address beyond this machine at which the API or the probes listen.
    """
    for field, wrong, says in _rules(settings, beyond):
        if wrong:
            raise ValueError(f"{field}|{says}")


def _rules(settings: EntranceSettings, beyond: str | None) -> list[tuple[str, Any, str]]:
    secret = settings.proxy_secret
    oidc, proxy = settings.oidc_issuer is not None, settings.proxy_user_header is not None
    return [
        ("open_to_this_machine", settings.open_to_this_machine and beyond is not None,
         f"{(beyond or '').replace('_', ' ')} is beyond this machine, where everybody must sign in"),
        ("oidc_client_id", oidc and not settings.oidc_client_id, "An identity provider needs a client"),
        ("oidc_client_secret", oidc and not settings.oidc_client_secret, "An identity provider needs a secret"),
        ("site_url", oidc and not settings.site_url, "An identity provider sends people back to the pages' address"),
        ("proxy_networks", proxy and not settings.proxy_networks, "A user header needs addresses to be believed from"),
        ("proxy_secret", proxy and secret is None, "A user header is believed with the proxy's secret only"),
        ("proxy_secret", secret is not None and len(secret.get_secret_value()) < _SHORTEST_SECRET,
         f"The proxy's secret has fewer than {_SHORTEST_SECRET} characters"),
    ]  # fmt: skip
