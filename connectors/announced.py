"""What an answer announces before data is lost: Deprecation (RFC 9745), Sunset (RFC 8594), HTTP 410. Pure."""

import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from connectors.contract import Noticed

_GONE = 410
_LINK = re.compile(r"<\s*(https?://[^>\s?#]{1,300})[^>]*>\s*;([^,]*)")
_KEPT = re.compile(r"v\d{1,2}|\d{4}-\d{2}")
_A_NAME = re.compile(r"[a-z][A-Za-z_.-]{0,39}")
_LONGEST_SUBJECT = 200


def announced(method: str, path: str, status: int, headers: Mapping[str, str]) -> Iterator[Noticed]:
    """What this answer announces of its part of the tool. Header names in lower case."""
    subject = subject_of(method, path)
    where = _where(headers.get("link", ""))
    if "deprecation" in headers:
        yield Noticed(
            "deprecated", subject, f"The tool's maker has deprecated {subject}", _mend(where),
            _structured(headers["deprecation"]) or _http(headers["deprecation"]),
        )  # fmt: skip
    ends = _http(headers.get("sunset", ""))
    if ends is not None:
        yield Noticed("ends", subject, f"The tool's maker switches {subject} off", _mend(where), ends)
    if status == _GONE:
        yield Noticed("gone", subject, f"The tool's maker has switched {subject} off (HTTP 410)", _mend(where))


def subject_of(method: str, path: str) -> str:
    """A part of an API without ids, keys and query: `GET /rest/api/3/issue/{id}`."""
    parts = path.partition("?")[0].split("/")
    told = [part if _names(part, before) else "{id}" for before, part in zip(["", *parts], parts, strict=False)]
    return f"{method.upper()} {'/'.join(told)}"[:_LONGEST_SUBJECT]


def _names(part: str, before: str) -> bool:
    """Whether a part of a path is a name, or a version, and no id."""
    version = _KEPT.fullmatch(part) or (before == "api" and part.isdecimal())
    return not part or bool(version) or bool(_A_NAME.fullmatch(part))


def _mend(where: str) -> str:
    return "Upgrade the hub before" + (f"; the maker says more at {where}" if where else "; look at its changelog")


def _where(link: str) -> str:
    """The address of a Link header that explains it."""
    for address, parameters in _LINK.findall(link):
        if re.search(r"rel=\"?[^\";]*\b(deprecation|sunset|successor-version)\b", parameters):
            return str(address)
    return ""


def _structured(value: str) -> datetime | None:
    """A date of structured fields: `@1688169599`."""
    found = re.fullmatch(r"@(\d{1,11})", value.strip())
    return datetime.fromtimestamp(int(found[1]), UTC) if found else None


def _http(value: str) -> datetime | None:
    """An HTTP date; None for what is none (older drafts of Deprecation say `true`)."""
    try:
        at = parsedate_to_datetime(value)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    return at if at.tzinfo else at.replace(tzinfo=UTC)
