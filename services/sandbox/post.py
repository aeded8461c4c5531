"""What the sandbox's mail server holds, and how it behaves: what a script or a test changes while it runs."""

import asyncio
import base64
import contextlib
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

USER, PASSWORD, TOKEN = "requests@sandbox.example", "sandbox-secret", "sandbox-token"


@dataclass(frozen=True, slots=True)
class StoredMail:
    """A mail in a folder."""

    uid: int
    raw: bytes
    at: datetime
    """INTERNALDATE."""


@dataclass
class Folder:
    """A folder, by its name as people see it."""

    name: str
    validity: int
    flags: str = ""
    mails: list[StoredMail] = field(default_factory=list)
    next_uid: int = 1


class Mailbox:
    """The state: what a script or a test changes, on the loop that runs the server."""

    def __init__(self, now: Callable[[], datetime], lag: timedelta = timedelta(0)) -> None:
        self._now, self._lag = now, lag
        self.folders: dict[str, Folder] = {}
        self._due: list[tuple[datetime, str, bytes, datetime]] = []
        self._count = 0
        self.listeners: set[asyncio.Event] = set()
        self.add_folder("INBOX")

    def add_folder(self, name: str, flags: str = "") -> None:
        """A new, empty folder; flags as RFC 6154 names them."""
        self._count += 1
        self.folders[name] = Folder(name, 1_000 + self._count, flags)

    def append(self, folder: str, raw: bytes, at: datetime | None = None) -> None:
        """A mail arrives, with this INTERNALDATE (the clock's by default).

        With a lag every other mail comes late by up to that much, so that younger ones come before it, as from a busy
        mail gateway.
        """
        moment = self._now()
        late = self._lag * (len(self._due) % 2) if self._lag else timedelta(0)
        self._due.append((moment + late, folder, crlf(raw), at or moment))
        self.deliver()

    def deliver(self) -> None:
        """Put into the folders what is due by the clock; UIDs are given in this order, as on every server."""
        moment = self._now()
        for entry in [entry for entry in self._due if entry[0] <= moment]:
            self._due.remove(entry)
            _, name, raw, at = entry
            folder = self.folders[name]
            folder.mails.append(StoredMail(folder.next_uid, raw, at))
            folder.next_uid += 1
            for listener in self.listeners:
                listener.set()

    def copy(self, raw: bytes, folder: str) -> None:
        """Somebody files a mail: the same octets and arrival in another folder."""
        for known in list(self.folders.values()):
            for mail in known.mails:
                if mail.raw == crlf(raw):
                    self.append(folder, raw, mail.at)
                    return
        raise ValueError("folder: no such mail to copy")

    def expunge(self, folder: str, uid: int) -> None:
        """Somebody deletes a mail for good."""
        held = self.folders[folder]
        held.mails = [mail for mail in held.mails if mail.uid != uid]

    def renew(self, folder: str, first_uid: int = 1) -> None:
        """The folder gets a new UIDVALIDITY and new UIDs, as after a move to another server."""
        held = self.folders[folder]
        self._count += 1
        held.validity = 1_000 + self._count
        held.mails = [StoredMail(first_uid + n, mail.raw, mail.at) for n, mail in enumerate(held.mails)]
        held.next_uid = first_uid + len(held.mails)


@dataclass
class Manners:
    """How the server behaves; faults are switched here while it runs."""

    user: str = USER
    password: str = PASSWORD
    token: str = TOKEN
    idle: bool = True
    lose_every: int = 3
    """Every so many IDLE hints are lost."""
    chatty: bool = True
    """Unasked lines (EXISTS, FETCH FLAGS) in between."""
    greeting: bytes = b"* OK [CAPABILITY IMAP4rev1 AUTH=PLAIN AUTH=XOAUTH2] ready"
    refuse_login: bytes = b""
    """A NO to every sign-in, such as `[UNAVAILABLE] later`."""
    cut_after: int = -1
    """Octets of answers after which the connection is cut; -1 never."""
    bye_on: str = ""
    """A command (FETCH, SEARCH) answered with BYE."""
    garbage_on: str = ""
    """A command answered with a web page."""
    damaged: set[tuple[str, int]] = field(default_factory=set)
    """(folder, UID) of mails that cannot be handed out: with one of them a FETCH is refused whole."""
    refusal: bytes = b"[SERVERBUG] this mail cannot be converted"
    """In these words."""
    hang_up: bool = False
    """Whether it hangs up instead."""
    shut: set[str] = field(default_factory=set)
    """Folders that are listed and not opened."""

    def proves(self, mechanism: str, first: str, second: str) -> bool:
        """Whether a sign-in is right: LOGIN's words, or an initial SASL answer."""
        if mechanism == "LOGIN":
            return (first, second) == (self.user, self.password)
        with contextlib.suppress(ValueError):
            said = base64.b64decode(first, validate=True).decode()
            if mechanism == "PLAIN":
                return said == f"\0{self.user}\0{self.password}"
            return said == f"user={self.user}\1auth=Bearer {self.token}\1\1"
        return False


@dataclass
class Post:
    """What every client of one server shares."""

    mailbox: Mailbox
    manners: Manners = field(default_factory=Manners)
    writes: list[str] = field(default_factory=list)
    """Every command that would have changed something."""


def crlf(raw: bytes) -> bytes:
    """Lines end with CR LF, as on the wire."""
    return raw.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
