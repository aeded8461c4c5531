"""The results as a section of the benchmarks' page."""

import re
from collections.abc import Sequence
from datetime import UTC, datetime

from benchmarks.accuracy import gate
from benchmarks.accuracy.measuring import Measured, Suggested, Whole
from benchmarks.accuracy.metrics import Share
from benchmarks.accuracy.truth import Planted

HEADING = "## Correlation: how often it is right"
_EVIDENCE = {
    Planted.EXPLICIT: "explicit",
    Planted.MENTION: "a mention",
    Planted.SIMILARITY: "only likeness",
    Planted.NONE: "nothing",
}


def section(results: Sequence[Measured], gated: Sequence[Measured]) -> str:
    """The whole section. gated: those that must reach the floors; the traps are shown of the last of them."""
    seeds = sorted({str(one.seed) for one in results})
    misses = [line for one in gated for line in _misses(one)]
    lines = [
        HEADING,
        "",
        "Written by `make accuracy`: generated companies with known truth, through the real mapping and pipeline. "
        "What the columns mean: `benchmarks/accuracy/README.md`.",
        "",
        f"- {datetime.now(UTC).date().isoformat()}, seed {', '.join(seeds)}",
        f"- Floors, on normal noise: precision {gate.PRECISION}, recall of what evidence allows {gate.ALLOWED_RECALL}, "
        f"F1 {gate.F1}, exactly right {gate.EXACT}, precision in each trap {gate.TRAP_PRECISION}.",
        *(f"- {'**missed**: ' if misses else ''}{line}" for line in misses or ["All floors are reached."]),
        "",
        *_companies(results),
        *_evidence(results),
        *_suggestions(results),
    ]
    for one in [*gated[-1:], *(one for one in results if one.noise == "hard")][:2]:
        lines += _traps(one)
    return "\n".join(lines).rstrip() + "\n"


def _misses(measured: Measured) -> list[str]:
    return [f"{_name(measured)}: {line}" for line in gate.missed(measured)]


def _name(measured: Measured) -> str:
    return f"{measured.noise} {measured.size:,}"


def _companies(results: Sequence[Measured]) -> list[str]:
    rows = [
        "| company | artifacts | precision | recall | recall of what evidence allows | F1 | B-cubed P / R / F1 "
        "| exactly right | ceiling: F1, exactly right |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for one in results:
        pairs, cubed, top = one.automatic.pairs, one.automatic.b_cubed, one.ceiling
        rows.append(
            f"| {_name(one)} | {one.things:,} | {shown(pairs.precision)} | {shown(pairs.recall)} "
            f"| {shown(one.allowed)} "
            f"| {pairs.quality.f1:.4f} | {cubed.precision:.4f} / {cubed.recall:.4f} / {cubed.f1:.4f} "
            f"| {shown(one.automatic.exact)} | {top.pairs.quality.f1:.4f}, {top.exact.value:.4f} |"
        )
    return [*rows, ""]


def _evidence(results: Sequence[Measured]) -> list[str]:
    rows = [
        "| true pairs joined, by the evidence there is | " + " | ".join(_name(one) for one in results) + " |",
        "|---" * (len(results) + 1) + "|",
    ]
    for kind, name in _EVIDENCE.items():
        cells = [f"{one.found[kind].hits:,} of {one.found[kind].of:,}" for one in results]
        rows.append(f"| {name} | {' | '.join(cells)} |")
    return [*rows, ""]


def _suggestions(results: Sequence[Measured]) -> list[str]:
    lines: list[str] = []
    for one in results:
        if one.suggested:
            lines += _suggested(_name(one), one.automatic, one.suggested)
    return lines or ["Suggestions: the hub made none.", ""]


def _suggested(name: str, before: Whole, suggested: Suggested) -> list[str]:
    after = suggested.accepted
    rows = [
        f"Suggestions, {name}: {shown(suggested.right)} right; with the right ones accepted F1 "
        f"{before.pairs.quality.f1:.4f} → {after.pairs.quality.f1:.4f}, exactly right {before.exact.value:.4f} → "
        f"{after.exact.value:.4f}; Brier score {suggested.brier or 0:.4f}.",
        "",
        "| stated probability | mean | came true |",
        "|---|---|---|",
    ]
    rows += [
        f"| {one.low:.1f} to {one.high:.1f} | {one.stated:.3f} | {shown(one.true)} |" for one in suggested.reliability
    ]
    return [*rows, ""]


def _traps(measured: Measured) -> list[str]:
    rows = [
        f"### Traps, {_name(measured)}",
        "",
        "| trap | times | pairs | precision | kept apart | found |",
        "|---|---|---|---|---|---|",
    ]
    rows += [
        f"| {one.trap.name.lower().replace('_', ' ')}: {one.trap.value} | {one.occurrences} | {one.pairs:,} "
        f"| {shown(one.precision)} | {shown(one.kept_apart)} | {shown(one.found)} |"
        for one in measured.traps
    ]
    return [*rows, ""]


def shown(share: Share) -> str:
    """A share with its interval of 95 %."""
    if not share.of:
        return "none"
    low, high = share.interval()
    return f"{share.value:.4f} ({low:.3f}–{high:.3f})"


def put(page: str, told: str, heading: str = HEADING) -> str:
    """The page with this section in place of the one of the same heading, or at its end."""
    mine = re.compile(rf"^{re.escape(heading)}\n.*?(?=^## |\Z)", re.MULTILINE | re.DOTALL)
    if mine.search(page):
        return mine.sub(lambda _: told + "\n", page, count=1).rstrip() + "\n"
    return f"{page.rstrip()}\n\n{told}"


def kept(page: str, heading: str = HEADING) -> str:
    """This section of a page; "" if it has none."""
    found = re.search(rf"^{re.escape(heading)}\n.*?(?=^## |\Z)", page, re.MULTILINE | re.DOTALL)
    return found.group().rstrip() + "\n" if found else ""
