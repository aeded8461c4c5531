"""Commands for dead letters: records that could not be used, and wait with their reason."""

import typer

app = typer.Typer(help="Records that could not be used: why, and again.", no_args_is_help=True)
