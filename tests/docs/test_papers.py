"""What the papers say of files, links, commands, settings, tables and tests is there."""

import ast
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.main import get_command

from connectors.catalogue import catalogue
from pipelines.store import tables
from pipelines.store.metadata import metadata
from services.admin.routers import ROUTERS
from services.cli.app import app
from services.feed import tables as feed_tables
from services.query.app import openapi_document
from services.settings import PREFIX, Settings
from tests.docs import generated
from tests.docs.papers import README, TOP, anchors, blocks, commands, links, name, papers, text

OWNED = (tables.artifacts, feed_tables.inbox)
"""A table of each module that adds to the one MetaData."""

ARCHITECTURE = TOP / "docs" / "architecture.md"
API = TOP / "docs" / "api.md"
CLI = TOP / "docs" / "cli.md"


@pytest.mark.parametrize("path", papers(), ids=name)
def test_links_lead_somewhere(path: Path) -> None:
    broken = []
    for link in links(path):
        if link.startswith(("http://", "https://", "mailto:")):
            continue
        file, _, anchor = link.partition("#")
        target = (path.parent / file).resolve() if file else path
        if not target.exists() or (anchor and anchor not in anchors(target)):
            broken.append(link)
    assert broken == []


@pytest.mark.parametrize("path", papers(), ids=name)
def test_no_machine_and_no_registry_is_named(path: Path) -> None:
    machine = r"/work/|/tmp/|/root/|/home/\w"
    registry = r"pypi\.org|pythonhosted\.org|npmjs\.|registry\.|repo1?\.maven|proxy\.golang"
    assert re.findall(f"{machine}|{registry}", text(path)) == []


@pytest.mark.parametrize("path", papers(), ids=name)
def test_nothing_is_left_to_be_written(path: Path) -> None:
    assert re.findall(r"\b(?:TODO|FIXME|TBD|XXX)\b", text(path)) == []


def test_tables_made_from_the_code_are_up_to_date() -> None:
    page = text(generated.OPERATIONS)
    assert generated.named(page) == set(generated.TABLES)
    assert page == generated.renewed(page), "python -m tests.docs.generated"


def test_every_setting_is_documented_and_none_is_invented() -> None:
    page = text(generated.OPERATIONS)
    assert [field for field in Settings.model_fields if f"`{PREFIX}{field.upper()}`" not in page] == []
    known = {f"{PREFIX}{field.upper()}" for field in Settings.model_fields}
    said = {word for path in papers() for word in re.findall(rf"\b{PREFIX}[A-Z_]+\b", text(path))}
    assert {word for word in said if word.removesuffix("_FILE") not in known and word not in known} == set()


def test_every_table_is_told() -> None:
    page = text(ARCHITECTURE)
    assert {table.name for table in OWNED} <= set(metadata.tables)
    assert [table for table in metadata.tables if f"\n| `{table}` |" not in page] == []


def _leaves(command: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    inner = getattr(command, "commands", None)
    if not inner:
        yield path
        return
    for word, one in inner.items():
        yield from _leaves(one, (*path, word))


COMMANDS = set(_leaves(get_command(app)))


def test_every_command_is_documented() -> None:
    page = text(CLI)
    assert [words for words in sorted(COMMANDS) if f"throughline {' '.join(words)}" not in page] == []


def test_every_path_of_the_api_is_documented() -> None:
    page = text(API)
    known = openapi_document(ROUTERS)["paths"].keys() - {"/v1/sign-in/oidc/callback"}  # which nobody calls by hand
    assert [path for path in sorted(known) if not re.search(_written(path), page)] == []


def _written(path: str) -> str:
    """A path as the page writes it: with any name in braces, or only its last word among others of the same thing."""
    literal = re.sub(r"\\{\w+\\}", r"[\\w{}:-]+", re.escape(path))
    last = path.rpartition("}/")[2]
    return rf"{literal}(?![\w-])" if last == path else rf"{literal}(?![\w-])|`(?:…/)?{re.escape(last)}`"


def _said_commands(path: Path) -> Iterator[tuple[str, ...]]:
    """Commands of ours that a page names in its text or runs in its blocks."""
    for words in re.findall(r"`throughline ((?:[a-z-]+ ?)+)", text(path)):
        yield tuple(words.split())
    for block in (*blocks(path, "sh"), *blocks(path, "text"), *blocks(path, "")):
        for words in commands(block):
            if Path(words[0]).name == "throughline":
                yield tuple(words[1:])


@pytest.mark.parametrize("path", papers(), ids=name)
def test_commands_that_a_page_names_exist(path: Path) -> None:
    groups = {words[:1] for words in COMMANDS if len(words) > 1}
    for said in _said_commands(path):
        plain = tuple(word for word in said if re.fullmatch(r"[a-z-]+", word) and not word.startswith("-"))
        assert plain[:1] in COMMANDS | groups, said
        if plain[:1] in groups and len(plain) > 1:
            assert plain[:2] in COMMANDS, said


def _targets() -> set[str]:
    return set(re.findall(r"^([a-z-]+):", (TOP / "Makefile").read_text(), re.MULTILINE))


@pytest.mark.parametrize("path", papers(), ids=name)
def test_make_targets_that_a_page_names_exist(path: Path) -> None:
    said = set(re.findall(r"`make ([a-z-]+)`", text(path)))
    said |= {words[1] for block in blocks(path, "sh") for words in commands(block) if words[0] == "make"}
    assert said - _targets() == set()


def test_the_readme_begins_with_its_two_commands() -> None:
    first = blocks(README, "sh")[0]
    assert list(commands(first)) == [["make", "demo"], ["make", "test"]]
    assert sum(len(line.split()) for line in text(README).splitlines()) < 1400, "five minutes at most"


def _defined(path: Path) -> set[str]:
    tree = ast.parse(path.read_text("utf-8"))
    return {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}


def test_each_promise_names_tests_that_exist() -> None:
    section = text(ARCHITECTURE).partition("\n## Promises\n")[2].partition("\n## ")[0]
    rows = [line for line in section.splitlines() if line.startswith("| ") and not line.startswith("| promise")]
    assert len(rows) >= 8
    for row in rows:
        named = re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", row)
        assert named, row
        for file, test in named:
            assert test in _defined(TOP / file), f"{file}::{test}"


def test_files_that_pages_name_exist() -> None:
    rooms = r"`((?:connectors|pipelines|services|schemas|tests|docs)/[\w./-]+)(?::\w+)*`"
    said = {(name(path), file) for path in papers() for file in re.findall(rooms, text(path))}
    assert [(page, file) for page, file in sorted(said) if not (TOP / file).exists() and "acme" not in file] == []


def test_log_lines_to_watch_for_are_written() -> None:
    table = text(generated.OPERATIONS).partition("| line | what it means |")[2].partition("\n\n")[0]
    said = re.findall(r"`([a-z]+(?:\.[a-z_]+)+)`", table)
    code = "".join(path.read_text("utf-8") for room in ("pipelines", "services") for path in (TOP / room).rglob("*.py"))
    assert len(said) > 8
    assert [line for line in said if f'"{line}"' not in code] == []


def test_every_connector_has_a_page_that_the_readme_names() -> None:
    assert [one for one in catalogue() if f"docs/connectors/{one}.md" not in set(links(README))] == []


def test_every_decision_is_listed_and_whole() -> None:
    decisions = TOP / "docs" / "decisions"
    listed = set(links(decisions / "README.md"))
    assert {path.name for path in decisions.glob("0*.md")} == listed
    for path in decisions.glob("0*.md"):
        for part in ("Context", "Decision", "Consequences", "Rejected"):
            assert f"\n**{part}.** " in text(path), (path.name, part)


def test_the_licence_is_the_one_that_is_named() -> None:
    assert "Apache License" in (TOP / "LICENSE").read_text()
    project = tomllib.loads((TOP / "pyproject.toml").read_text())["project"]
    assert project.get("license", "Apache-2.0") == "Apache-2.0"
