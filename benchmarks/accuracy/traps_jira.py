"""Traps of Jira: keys that move, vanish, clash or are no keys; links that do not mean one matter; epics."""

from datetime import timedelta

from benchmarks.accuracy import stories
from benchmarks.accuracy.jiras import Issue
from benchmarks.accuracy.traps import Trap
from benchmarks.accuracy.truth import Planted
from benchmarks.accuracy.world import LATE, MAIN, PLANT, SHARED_PROJECT, Request, World


def foreign_jira(world: World) -> None:
    """A customer names an issue of their own Jira; a key that exists here too."""
    other = stories.ordinary(world, "issue", extras=1)
    assert other.issue is not None
    request = world.begin()
    address = f"https://jira.{request.customer.domain}/browse/{other.issue.key}"
    mail = stories.write(world, request, f"In our own system: {address}")
    stories.keyed_answer(world, request)
    stories.answered(world, request)
    world.mark(Trap.FOREIGN_JIRA, [mail.thing, other.issue.thing], request, other)


def same_project_key(world: World) -> None:
    """OPS-7 here and OPS-7 there; mails give the address, later ones only the key."""
    key = world.key(MAIN, SHARED_PROJECT)
    mails, requests = [], []
    for site in (MAIN, PLANT):
        request = world.begin()
        issue = stories.make_issue(world, request, site=site, key=key)
        mail = stories.write(world, request, f"It is in {issue.url}")
        world.plant(mail.thing, issue.thing, Planted.MENTION)
        world.answer(request, world.colleague(), world.later(request), f"Is {key} still planned for May?")
        stories.sub_task(world, request) if site is PLANT else stories.answered(world, request)
        mails += [mail.thing, issue.thing]
        requests.append(request)
    world.mark(Trap.SAME_PROJECT_KEY, mails, *requests, most=30)


def moved(world: World) -> None:
    """An issue goes to another project; mails before and after name what it was and is called."""
    request, other = world.begin(), stories.ordinary(world, extras=0)
    issue = stories.make_issue(world, request, project="SHOP")
    before = stories.mail_about(world, request)
    if world.chance.random() < 0.5:
        issue.remember()
    old, issue.key = issue.key, world.key(MAIN, "PAY")
    issue.changed(world.id(), world.later(request), ("project", "Shop", "Pay"), ("Key", old, issue.key))
    after = stories.mail_about(world, request)
    late = world.mail(
        request, request.person, f"{old}: {request.topic}", "Is this done?", world.later(request)
    )  # fmt: skip
    world.plant(late.thing, issue.thing, Planted.MENTION)
    stories.sub_task(world, request)
    world.mark(Trap.MOVED, [before.thing, after.thing, late.thing], request, other)


def renamed(world: World) -> None:
    """An issue's first title named another issue; it was mended."""
    other = stories.ordinary(world, extras=1)
    assert other.issue is not None
    request = world.begin()
    issue = stories.make_issue(world, request)
    issue.summary = f"Follow-up of {other.issue.key}"
    if world.chance.random() < 0.5:
        issue.remember()
    issue.changed(world.id(), world.later(request), ("summary", issue.summary, request.topic))
    issue.summary = request.topic
    stories.mail_about(world, request)
    stories.answered(world, request)
    world.mark(Trap.RENAMED, [issue.thing, other.issue.thing], request, other)


def deleted(world: World) -> None:
    """An issue is deleted; mails named it before and after."""
    request, other = stories.ordinary(world, "mail", extras=1), stories.ordinary(world, extras=0)
    assert request.issue is not None
    mails = [stories.mail_about(world, request)]
    request.issue.deleted = world.later(request)
    mails.append(stories.mail_about(world, request))
    world.mark(Trap.DELETED, [request.issue.thing, *(mail.thing for mail in mails)], request, other)


def recreated(world: World) -> None:
    """An issue is deleted by mistake and made anew; each key is named by somebody."""
    request, other = stories.ordinary(world, "mail", extras=0), stories.ordinary(world, extras=0)
    first = request.issue
    assert first is not None
    before = stories.mail_about(world, request)
    first.deleted = world.later(request)
    request.issue = None
    second = stories.make_issue(world, request, f"Replaces {first.key}, which was deleted by mistake.")
    world.plant(second.thing, first.thing, Planted.MENTION)
    after = stories.mail_about(world, request)
    world.mark(Trap.RECREATED, [second.thing, before.thing, after.thing], request, other)


def early_key(world: World) -> None:
    """A mail names a key days before the hub hears of the issue."""
    request, other = world.begin(), stories.ordinary(world, extras=0)
    issue = stories.make_issue(world, request)
    mails = [stories.mail_about(world, request) for _ in range(2)]
    issue.created = issue.updated = request.at + timedelta(days=5)
    request.at = issue.created
    stories.sub_task(world, request)
    mails.append(stories.mail_about(world, request))
    world.mark(Trap.EARLY_KEY, [mail.thing for mail in mails], request, other)


def early_project(world: World) -> None:
    """A mail names an issue of a site that is connected only later."""
    request, other = world.begin(), stories.ordinary(world, extras=0)
    issue = stories.make_issue(world, request, site=LATE, project="LAB")
    mails = [stories.mail_about(world, request) for _ in range(2)]
    stories.make_note(world, request, stories.make_ticket(world, request, f"{request.topic} ({issue.key})"), "A call.")
    world.plant(request.things[-2], issue.thing, Planted.MENTION)
    stories.sub_task(world, request)
    world.mark(Trap.EARLY_PROJECT, [issue.thing, *(mail.thing for mail in mails)], request, other)


def cloned(world: World) -> None:
    """A colleague clones an issue to have its fields, for another matter."""
    one, other = _two(world)
    assert one.issue is not None
    assert other.issue is not None
    other.issue.summary = f"CLONE - {one.issue.summary}"
    _linked(world, Trap.CLONED, "Cloners", (other, one))


def blocking(world: World) -> None:
    """One request has to wait for another."""
    _linked(world, Trap.BLOCKING, "Blocks", _two(world))


def related(world: World) -> None:
    """Two requests have to do with each other."""
    _linked(world, Trap.RELATED, "Relates", _two(world))


def _two(world: World) -> tuple[Request, Request]:
    return stories.ordinary(world, extras=1), stories.ordinary(world, extras=1)


def _linked(world: World, trap: Trap, name: str, requests: tuple[Request, Request]) -> None:
    issues = [request.issue for request in requests if request.issue]
    world.link(issues[0], name, issues[1])
    world.mark(trap, [issue.thing for issue in issues], *requests)


def big_epic(world: World, children: int) -> None:
    """An epic over many requests."""
    epic = world.make_issue(None, world.when(), world.chance.choice(world.customers).wording.topic(world.chance),
                            kind="Epic", text="What we want to reach this year.")  # fmt: skip
    _hang(world, Trap.BIG_EPIC, epic, _free(world, children))


def catch_all_epic(world: World, children: int) -> None:
    """An epic for everything that is left over; some mails say that a thing is part of it."""
    epic = world.make_issue(None, world.when(), "Maintenance", kind="Epic", project="MNT", text="All small things.")
    requests = _free(world, children)
    _hang(world, Trap.CATCH_ALL_EPIC, epic, requests)
    mails = []
    for request in requests[:: max(1, len(requests) // 12)]:
        assert request.issue is not None
        wording = request.customer.wording
        text = wording.answer(world.chance, request.person.name, f"I suppose it is a part of {epic.key}.")
        subject = wording.subject(world.chance, request.issue.key, request.topic)
        mail = world.mail(request, request.person, subject, text, world.later(request))
        world.plant(mail.thing, request.issue.thing, Planted.MENTION)
        mails.append(mail.thing)
        world.mark(Trap.CATCH_ALL_EPIC, [mail.thing], request)
    world.truth.concern(Trap.CATCH_ALL_EPIC, mails, [*mails, epic.thing], 200)


def _free(world: World, most: int) -> list[Request]:
    """Requests whose issue stands in no epic yet, in a project that epics reach."""
    free = [one for one in world.requests if one.issue and one.issue.site is MAIN and one.issue.parent is None]
    return world.chance.sample(free, min(most, len(free)))


def _hang(world: World, trap: Trap, epic: Issue, requests: list[Request]) -> None:
    for request, following in zip(requests, [*requests[1:], *requests[:1]], strict=True):
        assert request.issue is not None
        assert following.issue is not None
        world.under(request.issue, epic)
        others = [epic.thing, following.issue.thing, *(one for one in request.things if one != request.issue.thing)]
        world.truth.concern(trap, [request.issue.thing], others, 4)
