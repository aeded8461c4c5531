"""What a running hub says in numbers and traces: valid for Prometheus, true, of little cost, and without content."""

import asyncio
import itertools
import shutil
import statistics
import subprocess
import time
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx2
import pytest
from prometheus_client.parser import text_string_to_metric_families

from pipelines.ingest import Ingest
from pipelines.store.engine import open_engine
from pipelines.store.metadata import metadata
from services.broker import source_topic
from services.cli.watching import Observer
from services.sandbox.jira import FakeJira
from services.telemetry import Metrics, Tracing
from tests.conftest import Pair
from tests.faults.world import World, end, fill, world
from tests.parts.presence import free_port, missing
from tests.pipelines.memos import map_memo, memo, records
from tests.services.test_telemetry import Collector

STEPS = {"map", "land", "merge", "load", "correlate", "fold", "write", "commit"}
LAG, WAITED = "throughline_kafka_lag_records", "throughline_rate_limit_wait_seconds_total"
WORDS = ("Matter", "Why", "Looked at it", "acme.example", "Payments", "fake-token")
"""Titles, descriptions, comments, addresses and the token of the company that is read."""


@pytest.fixture
def jira() -> Iterator[FakeJira]:
    with FakeJira(burst=100_000) as fake:
        fill(fake, 30)
        yield fake


@pytest.fixture
def collector() -> Iterator[Collector]:
    running = Collector()
    yield running
    running.close()


@pytest.fixture
async def hub(jira: FakeJira, pair: Pair, collector: Collector, tmp_path: Path) -> AsyncIterator[World]:
    async with world(jira, pair.bus, pair.database_url, tmp_path / "hub") as made:
        made.settings |= {"OTLP_ENDPOINT": collector.endpoint, "API_PORT": str(free_port())}
        yield made


def samples(text: str) -> dict[tuple[str, str], float]:
    """(name, label values) to value, without a histogram's buckets."""
    return {
        (sample.name, ",".join(sample.labels.values())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if not sample.name.endswith(("_created", "_bucket"))
    }


async def metrics_when(hub: World, holds: Any, seconds: float = 60) -> tuple[str, dict[tuple[str, str], float]]:
    """What /metrics says once it is as wanted."""
    deadline = time.monotonic() + seconds
    async with httpx2.AsyncClient(timeout=20) as client:
        while True:
            text = (await client.get(f"http://127.0.0.1:{hub.settings['API_PORT']}/metrics")).text
            if holds(said := samples(text)):
                return text, said
            assert time.monotonic() < deadline, text
            await asyncio.sleep(0.2)


async def test_a_running_hub_is_measured_and_traced(hub: World, jira: FakeJira, collector: Collector) -> None:
    process = hub.start()
    try:
        await hub.settled(process=process)
        async with hub.engine.connect() as connection:
            events = (await connection.exec_driver_sql("SELECT count(*) FROM source_events")).scalar_one()
        published = len(await hub.numbers())
        wanted = {
            ("throughline_events_ingested_total", "jira,new"): events,
            ("throughline_records_published_total", ""): published,
            ("throughline_dead_letters", "jira"): 0,
        } | no_lag(hub)
        gauges = {("throughline_freshness_age_seconds", "jira-acme"), (WAITED, "jira-acme")}
        # What is counted and looked at now and then follows what is stored.
        text, said = await metrics_when(hub, lambda said: wanted.items() <= said.items() and gauges <= said.keys())
        jira.fault("401", on=True)
        failed, _ = await metrics_when(hub, lambda said: "throughline_page_failures_total" in str(said))
    finally:
        assert end(process) == 0, hub.log()
    assert published > 0
    assert 0 <= said["throughline_freshness_age_seconds", "jira-acme"] < 600  # the fake tells late, as its original
    assert {one for one in said if one[0] == LAG} == no_lag(hub).keys()
    assert said[WAITED, "jira-acme"] >= 0
    steps = {labels: value for (name, labels), value in said.items() if name == "throughline_batch_seconds_count"}
    assert set(steps) == STEPS
    assert 'throughline_page_failures_total{connection="jira-acme",kind="Misconfigured"}' in failed
    assert not [word for word in WORDS if word in text + failed]
    checked_by_promtool(failed)
    traced_from_page_to_record(collector)


def no_lag(hub: World) -> dict[tuple[str, str], float]:
    """What is said once everything on every source topic is read."""
    topics = [hub.bus.settings.topic(source_topic(tool)) for tool in ("hubspot", "jira", "mailbox")]
    partitions = 1 if hub.bus.kind == "embedded" else hub.bus.settings.partitions
    return {(LAG, f"{number},{topic}"): 0 for topic in topics for number in range(partitions)}


def checked_by_promtool(text: str) -> None:
    if shutil.which("promtool") is None:
        missing("promtool (package prometheus)")
    done = subprocess.run(
        ["promtool", "check", "metrics"], input=text.encode(), capture_output=True, timeout=30, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")


def traced_from_page_to_record(collector: Collector) -> None:
    """One trace leads from the reading of a page, over its publishing and the batch, to the records published."""
    by_trace: dict[bytes, dict[str, Any]] = {}
    for span in collector.spans:
        by_trace.setdefault(span.trace_id, {})[span.name] = span
    chain = ["page.read", "page.publish", "batch", "change.publish"]
    # What a batch left is understood in turns, some of them behind another batch.
    wanted = {*chain, *(f"batch.{step}" for step in STEPS)}
    whole = [spans for spans in by_trace.values() if wanted <= set(spans)]
    assert whole, sorted({span.name for span in collector.spans})
    spans = whole[0]
    for before, after in itertools.pairwise(chain):
        parents = {one.span_id for one in collector.spans if one.name == before}
        assert spans[after].parent_span_id in parents, after
    assert not [word for word in WORDS if word.encode() in collector.raw]


async def test_measuring_costs_less_than_two_percent_of_a_batch(sqlite_url: str) -> None:
    observer = Observer(Metrics(), Tracing(None, "ingest"))
    told: list[tuple[str, str, int]] = []

    class Noting(Observer):
        def ingested(self, connector: str, outcome: str, events: int) -> None:
            told.append((connector, outcome, events))
            super().ingested(connector, outcome, events)

    engine = open_engine(sqlite_url)
    async with engine.begin() as connection:
        await connection.run_sync(metadata.create_all)
    watch = Noting(observer.metrics, observer.tracing)
    ingest = Ingest(engine, {"memo": map_memo}, lambda: datetime.now(UTC), "one", watch=watch)
    took = []
    for batch in range(3):
        made = records([memo(500 * batch + number, text=f"MEMO-{number}") for number in range(500)], first=500 * batch)
        began = time.process_time()
        await ingest(made)
        took.append(time.process_time() - began)
    await engine.dispose()
    assert told == [("memo", "new", 500)] * 3
    entered = sum(
        sample.value
        for family in observer.metrics.registry.collect()
        for sample in family.samples
        if sample.name == "throughline_batch_seconds_count"
    )
    steps = round(entered / 3)
    assert steps > len(STEPS)  # what a batch left is understood in several turns, more of them on a busy machine

    def cost() -> float:
        began = time.process_time()
        for _ in range(100):
            for _ in range(steps):
                with observer.step("land"):
                    pass
            observer.ingested("memo", "new", 500)
        return (time.process_time() - began) / 100

    share = statistics.median(cost() for _ in range(5)) / min(took)
    print(f"measuring: {share:.3%} of a batch of 500 ({min(took):.3f} s)")
    assert share < 0.02
