"""Whether a tool is still as it was: the steps of its check, and the fields that options and rules name."""

from collections.abc import Mapping, Sequence
from datetime import datetime

import orjson
from sqlalchemy import delete, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from connectors.contract import Fields, Noticed, Step
from pipelines.store import configuration
from schemas.canonical import canonical_json
from services.feed import beside, notices
from services.feed.watch_tables import checked
from services.feed.watch_tables import notices as table

LOST, FIELD_GONE, FIELD_NEW = "lost", "field gone", "field new"
MOST_NEW = 50
"""New fields noted at one look."""
_RULES = "the rules (reference_fields)"
FIELD = "field"
_MENDS = {
    FIELD: "Nothing is to be done unless it holds references to other tools: then name it in the rules",
    "type": "Look in the rules whether it opens a request, and in the stage map where it stands",
    "folder": "Nothing is to be done: what is in it is read",
    "pipeline": "Look in the rules whether what is in it opens a request, and in the stage map where its stages stand",
    "stage": "Look in the stage map where it stands, once something is in it",
}
"""By what it is of: what to do about a new one."""


async def steps(connection: AsyncConnection, name: str, seen: Sequence[Step], now: datetime) -> None:
    """Note which steps of a check went well; a step that went well before and does not any more is a notice."""
    before = select(checked.c.step, checked.c.well_at).where(checked.c.connection == name)
    known = {row.step: row.well_at for row in await connection.execute(before)}
    well = [one.name for one in seen if one.ok]
    if well:
        insert = postgresql.insert if connection.dialect.name == "postgresql" else sqlite.insert
        rows = insert(checked).values(
            [{"connection": name, "step": step, "well_at": now} for step in dict.fromkeys(well)]
        )
        kept = rows.on_conflict_do_update(index_elements=["connection", "step"], set_={"well_at": now})
        await connection.execute(kept)
        await notices.settle(connection, name, LOST, well)
    lost = [
        Noticed(LOST, one.name, f"{one.name}: it went well until {known[one.name]:%Y-%m-%d %H:%M} UTC", one.says)
        for one in seen
        if not one.ok and one.name in known and not one.of_fields
    ]
    await notices.note(connection, name, lost, now)


async def anew(connection: AsyncConnection, name: str) -> None:
    """Options are others: what was said of the ones before holds no more, and the reader looks at its next round."""
    told = (table.c.connection == name) & table.c.kind.in_((LOST, FIELD_GONE))
    await connection.execute(delete(table).where(told))
    await beside.put(connection, name, looked_at=None, fields=None)


async def fields(connection: AsyncConnection, name: str, found: Fields, now: datetime) -> None:
    """Note which fields are there; what is named and is not there, or came or went since the last look, is a notice."""
    row = await beside.row_of(connection, name)
    before: dict[str, str] | None = orjson.loads(row.fields) if row is not None and row.fields else None
    needed = dict(found.needed) | (await _in_rules(connection, name, found.there) if found.custom else {})
    gone = _gone(found, needed, before or {})
    told = _new(found.there, before or {})[:MOST_NEW]
    if before is not None or gone:
        await notices.settle(connection, name, FIELD_GONE, found.there)
    await notices.note(connection, name, [*gone, *told], now)
    await beside.put(connection, name, fields=canonical_json(dict(found.there)))


def missed(found: Fields) -> list[str]:
    """What the options name and the tool does not have, in words, each with the mend."""
    return [f"{one.says}. {one.mend}" for one in _gone(found, found.needed, {})]


def _new(there: Mapping[str, str], before: Mapping[str, str]) -> list[Noticed]:
    """Notices for what came since. Of what was not looked at before nobody knows whether it is new."""
    known = {_sort(each) for each in before}
    return [Noticed(FIELD_NEW, each, f"The tool has a new {_sort(each)}: {label} ({each})", _MENDS[_sort(each)])
            for each, label in there.items() if each not in before and _sort(each) in known]  # fmt: skip


def _sort(each: str) -> str:
    """What an id is of."""
    begin, space, _ = each.partition(" ")
    return begin if space and begin in _MENDS else FIELD


def _gone(found: Fields, needed: Mapping[str, str], before: Mapping[str, str]) -> list[Noticed]:
    """Notices for what is named and is not there (any more), and for what went."""
    told = {}
    for each, where in needed.items():
        if each not in found.there:
            told[each] = _missed(found, each, where, before.get(each))
    for each, label in before.items():
        if each not in found.there and each not in told:
            says = f"The tool no longer has the {_sort(each)} {label} ({each})"
            told[each] = Noticed(FIELD_GONE, each, says, "Nothing is to be done unless it was meant to stay")
    return list(told.values())


def _missed(found: Fields, each: str, where: str, label: str | None) -> Noticed:
    """What is named and is not there. label: as it was called when it was."""
    begin = f"Since {found.ended[each]:%Y-%m-%d} the" if each in found.ended else "The"
    once = each in found.ended or label is not None
    named = each if _sort(each) == FIELD else f"the {each}"
    near = found.near.get(each, ())
    meant = f": is {' or '.join(near)} meant? Or" if near else ", or"
    return Noticed(
        FIELD_GONE, each,
        f"{begin} tool {'no longer has' if once else 'does not have'} {label or named}, which {where} names",
        f"Correct {where}{meant} make it {'again ' if once else ''}in the tool",
    )  # fmt: skip


async def _in_rules(connection: AsyncConnection, name: str, there: Mapping[str, str]) -> dict[str, str]:
    """Fields that the connection's rules name, by id or by name; by id where there is one."""
    stored = (await configuration.every(connection)).get(name)
    labels = {label: each for each, label in there.items()}
    named = stored.chosen.reference_fields if stored is not None else {}
    return {labels.get(each, each): _RULES for each in named}
