"""What other rules would change: the pure steps over what is stored, by the rules as they are and by the others.

Reads only, and takes no lock.
"""

import asyncio
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from pipelines import assembly
from pipelines.correlate import correlate
from pipelines.lifecycle import fold
from pipelines.store import components, dedicated, requests
from pipelines.store.bulk import Bulk
from pipelines.store.components import Loaded
from pipelines.store.configuration import Configuration
from pipelines.store.tables import artifacts, members
from schemas.artifacts import Activity
from schemas.links import Group, Groups

MOST = 500
"""Components that are tried at most."""
SHOWN = 3
"""Requests told of each move."""

Standing = tuple[str, str | None]
"""A stage and a state."""
Move = tuple[Standing, Standing]
"""From where to where."""


@dataclass(slots=True)
class Difference:
    """What would be otherwise, in requests."""

    components: int = 0
    """How many were tried."""
    sample: bool = False
    """There are more that the rules may concern."""
    requests: int = 0
    """In the components tried, as they are."""
    other_stage: int = 0
    other_state: int = 0
    """In the same stage."""
    merged: int = 0
    """Requests that would be one with another."""
    split: int = 0
    grown: int = 0
    """Requests that would be joined by what is in none."""
    begun: int = 0
    """New ones, of artifacts that are in none."""
    ended: int = 0
    """Whose artifacts would be in none."""
    examples: list[str] = field(default_factory=list)
    """Ids of some that would change, as they are now."""
    moves: Counter[Move] = field(default_factory=Counter)
    """Requests that would stand elsewhere with the same parts, by from where to where."""
    moving: dict[Move, list[str]] = field(default_factory=dict)
    """Ids of some of these."""

    def move(self, move: Move, request: str) -> None:
        """Count a request that would stand elsewhere."""
        self.moves[move] += 1
        shown = self.moving.setdefault(move, [])
        shown += [request] if len(shown) < SHOWN else []

    @property
    def any(self) -> bool:
        """Whether anything would change."""
        parts = self.merged, self.split, self.grown, self.begun, self.ended
        return any((self.other_stage, self.other_state, *parts))


async def difference(
    connection: AsyncConnection, now: Configuration, then: Configuration, concerned: str | None, most: int = MOST,
    seconds: float | None = None,
) -> Difference:  # fmt: skip
    """Compare at most `most` components, and none after so many seconds. concerned: only those with an artifact of this
    connection; None: all."""
    wanted = select(members.c.component).distinct().order_by(members.c.component).limit(most + 1)
    if concerned is not None:
        wanted = wanted.join(artifacts, artifacts.c.id == members.c.artifact)
        wanted = wanted.where(artifacts.c.connection == concerned)
    return await difference_in(connection, now, then, list((await connection.execute(wanted)).scalars()), most, seconds)


async def difference_in(
    connection: AsyncConnection, now: Configuration, then: Configuration, names: Sequence[str], most: int = MOST,
    seconds: float | None = None,
) -> Difference:  # fmt: skip
    """Compare these components, each by itself but for those that the other rules bring together."""
    told = Difference(sample=len(names) > most)
    clock = asyncio.get_running_loop().time
    until = None if seconds is None else clock() + seconds
    for those in await dedicated.would_meet(connection, names[:most], now.rules, then.rules):
        if until is not None and clock() > until:
            told.sample = True
            break
        await _compare(Bulk(connection), those[0] if len(those) == 1 else those, now, then, told)
        told.components += len(those)
        await asyncio.sleep(0)
    return told


async def difference_among(
    connection: AsyncConnection, now: Configuration, then: Configuration, names: Sequence[str], most: int = MOST
) -> Difference:
    """Compare these components, which the other rules may make one; at most `most` of them."""
    told = Difference(min(len(names), most), len(names) > most)
    await _compare(Bulk(connection), names[:most], now, then, told)
    return told


async def _compare(
    bulk: Bulk, component: str | Sequence[str], now: Configuration, then: Configuration, told: Difference
) -> None:
    loaded = await components.look(bulk, component, now.rules)
    fields = {name: one.fields for name, one in loaded.artifacts.items()}
    activities = await requests.activities_of(bulk, fields)
    parts = assembly.components_of(loaded) if isinstance(component, str) else [sorted(loaded.artifacts)]
    for names in parts:
        part = assembly.component_of(loaded, names)
        before, after = correlate(part, now.rules), correlate(part, then.rules)
        changed = _members(before, after, told)
        stood, stands = _standing(before, loaded, activities, now), _standing(after, loaded, activities, then)
        for request in stood.keys() & stands.keys() - changed:
            if stood[request] != stands[request]:
                other = stood[request][0] != stands[request][0]
                told.other_stage += other
                told.other_state += not other
                told.move((stood[request], stands[request]), request)
                changed.add(request)
        told.requests += len(before.requests)
        told.examples += sorted(changed)[: max(0, 5 - len(told.examples))]


def _members(before: Groups, after: Groups, told: Difference) -> set[str]:
    """Count who would be with others. Returns the requests concerned."""
    was = {name: group.request for group in before.requests for name in group.artifacts}
    will = {name: group.request for group in after.requests for name in group.artifacts}
    parts: dict[str, set[str | None]] = defaultdict(set)
    sources: dict[str, set[str]] = defaultdict(set)
    for name, request in was.items():
        parts[request].add(will.get(name))
        if name in will:
            sources[will[name]].add(request)
    merged = {request for those in sources.values() if len(those) > 1 for request in those}
    split = {request for request, those in parts.items() if len(those) > 1}
    ended = {request for request, those in parts.items() if those == {None}}
    joined = {request for name, request in will.items() if name not in was}
    grown = {min(sources[one]) for one in joined & sources.keys()} - merged - split
    told.merged += len(merged)
    told.split += len(split)
    told.grown += len(grown)
    told.ended += len(ended)
    told.begun += len(set(will.values()) - sources.keys())
    return merged | split | grown | ended


def _standing(
    groups: Groups, loaded: Loaded, activities: Mapping[str, Sequence[Activity]], by: Configuration
) -> dict[str, Standing]:
    """Request to its stage and state."""
    return {group.request: _stands(group, groups, loaded, activities, by) for group in groups.requests}


def _stands(
    group: Group, groups: Groups, loaded: Loaded, activities: Mapping[str, Sequence[Activity]], by: Configuration
) -> Standing:
    own = tuple(one for one in groups.programmes if one.key in group.programmes)
    # Without the people's names: no stage depends on them.
    told = assembly.request_input(group, own, loaded, activities, assembly.NOBODY, by.shows_restricted)
    current = fold(told, by.stage_map).current
    return current.stage, current.state
