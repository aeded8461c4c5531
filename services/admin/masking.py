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


class Unknown(ValueError):
    """A mask in an edit that stands for no secret of the original; the text is its place."""


def restored(edited: Any, original: Any, place: str = "content") -> Any:
    """What a person edited, who was shown masks, with the secrets of the original where they still stand.

    Raises Unknown for a mask where the original has no secret.
    """
    if isinstance(edited, dict):
        before = original if isinstance(original, dict) else {}
        return {name: _restored(str(name), one, before.get(name), place) for name, one in edited.items()}
    if isinstance(edited, list):
        held = original if isinstance(original, list) else []
        return [
            restored(one, held[number] if number < len(held) else None, f"{place}.{number}")
            for number, one in enumerate(edited)
        ]
    if not isinstance(edited, str) or MASK not in edited:
        return edited
    return _filled(edited, original if isinstance(original, str) else "", place)


def _restored(name: str, edited: Any, original: Any, place: str) -> Any:
    if edited == MASK and original and _NAMES.search(name):
        return original
    return restored(edited, original, f"{place}.{name}")


def _filled(edited: str, original: str, place: str) -> str:
    """Each mask by the secret that stood there, in their order. Where the original has a mask itself, it stays."""
    secrets = _LOOKS.findall(original)
    parts = edited.split(MASK)
    if edited == original:
        return edited
    if len(parts) - 1 != len(secrets):
        raise Unknown(place)
    return "".join(text + secret for text, secret in zip(parts, [*secrets, ""], strict=True))
