"""Mails that their server does not hand out: found one by one, and passed over once that is certain.

For a damaged mail some servers refuse the whole answer (Exchange), others hang up (Dovecot). What failed together is
asked for one by one from then on, each time with a new session and after the usual pause; a mail that fails alone
again and again, while the server hands out another one of its folder, is set aside, and the others are read.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from connectors.contract import SetAside

ASKED = 5
"""So often a mail is asked for alone: with the pauses between, it takes some minutes."""


@dataclass(frozen=True, slots=True)
class Doubt:
    """Where a folder's mails are asked for one by one."""

    up_to: int
    """The last of them, by UID."""
    uid: int = 0
    """The one that failed alone last."""
    times: int = 0
    """How often it did."""
    good: int = 0
    """The last before it that was handed out; 0: none was."""

    @property
    def certain(self) -> bool:
        """Whether that mail was asked for often enough."""
        return self.times >= ASKED


def doubt(before: Doubt | None, uids: Sequence[int], read: int) -> Doubt:
    """What is to be doubted after these were not handed out. read: the last UID of the folder that is done with."""
    good = before.good if before and before.uid in (read, uids[0]) else read
    if len(uids) > 1:
        return Doubt(max(uids), good=good)
    times = before.times if before and before.uid == uids[0] else 0
    return Doubt(max(uids[0], before.up_to if before else 0), uids[0], times + 1, good)


def in_words(reason: str, folder: str, doubted: Doubt) -> str:
    """Why reading stopped, with the mails that were asked for."""
    if not doubted.times:
        return f"{reason} over mails of the folder {folder}; they are asked for one by one now"
    of = f"time {doubted.times} of {ASKED}, then it is set aside" if doubted.times < ASKED else "it is set aside"
    return f"{reason} over mail {doubted.uid} of the folder {folder} ({of})"


def passed_over(folder: str, uid: int) -> SetAside:
    """A mail that is certain to be kept by its server."""
    reason = (
        f"The mail server hands out others, but not this mail, asked {ASKED} times for it alone; it may be damaged "
        "there. Once a mail program can open it, `connections reread` brings it"
    )
    return SetAside(f"{folder}/{uid}", reason, "")
