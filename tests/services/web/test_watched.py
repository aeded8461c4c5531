"""Who sees what of connections: a viewer how they stand, an admin all of it, and nobody a secret."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx2
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from schemas.access import THIS_MACHINE, Caller, Role
from services.web.site import create_site
from tests.services.admin.conftest import NOW, SQLITE, Office, office
from tests.services.query.conftest import BASE
from tests.services.web.test_site import As

__all__ = ["office"]
pytestmark = SQLITE

VIEWER = Caller("Vera", Role.VIEWER, "session", "a-1", "vera@example.com", reads_all=True)
FOR_ADMINS = (
    "/connect", "/connect/jira", "/connections/jira-acme/change", "/connections/jira-acme/remove",
    "/connections/jira-acme/stage-map", "/connections/jira-acme/rules", "/dead-letters",
)  # fmt: skip


@asynccontextmanager
async def reading(office: Office, caller: Caller) -> AsyncIterator[httpx2.AsyncClient]:
    """A browser of somebody."""
    site = create_site(office.app, As(caller), lambda: NOW)
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(site), base_url=BASE) as http:
        yield http


async def test_a_viewer_sees_how_they_stand_and_nothing_to_press(office: Office) -> None:
    async with reading(office, VIEWER) as http:
        told = (await http.get("/connections")).text
        assert "jira-acme" in told
        assert "/connect" not in told.replace("/connections", "")
        one = (await http.get("/connections/jira-acme")).text
        assert "True up to" in one or "first read" in one
        assert "<form" not in one.partition("<main")[2]
        assert (await http.get("/about")).status_code == 200
        for path in FOR_ADMINS:
            assert (await http.get(path)).status_code == 403, path
        for path in ("/connect/jira", "/connections/jira-acme/pause", "/connections/jira-acme/remove"):
            assert (await http.post(path, data={"keep": "true", "do": "save"})).status_code == 403, path


async def test_an_admin_sees_all_of_it(office: Office) -> None:
    async with reading(office, THIS_MACHINE) as http:
        for path in ("/connections", "/connections/jira-acme", *FOR_ADMINS):
            answer = await http.get(path)
            assert answer.status_code == 200, (path, answer.text)
            assert len(answer.content) < 100_000
        for path in ("/connections/nothing", "/connections/nothing/rules", "/connect/nothing", "/dead-letters/nothing"):
            missing = await http.get(path)
            assert missing.status_code in (404, 422), path
            assert "See /v1/" not in missing.text, path


async def test_a_refused_form_keeps_what_was_typed_but_no_secret(office: Office) -> None:
    typed = {
        "auth": "api_token", "auth.api_token.email": "hub@acme.example", "auth.api_token.token": "CANARY",
        "base_url": "ftp://acme.example", "projects": 'PAY, "A, B"', "connection.name": "x", "do": "test",
    }  # fmt: skip
    async with reading(office, THIS_MACHINE) as http:
        answer = await http.post("/connect/jira", data=typed)
    assert answer.status_code == 422
    assert "CANARY" not in answer.text
    assert 'value="hub@acme.example"' in answer.text
    assert "PAY, &#34;A, B&#34;" in answer.text
    assert '<a href="#base_url">' in answer.text
    assert 'aria-invalid="true"' in answer.text


def too_slow_to_count(api: ASGIApp) -> ASGIApp:
    """The same API beside a tool that shows its last things and is too slow to say how many there are."""
    nothing = {"things": [], "counts": {}, "unmapped": [], "unusable": 0, "cut": False, "remarks": []}
    slow = {"type": "urn:throughline:problem:too-slow", "title": "Later", "status": 503, "detail": "No answer."}

    async def answering(scope: Scope, receive: Receive, send: Send) -> None:
        told = {"/v1/connections/preview": (nothing, 200), "/v1/connections/estimate": (slow, 503)}.get(
            scope.get("path", "")
        )
        await (JSONResponse(*told) if told else api)(scope, receive, send)

    return answering


async def test_a_preview_stands_though_nobody_could_count(office: Office) -> None:
    site = create_site(too_slow_to_count(office.app), As(THIS_MACHINE), lambda: NOW)
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(site), base_url=BASE) as http:
        told = await http.post("/connect/hubspot", data={"token": "pat", "connection.name": "x", "do": "preview"})
    assert told.status_code == 200
    assert "What it would bring" in told.text
    assert "How much there is in all could not be counted in time" in told.text


async def test_a_name_that_is_none_says_which_are(office: Office) -> None:
    async with reading(office, THIS_MACHINE) as http:
        told = await http.post("/connect/hubspot", data={"token": "pat", "connection.name": "A b", "do": "save"})
    assert told.status_code == 422
    assert "Use small letters, digits and dashes" in told.text
    assert "openapi.json. " not in told.text
