"""Values of filters that nothing can have: "nothing fits" would hide a mistake in typing."""

from collections.abc import Iterable
from dataclasses import dataclass

from sqlalchemy import select

from pipelines.store.tables import facets
from schemas.canonical import storable
from schemas.stages import NOT_MAPPED, STAGES
from services.query.database import Database
from services.query.searching import Search


@dataclass(frozen=True, slots=True)
class Unknown:
    """A filter with such a value."""

    name: str
    known: tuple[str, ...]
    """What may be given; empty: nothing, since there is no connection."""

    @property
    def mend(self) -> str:
        """What to do."""
        if not self.known:
            return "add a connection first (`throughline connections add`)"
        *most, last = self.known
        return f"give {', '.join(most)} or {last}" if most else f"give {last}"


async def unknown(database: Database, search: Search, connections: Iterable[tuple[str, str]]) -> Unknown | None:
    """The first filter with a value that is neither configured nor on any request; connections: (id, connector)."""
    pairs = sorted(connections)
    configured = {
        "stage": (*STAGES, NOT_MAPPED),
        "tool": tuple(sorted({connector for _, connector in pairs})),
        "connection": tuple(name for name, _ in pairs),
    }
    for name, known in configured.items():
        for value in getattr(search, name):
            if value not in known and not await _on_a_request(database, name, value):
                return Unknown(name, known)
    return None


async def _on_a_request(database: Database, kind: str, value: str) -> bool:
    """Whether some request has it: what a removed connection brought is kept."""
    wanted = select(facets.c.request).where(facets.c.kind == kind, facets.c.value == storable(value)).limit(1)
    return bool(await database.rows(wanted))
