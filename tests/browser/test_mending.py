"""A connection watched, steered and removed; dead letters mended; meanings of statuses and links chosen and undone."""

import asyncio
import re
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Locator, expect

from tests.browser.conftest import reading
from tests.browser.looking import Reader, done, pressed
from tests.browser.running import PATIENCE
from tests.browser.spoiling import SPOILT, spoil
from tests.browser.tools import World, taken_out


@pytest_asyncio.fixture(loop_scope="session", scope="module", autouse=True)
async def only_jira(there: World) -> None:
    """The hub has read a Jira, and nothing else is connected to it."""
    await there.emptied()
    await there.connected("jira")


@pytest_asyncio.fixture(loop_scope="session")
async def anna(browser: Browser, there: World, request: pytest.FixtureRequest) -> AsyncIterator[Reader]:
    """An admin in front of it."""
    async for one in reading(browser, there.address, request.node.name):
        yield one


async def until(anna: Reader, path: str, what: Locator, *, there: bool = True) -> None:
    """Open a page again and again until something is on it, or not any more: counts are kept for a second."""
    async with asyncio.timeout(PATIENCE / 1000):
        while bool(await what.count()) != there:
            await anna.goes(path)


async def test_steered_and_compared(anna: Reader) -> None:
    page = anna.page
    await anna.goes("/connections/jira")
    await pressed(page, "Pause")
    await expect(done(page)).to_contain_text("It is paused")
    await expect(page.locator("#standing .state").first).to_have_text("paused")
    await anna.looks("paused")
    await pressed(page, "Resume")
    await expect(page.locator("#standing .state").first).to_have_text("reading")
    await pressed(page, "Compare and fetch what differs")
    await expect(done(page)).to_contain_text("The comparison is asked for")
    await expect(page.locator("#attention")).to_contain_text(re.compile(r"Ended .* ago|Ended now"))
    await page.get_by_label("From", exact=True).fill("2026-09-01")
    await pressed(page, "Read again")
    await expect(done(page)).to_contain_text("It reads again")
    await expect(page.locator("#standing")).to_contain_text("Reads from")
    await anna.looks("compared")


async def test_what_fails_says_its_mend_and_is_mended(anna: Reader, there: World) -> None:
    page = anna.page
    options = there.wishes["jira"]["options"]
    await there.changed("jira", {**options, "auth": {**options["auth"], "token": "CANARY-refused"}})
    await anna.goes("/connections")
    await expect(page.locator("li.watched .state")).to_have_text("needs attention")
    await until(anna, "/connections", page.locator(".badge"))
    await anna.looks("needs-attention")
    await page.get_by_role("link", name="Jira", exact=True).click()
    await expect(page.locator("#attention")).to_contain_text("Failures, by what mends them")
    await expect(page.locator("#attention .fault")).to_contain_text("Mend:")
    await anna.looks("failures")
    await page.get_by_role("link", name="Change").first.click()
    await page.locator("[id='auth.api_token.token']").fill(there.token)
    await pressed(page, "Save")
    await expect(page.locator("#standing .state").first).to_have_text("reading")
    await expect(page.locator("#failed")).to_contain_text("1 kind of failure that is over")
    await expect(page.locator("#attention .fault")).to_have_count(0)
    await until(anna, "/connections", page.locator(".badge"), there=False)


async def test_webhooks_are_set_up(anna: Reader) -> None:
    page = anna.page
    await anna.goes("/connections/jira")
    await page.get_by_text("Set them up in the tool").click()
    await expect(page.get_by_text("/hooks/jira")).to_be_visible()
    await pressed(page, "Make a secret")
    secret = (await done(page).locator("pre").inner_text()).strip()
    assert len(secret) == 43
    await anna.looks("secret")
    await page.get_by_role("link", name="Change").first.click()
    await page.get_by_text("Webhooks: hear of changes at once").click()
    await page.get_by_label("Webhook secret").fill(secret)
    await pressed(page, "Save")
    await expect(done(page)).to_contain_text("The change is saved")
    assert secret not in await page.content()
    await page.get_by_text("Set them up in the tool").click()
    await pressed(page, "Send a test delivery")
    await expect(done(page)).to_contain_text("The delivery arrived")
    await anna.looks("delivery")
    await pressed(page, "Register it in Jira")
    await expect(page.locator(".box.notice")).to_contain_text("Jira gets the webhook “Throughline (jira)”")
    await anna.looks("register")
    await pressed(page, "Write this in the tool")
    await expect(done(page)).to_contain_text("The webhook stands in the tool")
    await pressed(page, "Look at it in Jira")
    await expect(page.locator(".box.notice")).to_contain_text("as it should be: nothing is written")
    await pressed(page, "Remove it from Jira")
    await pressed(page, "Remove it there")
    await expect(done(page)).to_contain_text("The webhook is removed from the tool")


async def test_a_dead_letter_is_mended_and_replayed(anna: Reader, there: World) -> None:
    page = anna.page
    await anna.goes("/dead-letters")
    await expect(page.get_by_text("Nothing waits.")).to_be_visible()
    await anna.looks("none")
    await spoil(there.folder, 2)
    badge = page.get_by_role("link", name="Dead letters 2")
    await until(anna, "/about", badge)
    await badge.click()
    await anna.looks("causes")
    await page.get_by_role("link", name=re.compile("^Issue: id and fields are needed")).click()
    await pressed(page, "Show what a replay would do")
    await expect(page.get_by_role("status").filter(has_text="were tried")).to_contain_text("2 would come back")
    await anna.looks("all")
    await page.get_by_role("row").nth(1).get_by_role("link").click()
    await expect(page.get_by_label("What it holds")).to_have_value(re.compile(f'"{SPOILT}"'))
    await pressed(page, "Show what a replay would do")
    await expect(page.get_by_role("heading", name="It would come back")).to_be_visible()
    holds = page.get_by_label("What it holds")
    await holds.fill("{")
    await pressed(page, "Try the edited form")
    await expect(page.get_by_role("alert")).to_be_visible()
    await expect(holds).to_have_value("{")
    await anna.looks("no-json")
    await anna.goes(page.url)
    await holds.fill((await holds.input_value()).replace(f'"{SPOILT}"', '"fields"'))
    await pressed(page, "Try the edited form")
    await expect(page.get_by_role("heading", name="It would be understood")).to_be_visible()
    await anna.looks("tried")
    await pressed(page, "Save the edited form")
    await expect(done(page)).to_contain_text("The edited form is kept")
    await pressed(page, "Show what a replay would do")
    await pressed(page, "Replay it")
    await expect(done(page)).to_contain_text("It is being published again")
    letter = page.url
    await until(anna, letter, page.get_by_role("definition").filter(has_text=re.compile("^replayed")))
    await anna.looks("replayed")
    await dropped(anna)


async def dropped(anna: Reader) -> None:
    """The other one is of no use."""
    page = anna.page
    await anna.goes("/dead-letters")
    await page.get_by_role("link", name=re.compile("^Issue: id and fields are needed")).click()
    await page.get_by_text("Drop all of them").click()
    await pressed(page, "Drop 1 letter")
    await expect(page.get_by_role("alert")).to_be_visible()
    await page.get_by_text("Drop all of them").click()
    await page.get_by_label("Reason").fill("The tool was mended")
    await pressed(page, "Drop 1 letter")
    await expect(page.get_by_text("Nothing waits.")).to_be_visible()
    await until(anna, "/dead-letters", page.locator(".badge"), there=False)


async def test_what_statuses_mean_is_tried_chosen_and_taken_back(anna: Reader, there: World) -> None:
    page = anna.page
    await there.settled()
    await anna.goes("/connections/jira/stage-map")
    await expect(page.get_by_text("Every status has a meaning.")).to_be_visible()
    await anna.looks("map")
    stage = page.get_by_label("Stage of Released of Story")
    await stage.select_option("improvement")
    await pressed(page, "Show what it would do")
    await expect(page.get_by_role("heading", name="What it would do")).to_be_visible()
    await expect(stage).to_have_value("improvement")
    await anna.looks("would")
    await pressed(page, "Apply")
    await expect(done(page)).to_contain_text("It holds")
    await expect(done(page)).to_contain_text("Every request is computed with it")
    await expect(page.get_by_role("row").filter(has_text="chosen").first).to_contain_text("improvement")
    await anna.looks("holds")
    await page.get_by_role("button", name=re.compile("^Undo change")).click()
    await expect(page.get_by_role("heading", name=re.compile("^What it would do to take change"))).to_be_visible()
    await expect(stage).to_have_value("improvement")
    await anna.looks("would-be-undone")
    await page.get_by_role("button", name=re.compile("^Undo change")).click()
    await expect(done(page)).to_contain_text("It holds")
    await expect(stage).to_have_value("")


async def test_what_opens_and_joins_is_tried(anna: Reader, there: World) -> None:
    page = anna.page
    await there.settled()
    await anna.goes("/connections/jira/rules")
    await anna.looks("rules")
    await page.get_by_label("Only these; others join a request or stay outside").check()
    await page.get_by_role("checkbox", name=re.compile("^Story")).check()
    await page.get_by_label("What the link parent does").select_option("mentions")
    await pressed(page, "Show what it would do")
    await expect(page.get_by_role("heading", name="What it would do")).to_be_visible()
    await expect(page.get_by_role("checkbox", name=re.compile("^Story"))).to_be_checked()
    await expect(page.get_by_label("What the link parent does")).to_have_value("mentions")
    await anna.looks("would")


async def test_about(anna: Reader) -> None:
    page = anna.page
    await anna.goes("/")
    await page.get_by_role("link", name="About this hub").click()
    await expect(page.get_by_role("definition").filter(has_text="SQLite")).to_be_visible()
    await expect(page.get_by_role("row").filter(has_text="Jira")).to_contain_text("reading")
    await anna.looks("about")


async def test_a_page_left_open_over_a_restart(anna: Reader, there: World) -> None:
    page = anna.page
    async with there.api() as http:
        items = (await http.get("/v1/requests", params={"whole": "true", "limit": "100"})).json()["items"]
    record = max((one["record"] for one in items), key=lambda one: len(one["artifacts"]))
    await anna.goes(f"/requests/{record['id']}")
    rows = page.get_by_role("table").get_by_role("row")
    before = await rows.count()
    there.hub.stop()
    there.hub.start()
    async with taken_out(page, record):
        await expect(rows).to_have_count(before - 1)
    await expect(rows).to_have_count(before)
    anna.complaints.clear()  # the browser says that nobody answered meanwhile


async def test_removed_after_saying_what_is_lost(anna: Reader, there: World) -> None:
    await there.settled()
    page = anna.page
    await anna.goes("/connections/jira")
    await page.get_by_role("link", name="Remove").click()
    await expect(page.get_by_text(re.compile(r"\d+ requests? loses? something"))).to_be_visible()
    await pressed(page, await page.get_by_role("button", name=re.compile("^Remove")).inner_text())
    await expect(page.get_by_role("alert")).to_contain_text("Say what becomes of what it brought")
    await anna.looks("asked")
    await page.get_by_role("radio", name=re.compile("^It stays")).check()
    await page.get_by_role("button", name=re.compile("^Remove")).click()
    await expect(done(page)).to_contain_text("jira is removed")
    await expect(page.get_by_text("No tool is connected yet.")).to_be_visible()
