"""Which folders and mails are left out before anything of them is published."""

import re
from collections.abc import Iterable, Sequence
from difflib import SequenceMatcher

from connectors.mailbox.headers import Headers, addresses, decoded, first
from connectors.mailbox.mapping import audience_of
from connectors.mailbox.options import MailboxOptions

_PARTS = re.compile(r"[/.\\]")
"""Between the names of a folder's path; which one a server takes does not matter here."""
_NEAR, _MOST = 0.6, 3
LOOKED_AT = "FROM SENDER SUBJECT SENSITIVITY"
"""The headers that decide."""


def left_out(headers: Headers, options: MailboxOptions) -> bool:
    """Whether a rule of the connection keeps this mail out."""
    senders = [who.address for name in ("From", "Sender") for who in addresses(headers, name)]
    subject = decoded(first(headers, "Subject"))
    restricted = audience_of(headers).level == "restricted" and not options.read_restricted
    return (
        restricted
        or names(options.leave_out_senders, senders)
        or any(_matches(f"*{pattern.strip('*')}*", subject) for pattern in options.leave_out_subjects)
    )


def is_own(headers: Headers, options: MailboxOptions) -> bool:
    """Whether the mailbox's own people sent it."""
    return names(options.own, [who.address for who in addresses(headers, "From")])


def names(rules: Iterable[str], found: Iterable[str]) -> bool:
    """Whether a rule (an address, or @ and a domain) names one of the addresses."""
    wanted = {rule.strip().lower() for rule in rules}
    return any(address in wanted or "@" + address.rpartition("@")[2] in wanted for address in found)


def chosen(folders: Sequence[tuple[str, frozenset[str]]], options: MailboxOptions) -> list[str]:
    """The folders to read, in order of name; each is given with its flags (RFC 6154) in lower case."""
    return sorted(name for name, flags in folders if _is_chosen(name, flags, options))


def _is_chosen(name: str, flags: frozenset[str], options: MailboxOptions) -> bool:
    exactly = any(_same(pattern, name) for pattern in options.folders)
    if "\\noselect" in flags or "\\nonexistent" in flags or any(_matches(p, name) for p in options.leave_out_folders):
        return False
    if flags & {"\\junk", "\\trash", "\\drafts"}:
        return exactly
    return exactly or any(_matches(pattern, name) for pattern in options.folders)


def missing(folders: Sequence[tuple[str, frozenset[str]]], options: MailboxOptions) -> list[str]:
    """Folders that the options name exactly and the server does not have, and patterns that no folder fits."""
    known = [name for name, flags in folders if "\\noselect" not in flags]
    return [wish for wish in options.folders if not any(_fits(wish, name) for name in known)]


def is_pattern(wish: str) -> bool:
    """Whether it may fit folders that are not there yet."""
    return "*" in wish


def nearest(wish: str, folders: Sequence[tuple[str, frozenset[str]]]) -> list[str]:
    """Folders that may be meant by a name or a pattern that none fits, the likeliest first."""
    bare = _bare(wish)
    likely = [(max(_alike(bare, _bare(name)), _alike(bare, _bare(_PARTS.split(name)[-1]))), name)
              for name, flags in folders if "\\noselect" not in flags]  # fmt: skip
    return [name for likeness, name in sorted(likely, key=lambda one: (-one[0], one[1])) if likeness >= _NEAR][:_MOST]


def _bare(name: str) -> str:
    return name.replace("*", "").strip("/. ").casefold()


def _alike(one: str, other: str) -> float:
    return SequenceMatcher(None, one, other, autojunk=False).ratio()


def _fits(wish: str, name: str) -> bool:
    return _same(wish, name) or (is_pattern(wish) and _matches(wish, name))


def _same(wish: str, name: str) -> bool:
    # INBOX alone is named without regard to case (RFC 3501 section 5.1).
    return wish == name or (wish.upper() == name.upper() == "INBOX")


def _matches(pattern: str, text: str) -> bool:
    """Whether the text fits a pattern in which * stands for anything, in one pass: what it is tried on comes from
    strangers."""
    first, *pieces = re.split(r"\*+", pattern.lower())
    text = text.lower()
    if not pieces:
        return text == first
    place, last = len(first), pieces.pop()
    if not text.startswith(first):
        return False
    for piece in pieces:
        found = text.find(piece, place)
        if found < 0:
            return False
        place = found + len(piece)
    return text.endswith(last) and place + len(last) <= len(text)
