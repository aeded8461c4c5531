"""A request as it stood at an earlier moment: folded anew from what is stored, by today's knowledge and membership."""

from datetime import datetime

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from pipelines import assembly
from pipelines.correlate import correlate
from pipelines.dependencies import told_of
from pipelines.lifecycle import fold
from pipelines.store import components, configuration, people, requests
from pipelines.store.bulk import Bulk
from pipelines.store.tables import members
from schemas.links import Group, Programme
from schemas.records import LifecycleRecord


async def recall(connection: AsyncConnection, request: str, as_of: datetime) -> LifecycleRecord | None:
    """The record at that instant; None if the request is not stored, or had no artifact yet. Reads only.

    A constant number of statements, over the rows of the request's component.
    """
    known = (await connection.execute(select(members.c.component).where(members.c.request == request).limit(1))).first()
    if known is None:
        return None
    bulk = Bulk(connection)
    snapshot = await configuration.load(connection)
    loaded = await components.look(bulk, known.component, snapshot.rules)
    groups = correlate(assembly.component_of(loaded, sorted(loaded.artifacts)), snapshot.rules)
    group = next((one for one in groups.requests if one.request == request), None)
    if group is None:
        return None
    programmes = _programmes(group, groups.programmes)
    wanted = {name: loaded.artifacts[name].fields for name in told_of(group, loaded.artifacts.keys())}
    activities = await requests.activities_of(bulk, wanted)
    said = [activity for name in group.artifacts for activity in activities[name]]
    artifacts = [loaded.artifacts[name] for name in group.artifacts]
    who = assembly.who(artifacts, said, await people.load(bulk, assembly.identities_named(artifacts, said)))
    told = assembly.request_input(group, programmes, loaded, activities, who, snapshot.shows_restricted)
    try:
        return fold(told, snapshot.stage_map, as_of=as_of)
    except ValueError:  # nothing of it existed at that time
        return None


def _programmes(group: Group, programmes: tuple[Programme, ...]) -> tuple[Programme, ...]:
    by_key = {one.key: one for one in programmes}
    return tuple(by_key[key] for key in group.programmes if key in by_key)
