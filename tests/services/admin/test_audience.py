"""Who may read what a connection brought: seen, set on what was seen, and noted."""

from typing import Any

import orjson
import pytest
from sqlalchemy import select

from pipelines.store.engine import reading
from services.admin.tables import audit
from tests.services.admin.conftest import Office

PATH = "/v1/connections/jira-acme/audience"
BOARD = {"kind": "named", "people": ["Anna@Acme.example"], "groups": ["Board"]}


async def test_everybody_until_somebody_says_otherwise(office: Office) -> None:
    first = await office.http.get(PATH)
    assert first.json() == {"kind": "everybody", "people": [], "groups": []}
    told = await office.ask("PUT", PATH, BOARD, if_match=first.headers["ETag"])
    assert told == {"kind": "named", "people": ["anna@acme.example"], "groups": ["Board"]}
    assert (await office.http.get(PATH)).json() == told
    assert await noted(office) == [("audience.changed", "connection jira-acme", first.json(), told)]


async def test_the_second_of_two_is_told_and_overwrites_nothing(office: Office) -> None:
    seen = (await office.http.get(PATH)).headers["ETag"]
    await office.ask("PUT", PATH, BOARD, if_match=seen)
    problem = await office.ask("PUT", PATH, {"kind": "participants"}, 412, if_match=seen)
    assert problem["type"] == "urn:throughline:problem:changed"
    assert (await office.http.get(PATH)).json()["kind"] == "named"
    assert len(await noted(office)) == 1


async def test_the_same_again_is_no_change(office: Office) -> None:
    for _ in range(2):
        await office.ask("PUT", PATH, BOARD, if_match="*")
    assert len(await noted(office)) == 1


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"kind": "named"}, "body.people"),
        ({"kind": "somebody"}, "body.kind"),
        ({"kind": "named", "people": ["a\nb"]}, "body.people"),
        ({"kind": "named", "person": ["a@b.example"]}, "body.person"),
    ],
)
async def test_what_names_nobody_is_refused(office: Office, body: Any, field: str) -> None:
    problem = await office.ask("PUT", PATH, body, 422, if_match="*")
    assert problem["errors"][0]["field"] == field


async def test_of_no_connection(office: Office) -> None:
    await office.ask("GET", "/v1/connections/none/audience", status=404)
    await office.ask("PUT", "/v1/connections/none/audience", BOARD, 404, if_match="*")
    await office.ask("PUT", PATH, BOARD, 428)


async def noted(office: Office) -> list[tuple[Any, ...]]:
    async with reading(office.engine) as connection:
        rows = await connection.execute(select(audit).where(audit.c.action == "audience.changed"))
        return [(row.action, row.object, orjson.loads(row.before), orjson.loads(row.after)) for row in rows]
