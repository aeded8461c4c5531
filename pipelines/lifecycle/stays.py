"""The request's way as the record shows it: where it is now, and each stage with its stays."""

from collections.abc import Sequence
from datetime import datetime

from pipelines.lifecycle.lives import Life
from pipelines.lifecycle.spans import Stretch, parts, reopened
from schemas.artifacts import State
from schemas.records import Current, Piece, Span, StageView
from schemas.stages import NOT_MAPPED

NEWEST_PIECES = 50
"""Pieces of one stay kept in the record."""

_WORKING = frozenset({State.NEW, State.ACTIVE})


def current(life: Life) -> Current:
    """Where the request is now."""
    stays = parts(life.way)
    last = life.way[-1]
    return Current(
        stage=last.stage,
        stage_since=stays[-1][0].entered,
        state=last.state.value if last.state else None,
        state_since=_state_since(stays[-1]),
        waiting=last.waiting,
        round=sum(stay[0].stage == last.stage for stay in stays),
        reopened=reopened(life.way, life.stage_map, life.only_asked_until),
    )


def _state_since(stay: Sequence[Stretch]) -> datetime | None:
    """Since when it is in its state in this stay; another reason to wait is no other state."""
    since = stay[-1].entered
    for each in reversed(stay):
        if each.state is not stay[-1].state:
            break
        since = each.entered
    return since


def stage_views(life: Life) -> tuple[StageView, ...]:
    """All stages of the map in their order, then `not mapped` if the request was ever there."""
    stays: dict[str, list[Sequence[Stretch]]] = {}
    for stay in parts(life.way):
        stays.setdefault(stay[0].stage, []).append(stay)
    names = [*life.stage_map.stages, *([NOT_MAPPED] if NOT_MAPPED in stays else [])]
    return tuple(_stage_view(name, stays.get(name, []), life) for name in names)


def _stage_view(name: str, stays: list[Sequence[Stretch]], life: Life) -> StageView:
    spans = tuple(_span(number, stay) for number, stay in enumerate(stays, 1))
    here = bool(spans) and spans[-1].open
    return StageView(
        stage=name,
        gate=life.stage_map.gate(name),
        standing="current" if here else "left" if spans else "ahead",
        entered=spans[0].entered if spans else None,
        left=spans[-1].left if spans else None,
        rounds=len(spans),
        active_seconds=sum(span.active_seconds for span in spans),
        waiting_seconds=sum(span.waiting_seconds for span in spans),
        spans=spans,
    )


def _span(number: int, stay: Sequence[Stretch]) -> Span:
    return Span(
        round=number,
        entered=stay[0].entered,
        left=stay[-1].left,
        open=stay[-1].open,
        active_seconds=sum(_seconds(each) for each in stay if each.state in _WORKING),
        waiting_seconds=sum(_seconds(each) for each in stay if each.state is State.WAITING),
        pieces=tuple(
            Piece(
                entered=each.entered,
                left=each.left,
                open=each.open,
                state=each.state.value if each.state else None,
                waiting=each.waiting,
            )
            for each in stay[-NEWEST_PIECES:]
        ),
        pieces_total=len(stay),
    )


def _seconds(each: Stretch) -> int:
    return int((each.left - each.entered).total_seconds()) if each.entered and each.left else 0
