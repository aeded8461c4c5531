"""Decisions on pages: one that is sent twice is made once; what a browser is called."""

import re

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from schemas.access import THIS_MACHINE
from services.web.words import browser
from tests.services.query.conftest import owned
from tests.services.web.test_site import As, client_of, company

__all__ = ["company"]


async def test_one_that_is_sent_again_is_made_once(company: AsyncEngine) -> None:
    """As by a double click, or where somebody goes back and the browser sends the form again."""
    async with client_of(company, As(THIS_MACHINE)) as http:
        wish = {"kind": "no request", "request": owned(1), "by": "Bo Lind", "back": f"/requests/{owned(1)}"}
        tried = (await http.post("/decide", data=wish)).text
        assert "Once you confirm it, this is kept:" in tried
        form = dict(re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)"', tried))
        answers = [await http.post("/decide", data=form) for _ in range(2)]
        assert [one.status_code for one in answers] == [303, 303]
        assert answers[0].headers["location"] == answers[1].headers["location"]
        assert len((await http.get("/v1/decisions")).json()["items"]) == 1


@pytest.mark.parametrize(
    ("agent", "told"),
    [
        ("Mozilla/5.0 (Windows NT 10.0) AppleWebKit/537.36 Chrome/140.0 Safari/537.36 Edg/140.0", "Edge on Windows"),
        ("Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) Version/18.0 Safari/604.1", "Safari on iPhone"),
        ("Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0", "Firefox on Linux"),
        ("Nightly report", "Nightly report"), ("", "not told"), (None, "not told"),
    ],
)  # fmt: skip
def test_a_browser_is_told_in_two_words(agent: str | None, told: str) -> None:
    assert browser(agent) == told
