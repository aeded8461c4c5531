"""Examples in the papers work: connection files of the README, sentences of the page about correlation."""

import re
from datetime import UTC, datetime
from pathlib import Path

import pytest
from pydantic import SecretStr

from connectors.catalogue import catalogue
from pipelines.correlate import correlate
from pipelines.correlate.rules import ConnectionRules, Rules
from pipelines.references import find
from schemas.artifacts import Evidence, Reference, Text
from schemas.canonical import instant
from schemas.links import Component, Node
from services.cli import filing
from tests.docs.papers import README, TOP, blocks, text

FILES = blocks(README, "yaml")


@pytest.mark.parametrize("block", FILES, ids=lambda block: block.splitlines()[0].strip("# "))
def test_the_readmes_connection_files_are_accepted(block: str, tmp_path: Path) -> None:
    path = tmp_path / "connection.yaml"
    path.write_text(block)
    filed = filing.read(path)
    asked = []

    def secret(reference: str) -> SecretStr:
        asked.append(reference)
        return SecretStr("word")

    connector = catalogue()[str(filed.text("connector"))]
    filed.options(connector.Options, secret)
    (variable,) = asked
    assert f"\n{variable.removeprefix('env:')}=… .venv/bin/throughline connections add --file" in text(README)
    assert block.startswith("# ")
    assert f"--file {block.splitlines()[0].strip('# ')}\n" in text(README)


def test_both_files_of_the_readme_are_there() -> None:
    assert [re.search(r"connector: (\w+)", block)[1] for block in FILES] == ["jira", "mailbox"]  # type: ignore[index]


def identity(kind: str, value: str, scope: str = "") -> Reference:
    return Reference(kind, scope, value, Evidence.IDENTITY, "is")


def explicit(relation: str, kind: str, value: str, scope: str = "") -> Reference:
    return Reference(
        kind, scope, value, Evidence.EXPLICIT, relation, field="In-Reply-To" if relation == "reply" else ""
    )


def issue(key: str, *references: Reference, connection: str = "jira", level: int = 0) -> Node:
    return Node(
        artifact=f"{connection}/issue/{key}", connection=connection, connector="jira", kind="issue", type_level=level,
        natural_key=key, created_at=instant(datetime(2026, 3, 5, tzinfo=UTC)),
        references=(identity("jira.key", key, connection), *references),
    )  # fmt: skip


def mail(number: int, day: int, *references: Reference, subject: str = "", body: str = "", quoted: str = "") -> Node:
    texts = (
        Text("subject", subject, Evidence.TITLE),
        Text("body", body, Evidence.WRITTEN),
        Text("body", quoted, Evidence.QUOTED),
    )
    found = tuple(reference for one in texts for reference in find(one))
    return Node(
        artifact=f"mail/mail/{number}", connection="mail", connector="mailbox", kind="mail", type="person", opens=True,
        title=subject, created_at=instant(datetime(2026, 3, day, tzinfo=UTC)),
        references=(identity("message-id", f"m{number}@acme.example"), *references, *found),
    )  # fmt: skip


def hubspot(kind: str, number: str, opens: bool, *references: Reference) -> Node:
    return Node(
        artifact=f"crm/{kind}/{number}", connection="crm", connector="hubspot", kind=kind, opens=opens,
        natural_key=number, created_at=instant(datetime(2026, 7, 14, tzinfo=UTC)),
        references=(identity(f"hubspot.{kind}", number, "crm"), *references),
    )  # fmt: skip


def _said() -> set[str]:
    """Every sentence that correlation says of a small company."""
    twenty = " ".join(f"PAY-{number}" for number in range(1, 21))
    jira = ConnectionRules("jira", frozenset({"PAY", "OPS"}), link_kinds={"is deployed by": "joins"})
    rules = Rules(connections={"jira": jira, "crm": ConnectionRules("hubspot"), "mail": ConnectionRules("mailbox")})
    twice = Rules(connections={**rules.connections, "other": ConnectionRules("jira", frozenset({"PAY"}))})
    reply = explicit("reply", "message-id", "m1@acme.example")
    nodes = (
        mail(1, 3, subject="New address, PAY-12"),
        mail(2, 4, reply, subject="Re: New address, PAY-12"),
        mail(3, 9, body=twenty),
        mail(4, 9, quoted="PAY-7"),
        issue("PAY-7"),
        issue("PAY-10", level=1),
        issue("PAY-12", explicit("epic", "jira.key", "PAY-10", "jira"),
               explicit("is deployed by", "jira.key", "OPS-12", "jira")),
        issue("PAY-16", explicit("parent", "jira.key", "PAY-12", "jira"), level=-1),
        issue("OPS-12"),
        hubspot("deal", "10000000037", True),
        hubspot("email", "10000000038", False, explicit("association", "hubspot.deal", "10000000037", "crm")),
    )  # fmt: skip
    ambiguous = (mail(5, 9, body="PAY-7"), issue("PAY-7"), issue("PAY-7", connection="other"))
    found = set()
    for part, given in ((nodes, rules), (ambiguous, twice)):
        groups = correlate(Component(part), given)
        found |= {link.why for one in groups.requests for link in (*one.links, *one.mentions, *one.depends_on)}
        found |= {link.why for one in groups.programmes for link in one.links}
    return found


def test_the_sentences_on_the_page_are_said() -> None:
    page = text(TOP / "docs" / "correlation.md").partition("## Why: examples")[2].partition("\n## ")[0]
    told = re.findall(r"^- `(.+)`$", page, re.MULTILINE)
    assert len(told) >= 8
    assert [sentence for sentence in told if sentence not in _said()] == []
