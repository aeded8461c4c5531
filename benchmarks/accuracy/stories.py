"""Ordinary requests: how each begins, how its parts come to know of each other, and what happens to it later."""

from collections.abc import Callable
from typing import Any

from benchmarks.accuracy.hubspots import Entry
from benchmarks.accuracy.jiras import Issue
from benchmarks.accuracy.mails import Mail, Person
from benchmarks.accuracy.truth import Planted
from benchmarks.accuracy.world import Request, World

NOTIFIER = Person("Jira", "jira@acme.atlassian.net")


def ordinary(world: World, opening: str = "", *, extras: int = -1, **begin: Any) -> Request:
    """A request with an issue. opening: mail, deal, ticket or issue; extras: how much more happens (any number)."""
    request = world.begin(**begin)
    opening = opening or world.chance.choices(("mail", "deal", "ticket", "issue"), (6, 3, 3, 1))[0]
    OPENINGS[opening](world, request)
    for _ in range(world.chance.randint(0, 4) if extras < 0 else extras):
        world.chance.choice(EXTRAS)(world, request)
    if world.chance.random() < world.noise.faint:
        world.chance.choice((unheaded, by_name, unrelated))(world, request)
    return request


def opens_with_mail(world: World, request: Request) -> None:
    """A customer writes; somebody makes an issue of it."""
    write(world, request)
    world.chance.choice((keyed_answer, keyed_text, notified, logged_on_ticket))(world, request)


def opens_with_deal(world: World, request: Request) -> None:
    """Sales has a deal; development gets an issue."""
    request.deal = make_deal(world, request)
    way = world.chance.choice((remote_link, noted_key, described_key, described_deal, deal_with_ticket))
    way(world, request, request.deal)


def opens_with_ticket(world: World, request: Request) -> None:
    """Support has a ticket; development gets an issue."""
    request.ticket = make_ticket(world, request)
    way = world.chance.choice((remote_link, noted_key, described_key, described_deal))
    way(world, request, request.ticket)


def opens_with_issue(world: World, request: Request) -> None:
    """Somebody of the company writes an issue; mails follow."""
    make_issue(world, request)
    mail_about(world, request)


OPENINGS: dict[str, Callable[[World, Request], None]] = {
    "mail": opens_with_mail,
    "deal": opens_with_deal,
    "ticket": opens_with_ticket,
    "issue": opens_with_issue,
}


def write(world: World, request: Request, *more: str, subject: str = "", **told: Any) -> Mail:
    """The mail that opens a request."""
    text = request.customer.wording.text(world.chance, request.topic, request.person.name, *more)
    mail = world.mail(request, request.person, subject or request.topic, text, world.later(request), **told)
    request.mail = request.last = mail
    return mail


def make_issue(world: World, request: Request, text: str = "", **told: Any) -> Issue:
    """The request's issue."""
    return world.make_issue(
        request, world.later(request), request.topic, text=text or "As agreed with the business.", **told
    )


def make_deal(world: World, request: Request, name: str = "", **properties: str | None) -> Entry:
    """A deal with its contact."""
    name = name or f"{request.customer.name} - {request.topic}"
    deal = world.entry(request, "deal", world.later(request), dealname=name, amount="12000", **properties)
    world.account.associate(deal, world.contact(request.person))
    return deal


def make_ticket(world: World, request: Request, subject: str = "", **properties: str | None) -> Entry:
    """A ticket with its contact."""
    at = world.later(request)
    properties.setdefault("content", f"<p>{request.topic}</p>")
    ticket = world.entry(request, "ticket", at, subject=subject or request.topic, **properties)
    world.account.associate(ticket, world.contact(request.person))
    return ticket


def keyed_answer(world: World, request: Request) -> None:
    """A colleague answers with the key in the subject."""
    issue = make_issue(world, request)
    assert request.mail is not None
    wording = request.customer.wording
    kept = request.topic if world.adverse() else request.mail.subject  # some write a new subject
    subject = wording.reply(world.chance, wording.subject(world.chance, issue.key, kept))
    answer = world.answer(request, world.colleague(), world.later(request), subject=subject)
    world.plant(answer.thing, issue.thing, Planted.MENTION)


def keyed_text(world: World, request: Request) -> None:
    """A colleague answers and names the issue in the text."""
    issue = make_issue(world, request)
    answer = world.answer(request, world.colleague(), world.later(request), world.names(request, issue))
    world.plant(answer.thing, issue.thing, Planted.MENTION)


def notified(world: World, request: Request) -> None:
    """Jira's own notice goes to the mailbox as an answer to the mail it was made from."""
    issue = make_issue(world, request)
    assert request.mail is not None
    subject = f"[JIRA] ({issue.key}) {issue.summary}"
    text = f"{issue.reporter.name} created {issue.key}\n\n{issue.url}"
    headers = {"Auto-Submitted": "auto-generated", "Precedence": "bulk"}
    notice = world.mail(
        request, NOTIFIER, subject, text, world.later(request), answers=request.mail, headers=headers
    )  # fmt: skip
    world.plant(request.mail.thing, notice.thing, Planted.EXPLICIT)
    world.plant(notice.thing, issue.thing, Planted.MENTION)


def logged_on_ticket(world: World, request: Request) -> None:
    """The mail is logged in the CRM, on a ticket that an issue links to."""
    assert request.mail is not None
    request.ticket = make_ticket(world, request)
    log(world, request, request.mail, request.ticket)
    remote_link(world, request, request.ticket)


def keyed_later(world: World, request: Request) -> None:
    """A colleague answers and names the issue that is there already."""
    assert request.issue is not None
    answer = world.answer(request, world.colleague(), world.later(request), world.names(request, request.issue))
    world.plant(answer.thing, request.issue.thing, Planted.MENTION)


def log(world: World, request: Request, mail: Mail, on: Entry | None) -> Entry:
    """A mail logged on a record: the same Message-ID in both tools. on None: where it lies follows."""
    logged = world.entry(
        request, "email", mail.at, hs_email_subject=mail.subject, hs_email_text=mail.text,
        hs_timestamp=mail.at.strftime("%Y-%m-%dT%H:%M:%SZ"), hs_email_direction="INCOMING_EMAIL",
        hs_email_from_email=mail.sender.address, hs_email_message_id=mail.message_id,
    )  # fmt: skip
    world.plant(mail.thing, logged.thing, Planted.EXPLICIT)
    if on is not None:
        world.account.associate(logged, on)
        world.plant(logged.thing, on.thing, Planted.EXPLICIT)
    return logged


def remote_link(world: World, request: Request, record: Entry) -> None:
    """The issue has a web link to the record."""
    issue = make_issue(world, request)
    issue.remote.append((record.url, "HubSpot"))
    world.plant(issue.thing, record.thing, Planted.EXPLICIT)


def noted_key(world: World, request: Request, record: Entry) -> None:
    """A note on the record names the issue."""
    issue = make_issue(world, request)
    note = make_note(world, request, record, world.names(request, issue))
    world.plant(note.thing, issue.thing, Planted.MENTION)


def make_note(world: World, request: Request, record: Entry, text: str) -> Entry:
    """A note on a record."""
    at = world.later(request)
    note = world.entry(request, "note", at, hs_note_body=f"<p>{text}</p>", hs_timestamp=at.isoformat())
    world.account.associate(note, record)
    world.plant(note.thing, record.thing, Planted.EXPLICIT)
    return note


def described_key(world: World, request: Request, record: Entry) -> None:
    """The record's own text names the issue."""
    issue = make_issue(world, request)
    name = "description" if record.kind == "deal" else "content"
    record.change(world.later(request), **{name: f"<p>{request.topic}.<br>{world.names(request, issue)}</p>"})
    world.plant(record.thing, issue.thing, Planted.MENTION)


def described_deal(world: World, request: Request, record: Entry) -> None:
    """The issue's description, or a comment on it, holds the record's address."""
    issue = make_issue(world, request)
    if world.chance.random() < 0.5:
        issue.text = f"Sold as {world.record_address(record)}\nDetails follow."
    else:
        world.comment(issue, world.later(request), f"The customer's view: {world.record_address(record)}")
    world.plant(issue.thing, record.thing, Planted.MENTION)


def deal_with_ticket(world: World, request: Request, deal: Entry) -> None:
    """The deal has a ticket, and the ticket's title names the issue."""
    issue = make_issue(world, request)
    request.ticket = make_ticket(world, request, f"{request.topic} ({issue.key})")
    world.account.associate(deal, request.ticket)
    world.plant(deal.thing, request.ticket.thing, Planted.EXPLICIT)
    world.plant(request.ticket.thing, issue.thing, Planted.MENTION)


def mail_about(world: World, request: Request) -> Mail:
    """A fresh mail that names the issue in its subject or its text."""
    issue, wording = request.issue, request.customer.wording
    assert issue is not None
    sender = world.chance.choice((request.person, world.colleague()))
    if world.chance.random() < 0.6:
        text = wording.answer(world.chance, sender.name)
        mail = world.mail(
            request, sender, wording.subject(world.chance, issue.key, request.topic), text, world.later(request)
        )
    else:
        text = wording.answer(world.chance, sender.name, world.names(request, issue))
        mail = world.mail(request, sender, request.topic, text, world.later(request))
    world.plant(mail.thing, issue.thing, Planted.MENTION)
    if request.last is None:
        request.last = mail
    return mail


def answered(world: World, request: Request) -> None:
    """The thread goes on; where there is none, a mail begins one."""
    if request.last is None:
        mail_about(world, request)
        return
    world.answer(request, world.chance.choice((request.person, world.colleague())), world.later(request))


def away(world: World, request: Request) -> None:
    """Somebody is away: an automatic answer."""
    last = request.last or mail_about(world, request)
    headers = {"Auto-Submitted": "auto-replied", "X-Auto-Response-Suppress": "All"}
    subject = f"Automatic reply: {last.subject}"
    mail = world.mail(
        request, world.colleague(), subject, "I am out of the office until Monday.", world.later(request),
        answers=last, headers=headers,
    )  # fmt: skip
    world.plant(mail.thing, last.thing, Planted.EXPLICIT)


def sub_task(world: World, request: Request) -> None:
    """A part of the work."""
    issue = request.issue
    assert issue is not None
    child = world.make_issue(
        request, world.later(request), f"Test {issue.summary}", kind="Sub-task", site=issue.site,
        project=issue.key.partition("-")[0],
    )  # fmt: skip
    world.under(child, issue)
    world.plant(child.thing, issue.thing, Planted.EXPLICIT)


def implemented(world: World, request: Request) -> None:
    """Another team implements it, or takes a part of it."""
    issue = request.issue
    assert issue is not None
    other = world.make_issue(request, world.later(request), f"{issue.summary}: backend", kind="Task")
    if world.chance.random() < 0.6:
        world.link(other, "Implements", issue)
    else:
        world.link(issue, "Issue split", other)
    world.plant(other.thing, issue.thing, Planted.EXPLICIT)


def noted(world: World, request: Request) -> None:
    """A call is noted in the CRM; without a record there a comment stands on the issue."""
    record = request.deal or request.ticket
    if record is not None:
        make_note(world, request, record, "Called: they are fine with the plan and wait for a date.")
    elif request.issue is not None:
        world.comment(request.issue, world.later(request), "Talked to them, nothing new.")


def passed_on(world: World, request: Request) -> None:
    """A colleague passes a mail on as an attachment."""
    last = request.last or mail_about(world, request)
    mail = world.mail(
        request, world.colleague(), f"Fwd: {last.subject}", "Please see the attached mail.", world.later(request),
        attached=last,
    )  # fmt: skip
    world.plant(mail.thing, last.thing, Planted.EXPLICIT)


def about(world: World, request: Request) -> None:
    """Another mail that names the issue."""
    mail_about(world, request)


EXTRAS: tuple[Callable[[World, Request], None], ...] = (
    answered, answered, away, sub_task, implemented, noted, about, passed_on,
)  # fmt: skip


def unheaded(world: World, request: Request) -> None:
    """The customer asks again in a fresh mail with nearly the same subject; nothing but likeness ties it."""
    wording = request.customer.wording
    text = wording.answer(world.chance, request.person.name)
    mail = world.mail(request, request.person, f"{request.topic}?", text, world.later(request))
    world.plant(mail.thing, request.things[0], Planted.SIMILARITY)


def by_name(world: World, request: Request) -> None:
    """A colleague writes about it by its name alone, as people call it."""
    sender = world.colleague()
    said = f'Does anybody know how far we are with "{request.topic}"?'
    text = request.customer.wording.answer(world.chance, sender.name, said)
    mail = world.mail(request, sender, "Quick question", text, world.later(request))
    world.plant(mail.thing, request.things[0], Planted.SIMILARITY)


def unrelated(world: World, request: Request) -> None:
    """A mail that only the people concerned know to be about this."""
    wording = request.customer.wording
    world.mail(
        request, request.person, "As discussed", wording.answer(world.chance, request.person.name),
        world.later(request),
    )  # fmt: skip
