"""Which folders the options name, which of them there are not, and what may be meant instead."""

import re
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr, ValidationError

from connectors.mailbox.options import MailboxOptions, Password
from connectors.mailbox.rules import _matches, left_out, missing, nearest

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


@pytest.mark.parametrize("field", ["own", "leave_out_senders"])
@pytest.mark.parametrize("wrong", ["example.com", "hr", "HR <hr@example.com>", "*@example.com", "@", ""])
def test_who_is_no_address_is_refused_not_passed_over(field: str, wrong: str) -> None:
    """Else mail that is to be left out would be read, and nobody would know."""
    told = naming("INBOX").model_dump() | {field: (wrong,)}
    with pytest.raises(ValidationError, match=r"domains with the @ \(@example\.com\)"):
        MailboxOptions.model_validate(told)
    for right in ("hr@example.com", "@example.com", "@büro.example"):
        assert getattr(MailboxOptions.model_validate(told | {field: (right,)}), field) == (right,)


@given(pattern=st.text("aB*", max_size=8), text=st.text("abB\n", max_size=12))
def test_a_star_stands_for_anything(pattern: str, text: str) -> None:
    expected = ".*".join(re.escape(piece) for piece in pattern.split("*"))
    assert _matches(pattern, text) == bool(re.fullmatch(expected, text, re.IGNORECASE | re.DOTALL))


def test_no_subject_takes_long_to_be_left_out() -> None:
    options = naming("INBOX").model_copy(update={"leave_out_subjects": ("urgent*invoice*overdue", "a*a*a*a*b")})
    started = time.process_time()
    for subject in ("urgent" * 1_500 + "invoice" * 1_500, "a" * 20_000):
        assert not left_out([("Subject", subject)], options)
    assert left_out([("Subject", "URGENT" * 1_000 + "Invoice 7 is overdue")], options)
    assert time.process_time() - started < 1
