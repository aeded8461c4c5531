"""Commands for dead letters: records that could not be used, and wait with their reason."""

from typing import TYPE_CHECKING, Annotated

import typer

from services.cli.terminal import WrongUse, agreeing, installation, now_here, run, screen

if TYPE_CHECKING:
    from services.cli.dead_letters import Hand

app = typer.Typer(
    help="Records that could not be used: each waits with its reason, and can be replayed or dropped.",
    no_args_is_help=True,
)

Ids = Annotated[list[str] | None, typer.Argument(metavar="ID", help="Ids, as `list --json` and `show` tell them")]
OfCause = Annotated[str | None, typer.Option("--cause", help="All with this wrong, word for word as `list` tells it")]
OfConnection = Annotated[str | None, typer.Option("--connection", help="Only of this connection")]
Yes = Annotated[bool, typer.Option("--yes", help="Do not ask (for scripts)")]


@app.command("list")
def list_letters(
    every: Annotated[bool, typer.Option("--all", help="Also those that were replayed or dropped")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One letter a line, without content")] = False,
) -> None:
    """Count dead letters by what cures them: one line for each connection and what is wrong.

    Example: [bold]throughline dead-letters list[/]
    """
    from services.cli import dead_letters

    run(dead_letters.show_all(installation(), now_here(), screen(), as_json=as_json, every=every))


@app.command()
def show(
    letter: Annotated[str, typer.Argument(metavar="ID")],
    as_json: Annotated[bool, typer.Option("--json", help="For programs, with the whole content")] = False,
) -> None:
    """Show a letter with what it holds; what looks like a secret is masked.

    Example: [bold]throughline dead-letters show 5f2b8c1d9e0a7743[/]
    """
    from services.cli import dead_letters

    run(dead_letters.show(installation(), letter, _hand(), screen(), as_json=as_json))


@app.command()
def replay(ids: Ids = None, cause: OfCause = None, connection: OfConnection = None, yes: Yes = False) -> None:
    """Publish letters again, once their cause is mended. Says first what it would do.

    The running hub does it; one that fails again waits again, and after three failures it is set aside.

    Example: [bold]throughline dead-letters replay --cause "bad record"[/]
    """
    from services.cli import dead_letters

    _some(ids, cause, connection)
    work = dead_letters.replay(installation(), ids or [], cause, connection, _hand(), screen(), agreeing(yes=yes))
    run(work)


@app.command()
def drop(
    reason: Annotated[str, typer.Option(help="Why; kept with the letters")],
    ids: Ids = None,
    cause: OfCause = None,
    connection: OfConnection = None,
    yes: Yes = False,
) -> None:
    """Set letters aside for good, with a reason. Says first what it would do.

    Example: [bold]throughline dead-letters drop 5f2b8c1d9e0a7743 --reason "a test deal"[/]
    """
    from services.cli import dead_letters

    _some(ids, cause, connection)
    run(dead_letters.drop(installation(), ids or [], cause, connection, reason, _hand(), screen(), agreeing(yes=yes)))


def _hand() -> "Hand":
    """Whoever is at this terminal."""
    from services.cli.dead_letters import Hand
    from services.cli.typist import typist

    return Hand(typist().name, now_here())


def _some(ids: list[str] | None, cause: str | None, connection: str | None) -> None:
    if not (ids or cause or connection):
        raise WrongUse("Say which: ids, --cause or --connection")
