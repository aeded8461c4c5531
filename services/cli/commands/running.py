"""Commands for who runs the hub: status, topics, doctor, and the documents of its interfaces."""

import typer

app = typer.Typer()
