"""Custom fields that hold references: they count where the rules say so, and then those read before count too."""

from typing import Any

import pytest
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncEngine

from connectors.jira import connector as jira
from pipelines.correlate.rules import ConnectionRules, Rules
from pipelines.ingest import Ingest
from pipelines.rebuild import Rebuild
from pipelines.recompute import Recompute
from pipelines.store import configuration, tables
from pipelines.store.configuration import Chosen, ConnectionConfiguration
from pipelines.store.engine import reading, writing
from pipelines.store.pending import ask_everything
from pipelines.trying import Difference, difference
from schemas.artifacts import Evidence, Reference
from schemas.events import SourceEvent
from schemas.links import Link
from tests.connectors.jira.recorded import teller
from tests.pipelines.company import grouped, issue, record, requests, sets
from tests.pipelines.memos import records
from tests.pipelines.test_ingest import NOW, rows
from tests.services.cli.company import map_told, telling

CRM_DEAL = {"customfield_10050": {"name": "CRM deal", "custom": "textfield"}}


def held(value: str) -> Reference:
    return Reference("field", "", value, Evidence.FIELD, "CRM deal", "customfield_10050")


def rules(fields: dict[str, str], *more: str) -> Rules:
    crms = {name: ConnectionRules("hubspot") for name in more}
    crms["crm"] = ConnectionRules("hubspot", scopes=frozenset({"hubspot:77"}))
    own = ConnectionRules("jira", frozenset({"PAY"}), reference_fields=fields)
    return Rules({"jira-a": own, **crms})


def links(value: str, fields: dict[str, str], *more: str) -> tuple[bool, list[Link]]:
    """Whether an issue that holds the value and deal 4711 are one request, and what is told of the field."""
    found = grouped(issue("PAY-1", held(value)), record("deal", "4711"), rules=rules(fields, *more))
    told = {one for group in found.requests for one in (*group.links, *group.mentions)}
    return requests(found) == sets("PAY-1 4711"), sorted(told, key=lambda one: one.why)


@pytest.mark.parametrize(
    ("value", "fields"),
    [
        ("4711", {"customfield_10050": "hubspot.deal"}),
        ("4711", {"crm deal": "hubspot.deal"}),
        ("4711", {"crm deal": "hubspot.deal@crm"}),
        ("https://app.hubspot.com/contacts/77/deal/4711", {"crm deal": "hubspot.deal"}),
    ],
)
def test_a_field_that_the_rules_name_joins_and_says_so(value: str, fields: dict[str, str]) -> None:
    together, told = links(value, fields)
    assert together
    assert [(one.why, one.rule, one.evidence) for one in told] == [
        ("PAY-1 names the deal 4711 in its field CRM deal", "dedicated field", Evidence.TITLE)
    ]


@pytest.mark.parametrize(
    ("value", "fields"),
    [
        ("4711", {}),
        ("4711", {"customfield_10051": "hubspot.deal"}),
        ("4711", {"crm deal": "hubspot.ticket"}),
        ("4711", {"crm deal": "hubspot.deal@elsewhere"}),
        ("PAY-9", {"crm deal": "hubspot.deal"}),
        ("https://app.hubspot.com/contacts/77/ticket/4711", {"crm deal": "hubspot.deal"}),
    ],
)
def test_what_no_rule_counts_or_of_another_kind_joins_nothing(value: str, fields: dict[str, str]) -> None:
    assert not links(value, fields)[0]


def test_where_two_connections_may_be_meant_the_rule_has_to_say_which() -> None:
    together, told = links("4711", {"crm deal": "hubspot.deal"}, "crm-two")
    assert not together
    assert [one.why for one in told] == [
        "PAY-1 names the deal 4711 in its field CRM deal, but 2 connections may mean it"
    ]
    assert links("4711", {"crm deal": "hubspot.deal@crm"}, "crm-two")[0]


def test_a_second_deal_stays_a_request_of_its_own() -> None:
    fields = {"crm deal": "hubspot.deal"}
    nodes = issue("PAY-1", held("4711"), held("4712")), record("deal", "4711"), record("deal", "4712")
    assert requests(grouped(*nodes, rules=rules(fields))) == sets("PAY-1 4711", "4712")


def story(number: int, deal: str | None, version: int = 1) -> SourceEvent:
    fields: dict[str, Any] = {
        "summary": "Payslips", "issuetype": {"name": "Story", "subtask": False}, "customfield_10050": deal,
        "created": "2026-03-02T08:00:00.000+0000",
    }  # fmt: skip
    told = {"id": str(number), "key": f"PAY-{number}", "fields": fields}
    return teller(connection="jira", names=CRM_DEAL).issue_fields(told, version, [])


def deal(number: str, *, opens: bool = True) -> SourceEvent:
    fields = {"title": "Portal", "natural_key": number, "opens": opens, "created_at": "2026-03-01T08:00:00.000000Z"}
    itself = [["hubspot.deal", "crm", number, "identity", "is"]]
    return telling("crm", "hubspot", "deal", number, fields=fields, references=itself)


def ingest_of(engine: AsyncEngine) -> Ingest:
    return Ingest(engine, {"jira": jira.map, "hubspot": map_told}, lambda: NOW, "one")


async def know(engine: AsyncEngine, fields: dict[str, str]) -> configuration.Configuration:
    """Let a rule about fields hold, as `rules apply` does. Returns what holds now."""
    async with writing(engine) as connection:
        await configuration.write(connection, "jira", ConnectionConfiguration("jira", frozenset({"PAY"})))
        await configuration.write(connection, "crm", ConnectionConfiguration("hubspot"))
        await configuration.choose(connection, "jira", Chosen(reference_fields=fields))
        await ask_everything(connection, "a change of the rules", NOW)
        return await configuration.load(connection)


async def computed(engine: AsyncEngine) -> set[frozenset[str]]:
    recompute = Recompute(engine, lambda: NOW, "here")
    while await recompute.once():
        pass
    found: dict[str, set[str]] = {}
    for row in await rows(engine, tables.members):
        if row.request:
            found.setdefault(row.request, set()).add(row.artifact.rpartition("/")[2])
    return {frozenset(one) for one in found.values()}


async def indexed(engine: AsyncEngine) -> set[tuple[str, str]]:
    async with engine.connect() as connection:
        wanted = select(tables.artifact_values).where(tables.artifact_values.c.part == "fields:custom")
        return {(row.artifact, row.value) for row in await connection.execute(wanted)}


async def test_a_rule_finds_what_was_read_before_it_and_is_taken_back(engine: AsyncEngine) -> None:
    by_rule = {"crm deal": "hubspot.deal"}
    now = await know(engine, {})
    await ingest_of(engine)(records([story(1, "10000000037"), story(2, "10000000037"), deal("10000000037")]))
    assert await computed(engine) == sets("1", "2", "10000000037")
    assert await indexed(engine) == set()
    then = await _would_be(engine, by_rule)
    ids = sorted(row.id for row in await rows(engine, tables.requests))
    async with reading(engine) as connection:
        tried = await difference(connection, now, then, "jira")
    assert tried == Difference(components=3, requests=3, merged=3, examples=ids)  # the deal is tried with them
    await know(engine, by_rule)
    assert await computed(engine) == sets("1 2 10000000037")
    assert {value for _, value in await indexed(engine)} == {"hubspot.deal|10000000037"}
    rebuild = Rebuild(engine, ingest_of(engine).telling, lambda: NOW, "here")
    assert await rebuild.check() == []
    await know(engine, {})
    assert await computed(engine) == sets("1", "2", "10000000037")
    assert await indexed(engine) == set()
    assert [row for row in await rows(engine, tables.reference_values) if row.mentions] == []


async def test_a_request_that_something_outside_would_join_grows(engine: AsyncEngine) -> None:
    now = await know(engine, {})
    await ingest_of(engine)(records([story(1, "10000000037"), deal("10000000037", opens=False)]))
    assert await computed(engine) == sets("1")
    then = await _would_be(engine, {"crm deal": "hubspot.deal"})
    (request,) = await rows(engine, tables.requests)
    async with reading(engine) as connection:
        tried = await difference(connection, now, then, "jira")
    assert tried == Difference(components=2, requests=1, grown=1, examples=[request.id])


async def _would_be(engine: AsyncEngine, fields: dict[str, str]) -> configuration.Configuration:
    async with engine.connect() as connection:
        every = await configuration.every(connection)
    own = every["jira"]
    changed = ConnectionConfiguration(own.connector, own.projects, chosen=Chosen(reference_fields=fields))
    return configuration.combine(every | {"jira": changed})


async def test_a_field_that_is_emptied_or_names_another_deal_lets_go(engine: AsyncEngine) -> None:
    await know(engine, {"customfield_10050": "hubspot.deal"})
    ingest = ingest_of(engine)
    await ingest(records([story(1, "10000000037"), deal("10000000037"), deal("10000000038")]))
    assert await computed(engine) == sets("1 10000000037", "10000000038")
    await ingest(records([story(1, "10000000038", version=2)], first=3))
    assert await computed(engine) == sets("10000000037", "1 10000000038")
    await ingest(records([story(1, None, version=3)], first=4))
    assert await computed(engine) == sets("1", "10000000037", "10000000038")
