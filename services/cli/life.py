"""A request's life as a person reads it: pure rendering of a record, in the width there is."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from pipelines.lifecycle.summary import day, lasted, summary
from schemas.records import ArtifactView, Dependency, LifecycleRecord, PersonView, StageView
from schemas.stages import NOT_MAPPED
from services.cli.narrow import ByWidth, stacked
from services.cli.words import counted, listed, moment, true_up_to

BAR = 24
"""Cells of the longest stage's bar."""
NEWEST = 8
"""Lines of the timeline."""
_SHORT_KEY = 24
_STATES = {"done": "green", "cancelled": "dim", "waiting": "yellow", "active": "cyan", "new": "cyan"}


@dataclass(frozen=True, slots=True)
class Life:
    """What is shown of one request."""

    record: LifecycleRecord
    connections: Sequence[Any]
    """Rows of the connections: up to when each is true."""
    now: datetime
    """In the reader's zone."""
    problem: str | None = None
    """Why the record is not up to date."""
    full_blocks: bool = True
    """Whether the output can show them."""

    @property
    def shown_at(self) -> datetime:
        """The moment it is shown at, in the reader's zone."""
        return self.record.as_of.astimezone(self.now.tzinfo) if self.record.as_of else self.now

    @property
    def over(self) -> bool:
        """Whether nothing goes on any more."""
        return self.record.current.state in ("done", "cancelled")

    @property
    def until(self) -> datetime | None:
        """Up to when open stays last; None: to an end at an unknown time."""
        return self.record.current.state_since if self.over else self.shown_at


def shown(life: Life) -> RenderableType:
    """The whole picture."""
    record = life.record
    parts: list[RenderableType] = [_head(record), Text(summary(record, life.shown_at), style="bold")]
    if record.as_of:
        stood = f"As it stood {_at(record.as_of, life.now)}, by today's knowledge"
        parts.append(Text(stood, style="yellow"))
    if life.problem:
        parts.append(Text(f"Not up to date: {life.problem}", style="red"))
    parts += [Text(), _stages(life), Text(), _facts(life), *_artifacts(life), *_timeline(life), *_freshness(life)]
    return Group(*parts)


def _at(at: datetime, now: datetime) -> str:
    """`at 10:42` today, `on 3 March 10:42` otherwise."""
    today = at.astimezone(now.tzinfo).date() == now.date()
    return f"{'at' if today else 'on'} {moment(at, now)}"


def _head(record: LifecycleRecord) -> RenderableType:
    head = Table.grid(expand=True, padding=(0, 2, 0, 0))
    head.add_column(ratio=1)
    head.add_column(justify="right", no_wrap=True)
    title = Text(record.title or "Nothing that may be shown has a title", style="bold")
    head.add_row(title, Text(record.id, style="dim"))
    return ByWidth(head, Group(title, Text(record.id, style="dim")))


def _stages(life: Life) -> RenderableType:
    picture = Table.grid(padding=(0, 2, 0, 0))
    picture.add_column(no_wrap=True)
    picture.add_column(no_wrap=True, width=BAR)
    picture.add_column(no_wrap=True)
    picture.add_column()
    narrow = Table.grid(padding=(0, 2, 0, 0))
    narrow.add_column(no_wrap=True)
    took = {view.stage: stage_length(view, life.until) for view in life.record.stages}
    longest = max((length for length in took.values() if length), default=None)
    for view in life.record.stages:
        length = took[view.stage]
        style = "cyan" if view.standing == "current" else "green" if view.standing == "left" else "dim"
        bar = _bar(view, length, longest, full_blocks=life.full_blocks)
        lasting = _length(view, length, life)
        stage, when = Text(view.stage, style=style), _when(view, life)
        picture.add_row(stage, Text(bar, style=style), lasting, when)
        narrow.add_row(stage, Text(f"{lasting}, " if lasting else "").append_text(when))
    return ByWidth(picture, narrow)


def stage_length(view: StageView, until: datetime | None) -> timedelta | None:
    """How long the request was in a stage, over all stays; None where the history does not say."""
    total = timedelta()
    for span in view.spans:
        end = until if span.open else span.left
        if span.entered is None or end is None:
            return None
        total += max(end - span.entered, timedelta())
    return total if view.spans else None


def _bar(view: StageView, length: timedelta | None, longest: timedelta | None, *, full_blocks: bool) -> str:
    if view.standing == "ahead" and not view.spans:
        return "·" if full_blocks else "."
    if length is None or not longest:
        return "?"
    done, current = ("█", "▓") if full_blocks else ("#", "=")
    return (current if view.standing == "current" else done) * max(1, round(BAR * (length / longest)))


def _length(view: StageView, length: timedelta | None, life: Life) -> str:
    if not view.spans:
        return ""
    if length is None:
        return "length not known"
    return lasted(length) + (" so far" if not life.over and any(span.open for span in view.spans) else "")


def _when(view: StageView, life: Life) -> Text:
    if not view.spans:
        return Text(_never(view, life), style="dim")
    begun = day(view.entered, life.now) if view.entered else "?"
    when = f"since {begun}" if view.left is None else f"{begun} to {day(view.left, life.now)}"
    waited = view.waiting_seconds
    extra = [f"{counted(view.rounds, 'round')}"] if view.rounds > 1 else []
    extra += [f"waited {lasted(timedelta(seconds=waited))}"] if waited >= 3600 else []
    return Text(", ".join([when, *extra]), style="dim")


def _never(view: StageView, life: Life) -> str:
    """What to say of a stage in which the request never was."""
    reached = [stage.spans and stage.stage != NOT_MAPPED for stage in life.record.stages]
    if any(reached[life.record.stages.index(view) :]):
        return "passed by"
    return "not reached" if life.over else "still ahead"


def _facts(life: Life) -> RenderableType:
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(no_wrap=True, style="dim")
    table.add_column()
    for name, told in _lines(life):
        table.add_row(name, Text(told))
    return table


def _lines(life: Life) -> Iterator[tuple[str, str]]:
    record, now = life.record, life.now
    yield "Now", _state(life)
    if record.holder:
        since = f" since {moment(record.holder.since, now)}" if record.holder.since else ""
        yield "Held by", f"{name_of(record.holder.person)}{since}"
    for one in record.blocked_by:
        if one.open is not False:
            yield "Waits on", _dependency(one, life)
    for one in record.blocks:
        yield "Holds up", _dependency(one, life)
    if record.requester:
        yield "Asked by", name_of(record.requester)
    if record.business_unit:
        yield "For", record.business_unit
    for each in record.programmes:
        key, title = each.natural_key or each.artifact, each.title
        yield "Part of", f"{key} {title}" if title else key
    yield from _stated(life)


def _stated(life: Life) -> Iterator[tuple[str, str]]:
    record = life.record
    for each in record.dates:
        yield each.meaning.capitalize(), f"{_date(each.value, life.now)}, as {_name(record, each.artifact)} says"
    if record.priority:
        yield "Priority", record.priority
    if record.amount:
        yield "Worth", f"{record.amount.value} {record.amount.currency or ''}".strip()
    if record.last_said:
        said = record.last_said
        words = f": “{said.words}”" if said.words else ""
        yield "Last said", f"{moment(said.at, life.now)} by {said.by_name or said.by or 'somebody'}{words}"
    yield "Next", record.expected.words


def _state(life: Life) -> str:
    current = life.record.current
    state: str = current.state or "no tool says in what state"
    if current.state == "waiting" and current.waiting:
        state = "waiting, " + ("blocked" if current.waiting == "blocked" else f"for the {current.waiting}")
    since = f" since {moment(current.state_since, life.now)} ({lasted(life.shown_at - current.state_since)})" if (
        current.state_since) else ""  # fmt: skip
    again = f"; re-opened {counted(current.reopened, 'time')}" if current.reopened else ""
    return f"{current.stage}, {state}{since}{again}"


def _dependency(one: Dependency, life: Life) -> str:
    key = one.other_key or one.other
    title = f" {one.other_title}" if one.other_title else ""
    state = one.other_state or "not read"
    since = f", since {day(one.since, life.now)}" if one.since else ""
    return f"{key}{title} ({state}{since})"


def _date(value: str, now: datetime) -> str:
    """A stated date: a moment in the reader's zone, a day as it stands."""
    try:
        at = datetime.fromisoformat(value)
    except ValueError:
        return value
    return moment(at, now) if at.tzinfo else day(at.replace(tzinfo=now.tzinfo), now)


def name_of(person: PersonView) -> str:
    """Whom people know."""
    return person.name or person.address or person.id


def _name(record: LifecycleRecord, artifact: str) -> str:
    for one in record.artifacts:
        if one.id == artifact:
            return " ".join(word for word in (one.kind, short_key(one)) if word)
    return artifact


def short_key(one: ArtifactView) -> str:
    """What people call it, where that is short (a Message-ID is not)."""
    return one.natural_key if one.natural_key and len(one.natural_key) <= _SHORT_KEY else ""


def _artifacts(life: Life) -> Iterator[RenderableType]:
    artifacts = life.record.artifacts
    yield Text(f"\nIn it ({len(artifacts)})", style="bold")
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(no_wrap=True)
    table.add_column(no_wrap=True)
    table.add_column(no_wrap=True, max_width=20)
    table.add_column(ratio=1)
    narrow: list[Sequence[RenderableType]] = []
    for one in artifacts:
        key = short_key(one) or (day(one.created_at, life.now) if one.created_at else "")
        status, told = Text(*_status(one)), _told(one, life)
        table.add_row(Text(f"  {one.kind}"), key, status, told)
        narrow.append((Text(f"{one.kind} {key}  ").append_text(status), told))
    yield ByWidth(table, stacked(narrow))


def _status(one: ArtifactView) -> tuple[str, str]:
    if one.merged_into:
        return "merged", "dim"
    if one.deleted or one.out_of_scope:
        return ("deleted" if one.deleted else "not selected now"), "dim"
    # What has no status is not worked on: of a mail that somebody sent nothing is active.
    state = one.state if one.state != "active" else None
    return one.status or state or "", _STATES.get(one.state or "", "")


def _told(one: ArtifactView, life: Life) -> RenderableType:
    title = one.title or ("(content that is left out)" if one.restricted else "(no title)")
    holder = next((name_of(each) for each in life.record.people if each.id == one.assignee), None)
    with_whom = f", with {holder}" if holder and one.state not in ("done", "cancelled") else ""
    known = one.stage != NOT_MAPPED or one.status is not None  # what has no status needs no stage
    stage = f", {one.stage}" if known and one.stage not in (life.record.current.stage, "") else ""
    return Group(Text(f"{title}{stage}{with_whom}"), Text(one.why, style="dim"))


def _timeline(life: Life) -> Iterator[RenderableType]:
    timeline = life.record.timeline
    newest = timeline.entries[-NEWEST:][::-1]
    if not newest:
        return
    yield Text(f"\nLately ({counted(timeline.total, 'thing')} happened)", style="bold")
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(no_wrap=True, style="dim")
    table.add_column(ratio=1)
    for entry in newest:
        table.add_row(f"  {moment(entry.at, life.now)}", Text(entry.words))
    yield table


def _freshness(life: Life) -> Iterator[RenderableType]:
    named = {one.connection for one in life.record.artifacts}
    rows = [row for row in life.connections if row.id in named]
    gone = sorted(named - {row.id for row in rows})
    yield Text("\nUp to when", style="bold")
    yield connections_shown(rows, life.now)
    if gone:
        yield Text(f"  {listed(gone)}: removed; what it brought stays as it was")


def connections_shown(rows: Sequence[Any], now: datetime) -> RenderableType:
    """Up to when each connection is true, and what keeps it from being newer."""
    return _by_connection((row, _fresh(row, now)) for row in rows)


def read_shown(read: Sequence[tuple[Any, str | None]], now: datetime) -> RenderableType:
    """The same, with what each reads: of mail whose mailbox, and since when."""
    return _by_connection((row, Text.assemble(_read(row, mailbox, now), _fresh(row, now))) for row, mailbox in read)


def _by_connection(told: Iterable[tuple[Any, Text]]) -> Table:
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(no_wrap=True)
    table.add_column(ratio=1)
    for row, words in told:
        table.add_row(f"  {row.id}", words)
    return table


def _read(row: Any, mailbox: str | None, now: datetime) -> str:
    box = f"mailbox {mailbox}, " if mailbox else ""
    return f"{box}{f'since {day(row.since, now)}' if row.since else 'from its beginning'}, "


def _fresh(row: Any, now: datetime) -> Text:
    fresh = Text(true_up_to(row, now))
    if row.problem:
        fresh.append(f"; {row.problem}", style="red" if row.attention else "yellow")
    return fresh
