"""CPU time of this process by step of the pipeline, by looking at the stack every few milliseconds of CPU time.

The innermost of the functions below that is on the stack names the step. The database driver runs inside greenlets of
SQLAlchemy: their parents' stacks count too.
"""

import importlib
import signal
from collections import Counter
from types import CodeType, FrameType
from typing import Any, Self

import greenlet  # type: ignore[import-untyped]

STEPS: dict[str, tuple[str, ...]] = {
    "decode": ("schemas.events:from_kafka",),
    "map": ("pipelines.ingest:Ingest.telling",),
    "references": ("pipelines.ingest:references_of",),
    "configuration": ("pipelines.store.configuration:load",),
    "land": ("pipelines.store.facts:land",),
    "merge": ("pipelines.store.facts:merge",),
    "load": (
        "pipelines.store.components:load", "pipelines.store.requests:stored", "pipelines.store.requests:activities_of",
        "pipelines.store.people:load",
    ),
    "correlate": ("pipelines.correlate:correlate", "pipelines.assembly:components_of"),
    "fold": ("pipelines.understanding:_fold_one",),
    "write": (
        "pipelines.store.components:write_members", "pipelines.store.requests:write",
        "pipelines.store.requests:mark_failed", "pipelines.store.offsets:advance",
        "pipelines.store.dead_letters:add",
    ),
    "begin, commit": ("pipelines.store.engine:writing",),
    "publish": ("pipelines.publish:Publisher.run",),
    "feed": ("services.feed.feed:Feed.run",),
}  # fmt: skip
"""Step to the functions it consists of, as module:name. `begin, commit` is what remains of a transaction."""


EVERY = 0.002
"""Seconds of CPU time between two looks."""


def codes() -> dict[CodeType, str]:
    """The functions' code objects, each with its step. Raises AttributeError where a name has gone."""
    found: dict[CodeType, str] = {}
    for step, names in STEPS.items():
        for name in names:
            module, _, path = name.partition(":")
            one: Any = importlib.import_module(module)
            for part in path.split("."):
                one = getattr(one, part)
            found[getattr(one, "__wrapped__", one).__code__] = step
    return found


class Sampler:
    """Counts looks by step while it is open. Main thread only."""

    def __init__(self) -> None:
        self._codes = codes()
        self.looks: Counter[str] = Counter()

    def __enter__(self) -> Self:
        signal.signal(signal.SIGPROF, self._look)
        signal.siginterrupt(signal.SIGPROF, False)
        signal.setitimer(signal.ITIMER_PROF, EVERY, EVERY)
        return self

    def __exit__(self, *_: object) -> None:
        signal.setitimer(signal.ITIMER_PROF, 0)

    def shares(self) -> dict[str, float]:
        """Step to its share of the looks, the largest first."""
        seen = max(1, self.looks.total())
        return {step: count / seen for step, count in self.looks.most_common()}

    def _look(self, _number: int, frame: FrameType | None) -> None:
        # CPU time while this thread waits for events is another one's: the SQLite driver works in a thread of its own.
        waiting = frame is not None and frame.f_code.co_name == "select"
        self.looks["another thread (SQLite)" if waiting else self._step(frame)] += 1

    def _step(self, frame: FrameType | None) -> str:
        current = greenlet.getcurrent()
        parent = current.parent
        while True:
            while frame is not None:
                step = self._codes.get(frame.f_code)
                if step is not None:
                    return step
                frame = frame.f_back
            if parent is None:
                return "the rest"
            frame, parent = parent.gr_frame, parent.parent
