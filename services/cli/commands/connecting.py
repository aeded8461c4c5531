"""Commands for connections: the tools that are read."""

from pathlib import Path
from typing import Annotated

import typer

from services.cli.terminal import agreeing, errors, installation, now_here, run, screen

app = typer.Typer(
    help="The tools that are read: add, test, pause, read again. Nothing is written to them but a webhook you ask for.",
    no_args_is_help=True,
)

Name = Annotated[str, typer.Argument(metavar="NAME", help="As `connections list` tells it")]
JSON = Annotated[bool, typer.Option("--json", help="For programs; never with secrets")]


@app.command()
def add(
    connector: Annotated[str | None, typer.Argument(metavar="CONNECTOR", help="jira, hubspot, mailbox, …")] = None,
    file: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            exists=True,
            dir_okay=False,
            readable=True,
            help="YAML with connector, name, title, since, options; secrets as env:NAME or file:PATH",
        ),
    ] = None,
    name: Annotated[str | None, typer.Option(help="Permanent name; asked for otherwise")] = None,
    since: Annotated[
        str | None, typer.Option(metavar="TIME", help="Read from when: 2026-01-01, 90d, or beginning")
    ] = None,
    every: Annotated[bool, typer.Option("--all", help="Ask for the advanced options too")] = False,
    yes: Annotated[
        bool, typer.Option("--yes", help="Save without asking when the test goes well (for scripts)")
    ] = False,
    anyway: Annotated[
        bool,
        typer.Option("--anyway", help="Though another connection reads this tool: a mailbox, or other projects"),
    ] = False,
) -> None:
    """Add a tool: asks what it needs, tests it, and shows ten real things before anything is saved.

    Example: [bold]throughline connections add jira[/]

    Example: [bold]throughline connections add --file connection.yaml --yes[/]
    """
    from services.cli import adding

    asked = adding.Asked(connector, file, name, since, every, yes, anyway)
    run(adding.add(installation(), asked, now_here, screen()))


@app.command()
def change(
    name: Name,
    file: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", exists=True, dir_okay=False, readable=True, help="YAML with all options, as for add"
        ),
    ] = None,
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="OPTION=VALUE", help="One option; a list by commas, nothing for its default"),
    ] = None,
    secrets: Annotated[
        list[str] | None, typer.Option("--secret", metavar="OPTION", help="Be asked for a new secret, such as token")
    ] = None,
    yes: Annotated[
        bool, typer.Option("--yes", help="Save without asking when the test goes well (for scripts)")
    ] = False,
    anyway: Annotated[
        bool, typer.Option("--anyway", help="Though another connection reads this tool: see add")
    ] = False,
) -> None:
    """Change options, or replace a secret that expired; tested first, and read on from where it was.

    A stored secret is never sent to another address: where that changes, secrets are asked for again.

    Example: [bold]throughline connections change jira --secret token[/]

    Example: [bold]throughline connections change jira --set projects=PAY,OPS[/]
    """
    from services.cli import changing

    asked = changing.Asked(file, settings or (), secrets or (), yes, anyway)
    run(changing.change(installation(), name, asked, now_here, screen()))


@app.command()
def test(name: Name) -> None:
    """Check step by step whether a connection can be read; the first failure says how to mend it.

    Example: [bold]throughline connections test jira[/]
    """
    from services.cli import connections

    run(connections.test(installation(), name, now_here, screen()))


@app.command("list")
def list_connections(
    follow: Annotated[
        bool, typer.Option("--follow", help="First show how far first reads are, until none goes on by itself any more")
    ] = False,
    as_json: JSON = False,
) -> None:
    """List the connections: state, how fresh, what is wrong.

    Example: [bold]throughline connections list[/]
    """
    from services.cli import connections

    if follow:
        from services.cli.first_reads import follow as followed

        run(followed(installation(), now_here, errors))
    run(connections.list_all(installation(), now_here(), screen(), for_programs=as_json))


@app.command()
def show(name: Name, as_json: JSON = False) -> None:
    """Show one connection with its options; of secrets only that they are stored.

    Example: [bold]throughline connections show jira[/]
    """
    from services.cli import connections

    run(connections.show(installation(), name, now_here(), screen(), for_programs=as_json))


@app.command()
def pause(name: Name) -> None:
    """Stop reading; what was read stays.

    Example: [bold]throughline connections pause jira[/]
    """
    from services.cli import connections

    run(connections.pause(installation(), name, screen()))


@app.command()
def resume(name: Name) -> None:
    """Read on from where it was.

    Example: [bold]throughline connections resume jira[/]
    """
    from services.cli import connections

    run(connections.resume(installation(), name, screen()))


@app.command()
def reread(
    name: Name,
    since: Annotated[
        str | None,
        typer.Option(metavar="TIME", help="2026-01-01, 90d, or beginning; by default from where the first read began"),
    ] = None,
) -> None:
    """Read everything again; what is known already changes nothing.

    With a later --since than before, what was read from before it stays; but the connection is told as read since then,
    by a look-up that finds nothing and by `config export` too, until it is read again from an earlier time.

    Example: [bold]throughline connections reread jira --since 30d[/]
    """
    from services.cli import connections

    run(connections.reread(installation(), name, since, now_here(), screen()))


@app.command()
def audience(
    name: Name,
    people: Annotated[
        list[str] | None, typer.Option("--person", metavar="ADDRESS", help="May read it; may be given several times")
    ] = None,
    groups: Annotated[
        list[str] | None, typer.Option("--group", metavar="GROUP", help="As the identity provider names it")
    ] = None,
    participants: Annotated[
        bool, typer.Option("--participants", help="In each request, only the people in it")
    ] = False,
    everybody: Annotated[bool, typer.Option("--everybody", help="Everybody who is signed in, as by default")] = False,
) -> None:
    """Show or set who may read what a connection brought. Others see that there is a request, its stages and times.

    Holds for what is stored too, at once. Who can read the database, the topics or this command line reads all.

    Example: [bold]throughline connections audience board-mail --group Board --person anna@acme.example[/]
    """
    from services.cli import audience as work

    wish = work.wish(people or (), groups or (), participants=participants, everybody=everybody)
    run(work.audience(installation(), name, wish, now_here(), screen()))


@app.command()
def reconcile(
    name: Name,
    mend: Annotated[
        bool, typer.Option("--mend", help="Fetch again what is missing or differs; ask directly for what is gone")
    ] = False,
) -> None:
    """Compare ids and times of change in the tool with what is here; a running hub does it, as it does once a day.

    Example: [bold]throughline connections reconcile jira[/]

    Example: [bold]throughline connections reconcile jira --mend[/]
    """
    from services.cli import watched

    run(watched.reconcile(installation(), name, screen(), mend=mend))


@app.command()
def webhook(
    name: Name,
    register: Annotated[
        bool, typer.Option("--register", help="Have the hub enter it in the tool, where the account may do that")
    ] = False,
    unregister: Annotated[bool, typer.Option("--unregister", help="Have the hub remove it from the tool")] = False,
    renew: Annotated[
        bool, typer.Option("--renew", help="With --register: another secret, though the one there is well")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask (for scripts)")] = False,
) -> None:
    """Show how a connection's webhook is set up, or have it entered in the tool or removed. Says first what it writes.

    Example: [bold]throughline connections webhook jira --register[/]
    """
    from services.cli import hooking

    if register and unregister:
        raise typer.BadParameter("give --register or --unregister")
    made, ask = installation(), agreeing(yes=yes)
    if register or renew:
        run(hooking.register(made, name, now_here, screen(), ask, renew=renew))
    elif unregister:
        run(hooking.unregister(made, name, now_here, screen(), ask))
    else:
        run(hooking.show(made, name, now_here, screen()))


@app.command()
def remove(
    name: Name,
    with_all: Annotated[
        bool, typer.Option("--with-what-it-brought", help="What it brought goes, too; everything is computed anew")
    ] = False,
    unregister: Annotated[
        bool, typer.Option("--unregister", help="Remove the webhook that the hub entered in the tool, too")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask (for scripts)")] = False,
) -> None:
    """Forget a connection and its secrets; what it brought stays, or goes too. Says first what it means.

    Example: [bold]throughline connections remove jira[/]

    Example: [bold]throughline connections remove jira --with-what-it-brought[/]
    """
    from services.cli import removing

    work = removing.remove_all if with_all else removing.remove
    run(work(installation(), name, now_here, screen(), agreeing(yes=yes), unregister=unregister))
