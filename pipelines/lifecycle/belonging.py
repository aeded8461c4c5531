"""What belongs to a request as the record shows it: artifacts, links, what it waits on, programmes, progress."""

from collections import Counter
from collections.abc import Iterable

from pipelines.lifecycle.histories import FINISHED
from pipelines.lifecycle.lives import Life, carries
from pipelines.lifecycle.members import LinkInput, Member
from pipelines.lifecycle.stages import read_status
from schemas.artifacts import State
from schemas.records import (
    ArtifactView,
    Dependency,
    LinkView,
    NotMapped,
    Programme,
    Progress,
    UnmappedStatus,
)
from schemas.stages import NOT_MAPPED

UNMAPPED_STATUSES = 5
"""How many of the statuses that would mend most are named."""


def artifact_views(life: Life) -> tuple[ArtifactView, ...]:
    """The members, oldest first."""
    return tuple(_artifact_view(life, each) for each in life.members)


def _artifact_view(life: Life, member: Member) -> ArtifactView:
    placed, status = life.stands(member), read_status(member.fields.get("status"))
    hidden = life.request.hides(member)
    return ArtifactView(
        id=member.id,
        connection=member.connection,
        also_read_by=member.also_read_by,
        connector=member.connector,
        kind=member.kind,
        native_id=member.native_id,
        natural_key=member.text("natural_key"),
        url=member.text("url"),
        title=None if hidden else member.text("title"),
        type=member.text("type"),
        status=status.label if status else None,
        stage=placed.stage,
        state=placed.state.value if placed.state else None,
        waiting=placed.waiting,
        mapped_by=placed.reason,
        entered=life.since(member),
        history="complete" if life.histories[member.id].complete else "incomplete",
        assignee=life.people.person(member.fields.get("assignee")),
        created_at=life.born[member.id],
        deleted=member.fields.get("deleted") is True,
        out_of_scope=member.fields.get("out_of_scope") is True,
        merged_into=member.text("merged_into"),
        restricted=hidden,
        why=member.why,
    )


def _ordered(links: Iterable[LinkInput]) -> list[LinkInput]:
    return sorted(set(links), key=lambda each: (each.left, each.right, each.effect, each.relation, repr(each)))


def link_views(life: Life) -> tuple[LinkView, ...]:
    """Every link with its reason; containers are told as programmes."""
    return tuple(
        LinkView(
            left=each.left,
            right=each.right,
            relation=each.relation,
            effect=each.effect,
            evidence=each.evidence,
            why=each.why,
            since=each.since,
        )
        for each in _ordered(life.request.links)
        if each.effect != "programme"
    )


def _dependency(life: Life, own: str, other_id: str, blocker: str, link: LinkInput) -> Dependency:
    known = {each.id: each for each in (*life.request.others, *life.members)}
    other, first = known.get(other_id), known.get(blocker)
    placed = life.stands(other) if other else None
    return Dependency(
        artifact=own,
        other=other_id,
        other_key=other.text("natural_key") if other else None,
        other_title=None if other is None or life.request.hides(other) else other.text("title"),
        other_url=other.text("url") if other else None,
        other_state=placed.state.value if placed and placed.state else None,
        open=None if first is None else not life.gone(first) and life.stands(first).state not in FINISHED,
        since=link.since,
        why=link.why,
    )


def dependencies(life: Life) -> tuple[tuple[Dependency, ...], tuple[Dependency, ...]]:
    """What members wait on (also inside the request), and what outside waits on members."""
    own = {each.id for each in life.members}
    depends = [each for each in _ordered(life.request.links) if each.effect == "depends on"]
    waits = tuple(_dependency(life, each.left, each.right, each.right, each) for each in depends if each.left in own)
    blocks = tuple(
        _dependency(life, each.right, each.left, each.right, each)
        for each in depends
        if each.right in own and each.left not in own
    )
    return waits, blocks


def programmes(life: Life) -> tuple[Programme, ...]:
    """Containers that the request belongs to, each once."""
    own = {each.id for each in life.members}
    known = {each.id: each for each in (*life.request.others, *life.members)}
    found: dict[str, Programme] = {}
    for link in _ordered(life.request.links):
        if link.effect == "programme":
            id_ = link.right if link.left in own and link.right not in own else link.left
            other = known.get(id_)
            found.setdefault(
                id_,
                Programme(
                    artifact=id_,
                    natural_key=other.text("natural_key") if other else None,
                    title=None if other is None or life.request.hides(other) else other.text("title"),
                    url=other.text("url") if other else None,
                    why=link.why,
                ),
            )
    return tuple(found[name] for name in sorted(found))


def progress(life: Life) -> Progress:
    """How many of the request's issues are done."""
    issues = [each for each in life.members if each.kind == "issue" and each.level == 0 and not life.gone(each)]
    states = Counter(life.stands(each).state for each in issues)
    cancelled = states[State.CANCELLED]
    return Progress(done=states[State.DONE], total=len(issues) - cancelled, cancelled=cancelled)


def not_mapped(life: Life) -> NotMapped:
    """What has a status that the stage map does not know. What has no status needs none."""
    carriers = [each for each in life.members if carries(each)]
    unmapped = [each for each in carriers if life.stands(each).stage == NOT_MAPPED]
    statuses: Counter[tuple[str, str, str | None, str | None]] = Counter()
    for each in unmapped:
        status = read_status(each.fields.get("status"))
        statuses[each.connection, each.kind, each.text("type"), status.label if status else None] += 1
    most = sorted(statuses.items(), key=lambda pair: (-pair[1], [name or "" for name in pair[0]]))
    return NotMapped(
        artifacts=len(unmapped),
        of=len(carriers),
        statuses=tuple(
            UnmappedStatus(connection=connection, kind=kind, type=type_, status=status, artifacts=count)
            for (connection, kind, type_, status), count in most[:UNMAPPED_STATUSES]
        ),
    )
