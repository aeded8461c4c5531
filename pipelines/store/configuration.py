"""The configuration that correlation and the fold depend on, as an explicit snapshot."""

from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import orjson
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from pipelines.correlate.rules import ConnectionRules, Rules
from pipelines.lifecycle.stages import StageMap
from pipelines.store import tables
from pipelines.store.bulk import Bulk
from schemas.artifacts import State
from schemas.canonical import canonical_json
from schemas.stages import StageRule


@dataclass(frozen=True, slots=True)
class ConnectionConfiguration:
    """What one connection adds to the rules; written when the connection is added or changed."""

    connector: str
    projects: frozenset[str] = frozenset()
    scopes: frozenset[str] = frozenset()
    link_kinds: dict[str, str] = field(default_factory=dict)
    openers: frozenset[str] | None = None
    stages: tuple[StageRule, ...] = ()
    """Own rows first, then the connector's defaults."""
    shows_restricted: bool = False

    def to_json(self) -> str:
        """As canonical text."""
        return canonical_json(
            {
                "projects": sorted(self.projects),
                "scopes": sorted(self.scopes),
                "link_kinds": self.link_kinds,
                "openers": sorted(self.openers) if self.openers is not None else None,
                "stages": [_stage_row(rule) for rule in self.stages],
                "shows_restricted": self.shows_restricted,
            }
        )

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
        )


@dataclass(frozen=True, slots=True)
class Configuration:
    """The whole snapshot."""

    rules: Rules
    stage_map: StageMap
    shows_restricted: frozenset[str] = frozenset()


async def load(connection: AsyncConnection) -> Configuration:
    """The configuration as it is now, of all connections."""
    rows = (await connection.execute(select(tables.rules).order_by(tables.rules.c.connection))).all()
    return _combined(tuple((row.connection, row.connector, row.configuration) for row in rows))


@lru_cache(maxsize=4)
def _combined(rows: tuple[tuple[str, str, str], ...]) -> Configuration:
    """The snapshot of these rows; its stage map remembers what it was asked, so equal rows give the same object."""
    return combine({name: ConnectionConfiguration.from_json(connector, text) for name, connector, text in rows})


def combine(connections: dict[str, ConnectionConfiguration]) -> Configuration:
    """One snapshot of all connections' configuration. Rows of one connection's stage map apply to it alone."""
    rules = {
        name: ConnectionRules(one.connector, one.projects, one.scopes, one.link_kinds, one.openers)  # type: ignore[arg-type]
        for name, one in connections.items()
    }
    stages = tuple(
        StageRule(r.connector, r.kind, r.type, r.status, r.stage, r.state, r.reason, name, r.waiting)
        for name, one in sorted(connections.items())
        for r in one.stages
    )
    shown = frozenset(name for name, one in connections.items() if one.shows_restricted)
    return Configuration(Rules(connections=rules), StageMap(stages), shown)


async def write(connection: AsyncConnection, name: str, configuration: ConnectionConfiguration) -> None:
    """Store what a connection adds."""
    row = (name, configuration.connector, configuration.to_json())
    await Bulk(connection).insert(tables.rules, [row], "replace")


def _stage_row(rule: StageRule) -> list[str | None]:
    state = rule.state.value if rule.state else None
    return [rule.connector, rule.kind, rule.type, rule.status, rule.stage, state, rule.reason, rule.waiting]


def _stage_rule(row: list[Any]) -> StageRule:
    connector, kind, type_, status, stage, state, reason, waiting = row
    return StageRule(connector, kind, type_, status, stage, State(state) if state else None, reason, "", waiting)
