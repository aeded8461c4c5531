"""values: what very many artifacts carry, told with a question; a person's answer, tried before it holds."""

import json
from collections.abc import Iterator

import pytest

from pipelines.recompute import Recompute
from pipelines.store import aside, configuration
from pipelines.store.engine import reading
from schemas.errors import Misconfigured
from services.cli import values
from services.cli.doctor import checks
from tests.services.cli.company import NOW, read, telling
from tests.services.cli.conftest import BOTH, Desk
from tests.services.cli.test_commands import typed
from tests.services.cli.test_rules import asked, chooser

MANY = 56


@pytest.fixture(autouse=True)
def limit() -> Iterator[None]:
    before = aside.LARGE
    aside.LARGE = MANY - 2
    yield
    aside.LARGE = before


def _part(number: int) -> object:
    return telling(
        "jira-acme", "jira", "issue", str(20_000 + number),
        fields={"title": f"Chore {number}", "natural_key": f"PAY-{number}", "type": "Story", "type_level": 0,
                "opens": True, "created_at": "2026-03-05T08:00:00.000000Z"},
        references=[["jira.key", "jira-acme", f"PAY-{number}", "identity", "is"],
                    ["jira.key", "jira-acme", "PAY-500", "explicit", "parent"]],
    )  # fmt: skip


async def _glued(desk: Desk) -> None:
    await read(desk.engine, [_part(number) for number in range(500, 500 + MANY)], first=1000)  # type: ignore[misc]


async def _listed(desk: Desk, capsys: pytest.CaptureFixture[str]) -> list[dict[str, object]]:
    capsys.readouterr()
    await values.show(desk.made, desk.screen, for_programs=True)
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


@BOTH
async def test_the_glue_is_found_named_and_called_generic(desk: Desk, capsys: pytest.CaptureFixture[str]) -> None:
    assert await _listed(desk, capsys) == []
    await checks(desk.made, NOW)["common values"]()
    await _glued(desk)
    with pytest.raises(Misconfigured, match=f"PAY-500 is on {MANY} artifacts.*values generic PAY-500"):
        await checks(desk.made, NOW)["common values"]()
    assert await _listed(desk, capsys) == [
        {"value": "jira.key|PAY-500", "named_by": 0, "holds": MANY, "artifacts": MANY, "state": "joins"}
    ]
    refuse, questions = asked(False)
    await values.call(desk.made, "pay-500", "generic", chooser(desk, refuse))
    assert questions == ["Let these rules hold for all connections?"]
    said = " ".join(desk.printed.split())
    assert f"PAY-500 is on {MANY} artifacts. + called_generic: jira.key|PAY-500 Tried on all" in said
    assert "(1 request): 1 would be split" in said
    agree, _ = asked(True)
    await values.call(desk.made, "PAY-500", "generic", chooser(desk, agree))
    await Recompute(desk.engine, lambda: NOW, "test").large()
    await checks(desk.made, NOW)["common values"]()
    assert [one["state"] for one in await _listed(desk, capsys)] == ["generic by choice"]
    await values.call(desk.made, "jira.key|PAY-500", "found", chooser(desk, agree))
    async with reading(desk.engine) as connection:
        assert await configuration.installation(connection) == configuration.Installation()


def _as_jira_states_it(number: int) -> object:
    told = [["jira.key", "jira-acme", f"PAY-{number}", "identity", "is"],
            ["jira.issue", "jira-acme", str(20_000 + number), "identity", "is"]]  # fmt: skip
    if number != 500:
        told += [["jira.issue", "jira-acme", "20500", "explicit", "parent"],
                 ["jira.key", "jira-acme", "PAY-500", "explicit", "parent"]]  # fmt: skip
    return telling(
        "jira-acme", "jira", "issue", str(20_000 + number),
        fields={"title": f"Chore {number}", "natural_key": f"PAY-{number}", "type": "Story", "type_level": 0,
                "opens": True, "created_at": "2026-03-05T08:00:00.000000Z"},
        references=told,
    )  # fmt: skip


async def test_an_issue_called_generic_by_its_key_joins_nothing_by_its_id(desk: Desk) -> None:
    await read(desk.engine, [_as_jira_states_it(number) for number in range(500, 504)], first=1000)  # type: ignore[misc]
    agree, _ = asked(True)
    await values.call(desk.made, "PAY-500", "generic", chooser(desk, agree))
    assert "(1 request): 1 would be split" in " ".join(desk.printed.split())
    async with reading(desk.engine) as connection:
        chosen = await configuration.installation(connection)
    assert chosen.called_generic == {"jira.key|PAY-500", "jira.issue|20500"}
    await values.call(desk.made, "PAY-500", "found", chooser(desk, agree))
    async with reading(desk.engine) as connection:
        assert await configuration.installation(connection) == configuration.Installation()


async def test_a_value_that_nothing_carries_is_refused_without_repeating_it(desk: Desk) -> None:
    done = typed(desk.environ, "values", "generic", "PAY-9999", "--yes")
    assert done.returncode == 5
    assert "No artifact carries this value" in done.stderr
    assert "PAY-9999" not in done.stderr


async def test_from_the_shell(desk: Desk) -> None:
    assert typed(desk.environ, "values", "list").stdout == (
        "No value is on so many artifacts that it would be generic.\n"
    )
    done = typed(desk.environ, "values", "specific", "PAY-31", "--yes")
    assert (done.returncode, done.stderr) == (0, "")
    assert "They hold, as change 1" in done.stdout
    told = "PAY-31 is on 2 artifacts"  # it says so of itself, and another one names it
    assert done.stdout.startswith(f"{told}.\n")
    assert typed(desk.environ, "values", "list").stdout == f"{told}\n    specific by choice\n"
