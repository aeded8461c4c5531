"""Fold a request's artifacts, activities and links into its lifecycle record.

Pure: the record depends on its input alone, whatever the order the input comes in. A late event folds the record anew,
it never patches it.
"""

from collections.abc import Sequence
from datetime import datetime

from pipelines.lifecycle.belonging import artifact_views, dependencies, link_views, not_mapped, programmes, progress
from pipelines.lifecycle.choosing import Choices, dates, ended
from pipelines.lifecycle.expecting import expected
from pipelines.lifecycle.histories import instant_of
from pipelines.lifecycle.lives import Life, read
from pipelines.lifecycle.members import Member, RequestInput
from pipelines.lifecycle.people import roles
from pipelines.lifecycle.rewind import rewound
from pipelines.lifecycle.said import last_said
from pipelines.lifecycle.stages import StageMap
from pipelines.lifecycle.stays import current, stage_views
from pipelines.lifecycle.timeline import Telling, timeline
from schemas.artifacts import Activity
from schemas.canonical import digest
from schemas.records import ActivityMark, LifecycleRecord, PersonView

__all__ = ["Member", "RequestInput", "as_of", "etag", "fold", "to_text"]


def fold(request: RequestInput, stage_map: StageMap, *, as_of: datetime | None = None) -> LifecycleRecord:
    """The record of one request; with as_of, as it stood at that instant by what is known today.

    Raises ValueError if the request has no members (at that instant).
    """
    if as_of is not None:
        request = rewound(request, as_of)
    if not request.members:
        raise ValueError(f"request {request.id} has no artifacts{' at that time' if as_of else ''}")
    life = read(request, stage_map)
    record = _record(life)
    return record.model_copy(update={"as_of": as_of}) if as_of is not None else record


def as_of(request: RequestInput, at: datetime) -> RequestInput:
    """The inputs as they stood at an instant, by today's knowledge and membership."""
    return rewound(request, at)


def to_text(record: LifecycleRecord) -> str:
    """The record's canonical text: equal records are equal text."""
    # Fields come in the order of the model and the only mapping in it is sorted: this is canonical, and quick.
    return record.model_dump_json()


def etag(text: str) -> str:
    """The hash of a record's canonical text."""
    return digest(text)[:32]


def _record(life: Life) -> LifecycleRecord:
    choices = Choices(life)
    telling = Telling(life.request, life.people)
    waits, blocks = dependencies(life)
    requester = choices.requester()
    return LifecycleRecord(
        id=life.request.id,
        title=choices.text("title"),
        requester=life.people.view(requester, ["requester"]) if requester else None,
        holder=None if ended(life) else choices.holder(),
        people=_people(life, requester),
        business_unit=choices.text("business_unit"),
        priority=choices.text("priority"),
        amount=choices.amount(),
        outcome=choices.outcome(),
        projects=_projects(life),
        current=current(life),
        stages=stage_views(life),
        timeline=timeline(life.activities, telling),
        artifacts=artifact_views(life),
        links=link_views(life),
        blocked_by=waits,
        blocks=blocks,
        programmes=programmes(life),
        dates=dates(life),
        last_said=last_said(life, requester, telling),
        expected=expected(life, waits),
        progress=progress(life),
        not_mapped=not_mapped(life),
        restricted=sum(life.request.hides(each) for each in life.members),
        created_at=min((at for each in life.members if (at := life.born[each.id])), default=None),
        changed_at=_changed_at(life),
        last_human=_newest([each for each in life.activities if not telling.automatic(each)], life),
        last_automatic=_newest([each for each in life.activities if telling.automatic(each)], life),
        sources=dict(sorted(choices.sources.items())),  # last: each choice above leaves its source
    )


def _people(life: Life, requester: str | None) -> tuple[PersonView, ...]:
    live = [each for each in life.members if not life.gone(each)]
    found = roles(life.people, live, life.activities)
    if requester:
        found.setdefault(requester, set()).add("requester")
    return tuple(life.people.view(person, found[person]) for person in sorted(found))


def _projects(life: Life) -> tuple[str, ...]:
    keys = set()
    for each in life.members:
        project = each.fields.get("project")
        key = project.get("key") if isinstance(project, dict) else None
        if isinstance(key, str) and key:
            keys.add(key)
    return tuple(sorted(keys))


def _changed_at(life: Life) -> datetime | None:
    told = (instant_of(each.fields.get("updated_at")) for each in life.members)
    born = (life.born[each.id] for each in life.members)
    acted = (each.at for each in life.activities[-1:])
    return max((at for at in (*told, *born, *acted) if at), default=None)


def _newest(activities: Sequence[Activity], life: Life) -> ActivityMark | None:
    if not activities:
        return None
    last = activities[-1]
    actor = life.people.person(last.actor)
    return ActivityMark(at=last.at, kind=last.kind.value, actor=actor, artifact=last.artifact, key=last.key)
