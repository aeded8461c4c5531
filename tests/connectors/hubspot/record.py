"""Writes the recordings anew: `python -m tests.connectors.hubspot.record`. Their diff shows what a change changes."""

import asyncio
import json

from schemas.events import SourceEvent
from tests.connectors.hubspot.company import build
from tests.connectors.hubspot.rig import RECORDINGS, HubSpotRig
from tests.connectors.rig import events_of, read


async def everything() -> list[SourceEvent]:
    """All that a first read and a census tell of the company."""
    async with HubSpotRig() as rig:
        build(rig.account)
        rig.settle()
        events = events_of(await read(rig))
        async with rig.connector.open(rig.connection, rig.options(), rig.surroundings()) as source:
            pages = [page async for page in source.census({}, None)]
        known = {event.id for event in events}
        return events + [event for event in events_of(pages) if event.kind != "associations" and event.id not in known]


def main() -> None:
    events = asyncio.run(everything())
    told = [event.model_dump(mode="json") for event in events]
    RECORDINGS.write_text(json.dumps(told, indent=1, sort_keys=True, ensure_ascii=False) + "\n")
    print(f"{len(told)} events")


if __name__ == "__main__":
    main()
