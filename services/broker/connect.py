"""Connecting to Kafka: waiting for it, and saying in one line why it cannot be used."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any, TypeAlias

from aiokafka.errors import (
    GroupAuthorizationFailedError,
    KafkaError,
    TopicAuthorizationFailedError,
    UnknownTopicOrPartitionError,
)
from faststream.kafka import KafkaBroker

from schemas.errors import HubError, Misconfigured, RetryLater
from services.broker.publish import MAX_RECORD_BYTES
from services.broker.reach import client_unheard
from services.broker.settings import BrokerSettings

logger = logging.getLogger("throughline.broker")
_stream_logger = logging.getLogger("throughline.broker.faststream")
_stream_logger.setLevel(logging.WARNING)  # below, it tells of each task of its own
# Said at each start, of what we chose.
_stream_logger.addFilter(lambda record: not str(record.msg).startswith("Auto create topics is disabled"))
# A producer whose start fails or is cancelled was handed to nobody who could close it; its sockets end with it.
logging.getLogger("asyncio").addFilter(lambda record: not record.getMessage().startswith("Unclosed AIOKafkaProducer"))

Tell: TypeAlias = Callable[[str], None]


def open_broker(settings: BrokerSettings, *, middlewares: Sequence[Any] = (), stop_seconds: float = 10) -> KafkaBroker:
    """A broker object with the hub's options, not connected yet. Handlers get `stop_seconds` to end at a stop."""
    return KafkaBroker(
        settings.bootstrap.split(","),
        client_id=settings.client_id,
        security=settings.security(),
        acks="all",
        allow_auto_create_topics=False,
        request_timeout_ms=10_000,
        retry_backoff_ms=500,
        metadata_max_age_ms=60_000,
        max_batch_size=500_000,  # a reader's page goes in one piece to each partition, and is read as one
        max_request_size=MAX_RECORD_BYTES + 50_000,
        graceful_timeout=stop_seconds,
        apply_types=False,
        middlewares=middlewares,
        logger=_stream_logger,
        log_level=logging.DEBUG,
    )


_UNKNOWN_CA = (
    "shows a certificate of an unknown CA", "Give the CA's certificate as THROUGHLINE_KAFKA_CA_FILE", "ca_file",
)  # fmt: skip
_CAUSES: tuple[tuple[str, str, str, str], ...] = (
    # what aiokafka logs, problem, mend, field
    (
        "SaslAuthenticationFailed", "refuses the user name or password",
        "Check THROUGHLINE_KAFKA_USERNAME and THROUGHLINE_KAFKA_PASSWORD, and THROUGHLINE_KAFKA_MECHANISM", "password",
    ),
    (
        "UnsupportedSaslMechanism", "does not offer this sign-in mechanism",
        "Choose another as THROUGHLINE_KAFKA_MECHANISM", "mechanism",
    ),
    (
        "IllegalSaslState", "wants no sign-in here",
        "Unset THROUGHLINE_KAFKA_USERNAME and THROUGHLINE_KAFKA_PASSWORD, or use another port", "mechanism",
    ),
    ("self-signed certificate", *_UNKNOWN_CA),
    ("unable to get local issuer", *_UNKNOWN_CA),
    (
        "CERTIFICATE_VERIFY_FAILED", "shows a certificate that is not valid for it (name or date)",
        "Use the host name in the certificate as THROUGHLINE_KAFKA_BOOTSTRAP, or renew it", "bootstrap",
    ),
    (
        "WRONG_VERSION_NUMBER", "does not speak TLS on this port",
        "Unset THROUGHLINE_KAFKA_TLS and THROUGHLINE_KAFKA_CA_FILE, or use its TLS port", "tls",
    ),
)  # fmt: skip

_HANGS_UP = "it hangs up; perhaps this port wants TLS or a sign-in, or neither, or it is just starting"
_WAITS: tuple[tuple[str, str], ...] = (
    ("Connect call failed", "nobody listens there"),
    ("Connection refused", "nobody listens there"),
    ("Multiple exceptions", "nobody listens there"),
    ("not known", "the host name is not known"),
    ("name resolution", "the host name cannot be looked up now"),
    (" closed", _HANGS_UP),
    ("reset by peer", _HANGS_UP),
    ('": \n', "no answer in time; perhaps it does not speak TLS on this port"),
)  # fmt: skip


def explain(error: BaseException, seen: Sequence[str], settings: BrokerSettings) -> HubError:
    """Name the cause: Misconfigured if a person must act, else RetryLater.

    aiokafka raises one and the same KafkaConnectionError for a wrong password, an unknown CA and a port where nobody
    listens; the difference is in its log lines only, given here as `seen`.
    """
    where = f"Kafka at {settings.bootstrap}"
    if isinstance(error, TopicAuthorizationFailedError | GroupAuthorizationFailedError):
        kind, what = type(error).__name__.partition("Authorization")[0].lower(), ", ".join(map(str, error.args))
        return Misconfigured(f"{where} denies {kind} {what}", "Grant what `throughline topics` lists", "username")
    if isinstance(error, UnknownTopicOrPartitionError):
        return Misconfigured(f"{where} lacks a topic", "Create what `throughline topics` lists", "prefix")
    text = "".join(f"{line}\n" for line in seen)
    for sign, problem, mend, name in _CAUSES:
        if sign in text:
            return Misconfigured(f"{where} {problem}", mend, name)
    for sign, reason in _WAITS:
        if sign in text:
            return RetryLater(f"{where}: {reason}")
    # These lines hold addresses and the client's own words, neither secrets nor content.
    return RetryLater(f"{where} cannot be reached: {seen[-1] if seen else type(error).__name__}")


@contextmanager
def _overheard() -> Iterator[list[str]]:
    """What aiokafka logs meanwhile, from WARNING up."""
    lines: list[str] = []

    class Ear(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            lines.append(record.getMessage())

    ear, source = Ear(logging.WARNING), logging.getLogger("aiokafka")
    source.addHandler(ear)
    try:
        yield lines
    finally:
        source.removeHandler(ear)


async def patiently(
    attempt: Callable[[], Awaitable[None]],
    settings: BrokerSettings,
    *,
    wait: float | None = None,
    pause: float = 2.0,
    tell: Tell = logger.warning,
) -> None:
    """Repeat `attempt` until Kafka is there, for at most `wait` seconds (None: for ever; 0: once).

    `tell` gets each new reason once, as one line. Raises Misconfigured at once when waiting cannot help, and the last
    RetryLater when the time is over.
    """
    now = asyncio.get_running_loop().time
    deadline, told = None if wait is None else now() + wait, ""
    while True:
        with client_unheard(), _overheard() as seen:
            try:
                return await attempt()
            except (KafkaError, OSError, TimeoutError) as error:
                problem = explain(error, seen, settings)
        if isinstance(problem, Misconfigured) or (deadline is not None and now() >= deadline):
            raise problem
        if str(problem) != told:
            told = str(problem)
            tell(f"waiting: {told}")
        await asyncio.sleep(pause)


async def connect(
    broker: KafkaBroker,
    settings: BrokerSettings,
    *,
    wait: float | None = None,
    pause: float = 2.0,
    tell: Tell = logger.warning,
) -> None:
    """Start the broker object and its subscribers; waits and explains as `patiently` does."""

    async def attempt() -> None:
        try:
            await broker.start()
        except BaseException:
            await close(broker)  # a half-started object never reads, even when the broker comes back
            raise

    await patiently(attempt, settings, wait=wait, pause=pause, tell=tell)


async def close(broker: KafkaBroker, *, seconds: float = 15) -> None:
    """Stop it: handlers end, positions are committed. With Kafka away that can take long, so for `seconds` only."""
    with suppress(KafkaError, TimeoutError):
        async with asyncio.timeout(seconds):
            await broker.stop()
