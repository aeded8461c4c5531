"""What a process does at its start, and with memory."""

import asyncio
import os
import platform
from pathlib import Path

import pytest

from services.cli.beginning import give_back, later, loaded

BLOCKS, BLOCK = 2_000, 16_384


def resident() -> int:
    """Bytes of this process in memory."""
    return int(Path("/proc/self/statm").read_text("ascii").split()[1]) * os.sysconf("SC_PAGE_SIZE")


def few_of_many() -> list[bytes]:
    """Some of many blocks; the others are free again, between these."""
    return [bytes([1]) * BLOCK for _ in range(BLOCKS)][::-20]


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="needs glibc")
async def test_what_is_free_between_what_is_used_is_given_back() -> None:
    kept = few_of_many()
    before = resident()
    giving = asyncio.create_task(give_back(pause=0.01))
    async with asyncio.timeout(20):
        while before - resident() < BLOCKS * BLOCK // 2:
            await asyncio.sleep(0.01)
    giving.cancel()
    assert {len(block) for block in kept} == {BLOCK}


async def test_what_nobody_waits_for_begins_later() -> None:
    began = asyncio.Event()

    async def work() -> None:
        began.set()

    waiting = asyncio.create_task(later(work, seconds=0.2))
    await asyncio.sleep(0.05)
    assert not began.is_set()
    await waiting
    assert began.is_set()


async def test_an_error_of_what_is_loaded_beside_comes_out() -> None:
    assert (await loaded("services.cli.beginning")).later is later
    with pytest.raises(ModuleNotFoundError, match="nowhere"):
        await loaded("services.cli.nowhere")
