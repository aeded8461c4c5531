"""What is looked for in every page is found where it is."""

import pytest
from playwright.async_api import expect

from tests.browser.looking import Reader


@pytest.mark.parametrize(
    ("fault", "told"),
    [
        ("const made = document.createElement('button'); document.querySelector('main').append(made)", "light"),
        ("const made = document.querySelector('main p'); made.style.color = 'silver'", "light"),
        ("const made = document.createElement('p'); made.textContent = 'x'.repeat(99); made.className = 'number'; "
         "document.querySelector('main').append(made)", "sideways"),
    ],
)  # fmt: skip
async def test_a_fault_is_found(reader: Reader, fault: str, told: str) -> None:
    await reader.goes("/nowhere", 404)
    await expect(reader.page.get_by_role("main")).to_be_visible()
    await reader.page.evaluate(fault)
    with pytest.raises(AssertionError, match=told):
        await reader.looks()
