"""Why two artifacts belong together, or why they do not: correlated from what is stored, by the configuration as it is.

Reads only, takes no lock, and a number of statements that does not depend on how much hangs together.
"""

import asyncio
from collections import defaultdict
from collections.abc import Callable, Iterable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, replace
from datetime import datetime

import orjson
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from pipelines import assembly
from pipelines.correlate import correlate, dating
from pipelines.correlate.paths import ends
from pipelines.correlate.reasons import Reason, Said, Shared, reason
from pipelines.correlate.rules import Rules, fingerprint
from pipelines.dependencies import names_of
from pipelines.references import AROUND, search
from pipelines.store import components, configuration
from pipelines.store.bulk import Bulk
from pipelines.store.components import Loaded, StoredArtifact
from pipelines.store.configuration import Configuration
from pipelines.store.encoding import activity_of
from pipelines.store.stamps import MAPPING_VERSION
from pipelines.store.tables import members
from schemas.artifacts import Activity, ActivityKind, Evidence, Text
from schemas.canonical import parse_instant
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
    version: str
    """Of the rules by which it is so, as `version_of` gives it."""
    brought: dict[str, str]
    """Artifact to the connection that brought it, of all that hang together with either."""


Reading = Callable[[], AbstractAsyncContextManager[AsyncConnection]]
"""Opens a connection for reading."""


async def why(reading: Reading, left: str, right: str) -> Why:
    """The answer about two artifacts that are stored.

    Raises RetryLater where one was read just now and what it belongs to is still being found.
    """
    async with reading() as connection:
        snapshot = await configuration.load(connection)
        loaded = await _load(connection, {left, right}, snapshot.rules)
    # What joins leads from one component to another only where something new is still to be understood. What only
    # quotes, or names a generic value, finds its other end.
    both = assembly.component_of(loaded, sorted(loaded.artifacts))
    # In a thread, and with no connection held: of thousands of artifacts it takes a while, and others wait.
    found = await asyncio.to_thread(_reason, both, snapshot.rules, left, right)
    async with reading() as connection:
        happened = await _happened(connection, found)
    shown = _Shown(loaded.artifacts, happened, snapshot)
    words = {said.link: shown.words(said.link) for said in (*found.steps, *found.against)}
    asked = [node for node in both.nodes if node.artifact in {left, right}]
    dated = _dated(found, both.nodes, happened, snapshot.rules)
    told = replace(dated, shared=tuple(shown.shared(one, asked) for one in dated.shared))
    brought = {name: one.connection for name, one in loaded.artifacts.items()}
    return Why(told, words, version_of(snapshot.rules), brought)


def version_of(rules: Rules) -> str:
    """The version of all rules together: what this release makes of stored events, and a fingerprint of what is
    configured. Equal versions give equal answers."""
    return f"{MAPPING_VERSION}-{fingerprint(rules)}"


def _reason(component: Component, rules: Rules, left: str, right: str) -> Reason:
    return reason(component, correlate(component, rules), rules, left, right)


async def _load(connection: AsyncConnection, wanted: set[str], rules: Rules) -> Loaded:
    """The components of the artifacts wanted."""
    their = select(members.c.component).where(members.c.artifact.in_(sorted(wanted))).distinct()
    names = list((await connection.execute(their)).scalars())
    loaded = await components.look(Bulk(connection), names, rules)
    if not wanted <= loaded.artifacts.keys():
        raise RetryLater("it was read just now, and what it belongs to is still being found")
    return loaded


async def _happened(connection: AsyncConnection, found: Reason) -> dict[str, list[Activity]]:
    """What happened to the artifacts in the answer, as far as it says when evidence came to be and who may read it."""
    told = {end for said in (*found.steps, *found.against) for end in ends(said.link)} | {found.left, found.right}
    sql = (
        "SELECT artifact, body FROM activities WHERE artifact IN {keys} AND NOT withdrawn AND kind IN (:a, :b, :c, :d)"
    )
    kinds = dict(zip("abcd", (ActivityKind.COMMENTED.value, *dating.KINDS), strict=True))
    happened: dict[str, list[Activity]] = defaultdict(list)
    for artifact, body in await Bulk(connection).by_keys(sql, told, **kinds):
        happened[artifact].append(activity_of(orjson.loads(body)))
    return happened


def _dated(found: Reason, nodes: Iterable[Node], happened: dict[str, list[Activity]], rules: Rules) -> Reason:
    ends_of = {end for said in (*found.steps, *found.against) for end in ends(said.link)}
    told = {node.artifact: node for node in nodes if node.artifact in ends_of}
    known_as = {name: names_of(node.artifact, node.references) for name, node in told.items()}

    def began(artifact: str, field: str) -> datetime | None:
        node = told[artifact]
        whole = node.created_at and field in rules.of(node.connection).whole_histories
        return parse_instant(node.created_at) if whole and node.created_at else None

    def dated(all_said: Iterable[Said]) -> tuple[Said, ...]:
        return tuple(replace(said, since=dating.since(said.link, known_as, happened, began)) for said in all_said)

    return replace(found, steps=dated(found.steps), against=dated(found.against))


@dataclass(frozen=True, slots=True)
class _Shown:
    """What may be shown of texts, to who may read links."""

    artifacts: dict[str, StoredArtifact]
    happened: dict[str, list[Activity]]
    snapshot: Configuration

    def words(self, link: Link) -> Words:
        """The words around a link's place. They are of the artifact whose text names the other."""
        if not link.around:
            return Words()
        names_only = self.artifacts[link.from_artifact].connection in self.snapshot.names_only
        if names_only or self._restricted(link.from_artifact, link.field):
            return Words(hidden=True)
        return Words(link.around, _marked(link))

    def shared(self, one: Shared, ends: Iterable[Node]) -> Shared:
        """A value that both ends name, without itself where one of them names it in restricted text only."""
        for end in ends:
            fields = {reference.field for reference in end.references if reference.key == one.key}
            if all(self._restricted(end.artifact, field) for field in fields):
                return replace(one, key=None)
        return one

    def _restricted(self, artifact: str, field: str) -> bool:
        """Whether only some of the tool's users may read the artifact, or this comment of it."""
        stored = self.artifacts[artifact]
        if stored.connection in self.snapshot.shows_restricted:
            return False
        audience = stored.value("audience")
        said = (one for one in self.happened.get(artifact, ()) if one.field == field)
        return (isinstance(audience, dict) and audience.get("level") == "restricted") or any(
            one.audience.level == "restricted" for one in said
        )


def _marked(link: Link) -> tuple[int, int] | None:
    """Where the value stands in the words around it; None where it cannot be told."""
    if link.end - link.start >= AROUND:
        return 0, len(link.around)
    kind, _, value = link.key.partition("|")
    for one in search(Text(link.field, link.around, Evidence.QUOTED)).references:
        if (one.kind, one.value) == (kind, value):
            return one.start, one.end
    return None
