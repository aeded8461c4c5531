"""CPU time and memory of processes, from /proc (Linux), and quantiles."""

import os
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

TICK = 1 / os.sysconf("SC_CLK_TCK")
"""Seconds: the kernel counts CPU time in these."""
_PAGE = os.sysconf("SC_PAGE_SIZE")
_PARTS = {"postgres": "PostgreSQL", "java": "Kafka"}


@dataclass(frozen=True, slots=True)
class Usage:
    """What processes have used: CPU seconds since they started, bytes of memory now."""

    cpu: float
    memory: int


def used(pid: int) -> dict[str, Usage]:
    """By part (`hub`, `PostgreSQL`, `Kafka`), of a process and all below it.

    Memory is resident memory, pages that processes share counted for each. A process that ended is in its parent's CPU.
    """
    cpu: dict[str, float] = defaultdict(float)
    memory: dict[str, int] = defaultdict(int)
    for one in tree(pid):
        try:
            text = Path(f"/proc/{one}/stat").read_text("utf-8")
        except (FileNotFoundError, ProcessLookupError):
            continue
        name, rest = text[text.index("(") + 1 : text.rindex(")")], text[text.rindex(")") + 2 :].split()
        part = _PARTS.get(name, "hub")
        cpu[part] += sum(int(ticks) for ticks in rest[11:15]) * TICK
        memory[part] += int(rest[21]) * _PAGE
    return {part: Usage(cpu[part], memory[part]) for part in cpu}


def tree(pid: int) -> Iterator[int]:
    """A process and all below it."""
    yield pid
    try:
        threads = list(Path(f"/proc/{pid}/task").iterdir())
        children = [child for thread in threads for child in (thread / "children").read_text("ascii").split()]
    except (FileNotFoundError, ProcessLookupError):
        return
    for child in children:
        yield from tree(int(child))


def spent(before: dict[str, Usage], after: dict[str, Usage]) -> dict[str, float]:
    """CPU seconds by part between two looks."""
    return {part: after[part].cpu - (before[part].cpu if part in before else 0.0) for part in after}


def quantile(values: Sequence[float], share: float) -> float:
    """The value that this share of them does not exceed."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]
