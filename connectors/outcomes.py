"""One table for what an answer over HTTP means: the JSON it holds, or an error named by what to do next.

No error text holds a body, a query string or a secret.
"""

import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

from connectors.contract import HubError, Misconfigured, RetryLater

BODY_LIMIT = 64 * 1024 * 1024
"""Bytes of one answer, unpacked."""

_WAIT = frozenset({408, 423, 425, 429, 477})
"""423 and 477: HubSpot, "locked" and "migration in progress" (developers.hubspot.com, error handling)."""
_LIMITED = 429
_MESSAGE_LENGTH = 300
_LOOKED_AT = 3_000
_LONGEST_HOST = 253
_EPOCH_FROM = 1_000_000_000
"""A reset above this is a point in time, below it a number of seconds."""
_ADDRESS_OR_TOKEN = re.compile(r"[^\s@\"'<>(),;]+@[^\s@\"'<>(),;]+|\b[A-Za-z0-9_\-+/=.]{32,}")
_QUERY = re.compile(r"\?[^\s\"'<>]+")


class Limited(RetryLater):
    """429. The tool refuses for its limit: nothing is wrong with what was asked for."""


class NotFound(HubError):
    """404. There is no such thing, or the account may not see it: the connector knows which."""


class Refused(HubError):
    """The tool refuses this request as it is (400, 422 and their like): the connector knows whether one record is at
    fault or the configuration."""

    def __init__(self, status: int, message: str = "") -> None:
        super().__init__(f"The tool refused the request (HTTP {status})")
        self.status = status
        self.message = message
        """The tool's own words, cut to 300 characters, without addresses, tokens and query strings. They may still
        quote the request: look at them, do not log them."""


class Forbidden(Misconfigured):
    """403. The credentials are known, but may not do this."""


class Removed(Misconfigured):
    """410. This part of the tool's API has been switched off."""


def outcome(status: int, headers: Mapping[str, str], text: str | bytes, now: datetime | None = None) -> Any:
    """The JSON of an answer (None for one that has no body to have), or the error it amounts to.

    headers may have names in any case. now is for waits given as a date (default: the clock's time). Raises RetryLater
    (Limited), Misconfigured (Forbidden, Removed), NotFound, Refused.
    """
    known = {name.lower(): value for name, value in headers.items()}
    if 200 <= status < 300:
        return _json(status, known, text)
    if 300 <= status < 400:
        raise _redirected(status, known)
    if status in _WAIT or status >= 500:
        kind = Limited if status == _LIMITED else RetryLater
        raise kind(f"The tool cannot answer now (HTTP {status})", retry_after(known, now))
    raise _refusal(status, text)


def dated(headers: Mapping[str, str]) -> datetime | None:
    """When the tool answered, by its own clock, in whole seconds (RFC 9110 section 6.6.1); None where it does not say.
    headers may have names in any case."""
    said = next((value for name, value in headers.items() if name.lower() == "date"), "")
    try:
        at = parsedate_to_datetime(said)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    return at if at.tzinfo else at.replace(tzinfo=UTC)  # the header is in GMT, said or not


def retry_after(headers: Mapping[str, str], now: datetime | None = None) -> float | None:
    """Seconds the tool asks to wait, from `Retry-After` (seconds or a date) or `X-RateLimit-Reset` (seconds, a point in
    time as number or ISO 8601); None where it does not say, or names what is over by now: Jira states its reset
    in whole minutes. Header names in lower case."""
    now = now or datetime.now(UTC)
    for name in ("retry-after", "x-ratelimit-reset", "ratelimit-reset"):
        seconds = _seconds(headers.get(name, "").strip(), now)
        if seconds is not None and seconds > 0:
            return seconds
    return None


def _seconds(value: str, now: datetime) -> float | None:
    if re.fullmatch(r"\d{1,13}(\.\d+)?", value):
        number = float(value)
        if number >= _EPOCH_FROM * 1000:
            number /= 1000
        return number - now.timestamp() if number >= _EPOCH_FROM else number
    for read in (datetime.fromisoformat, parsedate_to_datetime):
        try:
            moment = read(value)
        except (ValueError, TypeError, IndexError, OverflowError):
            continue
        return ((moment if moment.tzinfo else moment.replace(tzinfo=UTC)) - now).total_seconds()
    return None


def _json(status: int, headers: Mapping[str, str], text: str | bytes) -> Any:
    body = text.strip()
    if not body:
        if status == 200:
            raise RetryLater("The tool answered with an empty body where JSON belongs (HTTP 200)")
        return None
    if "html" in headers.get("content-type", "") or body[:1] in ("<", b"<"):
        raise RetryLater(
            "The tool answered with a web page where JSON belongs (a sign-in or maintenance page, or a proxy's)"
        )
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        raise RetryLater("The tool's answer is cut short or is not JSON") from None


def _redirected(status: int, headers: Mapping[str, str]) -> Misconfigured:
    place = re.match(r"(?:[a-z]+:)?//(?:[^/?#\s]*@)?([^/?#\s@]+)", headers.get("location", ""), re.IGNORECASE)
    where = f"to {place[1][:_LONGEST_HOST]}" if place else "to another page of its own"
    return Misconfigured(
        f"The tool's address answers with a redirect {where} (HTTP {status})",
        "Give the address it points at, or look whether a sign-in page stands before the API",
    )


def _refusal(status: int, text: str | bytes) -> HubError:
    if status == 401:
        return Misconfigured(
            "The tool does not accept the credentials (HTTP 401)", "Look whether they expired, and enter them again"
        )
    if status == 403:
        return Forbidden(
            "The credentials may not read this (HTTP 403)", "Give the account or token the permissions the docs list"
        )
    if status == 404:
        return NotFound("The tool has no such thing, or does not show it to this account (HTTP 404)")
    if status == 410:
        return Removed("The tool has switched off this version of its API (HTTP 410)", "Upgrade the hub")
    return Refused(status, _message(text))


def _message(text: str | bytes) -> str:
    """The human part of an error body, where it has a known form; "" otherwise."""
    try:
        body = json.loads(text)
    except (ValueError, RecursionError):
        return ""
    if not isinstance(body, dict):
        return ""
    # "error" alone is OAuth's code word (RFC 6749 section 5.2).
    parts = [
        body.get("error"),
        body.get("message"),
        body.get("detail"),
        *_list(body.get("errorMessages")),
        *_list(body.get("errors")),
    ]
    said = " ".join(part for part in parts if isinstance(part, str))
    if len(said) > _LOOKED_AT:
        # At a space: half an address or token would not be known for what it is.
        said = said[:_LOOKED_AT].rpartition(" ")[0]
    said = _ADDRESS_OR_TOKEN.sub("…", _QUERY.sub("?…", said))
    return re.sub(r"[\s\x00-\x1f\x7f]+", " ", said).strip()[:_MESSAGE_LENGTH]


def _list(value: object) -> list[Any]:
    if isinstance(value, dict):
        return [f"{name}: {said}" for name, said in value.items() if isinstance(said, str)]
    return value if isinstance(value, list) else []
