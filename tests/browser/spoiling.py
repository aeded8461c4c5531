"""Dead letters in a running hub: real events of its Jira, spoilt as a changed tool would spoil them."""

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import select

from connectors.catalogue import catalogue
from pipelines.store import dead_letters
from pipelines.store.dead_letters import DeadLetter
from pipelines.store.engine import open_engine, reading, writing
from pipelines.store.tables import source_events
from schemas.errors import BadRecord
from schemas.events import SourceEvent, to_kafka

SPOILT = "values"
"""What the tool calls the fields of an issue in them."""


async def spoil(folder: Path, number: int) -> list[str]:
    """The ids of so many letters, put beside a hub that has read a Jira. folder: its data."""
    engine = open_engine(f"sqlite+aiosqlite:///{folder / 'throughline.db'}")
    try:
        async with reading(engine) as connection:
            wanted = (
                select(source_events.c.event)
                .where(source_events.c.connector == "jira", source_events.c.kind == "issue")
                .order_by(source_events.c.native_id)
                .limit(number)
            )
            events = [SourceEvent.model_validate_json(text) for text in (await connection.execute(wanted)).scalars()]
        letters = [_letter(event, place) for place, event in enumerate(events)]
        async with writing(engine) as connection:
            await dead_letters.add(connection, letters)
    finally:
        await engine.dispose()
    return [one.id for one in letters]


def _letter(event: SourceEvent, place: int) -> DeadLetter:
    issue = event.payload["issue"]
    changed = {SPOILT if name == "fields" else name: value for name, value in issue.items()}
    spoilt = event.model_copy(update={"payload": {**event.payload, "issue": changed}})
    _, value, _ = to_kafka(spoilt)
    letter = DeadLetter(
        f"one/source.jira/0/{900_000 + place}", "bad record", "", value, datetime.now(UTC), event.connection
    )
    try:
        catalogue()["jira"].map(spoilt)
    except BadRecord as error:
        return replace(letter, reason=str(error))
    raise AssertionError("the spoilt event is understood")
