"""Three tools set up through the forms, wrong first and then right; their first read watched; one changed by two."""

import re
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page, expect

from tests.browser.conftest import reading
from tests.browser.looking import Reader, done, pressed
from tests.browser.running import PATIENCE
from tests.browser.tools import World


@pytest_asyncio.fixture(loop_scope="session")
async def anna(browser: Browser, there: World, request: pytest.FixtureRequest) -> AsyncIterator[Reader]:
    """An admin in front of it."""
    async for one in reading(browser, there.address, request.node.name):
        yield one


async def field(page: Page, name: str, value: str) -> None:
    """An input by its name, unfolded where it is folded away."""
    one = page.locator(f'[id="{name}"]')
    await one.wait_for(state="attached")
    if not await one.is_visible():
        await page.locator("details", has=one).locator("summary").last.click()
    await one.fill(value)


async def test_jira_wrong_first_and_then_right(anna: Reader, there: World) -> None:
    await there.emptied()
    page = anna.page
    await anna.goes("/connections")
    await anna.looks("none-yet")
    await page.get_by_role("link", name="Connect the first tool").click()
    await expect(page.get_by_role("heading", level=1)).to_have_text("Which tool shall be read?")
    await anna.looks("tools")
    await page.get_by_role("link", name="Jira").click()

    await pressed(page, "Test")
    await expect(page.get_by_role("alert")).to_contain_text("3 things are to be mended")
    await expect(page).to_have_title(re.compile("^Error: "))
    await anna.looks("missing")
    await page.get_by_role("alert").get_by_role("link", name="Address is missing.").click()
    await expect(page.locator("#base_url")).to_be_focused()

    await field(page, "base_url", there.jira)
    await field(page, "auth.api_token.email", there.email)
    await field(page, "auth.api_token.token", "CANARY-no-such-token")
    await pressed(page, "Test")
    await expect(page.get_by_role("heading", name="The test stopped")).to_be_visible()
    assert "CANARY" not in await page.content()
    await anna.looks("refused")

    await field(page, "auth.api_token.token", there.token)
    await pressed(page, "Test")
    await expect(page.get_by_role("heading", name="The test went well")).to_be_visible()
    assert there.token not in await page.content()
    await expect(page.get_by_text("Typed a moment ago")).to_be_visible()
    await field(page, "base_url", there.jira.replace("127.0.0.1", "localhost"))
    await pressed(page, "Test")
    await expect(page.get_by_role("alert")).to_contain_text("API token is missing")

    await field(page, "base_url", there.jira)
    await field(page, "auth.api_token.token", there.token)
    await field(page, "connection.since", "2026-06-01")
    await pressed(page, "Preview")
    shown = page.locator("section", has_text="What it would bring")
    await expect(shown).to_contain_text(re.compile(r"About \d+ things would be read since 2026-06-01"))
    await expect(page.get_by_role("link", name=re.compile("^issue ")).first).to_be_visible()
    await anna.looks("preview")
    await pressed(page, "Save")
    await expect(done(page)).to_contain_text("The connection is saved")
    await expect(page.locator("#standing")).to_contain_text("True up to")
    await expect(page.locator("#standing")).to_contain_text(re.compile(r"\d+ events in 7 days"))
    assert there.token not in await page.content()
    await anna.looks("read")


async def test_hubspot_and_a_mailbox(anna: Reader, there: World) -> None:
    await there.emptied()
    page = anna.page
    await anna.goes("/connect/hubspot")
    await field(page, "base_url", there.hubspot)
    await field(page, "token", "pat-na1-wrong")
    await pressed(page, "Save")
    await expect(page.get_by_role("heading", name="The test stopped")).to_be_visible()
    await expect(page.get_by_label("Save it though the tool cannot be read now")).to_be_visible()
    await field(page, "token", there.hubspot_token)
    await pressed(page, "Save")
    await expect(done(page)).to_contain_text("The connection is saved")

    await anna.goes("/connect/mailbox")
    await field(page, "host", there.mail_host)
    await field(page, "port", "none")
    await page.get_by_label("Encryption").select_option("None (this machine only)")
    await field(page, "auth.password.user", there.user)
    await field(page, "auth.password.password", there.password)
    await pressed(page, "Save")
    await expect(page.get_by_role("alert").get_by_role("link", name=re.compile("^Port "))).to_be_visible()
    await expect(page.locator("#port")).to_be_visible()
    await field(page, "port", there.mail_port)
    await field(page, "auth.password.password", there.password)
    await pressed(page, "Save")
    await expect(done(page)).to_contain_text("The connection is saved")
    await anna.goes("/connections")
    for name in ("hubspot", "mailbox"):
        await expect(page.locator("li.watched", has_text=name)).to_contain_text("True up to")
    await anna.looks("both")


async def test_two_change_one_connection(anna: Reader, there: World) -> None:
    await there.connected("jira")
    page = anna.page
    await anna.goes("/connections/jira/change")
    await expect(
        page.get_by_text("Stored; leave it empty to keep it. Another address asks for it again.")
    ).to_be_visible()
    await anna.looks("change")
    other = await page.context.new_page()
    await other.goto("/connections/jira/change")
    await field(other, "projects", "PAY")
    await pressed(other, "Save")
    await expect(done(other)).to_contain_text("The change is saved")
    await other.close()

    await field(page, "connection.title", "Jira of Anna")
    await pressed(page, "Save")
    alert = page.get_by_role("alert")
    await expect(alert).to_contain_text("Somebody changed this connection while you did")
    await expect(alert).to_contain_text("Projects is now: PAY")
    await expect(page.get_by_label("Title")).to_have_value("Jira of Anna")
    await anna.looks("outrun")
    await alert.get_by_role("link", name="start from what is stored").click()
    await expect(page.get_by_label("Projects")).to_have_value("PAY")
    await field(page, "connection.title", "Jira of Anna")
    await field(page, "base_url", "https://elsewhere.example")
    await pressed(page, "Save")
    await expect(page.get_by_role("alert")).to_contain_text("API token is needed for the new address")
    await field(page, "base_url", there.jira)
    await pressed(page, "Save")
    await expect(page.get_by_role("heading", level=1)).to_contain_text("Jira of Anna")


async def test_by_keyboard_alone(anna: Reader, there: World) -> None:
    await there.emptied()
    page = anna.page
    await anna.goes("/connect/mailbox")
    await reached(anna, "input host")
    await page.keyboard.type(there.mail_host)
    await reached(anna, "select security")
    await page.keyboard.press("n")
    await reached(anna, "input auth.password.user")
    await page.keyboard.type(there.user)
    await page.keyboard.press("Tab")
    await page.keyboard.type(there.password)
    await reached(anna, "summary More options")
    await page.keyboard.press("Enter")
    await reached(anna, "input port")
    await page.keyboard.type(there.mail_port)
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("heading", name="The test went well")).to_be_visible()


async def reached(anna: Reader, what: str) -> None:
    """Go on with Tab until it has the focus, which is seen."""
    for _ in range(60):
        await anna.page.keyboard.press("Tab")
        if await anna.focused() == what:
            outline = await anna.page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
            assert outline != "none"
            return
    raise AssertionError(f"{what} is not reached; the focus is at {await anna.focused()}")


async def test_without_scripts(browser: Browser, there: World) -> None:
    await there.emptied()
    context = await browser.new_context(base_url=there.address, java_script_enabled=False)
    context.set_default_timeout(PATIENCE)
    page = await context.new_page()
    await page.goto("/connect/mailbox")
    await field(page, "host", there.mail_host)
    await field(page, "port", there.mail_port)
    await page.get_by_label("Encryption").select_option("None (this machine only)")
    await field(page, "auth.password.user", there.user)
    await pressed(page, "Test")
    await expect(page.get_by_role("alert")).to_contain_text("Password is missing")
    await field(page, "auth.password.password", there.password)
    await pressed(page, "Test")
    await expect(page.get_by_role("heading", name="The test went well")).to_be_visible()
    await pressed(page, "Save")
    await expect(done(page)).to_contain_text("The connection is saved")
    await context.close()
