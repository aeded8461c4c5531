"""What a process does at its start, before its roles run: tables, stamps, keys, memory; and what it says of itself."""

import asyncio
import ctypes
import gc
import logging
import sys
from collections.abc import Awaitable, Callable, Sequence
from importlib import import_module
from types import ModuleType

from sqlalchemy.ext.asyncio import AsyncEngine

from pipelines.store import stamps
from pipelines.store.engine import AWAY, reading, refused, why_away, writing
from schemas.errors import Misconfigured
from services import migrations
from services.cli.installation import Installation
from services.feed import connections

logger = logging.getLogger("throughline")

Tell = Callable[[str], None]

_ARENA_MAX = -8
GIVE_BACK = 5.0
"""Seconds between two times that free memory is given back."""

LATER = 1.5
"""Seconds after the start when that begins which nobody waits for."""

_MEND_DATABASE = "Correct THROUGHLINE_DATABASE_URL; a damaged file needs a backup in its place"


async def upgraded(engine: AsyncEngine, tell: Tell, pause: float = 2.0) -> None:
    """Bring the database up to this release; wait for it, saying once why."""
    told = ""
    while True:
        try:
            return await migrations.upgrade(engine)
        except AWAY as error:
            if problem := refused(error):
                raise Misconfigured(f"The database cannot be used: {problem}", _MEND_DATABASE) from None
            if (reason := why_away(error)) != told:
                told = reason
                tell(f"waiting for the database: {reason}")
        await asyncio.sleep(pause)


async def stamped(engine: AsyncEngine) -> None:
    """Note with what facts are made here from now on; say once where those that are stored are of another version."""
    async with writing(engine) as connection:
        await stamps.begin(connection)
        says = await stamps.outdated(connection)
    if says:
        logger.warning("mapping.version.differs", extra={"says": f"{says}. {stamps.MEND}"})


async def keys_told(installation: Installation, engine: AsyncEngine, tell: Tell) -> None:
    """Say at once that the key of stored secrets is gone; lookups and what needs no secret go on."""
    settings = installation.settings
    if settings.secret_key or settings.secret_key_file.exists():
        return
    async with reading(engine) as connection:
        sealed = [one.id for one in await connections.every(connection) if one.secrets]
    if sealed:
        tell(
            f"The key file {settings.secret_key_file} is gone, a new one is made. The secrets of {', '.join(sealed)} "
            "cannot be opened without the old one: bring it back from its backup, or give them again with "
            "`throughline connections change NAME --secret OPTION`"
        )


def loaded(module: str) -> "asyncio.Future[ModuleType]":
    """A module that takes long to load, loaded in a thread while others are waited for."""
    return asyncio.get_running_loop().run_in_executor(None, import_module, module)


async def later(work: Callable[[], Awaitable[object]], seconds: float = LATER) -> None:
    """Work that nobody waits for at a start: the first seconds belong to what brings the first requests."""
    await asyncio.sleep(seconds)
    await work()


def calm_collector() -> None:
    """Batches make many objects that live for a moment and hold no circles: look for circles less often.

    Saves a quarter of ingest's CPU time; what was loaded at the start is never looked at again. Nor is it now: a look
    through all of it takes a tenth of a second, and finds next to nothing.
    """
    gc.freeze()
    gc.set_threshold(50_000, 20, 100)


def few_heaps() -> None:
    """Let all threads share two heaps of the C library's. It would make up to eight a processor, and what is free in
    one of them serves no other (glibc's mallopt(3), M_ARENA_MAX). To be called before there are threads.
    """
    if mallopt := _of_glibc("mallopt"):
        mallopt(_ARENA_MAX, 2)


async def give_back(pause: float = GIVE_BACK) -> None:
    """Give free memory back to the system, for ever (glibc's malloc_trim(3), some milliseconds; other C libraries have
    none): it keeps what lies below something in use, and each large batch leaves a little more of that.
    """
    if trim := _of_glibc("malloc_trim"):
        while True:
            await asyncio.sleep(pause)
            await asyncio.to_thread(trim, 0)


def _of_glibc(name: str) -> Callable[..., int] | None:
    """A function of the C library; None where it is another one that has none."""
    return getattr(ctypes.CDLL(None), name, None) if sys.platform == "linux" else None


def said_to_run(roles: Sequence[str], where: Sequence[str], *, whole: bool) -> str:
    """What runs, and where it listens. whole: these are all roles; some of them are not the hub."""
    one, places = len(set(roles)) == 1, f"{': ' if where else ''}{', '.join(where)}"
    if whole:
        return f"The hub runs{places}. Ctrl-C ends it."
    named = " and ".join(dict.fromkeys(roles))
    told = f"The role {named} of the hub runs" if one else f"The roles {named} of the hub run"
    return f"{told}{places}. Ctrl-C ends {'it' if one else 'them'}."
