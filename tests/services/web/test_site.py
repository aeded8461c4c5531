"""The site as a whole: who sees which page, what every page tells its browser, and what becomes of errors."""

import logging
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx2
import pytest
from sqlalchemy.ext.asyncio import AsyncEngine
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import Scope

from pipelines.store.configuration import ConnectionConfiguration, write
from pipelines.store.engine import open_engine, writing
from pipelines.suggesting import Suggesting
from schemas.access import THIS_MACHINE, Caller, Role
from services.admin import identities, oidc
from services.query.access import Access, Loopback
from services.query.app import create_app
from services.query.refused import Refused
from services.query.steps import BOUNDS, Bounds
from services.web import pages
from services.web.pages.entering import ELSEWHERE
from services.web.site import OPEN, create_site
from tests.parts.copies import prepared
from tests.pipelines.memos import memo
from tests.services.query.conftest import BASE, COMPANY, NOW, fill, owned
from tests.services.query.test_suggestions import MODEL

VIEWER = Caller("Vera", Role.VIEWER, "session", "a-1", "vera@example.com", reads_all=True)


class As:
    """Access that knows one caller, or nobody, or refuses everybody."""

    def __init__(self, caller: Caller | None, refusal: Refused | None = None) -> None:
        self._caller = caller
        self._refusal = refusal

    async def caller(self, scope: Scope) -> Caller | None:
        """The one."""
        del scope
        if self._refusal:
            raise self._refusal
        return self._caller


async def broken(request: Request) -> Response:
    """A page with a fault."""
    raise ZeroDivisionError(f"CANARY {request.url}")


def client_of(engine: AsyncEngine, access: Access, bounds: Bounds = BOUNDS, **headers: str) -> httpx2.AsyncClient:
    api = create_app(engine, lambda: NOW, access=access, bounds=bounds)
    site = create_site(api, access, lambda: NOW, [Route("/broken", broken)])
    transport = httpx2.ASGITransport(site, raise_app_exceptions=False)
    return httpx2.AsyncClient(transport=transport, base_url=BASE, headers=headers)


async def read(engine: AsyncEngine) -> None:
    """The company, read, without a connection."""
    async with writing(engine) as connection:
        await write(connection, "memos", ConnectionConfiguration("jira", frozenset({"MEMO"})))
    await fill(engine, COMPANY)


@pytest.fixture
async def company(sqlite_url: str) -> AsyncIterator[AsyncEngine]:
    await prepared(sqlite_url, read)
    engine = open_engine(sqlite_url)
    yield engine
    await engine.dispose()


@pytest.fixture
async def machine(company: AsyncEngine) -> AsyncIterator[httpx2.AsyncClient]:
    """Somebody on this machine."""
    async with client_of(company, As(THIS_MACHINE)) as http:
        yield http


async def test_programs_get_the_api_and_people_get_pages(machine: httpx2.AsyncClient) -> None:
    for path, kind in (
        ("/livez", "application/json"), ("/openapi.json", "application/json"), ("/v1/requests", "application/json"),
        ("/v1/nothing", "application/problem+json"), ("/", "text/html; charset=utf-8"),
        ("/nothing", "text/html; charset=utf-8"),
    ):  # fmt: skip
        assert (await machine.get(path)).headers["content-type"] == kind, path


async def test_every_page_tells_its_browser_to_be_careful(machine: httpx2.AsyncClient) -> None:
    for path in ("/", "/nothing", "/broken", "/static/nothing.css", f"/requests/{owned(1)}/correct"):
        answer = await machine.get(path)
        policy = answer.headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert "http" not in policy
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["x-frame-options"] == "DENY"
        assert answer.headers["cache-control"] == "no-store"


async def test_why_tells_a_decision_once(machine: httpx2.AsyncClient) -> None:
    for number, body in enumerate(
        ({"kind": "unlink", "a": "MEMO-1", "b": "MEMO-2"}, {"kind": "no request", "artifacts": ["MEMO-1"]}), 1
    ):
        decided = await machine.post("/v1/decisions", json=body, headers={"If-Match": "*"})
        assert decided.status_code == 201, decided.text
        text = (await machine.get("/why?from=MEMO-1&with=MEMO-2")).text
        assert re.findall(r"decided on [^<]*?\(decision (\d+)\)", text).count(str(number)) == 1
        assert f'href="/decisions/{number}"' in text


async def test_what_the_days_limit_holds_back_can_be_looked_at(
    company: AsyncEngine, machine: httpx2.AsyncClient
) -> None:
    await fill(
        company, [memo(71, title="Replace the printer upstairs"), memo(72, title="Replace the printer upstairs")]
    )
    suggesting = Suggesting(company, lambda: NOW, "test", model=MODEL, a_day=0)
    while await suggesting.once():
        pass
    held = (await machine.get("/suggestions")).text
    assert "1 more pair waits for its day." in held
    assert "THROUGHLINE_SUGGESTIONS_A_DAY" in held
    shown = (await machine.get("/suggestions?waiting=true")).text
    assert "Replace the printer upstairs" in shown


async def test_no_page_has_a_script_or_style_in_it(machine: httpx2.AsyncClient) -> None:
    for path in ("/", "/find?q=MEMO", "/suggestions", "/decisions", "/why", f"/requests/{owned(1)}/correct"):
        text = (await machine.get(path)).text
        assert "<style" not in text
        assert " style=" not in text
        assert " onclick" not in text
        assert text.count("<script") == text.count("<script src=")


async def test_what_is_shown_is_escaped(company: AsyncEngine) -> None:

    await fill(company, [memo(70, title="<script>alert(1)</script>", by='"><img src=x>')])
    async with client_of(company, As(THIS_MACHINE)) as http:
        for path in ("/", "/find?q=<script>alert(2)</script>", f"/requests/{owned(70)}/correct"):
            text = (await http.get(path)).text
            assert "<script>alert" not in text
            assert "<img" not in text


async def test_who_is_not_known_signs_in_first_and_comes_back(company: AsyncEngine) -> None:
    async with client_of(company, As(None)) as http:
        answer = await http.get("/requests?stage=development&text=a%26b")
        assert answer.status_code == 303
        there = urlsplit(answer.headers["location"])
        assert there.path == "/sign-in"
        assert parse_qs(there.query)["next"] == ["/requests?stage=development&text=a%26b"]
        assert (await http.get("/v1/requests")).status_code == 401


def test_every_reason_to_keep_somebody_out_who_signed_in_elsewhere_has_its_words() -> None:
    texts = [Path(str(module.__file__)).read_text("utf-8") for module in (identities, oidc)]
    kinds = {kind for text in texts for kind in re.findall(r'Refused\(\s*\d+, "([\w-]+)"', text)}
    assert kinds - {"sign-in-elsewhere"} == set(ELSEWHERE)


async def test_every_page_but_the_open_ones_asks_who_reads(company: AsyncEngine) -> None:
    async with client_of(company, As(None)) as http:
        for route in pages.routes():
            assert isinstance(route, Route)
            path = route.path.replace("{number:int}", "1").replace("{id}", "x")
            if path.startswith(OPEN):
                continue
            for method in sorted((route.methods or set()) - {"HEAD"}):
                answer = await http.request(method, path)
                assert answer.status_code == 303, f"{method} {path}"
                assert answer.headers["location"].startswith("/sign-in"), f"{method} {path}"


async def test_a_viewer_is_refused_what_only_others_may(company: AsyncEngine) -> None:
    async with client_of(company, As(VIEWER)) as http:
        wish = {"kind": "link", "a": "MEMO-1", "b": "MEMO-4", "step": "decide", "versions": ""}
        answer = await http.post("/decide", data=wish)
        assert answer.status_code == 403
        assert "needs the role editor" in answer.text
        text = (await http.get("/")).text
        assert "/requests" in text
        assert "/accounts" not in text
        assert (await http.get("/v1/decisions")).json()["items"] == []


async def test_a_foreign_name_is_refused_on_a_page_too(company: AsyncEngine) -> None:
    async with client_of(company, Loopback(), Host="evil.example") as http:
        answer = await http.get("/")
    assert answer.status_code == 421
    assert "loopback names only" in answer.text


async def test_a_fault_is_a_page_with_a_number_that_the_log_knows(
    machine: httpx2.AsyncClient, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.ERROR):
        answer = await machine.get("/broken")
    assert answer.status_code == 500
    assert "ZeroDivisionError" in caplog.text
    assert "CANARY" not in caplog.text + answer.text
    assert caplog.records[-1].getMessage().split("error_id=")[1].split()[0] in answer.text


async def test_files_are_kept_for_ever_under_their_hash_only(machine: httpx2.AsyncClient) -> None:
    page = (await machine.get("/")).text
    address = next(part for part in page.split('"') if part.startswith("/static/style."))
    assert "immutable" in (await machine.get(address)).headers["cache-control"]
    assert (await machine.get("/static/style.css")).headers["cache-control"] == "no-store"
    wrong = address[:14] + "0" * 12 + ".css"
    for path in (wrong, "/static/../site.py", "/static/%2e%2e/site.py", "/static/templates/page.html"):
        assert (await machine.get(path)).status_code == 404, path


async def test_a_caller_from_outside_cannot_name_himself(company: AsyncEngine) -> None:
    """What a request says about its caller counts only where this process wrote it."""
    async with client_of(company, As(None)) as http:
        for header in ("caller", "x-caller", "state", "x-state"):
            assert (await http.get("/v1/requests", headers={header: "admin"})).status_code == 401


def test_pages_are_found_once() -> None:
    made: list[Any] = [(route.path, method) for route in pages.routes() if isinstance(route, Route)
                       for method in route.methods or ()]  # fmt: skip
    assert len(made) == len(set(made))
    assert Starlette(routes=pages.routes()).routes
