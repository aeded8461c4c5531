"""One request: how it stands, its life as a picture and as words, as of a day, and live."""

import asyncio
import re
from typing import Any

import httpx2
import pytest
from playwright.async_api import Route, expect

from schemas.artifacts import request_id
from tests.browser.looking import PHONE, SCREENSHOTS, WIDE, Reader
from tests.browser.tools import taken_out


@pytest.fixture(scope="module")
def longest(hub: str) -> Any:
    """The request with the most artifacts."""
    with httpx2.Client(base_url=hub, timeout=60) as http:
        items = http.get("/v1/requests", params={"whole": "true", "limit": "100"}).json()["items"]
    return max(items, key=lambda one: len(one["record"]["artifacts"]))["record"]


async def test_a_whole_life(reader: Reader, longest: Any) -> None:
    page = reader.page
    await reader.goes(f"/requests/{longest['id']}")
    await expect(page.get_by_role("heading", level=1)).to_have_text(longest["title"])
    for stage in ("alignment", "requirements", "development", "change", "improvement"):
        await expect(page.get_by_role("heading", level=3, name=stage)).to_be_visible()
    await expect(page.get_by_role("img", name="What happened in each tool, along time")).to_be_visible()
    await expect(page.get_by_role("table").get_by_role("row")).to_have_count(len(longest["artifacts"]) + 1)
    await reader.looks()
    await page.get_by_role("heading", level=3, name="requirements").click()
    await expect(page.get_by_text("Working out in detail what is needed").first).to_be_visible()
    before = await page.locator(".lanes .mark").count()
    parts = page.get_by_role("navigation", name="Part of its life")
    zoom = parts.get_by_role("link", name="Last 7 days")
    await zoom.focus()
    await page.keyboard.press("Enter")
    await expect(zoom).to_have_attribute("aria-current", "true")
    assert await page.locator(".lanes .mark").count() <= before
    await parts.get_by_role("link", name="Earlier").click()
    await parts.get_by_role("link", name="Later").click()
    await expect(page).to_have_url(re.compile("show=7&to="))
    await page.get_by_text("Each link, and why").click()
    await expect(page.get_by_role("link", name="explain").first).to_be_visible()
    await reader.looks("zoomed")
    await readable_on_a_phone(reader, longest)
    await with_colours_of_the_system(reader)


async def readable_on_a_phone(reader: Reader, record: Any) -> None:
    """The timeline is wider than the screen and begins at its newest end; the tools' names stay in sight."""
    page = reader.page
    await page.set_viewport_size(PHONE)  # type: ignore[arg-type]
    await reader.goes(f"/requests/{record['id']}")
    line = page.get_by_role("region", name="Timeline")
    await page.wait_for_function(
        "one => one.scrollLeft + one.clientWidth >= one.scrollWidth - 1 && one.scrollLeft > 100",
        arg=await line.element_handle(),
    )
    for name in await line.locator(".names span").all():
        box = await name.bounding_box()
        assert box
        assert box["x"] >= 0
    await line.focus()
    before = await line.evaluate("one => one.scrollLeft")
    await page.keyboard.press("ArrowLeft")
    await page.wait_for_function(
        "([one, before]) => one.scrollLeft < before", arg=[await line.element_handle(), before]
    )
    await page.set_viewport_size(WIDE)  # type: ignore[arg-type]


async def with_colours_of_the_system(reader: Reader) -> None:
    """Whoever sets colours of their own sees the stages and what happened, too."""
    page = reader.page
    await page.emulate_media(forced_colors="active")
    for one in (".bars .bar.active", ".mark.step"):
        colours = "one => [getComputedStyle(one).fill, getComputedStyle(document.body).backgroundColor]"
        fill, ground = await page.locator(one).first.evaluate(colours)
        assert fill != ground
    await page.screenshot(path=SCREENSHOTS / "forced-colours.png", full_page=True)
    await page.emulate_media(forced_colors="none")


async def test_as_it_stood_on_a_day(reader: Reader, longest: Any) -> None:
    page = reader.page
    await reader.goes(f"/requests/{longest['id']}?as_of={longest['created_at'][:10]}")
    await expect(page.get_by_text("As it stood on").first).to_be_visible()
    await expect(page.get_by_role("status").first).to_contain_text("by today's knowledge")
    await reader.looks()
    await page.get_by_role("link", name="As it is now").click()
    await expect(page.get_by_text("by today's knowledge")).to_have_count(0)
    slider = page.get_by_role("slider", name="Day")
    await slider.focus()
    await page.keyboard.press("Home")
    await expect(page.get_by_role("status").first).to_contain_text("by today's knowledge")


async def test_what_somebody_else_changes_is_seen_at_once(reader: Reader, longest: Any) -> None:
    page = reader.page
    async with page.expect_response(lambda one: "/v1/changes/stream" in one.url):
        await reader.goes(f"/requests/{longest['id']}")
    rows = page.get_by_role("table").get_by_role("row")
    before = await rows.count()
    await page.get_by_text("What the words mean").click()
    meaning = page.get_by_text("It came back to this stage: rework")
    await expect(meaning).to_be_visible()
    async with taken_out(page, longest):
        await expect(rows).to_have_count(before - 1)
        await expect(page.locator("[data-said]")).to_contain_text("has changed")
        await expect(meaning).to_be_visible()  # what was open stays open, and the focus where it was
        assert await page.evaluate("document.activeElement.textContent") == "What the words mean"
    await expect(rows).to_have_count(before)


async def test_a_stream_that_was_refused_is_asked_for_again(reader: Reader, longest: Any) -> None:
    page = reader.page
    refused = 0

    async def refuse(route: Route) -> None:
        nonlocal refused
        refused += 1
        await route.fulfill(status=409)  # upon which a browser gives up for good

    await page.route("**/v1/changes/stream*", refuse, times=1)
    async with page.expect_response(lambda one: "/v1/changes/stream" in one.url and one.status == 200):
        await reader.goes(f"/requests/{longest['id']}")
    assert refused == 1
    rows = page.get_by_role("table").get_by_role("row")
    before = await rows.count()
    async with taken_out(page, longest):
        await expect(rows).to_have_count(before - 1)
    await expect(rows).to_have_count(before)


async def test_what_changes_before_the_page_listens_is_seen_as_well(reader: Reader, longest: Any) -> None:
    page = reader.page
    changed = asyncio.Event()

    async def hold(route: Route) -> None:
        await changed.wait()
        await route.continue_()

    await page.route("**/v1/changes/stream*", hold, times=1)
    await reader.goes(f"/requests/{longest['id']}")
    rows = page.get_by_role("table").get_by_role("row")
    before = await rows.count()
    seen = await page.locator("[data-seen]").get_attribute("data-seen")
    async with taken_out(page, longest):
        async with asyncio.timeout(60):
            while longest["id"] not in await (await page.request.get(f"/v1/changes?since={seen}&limit=1000")).text():
                await asyncio.sleep(0.1)
        changed.set()  # what is there already: no new change brings it
        await expect(rows).to_have_count(before - 1)
    await expect(rows).to_have_count(before)


async def test_every_part_and_every_link_on_pages_of_their_own(reader: Reader, longest: Any) -> None:
    page = reader.page
    await reader.goes(f"/requests/{longest['id']}/parts?after=1")
    await expect(page.get_by_role("row")).to_have_count(len(longest["artifacts"]))
    await reader.goes(f"/requests/{longest['id']}/links")
    await expect(page.get_by_role("link", name="explain")).to_have_count(len(longest["links"]))
    await reader.looks()


async def test_an_id_that_became_part_of_another_request(reader: Reader, longest: Any) -> None:
    page = reader.page
    with_issue = next(one for one in reversed(longest["artifacts"]) if one["kind"] == "issue")
    own = request_id(with_issue["id"])
    for path in ("", "/timeline", "/parts"):
        await page.goto(f"/requests/{own}{path}?show=life")
        assert page.url.endswith(f"/requests/{longest['id']}{path}?show=life")


async def test_all_that_happened(reader: Reader, longest: Any) -> None:
    await reader.goes(f"/requests/{longest['id']}/timeline")
    await expect(reader.page.get_by_role("row").nth(1)).to_be_visible()
    await reader.looks()


async def test_an_id_that_is_none(reader: Reader) -> None:
    await reader.goes("/requests/R-AAAAAAAAAAAA", 404)
    await expect(reader.page.get_by_role("heading", level=1)).to_have_text("No request")
    await reader.looks()
