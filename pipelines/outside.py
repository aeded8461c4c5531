"""Which decision keeps artifacts out of every request, where it is not about them: correlated from what is stored."""

import asyncio
from collections.abc import Iterable

from sqlalchemy.ext.asyncio import AsyncConnection

from pipelines import assembly
from pipelines.correlate import correlate
from pipelines.store import components, configuration
from pipelines.store.bulk import Bulk
from schemas.decisions import Decision

_DECIDED = """SELECT DISTINCT m.component FROM members m JOIN members o ON o.component = m.component
    JOIN decided x ON x.name = o.artifact WHERE m.artifact IN {keys} AND x.active"""
"""Components of these artifacts in which a decision holds."""


async def kept_out(connection: AsyncConnection, artifacts: Iterable[str]) -> dict[str, Decision]:
    """By artifact in no request the first decision without which it might be in one; without those of which there is
    none. Reads only; computes where something in their component was decided, and in a thread."""
    wanted = set(artifacts)
    bulk = Bulk(connection)
    names = [row[0] for row in await bulk.by_keys(_DECIDED, wanted)]
    if not names:
        return {}
    snapshot = await configuration.load(connection)
    loaded = await components.look(bulk, names, snapshot.rules)
    found: dict[str, Decision] = {}
    for part in assembly.components_of(loaded):
        if wanted.isdisjoint(part):
            continue
        component = assembly.component_of(loaded, part)
        groups = await asyncio.to_thread(correlate, component, snapshot.rules)
        numbered = {one.number: one for one in component.decisions}
        found |= {name: numbered[number] for name, number in groups.kept_out if name in wanted}
    return found
