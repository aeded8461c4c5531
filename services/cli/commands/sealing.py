"""Commands for the keys that seal stored secrets."""

from typing import Annotated

import typer

from services.cli.terminal import installation, now_here, run, screen

app = typer.Typer(
    help="The keys that seal stored secrets: the first of THROUGHLINE_SECRET_KEY, or of the key file, seals.",
    no_args_is_help=True,
)


@app.command()
def status(as_json: Annotated[bool, typer.Option("--json", help="For programs")] = False) -> None:
    """Tell how many secrets each key sealed, and which cannot be opened. Shows neither keys nor secrets.

    Example: [bold]throughline keys status[/]
    """
    from services.cli import sealing

    run(sealing.status(installation(), screen(), for_programs=as_json))


@app.command()
def rotate() -> None:
    """Seal all secrets with the first key, in one transaction. Put a new key first before; the hub reads on meanwhile.

    Example: [bold]throughline keys rotate[/]
    """
    from services.cli import sealing

    run(sealing.rotate(installation(), now_here, screen()))
