"""config: the set-up as a file. Applied twice it changes nothing; what is mistyped is refused by line and column."""

import socket
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from pipelines.store import configuration
from pipelines.store.engine import reading, writing
from schemas.errors import Misconfigured, RetryLater
from services.cli import config
from services.cli.installation import Installation
from services.feed import connections
from services.sandbox.hubspot import HubSpotServer
from tests.services.admin.conftest import NOW
from tests.services.admin.tools import hubspot_server
from tests.services.cli.conftest import BOTH, Desk
from tests.services.cli.test_connections import reachable

__all__ = ["reachable"]


def now() -> datetime:
    return NOW


FILE = """\
connections:
  sales:
    connector: hubspot
    title: Sales
    since: {since}
    options:
      base_url: {url}
      token: file:{token}
      share: 1
    rules:
      stages:
        - status: Awaiting steering board
          stage: requirements
rules:
  generic: 30
"""


@pytest.fixture
async def hubspot() -> AsyncIterator[HubSpotServer]:
    async with hubspot_server() as server:
        yield server


@pytest.fixture
async def empty(reachable: Desk) -> Desk:
    """A desk without a connection; what some brought is kept."""
    async with writing(reachable.engine) as connection:
        for one in await connections.every(connection):
            await connections.remove(connection, one.id)
    return reachable


def filed(folder: Path, hubspot: HubSpotServer, text: str = FILE, **more: Any) -> Path:
    (folder / "token").write_text(hubspot.token)
    path = folder / "throughline.yaml"
    path.write_text(text.format(url=hubspot.url, token=folder / "token", **{"since": "2026-03-01"} | more))
    return path


async def apply(desk: Desk, path: Path, *, agreed: bool = True) -> int:
    return await config.apply(desk.made, path, now, desk.screen, lambda _: agreed, unchecked=False)


@BOTH
async def test_applied_twice_it_changes_nothing(empty: Desk, hubspot: HubSpotServer, tmp_path: Path) -> None:
    path = filed(tmp_path, hubspot)
    assert await config.diff(empty.made, path, now, empty.screen) == config.EXIT_DIFFERS
    told = empty.printed
    assert "sales: to be added (HubSpot)\n" in told
    assert "token: a secret" in told
    assert "+ *, *, Awaiting steering board: requirements" in told
    assert hubspot.token not in told
    assert await apply(empty, path, agreed=False) == 0
    async with reading(empty.engine) as connection:
        assert await connections.every(connection) == []
    assert await apply(empty, path) == 0
    assert empty.printed.endswith("or when it runs next.\n")
    async with reading(empty.engine) as connection:
        one = await connections.get(connection, "sales")
        rules = await configuration.every(connection)
        assert (await configuration.installation(connection)).generic == 30
    assert one is not None
    assert (one.title, one.state, one.options["share"]) == ("Sales", "reading", 1)
    assert [rule.status for rule in rules["sales"].chosen.stages] == ["Awaiting steering board"]
    assert await config.diff(empty.made, path, now, empty.screen) == 0
    assert await apply(empty, path) == 0
    assert empty.printed.endswith("Nothing differs: everything is as the file says.\n")
    async with reading(empty.engine) as connection:
        assert await connections.get(connection, "sales") == one


async def test_what_is_exported_is_what_is_applied(
    empty: Desk, hubspot: HubSpotServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    await apply(empty, filed(tmp_path, hubspot))
    capsys.readouterr()
    await config.export(empty.made)
    text = capsys.readouterr().out
    assert hubspot.token not in text
    assert "#   sales: token" in text
    path = tmp_path / "exported.yaml"
    path.write_text(text)
    assert await config.diff(empty.made, path, now, empty.screen) == 0
    path.write_text(text.replace("keep: excerpt", "keep: full").replace("state: reading", "state: paused"))
    assert await config.diff(empty.made, path, now, empty.screen) == config.EXIT_DIFFERS
    assert "keep: excerpt → full" in empty.printed
    assert await apply(empty, path) == 0
    async with reading(empty.engine) as connection:
        one = await connections.get(connection, "sales")
    assert one is not None
    assert (one.state, one.options["keep"]) == ("paused", "full")
    assert connections.with_secrets(one, empty.made.keys)["token"].get_secret_value() == hubspot.token


@pytest.mark.parametrize(
    ("right", "wrong", "place", "mend"),
    [
        ("rules:\n  generic", "rulez:\n  generic", "line 14, column 1", "Is rules meant?"),
        ("    title: Sales", "    titel: Sales", "line 4, column 5", "Is title meant?"),
        ("      share: 1", "      shares: 1", "line 9, column 7", "Is share meant?"),
        ("          stage: req", "          stagee: req", "line 13, column 11", "stage"),
        ("stage: requirements", "stage: requirement", "line 13, column 11", "Is requirements meant?"),
        ("  generic: 30", "  generics: 30", "line 15, column 3", "Is generic meant?"),
        ("      token: file:{token}", "      token: pat-na1-CANARY", "line 8, column 7", "Write env:NAME or file:PATH"),
        ("    connector: hubspot", "    connector: hupspot", "connector", "Choose"),
    ],
)
async def test_what_is_mistyped_is_refused_where_it_stands(
    empty: Desk, hubspot: HubSpotServer, tmp_path: Path, right: str, wrong: str, place: str, mend: str
) -> None:
    assert right in FILE
    path = filed(tmp_path, hubspot, FILE.replace(right, wrong))
    with pytest.raises(Misconfigured) as error:
        await config.diff(empty.made, path, now, empty.screen)
    assert place in str(error.value)
    assert mend in str(error.value)
    assert "CANARY" not in str(error.value)


async def test_a_tool_that_cannot_be_read_is_not_added(empty: Desk, hubspot: HubSpotServer, tmp_path: Path) -> None:
    path = filed(tmp_path, hubspot)
    (tmp_path / "token").write_text("pat-na1-wrong")
    with pytest.raises(Misconfigured, match="sales cannot be read so"):
        await apply(empty, path)
    assert "pat-na1-wrong" not in empty.printed
    async with reading(empty.engine) as connection:
        assert await connections.every(connection) == []


async def test_a_tool_that_is_away_is_not_added_either(
    empty: Desk, hubspot: HubSpotServer, tmp_path: Path
) -> None:  # fmt: skip
    with socket.create_server(("127.0.0.1", 0)) as other:
        nobody = f"http://127.0.0.1:{other.getsockname()[1]}"
    path = filed(tmp_path, hubspot)
    path.write_text(path.read_text().replace(hubspot.url, nobody))
    with pytest.raises(RetryLater, match="sales does not answer; apply the file again"):
        await apply(empty, path)
    async with reading(empty.engine) as connection:
        assert await connections.every(connection) == []


async def test_it_sets_up_a_hub_that_never_ran(hubspot: HubSpotServer, tmp_path: Path) -> None:
    made = Installation.of({"THROUGHLINE_DATA_DIR": str(tmp_path / "new"), "THROUGHLINE_ALLOW_LOOPBACK_TOOLS": "true"})
    screen = Console(file=StringIO())
    with pytest.raises(Misconfigured, match="There is no hub's database here yet"):
        await config.diff(made, filed(tmp_path, hubspot), now, screen)
    assert await config.apply(made, filed(tmp_path, hubspot), now, screen, lambda _: True, unchecked=False) == 0
    assert await config.diff(made, filed(tmp_path, hubspot), now, screen) == 0


async def test_a_length_of_time_counts_when_a_connection_is_added(
    empty: Desk, hubspot: HubSpotServer, tmp_path: Path
) -> None:
    path = filed(tmp_path, hubspot, since="90d")
    assert await apply(empty, path) == 0

    def later() -> datetime:
        return NOW + timedelta(days=1)

    assert await config.diff(empty.made, path, later, empty.screen) == 0
    path = filed(tmp_path, hubspot, since="2026-02-01")
    assert await config.diff(empty.made, path, later, empty.screen) == config.EXIT_DIFFERS
    assert "sales: to be read again from 2026-02-01" in empty.printed
