"""Traps of deals, and of people."""

from collections.abc import Sequence
from datetime import timedelta

from benchmarks.accuracy import stories
from benchmarks.accuracy.hubspots import Entry
from benchmarks.accuracy.mails import Person
from benchmarks.accuracy.traps import Trap
from benchmarks.accuracy.truth import Planted
from benchmarks.accuracy.world import Request, World

UMLAUTS = (
    ("Jürgen Müller", "Juergen Mueller", "Jurgen Muller"),
    ("Björn Schröder", "Bjoern Schroeder", "Bjorn Schroder"),
    ("Zoë Gößling", "Zoe Goessling", "Zoe Gossling"),
    ("Åsa Sjöström", "Aasa Sjoestroem", "Asa Sjostrom"),
)
RIGHT_TO_LEFT = (
    ("أحمد الفارسي", "تعديل زر الدفع في المتجر"),
    ("ليلى حداد", "إضافة تقرير شهري"),
    ("رامي שלום", "תיקון המסך הראשי"),
)
MARKS = ("\u200f{}\u200f", "\u202b{}\u202c", "\u2067{}\u2069", "{}")
"""Marks of direction as clients put them around a subject (Unicode Annex 9)."""
MARRIED = (
    ("Lena", "Huber", "Vogel"),
    ("Maria", "Costa", "Silva"),
    ("Ruth", "Cohen", "Katz"),
    ("Emma", "Hill", "Stone"),
)


def merged_deal(world: World) -> None:
    """Two deals for one matter are merged; an issue still links to the one that is gone."""
    request, other = stories.ordinary(world, "deal", extras=1), stories.ordinary(world, "deal", extras=0)
    assert request.deal is not None
    gone = stories.make_deal(world, request, f"{request.customer.name}: {request.topic} (copy)")
    issue = world.make_issue(request, world.later(request), f"{request.topic}: details", kind="Task")
    issue.remote.append((gone.url, "HubSpot"))
    note = stories.make_note(world, request, gone, "They asked twice.")
    world.plant(issue.thing, gone.thing, Planted.EXPLICIT)
    world.merge(request.deal, gone, world.later(request))
    world.plant(gone.thing, request.deal.thing, Planted.EXPLICIT)
    world.mark(Trap.MERGED_DEAL, [gone.thing, issue.thing, note.thing], request, other)


def split_deal(world: World) -> None:
    """A deal is split in two phases, each with work of its own; the notes name the other phase."""
    customer = world.chance.choice(world.customers)
    topic = customer.wording.topic(world.chance)
    phases = []
    for phase in (1, 2):
        request = world.begin(customer, customer.people[0], f"{topic}, phase {phase}")
        request.deal = stories.make_deal(world, request)
        stories.remote_link(world, request, request.deal)
        stories.noted(world, request)
        phases.append(request)
    one, two = phases
    assert one.deal is not None
    assert two.deal is not None
    note = stories.make_note(world, two, two.deal, f"Split off from {one.deal.url}; budget decided apart.")
    one.deal.change(world.later(one), description=f"<p>First half. The second half is {two.deal.url}</p>")
    world.mark(Trap.SPLIT_DEAL, [one.deal.thing, two.deal.thing, note.thing], *phases, most=30)


def renewed_deal(world: World) -> None:
    """A contract is renewed each year: a new deal under the old name, and new work."""
    customer = world.chance.choice(world.customers)
    requests = []
    for year in range(3):
        request = world.begin(customer, customer.people[0], f"Maintenance contract {customer.name}")
        request.at -= timedelta(days=365 * year)
        request.deal = stories.make_deal(world, request, request.topic)
        stories.remote_link(world, request, request.deal)
        stories.noted(world, request)
        requests.append(request)
    world.mark(Trap.RENEWED_DEAL, [one.deal.thing for one in requests if one.deal], *requests, most=30)


def open_deals(world: World) -> None:
    """A company has several open deals; its one contact writes about each.

    What is logged by hand lies on the right deal; what the CRM logs by itself lies on all that are open.
    """
    by_hand = world.chance.random() < 0.5
    customer = world.chance.choice(world.customers)
    requests, mails, lying = [], [], list[Entry]()
    for _ in range(3):
        request = world.begin(customer, customer.people[0])
        request.deal = stories.make_deal(world, request)
        stories.noted_key(world, request, request.deal)
        mail = stories.write(world, request)
        logged = stories.log(world, request, mail, request.deal if by_hand else None)
        if not by_hand:
            stories.keyed_later(world, request)
        mails.append(mail.thing)
        lying.append(logged)
        requests.append(request)
    if not by_hand:
        for logged in lying:
            for request in requests:
                assert request.deal is not None
                world.account.associate(logged, request.deal)
    world.mark(Trap.OPEN_DEALS, mails, *requests, most=36)


def customer_number(world: World) -> None:
    """Two customers count their tickets, and come to the same number."""
    number = world.chance.randint(1000, 9999)
    forms = (f"Ticket #{number}", f"INC-{number}", f"[REQ-{number}]", f"Case {number}")
    said = world.chance.choice(forms)
    requests = [world.begin() for _ in range(2)]
    for request in requests:
        if world.adverse():
            said = f"DATA-{world.chance.randint(1, 5)}"  # their project has the name of one here
        stories.write(world, request, f"Our reference: {said}", subject=f"{said} {request.topic}")
        stories.keyed_answer(world, request)
        stories.answered(world, request)
    world.mark(Trap.CUSTOMER_NUMBER, [one.mail.thing for one in requests if one.mail], *requests, most=30)


def umlauts(world: World) -> None:
    """One person's name in three spellings, and a namesake at another company."""
    spellings = world.chance.choice(UMLAUTS)
    request = world.begin()
    address = f"jm{world.id()}@{request.customer.domain}"
    request.person = Person(spellings[0], address)
    request.topic += f" für {world.chance.choice(('Köln', 'Zürich', 'Malmö', 'Łódź'))}"
    stories.write(world, request)
    stories.keyed_answer(world, request)
    for name in spellings[1:]:
        world.answer(request, Person(name, address), world.later(request))
    stories.mail_about(world, request)
    namesake = _namesake(world, request, world.chance.choice(spellings))
    world.mark(Trap.UMLAUTS, _mails(request, world), request, namesake, most=30)


def right_to_left(world: World) -> None:
    """Subjects in Arabic or Hebrew with a key between marks of direction; and a namesake."""
    name, topic = world.chance.choice(RIGHT_TO_LEFT)
    request = world.begin(topic=f"{topic} {world.id()}")
    request.person = Person(name, f"rtl{world.id()}@{request.customer.domain}")
    issue = stories.make_issue(world, request)
    key = world.chance.choice(("{}", "({})", "\u200e{}\u200e", "\u2066{}\u2069")).format(issue.key)
    for words in (f"{request.topic} {key}", f"{key} {request.topic}"):
        mail = world.mail(
            request, request.person, world.chance.choice(MARKS).format(words), f"\u200f{topic}\n\n{name}",
            world.later(request),
        )  # fmt: skip
        world.plant(mail.thing, issue.thing, Planted.MENTION)
    stories.mail_about(world, request)
    namesake = _namesake(world, request, name)
    world.mark(Trap.RIGHT_TO_LEFT, _mails(request, world), request, namesake, most=30)


def changed_name(world: World) -> None:
    """Somebody marries and goes on in the thread under a new name and address; a colleague is called that already."""
    given, before, after = world.chance.choice(MARRIED)
    request = world.begin()
    number, domain = world.id(), request.customer.domain
    request.person = Person(f"{given} {before}", f"{given.lower()}.{before.lower()}{number}@{domain}")
    stories.write(world, request)
    stories.keyed_answer(world, request)
    request.person = Person(f"{given} {after}", f"{given.lower()}.{after.lower()}{number}@{domain}")
    world.answer(request, request.person, world.later(request))
    stories.mail_about(world, request)
    namesake = _namesake(world, request, request.person.name)
    world.mark(Trap.CHANGED_NAME, _mails(request, world), request, namesake, most=30)


def many_addresses(world: World) -> None:
    """Somebody begins at work, goes on from home and from a phone, and does so with two requests."""
    first = world.begin()
    name, number = first.person.name, world.id()
    people = [
        Person(name, f"p{number}@{first.customer.domain}"),
        Person(name, f"p.{number}@mail.example"),
        Person(f"{name} (mobile)", f"p{number}@phone.example"),
    ]
    requests = [first, world.begin(first.customer)]
    for request in requests:
        world.chance.shuffle(people)
        request.person = people[0]
        stories.write(world, request)
        stories.keyed_text(world, request)
        world.answer(request, people[1], world.later(request))
        request.person = people[2]
        stories.mail_about(world, request)
    world.mark(Trap.MANY_ADDRESSES, _mails(requests[0], world), *requests, most=36)


def _namesake(world: World, request: Request, name: str) -> Request:
    person = Person(name, f"n{world.id()}@other{world.id()}.example")
    return stories.ordinary(world, "mail", extras=0, customer=request.customer, person=person)


def _mails(request: Request, world: World) -> Sequence[int]:
    known = {mail.thing for mail in world.mails}
    return [thing for thing in request.things if thing in known]
