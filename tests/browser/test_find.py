"""The first page: somebody looks for a request with what they have."""

from playwright.async_api import expect

from tests.browser.looking import Reader


async def test_the_first_page(reader: Reader) -> None:
    await reader.goes("/")
    await expect(reader.page.get_by_role("heading", level=1)).to_have_text("Where is my request?")
    await expect(reader.page.get_by_role("listitem").filter(has_text="true up to")).to_have_count(3)
    await reader.looks()


async def test_nothing_is_found(reader: Reader) -> None:
    await reader.goes("/find?q=PAY-99999")
    await expect(reader.page.get_by_text("Nothing that is read is known by it.")).to_be_visible()
    await reader.looks()


async def test_a_page_that_is_none(reader: Reader) -> None:
    await reader.goes("/nowhere", 404)
    await expect(reader.page.get_by_role("heading", level=1)).to_have_text("Not found")
    await reader.looks()
