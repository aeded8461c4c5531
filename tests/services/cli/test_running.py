"""status, topics, doctor, openapi, asyncapi: what they say, word for word where it matters."""

import asyncio
import json
from datetime import timedelta
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator
from pydantic import SecretStr
from rich.console import Console
from sqlalchemy import delete, insert, select, update

from pipelines import publish
from pipelines.store import leases, pending, stamps, whose_turn
from pipelines.store.engine import reading, writing
from pipelines.store.tables import changes, requests, unpublished
from pipelines.store.tables import leases as held
from schemas.errors import Misconfigured
from services.broker import BrokerSettings, compare_topics, ensure_topics
from services.broker.asyncapi import asyncapi_document
from services.cli import doctor, documents, status
from services.cli.installation import Installation
from services.cli.terminal import EXIT_MISCONFIGURED
from services.feed import pages
from services.feed.tables import connections
from tests.parts.kafka import Kafka
from tests.services.cli.company import NOW, row
from tests.services.cli.conftest import BOTH, Desk

STATUS = """\
connection  connector  state      how fresh
crm         hubspot    needs you  true up to 31 March 18:42
                                  HubSpot refuses the token (401). Enter a new one
inbox       mailbox    reading    first read under way: 120 of about 400 read (30 %)
jira-acme   jira       reading    true up to 14:40

No hub reads now: start it with `throughline up`; if it runs, `throughline doctor` says why.

2  requests
1  artifact in no request  kept, and found by lookup
1  dead letter  throughline dead-letters list
"""


@BOTH
async def test_status(desk: Desk) -> None:
    await status.status(desk.made, NOW, desk.screen, for_programs=False)
    assert desk.printed == STATUS


async def test_status_of_a_hub_that_reads(desk: Desk) -> None:
    async with writing(desk.engine) as connection:
        await leases.take(connection, "connection:jira-acme", "here", NOW)
    await status.status(desk.made, NOW, desk.screen, for_programs=False)
    assert "No hub reads" not in desk.printed
    await status.status(desk.made, NOW + timedelta(minutes=1), desk.screen, for_programs=False)
    assert "No hub reads now" in desk.printed


@BOTH
async def test_roles_that_do_not_run_beside_a_hub_that_reads_are_told(desk: Desk) -> None:
    """The feed alone: what it reads goes nowhere."""
    await make_well(desk)
    place = [("source.jira", 0, 5)]
    async with writing(desk.engine) as connection:
        await pages.record(connection, "sales", {}, None, place, "one", 4, NOW - timedelta(minutes=3))
        await connection.execute(insert(unpublished), [{"request": "R-1", "etag": "1"}])
        await connection.execute(delete(held).where(held.c.name == publish.LEASE))
    code, wrong = await examined(desk)
    assert (code, list(wrong)) == (3, ["running"])
    assert "not taken in. What changed is not published. Start a process with the role ingest" in wrong["running"]
    await status.status(desk.made, NOW, desk.screen, for_programs=False)
    assert "is not taken in. Start a process with the role ingest" in " ".join(desk.printed.split())
    async with writing(desk.engine) as connection:
        await leases.take(connection, whose_turn.TURN, "here", NOW)
        await leases.take(connection, publish.LEASE, "here", NOW)
    assert await examined(desk) == (0, {})


async def test_what_came_just_now_stands_not_still(desk: Desk) -> None:
    await make_well(desk)
    place = [("source.jira", 0, 5)]
    async with writing(desk.engine) as connection:
        await pages.record(connection, "sales", {}, None, place, "one", 4, NOW - timedelta(seconds=30))
    assert await examined(desk) == (0, {})


async def test_status_tells_the_pace_of_a_first_read(desk: Desk) -> None:
    async with writing(desk.engine) as connection:
        for minutes in (13, 7, 1):
            await pages.record(connection, "inbox", {}, None, [], "one", 40, NOW - timedelta(minutes=minutes))
    await status.status(desk.made, NOW, desk.screen, for_programs=False)
    assert "120 of about 400 read (30 %), about 42 minutes more at this pace" in " ".join(desk.printed.split())
    await status.status(desk.made, NOW + timedelta(minutes=5), desk.screen, for_programs=False)
    assert "minutes more" not in desk.printed


async def test_status_for_programs(desk: Desk, capsys: pytest.CaptureFixture[str]) -> None:
    await status.status(desk.made, NOW, desk.screen, for_programs=True)
    told = json.loads(capsys.readouterr().out)
    assert told["counts"] == {
        "requests": 2, "requests_not_up_to_date": 0, "artifacts": 5, "artifacts_in_no_request": 1, "components": 2,
        "dead_letters": 1, "unpublished": 0, "pending": 0, "newest_change": 2,
    }  # fmt: skip
    assert [one["id"] for one in told["connections"]] == ["crm", "inbox", "jira-acme"]
    assert told["connections"][1]["progress"] == {"done": 120, "total": 400}
    assert "CANARY" not in json.dumps(told)


async def examined(desk: Desk, **settings: str) -> tuple[int, dict[str, str]]:
    """Exit code, and what doctor says of everything that is wrong."""
    made = Installation.of(desk.environ | {f"THROUGHLINE_{name.upper()}": value for name, value in settings.items()})
    wide = Console(file=desk.paper, width=1000)
    code = await doctor.doctor(made, NOW, wide, for_programs=False)
    wrong = [line.removeprefix("  wrong ") for line in desk.printed.splitlines() if line.startswith("  wrong ")]
    return code, {line.partition(": ")[0]: line.partition(": ")[2] for line in wrong}


async def make_well(desk: Desk) -> None:
    """No connection needs anybody, and every secret is sealed with the key there is."""
    async with writing(desk.engine) as connection:
        await connection.execute(update(connections).values(attention=False, problem=None, secrets="{}"))
        sealed = json.dumps({"token": desk.made.keys.seal("sales", "token", SecretStr("s3cret"))})
        await connection.execute(insert(connections), [row("sales", "hubspot", secrets=sealed)])
        await leases.take(connection, "connection:sales", "here", NOW)
        await stamps.begin(connection)


@BOTH
async def test_nothing_is_wrong(desk: Desk) -> None:
    await make_well(desk)
    assert await doctor.doctor(desk.made, NOW, desk.screen, for_programs=False) == 0
    printed = desk.printed
    assert "  ok    secret keys: open all 1 stored secret\n" in printed
    assert "  ok    Kafka: the embedded broker, which runs inside `throughline up`\n" in printed
    assert printed.endswith("\nNothing is wrong.\n")


async def test_each_fault_is_named_with_its_mend(desk: Desk) -> None:
    await make_well(desk)
    key_file = desk.made.settings.secret_key_file
    key_file.chmod(0o644)
    assert await examined(desk) == (
        EXIT_MISCONFIGURED, {"secret keys": f"Others may read {key_file}. chmod 600 {key_file}"}
    )  # fmt: skip
    key_file.unlink()
    _, wrong = await examined(desk)
    assert wrong["secret keys"].startswith(f"The key file {key_file} is gone. Bring it back")
    assert not key_file.exists()
    _, wrong = await examined(desk, secret_key="A" * 43 + "=")
    assert wrong["secret keys"].startswith("sales, token: Key ")
    assert wrong["secret keys"].endswith("or enter each anew: `throughline connections change NAME --secret OPTION`")
    async with writing(desk.engine) as connection:
        await connection.execute(update(connections).where(connections.c.id == "crm").values(
            attention=True, problem="HubSpot refuses the token"))  # fmt: skip
    _, wrong = await examined(desk, secret_key="A" * 43 + "=")
    assert wrong["connections"].startswith("crm: HubSpot refuses the token. ")


async def test_requests_that_are_not_up_to_date_and_facts_of_another_release(desk: Desk) -> None:
    await make_well(desk)
    async with writing(desk.engine) as connection:
        await pending.ask(connection, {"jira-acme/issue/1"})
        await stamps.renew(connection, stamps.MAPPING_VERSION - 1)
    code, wrong = await examined(desk)
    assert (code, set(wrong)) == (EXIT_MISCONFIGURED, {"requests", "mapping"})
    assert wrong["requests"].startswith("1 request never put together. They are tried again")
    assert wrong["mapping"] == (
        f"Stored facts were made by mapping {stamps.MAPPING_VERSION - 1}, this release has mapping "
        f"{stamps.MAPPING_VERSION}. `throughline rebuild` brings them up to date, beside the running hub"
    )
    async with writing(desk.engine) as connection:
        await connection.execute(update(requests).values(problem="KeyError while it was put together"))
        await stamps.renew(connection)
    _, wrong = await examined(desk)
    assert set(wrong) == {"requests"}
    assert wrong["requests"].startswith("2 requests not up to date. ")


@BOTH
async def test_a_clock_that_went_back(desk: Desk) -> None:
    await make_well(desk)
    before = NOW - timedelta(days=1)
    assert await doctor.doctor(desk.made, before, desk.screen, for_programs=True) == EXIT_MISCONFIGURED


async def test_a_change_that_came_while_it_looked_is_no_clock_that_went_back(desk: Desk) -> None:
    await make_well(desk)
    async with writing(desk.engine) as connection:
        await connection.execute(update(changes).values(at=NOW + timedelta(seconds=20)))
    assert await doctor.doctor(desk.made, NOW, desk.screen, for_programs=True) == 0


async def test_a_database_that_is_not_there(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    made = Installation.of({"THROUGHLINE_DATA_DIR": str(tmp_path / "none"), "HOME": str(tmp_path)})
    code = await doctor.doctor(made, NOW, Console(width=100), for_programs=True)
    found = {one["name"]: one for one in map(json.loads, capsys.readouterr().out.splitlines())}
    assert code == EXIT_MISCONFIGURED
    assert "There is no hub's database here yet" in found["database"]["says"]
    assert found["data directory"]["ok"]
    assert await doctor.doctor(made, NOW, Console(width=1000), for_programs=False) == EXIT_MISCONFIGURED
    printed = capsys.readouterr().out
    assert "  wrong database, secret keys, connections, running, requests, mapping, common values, clock: " in printed
    assert printed.count("There is no hub's database here yet") == 1
    assert printed.endswith("\n1 thing to mend.\n")
    assert not (tmp_path / "none").exists()


@pytest.mark.kafka
async def test_topics_are_compared_and_not_made(kafka: Kafka) -> None:
    settings = BrokerSettings(bootstrap=kafka.bootstrap, prefix="doctor.", replication=1)
    assert await compare_topics(settings, ["jira"], wait=60) == [
        "doctor.source.jira is not there yet: the next start makes it, where its user may",
        "doctor.lifecycles is not there yet: the next start makes it, where its user may",
    ]
    await ensure_topics(settings, ["jira"])
    async with asyncio.timeout(60):
        while await compare_topics(settings, ["jira"], wait=60):  # what was made is known to the broker a moment later
            await asyncio.sleep(0.05)
    other = settings.model_copy(update={"retention_days": 90})
    assert "keeps events for 30 days" in (await compare_topics(other, ["jira"], wait=60))[0]


def test_topics_and_rights(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    made = Installation.of({"HOME": str(tmp_path), "THROUGHLINE_TOPIC_PREFIX": "acme.",
                            "THROUGHLINE_KAFKA_BOOTSTRAP": "kafka:9092"})  # fmt: skip
    documents.print_topics(made, Console(width=100), for_programs=False)
    printed = capsys.readouterr().out
    assert "acme.source.jira" in printed
    assert "retention.ms=2592000000" in printed
    assert "publish: tells changed requests" in printed
    documents.print_topics(made, Console(width=100), for_programs=True)
    told = json.loads(capsys.readouterr().out)
    assert {"kind": "group", "name": "acme.ingest", "operation": "READ"} in told["rights"]["ingest"]
    assert [one["name"] for one in told["topics"]][-1] == "acme.lifecycles"


def test_the_documents(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    documents.print_asyncapi(Installation.of({"HOME": str(tmp_path)}))
    assert sorted(json.loads(capsys.readouterr().out)["channels"]) == [
        "lifecycles", "source.hubspot", "source.jira", "source.mailbox",
    ]  # fmt: skip
    documents.print_openapi()
    assert json.loads(capsys.readouterr().out)["openapi"].startswith("3.1")


async def test_a_record_is_as_the_document_says(desk: Desk) -> None:
    async with reading(desk.engine) as connection:
        records = (await connection.execute(select(requests.c.record))).scalars().all()
    document = asyncapi_document(documents.broker_settings(desk.made), desk.made.catalogue)
    payload = document["components"]["messages"]["changed"]["payload"]
    validator = Draft202012Validator({"components": document["components"], **payload})
    assert len(records) == 2
    for record in records:
        assert [error.message for error in validator.iter_errors(json.loads(record))] == []
    assert list(validator.iter_errors({"id": "R-MZXW6YTBOI3D", "merged_into": None})) != []


def test_settings_that_are_wrong_name_the_variable() -> None:
    with pytest.raises(Misconfigured, match="THROUGHLINE_API_PORT"):
        Installation.of({"HOME": "/tmp", "THROUGHLINE_API_PORT": "many"})
