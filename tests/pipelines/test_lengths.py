"""However long a text is that a tool states, both databases take what follows from it."""

import random
import string
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from pipelines.ingest import Ingest
from pipelines.search import LONGEST_NAME, name_term
from pipelines.store import tables
from tests.pipelines.memos import map_memo, memo, records
from tests.pipelines.test_ingest import NOW, rows

_DRAWN = random.Random(1)
LONG = "".join(_DRAWN.choices(string.ascii_lowercase + string.digits, k=7_000))
"""Nothing that a database could press together."""
WORDS = " ".join("".join(_DRAWN.choices(string.ascii_lowercase, k=9)) for _ in range(900))


@pytest.mark.parametrize(("name", "value", "facet"), [
    ("business_unit", LONG, ("unit", name_term(LONG))),
    ("business_unit", WORDS, ("unit", name_term(WORDS))),
    ("project", {"key": LONG, "name": "x"}, ("project", LONG[:LONGEST_NAME])),
    ("title", LONG, ("word", LONG[:64])),
    ("title", WORDS, ("word", WORDS[:9])),
    ("type", LONG, None), ("natural_key", LONG, None), ("url", f"https://x.example/{LONG}", None),
    ("priority", LONG, None),
    ("status", {"id": LONG, "label": LONG, "category": None, "pipeline": LONG}, None),
    ("waiting", {"reason": LONG, "since": None}, None), ("thread", LONG, None), ("labels", [LONG, WORDS], None),
])  # fmt: skip
async def test_a_field_of_any_length_is_stored_and_found(
    engine: AsyncEngine, name: str, value: Any, facet: tuple[str, str] | None
) -> None:
    def mapping(event: Any) -> Any:
        told = map_memo(event)
        return replace(told, fields=told.fields | {name: value}) if event.payload["number"] == 1 else told

    ingest = Ingest(engine, {"memo": mapping}, lambda: NOW, "one")
    await ingest(records([memo(1), memo(2, text="see MEMO-1")]))
    await ingest.catch_up.all()
    assert len(await rows(engine, tables.members)) == 2
    assert [row.problem for row in await rows(engine, tables.requests)] == [None]
    assert await rows(engine, tables.dead_letters) == []
    found = {(row.kind, row.value) for row in await rows(engine, tables.facets)}
    assert facet is None or facet in found
