"""What a connection brought so far, as its census needs it."""

from collections.abc import Iterator, Mapping

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from connectors.ids import Ids
from pipelines.store.tables import artifacts

_AT_ONCE = 5_000


class Known(Mapping[str, str]):
    """Artifact ids of a connection, held small: 8 MB for a million things whose tool numbers them.

    Fingerprints are empty: the census tells anew what its tool gives no time stamp.
    """

    def __init__(self) -> None:
        self._of: dict[str, Ids] = {}

    def add(self, names: list[str]) -> None:
        """More of them."""
        found: dict[str, list[str]] = {}
        for name in names:
            start, _, native = name.rpartition("/")
            found.setdefault(start, []).append(native)
        for start, native_ids in found.items():
            self._of.setdefault(start, Ids()).update(native_ids)

    def __getitem__(self, name: str) -> str:
        start, _, native = name.rpartition("/")
        if native in self._of.get(start, ()):
            return ""
        raise KeyError(name)

    def __iter__(self) -> Iterator[str]:
        for start, native_ids in self._of.items():
            for native in native_ids:
                yield f"{start}/{native}"

    def __len__(self) -> int:
        return sum(map(len, self._of.values()))


async def artifacts_of(connection: AsyncConnection, name: str) -> Known:
    """All that a connection brought, read in parts."""
    known = Known()
    wanted = select(artifacts.c.id).where(artifacts.c.connection == name)
    async with connection.stream_scalars(wanted.execution_options(yield_per=_AT_ONCE)) as rows:
        async for some in rows.partitions():
            known.add(list(some))
    return known
