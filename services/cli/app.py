"""`throughline`: the commands, and how their errors are told."""

import signal
import sys
from typing import Annotated

import typer
from rich.markup import escape

from schemas.errors import HubError, Misconfigured
from services.cli import paragraphs, streams
from services.cli.commands import (
    asking,
    connecting,
    deciding,
    filing,
    letters,
    people,
    ruling,
    running,
    sealing,
    suggesting,
    valuing,
)
from services.cli.terminal import (
    EXIT_INTERRUPTED,
    EXIT_MISCONFIGURED,
    EXIT_NOT_FOUND,
    EXIT_UNAVAILABLE,
    NotFound,
    WrongUse,
    errors,
    installation,
    screen,
    tell,
)

app = typer.Typer(
    name="throughline",
    epilog="Exit codes: 0 well, 1 unexpected, 2 wrong use, 3 a person must mend something, 4 try again later, "
    "5 not found, 6 a decision was refused, 7 config diff found a difference, 130 ended by Ctrl-C.",
    no_args_is_help=True,
    context_settings={"help_option_names": ["--help", "-h"]},  # and so has every command below
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
)
_RUN, _ASK, _DECIDE, _SET_UP, _TEND = "Run it", "Ask it", "Decide what belongs together", "Set it up", "Tend it"
for group, panel in ((asking, _ASK), (deciding, _DECIDE), (running, _TEND)):
    for command in group.app.registered_commands:
        command.rich_help_panel = panel
    app.add_typer(group.app)
app.add_typer(deciding.persons, name="person", rich_help_panel=_DECIDE)
app.add_typer(deciding.decisions, name="decisions", rich_help_panel=_DECIDE)
app.add_typer(suggesting.app, name="suggestions", rich_help_panel=_DECIDE)
app.add_typer(connecting.app, name="connections", rich_help_panel=_SET_UP)
app.add_typer(ruling.app, name="rules", rich_help_panel=_SET_UP)
app.add_typer(valuing.app, name="values", rich_help_panel=_SET_UP)
app.add_typer(filing.app, name="config", rich_help_panel=_SET_UP)
app.add_typer(people.accounts, name="accounts", rich_help_panel=_SET_UP)
app.add_typer(people.tokens, name="tokens", rich_help_panel=_SET_UP)
app.add_typer(people.sessions, name="sessions", rich_help_panel=_SET_UP)
app.add_typer(sealing.app, name="keys", rich_help_panel=_TEND)
app.add_typer(letters.app, name="dead-letters", rich_help_panel=_TEND)
app.add_typer(people.audit, name="audit", rich_help_panel=_TEND)


def _tell_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        screen().print(f"throughline {version('throughline')}")
        raise typer.Exit


@app.callback()
def begin(
    version: Annotated[
        bool, typer.Option("--version", callback=_tell_version, is_eager=True, help="Tell the release, and end.")
    ] = False,
) -> None:
    """One line of sight from the business's first ask to the change that answered it."""
    del version


@app.command(rich_help_panel=_RUN)
def up(
    context: typer.Context,
    sandbox: Annotated[bool, typer.Option("--sandbox", help="Start the sandbox company too, and read it.")] = False,
    pace: Annotated[
        float, typer.Option(min=0, help="How much faster its day goes on; 1: as it is, 0: it stands")
    ] = 3600,
    requests: Annotated[int, typer.Option(min=1, help="How many requests a new sandbox company has")] = 40,
) -> None:
    """Run everything in this one process: reading, understanding, publishing, the API and the webhook listener."""
    from services.cli import processes

    if not sandbox:
        _of_a_sandbox(context, "pace", "requests")
    processes.configure_logging(installation())
    if sandbox:
        from services.cli.sandbox import up_with_company

        up_with_company(installation(), pace, requests, tell)
        return
    processes.run_forever(
        processes.run(installation(), processes.ROLES, tell, processes.telling_where(tell, processes.ROLES))
    )


def _of_a_sandbox(context: typer.Context, *options: str) -> None:
    """Raises WrongUse for options that only a sandbox has a use for."""
    for name in options:
        source = context.get_parameter_source(name)
        if source is not None and source.name != "DEFAULT":
            raise WrongUse(f"--{name} is of the sandbox company: give --sandbox too, or leave it out.")


@app.command("run", rich_help_panel=_RUN)
def run_role(
    roles: Annotated[list[str], typer.Argument(help="feed, ingest, publish, query, webhooks", metavar="ROLE")],
) -> None:
    """Run single roles in this process, for scaling out with Kafka and PostgreSQL."""
    from services.cli import processes

    unknown = [role for role in roles if role not in processes.ROLES]
    if unknown:
        raise typer.BadParameter(f"{unknown[0]} is no role; choose of {', '.join(processes.ROLES)}")
    processes.configure_logging(installation())
    processes.run_forever(processes.run(installation(), roles, tell, processes.telling_where(tell, roles)))


@app.command(rich_help_panel=_RUN)
def sandbox(
    pace: Annotated[
        float, typer.Option(min=0, help="How much faster its day goes on; 1: as it is, 0: it stands")
    ] = 3600,
    requests: Annotated[int, typer.Option(min=1, help="How many requests a new company has")] = 40,
    jira_port: Annotated[int, typer.Option(min=0, max=65535, help="0: the last one, or a free one")] = 0,
    hubspot_port: Annotated[int, typer.Option(min=0, max=65535, help="0: the last one, or a free one")] = 0,
    mail_port: Annotated[int, typer.Option(min=0, max=65535, help="0: the last one, or a free one")] = 0,
) -> None:
    """Run only the sandbox company's tools on this machine: a Jira, a HubSpot and a mailbox. Ctrl-C ends them."""
    from services.cli.sandbox import only_company

    only_company(installation(), pace, requests, {"jira": jira_port, "hubspot": hubspot_port, "mail": mail_port}, tell)


paragraphs.fill(app)


def main() -> None:
    """Entry point: errors that name a mend are told in one line, not as a stack."""
    streams.prepare()
    try:
        code = _told()
    except KeyboardInterrupt:  # also one that comes while an error is told
        code = EXIT_INTERRUPTED
    sys.exit(code)


def _told() -> int | str | None:
    try:
        return _run()
    except Misconfigured as error:
        errors.print(f"[bold red]Cannot go on:[/] {escape(error.problem)}.", markup=True)
        errors.print(f"  {error.mend}", markup=False)
        return EXIT_NOT_FOUND if isinstance(error, NotFound) else EXIT_MISCONFIGURED
    except HubError as error:
        errors.print(f"Try again later: {error}", markup=False)
        return EXIT_UNAVAILABLE
    except streams.OutputClosed:
        return 0


def _run() -> int | str | None:
    try:
        app()
    except SystemExit as end:
        streams.finish()
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # nothing is left that a second Ctrl-C could end
        return end.code
    return 0
