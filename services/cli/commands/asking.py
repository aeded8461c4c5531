"""Commands that ask: lookup, why, requests, changes. They read the database, beside a running hub or without."""

from typing import Annotated

import typer

from services.cli.terminal import installation, now_here, run, screen, tell

app = typer.Typer()

JSON = Annotated[bool, typer.Option("--json", help="For programs")]


@app.command()
def lookup(
    reference: Annotated[
        str,
        typer.Argument(
            metavar="REFERENCE",
            help="An issue key, an address of a tool, a Message-ID, a deal's or ticket's number, a request id or page",
        ),
    ],
    as_json: Annotated[
        bool, typer.Option("--json", help="The record itself, one a line; else one line with the outcome")
    ] = False,
    as_of: Annotated[
        str | None,
        typer.Option(metavar="TIME", help="As it stood then, such as 2026-03-05 (the end of that day)"),
    ] = None,
) -> None:
    """Show a request's life: stages, who has it, what is in it and why.

    Any reference of any tool will do; what is not found says what is read and up to when.

    Exit code 5: no request is known by this.

    Example: [bold]throughline lookup PAY-12[/]
    """
    from services.cli.lookup import lookup as work
    from services.cli.words import read_moment

    if not reference.strip():
        raise typer.BadParameter("give one, such as PAY-12", param_hint="REFERENCE")
    now = now_here()
    at = read_moment(as_of, now, "--as-of") if as_of else None
    run(work(installation(), reference, now, screen(), as_json=as_json, as_of=at))


@app.command()
def why(
    reference: Annotated[str, typer.Argument(metavar="REFERENCE", help="Any reference of any tool, as for lookup")],
    other: Annotated[
        str | None,
        typer.Option("--with", metavar="REFERENCE", help="The other thing; by default the oldest part of the request"),
    ] = None,
    as_json: JSON = False,
) -> None:
    """Say why two things belong together, or why they do not.

    Each link of the chain tells its sentence, the words it stands in, its rule, and since when there is evidence. Of
    two that are apart it tells the evidence that comes nearest, and what keeps it from joining.

    Exit code 5: nothing is known by one of the references.

    Example: [bold]throughline why PAY-12 --with '<message-id>'[/]
    """
    from services.cli.reasons import ask

    for text, hint in ((reference, "REFERENCE"), (other, "--with")):
        if text is not None and not text.strip():
            raise typer.BadParameter("give one, such as PAY-12", param_hint=hint)
    run(ask(installation(), reference, other, now_here(), screen(), as_json=as_json))


Several = list[str] | None


@app.command()
def requests(
    text: Annotated[str, typer.Option(help="All of these words, in titles, keys and names")] = "",
    stage: Annotated[Several, typer.Option(help="In this stage; may be repeated")] = None,
    state: Annotated[Several, typer.Option(help="new, active, waiting, done or cancelled")] = None,
    tool: Annotated[Several, typer.Option(help="Holds something of this connector, such as jira")] = None,
    connection: Annotated[Several, typer.Option(help="Holds something of this connection")] = None,
    person: Annotated[Several, typer.Option(help="An address, a full name or an identity's id")] = None,
    unit: Annotated[Several, typer.Option(help="Business unit")] = None,
    project: Annotated[Several, typer.Option(help="Key of a project, such as PAY")] = None,
    changed_since: Annotated[
        str | None, typer.Option(metavar="TIME", help="Something happened to it since: 2026-03-05, or 7d")
    ] = None,
    stuck_longer_than: Annotated[
        str | None,
        typer.Option(metavar="LENGTH", help="Not finished, and in its stage for longer: 14d, 2w, 36h; 5 is 5 days"),
    ] = None,
    sort: Annotated[str, typer.Option(help="updated, opened or stage_since")] = "updated",
    reverse: Annotated[bool, typer.Option("--reverse", help="Oldest first")] = False,
    limit: Annotated[int, typer.Option(min=1, max=1_000_000, help="How many at most")] = 25,
    as_json: Annotated[bool, typer.Option("--json", help="Whole records, one a line; of --limit at most")] = False,
) -> None:
    """List and search requests.

    Several values of one filter mean any of them; several filters mean all.

    Example: [bold]throughline requests --state waiting --stuck-longer-than 14d[/]
    """
    from services.cli import lists

    now = now_here()
    wanted = lists.wanted(
        now, text=text, stage=stage, state=state, tool=tool, connection=connection, person=person, unit=unit,
        project=project, changed_since=changed_since, stuck_longer_than=stuck_longer_than, sort=sort, reverse=reverse,
    )  # fmt: skip
    run(lists.requests(installation(), wanted, limit, now, screen(), as_json=as_json))


@app.command()
def changes(
    since: Annotated[int, typer.Option(min=0, metavar="NUMBER", help="The last change number you have seen")] = 0,
    follow: Annotated[bool, typer.Option("--follow", help="Go on as changes come, until Ctrl-C")] = False,
    as_json: JSON = False,
) -> None:
    """Tell changed requests in their one order, without gaps.

    Keep the last number you have handled, and ask from there.

    Example: [bold]throughline changes --since 120 --follow --json[/]
    """
    from services.cli import lists

    run(lists.changes(installation(), since, now_here, screen(), tell, follow=follow, as_json=as_json))
