"""One small company's request across three tools, read through the real pipeline."""

from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import insert
from sqlalchemy.ext.asyncio import AsyncEngine

from pipelines.ingest import Ingest
from pipelines.publish import Publisher
from pipelines.store.configuration import ConnectionConfiguration, write
from pipelines.store.engine import writing
from schemas.artifacts import (
    FIELDS_PART,
    Activity,
    ActivityKind,
    Audience,
    Evidence,
    Identity,
    Mapped,
    Part,
    Reference,
    State,
    Text,
)
from schemas.canonical import instant
from schemas.errors import BadRecord
from schemas.events import SourceEvent, content_version
from schemas.stages import StageRule
from services.feed.tables import connections
from tests.pipelines.memos import records

BERLIN = ZoneInfo("Europe/Berlin")
NOW = datetime(2026, 4, 1, 12, 42, tzinfo=UTC).astimezone(BERLIN)
START = datetime(2026, 3, 2, 8, tzinfo=UTC)


def day(number: int, hour: int = 8) -> datetime:
    """An instant that many days after the beginning."""
    return START + timedelta(days=number, hours=hour - 8)


def telling(connection: str, connector: str, kind: str, native_id: str, order: int = 1, **told: Any) -> SourceEvent:
    """What a tool says of one thing, in the form that map_told understands."""
    return SourceEvent(
        connection=connection,
        connector=connector,
        kind=kind,
        native_id=native_id,
        artifact=f"{connection}/{kind}/{native_id}",
        version=f"{order}/{content_version(told)}",
        order=order,
        fetched_at=day(30),
        payload=told,
    )


def map_told(event: SourceEvent) -> Mapped:
    """The mapping: the payload names fields, references, texts and activities as they are."""
    told = event.payload
    if told.get("broken"):
        raise BadRecord("status: there is none; the tool must say where it stands")
    return Mapped(
        artifact=event.artifact,
        connection=event.connection,
        connector=event.connector,
        kind=event.kind,
        fields=told["fields"],
        parts={"self": Part(
            tuple(Reference(kind, scope, value, Evidence(evidence), relation)
                  for kind, scope, value, evidence, relation in told.get("references", ())),
            tuple(Text(field, text, Evidence(evidence)) for field, text, evidence in told.get("texts", ())),
        ), **_held(told.get("held", ()))},
        activities=tuple(_activity(event.artifact, *one) for one in told.get("activities", ())),
        identities=PEOPLE,
    )  # fmt: skip


def _held(told: list[list[str]]) -> dict[str, Part]:
    """What custom fields hold: value, name and id of each field."""
    found = tuple(Reference("field", "", value, Evidence.FIELD, name, field) for value, name, field in told)
    return {FIELDS_PART: Part(found)} if found else {}


def _activity(artifact: str, kind: str, at: str, actor: str, before: str, after: str, text: str) -> Activity:
    return Activity(
        f"{artifact}/{kind}/{at}", artifact, ActivityKind(kind), datetime.fromisoformat(at), actor,
        from_value=before or None, from_label=before or None, to_value=after or None, to_label=after or None,
        text=text or None, field="status" if after else None, audience=Audience(),
    )  # fmt: skip


ANNA, BERT, CARLA = "jira-acme/account/anna", "mail/address/bert@customer.example", "crm/owner/carla"
PEOPLE = (
    Identity(ANNA, "Anna Berg", "anna@acme.example"),
    Identity(BERT, "Bert Cole", "bert@customer.example"),
    Identity(CARLA, "Carla Dahl", "carla@acme.example"),
)


def status(label: str) -> dict[str, Any]:
    return {"id": label, "label": label, "category": None, "pipeline": None}


MAIL = telling(
    "inbox", "mailbox", "mail", "m1",
    fields={"title": "Payslips in the portal", "natural_key": "m1.2026030208@customer.example", "type": "person",
            "opens": True, "created_at": instant(day(0)), "requester": BERT, "url": None},
    references=[["message-id", "mail", "m1.2026030208@customer.example", "identity", "is"]],
    texts=[["subject", "Payslips in the portal", "title"], ["body", "We want our payslips in the portal", "written"]],
    activities=[["sent", instant(day(0)), BERT, "", "", ""]],
)  # fmt: skip
DEAL = telling(
    "crm", "hubspot", "deal", "4711",
    fields={"title": "Payslip portal", "natural_key": "4711", "type": "sales", "opens": True,
            "created_at": instant(day(1)), "status": status("Contract sent"), "assignee": CARLA,
            "amount": {"value": "12000.00", "currency": "EUR"}, "target_at": "2026-04-30",
            "url": "https://app.hubspot.example/contacts/77/record/0-3/4711", "business_unit": "Payroll"},
    references=[["hubspot.deal", "crm", "4711", "identity", "is"],
                ["message-id", "mail", "m1.2026030208@customer.example", "explicit", "association"]],
    activities=[["created", instant(day(1)), CARLA, "", "", ""],
                ["commented", instant(day(9, 14)), CARLA, "", "", "We begin next week."]],
)  # fmt: skip
ISSUE = telling(
    "jira-acme", "jira", "issue", "10012",
    fields={"title": "Portal shows payslips", "natural_key": "PAY-12", "type": "Story", "type_level": 0,
            "created_at": instant(day(3)), "status": status("In Progress"), "assignee": ANNA,
            "project": {"key": "PAY", "name": "Payroll"}, "priority": "High", "due_at": "2026-04-24",
            "url": "https://acme.example/browse/PAY-12"},
    references=[["jira.key", "jira-acme", "PAY-12", "identity", "is"],
                ["hubspot.deal", "crm", "4711", "explicit", "remote link"],
                ["jira.key", "jira-acme", "PAY-31", "explicit", "is blocked by"]],
    activities=[["created", instant(day(3)), ANNA, "", "", ""],
                ["status changed", instant(day(5, 10)), ANNA, "Analysis", "In Progress", ""]],
)  # fmt: skip
BLOCKER = telling(
    "jira-acme", "jira", "issue", "10031",
    fields={"title": "Single sign-on", "natural_key": "PAY-31", "type": "Story", "type_level": 0, "opens": True,
            "created_at": instant(day(2)), "status": status("Analysis"), "project": {"key": "PAY", "name": "Payroll"}},
    references=[["jira.key", "jira-acme", "PAY-31", "identity", "is"]],
)  # fmt: skip
NOTE = telling(
    "jira-acme", "jira", "issue", "10099",
    fields={"title": "A sub-task of nothing", "natural_key": "PAY-99", "type": "Sub-task", "type_level": -1,
            "opens": False, "created_at": instant(day(2)), "status": status("Analysis")},
    references=[["jira.key", "jira-acme", "PAY-99", "identity", "is"]],
)  # fmt: skip
BROKEN = telling("crm", "hubspot", "deal", "4712", broken=True, token="CANARY-SECRET", fields={})
COMPANY = [MAIL, DEAL, ISSUE, BLOCKER, NOTE, BROKEN]

MAPPINGS = dict.fromkeys(("jira", "hubspot", "mailbox"), map_told)


def _rule(connector: str, kind: str, label: str, stage: str, state: State) -> StageRule:
    return StageRule(connector, kind, "*", label, stage, state, "chosen for this company")


CONFIGURATION = {
    "jira-acme": ConnectionConfiguration(
        "jira", frozenset({"PAY"}), frozenset({"acme.example"}), {"is blocked by": "depends on"},
        stages=(_rule("jira", "issue", "Analysis", "requirements", State.ACTIVE),
                _rule("jira", "issue", "In Progress", "development", State.ACTIVE)),
    ),
    "crm": ConnectionConfiguration(
        "hubspot", scopes=frozenset({"hubspot:77"}),
        stages=(_rule("hubspot", "deal", "*", "alignment", State.ACTIVE),),
    ),
    "inbox": ConnectionConfiguration("mailbox", stages=(_rule("mailbox", "mail", "*", "alignment", State.DONE),)),
}  # fmt: skip


def row(name: str, connector: str, **more: Any) -> dict[str, Any]:
    """A row of connections."""
    return {
        "id": name, "connector": connector, "title": name, "options": "{}", "secrets": '{"token":"v1.CANARY"}',
        "state": "reading", "true_up_to": NOW - timedelta(minutes=2), "alive_at": NOW, "first_read_done": True,
        "progress_done": 6, "progress_total": None, "problem": None, "attention": False, "wanted": False, "epoch": 1,
    } | more  # fmt: skip


CONNECTIONS = [
    row("crm", "hubspot", true_up_to=NOW - timedelta(hours=20), attention=True,
        problem="HubSpot refuses the token (401). Enter a new one"),
    row("inbox", "mailbox", true_up_to=None, first_read_done=False, progress_done=120, progress_total=400),
    row("jira-acme", "jira"),
]  # fmt: skip


async def read(engine: AsyncEngine, events: list[SourceEvent], *, first: int = 0) -> None:
    """Ingest events and publish what they change."""
    placed = records(events, first=first)
    for event, one in zip(events, placed, strict=True):
        one.topic = f"source.{event.connector}"
    await Ingest(engine, MAPPINGS, lambda: NOW, "one")(placed)

    async def send(batch: Any) -> list[bool]:
        return [True] * len(batch)

    while await Publisher(engine, send, lambda: NOW, "test").once():
        pass


async def settle(engine: AsyncEngine) -> None:
    """The company's connections and rules, and all that its tools say."""
    async with writing(engine) as connection:
        for name, one in CONFIGURATION.items():
            await write(connection, name, one)
        await connection.execute(insert(connections), CONNECTIONS)
    await read(engine, COMPANY)
