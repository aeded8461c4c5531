"""What a restricted connection brought stands on no page and in no stream for whoever may not read it.

Its words are planted in a title, a text, a comment, a person, a status, a decision, a value and a dead letter. The
API's other answers: tests/services/query/test_audience_everywhere.py.
"""

import asyncio

import httpx2
import pytest
from starlette.routing import Route
from starlette.types import Message, Receive, Scope, Send

from schemas.access import THIS_MACHINE, Caller, Role
from services.admin.routers import ROUTERS
from services.query.app import create_app
from services.web import pages
from services.web.site import create_site
from tests.services.query.conftest import BASE, NOW, owned
from tests.services.query.test_audience import STRANGERS, As, company, owned_by
from tests.services.query.test_audience_everywhere import Laden, laden, planted

__all__ = ["company", "laden"]

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)

PROGRAM = Caller("A program", Role.ADMIN, "token")
ALL_STRANGERS = pytest.mark.parametrize("caller", [*STRANGERS, PROGRAM], ids=lambda one: f"{one.role}-{one.how}")

QUERIES = {
    "/find": ["?q=MEMO-1", "?q=board/memo/22", "?q=MEMO-22", "?q=matter"],
    "/find/suggest": ["?q=matter", "?q=MEMO-22"],
    "/requests": ["", "?connection=board", "?text=matter", "?sort=changed"],
    "/requests/board": ["", "?connection=board", "?text=matter"],
    "/requests.csv": ["", "?connection=board", "?text=matter"],
    "/requests/{id}": ["", "?as_of=2026-03-31"],
    "/requests/{id}/correct": ["", "?what=board/memo/21"],
    "/suggestions": ["", "?waiting=true"],
    "/why": ["?from=MEMO-1&with=board/memo/21", "?from=MEMO-4&with=board/memo/22"],
    "/audit": ["", "?action=dead-letter", "?on=board"],
}
"""Queries of pages, none of which holds a planted word: a page shows what was asked for."""

HOLDS = {
    "/find", "/find/suggest", "/requests", "/requests/board", "/requests.csv", "/requests/{id}", "/decisions",
    "/requests/{id}/timeline", "/requests/{id}/parts", "/requests/{id}/links", "/decisions/{number:int}", "/why",
    "/dead-letters/{id}", "/connections/{id}/stage-map",
}  # fmt: skip
"""Pages that show the words to who may read them."""


def reading_pages() -> list[str]:
    return [one.path for one in pages.routes() if isinstance(one, Route) and "GET" in (one.methods or ())]


def addresses(laden: Laden, path: str) -> list[str]:
    """What to ask for. Fails where somebody must say what a new page is called with."""
    letters = laden.names["/v1/dead-letters/{letter}"]
    names = {
        "/accounts/": laden.names["/v1/accounts/{id}"], "/connections/": ["board", "memos"], "/decisions/": ["1", "2"],
        "/requests/": [owned(1), owned_by("board", 22)], "/connect/": ["jira"], "/dead-letters/{": letters,
        "/dead-letters/causes/": laden.names["/v1/dead-letters/causes/{cause}"],
    }  # fmt: skip
    places = [path]
    if "{" in path:
        begun = [one for one in names if path.startswith(one)]
        assert begun, f"{path}: say here what it is called with"
        head, _, tail = path.partition("{")
        places = [f"{head}{name}{tail.partition('}')[2]}" for name in names[max(begun, key=len)]]
    return [place + query for place in places for query in QUERIES.get(path, [""])]


async def shown(laden: Laden, caller: Caller) -> dict[str, list[str]]:
    """By page: the planted words on it."""
    found: dict[str, list[str]] = {}
    site = create_site(laden.app(caller), As(caller), lambda: NOW)
    transport = httpx2.ASGITransport(site, raise_app_exceptions=False)
    async with httpx2.AsyncClient(transport=transport, base_url=BASE) as http:
        for path in reading_pages():
            for address in addresses(laden, path):
                answer = await http.get(address)
                assert answer.status_code in (200, 303, 403, 404, 409, 410), f"{address}: {answer.status_code}"
                found.setdefault(path, []).extend(planted((answer.text + str(dict(answer.headers))).lower()))
    return found


@ALL_STRANGERS
async def test_no_page_shows_a_stranger_what_was_planted(laden: Laden, caller: Caller) -> None:
    assert {path: words for path, words in (await shown(laden, caller)).items() if words} == {}


async def test_the_words_are_on_the_pages_where_they_are_looked_for(laden: Laden) -> None:
    told = await shown(laden, THIS_MACHINE)
    assert {path for path in HOLDS if not told[path]} == set(), "nothing was planted there"


async def streamed(laden: Laden, caller: Caller) -> str:
    """All changes so far, as the stream tells them; it ends once they are told."""
    closing = asyncio.Event()
    app = create_app(laden.hub.engine, lambda: NOW, access=As(caller), more=ROUTERS, closing=closing)

    async def ending(scope: Scope, receive: Receive, send: Send) -> None:
        async def told(message: Message) -> None:
            await send(message)
            if message["type"] == "http.response.body" and b"data:" in message.get("body", b""):
                closing.set()

        await app(scope, receive, told)

    transport = httpx2.ASGITransport(ending, raise_app_exceptions=False)
    async with httpx2.AsyncClient(transport=transport, base_url=BASE) as http, asyncio.timeout(30):
        answer = await http.get("/v1/changes/stream?since=0")
    assert answer.status_code == 200
    return answer.text.lower()


@ALL_STRANGERS
async def test_no_stream_tells_a_stranger_what_was_planted(laden: Laden, caller: Caller) -> None:
    text = await streamed(laden, caller)
    assert "event: change" in text
    assert planted(text) == []
