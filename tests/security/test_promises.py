"""Each line of who may do what, and see what, names the tests that prove it: the table that ends docs/security.md."""

import ast
import re
from functools import cache
from pathlib import Path

from tests.docs.papers import TOP, text

SECURITY = TOP / "docs" / "security.md"

LINES = (
    "The first account", "Passwords", "An identity provider", "Newcomers", "A proxy", "Each operation",
    "The last admin", "API tokens", "Sessions", "Failed sign-ins", "The demo", "An audience holds in every answer",
    "An audience holds on every page", "One function", "The audit says", "The audit only grows",
    "Reading what is restricted", "No page of others", "A strict content policy", "Cookies", "What is sent",
    "No address leads", "Nor do addresses in settings", "A stored secret", "Secrets are sealed", "Of two who change",
)  # fmt: skip
"""How each begins: none may be taken out of the table."""

ROOMS = ("schemas", "connectors", "pipelines", "services")


def rows() -> dict[str, list[tuple[str, str]]]:
    """By line: (file, test)."""
    section = text(SECURITY).partition("\n## What proves it\n")[2].partition("\n## ")[0]
    cells = [line.strip("| ").split(" | ") for line in section.splitlines() if line.startswith("| ")][1:]
    return {line: re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", proved) for line, proved in cells}


@cache
def defined(path: Path) -> frozenset[str]:
    """The tests that a run collects."""
    body = ast.parse(path.read_text("utf-8")).body
    return frozenset(one.name for one in body if isinstance(one, ast.FunctionDef | ast.AsyncFunctionDef))


def test_every_line_is_in_the_table_once_and_names_tests_that_exist() -> None:
    told = rows()
    assert [sum(line.startswith(begins) for line in told) for begins in LINES] == [1] * len(LINES)
    assert len(told) == len(LINES)
    for line, named in told.items():
        assert named, line
        for file, test in named:
            assert test.startswith("test_"), f"{file}::{test}"
            assert (TOP / file).exists(), file
            assert test in defined(TOP / file), f"{file}::{test}"


def test_every_test_of_security_proves_a_line() -> None:
    named = {test for told in rows().values() for _, test in told}
    here = {test for path in Path(__file__).parent.glob("test_*.py") for test in defined(path) if test[:5] == "test_"}
    about_the_table = defined(Path(__file__)) - {"test_one_function_decides_what_somebody_may_read"}
    assert here - named - about_the_table - SMALLER == set(), "say in docs/security.md what it proves"


SMALLER = {
    "test_redirects_of_the_provider_are_not_followed", "test_what_it_says_of_itself_is_asked_anew_each_hour",
    "test_whoever_did_not_ask_gets_no_token", "test_many_come_at_once", "test_an_address_is_known_in_every_spelling",
    "test_every_way_to_sign_in_is_tried",
}  # fmt: skip
"""Tests of what others stand on."""


def test_one_function_decides_what_somebody_may_read() -> None:
    """Nobody else asks an audience whom it admits, or makes up what somebody may read."""
    asks: dict[str, set[str]] = {"admits": set(), "View": set()}
    for room in ROOMS:
        for path in (TOP / room).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text("utf-8"))):
                if not isinstance(node, ast.Call):
                    continue
                called = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", None)
                if called in asks:
                    asks[called].add(str(path.relative_to(TOP)))
    assert asks == {"admits": {"services/query/audience.py"}, "View": {"services/query/audience.py"}}


def test_what_is_not_mirrored_is_said() -> None:
    said = text(SECURITY).partition("\n## Who may read what\n")[2].partition("\n## ")[0]
    assert "What is **not mirrored**" in said
