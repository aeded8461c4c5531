"""Commands for who runs the hub."""

from collections.abc import Callable

from services import migrations
from services.cli.installation import Installation
from services.cli.terminal import database_errors


async def migrate(installation: Installation, tell: Callable[[str], None]) -> int:
    """Bring the database up to this release. RetryLater where it is away, Misconfigured where it cannot be used."""
    with database_errors(installation.settings):
        async with installation.engine() as engine:
            before = await migrations.current(engine)
            await migrations.upgrade(engine)
    after = migrations.head()
    tell(f"The database is at {after}" + ("" if before == after else f", from {before or 'empty'}"))
    return 0
