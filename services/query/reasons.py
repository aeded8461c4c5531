"""Why two things belong together or not, as the API and the command line tell it."""

from collections.abc import Sequence
from datetime import UTC
from typing import Any

from pipelines.correlate.reasons import Said, Shared
from pipelines.lifecycle.withholding import NOT_SHOWN, connection_of
from pipelines.why import Why, why
from schemas.canonical import instant
from schemas.errors import RetryLater
from services.query.audience import View
from services.query.database import RETRY_AFTER, Database
from services.query.finding import Found
from services.query.finding import told as artifact_told
from services.query.reading import Known
from services.query.refused import Refused


async def reasons(database: Database, left: str, right: str) -> Why:
    """The answer about two artifacts that are stored. Raises Refused while it is not known where one belongs."""
    try:
        return await why(database.reading, left, right)
    except RetryLater:
        raise Refused(
            503, "not-placed", "It was read just now, and what it belongs to is still being found.",
            "Ask again soon; what hangs together with very many things waits longest.", headers=RETRY_AFTER,
        ) from None  # fmt: skip


def meant(left: Sequence[Known], right: Sequence[Known]) -> tuple[Known, Known]:
    """Of what two references name the two that are likeliest meant: those in one request, else those in any."""
    pairs = [(one, other) for one in left for other in right]
    return min(
        pairs, key=lambda pair: (pair[0].request is None or pair[0].request != pair[1].request, *map(_free, pair))
    )


def _free(one: Known) -> bool:
    return one.request is None


def told(found: Why) -> dict[str, Any]:
    """The answer as JSON values."""
    reason = found.reason
    steps = [_link(said, found) for said in reason.steps]
    return {
        "left": reason.left,
        "right": reason.right,
        "left_request": reason.left_request,
        "right_request": reason.right_request,
        "together": reason.together,
        "sentence": reason.sentence,
        "chain": steps if reason.together else [],
        "words": [said.sentence for said in reason.steps] if reason.together else [],
        "nearest": [] if reason.together else steps,
        "decisions": [{"number": number, "why": sentence} for number, sentence in reason.decisions],
        "outside": [{"artifact": artifact, "why": sentence} for artifact, sentence in reason.outside],
        "shared": [_shared(one) for one in reason.shared],
        "against": [_link(said, found) for said in reason.against],
        "more_against": reason.more_against,
        "remarks": reason.remarks,
    }


def told_any(found: Why, ends: tuple[Known, Known], named: tuple[Found, Found]) -> dict[str, Any]:
    """The answer about two that are in any request or in none, as JSON values; named: all that was found for each."""
    reason = found.reason
    start, to = (
        [one.artifact for one in all_found.artifacts if one.artifact != end.artifact]
        for end, all_found in zip(ends, named, strict=True)
    )
    return {
        "request": reason.left_request if reason.left_request == reason.right_request else None,
        **told(found),
        "artifacts": [artifact_told(end) for end in ends],
        "also": {"from": start, "with": to},
    }


def withheld_reasons(
    told: dict[str, Any], found: Why, view: View, hidden: frozenset[str] | None = None
) -> dict[str, Any]:
    """The answer as its reader may see it: what speaks of something they may not read says only that it is there.

    hidden: connections that are kept from them in the request concerned; None: wherever it is.
    """
    kept = view.outside if hidden is None else hidden
    if not kept:
        return told
    links = [one for name in ("chain", "nearest", "against") for one in told[name]]
    named = {told["left"], told["right"], *(end for one in links for end in (one["left"], one["right"]) if end)}
    named |= {one["artifact"] for one in told["outside"]}
    brought = {found.brought.get(one, connection_of(one)) for one in named}
    if brought.isdisjoint(kept) and not told["decisions"]:
        return told
    together = "belong together" if told["together"] else "do not belong together"
    return {
        **told,
        **{name: [_withheld(one) for one in told[name]] for name in ("chain", "nearest", "against")},
        "sentence": f"They {together}; you may not read all that says so",
        "words": [NOT_SHOWN for _ in told["words"]],
        "decisions": [{**one, "why": NOT_SHOWN} for one in told["decisions"]],
        "outside": [{**one, "why": NOT_SHOWN} for one in told["outside"]],
        "shared": [],
        "remarks": [],
    }


def _withheld(link: dict[str, Any]) -> dict[str, Any]:
    nothing = dict.fromkeys(("start", "end", "around", "marked", "field"))
    kept = NOT_SHOWN if link["kept"] else None
    value = {"kind": None, "value": None}
    return {**link, **nothing, "why": NOT_SHOWN, "kept": kept, "value": value, "hidden": True}


def _link(said: Said, found: Why) -> dict[str, Any]:
    link, shown = said.link, found.words[said.link]
    placed = link.start >= 0
    return {
        "left": link.from_artifact,
        "right": link.to_artifact,
        "relation": link.relation,
        "effect": link.kind,
        "evidence": link.evidence,
        "why": said.sentence,
        "since": instant(said.since.astimezone(UTC)) if said.since else None,
        "rule": link.rule,
        "version": found.version,
        "kept": said.kept or None,
        "value": _value(link.key),
        "field": link.field or None,
        "start": link.start if placed else None,
        "end": link.end if placed else None,
        "around": shown.around,
        "marked": shown.marked,
        "hidden": shown.hidden,
        "carried_by": said.carried_by,
        "decision": link.decision,
        "other_request": said.other_request,
    }


def _shared(one: Shared) -> dict[str, Any]:
    return {"value": _value(one.key), "artifacts": one.artifacts, "why": one.why}


def _value(key: str | None) -> dict[str, str | None]:
    """What two artifacts share; of a value that is restricted, or too long to be kept, only that there is one."""
    kind, _, value = (key or "sha256").partition("|")
    return {"kind": None, "value": None} if kind == "sha256" else {"kind": kind, "value": value}
