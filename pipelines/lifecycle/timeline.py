"""What happened, in people's words; like activities by one hand within minutes become one entry."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from pipelines.lifecycle.members import Member, RequestInput
from pipelines.lifecycle.people import People
from schemas.artifacts import Activity, ActivityKind
from schemas.records import Timeline, TimelineEntry

NEWEST = 200
"""Entries kept in the record."""

_RUNS = frozenset({ActivityKind.FIELD, ActivityKind.LINKED, ActivityKind.UNLINKED})
_RUN_GAP = timedelta(minutes=10)
_QUOTE = 200


def shorten(text: str, size: int) -> str:
    """One line of at most size characters."""
    line = " ".join(text.split())
    return line if len(line) <= size else line[: size - 1].rstrip() + "…"


def call(member: Member, hidden: bool) -> str:
    """What people call an artifact in a sentence."""
    key = member.text("natural_key")
    if member.kind == "issue" and key:
        return key
    title = None if hidden else member.text("title")
    if title:
        return f"the {member.kind} “{shorten(title, 80)}”"
    return f"a restricted {member.kind}" if hidden else f"the {member.kind} {key or member.native_id}"


class Telling:
    """Tells the activities of one request in words."""

    def __init__(self, request: RequestInput, people: People) -> None:
        self._members = {each.id: each for each in (*request.members, *request.others)}
        self._hidden = {name: request.hides(each) for name, each in self._members.items()}
        self._called = {name: call(each, self._hidden[name]) for name, each in self._members.items()}
        self._shows = request.shows_restricted
        self._people = people
        self._names: dict[str | None, tuple[str | None, str | None]] = {None: (None, None)}

    def hidden(self, activity: Activity) -> bool:
        """Whether what was said stays out of the record."""
        if self._hidden[activity.artifact]:
            return True
        return (
            activity.audience.level == "restricted" and self._members[activity.artifact].connection not in self._shows
        )

    def actor(self, activity: Activity) -> tuple[str | None, str | None]:
        """The acting person's id and name."""
        if activity.actor not in self._names:
            person = self._people.person(activity.actor)
            self._names[activity.actor] = (person, self._people.name(person))
        return self._names[activity.actor]

    def automatic(self, activity: Activity) -> bool:
        """Whether a machine did it."""
        return activity.automatic or self._people.machine(activity.actor)

    def what(self, artifact: str) -> str:
        """What people call the artifact."""
        return self._called.get(artifact, artifact)

    def words(self, activity: Activity) -> str:
        """The activity as a sentence without its end."""
        who = self.actor(activity)[1] or ("A machine" if self.automatic(activity) else "Somebody")
        what = self.what(activity.artifact)
        hidden = self.hidden(activity)
        match activity.kind:
            case ActivityKind.STATUS:
                return f"{who} moved {what}{_from_to(activity)}"
            case ActivityKind.FIELD:
                return f"{who} changed {activity.field or 'a field'} of {what}{'' if hidden else _from_to(activity)}"
            case ActivityKind.ASSIGNED:
                return self._assigned(who, what, activity)
            case ActivityKind.COMMENTED | ActivityKind.FEEDBACK:
                done = "commented on" if activity.kind is ActivityKind.COMMENTED else "gave feedback on"
                quote = f": “{shorten(activity.text, _QUOTE)}”" if activity.text and not hidden else ""
                return f"{who} {done} {what}{quote}"
            case ActivityKind.MOVED:
                return f"{who} moved {what}{'' if hidden else _from_to(activity)}"
            case ActivityKind.LINKED | ActivityKind.UNLINKED | ActivityKind.MERGED:
                return self._joined(who, what, activity, hidden)
            case _:
                return f"{who} {activity.kind.value} {what}"

    def _assigned(self, who: str, what: str, activity: Activity) -> str:
        member = self._members[activity.artifact]
        person = self._people.person(self._people.named(member, activity.to_value))
        name = self._people.name(person) or activity.to_label
        if name is None and activity.to_value is None:
            return f"{who} took {what} from its assignee" if activity.from_value else f"{who} left {what} unassigned"
        return f"{who} assigned {what} to {name or 'somebody'}"

    def _joined(self, who: str, what: str, activity: Activity, hidden: bool) -> str:
        verbs = {ActivityKind.LINKED: ("linked", "to"), ActivityKind.UNLINKED: ("unlinked", "from")}
        verb, to = verbs.get(activity.kind, ("merged", "with"))
        others = [self._called[name] for name, _ in sorted(activity.objects) if name in self._called]
        if others:
            return f"{who} {verb} {what} {to} {others[0]}"
        label = None if hidden else activity.to_label or activity.from_label
        return f"{who} {verb} {what}: {shorten(label, 80)}" if label else f"{who} {verb} {what}"


def _from_to(activity: Activity) -> str:
    before = activity.from_label or activity.from_value
    after = activity.to_label or activity.to_value
    came = f" from {shorten(before, 80)}" if before else ""
    went = f" to {shorten(after, 80)}" if after else ""
    return came + went


def _runs_on(earlier: Activity, later: Activity) -> bool:
    return (
        earlier.kind in _RUNS
        and (earlier.kind, earlier.artifact, earlier.actor) == (later.kind, later.artifact, later.actor)
        and later.at - earlier.at <= _RUN_GAP
    )


def timeline(activities: Sequence[Activity], telling: Telling) -> Timeline:
    """The newest entries of the activities, which are oldest first."""
    runs: list[list[Activity]] = []
    for each in reversed(activities):
        if runs and _runs_on(each, runs[-1][-1]):
            runs[-1].append(each)
        elif len(runs) == NEWEST:
            break
        else:
            runs.append([each])
    return Timeline(entries=tuple(_entry(run[::-1], telling) for run in reversed(runs)), total=len(activities))


def _entry(run: list[Activity], telling: Telling) -> TimelineEntry:
    first, last = run[0], run[-1]
    person, name = telling.actor(first)
    until: datetime | None = None
    words = telling.words(first)
    if len(run) > 1:
        until = last.at
        fields = sorted({each.field for each in run if each.field})
        named = f" ({shorten(', '.join(fields), _QUOTE)})" if fields else ""
        who = name or ("A machine" if telling.automatic(first) else "Somebody")
        words = f"{who} made {len(run)} changes to {telling.what(first.artifact)}{named}"
    return TimelineEntry(
        key=first.key,
        kind=first.kind.value,
        at=first.at,
        until=until,
        count=len(run),
        actor=person,
        actor_name=name,
        automatic=telling.automatic(first),
        artifact=first.artifact,
        words=words,
        restricted=any(telling.hidden(each) for each in run),
    )
