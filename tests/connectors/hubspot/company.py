"""An account with one of everything the connector reads: the recordings are read from it, and some tests look at it."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from services.sandbox.hubspot_account import Account

START = datetime(2026, 2, 2, 9, 0, tzinfo=UTC)
HEADERS = (
    '{"from":{"email":"Kim@Customer.example","firstName":"Kim","lastName":"Kunde"},'
    '"to":[{"email":"olga@vendor.example"}],"cc":[{"email":"not an address"}]}'
)
HTML = (
    "<div>Please add the <b>export</b> of PAY-12.</div><style>p {color: red}</style>"
    '<div class="gmail_quote">On Monday Olga wrote:<blockquote>What about OLD-1?</blockquote></div>'
)


@dataclass(frozen=True)
class Company:
    """Ids of what is there."""

    account: Account
    olga: str
    omar: str
    kim: str
    customer: str
    won: str
    lost: str
    open: str
    ticket: str
    note: str
    email: str
    stray: str
    merged: tuple[str, str, str]
    kept: tuple[str, str]
    archived: str
    orphan: str


def build(account: Account) -> Company:
    """Fill an account; everything happens between 2 February 2026 and three weeks later."""
    day = [START + timedelta(days=number) for number in range(22)]
    olga = account.create_owner("Olga", "Owner", "Olga@vendor.example", day[0])
    omar = account.create_owner("Omar", "Other", "omar@vendor.example", day[0])
    account.add_pipeline("deal", "881", "Projects", [("9001", "Ask", "0.1"), ("9002", "Signed", "1.0")])
    kim = account.create_contact("Kim", "Kunde", "Kim@Customer.example", day[0])
    lee = account.create_contact("Lee", "", "lee@customer.example", day[0])
    customer = account.create_company("Customer AG", "customer.example", day[0])
    branch = account.create_company("Branch GmbH", "branch.example", day[0])
    won = account.create_deal(
        "Payment export", day[1], olga, amount="12500.50", deal_currency_code="EUR", hubspot_owner_id=olga,
        description="<p>Export of payments,<br>see PAY-12</p>", hs_priority="high", dealtype="newbusiness",
        closedate="2026-03-31T10:00:00.000Z", hs_next_step="Ask for PAY-13",
    )  # fmt: skip
    account.set("deal", won, day[2], omar, hubspot_owner_id=omar)
    account.set_stage("deal", won, "contractsent", day[3], omar)
    account.set_stage("deal", won, "closedwon", day[5], omar)
    account.set("deal", won, day[5], None, closed_won_reason="Price", closedate="2026-02-07T09:00:00.000Z")
    lost = account.create_deal("Other thing", day[1], olga)
    account.set_stage("deal", lost, "closedlost", day[4], olga)
    account.set("deal", lost, day[4], olga, closed_lost_reason="No budget", closedate="1770195600000")
    opened = account.create_deal("Project", day[2], None, pipeline="881", dealstage="9001")
    ticket = account.create_ticket("Export is slow", day[6], None, content="Since PAY-12", hs_ticket_priority="HIGH")
    account.set_stage("ticket", ticket, "2", day[7], olga)
    account.set_stage("ticket", ticket, "4", day[8], olga)
    for other in (("contact", kim), ("contact", lee), ("ticket", ticket)):
        account.associate(("deal", won), other)
    account.associate(("deal", won), ("company", branch))
    account.associate(("deal", won), ("company", customer), label="Primary")
    account.associate(("ticket", ticket), ("contact", kim))
    note = account.create_note("<p>Kim called: wants &amp; needs PAY-12</p>", ("deal", won), day[4], olga)
    email = account.create_email(
        "Re: Payment export", "", ("deal", won), day[4], hs_email_html=HTML, hs_email_headers=HEADERS,
        hs_email_direction="INCOMING_EMAIL", hs_email_message_id="<A1.b@Mail.Customer.example>",
    )  # fmt: skip
    stray = account.create_email("Hello", "To everybody\n\n> quoted", ("deal", won), day[4])
    account.associate(("email", stray), ("deal", lost))
    one, two = account.create_deal("Twin one", day[9]), account.create_deal("Twin two", day[9])
    merged = (one, two, account.merge("deal", one, two, day[10]))
    keeper, swallowed = account.create_deal("Keeper", day[9]), account.create_deal("Swallowed", day[9])
    account.merge("deal", keeper, swallowed, day[10], new_id=False)
    archived = account.create_deal("Mistake", day[11], olga)
    account.archive("deal", archived, day[12])
    orphan = account.create_deal("Orphan", day[13], olga, pipeline="gone", dealstage="deleted-stage")
    return Company(
        account, olga, omar, kim, customer, won, lost, opened, ticket, note, email, stray, merged, (keeper, swallowed),
        archived, orphan,
    )  # fmt: skip
