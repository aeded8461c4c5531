"""References: their normal forms, and finding candidates in text. Pure, and without any configuration.

Everything that has the shape of a reference is a candidate (UTF-8 and COVID-19 too): which ones count is decided in
`correlate`, where the known projects are, so that a project that appears later is not too late.

Issue keys in small letters ("pay-12") are candidates of a relation of their own, SMALL: they mean an issue only where
one with that key was read, because "top-10" or "step-2" would otherwise name a project TOP or STEP in every second
mail. An address and what a person looks up may have any case.
"""

import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from urllib.parse import unquote

from pipelines.addresses import (
    ISSUE_KEY,
    MAX_WRAPPED,
    logged_in,
    normal_address,
    record_in,
    request_in,
    scope_of,
    unwrapped,
)
from schemas.artifacts import Evidence, Reference, Text, request_id

__all__ = ["LISTED", "SMALL", "Found", "find", "normal", "own", "parse", "scope_of", "search", "understood"]

SMALL = "mentions in small letters"
"""The relation of a key that stands in small letters."""

LISTED = "mentions in a list"
"""The relation of what stands at the beginning of a line, where lines begin with several different things."""

SEVERAL_LISTED = 3
"""So many different ones make it a list."""

MAX_FOUND = 100
"""Distinct values kept from one text."""

AROUND = 120
"""Characters kept of the words around a value."""

# A letter, digit or underscore that joins up with what follows it. Chinese, Japanese, Korean, Thai, Lao, Burmese and
# Khmer put no spaces between words, Hebrew and Arabic write prefixes onto the word: their letters are no part of a key.
_WORD = r"[^\W\u0590-\u109f\u1780-\u17ff\u2e80-\u9fff\uac00-\ud7af\uff00-\uffef]"
# What stands before is no part of a longer name. A hyphen after a letter of another alphabet joins on a prefix.
_BEFORE = rf"(?<!{_WORD})(?<!@)(?:(?<!-)|(?<=[^\W\d_\x00-\u036f]-))"

_KEY = re.compile(rf"{_BEFORE}([A-Z][A-Z0-9_]{{1,29}})[-\u2010\u2011]([1-9][0-9]{{0,8}})(?!{_WORD}|\d|[-.][0-9]|@)")
_SMALL_KEY = re.compile(
    rf"(?<!{_WORD})(?<![@\-./#&=+])([A-Za-z][A-Za-z0-9_]{{1,9}})-([1-9][0-9]{{0,6}})(?!{_WORD}|[-.]{_WORD}|[-@/])"
)
_REQUEST = re.compile(rf"{_BEFORE}R-[A-Z2-7]{{12}}(?!{_WORD}|[-@])")
_ADDRESS = re.compile(r"https?://[^\s<>\"`{}|\\^\x00-\x1f]+", re.IGNORECASE)
_MESSAGE_ID = re.compile(r"<([^\s<>@\"]{1,250})@([^\s<>@\"]{1,250})>")
_SAYS_MESSAGE_ID = re.compile(r"(?:message-?\s?id|msg-?id|in-reply-to|references)\W{0,5}$", re.IGNORECASE)
_LINE = re.compile(
    r"^[ \t]*(?:[-*+•‣◦▪·–—]+|\(?[0-9]{1,3}[.)])?[ \t]*(?:\[[ xX✓✔-]\]|[^\w\s<>\"'„“»«(\[{,]{1,4})?[ \t]*[\[(*_]{0,4}",
    re.MULTILINE,
)
"""What may stand before the first word of a line: a bullet or a number, a box or a sign (but no comma), brackets."""
_NUMBER = re.compile(r"[0-9]{1,20}")
_NUMBERED = ("hubspot.deal", "hubspot.ticket", "jira.issue", "hubspot.note", "hubspot.email")
"""What a bare number may mean, the likeliest first."""
_NAMED = re.compile(r"(?:message-?id|in-reply-to|rfc822msgid)\s*:\s*", re.IGNORECASE)
_MAIL_ADDRESS = re.compile(r"(?:mid:|message:(?://)?)(?=[^\s:]+$)", re.IGNORECASE)
"""How mail programs link to a mail (RFC 2392; Apple's Mail)."""
_HOST_AND_PATH = re.compile(r"[\w-]+(?:\.[\w-]+)+(?::[0-9]{1,5})?/\S+")
_AROUND_VALUES = "[](){}<>«»„“”‚‘’'\"`*_.,;:!?#"


_Name = tuple[str, str, str]
"""Kind, scope, value."""


@dataclass(frozen=True, slots=True)
class Found:
    """What a text holds: its references in the order of their places, and how many more values were left out."""

    references: tuple[Reference, ...]
    left_out: int = 0


def find(text: Text) -> tuple[Reference, ...]:
    """Every candidate in a text, each value once at its first place; at most MAX_FOUND. Linear in the text's length."""
    return search(text).references


def search(text: Text) -> Found:
    """As `find`, and how many distinct values more the text holds than were kept."""
    places: dict[tuple[str, str, str], tuple[int, int]] = {}
    every = sorted(_candidates(text.text), key=lambda found: found[3:])
    for kind, scope, value, start, end in every:
        places.setdefault((kind, scope, value), (start, end))
    listed = _listed(text.text, every)
    small = {("jira.key", "", value): place for value, place in _small_keys(text.text)}
    places |= {name: place for name, place in small.items() if name not in places}
    kept = sorted(list(places.items())[:MAX_FOUND], key=lambda one: one[1])
    references = tuple(
        Reference(
            kind=kind,
            scope=scope,
            value=value,
            evidence=text.evidence,
            relation=_relation((kind, scope, value), (start, end), small, listed),
            field=text.field,
            start=start,
            end=end,
            around=_around(text.text, start, end),
            since=text.since,
        )
        for (kind, scope, value), (start, end) in kept
    )
    return Found(references, len(places) - len(kept))


def _relation(name: _Name, place: tuple[int, int], small: Mapping[_Name, tuple[int, int]], listed: set[_Name]) -> str:
    if small.get(name) == place:
        return SMALL
    return LISTED if name in listed else "mentions"


def _listed(text: str, found: Sequence[tuple[str, str, str, int, int]]) -> set[_Name]:
    """What begins a line, if that is several different things; () if not."""
    if len({one[:3] for one in found}) < SEVERAL_LISTED:
        return set()
    begins = {line.end() for line in _LINE.finditer(text)}
    listed = {(kind, scope, value) for kind, scope, value, start, _ in found if start in begins}
    return listed if len(listed) >= SEVERAL_LISTED else set()


def _candidates(text: str) -> Iterator[tuple[str, str, str, int, int]]:
    """(kind, scope, value, start, end) of all that has the shape of a reference."""
    plain, addresses = _split(text)
    for start, end in addresses:
        if meaning := _meaning(text[start:end]):
            yield *meaning, start, end
    for found in _MESSAGE_ID.finditer(plain):
        if _is_message_id(plain, found):
            yield "message-id", "", _message_id(found.group()), found.start(), found.end()
    # What stands in angle brackets is an address of a mail or a person: no key is looked for inside.
    plain = _MESSAGE_ID.sub(_blank, plain)
    for found in _REQUEST.finditer(plain):
        yield "request", "", found.group(), found.start(), found.end()
    for found in _KEY.finditer(plain):
        yield "jira.key", "", f"{found.group(1)}-{found.group(2)}", found.start(), found.end()


def _small_keys(text: str) -> Iterator[tuple[str, tuple[int, int]]]:
    """What has the shape of an issue key but for its small letters, in capitals; the first place of each comes last."""
    plain = _MESSAGE_ID.sub(_blank, _ADDRESS.sub(_blank, text))
    found = [one for one in _SMALL_KEY.finditer(plain) if not one.group(1).isupper()]
    for one in reversed(found):
        yield f"{one.group(1).upper()}-{one.group(2)}", one.span()


def _split(text: str) -> tuple[str, list[tuple[int, int]]]:
    """The text with its web addresses blanked out (same length), and where they stand."""
    addresses = []
    for found in _ADDRESS.finditer(text):
        start, end = found.span()
        addresses.append((start, start + len(_trimmed(text[start:end]))))
    return _ADDRESS.sub(_blank, text), addresses


def _blank(found: re.Match[str]) -> str:
    return " " * len(found.group())


def _trimmed(address: str) -> str:
    """Without the punctuation of the sentence or bracket that the address stands in."""
    end = len(address)
    opened = address.count("(") - address.count(")")
    while end and address[end - 1] in ".,;:!?'\")]*_~»”’":
        if address[end - 1] == ")":
            if opened >= 0:
                break
            opened += 1
        end -= 1
    return address[:end]


def _meaning(address: str) -> tuple[str, str, str] | None:
    """(kind, scope, value) of an address: the record it shows, or the address itself."""
    if len(address) > MAX_WRAPPED:
        return None
    inner = unwrapped(address)
    if record := record_in(inner):
        return record
    value = normal_address(inner)
    return ("url", scope_of(inner), value) if value else None


def _is_message_id(text: str, found: re.Match[str]) -> bool:
    """Whether the words in angle brackets are a Message-ID, not the address of a person beside a name."""
    local = found.group(1)
    if _SAYS_MESSAGE_ID.search(text, max(0, found.start() - 20), found.start()):
        return True
    return len(local) >= 20 and any(character.isdigit() for character in local)


def _around(text: str, start: int, end: int) -> str:
    spare = max(0, AROUND - (end - start))
    first = max(0, start - spare // 2)
    return " ".join(text[first : first + AROUND].split())


def normal(kind: str, raw: str) -> str | None:
    """The normal form of a value of a kind (see REFERENCE_KINDS); None if it is no value of that kind.

    A normal form is its own normal form.
    """
    raw = raw.strip()
    if kind == "jira.key":
        return _fit(ISSUE_KEY, raw.upper())
    if kind == "message-id":
        return _message_id(raw) or None
    if kind == "url":
        return normal_address(raw)
    if kind == "request":
        return raw.upper() if _REQUEST.fullmatch(raw.upper()) else None
    return _fit(_NUMBER, raw) if kind.startswith(("jira.", "hubspot.")) else raw or None


def _fit(shape: re.Pattern[str], value: str) -> str | None:
    return value if value.isascii() and shape.fullmatch(value) else None


def _message_id(raw: str) -> str:
    """Without angle brackets and folded white space, the part after the last @ in lower case."""
    bare = "".join(raw.split()).strip("<>")
    local, at, domain = bare.rpartition("@")
    return f"{local}{at}{domain.lower()}"


def parse(query: str) -> tuple[tuple[str, str], ...]:
    """What a person may mean by what they typed or pasted: (kind, value) pairs, the likeliest first; () for nothing.

    A key or request id in any case, a whole address (of a tool, or of a request's page in the hub), a Message-ID, a
    number; each with or without what stood around it where it was copied: brackets, punctuation, a header's name, signs
    that nobody sees.
    """
    query = _seen(query).strip().strip("'\"").rstrip(",;")
    address = query.strip("<>")
    if not _ADDRESS.match(address) and _HOST_AND_PATH.fullmatch(address) and record_in(f"https://{address}"):
        address = f"https://{address}"  # browsers leave it out
    if _ADDRESS.match(address):
        pairs = [pair for form in dict.fromkeys((address, _trimmed(address))) for pair in _of_address(form)]
        return tuple(dict.fromkeys(pairs))
    bare = query.strip(_AROUND_VALUES)
    if _NUMBER.fullmatch(bare) and bare.isascii():
        return tuple((kind, bare) for kind in _NUMBERED)
    named = _mail(query)
    if "@" in named and not any(character.isspace() for character in named):
        kinds, bare = ["message-id"], named
    else:
        kinds = ["request", "jira.key"]
    values = [(kind, normal(kind, bare)) for kind in kinds]
    return tuple((kind, value) for kind, value in values if value)


def _seen(text: str) -> str:
    """Without signs that have no width, and with hyphens for those that only look otherwise."""
    text = "".join(character for character in text if unicodedata.category(character) != "Cf")
    return text.replace("\u2010", "-").replace("\u2011", "-")


def _of_address(address: str) -> list[tuple[str, str]]:
    meaning, value = _meaning(address), normal_address(address)
    shown = request_in(unwrapped(address)) if len(address) <= MAX_WRAPPED else None
    pairs = [meaning[::2] if meaning else None, logged_in(address), shown, ("url", value) if value else None]
    return [pair for pair in pairs if pair]


def _mail(text: str) -> str:
    """The Message-ID alone of a header's line or of a link to a mail; any other text as it is."""
    if linked := _MAIL_ADDRESS.match(text):
        return unquote(text[linked.end() :])
    named = _NAMED.match(text)
    return text[named.end() :] if named else text


def own(artifact: str) -> Reference:
    """The reference by which an artifact is known without its tool saying so: the request id that it owns."""
    return Reference(kind="request", scope="", value=request_id(artifact), evidence=Evidence.IDENTITY, relation="is")


def understood(reference: Reference) -> Reference:
    """A reference by address as the record that the address shows; any other as it is.

    Tools link by address (remote links): without this the issue and the deal it links to would not meet. An address
    by which an artifact names itself stays an address.
    """
    if reference.kind != "url" or reference.evidence is Evidence.IDENTITY:
        return reference
    meaning = _meaning(reference.value)
    if meaning is None:
        return reference
    kind, scope, value = meaning
    return replace(reference, kind=kind, scope=scope, value=value)
