"""Commands for the whole set-up as a file."""

from pathlib import Path
from typing import Annotated

import typer

from services.cli.terminal import agreeing, installation, now_here, run, screen

app = typer.Typer(
    help="Connections, rules and stage maps as a file; secrets only as env:NAME or file:PATH.",
    no_args_is_help=True,
)

File = Annotated[
    Path,
    typer.Argument(
        metavar="FILE", exists=True, dir_okay=False, readable=True, help="YAML, as `config export` writes it"
    ),
]


@app.command()
def export() -> None:
    """Write what is set up as YAML. Of secrets it holds nothing; what is left out stays when the file is applied.

    Example: [bold]throughline config export > throughline.yaml[/]
    """
    from services.cli import config

    run(config.export(installation()))


Remove = Annotated[
    str | None,
    typer.Option(
        "--remove",
        metavar="HOW",
        help="keep or drop: remove connections that the file does not name; what they brought stays, or goes, too",
    ),
]


Unregister = Annotated[
    bool,
    typer.Option(
        "--unregister",
        help="Of connections that go, also remove the webhooks that the hub entered in their tools",
    ),
]


@app.command()
def diff(file: File, remove: Remove = None, unregister: Unregister = False) -> None:
    """Tell what applying a file would change, and change nothing. Exit code 0: nothing; 7: something.

    Example: [bold]throughline config diff throughline.yaml[/]
    """
    from services.cli import config

    run(config.diff(installation(), file, now_here, screen(), remove, unregister=unregister))


@app.command()
def apply(
    file: File,
    unchecked: Annotated[bool, typer.Option("--unchecked", help="Do not test the tools first")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask (for scripts)")] = False,
    remove: Remove = None,
    unregister: Unregister = False,
) -> None:
    """Bring the set-up to what a file says; shows first what changes. What the file does not name is left alone.

    Applied again, it changes nothing. A connection goes where the file says `removed: keep` or `removed: drop` of it,
    or by --remove. What the hub entered in its tool is said, and goes by --unregister.

    Example: [bold]throughline config apply throughline.yaml[/]
    """
    from services.cli import config

    ask = agreeing(yes=yes)
    run(
        config.apply(
            installation(), file, now_here, screen(), ask, unchecked=unchecked, remove=remove, unregister=unregister
        )
    )
