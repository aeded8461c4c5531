"""Answers that are no IMAP, each by itself: the server is asked again later, and nothing else happens."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from connectors.contract import RetryLater
from tests.connectors.mailbox.letters import options
from tests.connectors.mailbox.test_servers import pages_of, source

USUAL = {
    b"CAPABILITY": b"* CAPABILITY IMAP4rev1\r\n",
    b"LOGIN": b"",
    b"LIST": b'* LIST () "/" INBOX\r\n',
    b"EXAMINE": b"* 1 EXISTS\r\n* OK [UIDVALIDITY 7] x\r\n* OK [UIDNEXT 2] x\r\n",
    b"SEARCH": b"* SEARCH 1\r\n",
    b"FETCH": b'* 1 FETCH (UID 1 RFC822.SIZE 10 INTERNALDATE "02-Mar-2026 12:00:00 +0000" BODY[] {0}\r\n)\r\n',
    b"LOGOUT": b"* BYE\r\n",
}
ODD = {
    "no abilities after signing in": (b"CAPABILITY", b""),
    "a name of terabytes": (b"LIST", b'* LIST () "/" {999999999999999}\r\n'),
    "a name beyond all numbers": (b"LIST", b'* LIST () "/" {99999999999999999999}\r\n'),
    "a name that never ends": (b"LIST", b'* LIST () "/" "INBOX\r\n'),
    "a list that never ends": (b"FETCH", b"* 1 FETCH (UID 1 BODYSTRUCTURE " + b"(" * 3_000 + b"\r\n"),
    "a mail of terabytes": (b"FETCH", b"* 1 FETCH (UID 1 BODY[] {999999999999999}\r\n"),
    "a number that is a word": (b"EXAMINE", b"* many EXISTS\r\n* OK [UIDVALIDITY x] x\r\n"),
    "a found word": (b"SEARCH", b"* SEARCH one\r\n"),
}


@pytest.fixture
async def port(request: pytest.FixtureRequest) -> AsyncIterator[int]:
    """Of a server that gives one odd answer."""
    command, odd = ODD[request.param]

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"* OK ready\r\n")
        signed_in = False
        while line := await reader.readline():
            tag, *words = line.upper().split()
            asked = words[1] if words[0] == b"UID" else words[0]
            wrong = asked == command and (signed_in or command != b"CAPABILITY")
            signed_in = signed_in or asked == b"LOGIN"
            writer.write((odd if wrong else USUAL[asked]) + tag + b" OK done\r\n")
        writer.close()

    server = await asyncio.start_server(talk, "127.0.0.1", 0)
    yield server.sockets[0].getsockname()[1]
    server.close()


@pytest.mark.parametrize("port", ODD, indirect=True)
async def test_an_answer_that_is_no_imap_is_waited_out(port: int) -> None:
    async with asyncio.timeout(30), source(options(port)) as mailbox:
        with pytest.raises(RetryLater):
            await pages_of(mailbox)
