"""What the hub says about itself: useful, and without secrets or content."""

import asyncio
import gc
import io
import json
import logging
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest
import structlog
from jira import JIRA, JIRAError
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from prometheus_client import generate_latest
from prometheus_client.parser import text_string_to_metric_families

from connectors.contract import RetryLater
from connectors.transport import Limiter, Network, Policy
from services.telemetry import HIDDEN, Metrics, Tracing, configure_logs, describe, logger, parent_of, traced_headers
from tests.connectors.small_server import Script, serving

NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
CANARY = "canary-d00d"


class Lines(io.StringIO):
    """A stream of log lines."""

    def read_lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.getvalue().splitlines()]


@pytest.fixture(scope="module", autouse=True)
def nothing_left() -> None:
    """What other tests left would be complained of in the middle of one of ours."""
    gc.collect()


@pytest.fixture
def lines() -> Iterator[Lines]:
    """JSON logs of this test; afterwards logging is as it was."""
    root = logging.getLogger()
    before, level = root.handlers[:], root.level
    stream = Lines()
    configure_logs("info", "json", stream)
    yield stream
    root.handlers[:] = before
    root.setLevel(level)
    for room in ("schemas", "connectors", "pipelines", "services"):
        logging.getLogger(room).setLevel(logging.NOTSET)
    structlog.reset_defaults()


def test_an_event_is_one_json_line(lines: Lines) -> None:
    log = logger("services.feed")
    log.info("page.publish.done", connection="c1", events=12)
    log.debug("page.read.start")
    (line,) = lines.read_lines()
    assert datetime.fromisoformat(line.pop("timestamp")).utcoffset() == timedelta(0)
    assert line == {
        "event": "page.publish.done", "connection": "c1", "events": 12, "level": "info", "logger": "services.feed",
    }  # fmt: skip


def test_what_libraries_say_takes_the_same_form(lines: Lines) -> None:
    logging.getLogger("some.library").warning("hello %s", "there")
    (line,) = lines.read_lines()
    assert (line["event"], line["logger"], line["level"]) == ("hello there", "some.library", "warning")


@pytest.mark.parametrize(
    "key",
    ["token", "api_token", "password", "Authorization", "secret_key", "kafka_passwd", "cookie", "apikey", "X-Signature",
     "subject", "body", "from", "email", "address", "title"],
)  # fmt: skip
def test_secrets_and_content_are_hidden_by_the_name_of_their_key(lines: Lines, key: str) -> None:
    logger("t").warning("x.y.z", **{key: CANARY}, deep={"list": [{key: CANARY}], "kept": 1})
    (line,) = lines.read_lines()
    assert line[key] == HIDDEN
    assert line["deep"] == {"list": [{key: HIDDEN}], "kept": 1}
    assert CANARY not in lines.getvalue()


def test_bound_context_is_hidden_too(lines: Lines) -> None:
    with structlog.contextvars.bound_contextvars(connection="c1", token=CANARY):
        logger("services.t").info("x.y.z")
    (line,) = lines.read_lines()
    assert (line["connection"], line["token"]) == ("c1", HIDDEN)


@pytest.mark.parametrize("ours", [True, False])
def test_an_exception_is_logged_by_type_and_place(lines: Lines, ours: bool) -> None:
    try:
        try:
            raise ValueError(CANARY)
        except ValueError as inner:
            raise RetryLater("the tool is away") from inner
    except RetryLater:
        if ours:
            logger("t").exception("page.read.failed")
        else:
            logging.getLogger("library").exception("it broke")
    (line,) = lines.read_lines()
    assert CANARY not in lines.getvalue()
    assert line["error"].startswith("RetryLater: the tool is away at ")
    assert " from ValueError at " in line["error"]
    assert "test_telemetry.py:" in line["error"]


def test_describing_ends_with_circles_and_long_chains() -> None:
    first, second = ValueError("a"), KeyError("b")
    first.__cause__, second.__cause__ = second, first
    assert describe(first).count("Error") == 5


def test_text_for_people(lines: Lines) -> None:
    stream = Lines()
    configure_logs("warning", "text", stream)
    logger("t").info("not.this.one")
    logger("t").warning("disk.write.failed", token=CANARY)
    assert "disk.write.failed" in stream.getvalue()
    assert "not.this" not in stream.getvalue()
    assert CANARY not in stream.getvalue()


def test_the_kafka_client_repeats_itself_seldom(lines: Lines) -> None:
    time = [0.0]
    configure_logs("info", "json", lines, clock=lambda: time[0])
    noisy = logging.getLogger("aiokafka.conn")
    for number in range(100):
        noisy.error("Unable connect to node %s", number)
        logging.getLogger("other").error("same")
    noisy.error("another kind")
    assert sum(line["logger"] == "other" for line in lines.read_lines()) == 100
    said = [line["event"] for line in lines.read_lines() if line["logger"] == "aiokafka.conn"]
    assert said == ["Unable connect to node 0", "another kind"]
    time[0] = 10.0
    noisy.error("Unable connect to node %s", 7)
    assert lines.read_lines()[-1]["event"] == "Unable connect to node 7 (99 more like this)"


@pytest.mark.parametrize("name", ["uvicorn.access", "httpx2", "jira", "jira.resources", "root", "urllib3.connection"])
def test_libraries_that_quote_requests_are_not_heard(lines: Lines, name: str) -> None:
    logging.getLogger(name).error("GET /lookup?ref=%s", CANARY)
    assert lines.getvalue() == ""


async def test_a_forgotten_task_is_told_without_its_words(lines: Lines) -> None:
    async def fail() -> None:
        raise ValueError(CANARY)

    task = asyncio.create_task(fail())
    await asyncio.wait([task])
    del task
    gc.collect()
    (line,) = lines.read_lines()
    assert line["event"] == "Task exception was never retrieved"
    assert line["error"].startswith("ValueError at ")
    assert CANARY not in lines.getvalue()


def test_debugging_is_for_our_own_rooms(lines: Lines) -> None:
    logging.getLogger("aiokafka").info("joined")
    configure_logs("debug", "json", lines)
    logging.getLogger("imapclient").debug("< %s", CANARY)
    logging.getLogger("aiokafka").info("joined again")
    logger("services.feed").debug("page.read.start")
    configure_logs("error", "json", lines)
    logger("services.feed").info("page.read.done")
    logging.getLogger("aiokafka").warning("slow")
    assert [line["event"] for line in lines.read_lines()] == ["joined again", "page.read.start"]


def test_the_jira_library_keeps_quiet_about_what_it_was_told(lines: Lines) -> None:
    with serving(Script(status=400, body=json.dumps({"errorMessages": [CANARY]}).encode())) as script:
        jira = JIRA(f"http://127.0.0.1:{script.port}", token_auth=CANARY, get_server_info=False, max_retries=0)
        Network(Policy(allow_loopback=True), Limiter()).guard(jira._session)
        with pytest.raises(JIRAError):
            jira.issue("PAY-12", fields=CANARY)
        jira.close()  # type: ignore[no-untyped-call]
    assert CANARY not in lines.getvalue()


def test_metrics_in_the_form_prometheus_reads() -> None:
    now = [NOW]
    metrics = Metrics(now=lambda: now[0])
    metrics.kafka_lag.labels("source.jira", "0").set(7)
    metrics.fresh("c1", NOW - timedelta(seconds=30))
    metrics.dead_letters.labels("jira").set(2)
    metrics.page_failures.labels("c1", "RetryLater").inc()
    metrics.rate_limit_wait.labels("c1").inc(1.5)
    metrics.events_ingested.labels("jira", "new").inc(500)
    metrics.records_published.inc(3)
    with metrics.step("map"):
        pass
    now[0] += timedelta(seconds=12)
    body = generate_latest(metrics.registry)
    families = {family.name: family for family in text_string_to_metric_families(body.decode())}
    values = {
        sample.name: sample.value for family in families.values() for sample in family.samples
        if not sample.name.endswith(("_created", "_bucket", "_sum"))
    }  # fmt: skip
    assert values == {
        "throughline_kafka_lag_records": 7,
        "throughline_freshness_age_seconds": 42,
        "throughline_dead_letters": 2,
        "throughline_page_failures_total": 1,
        "throughline_rate_limit_wait_seconds_total": 1.5,
        "throughline_events_ingested_total": 500,
        "throughline_records_published_total": 3,
        "throughline_reading_revived_total": 0,
        "throughline_batch_seconds_count": 1,
    }
    assert all(family.documentation for family in families.values())


def test_a_removed_connection_leaves_the_metrics() -> None:
    metrics = Metrics()
    metrics.fresh("gone", NOW)
    metrics.fresh("here", NOW)
    metrics.page_failures.labels("gone", "RetryLater").inc()
    metrics.rate_limit_wait.labels("gone").inc()
    metrics.forget("gone")
    body = generate_latest(metrics.registry).decode()
    assert "gone" not in body
    assert 'connection="here"' in body


def test_a_step_that_fails_is_measured() -> None:
    metrics = Metrics()
    with pytest.raises(ValueError, match="x"), metrics.step("fold"):
        raise ValueError("x")
    assert metrics.registry.get_sample_value("throughline_batch_seconds_count", {"step": "fold"}) == 1


class Collector:
    """An OTLP/HTTP collector on loopback that keeps the spans it is sent."""

    def __init__(self) -> None:
        self.spans: list[Any] = []
        self.raw = b""
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                assert self.path == "/v1/traces"
                outer.raw += body
                for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
                    outer.spans.extend(span for scope in resource.scope_spans for span in scope.spans)
                self.send_response(200)
                self.end_headers()

            def log_message(self, *args: object) -> None:
                pass

        self._server = HTTPServer(("127.0.0.1", 0), Handler)
        self.endpoint = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02})
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


@pytest.fixture
def collector() -> Iterator[Collector]:
    running = Collector()
    yield running
    running.close()


def test_a_trace_goes_on_behind_kafka(collector: Collector) -> None:
    feed, ingest = Tracing(collector.endpoint, "feed"), Tracing(collector.endpoint + "/", "ingest")
    with feed.span("page.publish", connection="c1"):
        headers = traced_headers({"ce_id": "1"})
    assert headers["ce_id"] == "1"
    received = [(name, value.encode()) for name, value in headers.items()]
    with pytest.raises(ValueError, match=CANARY), ingest.span("batch.apply", parent_of(received)):
        raise ValueError(CANARY)
    feed.close()
    ingest.close()
    spans = {span.name: span for span in collector.spans}
    assert spans["batch.apply"].trace_id == spans["page.publish"].trace_id
    assert spans["batch.apply"].parent_span_id == spans["page.publish"].span_id
    assert headers["traceparent"].split("-")[1] == spans["page.publish"].trace_id.hex()
    assert spans["batch.apply"].status.message == "ValueError"
    assert CANARY.encode() not in collector.raw


def test_without_an_endpoint_nothing_is_carried() -> None:
    tracing = Tracing(None, "feed")
    with tracing.span("page.publish"):
        assert traced_headers({"a": "b"}) == {"a": "b"}
    with tracing.span("x", parent_of([("traceparent", b"\xff nonsense"), ("a", b"\x00")])):
        pass
    tracing.close()
