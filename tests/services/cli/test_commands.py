"""The commands as they are typed: help, exit codes, what goes to which stream; and the page about them."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from services.cli.app import app
from services.cli.reference import reference
from tests.services.cli.conftest import BOTH, Desk

ROOT = Path(__file__).parents[3]


def typed(environ: dict[str, str], *words: str, given: str = "") -> "subprocess.CompletedProcess[str]":
    """The program in a process of its own."""
    code = "from services.cli import main; main()"
    environ = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "TZ": "Europe/Berlin", **environ}
    return subprocess.run(
        [sys.executable, "-c", code, *words], env=environ, input=given, capture_output=True, text=True, timeout=60,
        cwd=ROOT, check=False,
    )  # fmt: skip


def test_the_page_is_as_the_commands_are() -> None:
    assert (ROOT / "docs/cli.md").read_text("utf-8") == reference(), "python -m services.cli.reference > docs/cli.md"


@pytest.mark.parametrize(
    "command",
    ["lookup", "why", "requests", "changes", "status", "topics", "doctor", "openapi", "asyncapi", "connections add",
     "connections test", "connections list", "connections show", "connections pause", "connections resume",
     "connections reread", "connections webhook", "connections remove", "rules show", "rules apply", "rules reset",
     "rules history", "rules undo",
     "link", "unlink", "merge", "split", "no-request", "undo", "person join", "person part", "decisions list",
     "decisions show",
     "values list", "values generic", "values specific", "values reset",
     "dead-letters list", "dead-letters show", "dead-letters replay",
     "dead-letters drop"],
)  # fmt: skip
def test_every_help_has_an_example(command: str) -> None:
    result = CliRunner().invoke(app, [*command.split(), "--help"])
    assert result.exit_code == 0
    assert f"Example: throughline {command}" in result.output
    assert CliRunner().invoke(app, [*command.split(), "-h"]).output == result.output


@pytest.mark.parametrize("command", [("why",), ("rebuild",), ("config", "apply"), ("connections", "reread")])
def test_help_breaks_paragraphs_where_the_terminal_ends_only(command: tuple[str, ...]) -> None:
    wide = CliRunner().invoke(app, [*command, "--help"], env={"COLUMNS": "400"}).output.partition("╭")[0]
    paragraphs = "\n".join(line.strip() for line in wide.splitlines()).strip().split("\n\n")
    assert len(paragraphs) >= 4  # usage, what it does, more of that, an example
    assert not [one for one in paragraphs if "\n" in one]


def test_help_and_lookup_load_little() -> None:
    """What takes long to load has no place in a command that a person waits for."""
    heavy = "fastapi", "faststream", "aiokafka", "jira", "uvicorn", "httpx2", "cryptography", "alembic"
    code = f"""
import sys
import services.cli.app
after_help = [name for name in {(*heavy, "sqlalchemy")} if name in sys.modules]
import services.cli.lookup, services.cli.installation
after_lookup = [name for name in {heavy} if name in sys.modules]
print(after_help, after_lookup)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, cwd=ROOT,
                          env={"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT)}, check=False)  # fmt: skip
    assert (done.stdout, done.stderr) == ("[] []\n", "")


@BOTH
async def test_lookup_from_the_shell(desk: Desk) -> None:
    found = typed(desk.environ, "lookup", "PAY-12")
    assert (found.returncode, found.stderr) == (0, "")
    assert "In it (3)\n" in found.stdout
    assert "2 March 09:00" in found.stdout
    assert "\x1b[" not in found.stdout
    missing = typed(desk.environ, "lookup", "PAY-77", "--json")
    assert missing.returncode == 5
    told = json.loads(missing.stdout)
    assert (told["outcome"], told["read_as"][0]) == ("not found", {"kind": "jira.key", "value": "PAY-77"})
    assert [one["connection"] for one in told["freshness"]] == ["crm", "inbox", "jira-acme"]
    assert missing.stderr == "Not found in what is read so far.\n"


def test_no_database_yet(tmp_path: Path) -> None:
    environ = {"HOME": str(tmp_path)}
    told = typed(environ, "status")
    assert told.returncode == 3
    assert told.stderr.startswith("Cannot go on: There is no hub's database here yet.\n  Run `throughline up` first")
    assert not (tmp_path / ".local").exists()


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["lookup", "PAY-12", "--as-of", "soon"], 2, "give a date or a time, such as 2026-03-05"),
        (["requests", "--state", "open"], 2, "open is no state"),
        (["dead-letters", "replay"], 2, "Say which: ids, --cause or"),
        (["connections", "show", "sap"], 5, "There is no connection sap. There are crm, inbox, jira-acme"),
        (["connections", "reread", "sap"], 5, "There is no connection sap. There are crm, inbox, jira-acme"),
        (["connections", "show", 5000 * "x"], 5, f"There is no connection {79 * 'x'}…. There are crm"),
        (["rules", "show", "sap"], 5, "There is no connection sap. There are crm, inbox, jira-acme"),
        (["rules", "reset", "sap"], 5, "There is no connection sap. There are crm, inbox, jira-acme"),
        (["values", "reset", "NOPE-1"], 5, "No artifact carries this value"),
        (["connections", "add", "sap"], 2, "There is no connector sap: choose hubspot, jira or mailbox."),
        (["connections", "add", "--file", "nope.yaml"], 2, "Invalid value for '--file': file 'nope.yaml' does not"),
        (["config", "diff", "nope.yaml"], 2, "Invalid value for 'FILE': file 'nope.yaml' does not"),
        (["up", "--requests", "5", "--pace", "2"], 2, "--pace is of the sandbox company: give --sandbox too"),
        (["accounts", "role", "Anna", "boss"], 2, "Invalid value for ROLE: choose of viewer, editor, admin"),
        (["audit", "list", "--since", "soon"], 2, "or a length of time such as 90d"),
    ],
)
async def test_errors_name_the_mend(desk: Desk, words: list[str], code: int, said: str) -> None:
    told = typed(desk.environ, *words)
    assert told.returncode == code
    assert said in " ".join(told.stderr.replace("│", " ").replace(".\n", ".").split()).replace(".There", ". There")
    assert "Traceback" not in told.stderr


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (["connections", "add"], 2),
        (["connections", "add", "sap"], 2),
        (["connections", "add", "--file", "missing.yaml"], 2),
        (["connections", "add", "--file", str(ROOT / "README.md")], 3),
        (["connections", "add", "jira", "--since", "soon"], 2),
        (["up", "--requests", "5"], 2),
    ],
)
def test_what_is_refused_leaves_no_database_behind(tmp_path: Path, words: list[str], code: int) -> None:
    assert typed({"HOME": str(tmp_path)}, *words).returncode == code
    assert not [*tmp_path.iterdir()]


@pytest.mark.parametrize("words", [["status"], ["lookup", "PAY-12"], ["dead-letters", "list"], ["connections", "list"]])
def test_a_database_that_is_away_or_empty(tmp_path: Path, words: list[str]) -> None:
    away = {"HOME": str(tmp_path), "THROUGHLINE_DATABASE_URL": "postgresql://hub:s3cret@127.0.0.1:1/hub"}
    told = typed(away, *words)
    assert (told.returncode, told.stdout) == (4, "")
    said = "Try again later: The database cannot be used now: it does not answer. Look whether it runs"
    assert told.stderr.startswith(said)
    assert "s3cret" not in told.stderr
    (tmp_path / "empty.db").touch()
    told = typed({"HOME": str(tmp_path), "THROUGHLINE_DATABASE_URL": f"sqlite:///{tmp_path}/empty.db"}, *words)
    assert told.returncode == 3
    assert "Run `throughline migrate`." in told.stderr


async def test_asks_before_it_removes(desk: Desk) -> None:
    kept = typed(desk.environ, "connections", "remove", "crm", given="n\n")
    assert kept.returncode == 0
    assert kept.stdout.endswith("Nothing is removed.\n")
    assert "Remove crm? [y/N]" in kept.stderr
    gone = typed(desk.environ, "connections", "remove", "crm", "--yes")
    assert gone.stdout.endswith("crm is removed.\n")
