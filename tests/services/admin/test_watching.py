"""How connections stand is told to everybody; a comparison is asked for by admins, and noted."""

from typing import Any

from sqlalchemy import select

from pipelines.store.engine import reading
from services.admin.tables import audit
from tests.services.admin.conftest import Office


async def told(office: Office) -> dict[str, Any]:
    answer: dict[str, Any] = await office.ask("GET", "/v1/watching")
    return {one["id"]: one for one in answer["items"]}


async def test_how_every_connection_stands(office: Office) -> None:
    every = await told(office)
    assert every
    for name, one in every.items():
        assert one == await office.ask("GET", f"/v1/connections/{name}/watching")
        assert one["says"]
        assert one["first_read"] is None or one["first_read"]["done"] >= 0
        assert one["reconciled"] is None
    assert (await office.ask("GET", "/v1/connections/nothing/watching", status=404))["mend"]


async def test_a_comparison_is_asked_for_and_noted(office: Office) -> None:
    name = next(iter(await told(office)))
    path = f"/v1/connections/{name}"
    await office.ask("POST", f"{path}/reconcile", {"mend": True}, 428)
    await office.ask("POST", f"{path}/reconcile", {"mend": True}, 412, If_Match='"17"')
    assert (await office.ask("GET", f"{path}/watching"))["reconciled"] is None
    answer = await office.ask("POST", f"{path}/reconcile", {"mend": True}, If_Match="*")
    assert answer["reconciled"]["wanted"]
    assert (await told(office))[name] == answer
    async with reading(office.engine) as connection:
        noted = (await connection.execute(select(audit.c.object, audit.c.action, audit.c.after))).all()
    assert noted[-1] == (f"connection {name}", "connection.reconcile.asked", '{"mend":true}')
    assert (await office.ask("GET", f"{path}/differences"))["items"] == []
    await office.ask("GET", "/v1/connections/nothing/differences", status=404)
    await office.ask("POST", "/v1/connections/nothing/reconcile", {}, 404, If_Match="*")
