"""Which mails are one mail.

The same mail lies in several folders and mailboxes, and comes a second time through a mailing list; two different mails
may carry one Message-ID (a broken sender, a forgery). Hence the id is a hash of what every copy shares and strangers do
not: Message-ID, Date, From, subject, and the first letters of the text. What is on the way differs between copies and
does not count: Received and other trace headers, a list's tag in the subject, its trailer under the text, line lengths,
transfer encodings, a list that writes "Anna via Team <team@…>" and keeps the writer in X-Original-From.

Request ids grow from this value: these rules never change. What replaces them gets a new kind of artifact.
"""

import html
import re
import unicodedata
from collections.abc import Iterable

from connectors.mailbox.headers import Headers, addresses, date, decoded, first, message_ids
from schemas.canonical import digest, instant

_LETTERS = 1_000
_RULE_LINE = re.compile(r"^[ \t]*(?:_{5,}|-{5,}|--)[ \t]*\r?$", re.MULTILINE)
_LIST_TAG = re.compile(r"\[[^\]]{1,60}\]")
_UNSEEN = re.compile(r"(?is)<(style|script)\b.{0,5000}?</\1\s*>|<[^>]*>")  # bounded: no mail may take long


def native_id(headers: Headers, text: str, subtype: str, files: Iterable[str]) -> str:
    """40 hex digits; text is the mail's first text (subtype plain or html), already decoded; files are the names of its
    attachments, which count only where there is no Message-ID."""
    message_id = next(iter(message_ids(first(headers, "Message-ID"))), "")
    sent = date(first(headers, "Date"))
    return digest(
        "mail",
        message_id,
        instant(sent) if sent else " ".join(first(headers, "Date").split()),
        _writer(headers),
        _letters(_LIST_TAG.sub("", decoded(first(headers, "Subject")))),
        _letters(_before_trailer(text, subtype))[:_LETTERS],
        *([] if message_id else files),
    )[:40]


def _writer(headers: Headers) -> str:
    named = addresses(headers, "X-Original-From") or addresses(headers, "From")
    return named[0].address if named else ""


def _before_trailer(text: str, subtype: str) -> str:
    text = text[:20_000]
    if subtype == "html":
        text = html.unescape(_UNSEEN.sub(" ", text))
    rule = _RULE_LINE.search(text)
    return text[: rule.start()] if rule else text


def _letters(text: str) -> str:
    return "".join(letter for letter in unicodedata.normalize("NFKC", text).casefold() if letter.isalnum())
