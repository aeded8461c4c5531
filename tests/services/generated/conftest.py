"""One company for all tests of a file; each takes a copy of its hub."""

import asyncio
from collections.abc import Iterator

import pytest

from services.sandbox.process import SandboxProcess
from services.sandbox.running import Ready, Wish
from tests.services.generated.company import Company, settled


@pytest.fixture(scope="module")
def ready(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ready]:
    """Tools of a company, which run."""
    folder = tmp_path_factory.mktemp("sandbox")
    with SandboxProcess(Wish(str(folder), 0, requests=4, months=1)) as child:
        yield asyncio.run(child.ready())


@pytest.fixture(scope="module")
def filled(ready: Ready, tmp_path_factory: pytest.TempPathFactory) -> Company:
    """A hub that has read them; each test takes a copy."""
    folder = tmp_path_factory.mktemp("filled")

    async def fill() -> Company:
        async with settled(f"sqlite+aiosqlite:///{folder / 'hub.sqlite3'}", folder, ready) as company:
            return company

    return asyncio.run(fill())
