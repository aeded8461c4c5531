"""What the hub says about itself: logs, metrics, traces. None of them holds secrets or content.

An event's name is `noun.verb.outcome`: `log.info("page.publish.done", connection=…, events=12)`. An exception is logged
as its type and place; only the hub's own errors, whose texts are written for admins, are logged with their words.
"""

import logging
import re
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterable, Iterator, Mapping, MutableMapping
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, TextIO

import structlog
from opentelemetry import trace
from opentelemetry.context import Context, get_current
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from connectors.contract import HubError

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import TracerProvider

HIDDEN = "[hidden]"
_SECRET = re.compile(
    r"secret|passw|token|authori[sz]ation|cookie|api_?key|credential|signature"
    r"|^(subject|body|content|text|snippet|summary|title|raw)$"
    r"|^(address|e?mail|sender|recipients?|from|to|cc|url)$",
    re.IGNORECASE,
)
"""Names of keys whose values are secrets, content, or people's addresses."""
_NOISY = "aiokafka"
_OURS = ("throughline", "schemas", "connectors", "pipelines", "services")
_QUOTING = ("root", "jira", "uvicorn.access", "httpx2", "httpcore2", "urllib3")
"""Loggers that write URLs with their queries or whole bodies; jira does so on the root logger too."""
_SILENCE = 10.0
_BATCH_BUCKETS = (0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
_EXTRA = structlog.stdlib.ExtraAdder()
_TRACE_CONTEXT = TraceContextTextMapPropagator()


# --- Logs ---------------------------------------------------------------------------------------------------------


def configure_logs(
    level: str = "info",
    form: str = "json",
    stream: TextIO | None = None,
    clock: Callable[[], float] = time.monotonic,
    *,
    colours: bool = False,
) -> None:
    """Send all logs of this process, ours and the libraries', to `stream` (default stderr), a line each.

    form: json or text, which may have colours. level is that of our own loggers, which bear a module's name; libraries
    are heard from warning on, from info on where level is debug. Replaces what was configured before.
    """
    to_come: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        exceptions_by_place,
        hide_secrets,
    ]
    last = (
        structlog.processors.JSONRenderer(default=str)
        if form == "json"
        else structlog.dev.ConsoleRenderer(colors=colours)
    )
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.addFilter(_without_quotes)
    handler.addFilter(SeldomRepeated(_NOISY, clock=clock))
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[own_fields, *to_come, first_line],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, last],
        )
    )
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *to_come,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    _set_levels(root, logging.getLevelNamesMapping()[level.upper()])


def _set_levels(root: logging.Logger, ours: int) -> None:
    # What libraries say for debugging quotes what they carry.
    root.setLevel(logging.INFO if ours < logging.INFO else max(ours, logging.WARNING))
    for name in _OURS:
        logging.getLogger(name).setLevel(ours)


def logger(name: str) -> structlog.stdlib.BoundLogger:
    """A logger for events named `noun.verb.outcome`; name is the module's, `__name__`."""
    return structlog.stdlib.get_logger(name)


def hide_secrets(_: Any, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """A structlog processor: values whose key names a secret or content are not written, at any depth."""
    return {key: _shown(key, value) if key != "event" else value for key, value in event.items()}


def _shown(key: str, value: Any) -> Any:
    if _SECRET.search(key):
        return HIDDEN
    if isinstance(value, Mapping):
        return {inner: _shown(str(inner), each) for inner, each in value.items()}
    if isinstance(value, list | tuple):
        return [_shown("", each) for each in value]
    return value


def exceptions_by_place(_: Any, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """A structlog processor: an exception becomes its type and place, because its text may quote what it choked on."""
    given = event.pop("exc_info", None)
    error = sys.exc_info()[1] if given is True else given[1] if isinstance(given, tuple) else given
    if isinstance(error, BaseException):
        event["error"] = describe(error)
    return event


def describe(error: BaseException) -> str:
    """An exception for a log: types and innermost place of it and its causes, with the words of HubErrors only."""
    parts: list[str] = []
    link: BaseException | None = error
    while link is not None and len(parts) < 5:
        frames = traceback.extract_tb(link.__traceback__)
        place = f" at {frames[-1].filename.rpartition('site-packages/')[2]}:{frames[-1].lineno}" if frames else ""
        words = f": {link}" if isinstance(link, HubError) else ""
        parts.append(f"{type(link).__name__}{words}{place}")
        link = link.__cause__ or link.__context__
    return " from ".join(parts)


def _without_quotes(record: logging.LogRecord) -> bool:
    return not any(record.name == name or record.name.startswith(f"{name}.") for name in _QUOTING)


def own_fields(_: Any, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """A structlog processor: the `extra` of a line of ours. What libraries put there may quote what they carry."""
    record = event.get("_record")
    if isinstance(record, logging.LogRecord) and record.name.partition(".")[0] in _OURS:
        return _EXTRA(logging.getLogger(record.name), "", event)
    return event


def first_line(_: Any, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """A structlog processor for what libraries say: its first line, for asyncio quotes exceptions in those after it."""
    event["event"] = str(event.get("event", "")).partition("\n")[0][:500]
    return event


class SeldomRepeated(logging.Filter):
    """Lets each kind of line of one library through once in ten seconds: a Kafka outage makes 120 lines a second."""

    def __init__(self, library: str, seconds: float = _SILENCE, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._library, self._seconds, self._clock = library, seconds, clock
        self._lock = threading.Lock()
        self._seen: dict[tuple[str, int, str], tuple[float, int]] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether to write this line; one that is written says how many of its kind were not."""
        if record.name.partition(".")[0] != self._library:
            return True
        kind = (record.name, record.levelno, str(record.msg)[:200])
        with self._lock:
            last, dropped = self._seen.get(kind, (float("-inf"), 0))
            now = self._clock()
            if now - last < self._seconds:
                self._seen[kind] = (last, dropped + 1)
                return False
            if len(self._seen) > 1000:
                self._seen.clear()
            self._seen[kind] = (now, 0)
        if dropped:
            record.msg, record.args = f"{record.getMessage()} ({dropped} more like this)", None
        return True


# --- Metrics ------------------------------------------------------------------------------------------------------


class Metrics:
    """The hub's own numbers, in a registry of their own. Labels hold names and ids of ours, never content."""

    def __init__(self, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._now = now
        self.registry = CollectorRegistry()
        counted = self.registry
        self.kafka_lag = Gauge(
            "throughline_kafka_lag_records",
            "Records in a partition that are not ingested yet",
            ["topic", "partition"],
            registry=counted,
        )
        self._freshness = Gauge(
            "throughline_freshness_age_seconds",
            "Age of a connection's newest applied page; until its first read is done, time since it was added or reset",
            ["connection"],
            registry=counted,
        )
        self.dead_letters = Gauge(
            "throughline_dead_letters", "Records set aside and waiting for a person", ["connector"], registry=counted
        )
        self.page_failures = Counter(
            "throughline_page_failures", "Pages that could not be read", ["connection", "kind"], registry=counted
        )
        self.rate_limit_wait = Counter(
            "throughline_rate_limit_wait_seconds",
            "Time spent waiting for a tool's rate limit",
            ["connection"],
            registry=counted,
        )
        self.events_ingested = Counter(
            "throughline_events_ingested",
            "Source events taken in, by what became of them (new, known, dead)",
            ["connector", "outcome"],
            registry=counted,
        )
        self.batch_seconds = Histogram(
            "throughline_batch_seconds",
            "Time of each step of a batch",
            ["step"],
            buckets=_BATCH_BUCKETS,
            registry=counted,
        )
        self.reading_revived = Counter(
            "throughline_reading_revived",
            "Times that reading Kafka had ended silently and was begun anew",
            registry=counted,
        )
        self.records_published = Counter(
            "throughline_records_published", "Lifecycle records published", registry=counted
        )

    def fresh(self, connection: str, since: datetime) -> None:
        """The connection's data is true up to this instant, or it waits for its first read since then; the age is
        computed when it is asked for."""

        def age() -> float:
            return (self._now() - since).total_seconds()

        self._freshness.labels(connection).set_function(age)

    def forget(self, connection: str) -> None:
        """Drop the numbers of a connection that was removed."""
        for metric in (self._freshness, self.page_failures, self.rate_limit_wait):
            metric.remove_by_labels({"connection": connection})

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        """Measure a step of a batch, whether it ends well or not."""
        with self.batch_seconds.labels(name).time():
            yield


# --- Traces -------------------------------------------------------------------------------------------------------


class Tracing:
    """Spans of this process, sent by OTLP/HTTP; without an endpoint nothing is recorded and nothing is sent."""

    def __init__(self, endpoint: str | None, role: str, version: str = "") -> None:
        """endpoint is the collector's base address (`/v1/traces` is appended), role the name of this process."""
        self._provider = _provider(endpoint, role, version) if endpoint else None
        used = self._provider or trace.NoOpTracerProvider()
        self._tracer = used.get_tracer("throughline")

    @contextmanager
    def span(
        self, name: str, parent: Context | None = None, links: Iterable[Context] = (), **attributes: str | int | float
    ) -> Iterator[Context]:
        """A span around a piece of work. An exception marks it as failed by its type; its text is not recorded.

        links: of other spans that led to it, apart from the parent. Gives the context to be the parent of later ones.
        """
        others = [trace.get_current_span(each).get_span_context() for each in links]
        with self._tracer.start_as_current_span(
            name,
            parent,
            attributes=attributes,
            links=[trace.Link(each) for each in others if each.is_valid],
            record_exception=False,
            set_status_on_exception=False,
        ) as span:
            try:
                yield get_current()
            except BaseException as error:
                span.set_status(trace.StatusCode.ERROR, type(error).__name__)
                raise

    def close(self) -> None:
        """Send what is left. Blocks for a few seconds at most."""
        if self._provider is not None:
            self._provider.shutdown()


def _provider(endpoint: str, role: str, version: str) -> "TracerProvider":
    # Loaded only where it is used: it takes a noticeable part of the start.
    import requests
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    session = requests.Session()
    session.max_redirects = 0  # the address is the one that was set, and no other
    base = endpoint.rstrip("/")
    exporter = OTLPSpanExporter(
        base if base.endswith("/v1/traces") else f"{base}/v1/traces", timeout=5, session=session
    )
    about = {"service.name": "throughline", "throughline.role": role, "service.version": version}
    provider = TracerProvider(resource=Resource(about))
    provider.add_span_processor(BatchSpanProcessor(exporter))
    return provider


def traced_headers(headers: Mapping[str, str]) -> dict[str, str]:
    """Kafka headers with the `traceparent` of the current span added (none outside of a span)."""
    carried = dict(headers)
    _TRACE_CONTEXT.inject(carried)
    return carried


def parent_of(headers: Mapping[str, str] | Iterable[tuple[str, bytes | None]]) -> Context:
    """The span a record was published in, from its Kafka headers; to be given to `Tracing.span`."""
    pairs = headers.items() if isinstance(headers, Mapping) else headers
    carrier = {
        name: value if isinstance(value, str) else value.decode("ascii", "replace")
        for name, value in pairs
        if name in _TRACE_CONTEXT.fields and value is not None
    }
    return _TRACE_CONTEXT.extract(carrier)
