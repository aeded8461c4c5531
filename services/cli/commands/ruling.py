"""Commands for rules: how a connection's types, statuses and links are understood."""

from pathlib import Path
from typing import Annotated

import typer

from services.cli.terminal import agreeing, installation, now_here, run, screen

app = typer.Typer(
    help="How a connection's types, statuses and links are understood: the defaults, and your choices over them.",
    no_args_is_help=True,
)

Name = Annotated[str, typer.Argument(metavar="NAME", help="As `connections list` tells it")]
Yes = Annotated[bool, typer.Option("--yes", help="Do not ask (for scripts)")]


@app.command()
def show(name: Name, as_json: Annotated[bool, typer.Option("--json", help="For programs")] = False) -> None:
    """Show a connection's rules: what was chosen, what its connector says, and which statuses neither knows.

    Example: [bold]throughline rules show jira[/]
    """
    from services.cli import rules

    run(rules.show(installation(), name, screen(), for_programs=as_json))


@app.command()
def apply(
    name: Name,
    file: Annotated[Path, typer.Option(help="YAML with stages, link_kinds, openers, projects, scopes")],
    yes: Yes = False,
) -> None:
    """Let a file's rules hold in place of what was chosen before. Says first how many requests would change.

    Example: [bold]throughline rules apply jira --file rules.yaml[/]
    """
    from services.cli import rules

    run(rules.apply(installation(), name, file, now_here, screen(), agreeing(yes=yes)))


@app.command()
def reset(name: Name, yes: Yes = False) -> None:
    """Go back to what the connector and the connection's options say. Says first how many requests would change.

    Example: [bold]throughline rules reset jira[/]
    """
    from services.cli import rules

    run(rules.reset(installation(), name, now_here, screen(), agreeing(yes=yes)))
