"""Three mail servers behind one face: the sandbox's, pymap and Dovecot (nobody here wrote these two)."""

import imaplib
import re
import shutil
import sys
import tempfile
import uuid
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from services.sandbox.imap_words import utf7
from services.sandbox.mailbox import MailServer
from services.sandbox.post import PASSWORD, USER, crlf
from tests.parts.dovecot import PASSWORD as DOVECOT_PASSWORD
from tests.parts.dovecot import Dovecot
from tests.parts.leash import Leashed
from tests.parts.presence import PartMissing, free_port, listening, wait_until

_INTERNAL_DATE = re.compile(rb'INTERNALDATE ("[^"]+")')


class Post(ABC):
    """A mailbox that mail arrives in."""

    port: int
    user: str
    password: str

    @abstractmethod
    def add_folder(self, name: str) -> None: ...

    @abstractmethod
    def deliver(self, folder: str, raw: bytes, at: datetime) -> None: ...

    @abstractmethod
    def renew(self, folder: str) -> None:
        """The folder, not INBOX, gets another UIDVALIDITY; its mails stay."""

    @abstractmethod
    def unread(self, folder: str) -> int:
        """How many mails nobody has read."""


class SandboxPost(Post):
    def __init__(self, server: MailServer) -> None:
        self.server, self.port, self.user, self.password = server, server.port, USER, PASSWORD

    def add_folder(self, name: str) -> None:
        self.server.mailbox.add_folder(name)

    def deliver(self, folder: str, raw: bytes, at: datetime) -> None:
        self.server.mailbox.append(folder, raw, at)

    def renew(self, folder: str) -> None:
        self.server.mailbox.renew(folder, first_uid=40)

    def unread(self, folder: str) -> int:
        assert self.server.writes == []
        return len(self.server.mailbox.folders[folder].mails)


class ImapPost(Post):
    """A server that is told by IMAP itself."""

    def __init__(self, port: int, user: str, password: str) -> None:
        self.port, self.user, self.password = port, user, password

    @contextmanager
    def _client(self) -> Iterator[imaplib.IMAP4]:
        client = imaplib.IMAP4("127.0.0.1", self.port, timeout=60)
        try:
            assert client.login(self.user, self.password)[0] == "OK"
            yield client
        finally:
            client.logout()

    def add_folder(self, name: str) -> None:
        with self._client() as client:
            assert client.create(_quoted(name))[0] == "OK"

    def deliver(self, folder: str, raw: bytes, at: datetime) -> None:
        with self._client() as client:
            assert client.append(_quoted(folder), "", _date(at), crlf(raw))[0] == "OK"

    def deliver_all(self, folder: str, raws: list[bytes], at: datetime) -> None:
        with self._client() as client:
            for raw in raws:
                assert client.append(_quoted(folder), "", _date(at), crlf(raw))[0] == "OK"

    def renew(self, folder: str) -> None:
        with self._client() as client:
            client.select(_quoted(folder), readonly=True)
            _, said = client.fetch("1:*", "(BODY.PEEK[] INTERNALDATE)")
            mails = [one[1] for one in said if isinstance(one, tuple)]
            lines = [line for one in said for line in (one if isinstance(one, tuple) else (one,))]
            dates = [date[1].decode() for line in lines if line and (date := _INTERNAL_DATE.search(line))]
        with self._client() as client:
            client.delete(_quoted(folder))
            client.create(_quoted(folder))
            for raw, at in zip(mails, dates, strict=True):
                client.append(_quoted(folder), "", at, raw)

    def unread(self, folder: str) -> int:
        with self._client() as client:
            client.select(_quoted(folder), readonly=True)
            return len(client.search(None, "UNSEEN")[1][0].split())


def _quoted(name: str) -> str:
    return '"' + utf7(name).decode() + '"'


def _date(at: datetime) -> str:
    return at.astimezone(UTC).strftime('"%d-%b-%Y %H:%M:%S +0000"')


@contextmanager
def dovecot() -> Iterator[tuple[Dovecot, Callable[[], ImapPost]]]:
    """A running Dovecot, and a maker of new mailboxes. Raises PartMissing."""
    server = Dovecot()
    try:
        server.start()
        yield server, lambda: ImapPost(server.port, f"u{uuid.uuid4().hex[:8]}@sandbox.example", DOVECOT_PASSWORD)
    finally:
        server.remove()


@contextmanager
def pymap() -> Iterator[ImapPost]:
    """A running pymap with one empty mailbox."""
    program = Path(sys.executable).with_name("pymap")
    if not program.exists():
        raise PartMissing("pymap (a development dependency)")
    folder, port = Path(tempfile.mkdtemp(prefix="throughline-pymap-")), free_port()
    command = [str(program), "--host", "127.0.0.1", "--port", str(port), "--no-tls", "dict", "--demo-user", "demo",
               "--demo-password", "demo-secret"]  # fmt: skip
    process = Leashed(command, folder / "log", folder)
    try:
        wait_until(lambda: listening(port), 60, lambda: process.running, process.tail)
        yield ImapPost(port, "demo", "demo-secret")
    finally:
        process.kill()
        shutil.rmtree(folder, ignore_errors=True)
