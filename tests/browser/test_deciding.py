"""Corrections: somebody parts and joins what belongs together, sees what it would do, and takes it back."""

import re
from typing import Any

import httpx2
import pytest
from playwright.async_api import Page, expect

from tests.browser.looking import Reader


@pytest.fixture(scope="module")
def request_of_three(hub: str) -> Any:
    """A finished request with at least three artifacts."""
    with httpx2.Client(base_url=hub, timeout=60) as http:
        for item in http.get("/v1/requests", params={"whole": "true", "state": "done"}).json()["items"]:
            if len(item["record"]["artifacts"]) >= 3:
                return item["record"]
    raise AssertionError("the company has no such request")


async def test_a_thing_is_taken_out_and_brought_back(reader: Reader, request_of_three: Any) -> None:
    page = reader.page
    name = request_of_three["id"]
    out = next(one for one in reversed(request_of_three["artifacts"]) if one["kind"] == "issue")
    await reader.goes(f"/requests/{name}/correct")
    await reader.looks("form")
    await page.get_by_role("checkbox", name=re.compile(re.escape(out["natural_key"]))).check()
    first = page.locator("form").filter(has=page.get_by_role("group", name="Which?"))
    await first.get_by_label("Your name").fill("Anna Berg")
    await first.get_by_label("Reason").fill("Another matter")
    await first.get_by_role("button", name="request of their own").click()
    await expect(page.get_by_text("would go from")).to_be_visible()
    await reader.looks("preview")
    before = await decisions(page)
    await page.get_by_role("button", name="Take things out").dblclick()
    await expect(page.get_by_role("status")).to_contain_text("Done")
    assert await decisions(page) == before + 1
    await expect(page.get_by_text("Another matter")).to_be_visible()
    await reader.looks("done")
    await page.get_by_label("Your name").fill("Anna Berg")
    await page.get_by_role("button", name="Take it back").click()
    await expect(page.get_by_role("heading", name="What it would change")).to_be_visible()
    await page.get_by_role("button", name="Take a decision back").click()
    await expect(page.get_by_role("status")).to_contain_text("Done")
    now = await page.request.get(f"/v1/requests/{name}")
    artifacts = {one["id"] for one in (await now.json())["request"]["artifacts"]}
    assert artifacts == {one["id"] for one in request_of_three["artifacts"]}
    await reader.goes("/decisions")
    await expect(page.get_by_label("Decisions").get_by_role("listitem").nth(1)).to_contain_text("undone by")
    await reader.looks("decisions")


async def decisions(page: Page) -> int:
    """How many there are."""
    return len((await (await page.request.get("/v1/decisions", params={"limit": "100"})).json())["items"])


async def test_what_contradicts_is_refused_with_the_decision_in_its_way(reader: Reader, request_of_three: Any) -> None:
    page = reader.page
    one, other = (each["id"] for each in request_of_three["artifacts"][:2])
    wish = {"kind": "link", "a": one, "b": other, "by": "Bo Lind"}
    taken = await page.request.post("/v1/decisions", data=wish, headers={"If-Match": "*"})
    number = (await taken.json())["decision"]["number"]
    await reader.goes(f"/why?from={one}&with={other}")
    await reader.looks("why")
    await page.get_by_role("button", name="They do not belong together").click()
    await expect(page.get_by_role("alert")).to_contain_text(f"Decision {number}")
    await expect(page).to_have_title(re.compile("^Error: "))
    await reader.looks("refused")
    undo = {"kind": "undo", "decision": number, "by": "Bo Lind"}
    assert (await page.request.post("/v1/decisions", data=undo, headers={"If-Match": "*"})).status == 201


async def test_what_leads_to_nothing_is_told(reader: Reader, request_of_three: Any) -> None:
    page = reader.page
    await reader.goes(f"/requests/{request_of_three['id']}/correct")
    await page.get_by_role("heading", name="Something is missing here").click()
    form = page.locator("form").filter(has=page.get_by_label("What belongs here, too?"))
    await form.get_by_label("What belongs here, too?").fill("PAY-99999")
    await form.get_by_label("Your name").fill("Anna Berg")
    await form.get_by_role("button", name="Link").click()
    await expect(page.get_by_role("alert")).to_contain_text("names nothing that is read so far")


async def test_suggestions(reader: Reader) -> None:
    page = reader.page
    await reader.goes("/suggestions")
    await reader.looks()
    if await page.get_by_role("article").count() == 0:
        await expect(page.get_by_text("Nothing waits.")).to_be_visible()
        return
    before = await page.get_by_role("article").count()
    await page.get_by_role("button", name="Not now").first.click()
    await expect(page.get_by_role("status")).to_contain_text("14 days")
    await expect(page.get_by_role("article")).to_have_count(before - 1)
    await reader.looks("answered")


async def test_why_asks_first(reader: Reader) -> None:
    await reader.goes("/why")
    await reader.looks()
    await reader.goes("/why?from=PAY-99999&with=PAY-99998", 404)
    await expect(reader.page.get_by_role("alert")).to_contain_text("names nothing that is read so far")
    await reader.looks("nothing")
