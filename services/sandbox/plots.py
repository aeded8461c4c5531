"""The stories that requests take, in the shapes by which real tools mislead; lazy, each in order of time."""

from collections.abc import Callable

from services.sandbox.pen import Pen
from services.sandbox.people import CUSTOMERS
from services.sandbox.phases import (
    Story,
    asked,
    built,
    complained,
    delivered,
    judged,
    released,
    sold,
    specified,
    told,
)


def whole_life(pen: Pen) -> Story:
    """Everything in its order: mail, deal, story, sub-tasks, change, news, feedback."""
    yield from asked(pen)
    yield from sold(pen)
    yield from specified(pen)
    yield from delivered(pen)
    yield from judged(pen)


def in_the_programme(pen: Pen) -> Story:
    """The same, its story below an epic that many requests share."""
    yield from asked(pen)
    yield from sold(pen)
    yield from specified(pen, parent="c.platform")
    yield from delivered(pen)


def own_epic(pen: Pen) -> Story:
    """An epic of its own with two stories, which name the deal as well."""
    yield from asked(pen)
    yield from sold(pen)
    pen.wait(2, 8)
    text = f"{pen.reason} See [[url {pen.of('deal')}]]."
    yield pen.issue("epic", pen.analyst, pen.subject, "mention", kind="Epic", description=text)
    yield from specified(pen, parent="epic")
    old = f"{pen.subject}: the old screens"
    yield pen.issue("second", pen.analyst, old, "mention", parent="epic", description=text)
    yield from pen.status("epic", pen.analyst, "In Progress")
    yield from pen.status("second", pen.developer, "In Progress", "Done")
    yield from delivered(pen)
    yield from pen.status("epic", pen.analyst, "Done")


def support(pen: Pen) -> Story:
    """A ticket becomes a bug."""
    yield from complained(pen)
    yield from specified(pen, "ticket", kind="Bug")
    yield from delivered(pen)
    yield from pen.stages("ticket", "ticket", pen.sales, "4")


def forwarded(pen: Pen) -> Story:
    """A colleague passes the customer's mail on; its headers are lost, but they say what it is about."""
    yield from complained(pen)
    yield from specified(pen, "ticket")
    pen.wait(4, 20)
    block = (
        f"---------- Forwarded message ----------\nFrom: {pen.customer.full} <{pen.customer.address}>\n"
        f"Date: Mon, 2 Mar 2026 10:00\nSubject: {pen.subject}\nTo: {pen.sales.full}\n\n{pen.reason}"
    )
    text = f"Hello,\n\nthis belongs to [[{pen.of('story')}]], they ask again.\n\n{block}"
    yield pen.mail("forward", pen.sales, f"Fwd: {pen.subject}", text, "mention")
    pen.wait(4, 20)
    yield pen.mail("second", pen.customer, f"Fwd: {pen.subject}", f"See below.\n\n{block}", "similar")
    yield from delivered(pen)


def reply_to_all(pen: Pen) -> Story:
    """A mail program that forgets the thread: a new Message-ID, no reply headers, the key in the subject."""
    yield from asked(pen)
    yield from sold(pen)
    yield from specified(pen)
    pen.wait(3, 12)
    text = "Adding the whole team. The small solution is fine for us."
    yield pen.mail(
        "all", pen.customer, f"RE: [[{pen.of('story')}]] {pen.subject}", text, "mention", to=pen.analyst.name
    )
    yield from delivered(pen)


def shared_mailbox(pen: Pen) -> Story:
    """The same mail lies in two folders, and is one mail."""
    yield from asked(pen)
    yield pen.does("mail", "file", "ask", pen.sales, folder="Payments")
    yield from sold(pen)
    yield from specified(pen)
    yield from built(pen)


def template(pen: Pen) -> Story:
    """Three people use one form on one day: one subject, three requests."""
    for place in (1, 2, 3):
        request = pen.name if place == 1 else f"{pen.name}-{place}"
        who = CUSTOMERS[(int(pen.name[1:]) + place) % len(CUSTOMERS)]
        text = f"Name: {who.full}\nWish: access to the reports of {who.company}\n"
        yield pen.mail(f"form{place}", who, "New request from the portal", text, "first", request=request)
        pen.wait(0.2, 1)
        made = f"Access to reports for {who.company}"
        done = f"Tracked as [[{pen.of(f'access{place}')}]]."
        yield pen.issue(f"access{place}", pen.operator, made, "mention", project="OPS", kind="Task", request=request)
        yield pen.mail(
            f"noted{place}", pen.sales, "Re: New request from the portal", done, "explicit", to=who.name,
            answers=f"form{place}", request=request,
        )  # fmt: skip
    for place in (1, 2, 3):
        yield from pen.status(f"access{place}", pen.operator, "In Progress", "Done")


def moved(pen: Pen) -> Story:
    """An issue moves to another project; people go on to use the old key."""
    yield from asked(pen)
    yield from sold(pen)
    yield from specified(pen)
    old = f"[[first {pen.of('story')}]]"
    pen.wait(3, 10)
    yield pen.does("jira", "move", "story", pen.analyst, project="PLAT")
    pen.wait(3, 10)
    yield pen.mail("old", pen.customer, f"Question on {old}", "When will it be ready?", "mention")
    yield from delivered(pen)


def like_keys(pen: Pen) -> Story:
    """Words in the shape of a key that are none."""
    yield from asked(pen)
    pen.wait(1, 5)
    text = "The file is in UTF-8 as ISO-9001 asks, since COVID-19 nobody prints it. See also RFC-2822 and SHA-256."
    yield pen.mail("format", pen.customer, f"Re: {pen.subject} (UTF-8)", text, "explicit", answers="answer")
    yield from sold(pen)
    yield from specified(pen)
    yield pen.does(
        "jira", "comment", "story", pen.developer, text="Encoding is UTF-8 and not UTF-16, as in ISO-8859-1."
    )
    yield from built(pen)


def two_deals(pen: Pen) -> Story:
    """Two sellers made a deal of the same wish; the deals are merged."""
    yield from asked(pen)
    yield from sold(pen, "qualifiedtobuy")
    yield pen.record("deal", "twin", pen.sales, "explicit", dealname=f"{pen.customer.company}: {pen.subject}")
    pen.wait(3, 10)
    yield pen.does("hubspot", "merge", "deal", pen.sales, kind="deal", other=pen.of("twin"))
    yield from pen.stages("deal", "deal", pen.sales, "closedwon")
    yield from specified(pen)
    yield from delivered(pen)


def footer(pen: Pen) -> Story:
    """A signature that names a board's epic under every mail, and a key in quoted text."""
    yield from asked(pen)
    yield from sold(pen)
    pen.wait(1, 5)
    text = (
        f"We would like to see it in May.\n\n-- \n{pen.customer.full}\nOur open points: [[c.platform]]\n\n"
        f"On Mon, 2 Mar 2026 at 10:00, {pen.sales.full} <{pen.sales.address}> wrote:\n"
        "> compare [[c.child1]], which is like yours\n"
    )
    yield pen.mail("when", pen.customer, f"Re: {pen.subject}", text, "explicit", answers="answer")
    yield from specified(pen)
    yield from delivered(pen)


def old_thread(pen: Pen) -> Story:
    """A finished request's thread is used for something new, which has a key of its own."""
    yield from asked(pen)
    yield from sold(pen)
    yield from specified(pen)
    yield from delivered(pen)
    pen.wait(80, 160)
    new = f"{pen.name}-new"
    yield pen.issue(
        "other", pen.analyst, "Colours of the start page", "first", project="WEB", kind="Task", request=new
    )  # fmt: skip
    pen.wait(2, 8)
    text = "Something else: the start page. I was told that it is [[" + pen.of("other") + "]]."
    subject = "Colours of the start page"
    yield pen.mail("reused", pen.customer, subject, text, "mention", answers="news", request=new)
    yield from pen.status("other", pen.developer, "In Progress", "Done")


def away(pen: Pen) -> Story:
    """Automatic answers, absences and a bounce in the thread."""
    yield from asked(pen)
    pen.wait(0.1, 0.2)
    gone = f"I am out of the office. In urgent cases see [[c.platform]].\n{pen.customer.full}"
    yield pen.mail(
        "away", pen.customer, f"Automatic reply: {pen.subject}", gone, "explicit", answers="answer", kind="auto-reply"
    )  # fmt: skip
    pen.wait(1, 2)
    yield pen.mail("bounce", pen.customer, "", "", "explicit", answers="answer", kind="bounce")
    yield from sold(pen)
    yield from specified(pen)
    yield from delivered(pen)


def deleted(pen: Pen) -> Story:
    """An issue that was made twice and deleted."""
    yield from complained(pen)
    yield from specified(pen, "ticket")
    text = f"Asked for in [[url {pen.of('ticket')}]]"
    yield pen.issue("double", pen.operator, pen.subject, "mention", description=text)
    pen.wait(1, 6)
    yield pen.does("jira", "delete", "double", pen.operator)
    yield from delivered(pen)


def reopened(pen: Pen) -> Story:
    """It was released, did not work, and was done again."""
    yield from asked(pen)
    yield from sold(pen)
    yield from specified(pen)
    yield from delivered(pen)
    pen.wait(8, 30)
    text = "It does not work for orders of last year, please look again."
    yield pen.mail("again", pen.customer, f"Re: {pen.subject}", text, "explicit", answers="news")
    yield from pen.status("story", pen.analyst, "In Progress")
    yield pen.issue("bug", pen.developer, f"{pen.subject}: old orders", "explicit", kind="Bug")
    yield pen.does("jira", "link", "bug", pen.developer, kind="Issue split", other=pen.of("story"))
    yield from pen.status("bug", pen.developer, "In Progress", "Done")
    yield from pen.status("story", pen.developer, "Ready for Release", "Released")


def cancelled(pen: Pen) -> Story:
    """The customer does not want it any more."""
    yield from asked(pen)
    yield from sold(pen, "qualifiedtobuy")
    yield from specified(pen)
    pen.wait(5, 30)
    text = "We have found another way, please stop."
    yield pen.mail("stop", pen.customer, f"Re: {pen.subject}", text, "explicit", answers="answer")
    yield pen.does("jira", "transition", "story", pen.analyst, status="Won't Do", resolution="Won't Do")
    reason = "Bought elsewhere"
    yield pen.does("hubspot", "set", "deal", pen.sales, kind="deal", properties={"closed_lost_reason": reason})
    yield from pen.stages("deal", "deal", pen.sales, "closedlost")


def waiting(pen: Pen) -> Story:
    """A question that the customer takes long to answer."""
    yield from asked(pen)
    yield from sold(pen)
    yield from specified(pen)
    yield from pen.status("story", pen.analyst, "Waiting for customer")
    asks = f"which countries do you need first? ([[{pen.of('story')}]])"
    text = f"Dear {pen.customer.first},\n\n{asks}\n\n{pen.analyst.full}"
    to = pen.customer.name
    yield pen.mail("question", pen.analyst, f"Re: {pen.subject}", text, "explicit", to=to, answers="ask")
    pen.wait(100, 300)
    answer = "Sorry for the wait: Poland and Spain."
    yield pen.mail("reply", pen.customer, f"Re: {pen.subject}", answer, "explicit", answers="question")
    yield from pen.status("story", pen.analyst, "Analysis")
    yield from delivered(pen)


def blocked(pen: Pen) -> Story:
    """Another team's issue has to be done first; it stays a request of its own."""
    yield from asked(pen)
    yield from sold(pen)
    yield from specified(pen)
    other = f"{pen.name}-blocker"
    yield pen.issue(
        "blocker", pen.operator, "New database servers", "first", project="OPS", kind="Task", request=other
    )  # fmt: skip
    yield pen.does("jira", "link", "blocker", pen.analyst, kind="Blocks", other=pen.of("story"))
    yield from pen.status("story", pen.developer, "Blocked")
    pen.wait(60, 200)
    yield from pen.status("blocker", pen.operator, "In Progress", "Done")
    yield from delivered(pen)


def quiet(pen: Pen) -> Story:
    """Work begins, and then nobody says anything for months."""
    yield from asked(pen)
    yield from sold(pen)
    yield from specified(pen)
    yield from pen.status("story", pen.developer, "In Progress")
    pen.wait(1500, 2000)
    yield from pen.status("story", pen.developer, "In Review")


def in_passing(pen: Pen) -> Story:
    """Two requests of one kind: each names the other in passing, and each has a deal that Jira links to."""
    twin = pen.beside("twin")
    for one in (pen, twin):
        twin.at = max(twin.at, pen.at)
        yield from asked(one)
        yield from sold(one)
        yield from specified(one)
        address = f"[[url {one.of('deal')}]]"
        yield one.does("jira", "remote_link", "story", one.analyst, url=address, title="Deal")
    twin.wait(1, 5)
    said = f"We solved this before, look at [[{pen.of('story')}]]."
    yield twin.does("jira", "comment", "story", twin.developer, text=said)
    back = f"The same is asked for in [[{twin.of('story')}]]."
    yield twin.does("jira", "comment", pen.of("story"), pen.developer, text=back)
    yield twin.does("jira", "link", "story", twin.developer, kind="Relates", other=pen.of("story"))
    yield from built(twin)


def confidential(pen: Pen) -> Story:
    """Comments for a role only, internal notes, and a note in the CRM."""
    yield from asked(pen)
    yield from sold(pen)
    yield pen.logged("note", "note", pen.sales, "They would pay more than they say.", "deal")
    yield from specified(pen)
    said = "Not for the customer: their contract ends in June."
    yield pen.does("jira", "comment", "story", pen.analyst, text=said, role="Managers")
    yield pen.does("jira", "comment", "story", pen.analyst, text="Ask legal first.", internal=True)
    yield from built(pen)
    yield from released(pen)
    yield from told(pen)


PLOTS: tuple[Callable[[Pen], Story], ...] = (
    whole_life, in_the_programme, support, forwarded, reply_to_all, whole_life, shared_mailbox, template, moved,
    own_epic, like_keys, two_deals, footer, in_the_programme, old_thread, away, deleted, reopened, cancelled, waiting,
    blocked, quiet, confidential, in_passing,
)  # fmt: skip
"""In the order in which requests take them, over and over."""
