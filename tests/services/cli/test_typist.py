"""What is done by commands is noted in the name of the machine's user."""

import os
import pwd

from sqlalchemy import select

from pipelines.store.engine import reading
from schemas.access import THIS_MACHINE, Audience
from services.admin.tables import audit
from services.cli import connections, removing
from services.cli.audience import audience
from services.cli.typist import typist, user_name
from tests.services.cli.company import NOW
from tests.services.cli.conftest import Desk

HERE = pwd.getpwuid(os.getuid()).pw_name


async def test_the_audit_names_the_user_of_this_machine(desk: Desk) -> None:
    await connections.pause(desk.made, "crm", desk.screen)
    await connections.resume(desk.made, "crm", desk.screen)
    await audience(desk.made, "crm", Audience("participants"), NOW, desk.screen)
    await removing.remove(desk.made, "crm", lambda: NOW, desk.screen, lambda _: True)
    async with reading(desk.engine) as connection:
        noted = (await connection.execute(select(audit).order_by(audit.c.number))).all()
    assert [one.action for one in noted] == [
        "connection.paused", "connection.resumed", "audience.changed", "connection.removed",
    ]  # fmt: skip
    assert {(one.who, one.how) for one in noted} == {(HERE, "loopback")}


def test_a_user_without_a_name_is_this_machine() -> None:
    nobody = next(uid for uid in range(60_001, 70_000) if user_name(uid) is None)
    assert typist(nobody) == THIS_MACHINE
    assert (typist().name, typist().role, typist().reads_all) == (HERE, THIS_MACHINE.role, True)
