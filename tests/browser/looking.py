"""How a page is looked at: wide, on a phone, in the dark, and by axe."""

import os
import shutil
from pathlib import Path
from typing import Any

from axe_playwright_python.base import AXE_FILE_PATH  # type: ignore[import-untyped]
from playwright.async_api import ConsoleMessage, Locator, Page

SCREENSHOTS = Path(__file__).parents[2] / "screenshots"
"""Ignored by git. With CI=true none is made: nobody would look at them, and each takes a quarter of a second."""

_AXE = Path(AXE_FILE_PATH).read_text(encoding="utf-8")
_FAULTS = """async rules => (await axe.run(document, rules)).violations.map(
    one => [one.id, one.nodes.map(node => node.target.join(" "))])"""
"""What it found that is well stays in the browser: to fetch it takes longer than to find it."""
_TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
_CONTRAST = "color-contrast"
_COLOURS = """() => {
    const found = new Set(), shown = document.querySelectorAll("body *");
    for (const one of shown) {
        const speaks = one.matches("input, select, textarea")
            || [...one.childNodes].some(node => node.nodeType === Node.TEXT_NODE && node.data.trim());
        if (!speaks || !one.checkVisibility()) continue;
        let ground = one, colour;
        do { colour = getComputedStyle(ground).backgroundColor; ground = ground.parentElement; }
        while (colour === "rgba(0, 0, 0, 0)" && ground);
        const style = getComputedStyle(one);
        found.add([style.color, colour, style.fontSize, style.fontWeight, style.opacity].join(" "));
    }
    return [...found];
}"""
"""Every pair of colours in which something is written, with what contrast depends on beside them."""
_ONE_LINE = "document.querySelector('.top').getBoundingClientRect().height < 80"
WIDE, PHONE, NARROWEST = {"width": 1280, "height": 800}, {"width": 390, "height": 844}, {"width": 320, "height": 640}
LAPTOP = {"width": 1120, "height": 700}
LARGEST = 100_000
"""Bytes of a page."""

_CHROMIUM = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome")
"""The one without windows takes two thirds of the time; the whole one stopped drawing once, for good."""

_well: set[str] = set()
"""Pairs of colours in which axe found nothing: most pages have the same ones, and to look at them takes longest."""


def chromium() -> str | None:
    """Where Chromium is, if it is."""
    return next(filter(None, map(shutil.which, _CHROMIUM)), None)


class Reader:
    """Somebody at a browser."""

    def __init__(self, page: Page, name: str) -> None:
        """name: of the screenshots."""
        self.page = page
        self.complaints: list[str] = []
        self._name = name
        self._looks = 0
        page.on("console", self._said)
        page.on("pageerror", lambda error: self.complaints.append(str(error)))

    def _said(self, message: ConsoleMessage) -> None:
        # A page with status 4xx is what some tests want to see.
        if message.type in ("error", "warning") and "the server responded with a status of 4" not in message.text:
            self.complaints.append(message.text)

    async def goes(self, path: str, status: int = 200) -> None:
        """Open a page, which has this status and is small."""
        answer = await self.page.goto(path)
        assert answer is not None
        assert answer.status == status, await self.page.locator("main").inner_text()
        assert len(await answer.body()) < LARGEST

    async def looks(self, what: str = "") -> None:
        """What is shown now has no fault that axe knows, has its top in one line on a laptop, fits a narrow phone, and
        is kept as screenshots: in the dark where something is written in colours that were not seen before."""
        self._looks += 1
        name = f"{self._name}-{self._looks}{f'-{what}' if what else ''}"
        await self._seen(f"{name}-wide", "light", WIDE)
        await self._faultless(f"{name} light", whole=True)
        await self._seen(f"{name}-phone", "light", PHONE)
        await self.page.set_viewport_size(LAPTOP)  # type: ignore[arg-type]
        assert await self.page.evaluate(_ONE_LINE), f"{name}: the top takes more than one line"
        await self.page.set_viewport_size(NARROWEST)  # type: ignore[arg-type]
        overflow = await self.page.evaluate(
            "document.documentElement.scrollWidth - document.documentElement.clientWidth"
        )
        assert overflow <= 0, f"{name} scrolls sideways by {overflow} px"
        await self.page.set_viewport_size(WIDE)  # type: ignore[arg-type]
        await self.page.emulate_media(color_scheme="dark", reduced_motion="reduce")
        if await self._new_colours():
            await self._seen(f"{name}-dark", "dark", WIDE)
            await self._faultless(f"{name} dark", whole=False)
        await self.page.emulate_media(color_scheme="light")

    async def _seen(self, name: str, scheme: Any, size: Any) -> None:
        await self.page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
        await self.page.set_viewport_size(size)
        if os.environ.get("CI") != "true":
            await self.page.screenshot(path=SCREENSHOTS / f"{name}.png", full_page=True)

    async def _new_colours(self) -> set[str]:
        return set(await self.page.evaluate(_COLOURS)) - _well

    async def _faultless(self, name: str, *, whole: bool) -> None:
        """whole: not only the colours, which alone differ between light and dark."""
        if not await self.page.evaluate("'axe' in window"):
            await self.page.evaluate(_AXE)
        colours = await self._new_colours()
        only = {"type": "tag", "values": _TAGS} if whole else {"type": "rule", "values": [_CONTRAST]}
        rules = {"resultTypes": ["violations"], "runOnly": only, "rules": {_CONTRAST: {"enabled": bool(colours)}}}
        assert list(await self.page.evaluate(_FAULTS, rules)) == [], name
        _well.update(colours)

    async def focused(self) -> str:
        """What the keyboard is at: its role or tag, and its name."""
        return str(
            await self.page.evaluate(
                "(e => `${e.tagName.toLowerCase()} ${e.getAttribute('aria-label') || e.name || e.textContent.trim()}`)"
                "(document.activeElement)"
            )
        )


def done(page: Page) -> Locator:
    """Where a page says what was done."""
    return page.locator(".box.done[role=status]")


async def pressed(page: Page, name: str) -> None:
    """A button by its whole name."""
    await page.get_by_role("button", name=name, exact=True).click()
