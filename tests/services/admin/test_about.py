"""What a hub says of itself."""

from dataclasses import replace
from importlib.metadata import version

from services.admin.equipment import Running
from tests.services.admin.conftest import Office


async def test_release_database_broker_and_roles(office: Office) -> None:
    office.app.state.equipment = replace(office.equipment, running=Running("Kafka", ["feed", "query"]))
    told = await office.ask("GET", "/v1/about")
    kind, _, number = told.pop("database").partition(" ")
    assert kind.lower() == office.engine.dialect.name
    assert number[0].isdecimal()
    assert told == {"version": version("throughline"), "broker": "Kafka", "roles": ["feed", "query"]}
