"""Every example of docs/api.md is asked, and answered in the form it shows."""

import json
import re
from pathlib import Path
from typing import Any

import httpx2
import pytest

from pipelines.suggest.scoring import suggestion_id
from pipelines.suggesting import Suggesting
from tests.pipelines.memos import memo
from tests.services.query.conftest import NOW, Hub, owned

DOCUMENT = Path("docs/api.md").read_text("utf-8")
EXAMPLES = re.findall(r"```http\n(GET|POST) (\S+)\n(.*?)```\n\n```json\n(.*?)```", DOCUMENT, re.DOTALL)
NAMES = {
    "R-MZXW6YTBOI3D": owned(1), "R-GEZDGNBVGY3T": owned(4), "PAY-12": "MEMO-3", "PAY-31": "MEMO-4",
    "jira-acme": "memos", "S-MZXW6YTBOI3D": suggestion_id("memos/memo/8", "memos/memo/9"),
}  # fmt: skip


def of_here(text: str) -> str:
    """With the names of this company."""
    for name, here in NAMES.items():
        text = text.replace(name, here)
    return text


async def asked(hub: Hub, method: str, path: str, more: str) -> httpx2.Response:
    """Headers and body stand below the first line, as HTTP has them."""
    head, _, body = more.partition("\n\n")
    headers = dict(line.split(": ", 1) for line in head.splitlines() if line)
    return await hub.http.request(method, path, headers=headers, content=body)


def same_form(shown: Any, told: Any, place: str) -> None:
    """What is shown is there, of the same type; null may stand for anything; lists show one item or more."""
    if isinstance(shown, dict):
        for name, value in shown.items():
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
    await hub.told(memo(8, title="Replace the printer upstairs"), memo(9, title="Replace the printer upstairs"))
    suggesting = Suggesting(hub.engine, lambda: NOW, "here")
    while await suggesting.once() or await suggesting.offer():
        pass
    for method, path, more, shown in EXAMPLES:
        answer = await asked(hub, method, of_here(path), of_here(more))
        example = json.loads(of_here(shown))
        expected = 201 if method == "POST" and not example["preview"] else 200
        assert answer.status_code == (example["status"] if "errors" in example else expected), (path, answer.text)
        same_form(example, answer.json(), path)
