"""The sandbox mail server's grammar (RFC 3501): commands, sections of a mail, BODYSTRUCTURE. Knows no connector."""

import base64
import re
from collections.abc import Iterator
from email.message import Message
from email.parser import BytesParser
from email.policy import compat32

_TOKEN = re.compile(rb'"((?:[^"\\]|\\.)*)"|(\()|(\))|((?:[^\s()"\[]|\[[^\]]*\](?:<[\d.]+>)?)+)')
_ITEM = re.compile(r"BODY(\.PEEK)?\[([^\]]*)\](?:<(\d+)\.(\d+)>)?$", re.IGNORECASE)


class Bad(Exception):
    """A command the server does not understand: answered with BAD."""


def words(line: bytes) -> list[bytes]:
    """A command's words; quoted ones without their quotes, parentheses as words of their own."""
    found, place = [], 0
    while place < len(line):
        if line[place : place + 1] == b" ":
            place += 1
            continue
        hit = _TOKEN.match(line, place)
        if hit is None:
            raise Bad("syntax")
        found.append(re.sub(rb"\\(.)", rb"\1", hit[1]) if hit[1] is not None else hit[0])
        place = hit.end()
    return found


def uid_set(text: str, known: list[int]) -> set[int]:
    """The UIDs of `known` that a sequence set names. `n:*` is unordered: it always names the newest mail."""
    newest = max(known, default=0)
    wanted: set[int] = set()
    for piece in text.split(","):
        if not re.fullmatch(r"(\d+|\*)(:(\d+|\*))?", piece):
            raise Bad("sequence set")
        ends = [newest if end == "*" else int(end) for end in piece.split(":")]
        low, high = min(ends), max(ends)
        wanted |= {uid for uid in known if low <= uid <= high}
    return wanted


def utf7(name: str) -> bytes:
    """A folder's name in modified UTF-7 (RFC 3501 section 5.1.3)."""
    out, run = [], ""

    def flush() -> None:
        nonlocal run
        if run:
            letters = base64.b64encode(run.encode("utf-16-be")).rstrip(b"=").replace(b"/", b",")
            out.append(b"&" + letters + b"-")
            run = ""

    for letter in name:
        if " " <= letter <= "~":
            flush()
            out.append(b"&-" if letter == "&" else letter.encode())
        else:
            run += letter
    flush()
    return b"".join(out)


def quoted(text: bytes) -> bytes:
    """A quoted string, or a literal where a quoted string cannot hold it."""
    if any(byte in b"\r\n" or byte > 126 for byte in text):
        return b"{%d}\r\n" % len(text) + text
    return b'"' + text.replace(b"\\", b"\\\\").replace(b'"', b'\\"') + b'"'


def body_item(item: str) -> tuple[bool, str, tuple[int, int] | None] | None:
    """(peeks, section, (from, octets)) of a BODY[…] item; None for any other."""
    hit = _ITEM.fullmatch(item)
    if hit is None:
        return None
    return bool(hit[1]), hit[2].upper(), (int(hit[3]), int(hit[4])) if hit[3] else None


class Mime:
    """A mail taken apart by its own octets, so that each section is exactly what was sent."""

    def __init__(self, raw: bytes) -> None:
        self.head, _, self.body = _halves(raw)
        self.raw = raw
        self.message: Message = BytesParser(policy=compat32).parsebytes(self.head)
        self.kind = self.message.get_content_type()
        self.parts: list[Mime] = []
        boundary = self.message.get_boundary()
        if self.message.get_content_maintype() == "multipart" and boundary:
            self.parts = [Mime(piece) for piece in _pieces(self.body, boundary.encode("ascii", "replace"))]
        elif self.kind == "message/rfc822":
            self.parts = [Mime(self.body)]

    def section(self, name: str) -> bytes | None:
        """The octets of a section such as ``, `HEADER`, `2.MIME`, `HEADER.FIELDS (FROM)`; None where there is none."""
        numbers = re.match(r"[\d.]*", name)
        steps = [int(step) for step in (numbers[0] if numbers else "").split(".") if step]
        rest = name[numbers.end() :] if numbers else name
        part: Mime | None = self
        for place, step in enumerate(steps):
            part = part.step(step, first=place == 0) if part else None
        return part.text(rest, is_part=bool(steps)) if part else None

    def step(self, number: int, *, first: bool) -> "Mime | None":
        """The part with this number, seen from here."""
        inside = self.parts
        if self.kind == "message/rfc822" and not first and inside and inside[0].kind.startswith("multipart/"):
            inside = inside[0].parts
        if not inside or (first and self.kind == "message/rfc822"):
            return self if number == 1 else None
        return inside[number - 1] if 0 < number <= len(inside) else None

    def text(self, rest: str, *, is_part: bool) -> bytes:
        """What a section's last word names of this part."""
        if not rest:
            return self.body if is_part else self.raw
        if rest == "MIME":
            return self.head
        inner = self.parts[0] if is_part and self.kind == "message/rfc822" and self.parts else self
        if rest == "HEADER":
            return inner.head
        if rest == "TEXT":
            return inner.body
        wanted = re.fullmatch(r"HEADER\.FIELDS \(([^)]*)\)", rest)
        if wanted is None:
            raise Bad("section")
        return _fields(inner.head, {word.lower().encode() for word in wanted[1].split()})

    def structure(self) -> bytes:
        """BODYSTRUCTURE, without the optional ends."""
        if self.kind.startswith("multipart/") and self.parts:
            subtype = quoted(self.kind.partition("/")[2].upper().encode())
            return b"(" + b"".join(part.structure() for part in self.parts) + b" " + subtype + b")"
        main, _, sub = self.kind.upper().partition("/")
        encoding = str(self.message.get("Content-Transfer-Encoding", "7BIT")).strip().upper().encode("ascii", "replace")
        fields = [quoted(main.encode()), quoted(sub.encode()), self._parameters(), b"NIL", b"NIL", quoted(encoding)]
        fields.append(b"%d" % len(self.body))
        lines = b"%d" % self.body.count(b"\n")
        if self.kind == "message/rfc822":
            fields += [b"(NIL NIL NIL NIL NIL NIL NIL NIL NIL NIL)", self.parts[0].structure(), lines]
        elif main == "TEXT":
            fields.append(lines)
        return b"(" + b" ".join(fields) + b")"

    def _parameters(self) -> bytes:
        pairs = list(self.message.get_params([]) or [])[1:]
        shown = [quoted(str(text).encode("utf-8", "replace")) for pair in pairs for text in pair]
        return b"(" + b" ".join(shown) + b")" if shown else b"NIL"


def _halves(raw: bytes) -> tuple[bytes, bytes, bytes]:
    if raw.startswith(b"\r\n"):
        return b"\r\n", b"", raw[2:]
    head, found, body = raw.partition(b"\r\n\r\n")
    return head + found, b"", body


def _pieces(body: bytes, boundary: bytes) -> Iterator[bytes]:
    marks = list(re.finditer(rb"(?:^|\r\n)--" + re.escape(boundary) + rb"(--)?[ \t]*(?:\r\n|$)", body))
    for place, mark in enumerate(marks):
        if mark[1]:
            return
        end = marks[place + 1].start() if place + 1 < len(marks) else len(body)
        yield body[mark.end() : max(end, mark.end())]


def _fields(head: bytes, wanted: set[bytes]) -> bytes:
    lines = re.split(rb"\r\n(?![ \t])", head)
    kept = [line for line in lines if line.partition(b":")[0].strip().lower() in wanted]
    return b"".join(line + b"\r\n" for line in kept) + b"\r\n"
