"""Which folders the options name, which of them there are not, and what may be meant instead."""

import pytest
from pydantic import SecretStr

from connectors.mailbox.options import MailboxOptions, Password
from connectors.mailbox.rules import missing, nearest

FOLDERS = [
    ("INBOX", frozenset[str]()), ("Projects", frozenset({"\\noselect"})), ("Projects/Bridge", frozenset[str]()),
    ("Projects/Tunnel", frozenset[str]()), ("Gesendete Objekte", frozenset({"\\sent"})),
]  # fmt: skip


def naming(*folders: str) -> MailboxOptions:
    return MailboxOptions(host="imap.example.com", auth=Password(user="u", password=SecretStr("p")), folders=folders)


@pytest.mark.parametrize(("wish", "there"), [
    ("inbox", True), ("Projects/*", True), ("projects/b*", True), ("*", True),
    ("Projects/bridge", False), ("Projects", False), ("Project/*", False), ("Archive*", False),
])  # fmt: skip
def test_what_no_folder_fits_is_missing(wish: str, there: bool) -> None:
    assert missing(FOLDERS, naming(wish)) == ([] if there else [wish])


@pytest.mark.parametrize(("wish", "meant"), [
    ("Projects/bridge", ["Projects/Bridge", "Projects/Tunnel"]), ("Brigde*", ["Projects/Bridge"]), ("IMBOX", ["INBOX"]),
    ("Gesendete*", ["Gesendete Objekte"]), ("Zzz*", []), ("*", []),
])  # fmt: skip
def test_the_nearest_names_are_told(wish: str, meant: list[str]) -> None:
    assert nearest(wish, FOLDERS) == meant
