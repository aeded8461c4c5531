"""Which of its connections an engine uses; and what it says of a server that it cannot use."""

import asyncio
from pathlib import Path

import pytest
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncConnection

from pipelines.store.engine import AWAY, open_engine, reading, refused, why_away
from tests.parts.presence import free_port


async def used(connection: AsyncConnection) -> int:
    """Which of the database's connections this is."""
    return id((await connection.get_raw_connection()).driver_connection)


async def test_one_after_the_other_uses_one_connection_and_its_pages(tmp_path: Path) -> None:
    engine = open_engine(f"sqlite+aiosqlite:///{tmp_path / 'hub.db'}")
    try:
        async with reading(engine) as one, reading(engine) as other:
            at_once = {await used(one), await used(other)}
        alone = []
        for _ in range(4):
            async with reading(engine) as each:
                alone.append(await used(each))
    finally:
        await engine.dispose()
    assert len(at_once) == 2
    assert len(set(alone)) == 1
    assert set(alone) < at_once


@pytest.mark.parametrize(
    ("sslmode", "says"), [("require", "it speaks no TLS"), ("verify-canary", "sslmode, or another option")]
)
async def test_a_server_without_tls_is_named(sslmode: str, says: str) -> None:
    async def no_tls(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readexactly(8)  # PostgreSQL's SSLRequest
        writer.write(b"N")
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(no_tls, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    engine = open_engine(f"postgresql+asyncpg://hub@127.0.0.1:{port}/hub?ssl={sslmode}")
    async with server:
        with pytest.raises(AWAY) as raised:
            async with engine.connect():
                pass
    problem = refused(raised.value)
    assert problem is not None
    assert problem.startswith(says)
    assert "canary" not in problem


@pytest.mark.parametrize("ping", [True, False])
async def test_a_server_that_nobody_answers_for_is_told_from_a_tool_that_fails(ping: bool) -> None:
    engine = open_engine(f"postgresql+asyncpg://hub@127.0.0.1:{free_port()}/hub", ping=ping)
    with pytest.raises(PoolTimeout) as raised:
        async with engine.connect():
            pass
    assert refused(raised.value) is None
    assert why_away(raised.value) == "it does not answer"
