"""What browsers are told with every kind of answer, over HTTPS and over HTTP."""

import asyncio

import httpx2
import pytest
from sqlalchemy.ext.asyncio import AsyncEngine
from starlette.routing import Route
from starlette.types import Message, Receive, Scope, Send

from schemas.access import THIS_MACHINE
from services.query.access import Access
from services.query.app import create_app
from services.query.https import OverHttps
from services.query.refused import Refused
from services.web.site import create_site
from tests.services.query.conftest import NOW, owned
from tests.services.web.test_site import As, broken, company

__all__ = ["company"]

STRICT = "max-age=31536000"
CAREFUL = {"x-content-type-options": "nosniff", "x-frame-options": "DENY"}

KINDS = [
    ("GET", "/requests", 200), ("GET", "/requests.csv", 200), ("GET", "/nothing", 404), ("GET", "/broken", 500),
    ("GET", "/static/style.css", 200), ("GET", "/static/nothing.css", 404), ("POST", "/requests", 405),
    ("GET", "/livez", 200), ("GET", "/openapi.json", 200), ("GET", "/v1/nothing", 404), ("POST", "/v1/stages", 405),
    ("GET", "/v1/requests?limit=x", 422), ("GET", f"/v1/requests/{owned(1)}", 200), ("GET", "/v1/changes/stream", 200),
    ("POST", "/v1/decisions", 415),
]  # fmt: skip
"""Pages, files, the API, a table, a stream; and each that goes wrong."""


def client(engine: AsyncEngine, access: Access, base: str = "https://hub.example") -> httpx2.AsyncClient:
    """The site as it is wired where people reach it at https://hub.example; streams end as soon as they begin."""
    closing = asyncio.Event()
    api = create_app(engine, lambda: NOW, access=access, closing=closing)
    site = OverHttps(create_site(api, access, lambda: NOW, [Route("/broken", broken)]), "https://hub.example")

    async def ending(scope: Scope, receive: Receive, send: Send) -> None:
        async def told(message: Message) -> None:
            await send(message)
            if message["type"] == "http.response.start" and scope["path"].endswith("/stream"):
                closing.set()

        await site(scope, receive, told)

    return httpx2.AsyncClient(transport=httpx2.ASGITransport(ending, raise_app_exceptions=False), base_url=base)


def careful(answer: httpx2.Response) -> None:
    assert {name: answer.headers.get(name) for name in CAREFUL} == CAREFUL, answer.url
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert answer.headers["referrer-policy"] in ("no-referrer", "same-origin")
    for name in ("content-security-policy", "x-frame-options", "strict-transport-security"):
        assert len(answer.headers.get_list(name)) <= 1, f"{answer.url} says {name} twice"


def personal(answer: httpx2.Response) -> None:
    """No cache on the way keeps it, and no browser shows it again to who has left."""
    told = answer.headers["cache-control"]
    assert "no-store" in told or told == "private, no-cache", answer.url


async def test_every_kind_of_answer_over_https(company: AsyncEngine) -> None:
    async with client(company, As(THIS_MACHINE)) as http:
        for method, path, status in KINDS:
            answer = await http.request(method, path)
            assert answer.status_code == status, path
            careful(answer)
            if status == 200 and "stream" not in path:
                personal(answer)
            assert answer.headers["strict-transport-security"] == STRICT
            assert answer.headers["content-security-policy"].endswith("; upgrade-insecure-requests")
        known = (await http.get(f"/v1/requests/{owned(1)}")).headers["etag"]
        same = await http.get(f"/v1/requests/{owned(1)}", headers={"If-None-Match": known})
        assert same.status_code == 304
        careful(same)
        personal(same)
    async with client(company, As(None)) as http:
        for path, status in (("/requests", 303), ("/v1/requests", 401)):
            answer = await http.get(path)
            assert answer.status_code == status
            careful(answer)
            personal(answer)
            assert answer.headers["strict-transport-security"] == STRICT
    async with client(company, As(None, Refused(429, "too-many-requests", "Slow.", "Wait."))) as http:
        for path in ("/requests", "/v1/requests"):
            answer = await http.get(path)
            assert answer.status_code == 429
            careful(answer)


@pytest.mark.parametrize(
    ("base", "headers"),
    [("http://10.0.0.9:8700", {}), ("http://hub.example:8700", {}),
     ("http://hub.example", {"X-Forwarded-Proto": "http"})],
)  # fmt: skip
async def test_over_http_nothing_is_told_that_only_https_can_keep(
    company: AsyncEngine, base: str, headers: dict[str, str]
) -> None:
    async with client(company, As(THIS_MACHINE), base) as http:
        for method, path, status in KINDS:
            answer = await http.request(method, path, headers=headers)
            assert answer.status_code == status
            careful(answer)
            assert "strict-transport-security" not in answer.headers
            assert "upgrade-insecure-requests" not in answer.headers["content-security-policy"]
