"""An item of a list is the record's, though most of the record is not looked at."""

from dataclasses import replace
from typing import Any

import orjson
import pytest
from sqlalchemy import select, update

from pipelines.lifecycle.summary import summary
from pipelines.store.tables import requests
from schemas.records import BRIEF, LifecycleRecord
from services.query.items import Brief, Briefs
from services.query.reading import Stored
from tests.pipelines.memos import memo
from tests.services.query.conftest import NOW, Hub

MARKS = 'of ,"stages":[ and ,"blocked_by":[ and "'


async def stored(hub: Hub) -> list[str]:
    async with hub.engine.connect() as connection:
        return list((await connection.execute(select(requests.c.record))).scalars())


def test_the_fields_stored_beside_a_record_are_those_of_an_item() -> None:
    assert set(Brief.model_fields) == BRIEF


def told(record: Any) -> dict[str, Any]:
    return {name: getattr(record, name) for name in Brief.model_fields}


async def test_what_is_left_out_changes_nothing(hub: Hub) -> None:
    await hub.told(memo(20, title=MARKS, by=MARKS), memo(21, title=MARKS, parent=20))
    records = await stored(hub)
    assert sum(MARKS in (orjson.loads(one)["title"] or "") for one in records) == 1
    for text in records:
        whole = LifecycleRecord.model_validate_json(text)
        assert told(Brief.of(text)) == told(whole)
        assert summary(Brief.of(text), NOW) == summary(whole, NOW)


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_another_order_of_fields_is_read_as_well(hub: Hub) -> None:
    for text in await stored(hub):
        fields = orjson.loads(text)
        turned = orjson.dumps(dict(reversed(fields.items()))).decode()
        assert told(Brief.of(turned)) == told(Brief.of(text))


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_a_record_that_is_kept_is_told_by_its_etag_and_text(hub: Hub) -> None:
    """The same request, changed, shown in part or as of another day, has another."""
    text = (await stored(hub))[0]
    whole = Stored("a", text, "1", None, None)
    changed = replace(whole, record=text.replace('"title":"', '"title":"Not '))
    briefs = Briefs(2)
    first = briefs.of(whole)
    assert briefs.of(whole) is first
    assert briefs.of(changed).title == f"Not {first.title}"
    assert briefs.of(whole) is first
    briefs.of(replace(changed, etag="2"))
    assert briefs.of(whole) is first  # told last but one
    assert briefs.of(changed) == briefs.of(replace(changed, etag="2"))
    assert briefs.of(whole) is not first  # two were told since


async def test_what_is_stored_beside_a_record_is_what_a_list_shows_of_it(hub: Hub) -> None:
    async with hub.engine.connect() as connection:
        rows = (await connection.execute(select(requests.c.record, requests.c.brief))).all()
    assert len(rows) > 1
    for row in rows:
        assert Brief.of(row.brief) == Brief.of(row.record)
        assert len(row.brief) < len(row.record) / 2


async def test_lists_and_lookups_are_the_same_where_it_was_not_written_yet(hub: Hub) -> None:
    async def told() -> list[Any]:
        return [
            await hub.get("/v1/requests"), await hub.get("/v1/lookup", reference="MEMO-3"),
            await hub.get("/v1/lookup", reference=["MEMO-3", "MEMO-4"]),
        ]  # fmt: skip

    with_it = await told()
    async with hub.engine.begin() as connection:
        await connection.execute(update(requests).values(brief=""))
    assert await told() == with_it
    assert with_it[0]["items"][0]["summary"]
