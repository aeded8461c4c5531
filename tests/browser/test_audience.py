"""Who may read a connection: an admin says so, and is told when somebody was faster."""

from playwright.async_api import expect

from tests.browser.looking import Reader

PATH = "/connections/mail-sandbox/audience"


async def test_said_and_taken_back(reader: Reader) -> None:
    page = reader.page
    await reader.goes(PATH)
    await expect(page.get_by_label("Everybody who is signed in")).to_be_checked()
    await page.get_by_label("People and groups by name").check()
    await reader.looks("form")
    await page.get_by_role("button", name="Save").click()
    await expect(page.get_by_role("alert")).to_contain_text("Nobody is named")
    await reader.looks("nobody")
    await page.get_by_label("E-mail addresses").fill("anna@acme.example\nbo@acme.example")
    await page.get_by_role("button", name="Save").click()
    await expect(page.get_by_role("status")).to_contain_text("It holds")
    await expect(page.get_by_label("E-mail addresses")).to_have_value("anna@acme.example\nbo@acme.example")

    everybody = await page.request.put(f"/v1{PATH}", data={"kind": "everybody"}, headers={"If-Match": "*"})
    assert everybody.status == 200
    await page.get_by_label("In each request, the people in it").check()
    await page.get_by_role("button", name="Save").click()
    await expect(page.get_by_role("alert")).to_contain_text("Somebody changed the audience meanwhile")
    await expect(page.get_by_text("What holds now: everybody")).to_be_visible()
    await reader.looks("changed")
    await page.get_by_label("Everybody who is signed in").check()
    await page.get_by_role("button", name="Save").click()
    await expect(page.get_by_role("status")).to_contain_text("It holds")
