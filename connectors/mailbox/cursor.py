"""Where a mailbox's reading stands: plain JSON between pages."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from connectors.contract import Misconfigured, Progress
from connectors.mailbox.doubts import Doubt, doubt
from connectors.mailbox.session import FolderState
from schemas.canonical import instant, parse_instant


@dataclass(frozen=True, slots=True)
class FolderCursor:
    """How far one folder was read. next_uid and modseq are the server's at the last complete pass, 0 before it."""

    validity: int
    uid: int
    next_uid: int = 0
    modseq: int = 0

    def void(self, state: FolderState) -> bool:
        """Whether the UIDs mean other mails now: a new UIDVALIDITY, or a server restored from an older backup."""
        return state.validity != self.validity or 0 < state.next_uid <= self.uid

    def nothing_new(self, state: FolderState) -> bool:
        """UIDNEXT moves with every new mail (RFC 3501 section 2.3.1.1)."""
        same = (state.validity, state.next_uid) == (self.validity, self.next_uid)
        return same and state.next_uid > 0 and state.modseq == self.modseq


@dataclass(slots=True)
class Cursor:
    """The whole mailbox."""

    since: datetime | None = None
    folders: dict[str, FolderCursor] = field(default_factory=dict)
    true_up_to: datetime | None = None
    """None while the first read is under way."""
    done: int = 0
    total: int = 0
    doubts: dict[str, Doubt] = field(default_factory=dict)
    """Folders of which some mails are asked for one by one."""

    @staticmethod
    def read(told: dict[str, Any]) -> "Cursor":
        """From JSON. Raises Misconfigured for what this connector did not write."""
        try:
            return Cursor(
                parse_instant(told["since"]) if told["since"] else None,
                {name: FolderCursor(*map(int, numbers)) for name, numbers in told["folders"].items()},
                parse_instant(told["true_up_to"]) if told["true_up_to"] else None,
                int(told.get("done", 0)),
                int(told.get("total", 0)),
                {name: Doubt(*map(int, numbers)) for name, numbers in told.get("doubts", {}).items()},
            )
        except (KeyError, ValueError, TypeError, AttributeError):
            raise Misconfigured("The stored cursor is none of a mailbox's", "Read the connection anew") from None

    def write(self) -> dict[str, Any]:
        """As JSON; the counts are told only while a first read needs them."""
        told: dict[str, Any] = {
            "since": instant(self.since) if self.since else None,
            "folders": {n: [one.validity, one.uid, one.next_uid, one.modseq] for n, one in self.folders.items()},
            "true_up_to": instant(self.true_up_to) if self.true_up_to else None,
        }
        if self.doubts:
            told["doubts"] = {n: [one.up_to, one.uid, one.times, one.good] for n, one in self.doubts.items()}
        return told if self.true_up_to else told | {"done": self.done, "total": self.total}

    def keep(self, names: Iterable[str]) -> None:
        """Forget folders that are no longer read."""
        self.folders = {name: self.folders[name] for name in names if name in self.folders}
        self.doubts = {name: self.doubts[name] for name in self.folders if name in self.doubts}

    def not_handed_out(self, folder: str, uids: Sequence[int]) -> Doubt:
        """The server did not answer for these mails."""
        found = self.doubts[folder] = doubt(self.doubts.get(folder), uids, self.folders[folder].uid)
        return found

    def doubts_after(self, folder: str, uid: int) -> bool:
        """Whether mails after this one are asked for one by one."""
        return folder in self.doubts and uid < self.doubts[folder].up_to

    @property
    def progress(self) -> Progress | None:
        """How far a first read is; None afterwards."""
        return None if self.true_up_to else Progress(self.done, max(self.total, self.done))


def described(stored: Mapping[str, Any]) -> str:
    """Where reading stands, in words."""
    folders = stored.get("folders")
    if not isinstance(folders, Mapping):
        return ""
    told = [f"{name} up to mail {numbers[1]}" for name, numbers in folders.items() if len(numbers) > 1]
    return ", ".join(told)
