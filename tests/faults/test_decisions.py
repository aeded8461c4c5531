"""People decide while the hub runs, is killed, forgets a tool and meets it again: all of a decision stays, or none."""

import asyncio
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import httpx2
import pytest

from services.sandbox.jira import FakeJira
from tests.conftest import Pair
from tests.faults.child import DECISION_POINTS
from tests.faults.world import World, end, fill, world
from tests.parts.presence import free_port

MATTERS = 12


@pytest.fixture
def jira() -> Iterator[FakeJira]:
    with FakeJira(burst=100_000) as fake:
        fill(fake, MATTERS)
        yield fake
    assert fake.writes == []


@pytest.fixture
async def hub(jira: FakeJira, pair: Pair, tmp_path: Path) -> AsyncIterator[World]:
    async with world(jira, pair.bus, pair.database_url, tmp_path / "hub") as made:
        made.settings = {"API_PORT": str(free_port())}
        yield made


@asynccontextmanager
async def running(hub: World, *, reads: bool = True) -> AsyncIterator[httpx2.AsyncClient]:
    """The API of a hub; reads: it has read everything."""
    process = hub.start(roles=() if reads else roles(hub))
    try:
        async with client(hub) as http:
            await (hub.settled(process=process) if reads else answers(http))
            yield http
    finally:
        assert end(process) == 0, hub.log()


def roles(hub: World) -> Sequence[str]:
    """Those that decisions need, where they can run apart."""
    return ("publish", "query") if hub.bus.kind == "kafka" else ()


async def answers(http: httpx2.AsyncClient, seconds: float = 60) -> None:
    """Wait until the API answers."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            if (await http.get("/readyz")).is_success:
                return
        except httpx2.HTTPError:
            pass
        await asyncio.sleep(0.05)
    raise AssertionError("the API does not answer")


def client(hub: World) -> httpx2.AsyncClient:
    return httpx2.AsyncClient(base_url=f"http://127.0.0.1:{hub.settings['API_PORT']}", timeout=20)


async def two(http: httpx2.AsyncClient) -> dict[str, str]:
    """The two requests that were opened first, the older one first, with their versions."""
    answer = await http.get("/v1/requests", params={"sort": "opened", "order": "asc", "limit": 2})
    return {one["id"]: one["etag"] for one in answer.json()["items"]}


async def merge(http: httpx2.AsyncClient, requests: dict[str, str], key: str = "") -> httpx2.Response:
    headers = {"If-Match": ", ".join(requests.values())} | ({"Idempotency-Key": key} if key else {})
    body = {"kind": "merge", "requests": list(requests), "by": "Anna", "reason": "One matter"}
    return await http.post("/v1/decisions", json=body, headers=headers)


async def told(http: httpx2.AsyncClient, request: str, leads_to: str | None, seconds: float = 30) -> bool:
    """Whether the newest change of a request says so, in the end."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        items = (await http.get("/v1/changes", params={"since": 0, "limit": 1000})).json()["items"]
        if [one["merged_into"] for one in items if one["request"] == request][-1:] == [leads_to]:
            return True
        await asyncio.sleep(0.05)
    return False


async def typed(hub: World, *words: str) -> "subprocess.CompletedProcess[str]":
    """A command beside the hub."""
    command = [sys.executable, "-c", "from services.cli import main; main()", *words]
    environ = hub.environ | {"JIRA_TOKEN": hub.joined[0].options["auth"]["token"]}
    return await asyncio.to_thread(
        subprocess.run, command, env=environ, capture_output=True, text=True, timeout=60, check=False, input=""
    )


async def test_what_is_decided_beside_a_running_hub_is_published(hub: World) -> None:
    async with running(hub) as http:
        older, younger = requests = await two(http)
        assert (await merge(http, requests)).status_code == 201
        assert await told(http, younger, older)
        old = await http.get(f"/v1/requests/{younger}")
        assert (old.status_code, old.headers["Location"]) == (308, f"/v1/requests/{older}")
        found = await typed(hub, "lookup", younger)
        assert (found.returncode, found.stdout.splitlines()[0]) == (0, f"{younger} is part of {older} now."), (
            found.stderr
        )
        undone = await typed(hub, "undo", "1", "--yes", "--by", "Ben")
        assert undone.returncode == 0, undone.stderr
        assert await told(http, younger, None)
        assert (await http.get(f"/v1/requests/{younger}")).status_code == 200
    numbers = await hub.numbers()
    assert numbers == list(range(1, len(numbers) + 1))


async def test_decisions_outlive_a_connection_that_is_removed_and_added_again(hub: World, tmp_path: Path) -> None:
    options = hub.joined[0].options
    file = tmp_path / "connection.yaml"
    file.write_text(
        f"connector: jira\nname: jira-acme\ntitle: Jira\nsince: beginning\noptions:\n"
        f"  base_url: {options['base_url']}\n  projects: [PAY]\n  share: 1.0\n  page_size: 10\n"
        f"  auth:\n    kind: api_token\n    email: {options['auth']['email']}\n    token: env:JIRA_TOKEN\n"
    )
    async with running(hub) as http:
        older, younger = requests = await two(http)
        assert (await merge(http, requests)).status_code == 201
        before = (await http.get(f"/v1/requests/{older}")).json()["etag"]
        removed = await typed(hub, "connections", "remove", "jira-acme", "--yes")
        assert removed.returncode == 0, removed.stderr
        assert (await http.get("/v1/connections")).json()["items"] == []
        assert (await http.get(f"/v1/requests/{younger}")).status_code == 308
        added = await typed(hub, "connections", "add", "--file", str(file), "--yes")
        assert added.returncode == 0, added.stdout + added.stderr
        await hub.settled()
        (connection,) = (await http.get("/v1/connections")).json()["items"]
        assert connection["first_read_done"]
        assert (await http.get(f"/v1/requests/{younger}")).headers["Location"] == f"/v1/requests/{older}"
        assert (await http.get(f"/v1/requests/{older}")).json()["etag"] == before
        (decision,) = (await http.get("/v1/decisions", params={"request": older})).json()["items"]
        assert (decision["holds"], decision["by"]) == (True, "Anna")


async def test_a_kill_in_the_middle_leaves_all_of_a_decision_or_none(hub: World) -> None:
    """Sent again with its key it is decided once, whether it was before the kill or not."""
    async with running(hub) as http:
        older, younger = requests = await two(http)
    for turn, point in enumerate(DECISION_POINTS):
        process = hub.start(point, roles=roles(hub))
        async with client(hub) as http:
            await answers(http)
            with pytest.raises(httpx2.HTTPError):
                await merge(http, requests, f"key-{turn}")
        assert await asyncio.to_thread(process.wait, 60) == -signal.SIGKILL, hub.log()
        async with running(hub, reads=False) as http:
            taken = (await http.get("/v1/decisions", params={"holds": True, "kind": "merge"})).json()["items"]
            assert len(taken) == (point == "decision committed, not answered")
            assert (await http.get(f"/v1/requests/{younger}")).status_code == (308 if taken else 200)
            again = await merge(http, requests, f"key-{turn}")
            assert (again.status_code, again.json()["redirects"]) == (201, {younger: older})
            number = again.json()["decision"]["number"]
            assert await told(http, younger, older)
            body = {"kind": "undo", "decision": number, "by": "Anna"}
            undone = await http.post("/v1/decisions", json=body, headers={"If-Match": "*"})
            assert undone.json()["begun"] == [younger]
            requests = await two(http)
            assert list(requests) == [older, younger]
