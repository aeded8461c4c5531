"""All requests: filters in the address, sorted, page by page, by keyboard, as CSV, and as a board."""

import csv
import io
import re
from pathlib import Path
from typing import Any

import httpx2
import pytest
from playwright.async_api import expect

from tests.browser.looking import Reader


@pytest.fixture(scope="module")
def items(hub: str) -> Any:
    """All requests of the company."""
    with httpx2.Client(base_url=hub, timeout=60) as http:
        return http.get("/v1/requests", params={"limit": "100"}).json()["items"]


async def test_the_list(reader: Reader, items: Any) -> None:
    page = reader.page
    await reader.goes("/requests")
    await expect(page.get_by_role("row")).to_have_count(min(len(items), 40) + 1)
    await expect(page.get_by_role("row").nth(1)).to_contain_text(items[0]["title"])
    await reader.looks()
    await page.get_by_role("link", name="Finished").click()
    ended = sum(one["state"] in ("done", "cancelled") for one in items)
    await expect(page.get_by_role("row")).to_have_count(ended + 1)
    await page.get_by_role("link", name="state: cancelled").click()
    await expect(page).to_have_url(re.compile(r"/requests\?state=done$"))
    await page.get_by_role("link", name="Opened").click()
    await expect(page.get_by_role("columnheader", name="Opened")).to_have_attribute("aria-sort", "descending")
    await page.get_by_role("link", name="Opened").click()
    await expect(page.get_by_role("columnheader", name="Opened")).to_have_attribute("aria-sort", "ascending")
    oldest = min((one for one in items if one["state"] == "done"), key=lambda one: one["created_at"])
    await expect(page.get_by_role("row").nth(1)).to_contain_text(oldest["title"])


async def test_filters(reader: Reader, items: Any) -> None:
    page = reader.page
    held = next(one for one in items if one["holder"])
    await reader.goes("/requests")
    await page.get_by_text("Filters", exact=True).click()
    await page.get_by_label("With", exact=True).fill(held["holder"])
    await page.get_by_label(held["stage"], exact=True).check()
    await page.get_by_text("More filters").click()
    await page.get_by_label("Business unit").fill(held["unit"] or "")
    await reader.looks()
    await page.get_by_role("button", name="Show").click()
    await expect(page.get_by_role("row", name=re.compile(re.escape(held["title"])))).not_to_have_count(0)
    await expect(page.get_by_role("list", name="Asked for")).to_contain_text(f"with: {held['holder']}")
    await page.goto("/requests?text=nothing+has+this&longer=99999")
    await expect(page.get_by_text("No request fits all of this.")).to_be_visible()
    await reader.looks("nothing")
    await reader.goes("/requests?stage=nowhere&longer=soon", 422)
    await expect(page.get_by_role("alert")).to_contain_text("in_stage_longer_than")
    await expect(page).to_have_title(re.compile("^Error: "))
    await reader.looks("refused")


async def test_by_keyboard_alone(reader: Reader, items: Any) -> None:
    page = reader.page
    await reader.goes("/requests")
    rows = page.get_by_role("table").locator("a.title")
    for _ in range(40):
        await page.keyboard.press("Tab")
        if await page.evaluate("document.activeElement.matches('table a.title')"):
            break
    await expect(rows.first).to_be_focused()
    await page.keyboard.press("j")
    await page.keyboard.press("ArrowDown")
    await expect(rows.nth(2)).to_be_focused()
    await page.keyboard.press("k")
    await expect(rows.nth(1)).to_be_focused()
    await page.keyboard.press("Enter")
    await expect(page).to_have_url(re.compile(f"/requests/{items[1]['id']}$"))


async def test_as_csv(reader: Reader, items: Any, tmp_path: Path) -> None:
    page = reader.page
    await reader.goes("/requests?state=done")
    async with page.expect_download() as coming:
        await page.get_by_role("link", name="All of them as CSV").click()
    file = tmp_path / "requests.csv"
    await (await coming.value).save_as(file)
    text = file.read_text("utf-8")
    assert text.startswith("\ufeffid,title,stage,state")
    rows = list(csv.DictReader(io.StringIO(text.removeprefix("\ufeff"))))
    assert {one["id"] for one in rows} == {one["id"] for one in items if one["state"] == "done"}
    assert {one["state"] for one in rows} == {"done"}


async def test_the_board(reader: Reader, items: Any) -> None:
    page = reader.page
    await reader.goes("/requests/board")
    development = page.get_by_role("region", name="development")
    there = [one for one in items if one["stage"] == "development" and one["state"] in ("new", "active", "waiting")]
    await expect(development.get_by_role("heading")).to_have_text(re.compile(rf"development\s+{len(there)}$"))
    await expect(development.locator("a.title")).to_have_count(min(len(there), 8))
    await reader.looks()
    await page.get_by_role("link", name="List").click()
    await expect(page.get_by_role("heading", level=1)).to_have_text("Requests")
    await page.goto("/requests/board?text=nothing+has+this")
    await expect(page.get_by_text("nothing open")).to_have_count(5)
