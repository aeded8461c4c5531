"""One signed-in IMAP session (RFC 3501) on IMAPClient, in a thread of its own. Reads only: EXAMINE, BODY.PEEK, IDLE.

IMAPClient opens sockets itself; here it is given one that went through the address guard, and our TLS.
"""

import contextlib
import imaplib
import socket
import ssl
import threading
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import date
from typing import Any, ParamSpec, TypeVar

from imapclient import IMAPClient
from imapclient.exceptions import CapabilityError, LoginError

from connectors.contract import HubError, Misconfigured, RetryLater
from connectors.mailbox.options import MailboxOptions, OAuthClient, OAuthToken, Password
from connectors.threads import Threads
from connectors.transport import Limiter, Network, failure

READ_TIMEOUT = 90.0
GREETING_TIMEOUT = 20.0
"""A mail server speaks first, and at once; what stays silent is another kind of server, or waits for TLS."""
WINDOW = 50_000
"""UIDs asked for at once in a big folder: imaplib refuses an answer line of more than a million bytes."""
P = ParamSpec("P")
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class FolderState:
    """What EXAMINE says of a folder. 0 where the server says nothing."""

    validity: int
    next_uid: int
    exists: int
    modseq: int


class _Wire(imaplib.IMAP4):
    """imaplib over a socket that is already connected."""

    def __init__(self, host: str, opened: socket.socket) -> None:
        self._opened = opened
        super().__init__(host)

    def _create_socket(self, timeout: float | None = None) -> socket.socket:  # noqa: ARG002 - imaplib's signature
        return self._opened


class _Client(IMAPClient):  # type: ignore[misc]
    def __init__(self, host: str, opened: socket.socket) -> None:
        self._opened = opened
        super().__init__(host, ssl=False, timeout=READ_TIMEOUT)
        self.normalise_times = False

    def _create_IMAP4(self) -> imaplib.IMAP4:  # noqa: N802 - IMAPClient's name
        return _Wire(self.host, self._opened)


class Session:
    """Blocking calls; hand them to `run`. Every method raises HubError only."""

    def __init__(self, client: _Client, limiter: Limiter) -> None:
        self._client, self._limiter = client, limiter

    @staticmethod
    def connect(
        options: MailboxOptions, network: Network, line: "Line", patience: float = GREETING_TIMEOUT
    ) -> "Session":
        """A greeted, encrypted session that is not signed in yet. Cutting the line ends all waiting for the server.

        patience: seconds for each word of the greeting.
        """
        host, port = options.where
        with _named(host):
            opened = network.connect(host, port, plain=options.security == "plain")
            try:
                line.hold(opened)
                opened.settimeout(patience)
                if options.security == "tls":
                    opened = network.tls(options.ca_file).wrap_socket(opened, server_hostname=host)
                client = _Client(host, opened)
                if options.security == "starttls":
                    _start_tls(client, network.tls(options.ca_file))
                client.socket().settimeout(READ_TIMEOUT)
            except TimeoutError:
                opened.close()
                said = f"{host} sends no greeting of a mail server at port {port}"
                raise RetryLater(f"{said}; if it stays so, correct port or encryption") from None
            except BaseException:
                opened.close()
                raise
            return Session(client, network.limiter)

    def sign_in(self, options: MailboxOptions, token: str | None) -> None:
        """Prove who we are, by the token where there is one; the longer list of abilities that servers give afterwards
        is asked for anew. Raises BadToken, Misconfigured, RetryLater."""
        auth = options.auth
        with _named(options.host):
            try:
                if isinstance(auth, Password):
                    self._login(auth.user, auth.password.get_secret_value())
                else:
                    self._client.oauth2_login(auth.user, token)
            except LoginError as error:
                raise _refused(str(error), auth) from None
            self._client._cached_capabilities = None  # noqa: SLF001 - nothing public forgets the short list
            self._client.capabilities()

    def _login(self, user: str, password: str) -> None:
        if self._client.has_capability("LOGINDISABLED"):
            raise Misconfigured(
                "The server takes no password without encryption", "Choose tls or starttls as encryption", "security"
            )
        if (user + password).isascii():
            self._client.login(user, password)
        else:  # LOGIN has no charset; SASL PLAIN is UTF-8 (RFC 4616)
            self._client.plain_login(user, password)

    def folders(self) -> list[tuple[str, frozenset[str]]]:
        """(name, flags in lower case) of every folder; names come decoded from modified UTF-7."""
        with self._errors():
            listed = self._client.list_folders()
        return [(str(name), frozenset(_text(flag).lower() for flag in flags)) for flags, _, name in listed]

    def examine(self, folder: str) -> FolderState:
        """Open a folder for reading only."""
        with self._errors(folder):
            said = self._client.select_folder(folder, readonly=True)
        numbers = (said.get(key) for key in (b"UIDVALIDITY", b"UIDNEXT", b"EXISTS", b"HIGHESTMODSEQ"))
        return FolderState(*(_number(number) for number in numbers))

    def uids(self, after: int, state: FolderState, since: date | None) -> Iterator[int]:
        """UIDs above `after` in ascending order.

        `n:*` names the newest mail even when its UID is below n (RFC 3501 section 6.4.8), hence the filter. since is
        a day in the server's own zone.
        """
        ranges: Iterable[str] = [f"{after + 1}:*"]
        if state.exists > WINDOW and state.next_uid:
            ranges = (f"{low}:{low + WINDOW - 1}" for low in range(after + 1, state.next_uid, WINDOW))
        for wanted in ranges:
            with self._errors():
                words: list[Any] = ["UID", wanted] + (["SINCE", since] if since else [])
                found = self._client.search(words)
            yield from sorted(uid for uid in found if isinstance(uid, int) and uid > after)

    def holding(self, message_id: str) -> list[int]:
        """UIDs of mails in the open folder whose Message-ID holds this text."""
        if not message_id.isascii() or any(not letter.isprintable() for letter in message_id):
            return []
        with self._errors():
            return [uid for uid in self._client.search(["HEADER", "Message-ID", message_id]) if isinstance(uid, int)]

    def fetch(self, uids: list[int], items: list[str]) -> dict[int, dict[bytes, Any]]:
        """UID to what was asked for; a mail that is gone meanwhile is missing, an unasked line is left out."""
        if not uids:
            return {}
        wanted = set(uids)
        with self._errors():
            return {uid: said for uid, said in self._client.fetch(uids, items).items() if uid in wanted}

    def can_idle(self) -> bool:
        """Whether the server tells of new mail by itself (RFC 2177)."""
        return self.has("IDLE")

    def has(self, ability: str) -> bool:
        """Whether the server has an ability, as told after signing in."""
        with _named(str(self._client.host)):
            return bool(self._client.has_capability(ability))

    def idle(self, seconds: float, stop: Callable[[], bool]) -> bool:
        """Wait for the server to tell something of the open folder; False when the time is over or `stop` says so."""
        with self._errors():
            self._client.idle()
            heard: list[Any] = []
            left = seconds
            while left > 0 and not heard and not stop():
                step = min(left, 0.5)
                said = self._client.idle_check(timeout=step)
                heard = [line for line in said if line and line[-1] in (b"EXISTS", b"EXPUNGE", b"RECENT")]
                if any(line and line[0] == b"BYE" for line in said):
                    raise RetryLater("The mail server ended the connection")
                left -= step
            _, rest = self._client.idle_done()
            return bool(heard) or any(line and line[-1] == b"EXISTS" for line in rest or [])

    def close(self) -> None:
        """Say good-bye, or just hang up."""
        with contextlib.suppress(imaplib.IMAP4.error, OSError, *_GARBAGE):
            self._client.socket().settimeout(2)
            self._client.logout()
            return
        with contextlib.suppress(imaplib.IMAP4.error, OSError, *_GARBAGE):
            self._client.shutdown()

    def _errors(self, folder: str = "") -> contextlib.AbstractContextManager[None]:
        self._limiter.turn_in_thread()
        return _named(str(self._client.host), folder)


def _start_tls(client: _Client, context: ssl.SSLContext) -> None:
    try:
        client.starttls(context)
    except CapabilityError:
        raise Misconfigured("The server offers no STARTTLS", "Choose tls, with the port for it", "security") from None


class BadToken(Misconfigured):
    """The server refuses the access token."""


class Busy(RetryLater):
    """The server says that it cannot answer right now: no fault of what was asked for."""


class NotOpened(RetryLater):
    """The server does not open a folder, and goes on with others."""


def _for_now(said: str) -> bool:
    """Whether a refusal is only for now: RFC 5530 codes, and what Gmail says to those who read too much."""
    codes = ("[UNAVAILABLE]", "[INUSE]", "[LIMIT]", "[THROTTLED]", "TOO MANY", "BANDWIDTH LIMIT")
    return any(code in said.upper() for code in codes)


def _refused(said: str, auth: Password | OAuthToken | OAuthClient) -> HubError:
    """A sign-in that failed: refused for good, or only for now."""
    if _for_now(said):
        return RetryLater("The mail server takes no sign-in right now")
    if isinstance(auth, OAuthToken):
        return BadToken(
            "The mail server refuses the access token",
            "Fetch a new one; it may have expired or lack IMAP. The kind oauth_client renews them by itself",
            "auth.token",
        )
    if isinstance(auth, OAuthClient):
        return BadToken(
            "The mail server refuses an access token that was just fetched",
            "Look whether the user is this mailbox's, and whether the app may read it by IMAP",
            "auth.user",
        )
    return Misconfigured(
        "The mail server refuses user or password",
        "Check both; where two-step sign-in is on, make an app password; Microsoft 365 takes access tokens only",
        "auth.password",
    )


_GARBAGE = (
    ValueError, KeyError, IndexError, TypeError, AssertionError, AttributeError, RecursionError, OverflowError,
    MemoryError,
)  # fmt: skip
"""What the libraries do on answers that are none; the last two at a literal that is said to have terabytes."""


@contextlib.contextmanager
def _named(host: str, folder: str = "") -> Iterator[None]:
    """Library and socket errors as HubErrors. Server text is not repeated: it may hold content."""
    try:
        yield
    except HubError:
        raise
    except imaplib.IMAP4.error as error:
        raise _failed(error, host, folder) from None
    except OSError as error:
        raise failure(error, host) from None
    except _GARBAGE:
        raise RetryLater(f"{host} answered what is no IMAP") from None


def _failed(error: imaplib.IMAP4.error, host: str, folder: str) -> RetryLater:
    if _for_now(str(error)):
        return Busy(f"{host} has no time for this account right now")
    if isinstance(error, imaplib.IMAP4.abort):
        return RetryLater(f"{host} ended the connection")
    if folder:
        return NotOpened(
            f"{host} does not open the folder {folder}; it may be gone or locked, or this account may not read it: "
            "then leave it out (leave_out_folders)"
        )
    return RetryLater(f"{host} refused a command or answered what is no IMAP")


def _number(value: Any) -> int:
    value = value[0] if isinstance(value, list | tuple) and value else value
    return value if isinstance(value, int) and value > 0 else 0


def _text(value: Any) -> str:
    return value.decode("ascii", "replace") if isinstance(value, bytes) else str(value)


class Worker:
    """The one thread in which a mailbox's blocking calls run."""

    def __init__(self) -> None:
        self._threads = Threads(1, "mailbox")
        self.line = Line()

    async def run(self, call: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """The call's result; cancelling does not interrupt the call, cutting the line does."""
        return await self._threads.run(call, *args, **kwargs)

    def close(self) -> None:
        """Take no more calls, and end the one under way."""
        self.line.cut()
        self._threads.close()


class Line:
    """The connection below a session, for whoever must cut it while a call waits for the server."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._held: socket.socket | None = None
        self._is_cut = False

    def hold(self, opened: socket.socket) -> None:
        """The newest connection. Its duplicate stays good when TLS takes the socket over."""
        with self._lock:
            self._let_go()
            self._held = opened.dup()
            if self._is_cut:
                self._hang_up()

    def cut(self) -> None:
        """Hang up, now and on whatever is held later."""
        with self._lock:
            self._is_cut = True
            self._hang_up()
            self._let_go()

    def _hang_up(self) -> None:
        if self._held is not None:
            with contextlib.suppress(OSError):
                self._held.shutdown(socket.SHUT_RDWR)

    def _let_go(self) -> None:
        if self._held is not None:
            self._held.close()
            self._held = None
