"""Commands for who runs the hub: status, topics, doctor, and the documents of its interfaces."""

from typing import Annotated

import typer

from services.cli.terminal import installation, now_here, run, screen

app = typer.Typer()

JSON = Annotated[bool, typer.Option("--json", help="For programs")]


@app.command()
def status(as_json: JSON = False) -> None:
    """Tell how the hub stands: how fresh each tool is, how much there is, what waits.

    Example: [bold]throughline status[/]
    """
    from services.cli import status as work

    run(work.status(installation(), now_here(), screen(), for_programs=as_json))


@app.command()
def topics(as_json: JSON = False) -> None:
    """Tell Kafka's topics with their settings, and the ACLs that each role's user needs.

    Example: [bold]throughline topics[/]
    """
    from services.cli import documents

    documents.print_topics(installation(), screen(), for_programs=as_json)


@app.command()
def doctor(as_json: Annotated[bool, typer.Option("--json", help="One finding a line")] = False) -> None:
    """Look for what is wrong, and say what to do about it. Changes nothing.

    Exit code 3: something is to be mended.

    Example: [bold]throughline doctor[/]
    """
    from services.cli import doctor as work

    run(work.doctor(installation(), now_here(), screen(), for_programs=as_json))


@app.command()
def openapi() -> None:
    """Print the lookup API as an OpenAPI 3.1 document.

    Example: [bold]throughline openapi > openapi.json[/]
    """
    from services.cli import documents

    documents.print_openapi()


@app.command()
def asyncapi() -> None:
    """Print the topics as an AsyncAPI 3.0 document.

    Example: [bold]throughline asyncapi > asyncapi.json[/]
    """
    from services.cli import documents

    documents.print_asyncapi(installation())
