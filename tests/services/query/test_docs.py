"""Every example of docs/api.md is asked, and answered in the form it shows."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from tests.pipelines.memos import memo
from tests.services.query.conftest import Hub, owned

DOCUMENT = Path("docs/api.md").read_text("utf-8")
EXAMPLES = re.findall(r"```http\nGET (\S+)\n```\n\n```json\n(.*?)```", DOCUMENT, re.DOTALL)


def same_form(shown: Any, told: Any, place: str) -> None:
    """What is shown is there, of the same type; null may stand for anything; lists show one item or more."""
    if isinstance(shown, dict):
        for name, value in shown.items():
            if name.startswith("R-"):
                name = owned(1)
            assert name in told, f"{place}.{name}"
            same_form(value, told[name], f"{place}.{name}")
    elif isinstance(shown, list):
        assert isinstance(told, list), place
        for one, other in zip(shown, told, strict=False):
            same_form(one, other, f"{place}[]")
        assert not shown or told, place
    elif shown is not None and told is not None:
        assert type(shown) is type(told), place


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_examples(hub: Hub) -> None:
    assert len(EXAMPLES) == DOCUMENT.count("```http") > 10
    await hub.told(memo(7, text="This week: MEMO-3, MEMO-4, MEMO-81, MEMO-82, MEMO-83, MEMO-84"))
    for path, shown in EXAMPLES:
        path = (
            path.replace("R-MZXW6YTBOI3D", owned(1))
            .replace("PAY-12", "MEMO-3")
            .replace("PAY-31", "MEMO-4")
            .replace("jira-acme", "memos")
        )
        answer = await hub.http.get(path)
        example = json.loads(shown)
        assert answer.status_code == (example["status"] if "errors" in example else 200), path
        same_form(example, answer.json(), path)
