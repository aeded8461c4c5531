"""What one installation is made of: its settings, database, keys, connectors and broker."""

import fcntl
import os
import socket
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import SecretStr

from schemas.errors import Misconfigured
from services.settings import Settings, home_here, read_secret, read_settings

# What takes long to load is loaded when a command first asks for it: a look-up needs neither Kafka nor connectors.
if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncEngine

    from connectors.addresses import Policy
    from connectors.contract import Connector
    from services.broker import BrokerSettings, EmbeddedBroker
    from services.security import KeyRing


def now() -> datetime:
    """The clock of every process."""
    return datetime.now(UTC)


@dataclass(frozen=True)
class Installation:
    """Everything that commands wire together, made when first asked for."""

    settings: Settings

    @classmethod
    def of(cls, environ: Mapping[str, str] | None = None) -> "Installation":
        """From the environment. Raises Misconfigured that names the variables."""
        return cls(read_settings(environ) if environ is not None else read_settings())

    @cached_property
    def catalogue(self) -> "dict[str, Connector]":
        """The connectors by name."""
        from connectors.catalogue import catalogue

        return catalogue()

    @cached_property
    def keys(self) -> "KeyRing":
        """The key ring; the first start makes a key."""
        from services.security import key_ring

        return key_ring(self.settings.secret_key, self.settings.secret_key_file)

    def secret(self, reference: str) -> SecretStr:
        """The secret that `env:NAME` or `file:PATH` names. Raises Misconfigured."""
        return read_secret(reference)

    @property
    def embedded(self) -> bool:
        """Whether the broker is the embedded one."""
        return self.settings.kafka_bootstrap is None

    @property
    def policy(self) -> "Policy":
        """Which addresses connections may reach."""
        from connectors.addresses import Policy

        return Policy(self.settings.allow_loopback_tools, self.settings.allowed_networks)

    @property
    def holder(self) -> str:
        """This process among all that take leases; the one hub on a data directory goes on with what it held."""
        if self.embedded:
            return "the hub"
        return f"{socket.gethostname()}/{os.getpid()}"

    @asynccontextmanager
    async def engine(self, *, ping: bool = True) -> "AsyncIterator[AsyncEngine]":
        """The database. ping: look at each pooled connection before it is used, which costs round trips."""
        from pipelines.store.engine import open_engine

        self._make_folder()
        engine = open_engine(self.settings.database_url.get_secret_value(), ping=ping)
        try:
            yield engine
        finally:
            await engine.dispose()

    def _make_folder(self) -> None:
        """The data directory. Raises Misconfigured where it cannot be made."""
        try:
            self.settings.data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
        except OSError as error:
            why = "it is a file" if isinstance(error, FileExistsError) else error.strerror
            raise Misconfigured(
                f"The data directory {_short(self.settings.data_dir)} cannot be made ({why})",
                "Set THROUGHLINE_DATA_DIR to a folder that this user may write to",
                "data_dir",
            ) from None

    @contextmanager
    def embedded_broker(self) -> "Iterator[EmbeddedBroker | None]":
        """The embedded broker, if it is wanted, just begun; it runs meanwhile."""
        from services.broker import EmbeddedBroker

        if not self.embedded:
            yield None
            return
        with EmbeddedBroker.begin() as embedded:
            yield embedded

    def broker_settings(self, embedded: "EmbeddedBroker | None") -> "BrokerSettings":
        """Where the broker is; waits for an embedded one to listen."""
        from services.broker import BrokerSettings

        if embedded is None:
            return BrokerSettings(**self.settings.kafka())
        embedded.listens()
        return BrokerSettings(bootstrap=embedded.bootstrap, embedded=True, **self.settings.kafka())

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Hold the data directory: two hubs on one embedded broker's data would not know of each other.

        Raises Misconfigured where another one holds it. The lock ends with the process, however that ends.
        """
        self._make_folder()
        path = self.settings.data_dir / "lock"
        try:
            file = path.open("a+")
        except OSError as error:
            raise Misconfigured(
                f"Nothing can be written in the data directory {_short(self.settings.data_dir)} ({error.strerror})",
                "Set THROUGHLINE_DATA_DIR to a folder that this user may write to",
                "data_dir",
            ) from None
        with file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                raise Misconfigured(
                    f"Another hub runs on {_short(self.settings.data_dir)}",
                    "Stop it first, or set THROUGHLINE_DATA_DIR to another folder",
                    "data_dir",
                ) from None
            yield


def _short(path: Path) -> str:
    """A path as people write it."""
    home = home_here()
    return f"~/{path.relative_to(home)}" if path.is_relative_to(home) else str(path)
