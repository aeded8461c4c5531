"""One client of the sandbox mail server."""

import asyncio
import re
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime

from services.sandbox.imap_words import Bad, Mime, body_item, quoted, uid_set, utf7, words
from services.sandbox.post import Folder, Post, StoredMail

WRITES = frozenset(
    (
        "STORE",
        "EXPUNGE",
        "APPEND",
        "COPY",
        "MOVE",
        "CREATE",
        "DELETE",
        "RENAME",
        "SUBSCRIBE",
        "UNSUBSCRIBE",
        "CLOSE",
        "SETACL",
        "SETMETADATA",
        "SELECT",
    )
)
"""SELECT counts: it takes the mark "recent" from new mail, which EXAMINE does not."""


class Session:
    """Reads commands and answers them, one at a time."""

    def __init__(self, post: Post, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._post, self._reader, self._writer = post, reader, writer
        self._known = False
        self._folder: Folder | None = None
        self._sent = 0
        self._hints = 0

    async def run(self) -> None:
        """Until LOGOUT, or until the client is gone."""
        await self._say(self._post.manners.greeting)
        while line := await self._command():
            tag, _, rest = line.partition(b" ")
            name, _, rest = rest.partition(b" ")
            try:
                if not await self._answer(tag, name.decode("ascii", "replace").upper(), rest):
                    return
            except Bad as bad:
                await self._say(tag + b" BAD " + str(bad).encode())

    async def _command(self) -> bytes:
        """One command with its literals put in as quoted strings."""
        line = await self._reader.readline()
        while literal := re.search(rb"\{(\d+)(\+?)\}\r\n$", line):
            if not literal[2]:
                await self._say(b"+ go on")
            text = await self._reader.readexactly(int(literal[1]))
            line = line[: literal.start()] + b'"' + text.replace(b"\\", b"\\\\").replace(b'"', b'\\"') + b'"'
            line += await self._reader.readline()
        return line.removesuffix(b"\r\n")

    async def _say(self, *lines: bytes) -> None:
        manners = self._post.manners
        for line in lines:
            out = line + b"\r\n"
            if 0 <= manners.cut_after < self._sent + len(out):
                self._writer.write(out[: max(0, manners.cut_after - self._sent)])
                await self._writer.drain()
                raise ConnectionAbortedError
            self._sent += len(out)
            self._writer.write(out)
        await self._writer.drain()

    async def _answer(self, tag: bytes, name: str, rest: bytes) -> bool:
        """False ends the session."""
        verb = rest.partition(b" ")[0].decode("ascii", "replace").upper() if name == "UID" else name
        manners = self._post.manners
        if verb and manners.bye_on == verb:
            await self._say(b"* BYE going down")
            return False
        if verb and manners.garbage_on == verb:
            await self._say(b"<!DOCTYPE html>", b"<html><body>Service unavailable</body></html>")
            return False
        if verb in WRITES:
            self._post.writes.append(verb)
            await self._say(tag + b" NO [NOPERM] this mailbox is read only")
            return True
        if name == "LOGOUT":
            await self._say(b"* BYE bye", tag + b" OK done")
            return False
        self._post.mailbox.deliver()
        await self._known_command(name)(tag, rest)
        return True

    def _known_command(self, name: str) -> Callable[[bytes, bytes], Awaitable[None]]:
        always = {"CAPABILITY": self._capability, "NOOP": self._noop, "LOGIN": self._login,
                  "AUTHENTICATE": self._authenticate}  # fmt: skip
        signed_in = {"LIST": self._list, "EXAMINE": self._examine}
        opened = {"UID": self._uid, "IDLE": self._idle}
        if name in always:
            return always[name]
        if name in signed_in and self._known:
            return signed_in[name]
        if name in opened and self._folder is not None:
            return opened[name]
        raise Bad("unknown here: " + name[:20])

    async def _capability(self, tag: bytes, _rest: bytes) -> None:
        full = b"IMAP4rev1 AUTH=PLAIN AUTH=XOAUTH2"
        if self._known:
            full = b"IMAP4rev1 LITERAL+ CHILDREN SPECIAL-USE" + (b" IDLE" if self._post.manners.idle else b"")
        await self._say(b"* CAPABILITY " + full, tag + b" OK done")

    async def _noop(self, tag: bytes, _rest: bytes) -> None:
        await self._say(tag + b" OK done")

    async def _login(self, tag: bytes, rest: bytes) -> None:
        given = words(rest)
        if len(given) != 2:
            raise Bad("LOGIN takes a user and a password")
        await self._signed(tag, "LOGIN", given[0].decode("utf-8", "replace"), given[1].decode("utf-8", "replace"))

    async def _authenticate(self, tag: bytes, rest: bytes) -> None:
        mechanism, _, first = rest.decode("ascii", "replace").partition(" ")
        if mechanism.upper() not in {"PLAIN", "XOAUTH2"}:
            await self._say(tag + b" NO unknown mechanism")
            return
        if not first:
            await self._say(b"+ ")
            first = (await self._reader.readline()).decode("ascii", "replace").strip()
        if mechanism.upper() == "XOAUTH2" and not self._post.manners.proves("XOAUTH2", first, ""):
            # The reason comes as a challenge, which the client answers before it is refused (Gmail, Microsoft 365).
            await self._say(b"+ eyJzdGF0dXMiOiI0MDAifQ==")
            await self._reader.readline()
        await self._signed(tag, mechanism.upper(), first, "")

    async def _signed(self, tag: bytes, mechanism: str, first: str, second: str) -> None:
        refused = self._post.manners.refuse_login
        if refused or not self._post.manners.proves(mechanism, first, second):
            await self._say(tag + b" NO " + (refused or b"[AUTHENTICATIONFAILED] wrong user or password"))
            return
        self._known = True
        await self._say(tag + b" OK welcome")

    async def _list(self, tag: bytes, rest: bytes) -> None:
        if words(rest) not in ([b"", b"*"], [b"", b"%"]):
            raise Bad("LIST of everything only")
        for folder in self._post.mailbox.folders.values():
            flags = ("\\HasNoChildren " + folder.flags).strip().encode()
            await self._say(b"* LIST (" + flags + b') "/" ' + quoted(utf7(folder.name)))
        await self._say(tag + b" OK done")

    async def _examine(self, tag: bytes, rest: bytes) -> None:
        name = words(rest)[0] if rest else b""
        found = [one for one in self._post.mailbox.folders.values() if utf7(one.name) == name]
        self._folder = found[0] if found else None
        if self._folder is None or self._folder.name in self._post.manners.shut:
            await self._say(tag + b" NO [NONEXISTENT] no such folder")
            return
        await self._say(
            b"* FLAGS (\\Seen \\Deleted)",
            b"* %d EXISTS" % len(self._folder.mails),
            b"* 0 RECENT",
            b"* OK [UIDVALIDITY %d] ok" % self._folder.validity,
            b"* OK [UIDNEXT %d] ok" % self._folder.next_uid,
            tag + b" OK [READ-ONLY] done",
        )

    async def _uid(self, tag: bytes, rest: bytes) -> None:
        assert self._folder is not None
        verb, *given = words(rest)
        if verb.upper() == b"SEARCH":
            found = self._search([word.decode("utf-8", "replace") for word in given])
            await self._say(b"* SEARCH" + b"".join(b" %d" % uid for uid in found), tag + b" OK done")
        elif verb.upper() == b"FETCH" and len(given) >= 2:
            await self._fetch(tag, given)
        else:
            raise Bad("UID SEARCH and UID FETCH only")

    def _search(self, given: list[str]) -> list[int]:
        assert self._folder is not None
        mails = {mail.uid: mail for mail in self._folder.mails}
        hits = set(mails)
        given = [word for word in given if word not in {"(", ")"}]
        while given:
            key = given.pop(0).upper()
            if key == "ALL":
                continue
            if not given:
                raise Bad("search key")
            if key == "UID":
                hits &= uid_set(given.pop(0), sorted(mails))
            elif key == "SINCE":
                day = datetime.strptime(given.pop(0), "%d-%b-%Y").replace(tzinfo=UTC).date()
                hits &= {uid for uid, mail in mails.items() if mail.at.astimezone(UTC).date() >= day}
            elif key == "HEADER" and len(given) > 1:
                name, text = given.pop(0), given.pop(0).lower()
                hits &= {uid for uid, mail in mails.items() if text in _header(mail.raw, name).lower()}
            else:
                raise Bad("search key " + key[:20])
        return sorted(hits)

    async def _fetch(self, tag: bytes, given: list[bytes]) -> None:
        assert self._folder is not None
        wanted = uid_set(given[0].decode("ascii", "replace"), [mail.uid for mail in self._folder.mails])
        items = [word.decode("ascii", "replace") for word in given[1:] if word not in {b"(", b")"}]
        if any((body := body_item(item)) and not body[0] for item in items):
            self._post.writes.append("FETCH without PEEK")
            await self._say(tag + b" NO [NOPERM] that would mark the mail as read")
            return
        if any((self._folder.name, uid) in self._post.manners.damaged for uid in wanted):
            if self._post.manners.hang_up:
                raise ConnectionAbortedError
            await self._say(tag + b" NO " + self._post.manners.refusal)
            return
        for number, mail in enumerate(list(self._folder.mails), 1):
            if mail.uid not in wanted:
                continue
            if self._post.manners.chatty and number % 5 == 0:
                await self._say(b"* %d FETCH (FLAGS (\\Seen))" % number, b"* %d EXISTS" % len(self._folder.mails))
            fields = [_field(mail, item) for item in items]
            # As some servers do, the UID comes last.
            await self._say(b"* %d FETCH (" % number + b" ".join(fields) + b" UID %d)" % mail.uid)
        await self._say(tag + b" OK done")

    async def _idle(self, tag: bytes, _rest: bytes) -> None:
        if not self._post.manners.idle:
            raise Bad("no IDLE")
        news = asyncio.Event()
        self._post.mailbox.listeners.add(news)
        done = asyncio.ensure_future(self._reader.readline())
        await self._say(b"+ idling")
        try:
            while not done.done():
                hint = asyncio.ensure_future(news.wait())
                await asyncio.wait({done, hint}, return_when=asyncio.FIRST_COMPLETED)
                hint.cancel()
                if news.is_set():
                    news.clear()
                    await self._hint()
        finally:
            self._post.mailbox.listeners.discard(news)
            done.cancel()
        await self._say(tag + (b" OK done" if done.result().strip().upper() == b"DONE" else b" BAD say DONE"))

    async def _hint(self) -> None:
        self._hints += 1
        if self._folder is not None and self._hints % max(1, self._post.manners.lose_every):
            await self._say(b"* %d EXISTS" % len(self._folder.mails))


def _header(raw: bytes, name: str) -> str:
    return str(Mime(raw).message.get(name, ""))


def _field(mail: "StoredMail", item: str) -> bytes:
    name = item.upper()
    if name == "UID":
        raise Bad("the UID comes by itself")
    if name == "INTERNALDATE":
        return b'INTERNALDATE "' + mail.at.astimezone(UTC).strftime("%d-%b-%Y %H:%M:%S +0000").encode() + b'"'
    if name == "RFC822.SIZE":
        return b"RFC822.SIZE %d" % len(mail.raw)
    if name == "BODYSTRUCTURE":
        return b"BODYSTRUCTURE " + Mime(mail.raw).structure()
    body = body_item(item)
    if body is None:
        raise Bad("fetch item " + name[:20])
    _, section, cut = body
    octets = mail.raw if not section else Mime(mail.raw).section(section) or b""
    shown = b"BODY[" + section.encode() + b"]"
    if cut:
        octets, shown = octets[cut[0] : cut[0] + cut[1]], shown + b"<%d>" % cut[0]
    return shown + b" {%d}\r\n" % len(octets) + octets
