"""Compute everything anew beside the running hub, with progress."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta

from rich.console import Console
from rich.progress import BarColumn, TextColumn, TimeElapsedColumn
from rich.progress import Progress as Bars

from pipelines import suggested_anew
from pipelines.ingest import Ingest
from pipelines.lifecycle.summary import lasted
from pipelines.rebuild import Difference, Outcome, Progress, Rebuild
from pipelines.store.engine import AWAY, why_away
from pipelines.store.leases import LeaseLost
from pipelines.suggesting import Suggesting
from schemas.errors import Misconfigured, RetryLater
from services import migrations
from services.cli.installation import Installation, now
from services.cli.terminal import EXIT_MISCONFIGURED, must_exist
from services.cli.words import counted

_SAY_EVERY = 5.0
"""Seconds between two lines of progress where the output is no terminal."""


async def rebuild(made: Installation, screen: Console, errors: Console, *, check: bool) -> int:
    """Compute anew and swap, or only compare. Raises Misconfigured, RetryLater; then nothing has changed."""
    must_exist(made)
    try:
        found = await _found(made, errors, check=check)
    except AWAY as error:
        raise RetryLater(f"the database stopped it: {why_away(error)}; what is in use is whole") from None
    if isinstance(found, Outcome):
        screen.print(told(found), markup=False)
        return 0
    screen.print(compared(found), markup=False)
    return EXIT_MISCONFIGURED if found else 0


async def _found(made: Installation, errors: Console, *, check: bool) -> Outcome | list[Difference]:
    async with made.engine() as engine:
        if await migrations.current(engine) != migrations.head():
            raise Misconfigured("The database's tables are of another release", "Run `throughline migrate` first")
        mappings = {name: one.map for name, one in made.catalogue.items()}
        telling = Ingest(engine, mappings, now, "rebuild").telling
        with shown(errors, time.monotonic) as progress:
            work = Rebuild(engine, telling, now, made.holder, progress)
            try:
                if not check:
                    return await work.swap()
                found = await work.check()
                errors.print("comparing what is suggested ...", markup=False)
                suggesting = Suggesting(engine, now, made.holder)
                return [*found, *await suggested_anew.check(engine, suggesting)]
            except LeaseLost:
                raise RetryLater("it paused for so long that another rebuild took over; nothing has changed") from None


def told(done: Outcome) -> str:
    """What a rebuild did."""
    lines = [
        f"Computed anew from {counted(done.events, 'source event')}: {counted(done.changed, 'request')} changed, "
        f"{counted(done.ended, 'id')} ended or redirect now."
    ]
    if done.changed or done.ended:
        lines.append("The running hub publishes these changes.")
    if done.set_aside:
        lines.append(f"{counted(done.set_aside, 'source event')} set aside: see `throughline dead-letters list`.")
    if done.rules_changed:
        lines.append("Configuration changed meanwhile: the running hub goes over everything once more.")
    return "\n".join(lines)


def compared(found: list[Difference]) -> str:
    """Where what is in use is not what its inputs say."""
    if not found:
        return "Nothing differs: everything is what its inputs say."
    lines = [
        f"{one.table}: {counted(one.stale, 'row')} computed otherwise now, {counted(one.missing, 'row')} missing"
        f" (such as {', '.join(one.keys)})"
        for one in found
    ]
    return "\n".join(
        [*lines, "`throughline rebuild` puts it right; requests that change are told to who follows changes."]
    )


@contextmanager
def shown(errors: Console, clock: Callable[[], float]) -> Iterator[Callable[[Progress], None]]:
    """Progress as a bar on a terminal, as a line now and then elsewhere."""
    said = Estimate(clock)
    if not errors.is_terminal:
        yield said.lines(lambda line: errors.print(line, markup=False))
        return
    with Bars(BarColumn(), TextColumn("{task.description}"), TimeElapsedColumn(), console=errors) as bars:
        bar = bars.add_task("getting ready", total=None)

        def show(progress: Progress) -> None:
            bars.update(bar, completed=progress.done, total=progress.total, description=said.words(progress))

        yield show


class Estimate:
    """How long a rebuild will still take, by how long it has taken so far."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._began = clock()
        self._said = self._began

    def words(self, progress: Progress) -> str:
        """`1,500 of about 9,000 source events, about 3 minutes to go`."""
        count = f"{progress.done:,} of about {progress.total:,} source events"
        took = self._clock() - self._began
        if progress.done >= progress.total or took < 2:
            return count
        left = took / progress.done * (progress.total - progress.done)
        return f"{count}, {f'about {lasted(timedelta(seconds=left))}' if left >= 60 else 'less than a minute'} to go"

    def lines(self, say: Callable[[str], None]) -> Callable[[Progress], None]:
        """A line every few seconds, and one at the end."""

        def show(progress: Progress) -> None:
            if progress.done >= progress.total or self._clock() - self._said >= _SAY_EVERY:
                self._said = self._clock()
                say(self.words(progress))

        return show
