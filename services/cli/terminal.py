"""What commands print to, how they end, and the reader's own time zone."""

import asyncio
import signal
import sys
import warnings
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable, Iterator
from contextlib import asynccontextmanager, contextmanager
from datetime import UTC, datetime, timedelta, tzinfo
from getpass import GetPassWarning
from typing import TYPE_CHECKING, Any

import typer
from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment
from typing_extensions import override

from schemas.errors import Misconfigured, RetryLater

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncEngine

    from services.cli.installation import Installation
    from services.query.database import Database
    from services.settings import Settings

EXIT_WRONG_USE, EXIT_MISCONFIGURED, EXIT_UNAVAILABLE, EXIT_NOT_FOUND, EXIT_INTERRUPTED = 2, 3, 4, 5, 130
"""Exit codes: 0 well, 1 unexpected, 2 wrong use, 3 a person must mend something, 4 try again later, 5 not found."""
EXIT_REFUSED = 6
"""A decision was not taken: another one stands in the way, or something changed meanwhile."""

UNAVAILABLE = 503
"""Status by which the API says that the database cannot be used now."""

PLAIN_WIDTH = 100
"""Columns where the output is no terminal."""

SECONDS = 10.0
"""A statement of a command may take so long."""


class Screen(Console):
    """A console on which no text that somebody wrote in a tool can command the terminal."""

    @override
    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        """As rich does, without control characters (escape sequences begin with one)."""
        for text, style, control in super().render(renderable, options):
            yield Segment(text, style, control) if control else Segment(text.translate(_CONTROLS), style)


_CONTROLS = {
    code: "\N{REPLACEMENT CHARACTER}" for code in (*range(0x20), *range(0x7F, 0xA0)) if chr(code) not in "\n\t"
}

errors = Screen(stderr=True, highlight=False, soft_wrap=True)


class WrongUse(typer.BadParameter):
    """A command that lacks something, told in a sentence of its own."""

    @override
    def format_message(self) -> str:
        """The sentence."""
        return self.message


class NotFound(Misconfigured):
    """What a command was asked about is not here: EXIT_NOT_FOUND."""


@contextmanager
def answered(instead: str) -> Iterator[None]:
    """A question to the person at the terminal; Ctrl-C ends the command.

    instead: what to pass where nobody is there to answer. Raises WrongUse that says so.
    """
    # The event loop answers a first Ctrl-C by cancelling its task, which waits for this very answer.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", GetPassWarning)  # no terminal, on which a secret could stay hidden
            yield
    except GetPassWarning:
        raise nobody(instead) from None
    except typer.Abort as ended:
        if isinstance(ended.__context__, EOFError):
            raise nobody(instead) from None
        raise KeyboardInterrupt from None
    finally:
        signal.signal(signal.SIGINT, before)


def nobody(instead: str) -> WrongUse:
    """That a question has nobody to answer it. instead: what to pass."""
    return WrongUse(f"There is nobody to answer that question. Without a terminal, {instead}.")


def agreeing(*, yes: bool) -> Callable[[str], bool]:
    """Ask whether to go on, no by default; with yes, agree at once."""

    def ask(question: str) -> bool:
        if yes:
            return True
        with answered("pass --yes to agree"):
            return typer.confirm(question, default=False, err=True)

    return ask


def installation() -> "Installation":
    """The installation of this environment."""
    from services.cli.installation import Installation

    return Installation.of()


def interruptible() -> None:
    """Something begins that is to end in order: from here on Ctrl-C is an exception again."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


def run(work: Coroutine[Any, Any, int | None]) -> None:
    """Run a command to its end, and leave with its exit code."""
    interruptible()
    code = asyncio.run(work)
    if code:
        raise typer.Exit(code)


def tell(line: str) -> None:
    """A line for the person at the terminal, apart from the command's output."""
    errors.print(line, markup=False)


def screen() -> Console:
    """The output: as wide as the terminal; of a fixed width and without colours where it is none."""
    return Screen(highlight=False, width=None if sys.stdout.isatty() else PLAIN_WIDTH)


def write_line(text: str) -> None:
    """One line for a program, as it is: in UTF-8, whatever a terminal would take."""
    sys.stdout.flush()
    binary = getattr(sys.stdout, "buffer", None)
    if binary is None:
        sys.stdout.write(text + "\n")
        return
    binary.write(text.encode() + b"\n")
    binary.flush()


class HereZone(tzinfo):
    """The time zone of this machine by its own rules for every date, summer time included."""

    @override
    def utcoffset(self, dt: datetime | None) -> timedelta | None:
        """The offset at that local time."""
        return dt.replace(tzinfo=None).astimezone().utcoffset() if dt else None

    @override
    def dst(self, dt: datetime | None) -> timedelta | None:
        """Not told apart."""
        return None

    @override
    def tzname(self, dt: datetime | None) -> str | None:
        """The name at that local time."""
        return dt.replace(tzinfo=None).astimezone().tzname() if dt else None

    @override
    def fromutc(self, dt: datetime) -> datetime:
        """The local time of an instant."""
        return dt.replace(tzinfo=UTC).astimezone().replace(tzinfo=self)


def now_here() -> datetime:
    """Now, in the reader's zone."""
    return datetime.now(UTC).astimezone(HereZone())


@asynccontextmanager
async def opened(made: "Installation") -> "AsyncIterator[tuple[AsyncEngine, Database]]":
    """The database for a command beside a running hub, or without one.

    Raises Misconfigured where there is none yet or its tables are of another release, RetryLater where it is away.
    """
    from services.query.database import Database

    must_exist(made)
    with database_errors(made.settings):
        async with made.engine() as engine:
            yield engine, Database(engine, SECONDS)


@contextmanager
def database_errors(settings: "Settings") -> Iterator[None]:
    """What the database refuses becomes Misconfigured or RetryLater, with the mend."""
    from sqlalchemy.exc import SQLAlchemyError

    from pipelines.store.engine import refused, why_away
    from services.cli.storage import mend_of
    from services.query.database import NotMigrated, refusal
    from services.query.refused import Refused

    try:
        yield
    except BrokenPipeError:  # whoever read the output has seen enough
        raise
    except (Refused, SQLAlchemyError, OSError) as error:
        if isinstance(error, Refused) and error.status != UNAVAILABLE:
            raise
        cause = (isinstance(error, Refused) and error.__cause__) or error
        if mend := mend_of(why_away(cause), settings):
            raise Misconfigured(f"The database cannot be used: {why_away(cause)}", mend, "database_url") from None
        if problem := refused(cause):
            mend = "Correct THROUGHLINE_DATABASE_URL; a damaged file needs a backup in its place"
            raise Misconfigured(f"The database cannot be used: {problem}", mend, "database_url") from None
        told = error if isinstance(error, Refused) else refusal(error, SECONDS)
        if isinstance(told, NotMigrated):
            raise Misconfigured(told.detail.rstrip("."), told.mend, "database_url") from None
        if isinstance(told, Refused):
            mend = told.mend if told.kind == "too-slow" else "Look whether it runs, and at THROUGHLINE_DATABASE_URL."
            raise RetryLater(f"{told.detail} {mend}") from None
        raise


def must_exist(made: "Installation") -> None:
    """Raises Misconfigured for an SQLite file that is not there: opening it would make an empty one."""
    from services.cli.storage import database_file

    path = database_file(made.settings)
    if path is not None and not path.exists():
        raise Misconfigured(
            "There is no hub's database here yet",
            "Run `throughline up` first, or set THROUGHLINE_DATA_DIR or THROUGHLINE_DATABASE_URL to where it is",
            "database_url",
        )


def choose_one(texts: Iterable[str], word: str) -> str:
    """`a, b or c`: for messages that name what may be chosen."""
    *most, last = list(texts)
    return f"{', '.join(most)} {word} {last}" if most else last
