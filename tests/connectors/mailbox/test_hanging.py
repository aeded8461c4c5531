"""A mail server that takes connections and says nothing more: whoever reads it can stop all the same."""

import asyncio
import threading
import time
from collections.abc import AsyncIterator
from typing import Literal

import pytest

from connectors.contract import RetryLater
from connectors.mailbox import MailboxSource
from connectors.mailbox.session import Line, Session
from tests.connectors.mailbox.letters import options
from tests.connectors.mailbox.test_contract import network
from tests.connectors.mailbox.test_servers import source

GREETING = b"* OK [CAPABILITY IMAP4rev1] ready\r\n"
ANSWERS = {b"CAPABILITY": b"* CAPABILITY IMAP4rev1\r\n", b"LOGIN": b""}


@pytest.fixture
async def hanging(request: pytest.FixtureRequest) -> AsyncIterator[int]:
    """The port of a server that falls silent: from its greeting on, or from a command on."""

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        known = request.param != "greeting"
        writer.write(GREETING if known else b"")
        while line := await reader.readline():
            tag, command = [*line.split(), b"", b""][:2]  # a greeting of TLS is no line of words
            if known := known and command != request.param.encode():
                writer.write(ANSWERS[command] + tag + b" OK done\r\n")
        writer.close()

    server = await asyncio.start_server(talk, "127.0.0.1", 0)
    yield server.sockets[0].getsockname()[1]
    server.close()


def threads() -> int:
    return sum(one.name.startswith("mailbox") for one in threading.enumerate())


async def read(mailbox: MailboxSource) -> None:
    async with mailbox:
        async for _ in mailbox.pages(None, None):
            pass


@pytest.mark.parametrize("hanging", ["greeting", "LOGIN", "LIST"], indirect=True)
async def test_a_cancelled_read_ends_at_once_and_leaves_no_thread(hanging: int) -> None:
    before = threads()
    reading = asyncio.create_task(read(source(options(hanging))))
    await asyncio.sleep(0.5)
    assert not reading.done()
    began = time.monotonic()
    reading.cancel()
    with pytest.raises(asyncio.CancelledError):
        await reading
    assert time.monotonic() - began < 15
    async with asyncio.timeout(30):
        while threads() > before:
            await asyncio.sleep(0.05)


@pytest.mark.parametrize("hanging", ["greeting"], indirect=True)
async def test_a_greeting_of_tls_that_never_comes(hanging: int) -> None:
    before = threads()
    reading = asyncio.create_task(read(source(options(hanging, security="tls"))))
    await asyncio.sleep(0.5)
    reading.cancel()
    await asyncio.gather(reading, return_exceptions=True)
    async with asyncio.timeout(30):
        while threads() > before:
            await asyncio.sleep(0.05)


@pytest.mark.parametrize("hanging", ["greeting"], indirect=True)
@pytest.mark.parametrize("security", ["plain", "starttls", "tls"])
async def test_what_sends_no_greeting_is_told_with_the_mend(
    hanging: int, security: Literal["plain", "starttls", "tls"]
) -> None:
    """A web server, or a port that wants TLS: both wait for us to speak first."""
    with pytest.raises(RetryLater, match=f"no greeting of a mail server at port {hanging}; .* correct port or encr"):
        await asyncio.to_thread(Session.connect, options(hanging, security=security), network(), Line(), 0.2)
