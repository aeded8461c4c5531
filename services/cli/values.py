"""`throughline values`: what very many artifacts carry, and whether it joins them."""

from dataclasses import asdict
from typing import TYPE_CHECKING

import orjson
from rich.console import Console
from rich.text import Text

from pipelines.store import configuration
from pipelines.store.configuration import ALL
from pipelines.store.engine import reading
from schemas.errors import Misconfigured
from services.admin import rules_values
from services.cli.choosing import Chooser, choose
from services.cli.terminal import NotFound, opened, write_line
from services.cli.words import counted

if TYPE_CHECKING:
    from services.cli.installation import Installation


async def show(made: "Installation", screen: Console, *, for_programs: bool) -> None:
    """Print them, those of most artifacts first."""
    async with opened(made) as (engine, _), reading(engine) as connection:
        listed = await rules_values.found(connection)
    for one in listed:
        if for_programs:
            write_line(orjson.dumps(asdict(one.common) | {"state": one.state}).decode())
        else:
            screen.print(Text(one.words).append(f"\n    {one.state}", style="dim"))
    if not listed and not for_programs:
        screen.print("No value is on so many artifacts that it would be generic.")


async def call(made: "Installation", reference: str, meaning: str, chooser: Chooser) -> None:
    """Say that a value is `generic` (it joins nothing), `specific` (it joins all that name it), or `found` (as the
    data say). Tells first what would change. Raises NotFound for a value that nothing carries."""
    async with opened(made) as (engine, _):
        async with reading(engine) as connection:
            try:
                one = await rules_values.meant(connection, reference)
            except Misconfigured as error:
                raise NotFound(error.problem, error.mend, error.field) from None
            before = await configuration.installation(connection)
        words = f"{rules_values.written(one.value)} is on {counted(one.carried, 'artifact')}."
        chooser.screen.print(Text(words))
        await choose(engine, ALL, before, one.called(before, meaning), chooser)
