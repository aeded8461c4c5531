"""A private PostgreSQL on loopback, to be stopped, killed and started again."""

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import uuid
from collections.abc import Mapping
from pathlib import Path

from tests.parts.leash import Leashed
from tests.parts.presence import PartMissing, free_port, wait_until


def programs() -> Path:
    """The folder with the newest server's programs."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"), key=lambda path: int(path.parts[-3]))
    if not found:
        raise PartMissing("PostgreSQL's server programs (package postgresql)")
    return found[-1].parent


class Postgres:
    """One server with a folder and a port of its own, which it keeps over stop, kill and start.

    durable=False turns fsync off: quicker, and as safe against kill -9 of the server (not against a power cut).
    As root it runs as the user postgres, because the server refuses root. settings: more of the server's own, as in
    postgresql.conf.
    """

    def __init__(self, *, durable: bool = False, settings: Mapping[str, str] | None = None) -> None:
        self._bin = programs()
        self._folder = Path(tempfile.mkdtemp(prefix="throughline-pg-"))
        self._user: list[str] = []
        if os.geteuid() == 0:
            user = pwd.getpwnam("postgres")
            os.chown(self._folder, user.pw_uid, user.pw_gid)
            self._user = ["setpriv", f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--clear-groups"]
        self.port = free_port()
        self._settings = dict(settings or {})
        if not durable:
            self._settings |= {"fsync": "off", "full_page_writes": "off"}
        self._process: Leashed | None = None
        self._run("initdb", "-D", str(self._data), "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8",
                  "--no-sync")  # fmt: skip

    @property
    def _data(self) -> Path:
        return self._folder / "data"

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.running

    def url(self, database: str) -> str:
        """For SQLAlchemy with asyncpg."""
        return f"postgresql+asyncpg://postgres@127.0.0.1:{self.port}/{database}"

    def start(self, seconds: float = 60) -> None:
        """Start, or start again on what is there; returns when it answers."""
        if self.running:
            return
        more = [word for name, value in self._settings.items() for word in ("-c", f"{name}={value}")]
        process = self._process = Leashed(
            [*self._user, str(self._bin / "postgres"), "-D", str(self._data), "-p", str(self.port),
             "-c", "listen_addresses=127.0.0.1", "-c", f"unix_socket_directories={self._folder}",
             "-c", "max_connections=100", "-c", "timezone=UTC", *more],
            Path(f"{self._folder}.log"), self._folder,
        )  # fmt: skip
        wait_until(self._answers, seconds, lambda: process.running, process.tail)

    def stop(self) -> None:
        """SIGINT: a clean stop that cuts off whoever is connected."""
        if self._process is not None:
            self._process.terminate(signal.SIGINT, 20)

    def kill(self) -> None:
        """kill -9 of the postmaster; its children notice and end."""
        if self._process is not None:
            self._process.kill()

    def create_database(self) -> str:
        """A new, empty database; gives its name."""
        name = f"test_{uuid.uuid4().hex[:12]}"
        # Copying the server's files takes a quarter of the time that writing each page to its log takes.
        strategy = " STRATEGY file_copy" if int(self._bin.parent.name) >= 15 else ""
        self.sql(f'CREATE DATABASE "{name}"{strategy}')
        return name

    def drop_database(self, name: str) -> None:
        self.sql(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')

    def sql(self, statement: str, database: str = "postgres") -> str:
        """Run one statement with psql; gives its rows as text."""
        return self._run("psql", "-h", "127.0.0.1", "-p", str(self.port), "-U", "postgres", "-d", database, "-X", "-q",
                         "-At", "-v", "ON_ERROR_STOP=1", "-c", statement)  # fmt: skip

    def remove(self) -> None:
        """End it and delete its files."""
        self.stop()
        shutil.rmtree(self._folder, ignore_errors=True)
        Path(f"{self._folder}.log").unlink(missing_ok=True)

    def _answers(self) -> bool:
        asked = ["-h", "127.0.0.1", "-p", str(self.port), "-U", "postgres", "-q", "-t", "1"]
        return subprocess.run([self._bin / "pg_isready", *asked], check=False, timeout=10).returncode == 0

    def _run(self, program: str, *words: str) -> str:
        done = subprocess.run(
            [*self._user, str(self._bin / program), *words],
            cwd=self._folder, check=False, capture_output=True, text=True, timeout=60,
        )  # fmt: skip
        if done.returncode:
            raise RuntimeError(f"{program}: {done.stderr.strip()}")
        return done.stdout.strip()
