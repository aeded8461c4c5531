"""How a page is looked at: wide, on a phone, in the dark, and by axe."""

from pathlib import Path
from typing import Any

from axe_playwright_python.base import AXE_FILE_PATH  # type: ignore[import-untyped]
from playwright.async_api import ConsoleMessage, Page

SCREENSHOTS = Path(__file__).parents[2] / "screenshots"
"""Ignored by git."""

_AXE = Path(AXE_FILE_PATH).read_text(encoding="utf-8")
_FAULTS = """async rules => (await axe.run(document, rules)).violations.map(
    one => [one.id, one.nodes.map(node => node.target.join(" "))])"""
"""What it found that is well stays in the browser: to fetch it takes longer than to find it."""
_RULES = {
    "resultTypes": ["violations"],
    "runOnly": {
        "type": "tag",
        "values": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"],
    },
}
WIDE, PHONE, NARROWEST = {"width": 1280, "height": 800}, {"width": 390, "height": 844}, {"width": 320, "height": 640}
LARGEST = 100_000
"""Bytes of a page."""


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
        """What is shown now has no fault that axe knows, fits a narrow phone, and is kept as screenshots."""
        self._looks += 1
        name = f"{self._name}-{self._looks}{f'-{what}' if what else ''}"
        for scheme, size, kind in (("light", WIDE, "wide"), ("light", PHONE, "phone"), ("dark", WIDE, "dark")):
            await self.page.emulate_media(color_scheme=scheme, reduced_motion="reduce")  # type: ignore[arg-type]
            await self.page.set_viewport_size(size)  # type: ignore[arg-type]
            await self.page.screenshot(path=SCREENSHOTS / f"{name}-{kind}.png", full_page=True)
            if kind != "phone":
                assert await self._faults() == [], f"{name} {scheme}"
        await self.page.emulate_media(color_scheme="light")
        await self.page.set_viewport_size(NARROWEST)  # type: ignore[arg-type]
        overflow = await self.page.evaluate(
            "document.documentElement.scrollWidth - document.documentElement.clientWidth"
        )
        assert overflow <= 0, f"{name} scrolls sideways by {overflow} px"
        await self.page.set_viewport_size(WIDE)  # type: ignore[arg-type]

    async def _faults(self) -> list[Any]:
        if not await self.page.evaluate("'axe' in window"):
            await self.page.evaluate(_AXE)
        return list(await self.page.evaluate(_FAULTS, _RULES))

    async def focused(self) -> str:
        """What the keyboard is at: its role or tag, and its name."""
        return str(
            await self.page.evaluate(
                "(e => `${e.tagName.toLowerCase()} ${e.getAttribute('aria-label') || e.name || e.textContent.trim()}`)"
                "(document.activeElement)"
            )
        )
