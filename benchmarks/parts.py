"""What a measurement runs on: a real Kafka with PostgreSQL, or the embedded broker with SQLite; and hub processes."""

import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import uuid
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from queue import Empty, Queue
from types import TracebackType
from typing import Any, Self

from services.broker import BrokerSettings
from tests.parts.kafka import Kafka
from tests.parts.postgres import Postgres
from tests.parts.presence import free_port


@dataclass(frozen=True)
class Place:
    """One installation's surroundings: a new database, topics of its own, a folder, ports."""

    kind: str
    folder: Path
    database_url: str
    bootstrap: str | None
    prefix: str
    api_port: int
    webhook_port: int

    @property
    def settings(self) -> BrokerSettings:
        """Of the real Kafka."""
        assert self.bootstrap is not None
        return BrokerSettings(bootstrap=self.bootstrap, prefix=self.prefix, replication=1)

    @property
    def api(self) -> str:
        """Address of the lookup API."""
        return f"http://127.0.0.1:{self.api_port}"

    def environ(self, **more: str) -> dict[str, str]:
        """Of its hub processes."""
        own = {
            "DATA_DIR": str(self.folder),
            "DATABASE_URL": self.database_url.replace("+asyncpg", "").replace("+aiosqlite", ""),
            "TOPIC_PREFIX": self.prefix,
            "API_PORT": str(self.api_port),
            "WEBHOOK_PORT": str(self.webhook_port),
            "ALLOW_LOOPBACK_TOOLS": "true",
            "OPEN_TO_THIS_MACHINE": "true",
            "LOG_LEVEL": "error",
        } | more
        if self.bootstrap:
            own |= {"KAFKA_BOOTSTRAP": self.bootstrap, "REPLICATION": "1"}
        kept = {name: value for name, value in os.environ.items() if not name.startswith("THROUGHLINE_")}
        kept.pop("PYTHONDONTWRITEBYTECODE", None)  # an installed hub is compiled once, not at each start
        return kept | {f"THROUGHLINE_{name}": value for name, value in own.items()}


@dataclass
class Parts:
    """Kafka and PostgreSQL, started when first asked for; a context manager that ends them."""

    folder: Path
    """For what is kept between runs: the company's events."""
    durable: bool = True
    """PostgreSQL syncs to disk, as an installed one does."""
    _stack: ExitStack = field(default_factory=ExitStack)

    def __enter__(self) -> Self:
        self.scratch = Path(self._stack.enter_context(tempfile.TemporaryDirectory(prefix="throughline-bench-")))
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    @cached_property
    def kafka(self) -> Kafka:
        """Raises PartMissing."""
        broker = Kafka(self.scratch / "kafka")
        self._stack.callback(broker.kill)
        broker.start()
        return broker

    @cached_property
    def postgres(self) -> Postgres:
        """Raises PartMissing."""
        # A quarter of memory, as PostgreSQL's documentation advises for a server of its own ("Resource Consumption").
        buffers = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 4 // 2**20
        server = Postgres(durable=self.durable, settings={"shared_buffers": f"{buffers}MB"})
        self._stack.callback(server.remove)
        server.start()
        return server

    @contextmanager
    def place(self, kind: str) -> Iterator[Place]:
        """kind: `kafka+postgresql` or `embedded+sqlite`."""
        name = f"b{uuid.uuid4().hex[:8]}"
        folder = self.scratch / name
        folder.mkdir()
        ports = (free_port(), free_port())
        if kind == "embedded+sqlite":
            yield Place(kind, folder, f"sqlite+aiosqlite:///{folder / 'throughline.db'}", None, f"{name}.", *ports)
            return
        database = self.postgres.create_database()
        try:
            yield Place(kind, folder, self.postgres.url(database), self.kafka.bootstrap, f"{name}.", *ports)
        finally:
            self.postgres.drop_database(database)


class Child(AbstractContextManager["Child"]):
    """A Python module of ours in a process of its own, which answers in lines of JSON; ended by SIGTERM."""

    def __init__(self, module: str, *words: str, environ: dict[str, str] | None = None) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-P", "-m", module, *words],
            env=(environ or dict(os.environ)) | {"PYTHONPATH": str(Path.cwd())},
            stdout=subprocess.PIPE, stdin=subprocess.DEVNULL,
        )  # fmt: skip
        self._lines: Queue[bytes] = Queue()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    @property
    def pid(self) -> int:
        """Its process id."""
        return self.process.pid

    def answer(self, seconds: float) -> dict[str, Any]:
        """Its next line. Raises RuntimeError when it ends or says nothing in time."""
        try:
            line = self._lines.get(timeout=seconds)
        except Empty:
            raise RuntimeError(f"{self.process.args!r} said nothing within {seconds:g} s") from None
        if not line:
            raise RuntimeError(f"{self.process.args!r} ended with {self.process.wait(5)}")
        found: dict[str, Any] = json.loads(line)
        return found

    def end(self, seconds: float = 20) -> dict[str, Any]:
        """Ask it to stop; its last line."""
        self.process.send_signal(signal.SIGTERM)
        return self.answer(seconds)

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        self._reader.join(5)
        assert self.process.stdout is not None
        self.process.stdout.close()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self._lines.put(line)
        self._lines.put(b"")


def say(words: Sequence[tuple[str, Any]]) -> None:
    """A child's answer."""
    sys.stdout.write(json.dumps(dict(words)) + "\n")
    sys.stdout.flush()
