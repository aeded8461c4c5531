"""The last thing a person said to the requester: a mail that reached them, or an open comment on what they asked.

A mail that a bounce says did not reach them was not said to them, nor was what a CRM logged of the same mail; a bounce
that names no recipient is taken to speak of all.
"""

from pipelines.lifecycle.lives import Life
from pipelines.lifecycle.members import Member
from pipelines.lifecycle.timeline import Telling, shorten
from schemas.artifacts import Activity, ActivityKind
from schemas.records import LastSaid

_WORDS = 300


def last_said(life: Life, requester: str | None, telling: Telling) -> LastSaid | None:
    """The newest such activity by a human other than the requester; None if the tools show none."""
    if requester is None:
        return None
    returned = _returned(life, requester)
    reached = {each.id: each for each in life.members if each.id not in returned and _reaches(life, each, requester)}
    for activity in reversed(life.activities):
        member = reached.get(activity.artifact)
        if member is None or telling.automatic(activity) or not _is_said(activity):
            continue
        person, name = telling.actor(activity)
        if person == requester:
            continue
        return LastSaid(
            at=activity.at,
            by=person,
            by_name=name,
            artifact=member.id,
            words=None if telling.hidden(activity) else _words(activity, member),
        )
    return None


def _returned(life: Life, requester: str) -> set[str]:
    """Mails that by a bounce of the request did not reach the requester, and the CRM's e-mails that are the same."""
    own = {each.id: each for each in life.members}
    links = [each for each in life.request.links if each.left in own]
    mails = {
        each.right
        for each in links
        if each.relation == "bounce" and requester in _unreached(life, own[each.left], requester)
    }
    return mails | {
        each.left
        for each in links
        if each.relation == "association" and each.right in mails and own[each.left].kind == "email"
    }


def _unreached(life: Life, bounce: Member, otherwise: str) -> set[str | None]:
    """The persons whom a bounce names; `otherwise` where it names nobody."""
    told = bounce.fields.get("undelivered")
    return {life.people.person(each) for each in told} if isinstance(told, list | tuple) else {otherwise}


def _is_said(activity: Activity) -> bool:
    if activity.kind is ActivityKind.SENT:
        return activity.audience.level != "internal"
    return activity.kind is ActivityKind.COMMENTED and activity.audience.level == "open"


def _reaches(life: Life, member: Member, requester: str) -> bool:
    """Whether the requester gets to read what is said there: they received the mail, or it is their own thing."""
    if life.people.person(member.fields.get("requester")) == requester:
        return True
    participants = member.fields.get("participants")
    return member.kind not in ("issue", "note") and any(
        isinstance(each, dict) and each.get("role") != "from" and life.people.person(each.get("identity")) == requester
        for each in (participants if isinstance(participants, list | tuple) else ())
    )


def _words(activity: Activity, member: Member) -> str | None:
    said = activity.text or (member.text("excerpt") if activity.kind is ActivityKind.SENT else None)
    return shorten(said, _WORDS) if said else None
