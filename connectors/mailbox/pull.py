"""Reads a mailbox over IMAP4rev1 (RFC 3501): every mail of the chosen folders, by UID, oldest first.

New mail has a higher UID than any before it, so a folder's cursor is its UIDVALIDITY and the last UID read. What is
expunged is not deleted (the mail was sent all the same), and flags are nobody's business: neither is read.
"""

import asyncio
import itertools
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any, Self

from connectors.contract import Fields, HubError, Listed, Misconfigured, Page, SetAside, Step, Surroundings
from connectors.mailbox.cursor import Cursor, FolderCursor
from connectors.mailbox.doubts import Doubt, in_words, passed_over
from connectors.mailbox.oauth import Tokens
from connectors.mailbox.options import MailboxOptions, OAuthClient, OAuthToken
from connectors.mailbox.payload import message_id_of
from connectors.mailbox.reading import PAGE, NotHandedOut, Place, batches
from connectors.mailbox.rules import chosen, is_pattern, missing, nearest
from connectors.mailbox.session import BadToken, NotOpened, Session, Worker

_GOODBYE_SECONDS = 1.5
"""For LOGOUT and its answer at the end."""
_LAST_UIDS = 200
"""So many of the newest UIDs are looked through for the newest mail: some are gone."""
_SKEW = timedelta(minutes=2)
IDLE_SECONDS = 540.0
"""IDLE is renewed before 10 minutes: routers forget quiet connections (RFC 2177 says 29 minutes)."""

_FOLDER = "folder"
LISTED = timedelta(days=14)
"""How far back an inventory goes: a mail never changes, and older ones were compared before."""


class MailboxSource:
    """One mailbox. Opens its session when first asked, in a thread of its own, and again after it broke.

    One task at a time: `pages`, `wait` and the others share the session.
    """

    def __init__(self, connection: str, options: MailboxOptions, around: Surroundings) -> None:
        self._connection, self._options, self._around = connection, options, around
        self._worker = Worker()
        self._session: Session | None = None
        auth = options.auth
        self._tokens = Tokens(auth, options.ca_file, around) if isinstance(auth, OAuthClient) else None
        self._waits: set[threading.Event] = set()
        around.network.limiter.announce(40, 1.0, "the mail server")

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        for stop in self._waits:
            stop.set()
        try:
            async with asyncio.timeout(_GOODBYE_SECONDS):
                await self._drop()
        except TimeoutError:
            pass  # the server does not answer: no good-bye then
        finally:
            self._worker.close()

    async def check(self) -> AsyncIterator[Step]:
        """Reach, sign in, folders, read: each by name, ending at the first that fails."""
        steps: tuple[tuple[str, Callable[[], Awaitable[str]]], ...] = (
            ("reach", self._can_reach),
            ("sign-in", self._can_sign_in),
            ("folders", self._can_list),
            ("read", self._can_read),
            ("clock", self._agrees),
        )
        await self._drop()
        for name, work in steps:
            try:
                says = await work()
            except HubError as error:
                await self._drop()
                yield Step(name, ok=False, says=str(error))
                return
            yield Step(name, ok=True, says=says)

    async def count(self, since: datetime | None) -> int | None:
        """How many mails a first read from `since` on goes over, by whole days. Raises RetryLater, Misconfigured."""
        day = _day(since or self._options.since)
        session, number = await self._signed_in(), 0
        for name in await self._folders(session):
            number += await self._worker.run(_counted, session, name, day)
        return number

    async def pages(self, cursor: dict[str, Any] | None, since: datetime | None) -> AsyncIterator[Page]:
        """New mail of every chosen folder; ends with a page that says up to when all of it is read."""
        started = self._around.now()
        known = Cursor(since=since or self._options.since) if cursor is None else Cursor.read(cursor)
        try:
            session = await self._signed_in()
            names = await self._folders(session)
            if cursor is None:
                day = _day(known.since)
                known.total = sum([await self._worker.run(_opened_and_counted, session, name, day) for name in names])
            closed: list[NotOpened] = []
            for name in names:
                try:
                    async for page in self._folder(Place(session, self._connection, name, self._options), known):
                        yield page
                except NotOpened as error:  # the others are read all the same; then it is told
                    closed.append(error)
                except NotHandedOut as error:
                    doubted = known.not_handed_out(name, error.uids)
                    aside = await self._given_up(name, known, doubted) if doubted.certain else []
                    yield Page((), known.write(), known.true_up_to, more=True, set_aside=aside)
                    raise NotHandedOut(in_words(error.reason, name, doubted), error.uids) from None
            if closed:
                raise closed[0]
        except HubError:
            await self._drop()
            raise
        known.keep(names)
        known.true_up_to = started
        yield Page((), known.write(), started)

    async def _folder(self, place: Place, known: Cursor) -> AsyncIterator[Page]:
        state = await self._worker.run(place.session.examine, place.folder)
        read = known.folders.get(place.folder)
        if read is not None and read.nothing_new(state):
            return
        if read is None or read.void(state):
            # No UID means what it meant: read all again. Events hold no UID, so what was told keeps its event id.
            known.doubts.pop(place.folder, None)
            known.folders[place.folder] = read = FolderCursor(state.validity, 0)
        uids = place.session.uids(read.uid, state, _day(known.since))
        while chunk := await self._worker.run(_next, uids, 1 if known.doubts_after(place.folder, read.uid) else PAGE):
            mails = await self._worker.run(place.look, chunk, known.since)
            for batch in batches(mails):
                events, aside = await self._worker.run(place.read, batch, self._around.now())
                known.folders[place.folder] = read = FolderCursor(state.validity, batch[-1].uid)
                known.done += len(batch)
                yield Page(events, known.write(), known.true_up_to, more=True, progress=known.progress, set_aside=aside)
            known.done += len(chunk) - len(mails)
            read = FolderCursor(state.validity, chunk[-1])
        known.doubts.pop(place.folder, None)
        known.folders[place.folder] = FolderCursor(state.validity, read.uid, state.next_uid, state.modseq)

    async def _given_up(self, folder: str, known: Cursor, doubted: Doubt) -> list[SetAside]:
        """Pass over a mail that was asked for often enough. Raises RetryLater where no other is handed out either."""
        await self._drop()
        session = await self._signed_in()
        state = await self._worker.run(session.examine, folder)
        place = Place(session, self._connection, folder, self._options)
        await self._worker.run(place.hands_out_others, doubted.good, doubted.uid, state)
        known.folders[folder] = FolderCursor(known.folders[folder].validity, doubted.uid)
        known.done += 1
        return [passed_over(folder, doubted.uid)]

    async def census(self, known: Mapping[str, str], cursor: dict[str, Any] | None) -> AsyncIterator[Page]:
        """One page without events: a mail never changes, and one that was expunged is not deleted."""
        del known, cursor
        yield Page((), {}, None)

    covers: timedelta | None = LISTED

    async def inventory(self) -> AsyncIterator[Sequence[Listed]]:
        """The mails that came lately: which mail one is follows from its text, so they are read again."""
        cursor, since = None, self._around.now() - LISTED
        while True:
            try:
                async for page in self.pages(cursor, since):
                    cursor = page.cursor
                    yield [Listed(event.artifact, None, message_id_of(event.payload)) for event in page.events]
            except NotHandedOut:  # nothing is set aside here, only passed over, so it need not wait between
                continue
            return

    async def fetch(self, hints: Sequence[str]) -> AsyncIterator[Page]:
        """Mails by Message-ID, from every chosen folder that holds them."""
        try:
            session = await self._signed_in()
            for name in await self._folders(session):
                place = Place(session, self._connection, name, self._options)
                await self._worker.run(session.examine, name)
                for hint in hints:
                    for batch in batches(await self._worker.run(_named, place, hint)):
                        events, aside = await self._worker.run(place.read, batch, self._around.now())
                        yield Page(events, {}, None, set_aside=aside)
        except HubError:
            await self._drop()
            raise

    async def wait(self, timeout: float) -> bool:
        """Until the server tells of new mail (True) or `timeout` seconds are over (False): the time to poll again.

        Only a hint, for the first chosen folder: IDLE (RFC 2177) watches one folder, and may die silently. Where the
        server has no IDLE or the connection breaks, it just waits.
        """
        until = time.monotonic() + timeout
        stop = threading.Event()
        self._waits.add(stop)
        try:
            session = await self._signed_in()
            if await self._worker.run(session.can_idle):
                await self._worker.run(session.examine, (await self._folders(session))[0])
                while (left := until - time.monotonic()) > 0:
                    if await self._worker.run(session.idle, min(left, IDLE_SECONDS), stop.is_set):
                        return True
                return False
        except HubError:
            await self._drop()
        finally:  # also when cancelled: the thread would hold the session
            stop.set()
            self._waits.discard(stop)
        await asyncio.sleep(max(0.0, until - time.monotonic()))
        return False

    # --- the session ---

    async def _signed_in(self) -> Session:
        if self._session is None:
            try:
                self._session = await self._new_session()
            except BadToken:
                if self._tokens is None or not self._tokens.forget():
                    raise
                self._session = await self._new_session()  # taken back before its time: once more with a new one
        return self._session

    async def _new_session(self) -> Session:
        token = await self._token()
        session = await self._worker.run(Session.connect, self._options, self._around.network, self._worker.line)
        try:
            await self._worker.run(session.sign_in, self._options, token)
        except HubError:
            await self._worker.run(session.close)
            raise
        return session

    async def _token(self) -> str | None:
        auth = self._options.auth
        if self._tokens is not None:
            return await self._tokens.current()
        return auth.token.get_secret_value() if isinstance(auth, OAuthToken) else None

    async def _drop(self) -> None:
        session, self._session = self._session, None
        if session is not None:
            await self._worker.run(session.close)

    async def _folders(self, session: Session) -> list[str]:
        listed = await self._worker.run(session.folders)
        absent = [wish for wish in missing(listed, self._options) if not is_pattern(wish)]
        if absent:
            raise Misconfigured(
                f"The mailbox has no folder {absent[0]}",
                f"{_meant(absent[0], listed)}Correct the name, or give the account the right to read it",
                "folders",
            )
        names = chosen(listed, self._options)
        if not names:
            lost = "; ".join(_fits_none(wish, listed) for wish in missing(listed, self._options))
            problem = "No folder is left to read" + (f": {lost}" if lost else "")
            raise Misconfigured(problem, "Name at least one folder that exists", "folders")
        return names

    async def remarks(self) -> list[str]:
        """Patterns that no folder fits, each with what may be meant: what else they name is read all the same. Raises
        RetryLater, Misconfigured."""
        session = await self._signed_in()
        listed = await self._worker.run(session.folders)
        return [_fits_none(wish, listed) for wish in missing(listed, self._options)]

    async def fields(self) -> Fields:
        """The folders that the options name, as far as there are any: for one that is there no more, or not yet."""
        session = await self._signed_in()
        listed = await self._worker.run(session.folders)
        absent = missing(listed, self._options)
        return Fields(
            there={f"{_FOLDER} {wish}": wish for wish in self._options.folders if wish not in absent},
            needed={f"{_FOLDER} {wish}": "folders" for wish in self._options.folders},
            near={f"{_FOLDER} {wish}": tuple(nearest(wish, listed)) for wish in absent},
        )

    async def _can_reach(self) -> str:
        session = await self._worker.run(Session.connect, self._options, self._around.network, self._worker.line)
        await self._worker.run(session.close)
        return f"{self._options.host} answers" + ("" if self._options.security == "plain" else ", encrypted")

    async def _can_sign_in(self) -> str:
        session = await self._signed_in()
        idle = await self._worker.run(session.can_idle)
        return "Signed in; " + ("the server tells of new mail by itself" if idle else "new mail is found by polling")

    async def _can_list(self) -> str:
        names = await self._folders(await self._signed_in())
        return "; ".join([f"Folders to read: {len(names)}", *await self.remarks()])

    async def _agrees(self) -> str:
        """IMAP tells no time. Only a clock that is ahead can be seen, by mail that arrives in our future; and a mail
        may bear any time of arrival that who imported it gave, so it is told, and stops nothing."""
        session = await self._signed_in()
        times = [await self._worker.run(_newest, session, name) for name in await self._folders(session)]
        ahead = max((at - self._around.now() for at in times if at), default=timedelta(0))
        if ahead <= _SKEW:
            return "No mail arrived in this machine's future"
        return f"The newest mail arrived {ahead.total_seconds():.0f} s in this machine's future: look at both clocks"

    async def _can_read(self) -> str:
        session = await self._signed_in()
        states = [await self._worker.run(session.examine, name) for name in await self._folders(session)]
        return f"Mails in them: {sum(state.exists for state in states)}; opened for reading only"


def _meant(wish: str, listed: Sequence[tuple[str, frozenset[str]]]) -> str:
    near = nearest(wish, listed)
    return f"Is {' or '.join(near)} meant? " if near else ""


def _fits_none(wish: str, listed: Sequence[tuple[str, frozenset[str]]]) -> str:
    near = nearest(wish, listed)
    return f"no folder fits {wish}" + (f" (nearest: {', '.join(near)})" if near else "")


def _next(uids: Iterator[int], most: int) -> list[int]:
    return list(itertools.islice(uids, most))


def _opened_and_counted(session: Session, folder: str, day: date | None) -> int:
    try:
        return _counted(session, folder, day)
    except NotOpened:  # told when it is read
        return 0


def _counted(session: Session, folder: str, day: date | None) -> int:
    """Mails of a folder that arrived on this day or later; None: all. Blocks."""
    state = session.examine(folder)
    return sum(1 for _ in session.uids(0, state, day)) if day else state.exists


def _day(since: datetime | None) -> date | None:
    """From which day on mail is asked for: the server counts days of its own zone."""
    return (since - timedelta(days=1)).date() if since else None


def _newest(session: Session, folder: str) -> datetime | None:
    """When the newest mail of a folder arrived, by the server's clock. Blocks."""
    state = session.examine(folder)
    uids = list(session.uids(max(0, state.next_uid - _LAST_UIDS), state, None)) if state.exists else []
    found = session.fetch(uids[-1:], ["INTERNALDATE"])
    times = [told.get(b"INTERNALDATE") for told in found.values()]
    return max((at.astimezone(UTC) for at in times if isinstance(at, datetime)), default=None)


def _named(place: Place, hint: str) -> Any:
    return place.look(place.session.holding(hint), None)
