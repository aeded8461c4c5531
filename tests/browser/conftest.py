"""Hubs in processes of their own, and a real Chromium to read their pages with.

They end with the last test of this folder: a hub that reads its tools every second would slow down all that follow.
"""

import re
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page, async_playwright, expect

from tests.browser.looking import Reader, chromium
from tests.browser.running import PATIENCE, company
from tests.browser.tools import World, world
from tests.parts.presence import missing

expect.set_options(timeout=PATIENCE)

REQUESTS = 12
"""Requests of the company when it begins."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """One event loop for the browser and everybody who uses it."""
    for item in items:
        if "tests/browser/" in item.nodeid:
            item.add_marker(pytest.mark.browser)
            item.add_marker(pytest.mark.asyncio(loop_scope="session"), append=False)


@pytest.fixture(scope="session")
def chromium_path() -> str:
    """Where Chromium is; what drives it can run, too."""
    found = chromium()
    if found is None:
        missing("Chromium (package chromium-headless-shell, or chromium)")
    asked = [sys.executable, "-m", "playwright", "--version"]
    driver = subprocess.run(asked, capture_output=True, text=True, check=False, timeout=60)
    if driver.returncode != 0:
        missing(f"what Playwright needs (on Debian the package libatomic1): {driver.stderr.strip()}")
    return found


@pytest_asyncio.fixture(scope="package", loop_scope="session")
async def browser(chromium_path: str) -> AsyncIterator[Browser]:
    """One Chromium for all tests; each test has a profile of its own."""
    async with async_playwright() as playwright:
        made = await playwright.chromium.launch(
            executable_path=chromium_path,
            args=["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"],
        )
        yield made
        await made.close()


@pytest.fixture(scope="package")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Address of a hub that has read the sandbox company; open to this machine."""
    with company(tmp_path_factory.mktemp("hub"), REQUESTS) as address:
        yield address


@pytest.fixture(scope="package")
def there(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """Tools, and a hub that nothing is connected to when it begins."""
    with world(tmp_path_factory.mktemp("tools"), tmp_path_factory.mktemp("empty")) as made:
        yield made


@pytest_asyncio.fixture(loop_scope="session")
async def reader(browser: Browser, hub: str, request: pytest.FixtureRequest) -> AsyncIterator[Reader]:
    """Somebody in Berlin in front of an empty browser. Fails the test on any message in the browser's console."""
    async for one in reading(browser, hub, request.node.name):
        yield one


async def reading(browser: Browser, address: str, name: str) -> AsyncIterator[Reader]:
    """A reader of any hub, who leaves at the end."""
    context = await browser.new_context(
        base_url=address, viewport={"width": 1280, "height": 800}, timezone_id="Europe/Berlin", locale="en-GB"
    )
    context.set_default_timeout(PATIENCE)
    page: Page = await context.new_page()
    one = Reader(page, re.sub(r"\W+", "-", name.removeprefix("test_")).strip("-"))
    yield one
    await context.close()
    assert not one.complaints
