"""Which keys stored secrets are sealed with, and sealing them all with the first one."""

from collections import Counter
from dataclasses import dataclass
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from pipelines.store.engine import writing
from services.admin import audit
from services.admin.equipment import Equipment
from services.admin.saving import Who
from services.feed import connections
from services.security import BadSeal, KeyRing, key_id_of


@dataclass(frozen=True, slots=True)
class Standing:
    """Under which keys secrets are sealed."""

    sealing: str
    """Id of the key that seals."""
    present: tuple[str, ...]
    """Ids of all keys of the ring, that one first."""
    secrets: dict[str, int]
    """Key id to how many secrets it sealed; "" for damaged ones."""
    unreadable: dict[str, tuple[str, ...]]
    """Connection to its secrets that no key of the ring opens."""

    @property
    def older(self) -> int:
        """Secrets that the ring opens by another key than the first."""
        return sum(count for key, count in self.secrets.items() if key != self.sealing and key in self.present)

    def told(self) -> dict[str, Any]:
        """As JSON."""
        return {
            "sealing": self.sealing, "present": list(self.present), "secrets": self.secrets,
            "unreadable": {name: list(fields) for name, fields in self.unreadable.items()},
        }  # fmt: skip


async def standing(connection: AsyncConnection, keys: KeyRing) -> Standing:
    """How it is now. Opens nothing."""
    counted: Counter[str] = Counter()
    unreadable: dict[str, tuple[str, ...]] = {}
    for one in await connections.every(connection):
        ids = {field: _key_of(sealed, field) for field, sealed in one.secrets.items()}
        counted.update(ids.values())
        lost = tuple(sorted(field for field, key in ids.items() if key not in keys.key_ids))
        if lost:
            unreadable[one.id] = lost
    return Standing(keys.key_ids[0], keys.key_ids, dict(counted), unreadable)


def _key_of(sealed: str, field: str) -> str:
    try:
        return key_id_of(sealed, field)
    except BadSeal:
        return ""


async def rotate(parts: Equipment, who: Who) -> Standing:
    """Seal every secret with the first key, in one transaction. What cannot be opened stays as it is."""
    async with writing(parts.engine) as connection:
        before = await standing(connection, parts.keys)
        await connections.reseal(connection, parts.keys)
        after = await standing(connection, parts.keys)
        if after != before:
            told = (before.secrets, after.secrets)
            keys = [{"sealed by key": one} for one in told]
            await audit.note(connection, who.caller, "keys.rotated", "keys", keys[0], keys[1], parts.now(), who.where)
    return after
