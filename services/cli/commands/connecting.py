"""Commands for connections: the tools that are read."""

import typer

app = typer.Typer(help="The tools that are read: add, test, pause, read again.", no_args_is_help=True)
