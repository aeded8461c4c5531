"""Why two artifacts belong together, or why they do not: correlated from what is stored, by the configuration as it is.

Reads only, takes no lock, and a number of statements that does not depend on how much hangs together.
"""

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass, field

import orjson
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from pipelines import assembly
from pipelines.correlate import correlate
from pipelines.correlate.reasons import Reason, reason
from pipelines.correlate.rules import Rules
from pipelines.references import AROUND, search
from pipelines.store import components, configuration
from pipelines.store.bulk import Bulk
from pipelines.store.components import StoredArtifact
from pipelines.store.configuration import Configuration
from pipelines.store.tables import members
from schemas.artifacts import Evidence, Text
from schemas.decisions import Decision
from schemas.errors import RetryLater
from schemas.links import Component, Link, Node


@dataclass(frozen=True, slots=True)
class Words:
    """The words around the place of a link, as far as they may be shown."""

    around: str | None = None
    """At most 120 characters; None: there are none, or they are left out."""
    marked: tuple[int, int] | None = None
    """Where in them the value stands."""
    hidden: bool = False
    """There are some, and who may read the link may not read them."""


@dataclass(frozen=True, slots=True)
class Why:
    """The answer about two artifacts, with the words that may be shown."""

    reason: Reason
    words: dict[Link, Words]
    """Of every link in the answer."""


@dataclass(slots=True)
class _Stored:
    """The components of both artifacts, as correlation is told of them."""

    nodes: list[Node] = field(default_factory=list)
    counts: dict[str, int] = field(default_factory=dict)
    decisions: dict[int, Decision] = field(default_factory=dict)
    artifacts: dict[str, StoredArtifact] = field(default_factory=dict)

    def component(self) -> Component:
        """Both as one: nothing that joins leads from one to the other, so the requests are those of each alone."""
        return Component(
            tuple(self.nodes), self.counts, tuple(self.decisions[number] for number in sorted(self.decisions))
        )


async def why(connection: AsyncConnection, left: str, right: str) -> Why:
    """The answer about two artifacts that are stored.

    Raises RetryLater where one was read just now and what it belongs to is still being found.
    """
    snapshot = await configuration.load(connection)
    stored = await _load(connection, {left, right}, snapshot)
    # In a thread: of thousands of artifacts it takes a while, and others wait for this loop.
    found = await asyncio.to_thread(_reason, stored.component(), snapshot.rules, left, right)
    return Why(found, await _words(connection, found, stored.artifacts, snapshot))


def _reason(component: Component, rules: Rules, left: str, right: str) -> Reason:
    return reason(component, correlate(component, rules), rules, left, right)


async def _load(connection: AsyncConnection, ends: set[str], snapshot: Configuration) -> _Stored:
    bulk = Bulk(connection)
    wanted = select(members.c.component).where(members.c.artifact.in_(sorted(ends))).distinct()
    stored = _Stored()
    for name in sorted((await connection.execute(wanted)).scalars()):
        loaded = await components.look(bulk, name, snapshot.rules.generic)
        part = assembly.component_of(loaded, sorted(loaded.artifacts))
        stored.nodes += part.nodes
        stored.counts |= part.counts
        stored.decisions |= {one.number: one for one in part.decisions}
        stored.artifacts |= loaded.artifacts
    if not ends <= stored.artifacts.keys():
        raise RetryLater("it was read just now, and what it belongs to is still being found")
    return stored


async def _words(
    connection: AsyncConnection, found: Reason, artifacts: dict[str, StoredArtifact], snapshot: Configuration
) -> dict[Link, Words]:
    links = {said.link: None for said in (*found.steps, *found.against)}
    # What stands in a text is told from the artifact whose text it is.
    speaking = {link: link.from_artifact for link in links if link.around}
    shut = {name for name in speaking.values() if _shut(artifacts[name], snapshot)}
    asked = {name for name in speaking.values() if artifacts[name].connection not in snapshot.shows_restricted}
    places = await _restricted_places(connection, asked - shut)
    return {
        link: _shown(link, hidden=speaking[link] in shut or (speaking[link], link.field) in places)
        if link in speaking
        else Words()
        for link in links
    }


def _shut(artifact: StoredArtifact, snapshot: Configuration) -> bool:
    """Whether no words of an artifact are shown: its tool restricts it, or its connection keeps only names."""
    audience = artifact.value("audience")
    restricted = isinstance(audience, dict) and audience.get("level") == "restricted"
    return (restricted and artifact.connection not in snapshot.shows_restricted) or (
        artifact.connection in snapshot.names_only
    )


async def _restricted_places(connection: AsyncConnection, artifacts: Iterable[str]) -> set[tuple[str, str]]:
    """(artifact, field) of what was said to some of the tool's users only."""
    sql = "SELECT artifact, body FROM activities WHERE artifact IN {keys} AND kind = 'commented'"
    told = [(artifact, orjson.loads(body)) for artifact, body in await Bulk(connection).by_keys(sql, artifacts)]
    return {
        (artifact, body["field"])
        for artifact, body in told
        if body.get("field") and body.get("audience", ["open"])[0] == "restricted"
    }


def _shown(link: Link, *, hidden: bool) -> Words:
    return Words(hidden=True) if hidden else Words(link.around, _marked(link))


def _marked(link: Link) -> tuple[int, int] | None:
    """Where the value stands in the words around it; None where it cannot be told."""
    if link.end - link.start >= AROUND:
        return 0, len(link.around)
    kind, _, value = link.key.partition("|")
    for one in search(Text(link.field, link.around, Evidence.QUOTED)).references:
        if (one.kind, one.value) == (kind, value):
            return one.start, one.end
    return None
