"""Loads mails of one open folder in bounded pieces and makes source events of them. Blocking: runs in the thread."""

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from email.message import Message
from typing import Any

from connectors.contract import BadRecord, RetryLater, SetAside
from connectors.mailbox import structure
from connectors.mailbox.headers import decode_bytes
from connectors.mailbox.message import TELLING, header_pairs, leaves, parse
from connectors.mailbox.options import MailboxOptions
from connectors.mailbox.rules import LOOKED_AT, left_out
from connectors.mailbox.session import Busy, FolderState, Session
from connectors.mailbox.telling import Found, event_of
from schemas.events import SourceEvent

PAGE = 50
"""Mails in a page, at most."""
PAGE_OCTETS = 4 * 1024 * 1024
"""Octets loaded for a page, about; with WHOLE this bounds memory."""
WHOLE = 256 * 1024
"""Mails up to this size are loaded whole; of larger ones only headers and texts."""
_WHICH = f"BODY.PEEK[HEADER.FIELDS ({' '.join(TELLING).upper()})]<0.{structure.HEADER_OCTETS}>"
_LOOK = ["INTERNALDATE", "RFC822.SIZE", f"BODY.PEEK[HEADER.FIELDS ({LOOKED_AT})]"]


class NotHandedOut(RetryLater):
    """The server did not answer for these mails; one of them may be a mail that it cannot hand out at all."""

    def __init__(self, reason: str, uids: Sequence[int]) -> None:
        super().__init__(reason)
        self.uids = tuple(uids)


@dataclass(frozen=True, slots=True)
class Seen:
    """A mail that is to be read."""

    uid: int
    size: int
    internal_date: datetime | None


@dataclass(frozen=True, slots=True)
class Place:
    """Where reading goes on: the connection's folder that is open in the session."""

    session: Session
    connection: str
    folder: str
    options: MailboxOptions

    def look(self, uids: list[int], since: datetime | None) -> list[Seen]:
        """Those of the mails that are to be read. Of what is left out, no text is ever loaded. Raises NotHandedOut."""
        said = self._fetched(uids, _LOOK)
        found = []
        for uid in uids:
            told = said.get(uid)
            if told is None:  # expunged meanwhile
                continue
            arrived = told.get(b"INTERNALDATE")
            arrived = arrived if isinstance(arrived, datetime) and arrived.tzinfo else None
            if since and arrived and arrived < since:
                continue
            if not left_out(header_pairs(parse(_body(told)))[0], self.options):
                found.append(Seen(uid, _size(told), arrived))
        return found

    def read(self, batch: list[Seen], fetched_at: datetime) -> tuple[list[SourceEvent], list[SetAside]]:
        """Source events of these mails, and those that cannot become one. Raises NotHandedOut."""
        small = [seen for seen in batch if seen.size <= WHOLE]
        loaded = self._fetched([seen.uid for seen in small], ["BODY.PEEK[]"])
        events: list[SourceEvent] = []
        aside: list[SetAside] = []
        for seen in batch:
            whole = loaded.pop(seen.uid, None)
            if seen in small and whole is None:
                continue
            try:
                event = self._large(seen, fetched_at) if whole is None else self._whole(seen, _body(whole), fetched_at)
            except BadRecord as error:
                # A mail that cannot be read cannot be reduced either.
                start = decode_bytes(_body(whole or {})[:20_000], None) if self.options.keep == "full" else ""
                aside.append(SetAside(f"{self.folder}/{seen.uid}", str(error), start))
                continue
            if event is not None:
                events.append(event)
        return events, aside

    def _whole(self, seen: Seen, raw: bytes, fetched_at: datetime) -> SourceEvent:
        mail = parse(raw)
        return event_of(mail, leaves(mail), self._found(seen, fetched_at), self.options)

    def _large(self, seen: Seen, fetched_at: datetime) -> SourceEvent | None:
        def fetch(items: list[str]) -> dict[bytes, Any]:
            return self._fetched([seen.uid], items).get(seen.uid, {})

        told = fetch([f"BODY.PEEK[HEADER]<0.{structure.HEADER_OCTETS}>", "BODYSTRUCTURE"])
        if not told:
            return None
        head = _body(told)
        mail = parse(head)
        if len(head) >= structure.HEADER_OCTETS:
            # What comes behind thousands of recipients says which mail it is.
            mail = _joined(parse(_body(fetch([_WHICH]))), head)
        found = structure.leaves(told.get(b"BODYSTRUCTURE"), fetch)
        return event_of(mail, found, self._found(seen, fetched_at), self.options)

    def hands_out_others(self, good: int, bad: int, state: FolderState) -> None:
        """That the server hands out a mail of the folder before or after a bad one, where there is another. Raises
        RetryLater: it hands out none, so the bad one proves nothing."""
        after = itertools.islice(self.session.uids(bad, state, None), 1)
        for uid in itertools.chain([good] if good else [], after):
            if self.session.fetch([uid], ["BODY.PEEK[HEADER]"]):
                return

    def _fetched(self, uids: list[int], items: list[str]) -> dict[int, dict[bytes, Any]]:
        try:
            return self.session.fetch(uids, items)
        except Busy:
            raise
        except RetryLater as error:
            raise NotHandedOut(error.reason, uids) from None

    def _found(self, seen: Seen, fetched_at: datetime) -> Found:
        return Found(self.connection, self.folder, seen.internal_date, fetched_at)


def batches(mails: list[Seen]) -> Iterator[list[Seen]]:
    """The mails in pieces of at most about PAGE_OCTETS."""
    batch: list[Seen] = []
    octets = 0
    for seen in mails:
        cost = min(seen.size, 2 * WHOLE)
        if batch and octets + cost > PAGE_OCTETS:
            yield batch
            batch, octets = [], 0
        batch.append(seen)
        octets += cost
    if batch:
        yield batch


def _joined(telling: Message, head: bytes) -> Message:
    """The headers that say which mail it is, and the others as far as they were loaded: to the last whole line or
    address."""
    for name, value in parse(head[: max(head.rfind(b"\n"), head.rfind(b",")) + 1]).raw_items():
        if name.lower() not in TELLING:
            telling.set_raw(name, value)
    return telling


def _body(told: dict[bytes, Any]) -> bytes:
    """The answer to BODY[…], whatever case and spaces the server writes its name in."""
    for key, value in told.items():
        if key.upper().startswith(b"BODY["):
            return value if isinstance(value, bytes) else b"" if value is None else str(value).encode()
    return b""


def _size(told: dict[bytes, Any]) -> int:
    size = told.get(b"RFC822.SIZE")
    # A server that tells no size may hide a large mail: read it piece by piece.
    return size if isinstance(size, int) else WHOLE + 1
