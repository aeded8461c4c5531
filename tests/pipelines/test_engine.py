"""Which of its connections an engine uses."""

from pathlib import Path

from sqlalchemy.ext.asyncio import AsyncConnection

from pipelines.store.engine import open_engine, reading


async def used(connection: AsyncConnection) -> int:
    """Which of the database's connections this is."""
    return id((await connection.get_raw_connection()).driver_connection)


async def test_one_after_the_other_uses_one_connection_and_its_pages(tmp_path: Path) -> None:
    engine = open_engine(f"sqlite+aiosqlite:///{tmp_path / 'hub.db'}")
    try:
        async with reading(engine) as one, reading(engine) as other:
            at_once = {await used(one), await used(other)}
        alone = []
        for _ in range(4):
            async with reading(engine) as each:
                alone.append(await used(each))
    finally:
        await engine.dispose()
    assert len(at_once) == 2
    assert len(set(alone)) == 1
    assert set(alone) < at_once
