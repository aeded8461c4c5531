"""Find, lock and load the components that a batch touches; write back who belongs where.

A component is what hangs together by shared values; correlation decides inside it. Everything derived of a component
(members, requests, facets) is written only by who holds its row. Two workers that bring two ends of one value meet at
the value's row first (facts.merge), so that the later one sees the earlier one's end here.
"""

from collections import Counter, defaultdict
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

import orjson

from pipelines.correlate.rules import Rules
from pipelines.store import aside, decisions, deferred, pending, people, tables
from pipelines.store.bulk import Bulk
from pipelines.store.decisions import Decisions
from pipelines.store.encoding import reference_of
from pipelines.store.facts import Supposing, Touched
from pipelines.turns import Turns
from schemas.artifacts import Reference, request_id

# Where very many hold a value, one component stands for them.
_HOLDERS = """SELECT DISTINCT CASE WHEN m.component IS NULL THEN v.artifact END, m.component
    FROM artifact_values v LEFT JOIN members m ON m.artifact = v.artifact WHERE v.value IN {keys}"""
_STRONG_HOLDERS = _HOLDERS + " AND v.strong = TRUE"

MANY_NAMED = 200
"""Requests that one batch folds anew because somebody in them goes by another name now."""


@dataclass(frozen=True, slots=True)
class StoredArtifact:
    """An artifact as it stands: merged from all its tellings."""

    id: str
    connection: str
    connector: str
    kind: str
    fields: dict[str, list[Any]]
    """Field to [order, rank, value]."""
    references: tuple[Reference, ...]
    """Of all parts that stand, with where they stand."""

    def value(self, name: str) -> Any:
        """A field's value; None where nothing states it."""
        return self.fields[name][2] if name in self.fields else None


@dataclass(slots=True)
class Loaded:
    """The touched components with everything that correlation needs."""

    components: set[str]
    """The rows held."""
    sizes: dict[str, int] = field(default_factory=dict)
    """How many artifacts each of them had."""
    artifacts: dict[str, StoredArtifact] = field(default_factory=dict)
    component_of: dict[str, str] = field(default_factory=dict)
    """Of artifacts that were in one before."""
    request_of: dict[str, str | None] = field(default_factory=dict)
    edges: list[tuple[str, str]] = field(default_factory=list)
    """(artifact, value) for every value that may join it."""
    mentions: dict[str, int] = field(default_factory=dict)
    """Value to how many artifacts mention it, for those above the limit."""
    decisions: Decisions = field(default_factory=Decisions)
    """What people decided about the artifacts."""


Locked = Callable[[], Awaitable[None]]
"""Called when components are locked, before they are loaded."""


async def nothing_more() -> None:
    """What there is to do then, if nothing else is said."""


async def load(bulk: Bulk, touched: Touched, locked: Locked = nothing_more) -> Loaded:
    """Lock the components that `touched` concerns, and load them.

    Works in a transaction that only reads where rows need no lock; raises aside.Large there where something is to be
    left aside. On PostgreSQL an artifact that is in no component yet is one by itself while it is looked at: two
    workers that begin with it at once would not see each other.
    """
    await people.settle(bulk, touched)
    known_otherwise = await people.concerned(bulk, touched.identities)
    held: dict[str, int] = {}
    placed: set[str] = set()
    while True:
        artifacts, wanted, alone = await _concerned(bulk, touched, known_otherwise)
        if await deferred.gather(bulk, touched, artifacts | wanted):
            continue
        if bulk.dialect == "postgresql" and not alone <= held.keys():
            new = dict.fromkeys(alone - held.keys(), 0)
            await bulk.insert(tables.components, new.items(), "ignore")
            held |= new
            placed |= new.keys()
            continue
        if wanted <= held.keys():
            break
        # Whoever held one of them may have changed its bounds meanwhile: look again.
        held |= await _lock(bulk, wanted, touched)
    await locked()
    loaded = Loaded(wanted | placed, {name: held[name] for name in wanted | placed})
    await _load_members(bulk, loaded, artifacts, Turns(generous=touched.however_large))
    await _load_edges(bulk, loaded, touched.rules, touched.supposing)
    return loaded


async def _lock(bulk: Bulk, wanted: set[str], touched: Touched) -> dict[str, int]:
    """Lock components. Returns how many artifacts each has; very large ones may be left aside instead, unlocked."""
    most = 2**31 - 1 if touched.however_large else aside.LARGE
    sql = "SELECT id, size FROM components WHERE id IN {keys} AND size <= :most ORDER BY id{lock}"
    held = {row[0]: row[1] for row in await bulk.by_keys(sql, wanted, most=most)}
    if missing := wanted - held.keys():
        sql = "SELECT id FROM components WHERE id IN {keys} AND size > :most"
        large = {row[0] for row in await bulk.by_keys(sql, missing, most=most)}
        if large:
            await aside.put(bulk, touched, large)
        held |= dict.fromkeys(missing - large, 0)  # gone meanwhile, or nobody's yet
    return held


async def look(bulk: Bulk, component: str | Iterable[str], rules: Rules) -> Loaded:
    """Load one component, or several, as they are stored, without a lock: for who only reads."""
    loaded = Loaded({component} if isinstance(component, str) else set(component))
    await _load_members(bulk, loaded, (), Turns(generous=False))
    await _load_edges(bulk, loaded, rules)
    return loaded


async def _concerned(bulk: Bulk, touched: Touched, known_otherwise: set[str]) -> tuple[set[str], set[str], set[str]]:
    """The artifacts that are touched or in no component yet, all components concerned, and those that are in none.

    known_otherwise: identities around which records may be made otherwise.
    """
    holders = [*await bulk.by_keys(_HOLDERS, touched.values), *await bulk.by_keys(_STRONG_HOLDERS, touched.generic)]
    artifacts = touched.artifacts | {row[0] for row in holders if row[0] is not None}
    rows = await bulk.by_keys("SELECT artifact, component FROM members WHERE artifact IN {keys}", artifacts)
    alone = artifacts - {row[0] for row in rows} - touched.left_aside
    components = {row[1] for row in rows} | {row[1] for row in holders if row[1] is not None}
    components |= await _named_in(bulk, touched, known_otherwise)
    return artifacts - touched.left_aside, (components | touched.components) - touched.too_large, alone


async def _named_in(bulk: Bulk, touched: Touched, known_otherwise: set[str]) -> set[str]:
    """Components whose records are made from one of these; of very many, recompute takes care in bounded steps."""
    if not touched.identities:
        return set()
    rows = await bulk.by_keys(f"SELECT id, component {pending.NAMING} LIMIT {MANY_NAMED + 1}", known_otherwise)
    if len(rows) > MANY_NAMED:
        touched.many_named |= touched.identities
        touched.identities.clear()
        return set()
    touched.named_in |= {row[0] for row in rows}
    return {row[1] for row in rows}


async def _load_members(bulk: Bulk, loaded: Loaded, artifacts: Iterable[str], turns: Turns) -> None:
    sql = "SELECT artifact, component, request FROM members WHERE component IN {keys}"
    for artifact, component, request in await bulk.by_keys(sql, loaded.components):
        loaded.component_of[artifact] = component
        loaded.request_of[artifact] = request
    everyone = set(artifacts) | set(loaded.component_of)
    sql = "SELECT id, connection, connector, kind, fields FROM artifacts WHERE id IN {keys}"
    rows = await bulk.by_keys(sql, everyone)
    fields: dict[str, dict[str, list[Any]]] = {}
    for row in rows:
        fields[row[0]] = orjson.loads(row[4])
        await turns.give()
    references = await _references(bulk, fields, turns)
    for name, connection, connector, kind, _ in rows:
        found = tuple(references.get(name, ()))
        loaded.artifacts[name] = StoredArtifact(name, connection, connector, kind, fields[name], found)


async def _references(bulk: Bulk, fields: dict[str, dict[str, list[Any]]], turns: Turns) -> dict[str, list[Reference]]:
    sql = 'SELECT artifact, part, "order", candidates FROM parts WHERE artifact IN {keys} ORDER BY artifact, part'
    references: dict[str, list[Reference]] = defaultdict(list)
    for artifact, part, order, candidates in await bulk.by_keys(sql, fields):
        if stands(part, order, fields[artifact]):
            references[artifact] += (reference_of(row) for row in orjson.loads(candidates))
        await turns.give()
    return references


def stands(part: str, order: int, fields: dict[str, list[Any]]) -> bool:
    """Whether a part still stands by the artifact's own list of standing parts (its field `standing`)."""
    if "standing" not in fields:
        return True
    as_of, _, lists = fields["standing"]
    return order > as_of or not any(part.startswith(prefix) and part not in lists[prefix] for prefix in lists or ())


async def _load_edges(bulk: Bulk, loaded: Loaded, rules: Rules, supposing: Supposing | None = None) -> None:
    sql = "SELECT DISTINCT artifact, value, strong FROM artifact_values WHERE artifact IN {keys}"
    rows = await bulk.by_keys(sql, loaded.artifacts)
    sql = f"SELECT value, mentions FROM reference_values WHERE value IN {{keys}} AND mentions > {int(rules.generic)}"  # noqa: S608
    loaded.mentions = {row[0]: row[1] for row in await bulk.by_keys(sql, {row[1] for row in rows})}
    own = await _names_of_meaningless(bulk, rules)
    loaded.edges = [
        (artifact, value)
        for artifact, value, strong in rows
        if not rules.is_generic(value, 0 if strong else loaded.mentions.get(value, 0))
        and (artifact not in own or value in own[artifact])
    ]
    loaded.decisions = await decisions.load(bulk, loaded.artifacts)
    if supposing:
        loaded.decisions = Decisions.of(supposing(loaded.decisions.held))
    loaded.edges += loaded.decisions.edges(loaded.artifacts)


async def _names_of_meaningless(bulk: Bulk, rules: Rules) -> dict[str, set[str]]:
    """Artifacts that are known as a value which somebody called generic, with all that they are known as: what they
    state of others joins nothing."""
    sql = """SELECT DISTINCT o.artifact, o.value FROM artifact_values o WHERE o.names_itself AND o.artifact IN
        (SELECT artifact FROM artifact_values WHERE value IN {keys} AND strong = TRUE AND names_itself = TRUE)"""
    found: dict[str, set[str]] = defaultdict(set)
    for artifact, value in await bulk.by_keys(sql, rules.called_generic):
        found[artifact].add(value)
    return found


async def unchanged(bulk: Bulk, loaded: Loaded) -> bool:
    """Whether the artifacts loaded belong where they belonged then, and nothing else to their components."""
    sql = "SELECT artifact, component, request FROM members WHERE {column} IN {{keys}}"
    rows = {
        tuple(row)
        for column, keys in (("artifact", loaded.artifacts), ("component", loaded.components))
        for row in await bulk.by_keys(sql.format(column=column), keys)
    }
    return rows == {(name, component, loaded.request_of.get(name)) for name, component in loaded.component_of.items()}


async def write_members(
    bulk: Bulk, loaded: Loaded, component_of: dict[str, str], request_of: dict[str, str], limit: int
) -> None:
    """Write where every loaded artifact belongs now, which components there are, and what holds the largest together.

    limit: of artifacts, up to which a value is nothing to speak of.
    """
    rows = [
        (artifact, component, request_id(artifact), request_of.get(artifact))
        for artifact, component in component_of.items()
        if loaded.component_of.get(artifact) != component or loaded.request_of.get(artifact) != request_of.get(artifact)
    ]
    now = Counter(component_of.values())
    changed = [(name, size) for name, size in now.items() if loaded.sizes.get(name) != size]
    await bulk.insert(tables.components, changed, "replace")
    await bulk.insert(tables.members, rows, "replace")
    await bulk.by_keys("DELETE FROM components WHERE id IN {keys}", loaded.components - now.keys())
    await aside.name_glue(bulk, loaded.components, component_of, loaded.edges, limit)
