"""What has to happen next, read off the stages and states; never a forecast."""

from collections.abc import Sequence

from pipelines.lifecycle.choosing import ended
from pipelines.lifecycle.lives import BLOCKED, Life
from pipelines.lifecycle.members import Member
from pipelines.lifecycle.standing import role_of
from pipelines.lifecycle.timeline import call
from schemas.artifacts import State
from schemas.records import Dependency, Expected
from schemas.stages import NOT_MAPPED


def expected(life: Life, waits: Sequence[Dependency]) -> Expected:
    """The next thing, and the stage it goes on in."""
    last = life.way[-1]
    after = _next_stage(life)
    match last.state:
        case State.CANCELLED:
            return Expected(what="nothing", words="Nothing: it is cancelled", stage=None)
        case State.DONE if after is None or ended(life):
            return Expected(what="nothing", words="Nothing: it is done", stage=None)
        case State.DONE:
            return Expected(what="start", words=f"{_capital(after)} to begin", stage=after)
        case State.WAITING:
            return _waiting(life, waits)
        case State.NEW:
            return Expected(what="start", words=f"Somebody to start {_work(life)}", stage=last.stage)
        case State.ACTIVE:
            then = f", then {after}" if after else ""
            return Expected(what="finish", words=f"{_capital(_work(life))} to finish{then}", stage=last.stage)
    return Expected(what="unknown", words="Unknown: no tool says what state it is in", stage=last.stage)


def _next_stage(life: Life) -> str | None:
    """The stage after the one it is in."""
    stage, names = life.way[-1].stage, life.stage_map.stages
    if stage == NOT_MAPPED:
        return None
    later = names[names.index(stage) + 1 :]
    return later[0] if later else None


def _capital(text: str | None) -> str:
    return text[:1].upper() + text[1:] if text else ""


def _open_work(life: Life) -> list[Member]:
    """What is open in the stage it is in; where nothing is, the issues that are open elsewhere."""
    unfinished, stage = [each for each in life.members if life.unfinished(each)], life.way[-1].stage
    here = [each for each in unfinished if life.stands(each).stage == stage]
    return here or [each for each in unfinished if role_of(each) == "issue"]


def _work(life: Life) -> str:
    work, stage = _open_work(life), life.way[-1].stage
    if len(work) == 1:
        return call(work[0], life.request.hides(work[0]))
    if work and all(each.kind == "issue" for each in work):
        return f"{len(work)} issues"
    return f"{len(work)} things in {stage}" if work else stage


def _waiting(life: Life, waits: Sequence[Dependency]) -> Expected:
    last = life.way[-1]
    open_waits = [each for each in waits if each.open]
    keys = tuple(dict.fromkeys(each.other_key or each.other for each in open_waits))
    if last.waiting == BLOCKED and keys:
        return Expected(what="unblock", words=f"{', '.join(keys[:5])} to be done", stage=last.stage, waits_on=keys[:20])
    if last.waiting == BLOCKED:
        return Expected(what="unblock", words="What blocks it to be cleared", stage=last.stage)
    whom = {"customer": "the customer", None: "somebody outside"}.get(last.waiting, last.waiting)
    return Expected(what="answer", words=f"An answer from {whom}", stage=last.stage)
