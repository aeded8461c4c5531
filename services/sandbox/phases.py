"""What most requests go through: asked for, sold, specified, built, released, judged."""

from collections.abc import Iterator

from services.sandbox.pen import Pen
from services.sandbox.script import Happening

Story = Iterator[Happening]


def asked(pen: Pen) -> Story:
    """A customer writes, and somebody answers."""
    text = f"Dear team,\n\n{pen.reason}\nCan you help us with that?\n\nKind regards\n{pen.customer.full}"
    yield pen.mail("ask", pen.customer, pen.subject, text, "first")
    pen.wait(1, 6)
    answer = f"Dear {pen.customer.first},\n\nthank you, we will look at it and come back to you.\n\n{pen.sales.full}"
    yield pen.mail("answer", pen.sales, f"Re: {pen.subject}", answer, "explicit", to=pen.customer.name, answers="ask")


def sold(pen: Pen, *stages: str) -> Story:
    """A deal, with the customer's mail logged on it."""
    pen.wait(2, 10)
    amount = str(pen.chance.randrange(4, 90) * 500)
    name = f"{pen.subject} for {pen.customer.company}"
    yield pen.record("deal", "deal", pen.sales, "explicit", dealname=name, amount=amount, deal_currency_code="EUR")
    yield pen.logged("email", "logged", pen.customer, pen.reason, "deal", mail="ask")
    yield from pen.stages("deal", "deal", pen.sales, *(stages or ("qualifiedtobuy", "contractsent", "closedwon")))


def complained(pen: Pen) -> Story:
    """A ticket that support opens from a mail."""
    yield from asked(pen)
    pen.wait(1, 3)
    yield pen.record("ticket", "ticket", pen.sales, "explicit", subject=pen.subject, content=pen.reason)
    yield pen.logged("email", "logged", pen.customer, pen.reason, "ticket", mail="ask")
    yield from pen.stages("ticket", "ticket", pen.sales, "3")


def specified(pen: Pen, source: str = "deal", **more: str) -> Story:
    """A story that names where the wish came from, and its analysis."""
    pen.wait(3, 20)
    text = f"As {pen.customer.company} I want: {pen.reason}\nAsked for in [[url {pen.of(source)}]]"
    yield pen.issue(
        "story", pen.analyst, pen.subject, "mention", description=text, assignee=pen.analyst.name,
        unit=pen.customer.company, **more,
    )  # fmt: skip
    yield from pen.status("story", pen.analyst, "Analysis")
    pen.wait(2, 10)
    said = "Talked to them on the phone: the small solution is enough for now."
    yield pen.does("jira", "comment", "story", pen.analyst, text=said)


def built(pen: Pen) -> Story:
    """Two sub-tasks, worked on and reviewed."""
    pen.wait(2, 16)
    yield pen.does("jira", "assign", "story", pen.analyst, to=pen.developer.name)
    for place, task in enumerate(("Change the interface", "Write the tests"), 1):
        yield pen.issue(f"task{place}", pen.developer, task, "explicit", kind="Sub-task", parent="story")
    yield from pen.status("story", pen.developer, "In Progress")
    for place in (1, 2):
        yield from pen.status(f"task{place}", pen.developer, "In Progress", "Done")
    yield from pen.status("story", pen.developer, "In Review")


def released(pen: Pen) -> Story:
    """A change that deploys the story, and the news to the customer."""
    yield from pen.status("story", pen.developer, "Ready for Release")
    pen.wait(2, 10)
    yield pen.issue("change", pen.operator, f"Deploy: {pen.subject}", "explicit", project="OPS", kind="Change")
    yield pen.does("jira", "link", "change", pen.operator, kind="Deployment", other=pen.of("story"))
    yield from pen.status("change", pen.operator, "Deploying", "Released")
    yield from pen.status("story", pen.operator, "Released")


def told(pen: Pen, answers: str = "ask") -> Story:
    """The customer hears of it."""
    pen.wait(1, 8)
    text = f"Dear {pen.customer.first},\n\nit is live since today ([[{pen.of('story')}]]).\n\n{pen.sales.full}"
    subject = f"Re: {pen.subject}"
    yield pen.mail("news", pen.sales, subject, text, "explicit", to=pen.customer.name, answers=answers)


def judged(pen: Pen) -> Story:
    """The customer says how they like it: by mail, or in a ticket beside the deal."""
    pen.wait(8, 60)
    if pen.chance.random() < 0.5:
        text = f"Works well, thank you!\n\n{pen.customer.full}"
        yield pen.mail("thanks", pen.customer, f"Re: {pen.subject}", text, "explicit", answers="news")
        return
    about = {"subject": f"Feedback: {pen.subject}", "content": "Works, but the button is hard to find."}
    yield pen.record("ticket", "feedback", pen.sales, "explicit", **about)
    yield pen.does(
        "hubspot", "associate", "feedback", pen.sales, kind="ticket", other=pen.of("deal"), other_kind="deal"
    )
    yield from pen.stages("ticket", "feedback", pen.sales, "3", "4")


def delivered(pen: Pen) -> Story:
    """Built, released, told."""
    yield from built(pen)
    yield from released(pen)
    yield from told(pen)
