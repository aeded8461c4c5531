"""Secrets out of what is shown: by the name of the field, and by their look."""

import re
from typing import Any

MASK = "•••"

_NAMES = re.compile(
    r"pass(word|wd|phrase)?$|secret|token|authori[sz]ation|api[-_]?key|private[-_]?key|credential|cookie|signature",
    re.IGNORECASE,
)
_LOOKS = re.compile(
    r"\b(?:Bearer|Basic)\s+[A-Za-z0-9._~+/=-]{8,}"
    r"|\bpat-[a-z0-9]{2,4}-[0-9a-fA-F-]{16,}"
    r"|\bATATT[A-Za-z0-9_=-]{16,}"
    r"|\bey[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]*"
    r"|(?<=://)[^\s/@:]+:[^\s/@]+(?=@)"
)
"""Authorization values, HubSpot's and Atlassian's tokens, JSON web tokens, user:password in an address."""


def masked(value: Any) -> Any:
    """A JSON value with its secrets replaced by MASK; what is named like one goes whole."""
    if isinstance(value, dict):
        return {name: MASK if one and _NAMES.search(str(name)) else masked(one) for name, one in value.items()}
    if isinstance(value, list):
        return [masked(one) for one in value]
    return _LOOKS.sub(MASK, value) if isinstance(value, str) else value
