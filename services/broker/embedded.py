"""The embedded Kafka-protocol broker: librdkafka's own mock cluster, alone in a child process.

It keeps everything in memory (at most 5 MiB or 100,000 batches a partition, the oldest dropped silently), listens on
127.0.0.1 without TLS or sign-in, and knows nothing of topic settings. What must survive lives in the database: a start
is a new *incarnation*, which tells readers that offsets of an earlier one mean nothing.

Two reasons for a process of its own: a failed assertion inside the mock cluster aborts its process, and the end of the
parent, however it ends, must end the broker. The parent speaks to it in lines of JSON over stdin and stdout::

    <- {"bootstrap": "127.0.0.1:38727", "incarnation": "5f0c…"}
    -> {"topic": "source.jira", "partitions": 4}
    <- {"code": 0}

This file is run as a script by its path, so it imports the standard library only.
"""

import contextlib
import ctypes
import importlib.util
import json
import os
import re
import select
import signal
import subprocess
import sys
import threading
from pathlib import Path
from types import TracebackType
from typing import Any, Self

GROUP_START_MS = 50
"""How long a new consumer group waits for more members. The mock cluster's own 3,000 ms delay every start."""

_TOPIC_EXISTS = 36
_TOPIC_NAME = re.compile(r"[a-zA-Z0-9._-]{1,249}")
_MOST_PARTITIONS = 100
_PR_SET_PDEATHSIG = 1


class EmbeddedBrokerError(RuntimeError):
    """The child process did not start, refused a topic, or is gone."""


class EmbeddedBroker:
    """A running embedded broker, seen from the parent process.

    Start it from a thread that lives as long as the broker shall (the main thread): on Linux the kernel ends the child
    with the thread that started it.
    """

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self._process = process
        self._turn = threading.Lock()
        self._answers = bytearray()
        self.bootstrap = ""
        """Where it listens, "127.0.0.1:PORT"; known once it does."""
        self.incarnation = ""
        """Random and new with every start; known once it listens."""

    @classmethod
    def start(cls, *, seconds: float = 10.0) -> Self:
        """Start the child and wait, for up to `seconds`, until it listens (usually a tenth of a second)."""
        broker = cls.begin()
        try:
            broker.listens(seconds=seconds)
        except EmbeddedBrokerError:
            broker.stop()
            raise
        return broker

    @classmethod
    def begin(cls) -> Self:
        """Start the child, and do not wait for it; see listens()."""
        return cls(
            subprocess.Popen(  # noqa: S603 - our own interpreter and file
                [sys.executable, "-P", str(Path(__file__).resolve())],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                process_group=0,  # a terminal's Ctrl-C goes to a whole group; this one is ended in good order
            )
        )

    def listens(self, *, seconds: float = 10.0) -> None:
        """Wait, once and for up to `seconds`, until a begun child listens. Raises EmbeddedBrokerError."""
        hello = self._answer(seconds)
        self.bootstrap, self.incarnation = str(hello["bootstrap"]), str(hello["incarnation"])

    @property
    def pid(self) -> int:
        """The child's process id."""
        return self._process.pid

    @property
    def running(self) -> bool:
        """Whether the child process is alive."""
        return self._process.poll() is None

    def create_topic(self, name: str, partitions: int, *, seconds: float = 10.0) -> bool:
        """Create a topic; False if it was there already (whatever its partitions)."""
        if not _TOPIC_NAME.fullmatch(name) or not 1 <= partitions <= _MOST_PARTITIONS:
            raise ValueError(f"no topic {name!r} with {partitions} partitions: 1 to {_MOST_PARTITIONS}, plain name")
        with self._turn:
            code = int(self._ask({"topic": name, "partitions": partitions}, seconds)["code"])
        if code not in (0, _TOPIC_EXISTS):
            raise EmbeddedBrokerError(f"the embedded broker refused topic {name!r} with Kafka error code {code}")
        return code == 0

    def stop(self, *, seconds: float = 3.0) -> None:
        """End the child; by force after `seconds`. Everything in it is gone."""
        process = self._process
        if process.stdin is not None:
            with contextlib.suppress(OSError):
                process.stdin.close()
        try:
            process.wait(seconds)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        if process.stdout is not None:
            process.stdout.close()

    def kill(self) -> None:
        """End the child at once, as a crash would."""
        self._process.kill()
        self._process.wait()
        self.stop()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.stop()

    def _ask(self, question: dict[str, Any], seconds: float) -> dict[str, Any]:
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(json.dumps(question).encode() + b"\n")
            self._process.stdin.flush()
        except (OSError, ValueError) as error:
            raise EmbeddedBrokerError("the embedded broker has stopped; start the hub again") from error
        return self._answer(seconds)

    def _answer(self, seconds: float) -> dict[str, Any]:
        """The child's next line, read by bytes so that a time-out never leaves half a line in a hidden buffer."""
        assert self._process.stdout is not None
        descriptor = self._process.stdout.fileno()
        while b"\n" not in self._answers:
            if not select.select([descriptor], [], [], seconds)[0]:
                raise EmbeddedBrokerError(f"the embedded broker did not answer within {seconds:g} s")
            got = os.read(descriptor, 65536)
            if not got:
                raise EmbeddedBrokerError(f"the embedded broker ended with exit code {self._process.wait()}")
            self._answers += got
        line, _, rest = bytes(self._answers).partition(b"\n")
        self._answers = bytearray(rest)
        found: dict[str, Any] = json.loads(line)
        return found


def _library() -> ctypes.CDLL:
    """The librdkafka inside the installed confluent_kafka wheel (Linux: `.libs` beside it, macOS: `.dylibs` in it)."""
    spec = importlib.util.find_spec("confluent_kafka")
    if spec is None or spec.origin is None:
        raise EmbeddedBrokerError("the embedded broker needs the package confluent-kafka: run `make install`")
    package = Path(spec.origin).parent
    for folder in (package.parent / "confluent_kafka.libs", package / ".dylibs"):
        for path in sorted(folder.glob("librdkafka*")):
            return ctypes.CDLL(str(path))
    raise EmbeddedBrokerError("the installed confluent-kafka has no librdkafka in it: install its wheel, or use Kafka")


class _MockCluster:
    """One mock broker, through librdkafka's C functions (rdkafka_mock.h)."""

    def __init__(self) -> None:
        lib = self._lib = _library()
        pointer, text, number = ctypes.c_void_p, ctypes.c_char_p, ctypes.c_int
        for name, result, arguments in (
            ("rd_kafka_conf_new", pointer, []),
            ("rd_kafka_conf_set", number, [pointer, text, text, text, ctypes.c_size_t]),
            ("rd_kafka_new", pointer, [number, pointer, text, ctypes.c_size_t]),
            ("rd_kafka_mock_cluster_new", pointer, [pointer, number]),
            ("rd_kafka_mock_cluster_bootstraps", text, [pointer]),
            ("rd_kafka_mock_topic_create", number, [pointer, text, number, number]),
            ("rd_kafka_mock_group_initial_rebalance_delay_ms", None, [pointer, ctypes.c_int32]),
        ):
            function = getattr(lib, name)
            function.restype, function.argtypes = result, arguments
        problem = ctypes.create_string_buffer(512)
        conf = lib.rd_kafka_conf_new()
        # Else it writes of broken requests to stderr, in words of its own between our log lines.
        lib.rd_kafka_conf_set(conf, b"log_level", b"0", problem, len(problem))
        # The handle itself connects to nothing; the mock cluster only borrows its logging and threads.
        handle = lib.rd_kafka_new(0, conf, problem, len(problem))
        if not handle:
            raise EmbeddedBrokerError(f"librdkafka: {problem.value.decode(errors='replace')}")
        self._cluster = lib.rd_kafka_mock_cluster_new(handle, 1)
        if not self._cluster:
            raise EmbeddedBrokerError("librdkafka could not listen on 127.0.0.1")
        lib.rd_kafka_mock_group_initial_rebalance_delay_ms(self._cluster, GROUP_START_MS)

    @property
    def bootstrap(self) -> str:
        found: bytes = self._lib.rd_kafka_mock_cluster_bootstraps(self._cluster)
        return found.decode()

    def create_topic(self, name: str, partitions: int) -> int:
        """The Kafka error code: 0 created, 36 there already."""
        return int(self._lib.rd_kafka_mock_topic_create(self._cluster, name.encode(), partitions, 1))


def _die_with_parent() -> None:
    """Linux: the kernel ends this process with its parent. The end of stdin, which does so everywhere, comes second."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def _serve() -> None:
    """Run in the child: announce the address, then create topics until stdin ends."""
    _die_with_parent()
    # Ctrl-C and a service manager signal the whole group; the hub still needs its broker to stop in good order.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    try:
        cluster = _MockCluster()
    except EmbeddedBrokerError as error:
        sys.exit(str(error))
    # The module secrets would load OpenSSL with it, 5 MB for nothing else.
    print(json.dumps({"bootstrap": cluster.bootstrap, "incarnation": os.urandom(8).hex()}), flush=True)  # noqa: T201
    for line in sys.stdin:
        wish = json.loads(line)
        print(json.dumps({"code": cluster.create_topic(wish["topic"], wish["partitions"])}), flush=True)  # noqa: T201
    os._exit(0)  # everything is in memory, so there is nothing to put away


if __name__ == "__main__":
    _serve()
