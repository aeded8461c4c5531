"""What the tools of a company say, as the source events that the three connectors publish.

The raw payloads go through the connectors' own tellers; nothing of the mapping that reads them later is used.
"""

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta

from pydantic import SecretStr

from benchmarks.accuracy.hubspots import KINDS, Account, Entry
from benchmarks.accuracy.hubspots import PORTAL as HUB
from benchmarks.accuracy.jiras import Issue, Site
from benchmarks.accuracy.mails import Mail
from benchmarks.accuracy.world import NOW, World
from connectors.hubspot.options import Options as HubSpotOptions
from connectors.hubspot.telling import Teller as HubSpotTeller
from connectors.jira.options import ApiToken, JiraOptions
from connectors.jira.telling import Teller as JiraTeller
from connectors.mailbox.message import leaves, parse
from connectors.mailbox.options import MailboxOptions, Password
from connectors.mailbox.telling import Found, event_of
from schemas.canonical import microseconds
from schemas.events import SourceEvent

CRM, MAILBOX = "crm", "mailbox"
"""Ids of the connections beside Jira's."""
MAIL = MailboxOptions(
    host="imap.acme.example", auth=Password(user="requests", password=SecretStr("unused")), own=("@acme.example",)
)
HUBSPOT = HubSpotOptions(token=SecretStr("unused"), portal=int(HUB))


def jira_options(site: Site) -> JiraOptions:
    """The connection of a site as an admin fills it in."""
    auth = ApiToken(email="hub@acme.example", token=SecretStr("unused"))
    return JiraOptions(base_url=site.url, projects=site.projects, auth=auth)


async def events(world: World) -> list[SourceEvent]:
    """Everything the company's tools say, in the order of its times. Writes down which artifact each thing is."""
    told = [*_mails(world), *_issues(world), *await _records(world)]
    return [event for _, event in sorted(told, key=lambda one: one[0])]


Timed = tuple[datetime, SourceEvent]


def _mails(world: World) -> Iterator[Timed]:
    for mail in world.mails:
        event = mail_event(mail)
        world.truth.artifact[mail.thing] = event.artifact
        yield mail.arrived, event


def mail_event(mail: Mail) -> SourceEvent:
    """The source event of a mail, read whole."""
    read = parse(mail.raw())
    found = Found(MAILBOX, mail.folder, mail.arrived, mail.arrived + timedelta(minutes=1))
    return event_of(read, leaves(read), found, MAIL)


def _issues(world: World) -> Iterator[Timed]:
    for issue in world.issues:
        for event in issue_events(issue):
            world.truth.artifact[issue.thing] = event.artifact
            yield _heard(event), event


def _heard(event: SourceEvent) -> datetime:
    return event.fetched_at


def issue_events(issue: Issue) -> Iterator[SourceEvent]:
    """What is told of an issue: as it was before, as it is, that it was deleted."""
    options = jira_options(issue.site)
    for earlier in issue.told:
        teller = _teller(issue, options, issue.created + timedelta(hours=1))
        yield from teller.issue(earlier, [], [], [])
    teller = _teller(issue, options, issue.updated + timedelta(hours=2))
    yield from teller.issue(issue.as_json(), issue.histories, issue.comments_as_json(), issue.remote_as_json())
    if issue.deleted:
        yield _teller(issue, options, issue.deleted).presence(str(issue.number), "deleted", microseconds(issue.deleted))


def _teller(issue: Issue, options: JiraOptions, at: datetime) -> JiraTeller:
    return JiraTeller(issue.site.connection, options.keep, False, issue.site.url, None, at)


async def _records(world: World) -> list[Timed]:
    early = [event for entry in world.early for event in await _record_events(world.account, [entry])]
    told = [(event.fetched_at, event) for event in early]
    for survivor, gone, at in world.merges:
        world.account.merge(survivor, gone, at)
    for entry in world.account.merged():
        world.truth.artifact[entry.thing] = f"{CRM}/{entry.kind}/{entry.id}"
    for kind in KINDS:
        entries = world.account.entries(kind)
        for entry in entries:
            world.truth.artifact[entry.thing] = f"{CRM}/{entry.kind}/{entry.id}"
        told += [(NOW, event) for event in await _record_events(world.account, entries)]
    created = {
        f"{CRM}/{entry.kind}/{entry.id}": entry.created for kind in KINDS for entry in world.account.entries(kind)
    }
    return [(created.get(event.artifact, at) + timedelta(hours=1) if at == NOW else at, event) for at, event in told]


async def _record_events(account: Account, entries: Iterable[Entry]) -> list[SourceEvent]:
    """What is told of records of one kind: at the end, or of a single one an hour after it was made."""
    some = list(entries)
    at = some[0].created + timedelta(hours=1) if len(some) == 1 else NOW
    teller = HubSpotTeller(CRM, HUBSPOT, account, {"portalId": int(HUB), "uiDomain": "app.hubspot.com"}, lambda: at)
    return await teller.tell(some[0].kind, [entry.id for entry in some], polled=True) if some else []
