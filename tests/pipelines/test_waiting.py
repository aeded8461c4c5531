"""A database that is away is told by each worker once, and once when the worker goes on."""

import asyncio
import contextlib
import logging
from collections.abc import Callable, Coroutine
from typing import Any

import pytest
from sqlalchemy import event
from sqlalchemy.exc import OperationalError
from sqlalchemy.ext.asyncio import AsyncEngine

from pipelines.catching_up import CatchUp
from pipelines.publish import Publisher
from pipelines.recompute import Recompute
from pipelines.suggesting import Suggesting
from pipelines.waiting import Waiting
from tests.pipelines.test_ingest import NOW

Work = Coroutine[Any, Any, None]


async def _send(records: Any) -> list[bool]:
    return [True] * len(records)


def _publishing(engine: AsyncEngine) -> Work:
    return Publisher(engine, _send, lambda: NOW, "here").run(0.01)


WORKERS: dict[str, tuple[Callable[[AsyncEngine], Work], str]] = {
    "understanding": (lambda engine: CatchUp(engine).run(0.01), "deferred"),
    "recompute": (lambda engine: Recompute(engine, lambda: NOW, "here").run(0.01), "pending"),
    "suggesting": (lambda engine: Suggesting(engine, lambda: NOW, "here").run(0.01), "unit_marks"),
    "publish": (_publishing, "unpublished"),
}
"""By how its lines begin: how it runs, and a table that it needs."""


@pytest.mark.parametrize("name", WORKERS)
async def test_a_worker_says_once_what_it_waits_for(
    name: str, engine: AsyncEngine, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "throughline")
    work, table = WORKERS[name]
    failed = 0

    def count(_: Any) -> None:
        nonlocal failed
        failed += 1

    await _rename(engine, table, "away")
    event.listen(engine.sync_engine, "handle_error", count)
    running = asyncio.create_task(work(engine))
    try:
        async with asyncio.timeout(30):
            while failed < 2:
                await asyncio.sleep(0.01)
            await _rename(engine, "away", table)
            while f"{name}.goes.on" not in caplog.messages:
                await asyncio.sleep(0.01)
    finally:
        running.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await running
    assert [line for line in caplog.messages if line.startswith(name)] == [f"{name}.waits", f"{name}.goes.on"]
    assert "waits for the database: " in next(r.problem for r in caplog.records if r.message == f"{name}.waits")  # type: ignore[attr-defined]


async def _rename(engine: AsyncEngine, table: str, to: str) -> None:
    async with engine.begin() as connection:
        await connection.exec_driver_sql(f"ALTER TABLE {table} RENAME TO {to}")


def test_reasons_that_take_turns_are_said_once_each_until_it_goes_on(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "throughline")
    waiting = Waiting("publishing", "publish.waits", "publish.goes.on", logging.getLogger("throughline.publish"))
    full = OperationalError("", {}, _Full())
    waiting.over()
    for error in (OSError(), full, OSError(), full):
        waiting.away(error)
    assert waiting.says == "publishing waits for the database: its disk is full"
    waiting.over()
    waiting.over()
    assert waiting.says == ""
    waiting.away(OSError())
    assert [line.removeprefix("publish.") for line in caplog.messages] == ["waits", "waits", "goes.on", "waits"]


class _Full(Exception):
    sqlite_errorname = "SQLITE_FULL"
