"""What would become of things that are not stored: which open a request, which join one and why, where they stand."""

from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, replace
from typing import Any, Literal

from sqlalchemy.ext.asyncio import AsyncConnection

from pipelines.correlate import correlate
from pipelines.correlate.rules import Rules
from pipelines.lifecycle.stages import Placement, place, read_status
from pipelines.store import configuration
from pipelines.store.configuration import Configuration, ConnectionConfiguration
from schemas.artifacts import Evidence
from schemas.links import Component, Group, Groups
from services.admin.sampling import Sample, Thing
from services.admin.words import counted
from services.query import reading
from services.query.database import Database
from services.query.reading import Known

Becomes = Literal["opens", "joins", "outside", "programme"]

_NO_TIE = frozenset({Evidence.QUOTED, Evidence.WITHDRAWN})


@dataclass(frozen=True, slots=True)
class Verdict:
    """What would become of one thing."""

    thing: Thing
    becomes: Becomes
    says: str
    """In a sentence."""
    request: str | None = None
    """The request it would join, where that is stored already."""
    joins: str | None = None
    """What it would join, as people call it."""
    why: str | None = None


async def configured_with(connection: AsyncConnection, name: str, own: ConnectionConfiguration) -> Configuration:
    """Everything that is configured, with this connection as it would be; what a person chose for it stays."""
    every = await configuration.every(connection)
    chosen = every[name].chosen if name in every else own.chosen
    made = {**every, name: replace(own, chosen=chosen)}
    return configuration.combine(made, await configuration.installation(connection))


async def stored_matches(database: Database, found: Sample, outside: Set[str] = frozenset()) -> dict[str, list[Known]]:
    """By reference key: what is stored already that things of the sample name. outside: connections that are not to be
    told of."""
    keys = {one.key for thing in found.things for one in thing.references if one.evidence not in _NO_TIE}
    async with database.reading() as connection:
        known = await reading.known(connection, keys)
    return {key: [one for one in those if one.connection not in outside] for key, those in known.items()}


def verdicts(found: Sample, rules: Rules, matches: Mapping[str, list[Known]], most: int) -> list[Verdict]:
    """Of the first things, each with what would become of it."""
    groups = correlate(Component(tuple(thing.node() for thing in found.things)), rules)
    by_artifact = {name: group for group in groups.requests for name in group.artifacts}
    called = {thing.artifact: thing.called for thing in found.things}
    return [_verdict(one, by_artifact.get(one.artifact), groups, called, matches) for one in found.things[:most]]


def _verdict(
    thing: Thing, group: Group | None, groups: Groups, called: Mapping[str, str], matches: Mapping[str, list[Known]]
) -> Verdict:
    known = _joined_stored(thing, matches)
    if known:
        key, one = known
        where = f", in {one.request}" if one.request else ""
        other = f"{one.kind} {one.natural_key or one.native_id}"
        why = next((f"{told.relation}, {told.evidence.value}" for told in thing.references if told.key == key), None)
        return Verdict(thing, "joins", f"joins {other}, read already{where}", one.request, other, why)
    if group is None:
        return _outside(thing, groups)
    if group.anchor != thing.artifact:
        why = next((link.why for link in group.links if thing.artifact in (link.from_artifact, link.to_artifact)), "")
        other = called.get(group.anchor, group.anchor)
        return Verdict(thing, "joins", f"joins {other}" + (f": {why}" if why else ""), None, other, why or None)
    others = len(group.artifacts) - 1
    more = f", which {counted(others, 'other thing')} here join{'s' if others == 1 else ''}" if others else ""
    return Verdict(thing, "opens", f"opens a request{more}")


def _outside(thing: Thing, groups: Groups) -> Verdict:
    programme = next((one for one in groups.programmes if one.artifact == thing.artifact), None)
    if programme:
        return Verdict(thing, "programme", f"a programme of {counted(len(programme.requests), 'request')}")
    return Verdict(thing, "outside", "stays outside: it opens no request, and nothing here that does is named")


def _joined_stored(thing: Thing, matches: Mapping[str, list[Known]]) -> tuple[str, Known] | None:
    """What is stored of other connections that it names; what is stored of itself is not counted."""
    keys = [one.key for one in thing.references if one.evidence not in {Evidence.IDENTITY, *_NO_TIE}]
    found = ((key, one) for key in keys for one in matches.get(key, ()) if one.artifact != thing.artifact)
    return next(found, None)


def placed(thing: Thing, by: Configuration) -> Placement:
    """The stage and state it would stand in by itself."""
    status = read_status(thing.fields.get("status"))
    return place(by.stage_map, thing.connection, thing.connector, thing.kind, thing.fields.get("type"), status)


def told(judged: Sequence[Verdict], by: Configuration) -> list[dict[str, Any]]:
    """The verdicts as JSON."""
    return [_told(one, placed(one.thing, by)) for one in judged]


def _told(one: Verdict, where: Placement) -> dict[str, Any]:
    thing, status = one.thing, read_status(one.thing.fields.get("status"))
    return {
        "artifact": thing.artifact,
        "kind": thing.kind,
        "called": thing.called,
        "title": thing.fields.get("title"),
        "url": thing.fields.get("url"),
        "type": thing.fields.get("type"),
        "changed_at": thing.fields.get("updated_at") or thing.fields.get("created_at"),
        "status": status.label if status else None,
        "stage": where.stage,
        "state": where.state.value if where.state else None,
        "mapped": where.row is not None,
        "mapped_by": where.reason,
        "becomes": one.becomes,
        "says": one.says,
        "request": one.request,
        "joins": one.joins,
        "why": one.why,
        "names": thing.names,
    }


def unknown_statuses(things: Iterable[Thing], by: Configuration) -> list[dict[str, Any]]:
    """Statuses that no row of the stage map knows, with how many of these things stand in each."""
    found: dict[tuple[str, str | None, str], int] = {}
    for thing in things:
        status = read_status(thing.fields.get("status"))
        if status is not None and placed(thing, by).row is None:
            key = (thing.kind, thing.fields.get("type"), status.label)
            found[key] = found.get(key, 0) + 1
    most = sorted(found.items(), key=lambda pair: (-pair[1], str(pair[0])))
    return [{"kind": kind, "type": type_, "status": label, "things": count} for (kind, type_, label), count in most]
