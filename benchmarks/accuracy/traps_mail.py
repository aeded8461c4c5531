"""Traps of mail: threads, headers, senders, quotes, footers."""

from dataclasses import replace
from datetime import timedelta

from benchmarks.accuracy import stories
from benchmarks.accuracy.mails import Mail, Person
from benchmarks.accuracy.traps import Trap
from benchmarks.accuracy.truth import Planted
from benchmarks.accuracy.world import Request, World

KEY_LIKE = (
    "UTF-8",
    "ISO-9001",
    "COVID-19",
    "SHA-256",
    "RFC-5322",
    "A-4",
    "EN-50128",
    "GPT-4",
    "H-1",
    "MP-3",
    "CVE-2025",
)


def fresh_reply_all(world: World) -> None:
    """Somebody on copy answers the copy they got, whose id nobody else saw."""
    request = _mailed(world)
    other = stories.ordinary(world, "mail", extras=0, customer=request.customer, topic=request.topic)
    last, wording = request.last, request.customer.wording
    assert last is not None
    assert request.mail is not None
    assert request.issue is not None
    sender = world.chance.choice(request.customer.people)
    unseen = f"<copy.{world.id()}@lists.{request.customer.domain}>"
    quote = world.chance.choice(wording.quotes)(last.sender.name, last.sender.address, last.at, last.text)
    text = f"{wording.answer(world.chance, sender.name)}\n\n{quote}"
    subject, kind = wording.reply(world.chance, last.subject), Planted.SIMILARITY
    references: tuple[str, ...] = (unseen,)
    target = request.mail.thing
    if not world.adverse():
        if world.chance.random() < 0.5:
            references, kind = (request.mail.message_id, unseen), Planted.EXPLICIT
        else:
            subject = wording.reply(world.chance, wording.subject(world.chance, request.issue.key, request.topic))
            kind, target = Planted.MENTION, request.issue.thing
    mail = world.mail(
        request, sender, subject, text, world.later(request), in_reply_to=unseen, references=references
    )  # fmt: skip
    world.plant(mail.thing, target, kind)
    world.mark(Trap.FRESH_REPLY_ALL, [mail.thing], request, other)
    world.mark(Trap.FRESH_REPLY_ALL, [request.mail.thing], other)


def same_message_id(world: World) -> None:
    """A customer's system gives two of its notices one Message-ID; and a copy of one comes through a list."""
    one = stories.ordinary(world, world.chance.choice(("deal", "ticket")))
    other = stories.ordinary(world, world.chance.choice(("deal", "ticket")), customer=one.customer)
    system = Person("Order system", f"system@{one.customer.domain}")
    shared = world.message_id(system)
    mails = [_about(world, request, system, message_id=shared) for request in (one, other)]
    if world.chance.random() < 0.5:
        text, headers = f"{mails[0].text}\n\n--\nsent to the orders list", {"List-Id": f"<o.{one.customer.domain}>"}
    else:  # a gateway's banner
        text, headers = f"CAUTION: this mail comes from outside.\n\n{mails[0].text}", {"X-Banner": "external"}
    copied = replace(mails[0], thing=world.thing(one), text=text, headers=headers)
    world.mails.append(copied)
    assert one.issue is not None
    world.plant(copied.thing, one.issue.thing, Planted.MENTION)
    world.mark(Trap.SAME_MESSAGE_ID, [mails[0].thing, mails[1].thing, copied.thing], one, other, most=30)


def bare_forward(world: World) -> None:
    """A colleague forwards the first mail from a phone: fresh id, no references, a note above it."""
    request = _mailed(world)
    other = stories.ordinary(world, "mail", extras=1, customer=request.customer)
    mail, wording = request.mail, request.customer.wording
    assert mail is not None
    assert request.issue is not None
    sender = world.colleague()
    faint = world.adverse() or world.chance.random() < 0.15
    note = world.chance.choice(wording.forward_notes)
    note += "" if faint else " " + world.names(request, request.issue)
    body = world.chance.choice(wording.forwards)(
        mail.sender.name, mail.sender.address, mail.at, mail.subject, mail.text
    )
    found = world.mail(
        request, sender, wording.forward(world.chance, mail.subject), f"{note}\n\n{body}", world.later(request)
    )
    if faint:
        world.plant(found.thing, mail.thing, Planted.SIMILARITY)
    else:
        world.plant(found.thing, request.issue.thing, Planted.MENTION)
    world.mark(Trap.BARE_FORWARD, [found.thing], request, other)
    world.mark(Trap.BARE_FORWARD, [mail.thing], request, other)


def reused_thread(world: World) -> None:
    """Somebody takes an old mail, answers it, and writes about something else under a new subject."""
    old = _mailed(world)
    new = world.begin(old.customer, old.person)
    new.at = old.at + timedelta(days=30)
    issue = stories.make_issue(world, new)
    wording = new.customer.wording
    silent = world.adverse()
    named = "" if silent else world.names(new, issue)
    text = wording.text(world.chance, new.topic, new.person.name, *filter(None, [named]))
    last = old.last
    assert last is not None
    quote = wording.quotes[0](last.sender.name, last.sender.address, last.at, last.text)
    mail = world.mail(new, new.person, new.topic, f"{text}\n\n{quote}", world.later(new), answers=last)
    world.plant(mail.thing, issue.thing, Planted.SIMILARITY if silent else Planted.MENTION)
    new.mail = new.last = mail
    if world.chance.random() < 0.5:
        world.answer(new, world.colleague(), world.later(new))
    world.mark(Trap.REUSED_THREAD, [thing for thing in new.things if thing >= mail.thing], old, new, most=30)


def shared_mailbox(world: World) -> None:
    """Everybody at a customer writes from one address."""
    customer = world.chance.choice(world.customers)
    desk = Person(f"{customer.name} Office", f"office@{customer.domain}")
    _same_sender(world, Trap.SHARED_MAILBOX, [stories.ordinary(world, "mail", extras=1, customer=customer, person=desk)
                                             for _ in range(3)])  # fmt: skip


def no_reply(world: World) -> None:
    """A portal tells of every request from one address, with one template."""
    portal = Person("Acme Portal", "no-reply@portal.acme-cloud.example")
    requests = [stories.ordinary(world, world.chance.choice(("deal", "ticket")), extras=1) for _ in range(3)]
    mails = [_about(world, request, portal, headers={"Auto-Submitted": "auto-generated"}) for request in requests]
    world.mark(Trap.NO_REPLY, [mail.thing for mail in mails], *requests, most=30)


def template_subject(world: World) -> None:
    """The same subject from people who do not know each other, and from one who uses it twice."""
    first = world.begin()
    subject = world.chance.choice(first.customer.wording.template_subjects)
    same = world.begin(first.customer, first.person)
    requests = [first, same, *(world.begin() for _ in range(2))]
    for request in requests:
        stories.write(world, request, subject=subject)
        stories.keyed_text(world, request)
        stories.answered(world, request)
    _same_sender(world, Trap.TEMPLATE_SUBJECT, requests)


def _same_sender(world: World, trap: Trap, requests: list[Request]) -> None:
    mails = [request.mail.thing for request in requests if request.mail]
    world.mark(trap, mails, *requests, most=36)


def signature_url(world: World) -> None:
    """Somebody's signature holds the address of an issue, and the mails are about other things."""
    named = stories.ordinary(world, "issue", extras=0)
    assert named.issue is not None
    requests = [world.begin() for _ in range(2)]
    for request in requests:
        line = f"Something broken? {named.issue.url}"
        sign = (
            f"Thanks!\n{request.person.name} - {line}"
            if world.adverse()
            else f"{world.chance.choice(('-- ', '--', 'Best regards'))}\n{request.person.name}\n{line}"
        )
        text = f"{request.customer.wording.asks[0].format(topic=request.topic)}\n\n{sign}"
        request.mail = request.last = world.mail(request, request.person, request.topic, text, world.later(request))
        stories.keyed_answer(world, request)
    mails = [request.mail.thing for request in requests if request.mail]
    world.mark(Trap.SIGNATURE_URL, [*mails, named.issue.thing], *requests, named, most=30)


def quoted_history(world: World) -> None:
    """A fresh mail about one thing, with an old mail about another below it."""
    other, request = _mailed(world), stories.ordinary(world, "deal", extras=1)
    assert other.issue is not None
    assert request.issue is not None
    wording, writer = request.customer.wording, world.colleague()
    old = wording.answer(world.chance, writer.name, world.names(other, other.issue))
    at = world.later(request)
    quote = world.chance.choice(wording.quotes)(writer.name, writer.address, at - timedelta(days=20), old)
    if world.adverse():
        quote = old  # pasted, with nothing that says so
    text = f"{wording.text(world.chance, request.topic, request.person.name)}\n\n{quote}"
    subject = wording.subject(world.chance, request.issue.key, request.topic)
    mail = world.mail(request, request.person, subject, text, at)
    world.plant(mail.thing, request.issue.thing, Planted.MENTION)
    world.mark(Trap.QUOTED_HISTORY, [mail.thing, request.issue.thing], request, other)


def list_trailer(world: World) -> None:
    """A mail comes through a list whose trailer names an issue."""
    other, request = stories.ordinary(world, "ticket", extras=0), stories.ordinary(world, "deal", extras=1)
    assert other.issue is not None
    assert request.issue is not None
    trailer = (
        "_______________________________________________\nusers mailing list -- users@lists.acme.example\n"
        f"To unsubscribe: https://lists.acme.example/users\nKnown problem with this list: {other.issue.key}"
    )
    wording = request.customer.wording
    text = f"{wording.answer(world.chance, request.person.name)}\n{trailer}"
    headers = {"List-Id": "Users <users.lists.acme.example>", "Precedence": "list"}
    subject = f"[users] {wording.subject(world.chance, request.issue.key, request.topic)}"
    mail = world.mail(request, request.person, subject, text, world.later(request), headers=headers)
    world.plant(mail.thing, request.issue.thing, Planted.MENTION)
    world.mark(Trap.LIST_TRAILER, [mail.thing, request.issue.thing], request, other)


def key_like(world: World) -> None:
    """Two mails hold the same string that looks like a key."""
    said = world.chance.choice(KEY_LIKE)
    requests = [world.begin() for _ in range(2)]
    for place, request in enumerate(requests):
        if world.adverse():
            said = f"{world.chance.choice(('APP', 'DATA'))}-{world.chance.randint(1, 4)}"  # a product's name
        request.topic += f" ({said})" if place else f" {said}"
        stories.write(world, request, f"It has to follow {said}, please.")
        stories.keyed_answer(world, request)
        stories.answered(world, request)
    _same_sender(world, Trap.KEY_LIKE, requests)


def _mailed(world: World) -> Request:
    """A request that has a thread."""
    request = world.begin()
    stories.write(world, request)
    world.chance.choice((stories.keyed_answer, stories.keyed_text, stories.notified))(world, request)
    stories.answered(world, request)
    return request


def _about(world: World, request: Request, sender: Person, **told: object) -> Mail:
    """A system's notice about a request, naming its issue."""
    assert request.issue is not None
    text = f"There is news on {request.issue.key}.\n\nDo not answer this message."
    mail = world.mail(request, sender, f"Update: {request.issue.key}", text, world.later(request), **told)
    world.plant(mail.thing, request.issue.thing, Planted.MENTION)
    return mail
