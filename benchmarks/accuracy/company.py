"""A generated company: what its tools say, and what is true. From a seed, a size and a noise level."""

from collections.abc import Callable

from benchmarks.accuracy import stories, traps_crm, traps_jira, traps_mail
from benchmarks.accuracy.mails import Person
from benchmarks.accuracy.noise import Noise
from benchmarks.accuracy.traps import Trap
from benchmarks.accuracy.world import World

MAKERS: dict[Trap, Callable[[World], None]] = {
    Trap.FRESH_REPLY_ALL: traps_mail.fresh_reply_all,
    Trap.SAME_MESSAGE_ID: traps_mail.same_message_id,
    Trap.BARE_FORWARD: traps_mail.bare_forward,
    Trap.REUSED_THREAD: traps_mail.reused_thread,
    Trap.SHARED_MAILBOX: traps_mail.shared_mailbox,
    Trap.NO_REPLY: traps_mail.no_reply,
    Trap.TEMPLATE_SUBJECT: traps_mail.template_subject,
    Trap.SIGNATURE_URL: traps_mail.signature_url,
    Trap.QUOTED_HISTORY: traps_mail.quoted_history,
    Trap.LIST_TRAILER: traps_mail.list_trailer,
    Trap.KEY_LIKE: traps_mail.key_like,
    Trap.FOREIGN_JIRA: traps_jira.foreign_jira,
    Trap.SAME_PROJECT_KEY: traps_jira.same_project_key,
    Trap.MOVED: traps_jira.moved,
    Trap.RENAMED: traps_jira.renamed,
    Trap.DELETED: traps_jira.deleted,
    Trap.RECREATED: traps_jira.recreated,
    Trap.EARLY_KEY: traps_jira.early_key,
    Trap.EARLY_PROJECT: traps_jira.early_project,
    Trap.CLONED: traps_jira.cloned,
    Trap.BLOCKING: traps_jira.blocking,
    Trap.RELATED: traps_jira.related,
    Trap.MERGED_DEAL: traps_crm.merged_deal,
    Trap.SPLIT_DEAL: traps_crm.split_deal,
    Trap.RENEWED_DEAL: traps_crm.renewed_deal,
    Trap.OPEN_DEALS: traps_crm.open_deals,
    Trap.CUSTOMER_NUMBER: traps_crm.customer_number,
    Trap.UMLAUTS: traps_crm.umlauts,
    Trap.RIGHT_TO_LEFT: traps_crm.right_to_left,
    Trap.CHANGED_NAME: traps_crm.changed_name,
    Trap.MANY_ADDRESSES: traps_crm.many_addresses,
}
"""Traps that make requests of their own; digests and epics are laid over what is there."""


def company(seed: int, size: int, noise: Noise) -> World:
    """So many requests (a few more, where a trap makes several), and what belongs to none."""
    world = World(seed, size, noise)
    while len(world.requests) < size * noise.traps:
        # The trap of which there is least: all are measured equally well.
        MAKERS[min(MAKERS, key=lambda trap: len(world.truth.concerned[trap]))](world)
    while len(world.requests) < size:
        stories.ordinary(world)
    for _ in range(size // 20):
        newsletter(world)
    if noise.traps:
        overlay(world, size)
    return world


def overlay(world: World, size: int) -> None:
    """Digests and epics over the company's requests."""
    for _ in range(max(2, size // 60)):
        digest(world)
    for _ in range(max(1, size // 700)):
        traps_jira.big_epic(world, min(250, size // 8))
        traps_jira.catch_all_epic(world, min(150, size // 10))


def newsletter(world: World) -> None:
    """Mail that is about nothing here."""
    number = world.chance.randint(1, 400)
    sender = Person("Trade News", f"news@paper{number % 7}.example")
    headers = {"List-Id": "<news.paper.example>", "List-Unsubscribe": "<https://paper.example/u>", "Precedence": "bulk"}
    text = f"Issue {number}: ten ways to save time.\n\nUTF-8 turns {number % 40}. COVID-19 rules end."
    world.mail(None, sender, f"Trade News {number}", text, world.when(), headers=headers)


def digest(world: World) -> None:
    """A weekly report, release notes as a mail or as an issue: it names many issues and belongs to none."""
    known = [request for request in world.requests if request.issue]
    few = world.adverse()
    named = world.chance.sample(
        known, min(len(known), world.chance.randint(3, 5) if few else world.chance.randint(8, 25))
    )
    writer, wording = world.colleague(), named[0].customer.wording
    lines = [f"* {one.issue.key} {one.topic}" for one in named if one.issue]
    text = "\n".join(
        ["Hello all,", "", "this is what we did:", "", *lines, "", wording.signature(world.chance, writer.name)]
    )
    thing = _told(world, writer, text)
    for request, following in zip(named, [*named[1:], *named[:1]], strict=True):
        assert request.issue is not None
        assert following.issue is not None
        others = [thing, following.issue.thing, *(one for one in request.things if one != request.issue.thing)]
        world.truth.concern(Trap.DIGEST, [request.issue.thing], others, 4)


def _told(world: World, writer: Person, text: str) -> int:
    way = world.chance.random()
    if way < 0.2:
        summary = f"Release notes 26.{world.chance.randint(1, 40)}"
        return world.make_issue(None, world.when(), summary, kind="Task", text=text).thing
    if way < 0.5:
        robot = Person("Release robot", "releases@acme.example")
        headers = {"Auto-Submitted": "auto-generated"}
        return world.mail(None, robot, "Released this week", text, world.when(), headers=headers).thing
    subject = f"Weekly report {world.chance.randint(1, 52)}"
    return world.mail(None, writer, subject, text, world.when()).thing
