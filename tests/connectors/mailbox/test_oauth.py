"""Access tokens that end: fetched, renewed and replaced, by a token end point as strict as RFC 6749."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs

import pytest
from pydantic import SecretStr, ValidationError

from connectors.contract import Misconfigured, Surroundings
from connectors.mailbox import MailboxOptions, MailboxSource
from services.sandbox.mailbox import MailServer
from services.sandbox.post import USER
from tests.connectors.mailbox.letters import NOON, letter, options
from tests.connectors.mailbox.test_contract import network
from tests.connectors.mailbox.test_servers import pages_of

CLIENT, SECRET = "hub-client", "hub-client-secret"


@dataclass
class Provider:
    """Who gives tokens. Each refresh token is good once, and another comes in its place."""

    mail: MailServer
    refresh: str | None = "refresh-1"
    """The one that is good; None: the app signs in for itself."""
    life: int = 3600
    forms: list[dict[str, str]] = field(default_factory=list)
    port: int = 0

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}/tenant/token"

    def answer(self, path: str, kind: str, body: str) -> tuple[int, dict[str, object]]:
        if path != "/tenant/token":
            return 404, {"error": "not_found"}
        if kind != "application/x-www-form-urlencoded":
            return 415, {"error": "invalid_request"}
        form = {name: only for name, (only,) in parse_qs(body, strict_parsing=True).items()}
        self.forms.append(dict(form))
        if (form.pop("client_id", ""), form.pop("client_secret", "")) != (CLIENT, SECRET):
            return 401, {"error": "invalid_client"}
        grant = {"refresh_token": {"refresh_token": self.refresh}, "client_credentials": {}}[form.pop("grant_type")]
        form.pop("scope", None)
        if form != grant:
            return 400, {"error": "invalid_grant", "error_description": "Token has been expired or revoked."}
        number = len(self.forms)
        self.mail.manners.token = f"access-{number}"
        told: dict[str, object] = {"access_token": f"access-{number}", "token_type": "Bearer", "expires_in": self.life}
        if self.refresh:
            told["refresh_token"] = self.refresh = f"refresh-{number + 1}"
        return 200, told


@contextmanager
def serving(provider: Provider) -> Iterator[Provider]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"])).decode()
            status, told = provider.answer(self.path, self.headers["content-type"], body)
            said = json.dumps(told).encode()
            self.send_response(status)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(said)))
            self.end_headers()
            self.wfile.write(said)

        def log_message(self, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    provider.port = server.server_port
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    try:
        yield provider
    finally:
        server.shutdown()
        server.server_close()


@dataclass
class Around:
    """A clock to set, and what was given to keep."""

    at: datetime = field(default_factory=lambda: datetime.now(UTC))
    kept: list[tuple[str, str]] = field(default_factory=list)

    async def keep(self, name: str, secret: SecretStr) -> None:
        self.kept.append((name, secret.get_secret_value()))

    def source(self, provider: Provider, mail_port: int, **given: object) -> MailboxSource:
        auth = {"kind": "oauth_client", "user": USER, "provider": "microsoft", "client_id": CLIENT,
                "client_secret": SECRET, "refresh_token": "refresh-1", "token_url": provider.address}  # fmt: skip
        around = Surroundings(lambda: self.at, network(), self.keep)
        return MailboxSource("c-test", options(mail_port, auth=auth | given), around)


async def test_a_token_is_fetched_kept_while_it_lasts_and_renewed() -> None:
    async with MailServer() as mail:
        mail.mailbox.append("INBOX", letter().as_bytes(), NOON)
        with serving(Provider(mail)) as provider:
            around = Around()
            async with around.source(provider, mail.port) as mailbox:
                cursor = (await pages_of(mailbox))[-1].cursor
                mail.kick()
                with pytest.raises(Exception, match="connection"):
                    await pages_of(mailbox, cursor)
                await pages_of(mailbox, cursor)
                assert len(provider.forms) == 1
                around.at += timedelta(minutes=59)
                mail.kick()
                with pytest.raises(Exception, match="connection"):
                    await pages_of(mailbox, cursor)
                await pages_of(mailbox, cursor)
    assert len(provider.forms) == 2
    assert provider.forms[0]["scope"] == "https://outlook.office.com/IMAP.AccessAsUser.All offline_access"
    assert around.kept == [("auth.refresh_token", "refresh-2"), ("auth.refresh_token", "refresh-3")]


async def test_a_token_that_was_taken_back_is_fetched_anew() -> None:
    async with MailServer() as mail:
        with serving(Provider(mail)) as provider:
            async with Around().source(provider, mail.port) as mailbox:
                await pages_of(mailbox)
                mail.manners.token = "another"
                mail.kick()
                with pytest.raises(Exception, match="connection"):
                    await pages_of(mailbox)
                await pages_of(mailbox)
    assert len(provider.forms) == 2


async def test_an_app_signs_in_for_itself() -> None:
    async with MailServer() as mail:
        with serving(Provider(mail, refresh=None)) as provider:
            around = Around()
            async with around.source(provider, mail.port, refresh_token=None) as mailbox:
                await pages_of(mailbox)
    assert provider.forms == [{"grant_type": "client_credentials", "client_id": CLIENT, "client_secret": SECRET,
                               "scope": "https://outlook.office365.com/.default"}]  # fmt: skip
    assert around.kept == []


@pytest.mark.parametrize(
    ("given", "problem", "wrong"),
    [
        ({"refresh_token": "CANARY"}, "no longer takes the refresh token", "auth.refresh_token"),
        ({"client_secret": "CANARY"}, "does not know this client", "auth.client_secret"),
        ({"token_url": "http://127.0.0.1:{port}/CANARY"}, "There is no token end point", "auth.token_url"),
    ],
)
async def test_what_the_sign_in_service_refuses_is_named(given: dict[str, str], problem: str, wrong: str) -> None:
    async with MailServer() as mail:
        with serving(Provider(mail)) as provider:
            told = {name: value.format(port=provider.port) for name, value in given.items()}
            async with Around().source(provider, mail.port, **told) as mailbox:
                with pytest.raises(Misconfigured, match=problem) as raised:
                    await pages_of(mailbox)
    assert raised.value.field == wrong
    assert "CANARY" not in f"{raised.value}"


async def test_a_user_whose_mail_the_token_may_not_read() -> None:
    async with MailServer() as mail:
        with serving(Provider(mail)) as provider:
            async with Around().source(provider, mail.port, user="other@sandbox.example") as mailbox:
                with pytest.raises(Misconfigured, match="access token that was just fetched"):
                    await pages_of(mailbox)


@pytest.mark.parametrize("given", [{"provider": "google"}, {"provider": "microsoft", "client_secret": "s"}])
def test_what_an_app_lacks_to_sign_in_for_itself(given: dict[str, str]) -> None:
    with pytest.raises(ValidationError, match="auth: "):
        options(auth={"kind": "oauth_client", "user": USER, "client_id": CLIENT} | given)


def test_where_tokens_are_fetched() -> None:
    def where(**given: str) -> object:
        told = {"kind": "oauth_client", "user": USER, "client_id": CLIENT, "refresh_token": "r"} | given
        auth = MailboxOptions.model_validate({"host": "imap.example.com", "auth": told}).auth
        return getattr(auth, "where", None)

    assert where(provider="google") == "https://oauth2.googleapis.com/token"
    assert where(provider="microsoft", tenant="acme.example") == (
        "https://login.microsoftonline.com/acme.example/oauth2/v2.0/token"
    )
