"""Who asks, by what they show: an API token, what a trusted proxy says, or the cookie of a session."""

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Literal

from sqlalchemy.ext.asyncio import AsyncEngine
from starlette.datastructures import Headers
from starlette.requests import cookie_parser
from starlette.types import Scope

from pipelines.store.engine import AWAY, why_away, writing
from schemas.access import Caller
from services.admin import accounts, identities, sessions, throttling, tokens
from services.admin.accounts import By
from services.admin.audit import note
from services.admin.credentials import hashed
from services.admin.identities import Identity, Welcome
from services.admin.proxy import Distrusted, Proxy, peer_of
from services.admin.sessions import Lasting
from services.admin.writing import written
from services.query.access import AGAIN, ALIVE
from services.query.database import Database
from services.query.origins import check_origin
from services.query.refused import Refused

logger = logging.getLogger("throughline")

_KNOWN_AT_MOST = 4_096
_WRITE_EVERY = 20.0
_TOLD_EVERY = timedelta(minutes=1)
_LONGEST = 200
"""Characters of a name that others gave."""


@dataclass(frozen=True, slots=True)
class Manner:
    """How this installation is entered."""

    site_url: str | None = None
    """Address under which people reach it; None: whatever they call it by."""
    lasting: Lasting = field(default_factory=Lasting)
    proxy: Proxy | None = None
    welcome: Welcome = field(default_factory=Welcome)
    keep_seconds: float = 1.0
    """So long somebody stays known without the database being asked."""

    @property
    def secure(self) -> bool:
        """Whether people reach it by HTTPS only."""
        return bool(self.site_url and self.site_url.startswith("https:"))

    @property
    def cookie(self) -> str:
        """Name of the session's cookie. Browsers drop what is called __Host- where the address is not HTTPS."""
        return "__Host-throughline" if self.secure else "throughline"


@dataclass(frozen=True, slots=True)
class _Known:
    """Somebody who was known a moment ago. entry: which token or session was used."""

    caller: Caller
    until: float
    entry: tuple[Literal["token", "session"], str] | None


class Accounts:
    """Access by accounts. What was known a moment ago is not looked up again; what was used is written now and then."""

    def __init__(self, engine: AsyncEngine, database: Database, now: Callable[[], datetime], manner: Manner) -> None:
        """engine: by which is written; database: by which is read; now: an aware clock."""
        self.manner = manner
        self._engine = engine
        self._database = database
        self._now = now
        self._known: OrderedDict[str, _Known] = OrderedDict()
        self._used: dict[tuple[Literal["token", "session"], str], datetime] = {}
        self._told: dict[str, datetime] = {}

    async def caller(self, scope: Scope) -> Caller | None:
        """Who asks. Raises Refused for a token that is none, a proxy's header from elsewhere, a foreign page."""
        headers = Headers(scope=scope)
        check_origin(scope, self.manner.site_url, known=self._known_by_itself(headers))
        known = await self._shown(scope, headers) if scope["path"] != ALIVE else None
        if known is None:
            return None
        if known.entry and AGAIN not in scope:
            self._used[known.entry] = self._now()
        return known.caller

    async def _shown(self, scope: Scope, headers: Headers) -> _Known | None:
        """Whom what a request shows stands for."""
        if "authorization" in headers:
            return await self._by_token(headers["authorization"], _client_of(scope))
        named = await self._named(scope)
        if named is not None:
            return await self._by_proxy(named, _client_of(scope))
        cookie = session_cookie(headers, self.manner)
        return await self._by_session(cookie) if cookie else None

    def _known_by_itself(self, headers: Headers) -> bool:
        proxy = self.manner.proxy
        return session_cookie(headers, self.manner) is not None or bool(proxy and proxy.user in headers)

    async def _by_token(self, header: str, where: str | None) -> _Known:
        scheme, _, text = header.partition(" ")
        text = text.strip()
        found = None
        if scheme.lower() == "bearer" and text:

            async def look() -> _Known | None:
                async with self._database.reading() as connection:
                    caller, token = await tokens.caller_of(connection, text, self._now()) or (None, None)
                if token and caller is None:
                    await self.tell("token.refused", f"token {token}", token, where)
                return self._fresh(caller, ("token", token)) if caller and token else None

            found = await self._kept(f"token {hashed(text)}", look)
        if found is None:
            raise Refused(
                401, "token", "This API token is not known, or over.",
                "Make another one: `throughline tokens add`, or POST /v1/tokens.",
                headers={"WWW-Authenticate": "Bearer"},
            )  # fmt: skip
        return found

    async def _by_session(self, cookie: str) -> _Known | None:
        async def look() -> _Known | None:
            rows = await self._database.rows(sessions.by_secret(cookie, self._now()))
            if not rows:
                return None
            account, session = sessions.account_of(rows[0])
            return self._fresh(account.caller("session"), ("session", session))

        return await self._kept(f"session {hashed(cookie)}", look)

    async def _named(self, scope: Scope) -> Identity | None:
        if self.manner.proxy is None:
            return None
        try:
            return self.manner.proxy.named(scope)
        except Distrusted:
            address = peer_of(scope)
            await self.tell("proxy-header.refused", "sign-in", address or "", address)
            raise

    async def tell(
        self, action: str, on: str, about: str, where: str | None, after: Mapping[str, str] | None = None
    ) -> None:  # fmt: skip
        """Note that somebody was refused; about the same once a minute at most, so that nobody floods the audit."""
        now = self._now()
        self._told = {one: at for one, at in self._told.items() if at > now - _TOLD_EVERY}
        key = f"{action} {about}"
        if len(self._told) >= _KNOWN_AT_MOST or key in self._told:
            return
        self._told[key] = now
        async with written(self._engine) as connection:
            await note(connection, None, action, on, None, after, now, where)

    async def refused_elsewhere(self, identity: Identity, refused: Refused, where: str | None) -> None:
        """Note that somebody whom the other side vouches for does not come in."""
        told = {"issuer": identity.issuer, "subject": identity.subject[:_LONGEST], "why": refused.kind}
        await self.tell("sign-in.refused", "sign-in", f"{identity.issuer} {identity.subject}", where, told)

    async def _by_proxy(self, identity: Identity, where: str | None) -> _Known | None:
        async def look() -> _Known:
            async with self._database.reading() as connection:
                account = await accounts.of_subject(connection, identity.issuer, identity.subject)
            if account is None or account.disabled or identities.differs(account, identity, self.manner.welcome):
                by = By(None, self._now(), where)
                try:
                    async with written(self._engine) as connection:
                        account = await identities.admitted(connection, identity, self.manner.welcome, by)
                except Refused as refused:
                    await self.refused_elsewhere(identity, refused, where)
                    raise
            return self._fresh(account.caller("proxy"), None)

        groups = ",".join(sorted(identity.groups))
        return await self._kept(f"proxy {hashed(f'{identity.subject} {identity.email} {groups}')}", look)

    async def _kept(self, key: str, look: Callable[[], Awaitable[_Known | None]]) -> _Known | None:
        clock = asyncio.get_running_loop().time
        known = self._known.get(key)
        if known is None or known.until <= clock():
            known = await look()
            if known is None:
                self._known.pop(key, None)
                return None
            self._known[key] = known
            while len(self._known) > _KNOWN_AT_MOST:
                self._known.popitem(last=False)
        return known

    def _fresh(self, caller: Caller, entry: tuple[Literal["token", "session"], str] | None) -> _Known:
        return _Known(caller, asyncio.get_running_loop().time() + self.manner.keep_seconds, entry)

    def forget(self) -> None:
        """Ask the database about everybody anew: something about them changed."""
        self._known.clear()

    async def flush(self) -> None:
        """Write down what was used, and forget what is over. Raises what a database raises that is away."""
        used, self._used = self._used, {}
        now = self._now()
        async with writing(self._engine) as connection:
            await tokens.used(connection, {name: at for (kind, name), at in used.items() if kind == "token"})
            each = {name: at for (kind, name), at in used.items() if kind == "session"}
            await sessions.used(connection, each, self.manner.lasting)
            await sessions.forget_ended(connection, now)
            await throttling.forget_old(connection, now)

    async def run(self) -> None:
        """For ever: write down now and then what was used."""
        while True:
            await asyncio.sleep(_WRITE_EVERY)
            try:
                await self.flush()
            except AWAY as error:
                logger.warning("accounts.use.unwritten", extra={"why": why_away(error)})


def _client_of(scope: Scope) -> str | None:
    """The address that a request came from."""
    client = scope.get("client")
    return str(client[0]) if client else None


def session_cookie(headers: Headers, manner: Manner) -> str | None:
    """What the session's cookie holds."""
    told = headers.get("cookie")
    return cookie_parser(told).get(manner.cookie) or None if told else None


def session_header(manner: Manner, secret: str | None) -> str:
    """The Set-Cookie header that gives a browser its session; None: that takes it away."""
    lasts = f"Max-Age={int(manner.lasting.longest.total_seconds())}" if secret else "Max-Age=0"
    secure = "; Secure" if manner.secure else ""
    return f"{manner.cookie}={secret or ''}; {lasts}; Path=/; HttpOnly; SameSite=Lax{secure}"
