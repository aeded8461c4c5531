"""Commands for who may come in, and for what was done: accounts, tokens, sessions, audit."""

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from schemas.access import Role
from services.cli.terminal import answered, installation, nobody, now_here, run, screen

if TYPE_CHECKING:
    from pydantic import SecretStr

    from services.admin.accounts import By
    from services.admin.auditing import Sought

accounts = typer.Typer(
    help="Who may come in: viewers, editors (decisions), admins (connections).", no_args_is_help=True
)
tokens = typer.Typer(help="API tokens, by which programs come in.", no_args_is_help=True)
sessions = typer.Typer(help="Who is signed in, and where.", no_args_is_help=True)
audit = typer.Typer(help="Who did what, when, from where.", no_args_is_help=True)

JSON = Annotated[bool, typer.Option("--json", help="For programs; never with secrets")]
Who = Annotated[str, typer.Argument(metavar="NAME", help="Name, e-mail address or id of an account")]
From = Annotated[
    str | None,
    typer.Option("--password-from", metavar="REFERENCE", help="env:NAME or file:PATH; asked for otherwise"),
]
RoleName = Annotated[str, typer.Option("--role", help="viewer, editor or admin")]


def _by() -> "By":
    from services.cli.people import by_whom
    from services.cli.typist import typist

    return by_whom(typist().name, now_here())


def _role(text: str, among: tuple[Role, ...] = (Role.VIEWER, Role.EDITOR, Role.ADMIN), hint: str = "--role") -> Role:
    found = [role for role in among if role.value == text.lower()]
    if not found:
        raise typer.BadParameter(f"choose of {', '.join(role.value for role in among)}", param_hint=hint)
    return found[0]


def _password(reference: str | None) -> "SecretStr":
    from services.cli.people import check_password

    if reference is not None:
        return check_password(installation().secret(reference).get_secret_value())
    instead = "pass --password-from env:NAME or file:PATH"
    if not sys.stdin.isatty():  # it could not be hidden
        raise nobody(instead)
    with answered(instead):
        return check_password(typer.prompt("Password", hide_input=True, confirmation_prompt=True, err=True))


@accounts.command("list")
def list_accounts(as_json: JSON = False) -> None:
    """List the accounts.

    Example: [bold]throughline accounts list[/]
    """
    from services.cli import people

    run(people.list_accounts(installation(), now_here(), screen(), as_json=as_json))


@accounts.command("add")
def add_account(
    name: Annotated[str, typer.Argument(metavar="NAME", help="As people know them; they sign in by it")],
    role: RoleName = "viewer",
    email: Annotated[
        str | None, typer.Option(help="By which they are found among the people of requests, and sign in elsewhere")
    ] = None,
    password_from: From = None,
    no_password: Annotated[bool, typer.Option("--no-password", help="They sign in elsewhere only")] = False,
) -> None:
    """Let somebody in.

    Example: [bold]throughline accounts add "Anna Berg" --role admin --email anna@acme.example[/]
    """
    from services.cli import people

    name = " ".join(name.split())
    if not name or len(name) > 100 or not name.isprintable():
        raise typer.BadParameter("give one line of at most 100 characters", param_hint="NAME")
    if email is not None and (email.count("@") != 1 or not email.isprintable() or " " in email):
        raise typer.BadParameter("give an e-mail address, such as anna@acme.example", param_hint="--email")
    found = _role(role)
    password = None if no_password else _password(password_from)
    wanted = people.NewAccount(name, found, email, password)
    run(people.add_account(installation(), _by(), wanted, screen()))


@accounts.command("role")
def set_role(name: Who, role: Annotated[str, typer.Argument(metavar="ROLE", help="viewer, editor or admin")]) -> None:
    """Give somebody another role; the last admin stays one.

    Example: [bold]throughline accounts role "Anna Berg" editor[/]
    """
    from services.cli import people

    found = _role(role, hint="ROLE")
    said = f"has the role {found.value} now"
    run(people.change_account(installation(), _by(), name, {"role": found}, said, screen()))


@accounts.command("disable")
def disable(
    name: Who, back: Annotated[bool, typer.Option("--enable", help="Let them in again instead")] = False
) -> None:
    """Let somebody in no more, and end their sessions; what they did stays.

    Example: [bold]throughline accounts disable "Anna Berg"[/]
    """
    from services.cli import people

    said = "may come in again" if back else "is disabled, and signed out everywhere"
    run(people.change_account(installation(), _by(), name, {"disabled": not back}, said, screen()))


@accounts.command("password")
def set_password(
    name: Who,
    password_from: From = None,
    no_password: Annotated[bool, typer.Option("--no-password", help="Take it away: they sign in elsewhere")] = False,
) -> None:
    """Give somebody another password, or none; ends their sessions.

    Example: [bold]throughline accounts password "Anna Berg"[/]
    """
    from services.cli import people

    password = None if no_password else _password(password_from)
    run(people.set_password(installation(), _by(), name, password, screen()))


@accounts.command("set-up-link")
def set_up_link() -> None:
    """Print a link that makes the first account, an admin's: once, within 24 hours.

    Example: [bold]throughline accounts set-up-link[/]
    """
    from services.cli import people

    run(people.set_up_link(installation(), now_here()))


@tokens.command("add")
def add_token(
    title: Annotated[str, typer.Argument(metavar="TITLE", help="What it is for")],
    role: Annotated[
        str, typer.Option("--role", help="At most this: watcher (only /metrics), viewer, editor, admin")
    ] = "viewer",
    account: Annotated[
        str | None, typer.Option(help="Whose it is: never more than they may; else a program's, in its own name")
    ] = None,
    days: Annotated[int, typer.Option(min=0, max=3650, help="How long it lasts; 0: until it is revoked")] = 90,
) -> None:
    """Make an API token. Only the token itself is printed to the output, this once.

    Example: [bold]throughline tokens add Prometheus --role watcher --days 0[/]
    """
    from services.cli import people

    if not title.strip() or len(title) > 100 or not title.isprintable():
        raise typer.BadParameter("give one line of at most 100 characters", param_hint="TITLE")
    wanted = people.NewToken(title, _role(role, tuple(Role)), account, days or None)
    run(people.add_token(installation(), _by(), wanted))


@tokens.command("list")
def list_tokens(as_json: JSON = False) -> None:
    """List the tokens: for what, which role, whose, when last used.

    Example: [bold]throughline tokens list[/]
    """
    from services.cli import people

    run(people.list_tokens(installation(), now_here(), screen(), as_json=as_json))


@tokens.command("revoke")
def revoke_token(name: Annotated[str, typer.Argument(metavar="ID", help="As `tokens list` tells it")]) -> None:
    """A token opens nothing any more.

    Example: [bold]throughline tokens revoke mzxw6ytboi[/]
    """
    from services.cli import people

    run(people.revoke_token(installation(), _by(), name, screen()))


@sessions.command("list")
def list_sessions(as_json: JSON = False) -> None:
    """List who is signed in, since when, and from where.

    Example: [bold]throughline sessions list[/]
    """
    from services.cli import people

    run(people.list_sessions(installation(), now_here(), screen(), as_json=as_json))


@sessions.command("revoke")
def revoke_session(name: Annotated[str, typer.Argument(metavar="ID", help="As `sessions list` tells it")]) -> None:
    """Sign a browser out.

    Example: [bold]throughline sessions revoke S-mzxw6ytboi[/]
    """
    from services.cli import people

    run(people.revoke_session(installation(), _by(), name, screen()))


Action = Annotated[str | None, typer.Option(help="Such as account.changed, or account for all of that kind")]
ByWhom = Annotated[str | None, typer.Option("--by", help="Name or id of who did it")]
On = Annotated[str | None, typer.Option("--on", help="What it was done to, such as 'connection jira-acme'")]
Words = Annotated[str | None, typer.Option("--text", help="Words that stand anywhere in it; all of them")]
Since = Annotated[str | None, typer.Option(metavar="TIME", help="Since: 2026-03-05, or 7d")]


def _sought(by: str | None, action: str | None, on: str | None, text: str | None, since: str | None) -> "Sought":
    from services.admin.auditing import Sought
    from services.cli.words import read_start

    return Sought(by, action, on, text, read_start(since, now_here(), "--since") if since else None)


@audit.command("list")
def list_audit(
    by: ByWhom = None, action: Action = None, on: On = None, text: Words = None, since: Since = None,
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="How many at most")] = 50, as_json: JSON = False,
) -> None:  # fmt: skip
    """Tell who did what, the newest first.

    Example: [bold]throughline audit list --action account --since 7d[/]
    """
    from services.cli import people

    sought = _sought(by, action, on, text, since)
    run(people.list_audit(installation(), sought, limit, now_here(), screen(), as_json=as_json))


@audit.command("export")
def export_audit(
    by: ByWhom = None, action: Action = None, on: On = None, text: Words = None, since: Since = None
) -> None:
    """All of it as CSV, the newest first, with what was before and after. That it was exported is an entry, too.

    Example: [bold]throughline audit export --since 2026-01-01[/]
    """
    from services.cli import people

    run(people.export_audit(installation(), _by(), _sought(by, action, on, text, since)))
