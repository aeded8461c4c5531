"""Every kind of evidence joins where it should, joins nothing where it should not, and is taken back."""

from collections.abc import Mapping

import orjson
import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from connectors.catalogue import catalogue
from pipelines.correlate.explain import RELATIONS
from pipelines.correlate.rules import BUILT_IN, DEDICATED, STRENGTHS
from pipelines.deciding import Deciding, Wish
from pipelines.ingest import Ingest
from pipelines.store import configuration, tables
from pipelines.store.configuration import Chosen, ConnectionConfiguration
from pipelines.store.engine import writing
from schemas.artifacts import Evidence
from tests.pipelines.evidence_table import CASES, P1, P2, Case, Events, issue, linked
from tests.pipelines.memos import records
from tests.pipelines.test_ingest import NOW, rows
from tests.pipelines.test_order import empty

ALL = catalogue()
JIRA_LINKS = ALL["jira"].link_kinds
HELD_BY_TOOLS = {"parent", "sub-task", "epic", "remote link"}


async def configured(engine: AsyncEngine) -> None:
    async with writing(engine) as connection:
        for name, connector in (("jira", "jira"), ("crm", "hubspot"), ("c-test", "mailbox")):
            kinds = dict(ALL[connector].link_kinds)
            projects, scopes = {"jira": {"PAY"}}.get(name, set()), {"crm": {"hubspot:4711"}}.get(name, set())
            own = ConnectionConfiguration(connector, frozenset(projects), frozenset(scopes), kinds)
            await configuration.write(connection, name, own)
        await configuration.choose(connection, "jira", Chosen(reference_fields={"crm deal": "hubspot.deal"}))


async def tell(engine: AsyncEngine, events: Events) -> None:
    mappings = {name: connector.map for name, connector in ALL.items()}
    await Ingest(engine, mappings, lambda: NOW, "one")(records(list(events)))
    assert await rows(engine, tables.dead_letters) == []


async def decide(engine: AsyncEngine, wish: Wish) -> None:
    await Deciding(engine, lambda: NOW).decide(wish)


async def requests_of(engine: AsyncEngine, *artifacts: str) -> list[str | None]:
    found: Mapping[str, str | None] = {row.artifact: row.request for row in await rows(engine, tables.members)}
    return [found[one] for one in artifacts]


async def together(engine: AsyncEngine, *pair: str) -> bool:
    one, other = await requests_of(engine, *pair)
    return one is not None and one == other


async def told_of(engine: AsyncEngine) -> set[tuple[str, str]]:
    """(relation, evidence) of every joining link of every record."""
    every = [orjson.loads(row.record) for row in await rows(engine, tables.requests)]
    return {(link["relation"], link["evidence"]) for one in every for link in one["links"] if link["effect"] == "joins"}


def by_name(case: Case) -> str:
    return case.name


@pytest.mark.parametrize("case", [case for case in CASES if case.joins], ids=by_name)
async def test_it_joins_and_is_taken_back(engine: AsyncEngine, case: Case) -> None:
    await configured(engine)
    await tell(engine, case.joins)
    if case.say:
        await decide(engine, case.say)
    assert await together(engine, case.one, case.other)
    # A request id is named in a text; what it counts for is explicit.
    relation = "mentions" if case.relation == "request" else case.relation
    assert (relation, case.evidence.value) in await told_of(engine)
    assert case.back
    if isinstance(case.back, Wish):
        await decide(engine, case.back)
    else:
        await tell(engine, case.back)
    assert not await together(engine, case.one, case.other)


@pytest.mark.parametrize("case", CASES, ids=by_name)
async def test_what_looks_like_it_joins_nothing(engine: AsyncEngine, case: Case) -> None:
    await configured(engine)
    await tell(engine, case.apart)
    there = {event.artifact for event in case.apart}
    pair = [end if end in there else case.apart[-1].artifact for end in (case.one, case.other)]
    assert not await together(engine, *pair)


async def test_each_link_type_of_jira_does_what_its_page_says(engine: AsyncEngine) -> None:
    await configured(engine)
    for relation, does in JIRA_LINKS.items():
        if relation in HELD_BY_TOOLS:
            continue
        await tell(engine, (issue(1), issue(2, issuelinks=linked(1, relation))))
        one, other = await requests_of(engine, P1, P2)
        assert (one == other) is (does == "joins"), relation
        await tell(engine, (issue(2, 2),))
        one, other = await requests_of(engine, P1, P2)
        assert one != other, relation
        await empty(engine)


def test_no_kind_is_missing() -> None:
    relations = {case.relation for case in CASES if case.joins}
    joining = {name for one in ALL.values() for name, does in one.link_kinds.items() if does == "joins"}
    assert RELATIONS.keys() | BUILT_IN.keys() | {DEDICATED} <= relations
    assert joining - JIRA_LINKS.keys() <= relations
    assert {case.evidence for case in CASES if case.joins} == {*STRENGTHS, Evidence.DECISION}
    told = {case.evidence for case in CASES}
    assert set(Evidence) - told == {Evidence.IDENTITY, Evidence.FIELD}  # these state what is so, and what nothing means
    assert {JIRA_LINKS.get(case.relation, "unknown") for case in CASES if not case.joins and case.evidence is
            Evidence.EXPLICIT} == {"depends on", "mentions", "unknown"}  # fmt: skip
    assert all(case.back for case in CASES if case.joins)
