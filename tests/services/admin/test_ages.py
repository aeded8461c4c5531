"""How old what is read is, as /metrics says it: also of what was never read."""

from datetime import timedelta

from prometheus_client import generate_latest

from connectors.jira.options import JiraOptions
from pipelines.store.configuration import ConnectionConfiguration
from pipelines.store.engine import writing
from schemas.access import THIS_MACHINE
from services.admin import saving
from services.admin.saving import Who
from services.admin.setting_up import Wanted
from services.cli.watching import Gauges
from services.feed import connections
from services.telemetry import Metrics
from tests.services.admin.conftest import NOW, Office
from tests.services.test_metrics import checked_by_promtool

ME = Who(THIS_MACHINE)


def new(office: Office) -> Wanted:
    """A connection that there is none of yet."""
    auth = {"kind": "api_token", "email": "hub@acme.example", "token": "fake-token"}
    options = JiraOptions.model_validate({"base_url": "https://new.example", "auth": auth, "projects": ["NEW"]})
    return Wanted("jira-new", "A new one", office.equipment.catalogue["jira"], options, None)


async def ages(office: Office, later: timedelta) -> dict[str, float]:
    """Seconds by connection, so much later."""
    metrics = Metrics(now=lambda: NOW + later)
    await Gauges(office.engine, metrics).look()
    checked_by_promtool(generate_latest(metrics.registry).decode())
    return {
        sample.labels["connection"]: sample.value
        for family in metrics.registry.collect()
        if family.name == "throughline_freshness_age_seconds"
        for sample in family.samples
    }


async def test_a_connection_that_was_never_read_grows_old_from_when_it_was_added(office: Office) -> None:
    before = await ages(office, timedelta())
    await saving.add(office.equipment, new(office), ConnectionConfiguration("jira", frozenset()), ME)
    async with writing(office.engine) as connection:
        await connections.change(connection, "jira-new", problem="401", attention=True)
    assert await ages(office, timedelta(hours=1)) == {name: age + 3600 for name, age in before.items()} | {
        "jira-new": 3600
    }
    async with writing(office.engine) as connection:
        await connections.change(connection, "jira-new", true_up_to=NOW + timedelta(minutes=50))
    assert (await ages(office, timedelta(hours=1)))["jira-new"] == 600


async def test_one_that_was_reset_grows_old_from_then_on(office: Office) -> None:
    await saving.add(office.equipment, new(office), ConnectionConfiguration("jira", frozenset()), ME)
    async with writing(office.engine) as connection:
        await connections.change(connection, "jira-new", true_up_to=NOW - timedelta(days=1))
        stored = await connections.get(connection, "jira-new")
    assert stored is not None
    await saving.reset(office.equipment, stored, ME)
    assert (await ages(office, timedelta(minutes=1)))["jira-new"] == 60


async def test_of_what_nobody_noted_nothing_is_said(office: Office) -> None:
    async with writing(office.engine) as connection:
        await connections.add(connection, "jira-new", "jira", "A new one", new(office).options, None,
                              office.equipment.keys)  # fmt: skip
    assert "jira-new" not in await ages(office, timedelta(hours=1))
