"""Commands for who runs the hub: how it stands, the documents of its interfaces, and what an upgrade needs."""

from typing import Annotated

import typer

from services.cli.terminal import errors, installation, now_here, run, screen, tell

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


@app.command()
def migrate() -> None:
    """Bring the database up to this release."""
    from services.cli import upkeep

    run(upkeep.migrate(installation(), tell))


@app.command()
def rebuild(
    check: Annotated[
        bool, typer.Option("--check", help="Only compare with what is in use; exit code 3: it differs")
    ] = False,
) -> None:
    """Compute everything anew from what the tools said, beside the running hub, and swap at the end.

    Needed after an upgrade that reads or correlates otherwise; nothing is read from the tools again. Requests that come
    out changed are told to who follows the changes.

    Example: [bold]throughline rebuild --check[/]
    """
    from services.cli import rebuilding

    run(rebuilding.rebuild(installation(), screen(), errors, check=check))
