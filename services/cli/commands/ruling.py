"""Commands for rules: how types, statuses and links are understood, and the limits of correlation."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from services.cli.terminal import agreeing, errors, installation, now_here, run, screen

if TYPE_CHECKING:
    from services.cli.choosing import Chooser

app = typer.Typer(
    help="How types, statuses and links are understood: the defaults, and your choices over them.",
    no_args_is_help=True,
)

Name = Annotated[
    str, typer.Argument(metavar="NAME", help="A connection, as `connections list` tells it; none: all together")
]
Yes = Annotated[bool, typer.Option("--yes", help="Do not ask (for scripts)")]
By = Annotated[str, typer.Option(help="Who chooses; your name on this machine if left out", show_default=False)]
Json = Annotated[bool, typer.Option("--json", help="For programs")]


def chooser(by: str, *, yes: bool) -> "Chooser":
    """Whoever is at this terminal."""
    from services.cli.choosing import Chooser
    from services.cli.deciding import who

    return Chooser(by or who(), now_here, screen(), agreeing(yes=yes), errors)


@app.command()
def show(name: Name = "", as_json: Json = False) -> None:
    """Show rules: what was chosen, what the connector says, and which statuses neither knows.

    Without a name: the limits of correlation, which hold for all connections together.

    Example: [bold]throughline rules show jira[/]
    """
    from services.cli import rules

    if name:
        run(rules.show(installation(), name, screen(), for_programs=as_json))
    else:
        run(rules.show_all(installation(), screen(), for_programs=as_json))


@app.command()
def apply(
    file: Annotated[
        Path,
        typer.Option(
            metavar="FILE",
            exists=True,
            dir_okay=False,
            readable=True,
            help="YAML with a connection's rules as `rules show` tells them; or limits",
        ),
    ],
    name: Name = "",
    yes: Yes = False,
    by: By = "",
) -> None:
    """Let a file's rules hold in place of what was chosen before. Says first how many requests would change.

    Without a name the file holds limits: digest, generic, component, exclusive, called_generic, called_specific.

    Example: [bold]throughline rules apply jira --file rules.yaml[/]
    """
    from services.cli import rules

    run(rules.apply(installation(), name, file, chooser(by, yes=yes)))


@app.command()
def reset(name: Name = "", yes: Yes = False, by: By = "") -> None:
    """Go back to what the connector and the connection's options say. Says first how many requests would change.

    Example: [bold]throughline rules reset jira[/]
    """
    from services.cli import rules

    run(rules.reset(installation(), name, chooser(by, yes=yes)))


@app.command()
def history(
    name: Annotated[str | None, typer.Argument(metavar="NAME", help="Of one connection only")] = None,
    as_json: Json = False,
) -> None:
    """Show what was chosen and by whom, the newest first.

    Example: [bold]throughline rules history[/]
    """
    from services.cli import choosing

    run(choosing.history(installation(), name, now_here(), screen(), for_programs=as_json))


@app.command()
def undo(
    number: Annotated[int, typer.Argument(help="Of a change, as `rules history` tells it", min=1)],
    yes: Yes = False,
    by: By = "",
) -> None:
    """Take a change back: what held before it holds again. Says first how many requests would change.

    Example: [bold]throughline rules undo 3[/]
    """
    from services.cli import choosing

    run(choosing.undo(installation(), number, chooser(by, yes=yes)))
