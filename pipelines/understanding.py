"""Correlate the touched components and fold the touched requests, inside the caller's transaction."""

import asyncio
import logging
from dataclasses import dataclass, field, replace

from pipelines import assembly
from pipelines.correlate import correlate
from pipelines.dependencies import told_of
from pipelines.lifecycle import fold
from pipelines.store import (
    aside,
    components,
    decisions,
    deferred,
    outcomes,
    pending,
    people,
    requests,
    suggestions,
    unit_people,
)
from pipelines.store.bulk import Bulk
from pipelines.store.components import Loaded, Locked, nothing_more
from pipelines.store.configuration import Configuration
from pipelines.store.facts import Notes, Touched
from pipelines.store.people import Known
from pipelines.store.requests import RequestRow, StoredRequest
from pipelines.turns import Turns
from pipelines.watching import UNWATCHED, Watch
from schemas.artifacts import Activity
from schemas.links import Group, Groups, Programme

logger = logging.getLogger("throughline.pipelines")


@dataclass(frozen=True, slots=True)
class _Due:
    """A request that is to be folded."""

    component: str
    group: Group
    programmes: tuple[Programme, ...]
    basis: str


@dataclass(slots=True)
class Work:
    """What is to be folded, and where everything belongs now."""

    component_of: dict[str, str] = field(default_factory=dict)
    request_of: dict[str, str] = field(default_factory=dict)
    due: list[_Due] = field(default_factory=list)
    failed: dict[str, str] = field(default_factory=dict)
    """Request to why it could not be folded."""
    failed_in: set[str] = field(default_factory=set)
    """Components of these."""
    seen: set[str] = field(default_factory=set)
    """Requests that exist now."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What follows from the facts of some components, not written yet."""

    touched: Touched
    loaded: Loaded
    work: Work
    rows: list[RequestRow]
    """Of what was folded, changed or not."""
    ended: set[str]
    """Requests that are none any more."""
    number: int
    """Of the outcome that was written last when this one was begun."""
    before: dict[str, StoredRequest] = field(default_factory=dict)
    """The requests of the components as they were."""
    decided: int = 0
    """Number of the newest decision then."""
    known: Known = field(default_factory=Known)
    """Of whom the records were made."""

    @property
    def notes(self) -> Notes:
        """What is worked off with it."""
        return self.touched.notes or Notes()

    @property
    def requests(self) -> int:
        """How many requests change."""
        return sum(not row.same for row in self.rows) + len(self.ended)


async def understand(
    bulk: Bulk, touched: Touched, configuration: Configuration, watch: Watch = UNWATCHED, *, remember: bool = True
) -> int:
    """Bring members, requests and facets up to date with the facts. Returns how many requests changed.

    remember: have recompute try again what could not be put together, and suggestions look at what changed.
    """
    outcome = await look(bulk, touched, configuration, watch)
    await write(bulk, outcome, watch, remember=remember)
    return outcome.requests


async def look(
    bulk: Bulk,
    touched: Touched,
    configuration: Configuration,
    watch: Watch = UNWATCHED,
    locked: Locked = nothing_more,
) -> Outcome:
    """Compute what `write` is to write. On PostgreSQL the components stay locked until the transaction ends; locked:
    called when they are.

    On SQLite it only reads; `write` may then come in a transaction of its own (see `valid`).
    """
    with watch.step("load"):
        number, decided = await outcomes.newest(bulk), await decisions.newest(bulk.connection)
        loaded = await components.load(bulk, touched, locked)
        before = await requests.stored(bulk, loaded.components)
    with watch.step("correlate"):
        work = await _correlate(loaded, before, touched, configuration)
    with watch.step("fold"):
        rows, known = await _fold(bulk, loaded, before, work, configuration, touched)
    return Outcome(touched, loaded, work, rows, set(before) - work.seen, number, before, decided, known)


async def valid(bulk: Bulk, outcome: Outcome) -> bool:
    """Whether no other outcome was written since this one was begun: it might know less than that one did."""
    return await outcomes.newest(bulk) == outcome.number


async def write(bulk: Bulk, outcome: Outcome, watch: Watch = UNWATCHED, *, remember: bool = True) -> None:
    """Write it, and what was noted for it goes."""
    work, touched, loaded = outcome.work, outcome.touched, outcome.loaded
    with watch.step("write"):
        await components.write_members(bulk, loaded, work.component_of, work.request_of, touched.rules.generic)
        await requests.mark_failed(bulk, work.failed)
        if touched.many_named and not touched.beside:
            await pending.ask_named(bulk, touched.many_named)
        if remember:  # and not beside the tables in use
            await outcomes.count(bulk, await outcomes.newest(bulk))
            await pending.ask(bulk.connection, work.failed_in)
            changed = outcome.ended | {row.id for row in outcome.rows if not row.same}
            await suggestions.mark(bulk, _marked(loaded, touched, work) | changed)
            await unit_people.mark(bulk, touched.identities | touched.many_named)
        await requests.write(bulk, outcome.rows, outcome.ended, requests.own_ids(loaded.artifacts, work.request_of))
        if touched.notes is not None:
            await deferred.drop(bulk, touched.notes)


async def _correlate(
    loaded: Loaded, before: dict[str, StoredRequest], touched: Touched, configuration: Configuration
) -> Work:
    work, turns = Work(), Turns(generous=touched.however_large)
    for artifacts in assembly.components_of(loaded):
        await turns.give()
        name = artifacts[0]
        work.component_of |= dict.fromkeys(artifacts, name)
        try:
            component = assembly.component_of(loaded, artifacts)
            if len(artifacts) > aside.LARGE:  # whoever shares the loop gets turns meanwhile
                groups = await asyncio.to_thread(correlate, component, configuration.rules)
            else:
                groups = correlate(component, configuration.rules)
        except Exception as error:
            _leave(work, name, artifacts, loaded, f"{type(error).__name__} while its parts were looked for")
            logger.exception("component.correlate.failed", extra={"component": name})
            continue
        _plan(work, name, groups, before, touched)
    return work


def _marked(loaded: Loaded, touched: Touched, work: Work) -> set[str]:
    """Requests and artifacts in none that may be like others now: what was touched, what joined one or left one."""
    names = {work.request_of.get(name, name) for name in touched.artifacts if name in work.component_of}
    for name in work.component_of:
        before, now = loaded.request_of.get(name), work.request_of.get(name)
        if (now is None and (before is not None or name not in loaded.component_of)) or (
            before is None and now is not None and name in loaded.component_of
        ):
            names.add(name)
    return names


def _leave(work: Work, component: str, artifacts: list[str], loaded: Loaded, reason: str) -> None:
    """Keep a component's requests as they were, and say why they are not up to date."""
    for artifact in artifacts:
        if request := loaded.request_of.get(artifact):
            work.request_of[artifact] = request
            work.seen.add(request)
            work.failed[request] = reason
    work.failed_in.add(component)


def _plan(work: Work, component: str, groups: Groups, before: dict[str, StoredRequest], touched: Touched) -> None:
    programmes = {one.key: one for one in groups.programmes}
    for group in groups.requests:
        work.seen.add(group.request)
        work.request_of |= dict.fromkeys(group.artifacts, group.request)
        own = tuple(programmes[key] for key in group.programmes if key in programmes)
        basis = assembly.basis_of(group, own)
        stored = before.get(group.request)
        same = stored is not None and (stored.basis, stored.component, stored.problem) == (basis, component, None)
        concerned = touched.everything or not touched.artifacts.isdisjoint(
            assembly.others_of(group, own) | set(group.artifacts)
        )
        if concerned or not same or group.request in touched.named_in:
            work.due.append(_Due(component, group, own, basis))


async def _fold(
    bulk: Bulk,
    loaded: Loaded,
    before: dict[str, StoredRequest],
    work: Work,
    configuration: Configuration,
    touched: Touched,
) -> tuple[list[RequestRow], Known]:
    turns = Turns(generous=touched.however_large)
    wanted = {name for due in work.due for name in told_of(due.group, loaded.artifacts.keys())}
    activities = await requests.activities_of(bulk, {name: loaded.artifacts[name].fields for name in wanted}, turns)
    own = [name for due in work.due for name in due.group.artifacts]
    said = (activity for name in own for activity in activities[name])
    named = assembly.identities_named((loaded.artifacts[name] for name in own), said)
    await people.hold(bulk, touched)
    known = await people.load(bulk, named)
    rows = []
    for due in work.due:
        await turns.give()  # to whoever shares the loop: the API, the feed
        try:
            row = _fold_one(due, loaded, activities, known, configuration)
        except Exception as error:
            work.failed[due.group.request] = f"{type(error).__name__} while it was put together"
            work.failed_in.add(due.component)
            logger.exception("request.fold.failed", extra={"request": due.group.request})
            continue
        rows.append(row if _changed(row, before.get(row.id)) else replace(row, same=True))
    return rows, known


def _fold_one(
    due: _Due, loaded: Loaded, activities: dict[str, list[Activity]], known: Known, configuration: Configuration
) -> RequestRow:
    artifacts = [loaded.artifacts[name] for name in due.group.artifacts]
    said = [activity for artifact in artifacts for activity in activities[artifact.id]]
    who = assembly.who(artifacts, said, known)
    told = assembly.request_input(due.group, due.programmes, loaded, activities, who, configuration.shows_restricted)
    return assembly.request_row(told, fold(told, configuration.stage_map), due.component, due.basis)


def _changed(row: RequestRow, stored: StoredRequest | None) -> bool:
    return stored is None or (stored.etag, stored.basis, stored.component, stored.problem) != (
        row.etag, row.basis, row.component, row.problem,
    )  # fmt: skip
