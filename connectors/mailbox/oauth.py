"""Access tokens for XOAUTH2, fetched from the provider's token end point and renewed before they end.

Refresh tokens (RFC 6749 section 6) at Google (developers.google.com/identity/protocols/oauth2/web-server, "Refreshing
an access token") and Microsoft (learn.microsoft.com, "Microsoft identity platform and OAuth 2.0 authorization code
flow"); an app that signs in for itself at Microsoft (learn.microsoft.com, "Authenticate an IMAP, POP or SMTP connection
using OAuth").
"""

from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

from pydantic import SecretStr

from connectors.contract import Misconfigured, RetryLater, Surroundings
from connectors.mailbox.options import OAuthClient
from connectors.transport import Client, NotFound, Refused

SCOPES = {
    ("google", "refresh_token"): None,
    ("microsoft", "refresh_token"): "https://outlook.office.com/IMAP.AccessAsUser.All offline_access",
    ("microsoft", "client_credentials"): "https://outlook.office365.com/.default",
}
"""What is asked for; Google gives what was agreed to when the refresh token was made."""
_EARLY = timedelta(minutes=2)
"""A token is renewed before its end, so that it lasts for a sign-in."""
_USUAL_LIFE = 3600


class Tokens:
    """The access token of one mailbox: kept while it lasts, never stored."""

    def __init__(self, auth: OAuthClient, ca_file: str | None, around: Surroundings) -> None:
        self._auth, self._ca_file, self._around = auth, ca_file, around
        self._refresh = auth.refresh_token
        self._token, self._until = "", datetime.min.replace(tzinfo=around.now().tzinfo)

    def forget(self) -> bool:
        """Fetch a new one next time; False where none was kept."""
        kept, self._token = bool(self._token), ""
        return kept

    async def current(self) -> str:
        """An access token that lasts. Raises RetryLater, Misconfigured."""
        if not self._token or self._around.now() > self._until - _EARLY:
            await self._renew()
        return self._token

    async def _renew(self) -> None:
        asked = self._around.now()
        told = await self._ask()
        token, life, refresh = told.get("access_token"), told.get("expires_in"), told.get("refresh_token")
        if not isinstance(token, str) or not token.isascii():
            raise RetryLater("The sign-in service answered without an access token")
        if isinstance(refresh, str) and refresh and self._refresh and refresh != self._refresh.get_secret_value():
            # Kept first: a service may end the old one with the first use of what it gave in its place.
            self._refresh = SecretStr(refresh)
            await self._around.replaced("auth.refresh_token", self._refresh)
        seconds = int(life) if isinstance(life, int | str) and str(life).isdecimal() else _USUAL_LIFE
        self._token, self._until = token, asked + timedelta(seconds=min(seconds, 86_400))

    async def _ask(self) -> dict[str, Any]:
        parts = urlsplit(self._auth.where)
        network = self._around.network
        client: Client = network.client(f"{parts.scheme}://{parts.netloc}", ca_file=self._ca_file)
        async with client:
            try:
                told = (await client.request("POST", parts.path or "/", form=self._form())).json
            except NotFound:
                raise Misconfigured(
                    "There is no token end point at this address", "Correct it, or leave it empty", "auth.token_url"
                ) from None
            except Refused as error:
                raise _refused(error.message) from None
            except Misconfigured as error:
                raise _refused("invalid_client") if "401" in error.problem else error from None
        return told if isinstance(told, dict) else {}

    def _form(self) -> dict[str, str]:
        auth = self._auth
        grant = "refresh_token" if self._refresh else "client_credentials"
        given = {
            "grant_type": grant,
            "client_id": auth.client_id,
            "client_secret": auth.client_secret.get_secret_value() if auth.client_secret else None,
            "refresh_token": self._refresh.get_secret_value() if self._refresh else None,
            "scope": SCOPES.get((auth.provider, grant)),
        }
        return {name: value for name, value in given.items() if value}


def _refused(said: str) -> Misconfigured:
    """By the error codes of RFC 6749 section 5.2."""
    if "invalid_grant" in said:
        return Misconfigured(
            "The sign-in service no longer takes the refresh token: it ended, or was taken back",
            "Agree again as the mailbox's user to get a new one, and enter it",
            "auth.refresh_token",
        )
    if "invalid_client" in said or "unauthorized_client" in said:
        return Misconfigured(
            "The sign-in service does not know this client, or its secret ended",
            "Look at client id and secret where the app is registered",
            "auth.client_secret",
        )
    return Misconfigured(
        "The sign-in service refuses to give an access token",
        "Look at provider, tenant and token address, and whether the app may read mail by IMAP",
        "auth",
    )
