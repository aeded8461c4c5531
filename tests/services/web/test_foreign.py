"""What comes from elsewhere: pages of others change nothing here, and what a tool calls an address is no script."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine
from starlette.routing import Route

from services.query.access import Loopback
from services.web import pages
from services.web.pages.entering import local
from services.web.words import opens
from tests.services.web.test_site import client_of, company

__all__ = ["company"]

TEMPLATES = Path(pages.__file__).parent.parent / "templates"


def changing() -> Iterator[str]:
    """Paths of all forms."""
    for route in pages.routes():
        if isinstance(route, Route) and "POST" in (route.methods or ()):
            yield route.path_format.format_map(dict.fromkeys(route.param_convertors, "1"))


@pytest.mark.parametrize(
    "headers", [{"Origin": "https://evil.example"}, {"Sec-Fetch-Site": "cross-site"}, {"Sec-Fetch-Site": "same-site"},
                {"Origin": "null"}],
)  # fmt: skip
async def test_no_form_is_taken_from_a_page_of_others(company: AsyncEngine, headers: dict[str, str]) -> None:
    paths = sorted(changing())
    assert {"/decide", "/sign-in", "/sign-out", "/set-up"} <= set(paths)
    async with client_of(company, Loopback()) as http:
        taken = [path for path in paths if (await http.post(path, data={"a": "1"}, headers=headers)).status_code != 403]
    assert taken == []


@pytest.mark.parametrize(
    "address", ["javascript:alert(1)", "JavaScript:alert(1)", " javascript:x", "data:text/html,x", "//evil.example",
                "vbscript:x", "file:///etc/passwd", "", None],
)  # fmt: skip
def test_what_is_no_address_of_a_page_is_not_linked(address: str | None) -> None:
    assert not opens(address)


def test_every_link_out_of_the_site_is_looked_at() -> None:
    assert opens("HTTPS://acme.example/browse/PAY-1") == "HTTPS://acme.example/browse/PAY-1"
    out = [line for each in TEMPLATES.glob("*.html") for line in each.read_text().splitlines()
           if 'rel="noreferrer"' in line]  # fmt: skip
    assert len(out) > 5
    assert [line for line in out if line.count('rel="noreferrer"') > line.count("| opens %}")] == []


@pytest.mark.parametrize(
    "there", ["//evil.example", "/\\evil.example", "/\t/evil.example", "https://evil.example", "a"]
)
def test_the_way_back_leads_to_this_site(there: str) -> None:
    assert local(there) == "/"
    assert local("/requests?text=a") == "/requests?text=a"
