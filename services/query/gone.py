"""What is still known of an id of which nothing is stored: where it led, when it ended, which decisions name it."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import String, column, exists, func, select, table
from sqlalchemy.ext.asyncio import AsyncConnection

from pipelines.correlate.explain import day
from pipelines.store.metadata import Instant
from pipelines.store.tables import artifacts, changes, decided
from schemas.artifacts import request_id
from schemas.canonical import instant

FORM = "A request id is R- and twelve capital letters and digits from 2 to 7, such as R-MZXW6YTBOI3D"
"""What an id looks like."""

_AUDIT = table("audit", column("at", Instant), column("action", String), column("object", String))
"""What may be read of the audit here: when connections were removed."""
_MOST_NAMED = 10_000
"""Things that decisions name and that are not stored, looked through at most."""


@dataclass(frozen=True, slots=True)
class Gone:
    """What became of it. at: when that was published; change: under which number."""

    said: str = ""
    """In one sentence without its full stop."""
    at: datetime | None = None
    change: int | None = None
    led_to: str | None = None
    decisions: tuple[int, ...] = ()
    """Numbers of those that name it."""

    def told(self) -> dict[str, Any]:
        """As JSON values."""
        return {
            "said": self.said, "at": instant(self.at) if self.at else None, "change": self.change,
            "merged_into": self.led_to, "decisions": self.decisions,
        }  # fmt: skip


async def became(connection: AsyncConnection, ids: set[str], names: set[str]) -> dict[str, Gone]:
    """What is known of these request ids and ids of artifacts, none of which is stored; none of what was never known.

    Takes three statements, whatever their number.
    """
    found = await _requests(connection, ids)
    owners, numbers = await _named(connection, ids, names)
    for name, owner in owners.items():
        found[name] = replace(found.get(name, Gone()), decisions=tuple(sorted(numbers[owner])))
    removed = await _removed(connection, {*owners.values(), *names})
    found |= {name: found.get(name, Gone()) for name in names if _scope(name) in removed}
    return {name: replace(one, said=_said(one, _scope(owners.get(name, name)), removed)) for name, one in found.items()}


def _said(one: Gone, scope: str, removed: Mapping[str, datetime]) -> str:
    if one.led_to:
        words = [f"It became part of {one.led_to} on {_on(one)}, and nothing of that is stored any more either"]
    elif one.at:
        words = [f"It was a request until {_on(one)}; nothing of it is stored any more"]
    else:
        words = ["Nothing of it is stored any more"]
    if scope in removed:
        words.append(f"the connection {scope} was removed on {day(instant(removed[scope]))} with what it brought")
    if one.decisions:
        names = "decision {} names it" if len(one.decisions) == 1 else "decisions {} name it"
        words.append(names.format(", ".join(map(str, one.decisions))))
    return "; ".join(words)


def _on(one: Gone) -> str:
    return f"{day(instant(one.at))} (change {one.change})" if one.at else ""


async def _requests(connection: AsyncConnection, ids: set[str]) -> dict[str, Gone]:
    """What the newest change of each says: where it leads, or that it ended."""
    if not ids:
        return {}
    newer = changes.alias("newer")
    last = ~exists().where(newer.c.request == changes.c.request, newer.c.number > changes.c.number)
    rows = await connection.execute(select(changes).where(changes.c.request.in_(ids), last))
    return {row.request: Gone(at=row.at, change=row.number, led_to=row.merged_into) for row in rows}


async def _named(
    connection: AsyncConnection, ids: set[str], names: set[str]
) -> tuple[dict[str, str], dict[str, list[int]]]:
    """Request ids and ids of artifacts to the artifact meant, where decisions name it; and to these their numbers."""
    stored = exists().where(artifacts.c.id == decided.c.name)
    wanted = select(decided.c.name, decided.c.number).where(~stored).order_by(decided.c.number).limit(_MOST_NAMED)
    if not ids:
        wanted = wanted.where(decided.c.name.in_(names))
    owners: dict[str, str] = {}
    numbers: dict[str, list[int]] = defaultdict(list)
    for name, number in await connection.execute(wanted):
        numbers[name].append(number)
        owners |= {one: name for one in (name, request_id(name)) if one in names or one in ids}
    return owners, numbers


async def _removed(connection: AsyncConnection, names: set[str]) -> dict[str, datetime]:
    """When connections of these artifacts were last removed with what they brought."""
    scopes = {f"connection {_scope(name)}" for name in names}
    if not scopes:
        return {}
    wanted = select(_AUDIT.c.object, func.max(_AUDIT.c.at, type_=Instant)).group_by(_AUDIT.c.object)
    wanted = wanted.where(_AUDIT.c.object.in_(scopes), _AUDIT.c.action == "connection.removed with what it brought")
    return {name.removeprefix("connection "): at for name, at in await connection.execute(wanted)}


def _scope(artifact: str) -> str:
    """What an artifact's id begins with: its connection's name."""
    return artifact.partition("/")[0]
