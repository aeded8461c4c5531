"""A hub without connections, and the sandbox company's three tools for it to be connected to."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
from playwright.async_api import Page

from tests.browser.running import PATIENCE, Command, running
from tests.parts.presence import free_port

REQUESTS = 6
_SECONDS = PATIENCE / 1000


@dataclass(frozen=True, slots=True)
class World:
    """Where everything is, and with what one signs in."""

    hub: Command
    address: str
    folder: Path
    """The hub's data."""
    jira: str
    email: str
    token: str
    hubspot: str
    hubspot_token: str
    mail_host: str
    mail_port: str
    user: str
    password: str

    @property
    def wishes(self) -> dict[str, dict[str, Any]]:
        """The three connections, as the API takes them, by name."""
        jira = {"base_url": self.jira, "auth": {"kind": "api_token", "email": self.email, "token": self.token},
                "share": 1}  # fmt: skip
        mail = {"host": self.mail_host, "port": self.mail_port, "security": "plain",
                "auth": {"kind": "password", "user": self.user, "password": self.password}}  # fmt: skip
        hubspot = {"base_url": self.hubspot, "token": self.hubspot_token, "share": 1}
        return {
            name: {"connector": name, "name": name, "options": options}
            for name, options in (("jira", jira), ("hubspot", hubspot), ("mailbox", mail))
        }

    @asynccontextmanager
    async def api(self) -> AsyncIterator[httpx2.AsyncClient]:
        """The hub's API."""
        async with httpx2.AsyncClient(base_url=self.address, timeout=60) as http:
            yield http

    async def emptied(self) -> None:
        """No connection is left."""
        async with self.api() as http:
            for one in (await http.get("/v1/connections")).json()["items"]:
                answer = await http.request(
                    "DELETE", f"/v1/connections/{one['connection']}", json={}, headers={"If-Match": "*"}
                )
                assert answer.status_code == 200, answer.text

    async def connected(self, *names: str) -> None:
        """These are connected, and read from their beginning."""
        async with self.api() as http:
            for name in names:
                if (await http.get(f"/v1/connections/{name}")).status_code == 404:
                    answer = await http.post("/v1/connections", json=self.wishes[name])
                    assert answer.status_code == 201, answer.text
            async with asyncio.timeout(_SECONDS):
                while not all([await self._read(http, name) for name in names]):
                    await asyncio.sleep(0.2)

    async def changed(self, name: str, options: dict[str, Any]) -> None:
        """It has other options, whether they are right or not."""
        async with self.api() as http:
            answer = await http.put(
                f"/v1/connections/{name}", json={"options": options, "unchecked": True}, headers={"If-Match": "*"}
            )
            assert answer.status_code == 200, answer.text

    async def _read(self, http: httpx2.AsyncClient, name: str) -> bool:
        told = (await http.get(f"/v1/connections/{name}/watching")).json()
        return told["first_read"] is None and told["true_up_to"] is not None

    async def settled(self) -> None:
        """Nothing is to be computed again."""
        async with self.api() as http, asyncio.timeout(_SECONDS):
            while (await http.get("/v1/progress")).json()["recompute"]["left"]:
                await asyncio.sleep(0.2)


_SAID = (
    r"Jira\s+(\S+)\s+(\S+)\s+(\S+)\s+HubSpot\s+(\S+)\s+account \S+\s+(\S+)\s+"
    r"IMAP\s+(\S+):(\d+) \(plain\)\s+(\S+)\s+(\S+)"
)


@contextmanager
def world(tools: Path, hub: Path) -> Iterator[World]:
    """Tools and hub. tools, hub: their folders. The hub has the same address when it is started again."""
    sandbox = Command(tools, _SAID, "sandbox", "--pace", "0", "--requests", str(REQUESTS))
    up = Command(
        hub, r"API at (http://[\d.:]+)", "up", API_PORT=str(free_port()), WEBHOOK_PORT=str(free_port()),
        ALLOW_LOOPBACK_TOOLS="true", OPEN_TO_THIS_MACHINE="true", POLL_INTERVAL="1",
    )  # fmt: skip
    with running(sandbox) as made, running(up) as began:
        yield World(up, began[1], hub, *made.groups())


@asynccontextmanager
async def taken_out(page: Page, record: Any) -> AsyncIterator[None]:
    """Somebody else takes an issue out of the request, and brings it back."""
    out = next(one["id"] for one in reversed(record["artifacts"]) if one["kind"] == "issue")
    wish = {"kind": "split", "request": record["id"], "artifacts": [out], "by": "Bo Lind"}
    sent = await page.request.post("/v1/decisions", data=wish, headers={"If-Match": "*"})
    number = (await sent.json())["decision"]["number"]
    try:
        yield
    finally:
        undo = {"kind": "undo", "decision": number, "by": "Bo Lind"}
        await page.request.post("/v1/decisions", data=undo, headers={"If-Match": "*"})
