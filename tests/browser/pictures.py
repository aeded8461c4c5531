"""The pictures of the documentation, taken of a sandbox company: `python -m tests.browser.pictures`."""

import asyncio
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import httpx2
from playwright.async_api import Browser, async_playwright

from tests.browser.looking import PHONE, chromium
from tests.browser.running import company

FOLDER = Path(__file__).parents[2] / "docs" / "images"
LARGEST = 150_000
"""Bytes of a picture."""
_REQUESTS = 40
_WIDE = {"width": 1120, "height": 700}


@dataclass(frozen=True, slots=True)
class Picture:
    """One picture: of a page, in a size, in light or dark."""

    name: str
    path: str
    size: dict[str, int]
    dark: bool = False
    typed: str = ""
    """What is typed into its box before it is taken."""


def pictures(request: str, words: str) -> tuple[Picture, ...]:
    """All of them. request: the id of one with a long life; words: of its title."""
    return (
        Picture("find", "/", _WIDE, typed=words),
        Picture("request", f"/requests/{request}", _WIDE),
        Picture("request-phone", f"/requests/{request}", PHONE, dark=True),
        Picture("requests", "/requests?state=new&state=active&state=waiting", _WIDE),
        Picture("board", "/requests/board", _WIDE),
        Picture("connections", "/connections", _WIDE),
        Picture("connect", "/connect/jira", _WIDE),
        Picture("stage-map", "/connections/jira-sandbox/stage-map", _WIDE),
    )


def main() -> int:
    """Take them anew."""
    FOLDER.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder, company(Path(folder), _REQUESTS) as address:
        with httpx2.Client(base_url=address, timeout=60) as http:
            query = {"whole": "true", "limit": "100", "stage": ["development", "change"]}
            items = http.get("/v1/requests", params=query).json()["items"]
        one = max((one for one in items if one["state"] != "done"), key=lambda one: len(one["record"]["artifacts"]))
        words = " ".join(one["title"].split()[:2])
        asyncio.run(_take(address, pictures(one["id"], words)))
    large = [one.name for one in FOLDER.glob("*.png") if one.stat().st_size > LARGEST]
    if large:
        sys.stderr.write(f"larger than {LARGEST:,} bytes: {', '.join(large)}\n")
    return len(large)


async def _take(address: str, every: tuple[Picture, ...]) -> None:
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=chromium(), args=["--no-sandbox", "--disable-gpu"])
        for one in every:
            await _taken(browser, address, one)
        await browser.close()


async def _taken(browser: Browser, address: str, one: Picture) -> None:
    context = await browser.new_context(
        base_url=address, viewport=one.size, timezone_id="Europe/Berlin", locale="en-GB",  # type: ignore[arg-type]
        color_scheme="dark" if one.dark else "light", reduced_motion="reduce",
    )  # fmt: skip
    page = await context.new_page()
    await page.goto(one.path)  # tells the server the reader's time zone
    await page.goto(one.path)
    if one.typed:
        await page.get_by_role("combobox").press_sequentially(one.typed)
        await page.get_by_role("option").first.wait_for()
        await page.keyboard.press("ArrowDown")
    await page.screenshot(path=FOLDER / f"{one.name}.png")
    await context.close()


if __name__ == "__main__":
    sys.exit(main())
