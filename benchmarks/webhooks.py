"""From a webhook's delivery until a look-up shows what it told."""

import asyncio
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import httpx2
from pydantic import SecretStr

from benchmarks.measure import quantile
from benchmarks.parts import Parts, Place
from benchmarks.results import Result
from benchmarks.sizes import Sizes
from benchmarks.starting import running
from connectors.jira import connector
from connectors.jira.options import ApiToken, JiraOptions
from pipelines.store import configuration
from pipelines.store.engine import open_engine, writing
from services import migrations
from services.cli.installation import Installation
from services.feed import connections
from services.feed.rules import configuration_of
from services.sandbox.jira import FakeJira
from services.sandbox.jira_webhooks import Webhooks

SECRET = "a-secret-between-jira-and-the-hub-0001"
_LONGEST = 30.0


def run(parts: Parts, sizes: Sizes, tell: Callable[[str], None]) -> Result:
    """On both pairs; the tool is polled once in ten minutes, so that only webhooks bring news."""
    result = Result("Webhooks")
    for kind in sizes.pairs:
        tell(f"webhooks on {kind}")
        with parts.place(kind) as place, FakeJira(lag=timedelta(0), burst=10**9) as jira:
            times = _deliveries(place, jira, sizes.deliveries)
        result.add(
            f"{kind}: delivery sent → visible in a look-up",
            f"p50 {quantile(times, 0.5) * 1000:.0f} ms, p99 {quantile(times, 0.99) * 1000:.0f} ms",
            f"{len(times)} deliveries, one after the other",
        )
    return result


def _deliveries(place: Place, jira: FakeJira, count: int) -> list[float]:
    """Seconds from sending to seeing, of new issues and changed ones in turns."""
    anna = jira.state.add_user("Anna Kern", "anna@acme.example")
    jira.state.add_project("PAY", "Payments")
    jira.hands.create("PAY", "The first one", at=_now(), by=anna)
    asyncio.run(_configure(place, jira))
    hooks = Webhooks(
        jira, f"http://127.0.0.1:{place.webhook_port}/hooks/jira-acme", secret=SECRET, loss=0, duplicates=0,
        disorder=False,
    )  # fmt: skip
    times = []
    with running(place, POLL_INTERVAL="600"), httpx2.Client(base_url=place.api, timeout=5) as client:
        _seen(client, "PAY-1", _LONGEST)
        for number in range(count):
            with jira.lock:
                issue = jira.hands.create("PAY", f"Matter {number}", at=_now(), by=anna)
            began = time.perf_counter()
            statuses = hooks.send()
            if statuses != [204]:
                raise RuntimeError(f"the delivery was answered by {statuses}")
            _seen(client, issue.key, _LONGEST)
            times.append(time.perf_counter() - began)
    return times


def _seen(client: httpx2.Client, key: str, seconds: float) -> None:
    """Ask every few milliseconds until the look-up finds the key."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            answer = client.get("/v1/lookup", params={"reference": key})
            if answer.status_code == 200 and answer.json()["items"][0]["requests"]:
                return
        except httpx2.TransportError:
            pass
        time.sleep(0.005)
    raise RuntimeError(f"{key} was not found within {seconds:g} s")


async def _configure(place: Place, jira: FakeJira) -> None:
    installation = Installation.of(place.environ())
    options = JiraOptions(
        base_url=jira.url, auth=ApiToken(email=jira.email, token=SecretStr(jira.token)), projects=("PAY",), share=1.0,
        webhook_secret=SecretStr(SECRET),
    )  # fmt: skip
    engine = open_engine(place.database_url)
    await migrations.upgrade(engine)
    async with writing(engine) as connection:
        await connections.add(connection, "jira-acme", "jira", "Jira", options, None, installation.keys)
        await configuration.write(connection, "jira-acme", configuration_of(connector, options))
    await engine.dispose()


def _now() -> datetime:
    return datetime.now(UTC)
