"""Trying a connection before it is saved: its check, step by step. Nothing is stored."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from urllib.parse import urlsplit

from pydantic import BaseModel, SecretStr

from connectors.addresses import Policy
from connectors.contract import Connector, Source, Step, Surroundings
from connectors.limiter import DEFAULT_SHARE, Limiter
from connectors.probing import place_of, reached
from connectors.transport import Network
from services.admin.equipment import Equipment
from services.admin.renewing import Renewing
from services.feed.connections import StoredConnection, split_secrets
from services.sandbox.standing import Folder, Standing

PATIENCE = 60.0
"""Seconds for which a tool is waited for that says to come back later."""
_HERE = {"127.0.0.1", "localhost", "::1"}
_PORT, _TLS_PORT = 143, 993


@dataclass(frozen=True, slots=True)
class Opened:
    """A tool that can be asked with options that are not stored yet."""

    source: Source
    network: Network
    options: BaseModel
    replaced: dict[str, SecretStr] = field(default_factory=dict)
    """Secrets that the tool gave in place of those in the options, by dotted name: what is saved holds these. Not
    among them are those in place of stored ones, which are stored already."""

    async def steps(self) -> AsyncIterator[Step]:
        """Where the address leads, whether its certificate is trusted, then what the connector checks; ends at the
        first that fails."""
        async for step in self._address():
            yield step
            if not step.ok:
                return
        async for step in self.source.check():
            yield step

    def _address(self) -> AsyncIterator[Step]:
        told = self.options
        ca_file = getattr(told, "ca_file", None)
        url, host = getattr(told, "api_url", None) or getattr(told, "base_url", None), getattr(told, "host", None)
        if url:
            at, port, plain = place_of(url)
            return reached(self.network, at, port, ca_file, plain=plain)
        if host:
            security = getattr(told, "security", "tls")
            port = getattr(told, "port", None) or (_TLS_PORT if security == "tls" else _PORT)
            plain, greets = security == "plain", security == "starttls"
            return reached(self.network, host, port, ca_file, plain=plain, greets=greets)
        return _nothing()


async def _nothing() -> AsyncIterator[Step]:
    """A connector whose options name no address by these names."""
    for step in list[Step]():
        yield step


@asynccontextmanager
async def opened_tool(
    parts: Equipment,
    connector: Connector,
    name: str,
    options: BaseModel,
    *,
    sandbox: bool = True,
    stored: StoredConnection | None = None,
) -> AsyncIterator[Opened]:
    """The tool, asked as gently as the hub would, and patiently where a hub beside it has used up the tool's limit.

    sandbox: it may be a tool of this hub's own sandbox. stored: the connection that is tried as it is, or as it would
    be; what the tool gives in place of its secrets is stored at once. What it gives in place of typed ones is handed on
    to who tries or saves the same again.
    """
    policy: Policy = parts.policy
    if sandbox and parts.sandbox is not None and in_sandbox(options, parts.sandbox):
        policy = replace(policy, allow_loopback=True)
    limiter = Limiter(connector.title, share=getattr(options, "share", DEFAULT_SHARE))
    network = Network(policy, limiter, resolver=parts.resolver, patience=PATIENCE)
    replaced: dict[str, SecretStr] = {}
    renewing = Renewing.of(parts, stored, options)

    typed = split_secrets(options)[1]

    async def given(option: str, secret: SecretStr) -> None:
        if await renewing.keep(option, secret):
            return
        before = replaced.get(option) or typed.get(option)
        if before is not None:
            parts.handed.keep(connector.name, options, option, before, secret)
        replaced[option] = secret

    async with connector.open(name, options, Surroundings(parts.now, network, given)) as source:
        yield Opened(source, network, options, replaced)


def in_sandbox(options: BaseModel, folder: Path) -> bool:
    """Whether these options name, on this machine, a port that the sandbox in this folder keeps for its tools."""
    auth = getattr(options, "auth", None)
    if not folder.is_dir() or getattr(auth, "gateway", None) or getattr(auth, "token_url", None):
        return False
    ports = Folder(folder).load(Standing("")).ports
    host, port = getattr(options, "host", None), getattr(options, "port", None)
    if address := getattr(options, "base_url", None):
        parts = urlsplit(address)
        host, port = parts.hostname, parts.port
    return host in _HERE and port in ports.values()
