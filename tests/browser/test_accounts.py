"""Accounts: the first one by the link, sign-in wrong and right, two roles, what each sees, and what is noted."""

import asyncio
import re
from collections.abc import Iterator

import pytest
from playwright.async_api import Browser, expect

from tests.browser.conftest import reading
from tests.browser.looking import Reader
from tests.browser.running import Command, running

PASSWORD = "correct horse battery"


@pytest.fixture(scope="module")
def set_up_link(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The link that a hub without accounts tells at its start; the hub runs meanwhile."""
    said = r"http://[\d.:]+/set-up\?key=\S+"
    with running(Command(tmp_path_factory.mktemp("accounts"), said, "up", API_PORT="0", WEBHOOK_PORT="0")) as began:
        yield began[0]


async def test_from_the_link_to_two_roles(browser: Browser, set_up_link: str) -> None:
    address, _, key = set_up_link.partition("/set-up")
    async for anna in reading(browser, address, "test_accounts"):
        await the_first_account(anna, f"/set-up{key}")
        await signing_in(anna)
        await letting_in(anna)
        async for vera in reading(browser, address, "test_accounts_of_a_viewer"):
            await a_viewer(vera)
            await a_token(anna, vera)
            await ending(anna, vera)
        await noted(anna)


async def the_first_account(anna: Reader, path: str) -> None:
    page = anna.page
    await anna.goes(path)
    await anna.looks("set-up")
    await page.get_by_label("Your name").fill("Anna Berg")
    await page.get_by_label("E-mail address").fill("anna@acme.example")
    await page.get_by_label("Password").fill("short")
    await page.get_by_role("button", name="Make the account").click()
    await expect(page.get_by_role("alert")).to_contain_text("12")
    await expect(page.get_by_label("Your name")).to_have_value("Anna Berg")
    await anna.looks("too-short")
    await page.get_by_label("Password").fill(PASSWORD)
    await page.get_by_role("button", name="Make the account").click()
    await expect(page.get_by_role("link", name="Anna Berg")).to_be_visible()
    await anna.goes(path, 410)
    await expect(page.get_by_text("This link was used")).to_be_visible()
    await expect(page.get_by_label("Your name")).to_have_count(0)
    await anna.looks("used-link")


async def signing_in(anna: Reader) -> None:
    page = anna.page
    await anna.goes("/me")
    await anna.looks("me")
    await page.get_by_role("button", name="Sign out").click()
    await expect(page.get_by_role("heading", level=1)).to_have_text("Sign in")
    await page.goto("/accounts")
    await expect(page).to_have_url(re.compile(r"/sign-in\?next="))
    await anna.looks("sign-in")
    await page.get_by_label("Name or e-mail address").fill("Anna Berg")
    await page.get_by_label("Password").fill("not the right one")
    await page.get_by_role("button", name="Sign in").click()
    await expect(page.get_by_role("alert")).to_contain_text("Name or password is wrong")
    await anna.looks("wrong")
    await page.get_by_label("Password").fill(PASSWORD)
    await page.get_by_role("button", name="Sign in").click()
    await expect(page).to_have_url(re.compile("/accounts$"))
    await anna.goes("/")
    await anna.looks("nothing-connected")
    await page.get_by_role("link", name="Connect the first one").click()
    await expect(page).to_have_url(re.compile("/connect$"))
    await anna.goes("/accounts")


async def letting_in(anna: Reader) -> None:
    page = anna.page
    await page.get_by_label("Name", exact=True).fill("Vera Holm")
    await page.get_by_label("E-mail address").fill("vera@acme.example")
    await page.get_by_label("First password").fill(PASSWORD)
    await page.get_by_role("button", name="Add", exact=True).click()
    await expect(page.get_by_role("heading", level=1)).to_have_text("Vera Holm")
    await page.get_by_role("button", name="Take the password away").click()
    await expect(page.get_by_role("button", name="Take the password away")).to_have_count(0)
    await page.get_by_label("New password").fill(PASSWORD)
    await page.get_by_role("button", name="Save").click()
    await expect(page.get_by_role("button", name="Take the password away")).to_be_visible()
    await anna.looks("account")
    await anna.goes("/accounts")
    await anna.looks("accounts")


async def a_viewer(vera: Reader) -> None:
    page = vera.page
    await page.goto("/requests?stage=development")
    await page.get_by_label("Name or e-mail address").fill("vera@acme.example")
    await page.get_by_label("Password").fill(PASSWORD)
    await page.get_by_role("button", name="Sign in").click()
    await expect(page).to_have_url(re.compile(r"/requests\?stage=development$"))
    await expect(page.get_by_role("link", name="Accounts")).to_have_count(0)
    for path in ("/accounts", "/audit", "/dead-letters", "/connect"):
        await vera.goes(path, 403)
    await vera.looks("refused")


async def a_token(anna: Reader, vera: Reader) -> None:
    page = anna.page
    await anna.goes("/me")
    await page.get_by_label("What for").fill("Nightly report")
    await page.get_by_role("button", name="Make a token").click()
    shown = page.get_by_role("status").locator("pre")
    token = (await shown.inner_text()).strip()
    await anna.looks("token")
    answer = await vera.page.request.get("/v1/me", headers={"Authorization": f"Bearer {token}"})
    assert (await answer.json())["name"] == "Anna Berg"
    await anna.goes("/me")
    assert token not in await page.content()
    await page.get_by_role("button", name="Revoke Nightly report").click()
    await expect(page.get_by_role("button", name="Revoke Nightly report")).to_have_count(0)
    async with asyncio.timeout(60):
        while (await vera.page.request.get("/v1/me", headers={"Authorization": f"Bearer {token}"})).status != 401:
            await asyncio.sleep(0.1)


async def ending(anna: Reader, vera: Reader) -> None:
    page = anna.page
    await anna.goes("/accounts")
    await page.get_by_role("button", name=re.compile("End the session of Vera Holm")).click()
    await expect(page.get_by_role("button", name=re.compile("End the session of Vera Holm"))).to_have_count(0)
    async with asyncio.timeout(60):
        while "/sign-in" not in vera.page.url:
            await vera.page.goto("/me")


async def noted(anna: Reader) -> None:
    page = anna.page
    await anna.goes("/audit")
    for words in ("account.added", "session.revoked", "sign-in.refused", "token."):
        await expect(page.get_by_role("cell", name=re.compile(re.escape(words))).first).to_be_visible()
    assert PASSWORD not in await page.content()
    await anna.looks("audit")
    await page.get_by_label("Who").fill("Anna Berg")
    await page.get_by_role("button", name="Show").click()
    await expect(page.get_by_role("cell", name="nobody")).to_have_count(0)
