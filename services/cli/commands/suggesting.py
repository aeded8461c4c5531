"""Commands for what may belong together although nothing says so."""

from typing import Annotated

import typer

from services.cli.terminal import agreeing, installation, now_here, run, screen

app = typer.Typer(
    help="What may belong together although nothing says so: pairs too weak to join by themselves.",
    no_args_is_help=True,
)

Id = Annotated[str, typer.Argument(metavar="ID", help="As `suggestions list` tells it, such as S-MZXW6YTBOI3D")]
By = Annotated[str | None, typer.Option("--by", help="Who answers; by default the name of this machine's user")]
Preview = Annotated[bool, typer.Option("--preview", help="Only tell what it would do")]
JSON = Annotated[bool, typer.Option("--json", help="For programs")]


@app.command("list")
def list_suggestions(
    request: Annotated[str | None, typer.Option(help="One of the two is in this request")] = None,
    artifact: Annotated[str | None, typer.Option(help="It is one of the two, by any reference")] = None,
    min_probability: Annotated[float, typer.Option(min=0, max=1, help="At least so likely")] = 0.0,
    waiting: Annotated[bool, typer.Option("--waiting", help="Also those that wait for their day")] = False,
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="How many at most")] = 25,
    as_json: Annotated[bool, typer.Option("--json", help="For programs, one a line")] = False,
) -> None:
    """List suggestions, the worthiest first: how likely, times how much it would change.

    Example: [bold]throughline suggestions list --artifact PAY-12[/]
    """
    from services.cli import suggesting

    filters = suggesting.Filters(request, artifact, min_probability, waiting)
    run(suggesting.show_all(installation(), filters, limit, now_here(), screen(), as_json=as_json))


@app.command()
def show(name: Id, as_json: JSON = False) -> None:
    """Show one with all that speaks for it and against it, and what accepting it would change.

    Example: [bold]throughline suggestions show S-MZXW6YTBOI3D[/]
    """
    from services.cli import suggesting

    run(suggesting.show(installation(), name, now_here(), screen(), as_json=as_json))


@app.command()
def accept(
    name: Id,
    reason: Annotated[str, typer.Option("--reason", help="Why, for whoever asks later")] = "",
    by: By = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask, whatever has changed meanwhile")] = False,
    preview: Preview = False,
    as_json: JSON = False,
) -> None:
    """They belong together: a decision, which joins them at once and can be undone. Says first what it would do.

    Exit code 6: another decision stands in the way, or something changed meanwhile.

    Example: [bold]throughline suggestions accept S-MZXW6YTBOI3D --reason "the same printer"[/]
    """
    _answer(name, "accepted", by, reason, yes=yes, preview=preview, as_json=as_json)


@app.command()
def reject(name: Id, by: By = None, preview: Preview = False, as_json: JSON = False) -> None:
    """Never suggest this again. It decides nothing: evidence may still join them.

    Example: [bold]throughline suggestions reject S-MZXW6YTBOI3D[/]
    """
    _answer(name, "rejected", by, preview=preview, as_json=as_json)


@app.command()
def later(name: Id, by: By = None, as_json: JSON = False) -> None:
    """Not now: hidden for 14 days, or until its evidence changes.

    Example: [bold]throughline suggestions later S-MZXW6YTBOI3D[/]
    """
    _answer(name, "later", by, as_json=as_json)


def _answer(
    name: str, said: str, by: str | None, reason: str = "", *, yes: bool = False, preview: bool = False,
    as_json: bool = False,
) -> None:  # fmt: skip
    from pipelines.answering import Answer
    from services.cli import deciding, suggesting

    given = suggesting.Given(name, Answer(said), deciding.who() if by is None else by, reason)
    manner = deciding.Manner(yes, preview, as_json)
    run(suggesting.answer(installation(), given, manner, now_here, screen(), agreeing(yes=yes)))
