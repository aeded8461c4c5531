"""A hub process that ends itself by SIGKILL at a named point: `python -m tests.faults.child POINT COUNT ROLE...`.

POINT "-" never kills. The points stand between two steps whose order is what loses nothing.
"""

import os
import signal
import sys
from collections.abc import Callable
from typing import Any

from pipelines import deciding
from pipelines.catching_up import CatchUp
from pipelines.ingest import Ingest
from pipelines.publish import Publisher
from services.broker import BrokerSettings, EmbeddedBroker, batches
from services.cli import processes
from services.cli.installation import Installation
from services.feed.flow import Flow
from services.feed.reader import Reader
from services.feed.webhooks import Webhooks

POINTS: dict[str, tuple[type, str, bool]] = {
    # point: (class, its method, whether to kill after it rather than before)
    "page published, not noted": (processes.Hub, "_send_source", True),
    "page noted": (Flow, "publish", True),
    "batch arrived": (Ingest, "__call__", False),
    "batch committed, not acknowledged": (Ingest, "__call__", True),
    "batch written, not committed": (Ingest, "_write", True),
    "batch stored, not understood": (CatchUp, "_take_turn", False),
    "requests put together, not written": (CatchUp, "_look", True),
    "changes numbered, not sent": (Publisher, "_number", True),
    "changes sent, not marked": (processes.Hub, "_send_lifecycles", True),
}

WEBHOOK_POINTS: dict[str, tuple[type, str, bool]] = {
    "delivery stored, not answered": (Webhooks, "_store", True),
    "delivery waits, not read": (Reader, "_hints", False),
    "delivery published, not noted": (processes.Hub, "_send_source", True),
    "delivery handled": (Reader, "_hints", True),
}
"""On the way of a webhook."""

DECISION_POINTS: dict[str, tuple[type, str, bool]] = {
    "decision stored, not understood": (deciding._Case, "_understand", False),
    "decision understood, not committed": (deciding._Case, "taken", True),
    "decision committed, not answered": (deciding.Deciding, "_attempt", True),
}
"""On the way of what a person decides."""


SESSION = batches._Timing(500, 2_000, 400)
"""Kafka gives up a killed member after two seconds instead of ten, so that a test may kill often."""


def plant(point: str, count: int) -> None:
    """Kill this process when the point is passed for the count-th time."""
    owner, name, after = (POINTS | WEBHOOK_POINTS | DECISION_POINTS)[point]
    original: Callable[..., Any] = getattr(owner, name)
    passed = 0

    async def deadly(*given: Any, **named: Any) -> Any:
        nonlocal passed
        passed += 1
        if passed == count and not after:
            os.kill(os.getpid(), signal.SIGKILL)
        result = await original(*given, **named)
        if passed >= count and after and result != []:
            os.kill(os.getpid(), signal.SIGKILL)
        return result

    setattr(owner, name, deadly)


class Told(Installation):
    """An installation that tells where its embedded broker is: a test may have words with it."""

    def broker_settings(self, embedded: EmbeddedBroker | None) -> BrokerSettings:
        made = super().broker_settings(embedded)
        if embedded:
            (self.settings.data_dir / "broker").write_text(f"{made.bootstrap} {embedded.pid}")
        return made


def main() -> None:
    point, count, *roles = sys.argv[1:]
    if point != "-":
        plant(point, int(count))
    batches._KAFKA_TIMING = SESSION
    installation = Told.of()
    processes.configure_logging(installation)
    processes.run_forever(
        processes.run(installation, roles or processes.ROLES, lambda line: print(line, file=sys.stderr))
    )


if __name__ == "__main__":
    main()
