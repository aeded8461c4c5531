"""rules: the kinds of links that a person names, held against the links that were read."""

from pathlib import Path

import pytest

from schemas.errors import Misconfigured
from schemas.events import SourceEvent
from services.cli import rules
from tests.services.cli.company import read, telling
from tests.services.cli.conftest import BOTH, Desk
from tests.services.cli.test_rules import asked, chooser, file, shown


def jira_links(*links: tuple[str, str]) -> SourceEvent:
    """An issue with links, as Jira tells them: type and side, to the key of the other."""
    rows = [{"type": TYPE, side: {"id": str(at), "key": key}} for at, (side, key) in enumerate(links)]
    return telling(
        "jira-acme", "jira", "issue", "10050", issue={"fields": {"issuelinks": rows}},
        fields={"title": "Pipeline", "natural_key": "PAY-50", "type": "Story", "type_level": 0, "opens": True},
        references=[["jira.key", "jira-acme", "PAY-50", "identity", "is"],
                    *(["jira.key", "jira-acme", key, "explicit", "is rolled out by"] for _, key in links)],
    )  # fmt: skip


TYPE = {"name": "Rollout", "outward": "rolls out", "inward": "is rolled out by"}


@BOTH
async def test_names_of_links_are_held_against_the_links_that_were_read(
    desk: Desk, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    await read(desk.engine, [jira_links(("inwardIssue", "PAY-31"))], first=100)
    agree, _ = asked(True)
    text = "link_kinds: {is roled out by: joins}"
    with pytest.raises(Misconfigured, match="no link of jira-acme says 'is roled out by'") as wrong:
        await rules.apply(desk.made, "jira-acme", file(tmp_path, text), chooser(desk, agree))
    assert wrong.value.mend.startswith("Is 'is rolled out by' meant? Links of jira-acme say ")
    assert "is rolled out by (1)" in wrong.value.mend
    await rules.apply(desk.made, "jira-acme", file(tmp_path, "link_kinds: {Rollout: joins}"), chooser(desk, agree))
    said = " ".join(desk.printed.split())
    assert said.startswith("rollout is a type of link: rolls out and is rolled out by. Stated by 1 artifact: is")
    assert "+ link is rolled out by: joins + link rolls out: joins" in said
    told = await shown(desk, capsys)
    assert told["chosen"]["link_kinds"] == {"is rolled out by": "joins", "rolls out": "joins"}
    assert {"relation": "is rolled out by", "does": "joins", "artifacts": 1} in told["links"]
    assert {"relation": "rolls out", "does": "joins", "artifacts": 0} in told["links"]
    await rules.apply(desk.made, "jira-acme", file(tmp_path, "link_kinds: {Rolls out: mentions}"), chooser(desk, agree))
    assert "is rolled out by is the other direction of rolls out, and is chosen alike" in " ".join(desk.printed.split())
    text = "link_kinds: {awaits: depends on, Blocks: mentions}"
    await rules.apply(desk.made, "jira-acme", file(tmp_path, text), chooser(desk, agree))
    said = " ".join(desk.printed.split())
    assert "No link that was read says awaits. Links of jira-acme say" in said
    assert "+ link awaits: depends on + link blocks: mentions + link is blocked by: mentions" in said
    await rules.show(desk.made, "jira-acme", desk.screen, for_programs=False)
    lines = [line.split() for line in desk.printed.splitlines()]
    assert ["1", "is", "rolled", "out", "by", "mentions"] in lines
    assert ["none", "awaits", "depends", "on"] in lines
