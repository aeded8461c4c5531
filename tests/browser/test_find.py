"""Somebody looks for a request with what they have, with and without a script, by mouse and by keyboard alone."""

import re
from typing import Any

import httpx2
import pytest
from playwright.async_api import Browser, expect

from tests.browser.looking import Reader


@pytest.fixture(scope="module")
def wanted(hub: str) -> Any:
    """A request with a mail, a deal and issues, its title like no other one's."""
    with httpx2.Client(base_url=hub, timeout=60) as http:
        items = http.get("/v1/requests", params={"whole": "true", "limit": "100"}).json()["items"]
    titles = [one["title"] for one in items]
    for item in items:
        kinds = {one["kind"] for one in item["record"]["artifacts"]}
        if {"mail", "deal", "issue"} <= kinds and titles.count(item["title"]) == 1:
            return item["record"]
    raise AssertionError("the company has no such request")


async def test_the_first_page(reader: Reader) -> None:
    page = reader.page
    await reader.goes("/")
    await expect(page.get_by_role("heading", level=1)).to_have_text("Where is my request?")
    await expect(page.get_by_role("heading", name="Changed last")).to_be_visible()
    await expect(page.get_by_role("listitem").filter(has_text="true up to")).to_have_count(3)
    await expect(page.get_by_role("combobox", name="Type what you have")).to_be_focused()
    await reader.looks()


async def test_found_by_five_different_things(reader: Reader, wanted: Any) -> None:
    page = reader.page
    known = [one for one in wanted["artifacts"] if one["natural_key"]]
    issue, deal, mail = (next(one for one in known if one["kind"] == kind) for kind in ("issue", "deal", "mail"))
    message = f"<{mail['natural_key']}>"
    for thing in (wanted["id"], issue["natural_key"], issue["url"], message, deal["native_id"]):
        await page.goto("/")
        box = page.get_by_role("combobox", name="Type what you have")
        await box.fill(thing)
        await box.press("Enter")
        await expect(page).to_have_url(re.compile(f"/requests/{wanted['id']}$"))
        await expect(page.get_by_role("heading", level=1)).to_have_text(wanted["title"])
    await page.goto("/")
    await page.get_by_role("combobox").fill(f"AW: Re: {wanted['title']}")
    await page.get_by_role("button", name="Find").click()
    await expect(page.get_by_role("main").get_by_role("link", name=wanted["title"])).to_be_visible()
    await reader.looks("by-words")


async def test_answers_come_while_one_types(reader: Reader, wanted: Any) -> None:
    page = reader.page
    await reader.goes("/")
    box = page.get_by_role("combobox", name="Type what you have")
    await box.fill(wanted["title"])  # at once: the answer to less of it might still come, and take the place
    option = page.get_by_role("option", name=wanted["title"]).first
    await expect(option).to_be_visible()
    await expect(box).to_have_attribute("aria-expanded", "true")
    await box.press("ArrowDown")
    await expect(page.get_by_role("option").first).to_have_attribute("aria-selected", "true")
    await expect(box).to_have_attribute("aria-activedescendant", "find-1")
    await reader.looks("offered")
    await box.press("ArrowUp")
    await expect(page.get_by_role("option", selected=True)).to_have_count(0)
    await box.press("Escape")
    await expect(page.get_by_role("listbox")).to_have_count(0)
    await expect(box).to_have_value(wanted["title"])
    await box.press("ArrowDown")
    await box.press("Enter")
    await expect(page).to_have_url(re.compile("/requests/R-"))


async def test_nothing_is_found(reader: Reader) -> None:
    page = reader.page
    await reader.goes("/find?q=PAY-99999")
    await expect(page.get_by_text("Nothing that is read is known by it.")).to_be_visible()
    await expect(page.get_by_text("Your own mailbox is not read.")).to_contain_text("Mailbox of the sandbox")
    await expect(page.get_by_role("listitem").filter(has_text="from its beginning")).to_have_count(3)
    await reader.looks()
    await page.get_by_placeholder("Sender's name or address").fill("tom@acme.example")
    await page.get_by_role("button", name="Look").click()
    await expect(page.get_by_role("link", name="person: tom@acme.example")).to_be_visible()
    await expect(page.get_by_role("row").nth(1)).to_be_visible()


async def test_known_but_in_no_request(reader: Reader, wanted: Any) -> None:
    page = reader.page
    issue = next(one for one in reversed(wanted["artifacts"]) if one["kind"] == "issue")
    wish = {"kind": "no request", "artifacts": [issue["id"]], "by": "Bo Lind", "reason": "A test"}
    said = await page.request.post("/v1/decisions", data=wish, headers={"If-Match": "*"})
    number = (await said.json())["decision"]["number"]
    try:
        await reader.goes(f"/find?q={issue['natural_key']}")
        await expect(page.get_by_role("heading", name="It is known, but belongs to no request")).to_be_visible()
        await expect(page.get_by_role("main")).to_contain_text("Bo Lind decided")
        await reader.looks()
        await page.get_by_role("link", name="Look at the decision").click()
        await expect(page).to_have_url(re.compile(f"/decisions/{number}$"))
    finally:
        undo = {"kind": "undo", "decision": number, "by": "Bo Lind"}
        await page.request.post("/v1/decisions", data=undo, headers={"If-Match": "*"})


async def test_without_a_script(browser: Browser, hub: str, wanted: Any) -> None:
    context = await browser.new_context(base_url=hub, java_script_enabled=False)
    page = await context.new_page()
    await page.goto("/")
    await page.get_by_label("Type what you have").fill(wanted["title"])
    await page.get_by_role("button", name="Find").click()
    await page.get_by_role("main").get_by_role("link", name=wanted["title"]).click()
    await expect(page.get_by_role("heading", level=1)).to_have_text(wanted["title"])
    await page.get_by_label("As it stood on").fill(wanted["created_at"][:10])
    await page.get_by_role("button", name="Show").click()
    await expect(page.get_by_role("status").first).to_contain_text("by today's knowledge")
    await page.goto(f"/requests/{wanted['id']}/correct")
    await page.get_by_role("checkbox").last.check()
    await page.get_by_label("Your name").first.fill("Anna Berg")
    await page.get_by_role("button", name="request of their own").click()
    await expect(page.get_by_role("heading", name="What it would change")).to_be_visible()
    await page.get_by_role("link", name="Leave it as it is").click()
    await expect(page).to_have_url(re.compile("/correct$"))
    await context.close()


async def test_a_page_that_is_none(reader: Reader) -> None:
    await reader.goes("/nowhere", 404)
    await expect(reader.page.get_by_role("heading", level=1)).to_have_text("Not found")
    await reader.looks()
