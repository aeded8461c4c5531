"""Which folders and mails are left out before anything of them is published."""

import re
from collections.abc import Iterable, Sequence

from connectors.mailbox.headers import Headers, addresses, decoded, first
from connectors.mailbox.mapping import audience_of
from connectors.mailbox.options import MailboxOptions

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
    """Folders that the options name exactly and the server does not have."""
    known = [name for name, flags in folders if "\\noselect" not in flags]
    return [wish for wish in options.folders if "*" not in wish and not any(_same(wish, name) for name in known)]


def _same(wish: str, name: str) -> bool:
    # INBOX alone is named without regard to case (RFC 3501 section 5.1).
    return wish == name or (wish.upper() == name.upper() == "INBOX")


def _matches(pattern: str, text: str) -> bool:
    parts = [re.escape(part) for part in re.split(r"\*+", pattern)]
    return re.fullmatch(".*?".join(parts), text, re.IGNORECASE | re.DOTALL) is not None
