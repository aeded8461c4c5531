"""config --remove: what a file does not name, or names as removed, goes with or without what it brought."""

from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select

from pipelines.store import tables
from pipelines.store.engine import reading
from schemas.errors import Misconfigured
from services.cli import config
from services.cli.terminal import WrongUse
from services.feed import connections
from tests.services.admin.conftest import NOW
from tests.services.cli.conftest import BOTH, Desk

ALONE = "connections:\n  crm: {connector: hubspot}\n  inbox: {connector: mailbox}\n"


def file(folder: Path, text: str) -> Path:
    path = folder / "throughline.yaml"
    path.write_text(text)
    return path


async def apply(desk: Desk, path: Path, remove: str | None = None, *, agreed: bool = True) -> int:
    return await config.apply(
        desk.made, path, lambda: NOW, desk.screen, lambda _: agreed, unchecked=False, remove=remove
    )


async def names(desk: Desk) -> list[str]:
    async with reading(desk.engine) as connection:
        return [one.id for one in await connections.every(connection)]


async def events(desk: Desk, name: str) -> int:
    wanted = select(func.count()).where(tables.source_events.c.connection == name)
    async with reading(desk.engine) as connection:
        return int((await connection.execute(wanted)).scalar_one())


async def test_what_the_file_does_not_name_is_left_alone_and_said(desk: Desk, tmp_path: Path) -> None:
    assert await apply(desk, file(tmp_path, ALONE)) == 0
    told = desk.printed
    assert "Not in the file, and left alone: jira-acme" in told
    assert "--remove keep" in told
    assert await names(desk) == ["crm", "inbox", "jira-acme"]


@BOTH
async def test_it_goes_and_what_it_brought_stays(desk: Desk, tmp_path: Path) -> None:
    path, brought = file(tmp_path, ALONE), await events(desk, "jira-acme")
    assert await config.diff(desk.made, path, lambda: NOW, desk.screen, "keep") == config.EXIT_DIFFERS
    assert "jira-acme: to be removed\n  What it brought stays" in desk.printed
    assert await apply(desk, path, "keep", agreed=False) == 0
    assert await names(desk) == ["crm", "inbox", "jira-acme"]
    assert await apply(desk, path, "keep") == 0
    assert await names(desk) == ["crm", "inbox"]
    assert await events(desk, "jira-acme") == brought > 0
    assert await apply(desk, path, "keep") == 0
    assert desk.printed.endswith("Nothing differs: everything is as the file says.\n")


@BOTH
async def test_it_goes_with_what_it_brought(desk: Desk, tmp_path: Path) -> None:
    path = file(tmp_path, ALONE)
    assert await config.diff(desk.made, path, lambda: NOW, desk.screen, "drop") == config.EXIT_DIFFERS
    told = desk.printed
    assert "jira-acme: to be removed with what it brought\n" in told
    assert "It brought 3 issues." in told
    assert await apply(desk, path, "drop") == 0
    assert (await names(desk), await events(desk, "jira-acme")) == (["crm", "inbox"], 0)


async def test_the_file_says_it_of_one(desk: Desk, tmp_path: Path) -> None:
    path = file(tmp_path, "connections:\n  jira-acme: {removed: keep}\n  gone: {removed: drop}\n")
    assert await apply(desk, path) == 0
    assert "Not in the file, and left alone: crm, inbox" in desk.printed
    assert await names(desk) == ["crm", "inbox"]
    assert await config.diff(desk.made, path, lambda: NOW, desk.screen) == 0


@pytest.mark.parametrize(
    ("text", "remove", "problem"),
    [
        ("connections:\n  crm: {removed: yes}\n", None, "line 2, column 9: True does not say what becomes"),
        ("connections:\n  crm: {removed: }\n", None, "nothing does not say what becomes"),
        ("connections:\n  crm: {removed: keep, title: CRM}\n", None, "line 2, column 24: title stands beside removed"),
        ("rules:\n  generic: 30\n", "keep", "speaks of no connections"),
    ],
)
async def test_what_is_not_clear_removes_nothing(
    desk: Desk, tmp_path: Path, text: str, remove: Any, problem: str
) -> None:
    with pytest.raises(Misconfigured) as refused:
        await apply(desk, file(tmp_path, text), remove)
    assert problem in str(refused.value)
    assert await names(desk) == ["crm", "inbox", "jira-acme"]


async def test_a_way_of_removing_that_is_none_is_wrong_use(desk: Desk, tmp_path: Path) -> None:
    with pytest.raises(WrongUse, match=r"--remove all does not say .* say --remove keep"):
        await apply(desk, file(tmp_path, ALONE), "all")
    assert await names(desk) == ["crm", "inbox", "jira-acme"]
