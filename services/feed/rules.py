"""What a connection adds to the rules of correlation and to the stage map, read off its connector and its options."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from pydantic import BaseModel
from sqlalchemy.ext.asyncio import AsyncConnection

from connectors.contract import Connector, TellsHistories
from pipelines.addresses import record_in
from pipelines.references import scope_of
from pipelines.store import configuration
from pipelines.store.configuration import ConnectionConfiguration
from pipelines.store.pending import ask_everything


def configuration_of(connector: Connector, options: BaseModel, seen: Iterable[str] = ()) -> ConnectionConfiguration:
    """The configuration of a connection with these options.

    seen: further scopes by which addresses name it, as scopes_in finds them in what the tool itself says.
    """
    told: Mapping[str, Any] = {name: getattr(options, name) for name in type(options).model_fields}
    scopes = {scope_of(str(told[name])) for name in ("base_url", "app_url") if told.get(name)}
    if told.get("portal"):
        scopes.add(f"hubspot:{told['portal']}")
    openers = told.get("opener_types")
    return ConnectionConfiguration(
        connector=connector.name,
        projects=frozenset(told.get("projects") or ()),
        scopes=frozenset({*scopes, *seen} - {""}),
        link_kinds=dict(connector.link_kinds),
        openers=frozenset(openers) if openers else None,
        stages=tuple(connector.stages),
        shows_restricted=bool(told.get("read_restricted")),
        names_only=told.get("keep") == "references",
        whole_histories=_whole(connector),
    )


def _whole(connector: object) -> frozenset[str]:
    return connector.whole_histories if isinstance(connector, TellsHistories) else frozenset()


def scopes_in(addresses: Iterable[str | None]) -> frozenset[str]:
    """The scopes of the records that a tool's own addresses show: an account's number that no option states."""
    records = (record_in(address) for address in addresses if address)
    return frozenset(record[1] for record in records if record)


async def refresh(connection: AsyncConnection, catalogue: Mapping[str, Connector], at: datetime) -> list[str]:
    """Bring what connectors say by themselves up to this release, and ask that all be computed again if it differs.

    What a person chose and what options say stays. Returns the connections whose rules changed.
    """
    changed = []
    for name, stored in (await configuration.every(connection)).items():
        connector = catalogue.get(stored.connector)
        if connector is None:
            continue
        now = replace(
            stored,
            link_kinds=dict(connector.link_kinds),
            stages=tuple(connector.stages),
            whole_histories=_whole(connector),
        )
        if now != stored:
            await configuration.write(
                connection, name, replace(now, chosen=configuration.NOTHING)
            )  # keeps what was chosen
            changed.append(name)
    if changed:
        await ask_everything(connection, "this release maps otherwise by default", at)
    return changed
