"""Commands for values that very many artifacts carry."""

from typing import Annotated

import typer

from services.cli.commands.ruling import By, chooser
from services.cli.terminal import installation, run, screen

app = typer.Typer(
    help="What very many artifacts carry (a catch-all, a shared mailbox, a footer), and whether it joins them.",
    no_args_is_help=True,
)

Value = Annotated[str, typer.Argument(metavar="VALUE", help="A key, an address, a Message-ID, as `values list` shows")]
Yes = Annotated[bool, typer.Option("--yes", help="Do not ask (for scripts)")]


@app.command("list")
def listing(as_json: Annotated[bool, typer.Option("--json", help="For programs, a line each")] = False) -> None:
    """List the values that hold too much together, and those that are generic; the most common first.

    Example: [bold]throughline values list[/]
    """
    from services.cli import values

    run(values.show(installation(), screen(), for_programs=as_json))


@app.command()
def generic(value: Value, yes: Yes = False, by: By = "") -> None:
    """Say that a value means nothing by itself: it joins nothing, however it is stated. Says first what would change.

    Example: [bold]throughline values generic PAY-1[/]
    """
    _choose(value, "generic", by, yes=yes)


@app.command()
def specific(value: Value, yes: Yes = False, by: By = "") -> None:
    """Say that a value means one thing, however many artifacts name it. Says first what would change.

    Example: [bold]throughline values specific PAY-12[/]
    """
    _choose(value, "specific", by, yes=yes)


@app.command()
def reset(value: Value, yes: Yes = False, by: By = "") -> None:
    """Let the data say again whether a value is generic. Says first what would change.

    Example: [bold]throughline values reset PAY-12[/]
    """
    _choose(value, "found", by, yes=yes)


def _choose(value: str, meaning: str, by: str, *, yes: bool) -> None:
    from services.cli import values

    run(values.call(installation(), value, meaning, chooser(by, yes=yes)))
