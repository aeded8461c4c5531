"""Who comes in, wired: accounts with their sign-in by password, provider or proxy; or everybody on this machine."""

from datetime import timedelta
from typing import TYPE_CHECKING

from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine

from pipelines.store.engine import AWAY, writing
from services.admin.entering import new_link
from services.admin.entrance import Entrance
from services.admin.identities import Welcome
from services.admin.passwords import Passwords
from services.admin.proxy import Forwarded, Proxy
from services.admin.sessions import Lasting
from services.admin.signing_in import Accounts, Manner
from services.cli.beginning import Tell
from services.cli.installation import Installation, now
from services.query.access import Access, Loopback
from services.query.database import Database
from services.query.https import OverHttps
from services.query.pacing import Paced

if TYPE_CHECKING:
    from starlette.types import ASGIApp

    from services.admin.oidc import Provider
    from services.settings import Settings

_SECONDS = 5.0


def entrance(made: Installation, engine: AsyncEngine, lookups: AsyncEngine) -> Entrance:
    """The parts that know people. engine: by which is written; lookups: by which is read."""
    settings = made.settings
    database, manner = Database(lookups, _SECONDS), manner_of(settings)
    accounts = None if settings.open_to_this_machine else Accounts(engine, database, now, manner)
    return Entrance(engine, database, now, Passwords(), manner, accounts, _provider(made))


def manner_of(settings: "Settings") -> Manner:
    """How the hub is entered, as the settings say."""
    lasting = Lasting(timedelta(days=settings.session_idle_days), timedelta(days=settings.session_days))
    domains = frozenset(one.lower().removeprefix("@") for one in settings.newcomer_domains)
    welcome = Welcome(frozenset(settings.newcomer_groups), domains, settings.group_roles)
    return Manner(_site(settings), lasting, _proxy(settings), welcome)


def _site(settings: "Settings") -> str | None:
    return str(settings.site_url).rstrip("/") if settings.site_url else None


def _proxy(settings: "Settings") -> Proxy | None:
    user, secret = settings.proxy_user_header, settings.proxy_secret
    if user is None or secret is None:
        return None
    email, groups = settings.proxy_email_header, settings.proxy_groups_header
    return Proxy(
        settings.proxy_networks, secret, user.lower(), email.lower() if email else None,
        groups.lower() if groups else None,
    )  # fmt: skip


def _provider(made: Installation) -> "Provider | None":
    settings = made.settings
    site, client, secret = _site(settings), settings.oidc_client_id, settings.oidc_client_secret
    if settings.oidc_issuer is None or site is None or client is None or secret is None:
        return None
    from services.admin.oidc import Provider, ProviderSettings

    told = ProviderSettings(settings.oidc_issuer, client, secret, settings.oidc_title, settings.oidc_groups_claim)
    return Provider(told, site, made.keys, now, made.policy)


def access_of(made: Installation, parts: Entrance) -> Access:
    """Who asks, as the API and the pages are told."""
    return Paced(parts.access, made.settings.requests_a_minute) if parts.access else Loopback()


def behind_proxy(made: Installation, app: "ASGIApp") -> "ASGIApp":
    """The application, told by the proxy in front of it who its clients are; and telling browsers of its HTTPS."""
    networks, site = made.settings.proxy_networks, _site(made.settings)
    told = OverHttps(app, site) if site and site.startswith("https:") else app
    return Forwarded(told, networks) if networks else told


async def invite(made: Installation, parts: Entrance, tell: Tell, url: str) -> None:
    """Tell how the first account is made, while there is none. url: where the API listens."""
    if parts.access is None:
        return
    try:
        async with writing(parts.engine) as connection:
            key = await new_link(connection, now())
    except (*AWAY, SQLAlchemyError):
        tell("No set-up link could be made, the database is away: `throughline accounts set-up-link` makes one.")
        return
    if key is not None:
        tell("No account exists yet. Within 24 hours, make the first one, an admin's, at this address:")
        tell(f"  {link_of(made, key, url)}")


def link_of(made: Installation, key: str, url: str) -> str:
    """The set-up link. url: where the API listens."""
    site = _site(made.settings) or url.replace("//0.0.0.0:", "//127.0.0.1:").replace("//[::]:", "//[::1]:")
    return f"{site}/set-up?key={key}"
