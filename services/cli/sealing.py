"""`throughline keys`: which keys seal stored secrets, and sealing all of them with the first."""

from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING

import orjson
from rich.console import Console

from pipelines.store.engine import reading
from services.admin import sealing
from services.admin.saving import Who
from services.admin.sealing import Standing
from services.cli.equipping import equipment
from services.cli.terminal import EXIT_MISCONFIGURED, opened, write_line
from services.cli.typist import typist
from services.cli.words import counted

if TYPE_CHECKING:
    from services.cli.installation import Installation


async def status(made: "Installation", screen: Console, *, for_programs: bool) -> int:
    """Tell under which keys secrets are sealed; EXIT_MISCONFIGURED where some cannot be opened."""
    async with opened(made) as (engine, _), reading(engine) as connection:
        found = await sealing.standing(connection, made.keys)
    if for_programs:
        write_line(orjson.dumps(found.told()).decode())
    else:
        screen.print(said(found), markup=False)
    return EXIT_MISCONFIGURED if found.unreadable else 0


async def rotate(made: "Installation", now: Callable[[], datetime], screen: Console) -> int:
    """Seal all with the first key; EXIT_MISCONFIGURED where some cannot be opened."""
    async with opened(made) as (engine, _):
        found = await sealing.rotate(equipment(made, engine, now=now), Who(typist()))
    screen.print(said(found), markup=False)
    return EXIT_MISCONFIGURED if found.unreadable else 0


def said(found: Standing) -> str:
    """How it is, in words."""
    sealed = found.secrets.get(found.sealing, 0)
    lines = [f"Key {found.sealing} seals. It sealed {counted(sealed, 'secret')}."]
    for key in found.present[1:]:
        number = found.secrets.get(key, 0)
        what = f"sealed {counted(number, 'secret')} yet: run `throughline keys rotate`" if number else (
            "sealed nothing any more: take it out of THROUGHLINE_SECRET_KEY or the key file, and keep it with backups "
            "that are older"
        )  # fmt: skip
        lines.append(f"Key {key} {what}.")
    for name, fields in found.unreadable.items():
        options = " ".join(f"--secret {one}" for one in fields)
        lines.append(
            f"{name}: {', '.join(fields)} cannot be opened, their key is not here. Bring it back, or give them again: "
            f"`throughline connections change {name} {options}`. How far it was read stays."
        )
    return "\n".join(lines)
