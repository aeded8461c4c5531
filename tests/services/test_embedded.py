"""The embedded broker starts quickly, is new each time, and never outlives its parent."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from services.broker import EmbeddedBroker, EmbeddedBrokerError
from tests.parts.presence import alive, listening, within_seconds

TOP = Path(__file__).parents[2]
PARENT = """
import sys, time
from services.broker.embedded import EmbeddedBroker
broker = EmbeddedBroker.start()
print(broker.pid, broker.bootstrap, flush=True)
if sys.argv[1] == "return":
    sys.exit(0)
time.sleep(60)
"""


def parent(how: str) -> tuple[subprocess.Popen[str], int, int]:
    process = subprocess.Popen(
        [sys.executable, "-c", PARENT, how], cwd=TOP, stdout=subprocess.PIPE, text=True, start_new_session=True
    )
    assert process.stdout is not None
    pid, bootstrap = process.stdout.readline().split()
    return process, int(pid), int(bootstrap.rpartition(":")[2])


def test_it_starts_and_stops() -> None:
    broker = EmbeddedBroker.start()
    port = int(broker.bootstrap.rpartition(":")[2])
    assert (broker.running, listening(port)) == (True, True)
    broker.stop()
    assert (broker.running, listening(port)) == (False, False)
    assert not alive(broker.pid)


def test_topics_have_the_partitions_asked_for_once() -> None:
    with EmbeddedBroker.start() as broker:
        assert broker.create_topic("source.jira", 7) is True
        assert broker.create_topic("source.jira", 7) is False
        for name, partitions in (("bad name", 1), ("good", 0), ("", 1)):
            with pytest.raises(ValueError, match="topic"):
                broker.create_topic(name, partitions)
        assert broker.create_topic("good", 1) is True


def test_each_start_is_a_new_incarnation() -> None:
    with EmbeddedBroker.start() as one, EmbeddedBroker.start() as two:
        assert one.incarnation != two.incarnation
        assert one.bootstrap != two.bootstrap


def test_after_its_end_it_says_so() -> None:
    broker = EmbeddedBroker.start()
    broker.kill()
    assert not broker.running
    with pytest.raises(EmbeddedBrokerError, match="has stopped"):
        broker.create_topic("source.jira", 1)


@pytest.mark.parametrize("how", ["return", "kill"])
def test_it_ends_with_its_parent(how: str) -> None:
    process, pid, port = parent(how)
    if how == "kill":
        assert listening(port)
        process.kill()
    process.communicate(timeout=60)
    assert within_seconds(lambda: not alive(pid))
    assert within_seconds(lambda: not listening(port))


def test_a_signal_to_the_whole_group_leaves_it_to_its_parent() -> None:
    """Ctrl-C reaches parent and child alike; the parent still needs its broker to stop in good order."""
    with EmbeddedBroker.start() as broker:
        os.kill(broker.pid, signal.SIGINT)
        os.kill(broker.pid, signal.SIGTERM)
        time.sleep(0.1)
        assert broker.create_topic("source.jira", 1)
