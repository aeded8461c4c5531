"""Large mails: read from BODYSTRUCTURE (RFC 3501 section 7.4.2) what there is, and load headers and texts only.

An attachment is named by its own MIME header and measured by what the server says, and never loaded.
"""

import binascii
import hashlib
import itertools
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from connectors.contract import BadRecord
from connectors.mailbox.message import DEPTH, PARTS, TEXT_BYTES, Leaf, parse

Fetch = Callable[[list[str]], dict[bytes, Any]]
"""Items of one mail to what the server answers."""

HEADER_OCTETS = 256 * 1024
SLICE = 512 * 1024
"""Octets of a long text loaded at once."""
_KEPT = TEXT_BYTES * 2


@dataclass(frozen=True, slots=True)
class Node:
    """A leaf of the structure."""

    path: str
    kind: str
    encoding: str
    octets: int
    within: str
    mail: bool = False


def nodes(structure: Any) -> Iterator[Node]:
    """Every leaf (and attached mail), in order. Raises BadRecord for what is no structure."""
    todo: list[tuple[Any, str, str, int]] = [(structure, "", "", 0)]
    while todo:
        part, path, within, depth = todo.pop()
        if not isinstance(part, tuple | list) or not part or depth > DEPTH:
            raise BadRecord("the server describes the mail's parts in a way that cannot be read")
        if _multipart(part):
            inside = part[0] if isinstance(part[0], list) else itertools.takewhile(_is_part, part)
            steps = [(child, f"{path}.{n}".lstrip("."), within, depth + 1) for n, child in enumerate(inside, 1)]
            todo.extend(reversed(steps))
            continue
        path = path or "1"
        node = _node(part, path, within)
        yield node
        if node.mail and len(part) > 8:
            inner = part[8]
            # A multipart directly inside an attached mail shares its number: its parts are 2.1, 2.2; else it is 2.1.
            todo.append((inner, path if _multipart(inner) else f"{path}.1", path, depth + 1))


def _multipart(part: Any) -> bool:
    """Parts come as a list, or (in attached mails) one after the other: IMAPClient gathers them on the outside only."""
    return isinstance(part, tuple | list) and bool(part) and isinstance(part[0], list | tuple)


def _is_part(value: Any) -> bool:
    return isinstance(value, tuple)


def _node(part: Any, path: str, within: str) -> Node:
    words = [_word(part, place) for place in (0, 1, 5)]
    kind = f"{words[0]}/{words[1]}"
    octets = part[6] if len(part) > 6 and isinstance(part[6], int) else 0
    return Node(path, kind, words[2], octets, within, kind == "message/rfc822")


def _word(part: Any, place: int) -> str:
    value = part[place] if len(part) > place else b""
    return value.decode("ascii", "replace").strip().lower() if isinstance(value, bytes) else ""


def leaves(structure: Any, fetch: Fetch) -> Iterator[Leaf]:
    """The mail's leaves; bodies only of texts, and of these only what is kept."""
    for count, node in enumerate(nodes(structure)):
        if count >= PARTS:
            yield Leaf(node.path, parse(b""), size=node.octets)
            continue
        mime = b"" if node.path == "1" and not _multipart(structure) else _bytes(fetch, f"{node.path}.MIME")
        headers = parse(mime) if mime else parse(_typed(node))
        if node.mail:
            inner = parse(_bytes(fetch, f"{node.path}.HEADER", 64 * 1024))
            yield Leaf(node.path, headers, size=node.octets, within=node.within, mail=inner)
        elif node.kind.startswith("text/") or node.kind.startswith("message/d"):
            yield _text(node, headers, fetch)
        else:
            yield Leaf(node.path, headers, size=_decoded_size(node), within=node.within)


def _typed(node: Node) -> bytes:
    return f"Content-Type: {node.kind}\r\n\r\n".encode("ascii", "replace")


def _bytes(fetch: Fetch, section: str, room: int = 16 * 1024) -> bytes:
    said = fetch([f"BODY.PEEK[{section}]<0.{room}>"])
    return next((value for key, value in said.items() if key.startswith(b"BODY[") and isinstance(value, bytes)), b"")


def _text(node: Node, headers: Any, fetch: Fetch) -> Leaf:
    """A text, loaded slice by slice: its beginning is kept, all of it is counted and hashed."""
    decoder = Transfer(node.encoding)
    sha, kept, size, place = hashlib.sha256(), b"", 0, 0
    while True:
        said = fetch([f"BODY.PEEK[{node.path}]<{place}.{SLICE}>"])
        raw = next((value for key, value in said.items() if key.startswith(b"BODY[") and isinstance(value, bytes)), b"")
        place += len(raw)
        decoded = decoder.feed(raw) if raw else decoder.close()
        sha.update(decoded)
        size += len(decoded)
        kept += decoded[: max(0, _KEPT - len(kept))]
        if not raw:
            return Leaf(node.path, headers, kept, size, sha.hexdigest(), node.within)


def _decoded_size(node: Node) -> int:
    """Bytes of an attachment once decoded: exact but for the one or two of padding."""
    if node.encoding != "base64":
        return node.octets
    return max(0, (node.octets - 2 * -(-node.octets // 78)) * 3 // 4)  # lines of 76 letters, CR and LF


class Transfer:
    """Undoes a transfer encoding (RFC 2045 section 6), piece by piece; wrong letters are passed over."""

    def __init__(self, encoding: str) -> None:
        self._encoding = encoding
        self._rest = b""

    def feed(self, raw: bytes) -> bytes:
        """The bytes that are certain so far."""
        if self._encoding == "base64":
            letters = self._rest + re.sub(rb"[^A-Za-z0-9+/]", b"", raw)
            whole = len(letters) // 4 * 4
            self._rest = letters[whole:]
            return binascii.a2b_base64(letters[:whole])
        if self._encoding == "quoted-printable":
            raw = self._rest + raw
            cut = raw.rfind(b"\n") + 1 or max(0, len(raw) - 2)
            self._rest = raw[cut:]
            return binascii.a2b_qp(raw[:cut])
        return raw

    def close(self) -> bytes:
        """What was still held back."""
        rest, self._rest = self._rest, b""
        if self._encoding == "base64":
            return binascii.a2b_base64(rest + b"=" * (4 - len(rest))) if len(rest) > 1 else b""
        return binascii.a2b_qp(rest) if self._encoding == "quoted-printable" else rest
