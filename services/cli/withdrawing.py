"""Connections that a file takes away: those that it names as removed, and with --remove those that it does not name."""

from collections.abc import Mapping

from pipelines.store.engine import reading, writing
from schemas.errors import Misconfigured
from services.admin import removal
from services.admin.conditions import Acting
from services.admin.removing import forgotten
from services.cli import removing
from services.cli.applying import Applier, Step
from services.cli.filing import Filed
from services.cli.terminal import WrongUse
from services.cli.typist import typist
from services.feed.connections import StoredConnection

KEEP, DROP = "keep", "drop"
"""What becomes of what it brought: it stays, or goes, too."""
KEY = "removed"


def way(entry: Filed) -> str | None:
    """How the file says that a connection is removed; None: it is not. Raises Misconfigured by line and column."""
    if KEY not in entry.told:
        return None
    text = entry.text(KEY)
    if text not in (KEEP, DROP):
        problem = f"{text or 'nothing'} does not say what becomes of what it brought"
        raise entry.wrong((KEY,), problem, "Write keep (it stays) or drop (it goes, too)")
    others = [key for key in entry.told if key != KEY]
    if others:
        problem = f"{others[0]} stands beside {KEY}"
        raise entry.wrong((others[0],), problem, f"Leave it out, for the connection goes; or leave out {KEY}")
    return text


def told(filed: Filed, remove: str | None) -> None:
    """Raises Misconfigured where all would go because the file speaks of none, WrongUse for no way of removing."""
    if remove is None:
        return
    if remove not in (KEEP, DROP):
        raise WrongUse(
            f"--remove {remove} does not say what becomes of what they brought: "
            "say --remove keep (it stays) or --remove drop (it goes, too)."
        )
    if "connections" not in filed.told:
        raise Misconfigured(
            f"{filed.path} speaks of no connections, and --remove would take all of them",
            "Write connections: {} if that is meant", "connections",
        )  # fmt: skip


async def withdrawing(applier: Applier, stored: Mapping[str, StoredConnection], ways: Mapping[str, str]) -> list[Step]:
    """Removing those that are there. ways: name to KEEP or DROP."""
    return [await _withdrawing(applier, stored[name], ways[name]) for name in ways if name in stored]


async def _withdrawing(applier: Applier, one: StoredConnection, how: str) -> Step:
    left = await removing.left(applier.made, applier.parts, one, unregister=applier.unregister)
    told = [left] if left else []
    if how == KEEP:
        line = "What it brought stays in the requests, and is never brought up to date again"
        return Step(f"{one.id}: to be removed", [line, *told], lambda: _kept(applier, one))
    async with reading(applier.engine) as connection:
        loss = await removal.loss(connection, one.id)

    async def carry_out() -> None:
        await _unregistered(applier, one)
        await removing.with_what_it_brought(applier.made, applier.engine, one.id, loss, applier.now)

    return Step(f"{one.id}: to be removed with what it brought", [removing.said(loss), *told], carry_out)


async def _kept(applier: Applier, one: StoredConnection) -> None:
    await _unregistered(applier, one)
    async with writing(applier.engine) as connection:
        await forgotten(Acting(applier.parts, typist(), None), connection, one.id, None)


async def _unregistered(applier: Applier, one: StoredConnection) -> None:
    if applier.unregister:
        await removing.unregistered(applier.made, applier.parts, one, applier.screen)
