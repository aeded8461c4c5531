"""The configuration that correlation and the fold depend on, as an explicit snapshot."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any

import orjson
from sqlalchemy import delete, select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from pipelines.correlate.rules import ConnectionRules, Rules
from pipelines.lifecycle.stages import StageMap
from pipelines.store import outcomes, tables
from pipelines.store.bulk import Bulk
from schemas.artifacts import State
from schemas.canonical import canonical_json
from schemas.stages import StageRule


@dataclass(frozen=True, slots=True)
class Chosen:
    """What a person chose for one connection. It comes before what its connector and its options say."""

    stages: tuple[StageRule, ...] = ()
    """Rows that are asked before the connector's."""
    link_kinds: dict[str, str] = field(default_factory=dict)
    """Relations in lower case to what they do; over the connector's."""
    openers: frozenset[str] | None = None
    """Types that open a request; None: as its options say."""
    projects: frozenset[str] = frozenset()
    """Keys of projects that are its own besides those of its options."""
    scopes: frozenset[str] = frozenset()
    """Further ways in which addresses name it."""
    reference_fields: dict[str, str] = field(default_factory=dict)
    """Fields that are meant for references; see ConnectionRules."""

    def told(self) -> dict[str, Any]:
        """As JSON values."""
        told = {
            "stages": [_stage_row(rule) for rule in self.stages],
            "link_kinds": self.link_kinds,
            "openers": sorted(self.openers) if self.openers is not None else None,
            "projects": sorted(self.projects),
            "scopes": sorted(self.scopes),
        }
        return told | ({"reference_fields": self.reference_fields} if self.reference_fields else {})

    @classmethod
    def of(cls, told: dict[str, Any]) -> "Chosen":
        """What told gave."""
        openers = told["openers"]
        return cls(
            stages=tuple(_stage_rule(row) for row in told["stages"]),
            link_kinds=told["link_kinds"],
            openers=frozenset(openers) if openers is not None else None,
            projects=frozenset(told["projects"]),
            scopes=frozenset(told["scopes"]),
            reference_fields=told.get("reference_fields", {}),
        )


ALL = ""
"""In place of a connection's name: what was chosen for all."""

NOTHING = Chosen()
"""No choice: everything as the connector and the options say."""


@dataclass(frozen=True, slots=True)
class ConnectionConfiguration:
    """What one connection adds to the rules: its connector's defaults, its options, and what a person chose."""

    connector: str
    projects: frozenset[str] = frozenset()
    scopes: frozenset[str] = frozenset()
    link_kinds: dict[str, str] = field(default_factory=dict)
    openers: frozenset[str] | None = None
    stages: tuple[StageRule, ...] = ()
    """The connector's rows."""
    shows_restricted: bool = False
    names_only: bool = False
    """Of texts it keeps only what they name: no words around a place are shown."""
    whole_histories: frozenset[str] = frozenset()
    """See ConnectionRules."""
    chosen: Chosen = NOTHING

    def to_json(self) -> str:
        """As canonical text."""
        told = {
            "projects": sorted(self.projects),
            "scopes": sorted(self.scopes),
            "link_kinds": self.link_kinds,
            "openers": sorted(self.openers) if self.openers is not None else None,
            "stages": [_stage_row(rule) for rule in self.stages],
            "shows_restricted": self.shows_restricted,
        }
        if self.names_only:
            told["names_only"] = True
        if self.whole_histories:
            told["whole_histories"] = sorted(self.whole_histories)
        if self.chosen != NOTHING:
            told["chosen"] = self.chosen.told()
        return canonical_json(told)

    @classmethod
    def from_json(cls, connector: str, text: str) -> "ConnectionConfiguration":
        """What to_json wrote."""
        told: dict[str, Any] = orjson.loads(text)
        openers = told["openers"]
        return cls(
            connector=connector,
            projects=frozenset(told["projects"]),
            scopes=frozenset(told["scopes"]),
            link_kinds=told["link_kinds"],
            openers=frozenset(openers) if openers is not None else None,
            stages=tuple(_stage_rule(row) for row in told["stages"]),
            shows_restricted=told["shows_restricted"],
            names_only=told.get("names_only", False),
            whole_histories=frozenset(told.get("whole_histories", ())),
            chosen=Chosen.of(told["chosen"]) if "chosen" in told else NOTHING,
        )

    def rows(self) -> tuple[StageRule, ...]:
        """Its part of the stage map, in the order in which rows are asked."""
        return self.chosen.stages + self.stages

    def rules(self) -> ConnectionRules:
        """Its part of the rules of correlation."""
        chosen = self.chosen
        kinds: dict[str, Any] = {**self.link_kinds, **chosen.link_kinds}
        return ConnectionRules(
            self.connector,
            self.projects | chosen.projects,
            self.scopes | chosen.scopes,
            kinds,
            self.openers if chosen.openers is None else chosen.openers,
            chosen.reference_fields,
            self.whole_histories,
        )


@dataclass(frozen=True, slots=True)
class Installation:
    """What a person chose for all connections together. What is None is as pipelines.correlate.rules.Rules says."""

    digest: int | None = None
    generic: int | None = None
    component: int | None = None
    exclusive: frozenset[str] | None = None
    called_generic: frozenset[str] = frozenset()
    called_specific: frozenset[str] = frozenset()

    def to_json(self) -> str:
        """As canonical text, without what was not chosen."""
        told = {name: getattr(self, name) for name in self.__slots__}
        return canonical_json(
            {name: sorted(one) if isinstance(one, frozenset) else one for name, one in told.items() if one}
        )

    @classmethod
    def from_json(cls, text: str) -> "Installation":
        """What to_json wrote."""
        told: dict[str, Any] = orjson.loads(text)
        given: dict[str, Any] = {name: frozenset(one) if isinstance(one, list) else one for name, one in told.items()}
        return cls(**given)

    def rules(self, connections: Mapping[str, ConnectionRules]) -> Rules:
        """The rules of correlation, with each connection's part."""
        chosen = {name: one for name in self.__slots__ if (one := getattr(self, name))}
        return Rules(connections=connections, **chosen)


NO_CHOICE = Installation()


@dataclass(frozen=True, slots=True)
class Configuration:
    """The whole snapshot."""

    rules: Rules
    stage_map: StageMap
    shows_restricted: frozenset[str] = frozenset()
    names_only: frozenset[str] = frozenset()
    """Connections that keep only what texts name."""


async def load(connection: AsyncConnection, *, hold: bool = False) -> Configuration:
    """The configuration as it is now, of all connections.

    hold: for who writes by it. Nobody changes the rules then before the transaction ends, so that whoever changes them
    finds all that was computed by the older ones. (On SQLite see `outcomes`: a changed rule counts as an outcome.)
    """
    if hold and connection.dialect.name == "postgresql":
        await connection.execute(text("LOCK TABLE rules IN ROW SHARE MODE"))
    return _combined(await _rows(connection))


async def every(connection: AsyncConnection) -> dict[str, ConnectionConfiguration]:
    """What each connection adds, by its name; also of connections that were removed."""
    return {name: ConnectionConfiguration.from_json(*told) for name, *told in await _rows(connection) if name}


async def installation(connection: AsyncConnection) -> Installation:
    """What was chosen for all connections together."""
    row = (await connection.execute(select(tables.rules).where(tables.rules.c.connection == ALL))).first()
    return Installation() if row is None else Installation.from_json(row.configuration)


async def choose_for_all(connection: AsyncConnection, chosen: Installation) -> None:
    """Store what was chosen for all connections together, in place of what was chosen before."""
    await _alone(connection)
    await Bulk(connection).insert(tables.rules, [(ALL, "", chosen.to_json())], "replace")


async def _rows(connection: AsyncConnection) -> tuple[tuple[str, str, str], ...]:
    rows = await connection.execute(select(tables.rules).order_by(tables.rules.c.connection))
    return tuple((row.connection, row.connector, row.configuration) for row in rows)


@lru_cache(maxsize=4)
def _combined(rows: tuple[tuple[str, str, str], ...]) -> Configuration:
    """The snapshot of these rows; its stage map remembers what it was asked, so equal rows give the same object."""
    made = {name: ConnectionConfiguration.from_json(connector, text) for name, connector, text in rows if name}
    chosen = next((Installation.from_json(text) for name, _, text in rows if name == ALL), Installation())
    return combine(made, chosen)


def combine(connections: dict[str, ConnectionConfiguration], chosen: Installation = NO_CHOICE) -> Configuration:
    """One snapshot of all connections' configuration. Rows of one connection's stage map apply to it alone."""
    rules = {name: one.rules() for name, one in connections.items()}
    stages = tuple(
        StageRule(r.connector, r.kind, r.type, r.status, r.stage, r.state, r.reason, name, r.waiting)
        for name, one in sorted(connections.items())
        for r in one.rows()
    )
    shown = frozenset(name for name, one in connections.items() if one.shows_restricted)
    named = frozenset(name for name, one in connections.items() if one.names_only)
    return Configuration(chosen.rules(rules), StageMap(stages), shown, named)


async def write(connection: AsyncConnection, name: str, configuration: ConnectionConfiguration) -> None:
    """Store what a connection's connector and options say. What a person chose for it before stays."""
    await _alone(connection)
    known = await _locked(connection, name)
    if known is not None and configuration.chosen == NOTHING:
        configuration = replace(configuration, chosen=known.chosen)
    await _store(connection, name, configuration)


async def forget(connection: AsyncConnection, name: str) -> None:
    """Take away all that a connection adds to the rules, with what a person chose for it."""
    await _alone(connection)
    await connection.execute(delete(tables.rules).where(tables.rules.c.connection == name))


async def choose(connection: AsyncConnection, name: str, chosen: Chosen) -> bool:
    """Store what a person chose for a connection, in place of what was chosen before. False: nothing is known of it."""
    await _alone(connection)
    known = await _locked(connection, name)
    if known is None:
        return False
    await _store(connection, name, replace(known, chosen=chosen))
    return True


async def _alone(connection: AsyncConnection) -> None:
    """Wait for who computes by the rules as they are, and let nobody begin before the transaction ends."""
    bulk = Bulk(connection)
    if bulk.dialect == "postgresql":
        await connection.execute(text("LOCK TABLE rules IN EXCLUSIVE MODE"))
    await outcomes.count(bulk, await outcomes.newest(bulk))


async def _locked(connection: AsyncConnection, name: str) -> ConnectionConfiguration | None:
    wanted = select(tables.rules).where(tables.rules.c.connection == name).with_for_update()
    row = (await connection.execute(wanted)).first()
    return None if row is None else ConnectionConfiguration.from_json(row.connector, row.configuration)


async def _store(connection: AsyncConnection, name: str, configuration: ConnectionConfiguration) -> None:
    row = (name, configuration.connector, configuration.to_json())
    await Bulk(connection).insert(tables.rules, [row], "replace")


def _stage_row(rule: StageRule) -> list[str | None]:
    state = rule.state.value if rule.state else None
    return [rule.connector, rule.kind, rule.type, rule.status, rule.stage, state, rule.reason, rule.waiting]


def _stage_rule(row: list[Any]) -> StageRule:
    connector, kind, type_, status, stage, state, reason, waiting = row
    return StageRule(connector, kind, type_, status, stage, State(state) if state else None, reason, "", waiting)
