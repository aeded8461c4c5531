"""Commands by which a person has the last word about what belongs together."""

import re
from collections.abc import Mapping
from typing import Annotated, Any

import typer

from services.cli.terminal import WrongUse, agreeing, installation, now_here, run, screen

app = typer.Typer()
persons = typer.Typer(help="Which accounts and addresses are one person's.", no_args_is_help=True)
decisions = typer.Typer(help="What people decided about what belongs together.", no_args_is_help=True)

_REQUEST = re.compile(r"R-[A-Z2-7]{12}", re.IGNORECASE)

Ref = "A key, a web address, a Message-ID, a number, or an artifact's id"
One = Annotated[str, typer.Argument(metavar="A", help=Ref)]
Other = Annotated[str, typer.Argument(metavar="B", help="The other, likewise")]
Identity = Annotated[
    str, typer.Argument(metavar="I1", help="An identity's id, an e-mail address, or connection:address")
]
OtherIdentity = Annotated[str, typer.Argument(metavar="I2", help="The other, likewise")]
Reason = Annotated[str, typer.Option("--reason", help="Why, for whoever asks later")]
By = Annotated[str | None, typer.Option("--by", help="Who decides; by default the name of this machine's user")]
Yes = Annotated[bool, typer.Option("--yes", help="Do not ask, whatever has changed meanwhile (for scripts)")]
Preview = Annotated[bool, typer.Option("--preview", help="Only tell what it would do")]
JSON = Annotated[bool, typer.Option("--json", help="For programs")]


def _decide(told: Mapping[str, Any], reason: str, by: str | None, *, yes: bool, preview: bool, as_json: bool) -> None:
    from services.cli import deciding

    asked = deciding.form({**told, "reason": reason, "by": deciding.who() if by is None else by})
    manner = deciding.Manner(yes, preview, as_json)
    run(deciding.decide(installation(), asked, manner, now_here, screen(), agreeing(yes=yes)))


@app.command()
def link(
    a: One, b: Other, reason: Reason = "", by: By = None, yes: Yes = False, preview: Preview = False,
    as_json: JSON = False,
) -> None:  # fmt: skip
    """Decide that two things belong together, whatever the tools say.

    Says first what it would do. Exit code 6: another decision stands in the way, or something changed meanwhile.

    Example: [bold]throughline link PAY-12 PAY-31 --reason "agreed on the phone"[/]
    """
    _decide({"kind": "link", "a": a, "b": b}, reason, by, yes=yes, preview=preview, as_json=as_json)


@app.command()
def unlink(
    a: One, b: Other, reason: Reason = "", by: By = None, yes: Yes = False, preview: Preview = False,
    as_json: JSON = False,
) -> None:  # fmt: skip
    """Decide that two things do not belong together: they are never in one request again.

    Says first what it would do. Exit code 6: another decision stands in the way, or something changed meanwhile.

    Example: [bold]throughline unlink PAY-12 PAY-31[/]
    """
    _decide({"kind": "unlink", "a": a, "b": b}, reason, by, yes=yes, preview=preview, as_json=as_json)


@app.command()
def merge(
    one: Annotated[str, typer.Argument(metavar="R1", help="A request id, or a reference of what is in it")],
    other: Annotated[str, typer.Argument(metavar="R2", help="The other, likewise")],
    reason: Reason = "", by: By = None, yes: Yes = False, preview: Preview = False, as_json: JSON = False,
) -> None:  # fmt: skip
    """Decide that two requests are one. The younger one's id leads to the older one's.

    Says first what it would do. Exit code 6: another decision stands in the way, or something changed meanwhile.

    Example: [bold]throughline merge R-MZXW6YTBOI3D R-GEZDGNBVGY3T[/]
    """
    _decide({"kind": "merge", "requests": [one, other]}, reason, by, yes=yes, preview=preview, as_json=as_json)


@app.command()
def split(
    request: Annotated[str, typer.Argument(metavar="R", help="A request id, or a reference of what is in it")],
    artifacts: Annotated[list[str], typer.Argument(metavar="ARTIFACT", help="What leaves it, by any reference")],
    reason: Reason = "", by: By = None, yes: Yes = False, preview: Preview = False, as_json: JSON = False,
) -> None:  # fmt: skip
    """Decide that some things of a request are another one. The older part keeps the id.

    Says first what it would do. Exit code 6: another decision stands in the way, or something changed meanwhile.

    Example: [bold]throughline split R-MZXW6YTBOI3D PAY-31 PAY-32[/]
    """
    told = {"kind": "split", "request": request, "artifacts": artifacts}
    _decide(told, reason, by, yes=yes, preview=preview, as_json=as_json)


@app.command("no-request")
def no_request(
    references: Annotated[
        list[str], typer.Argument(metavar="REF", help="Things by any reference; or one request id, for all in it")
    ],
    reason: Reason = "", by: By = None, yes: Yes = False, preview: Preview = False, as_json: JSON = False,
) -> None:  # fmt: skip
    """Decide that something is no request, and part of none: noise, a newsletter, a test ticket.

    Says first what it would do. Exit code 6: another decision stands in the way, or something changed meanwhile.

    Example: [bold]throughline no-request PAY-77 --reason "a test ticket"[/]
    """
    whole = [one for one in references if _REQUEST.fullmatch(one.strip())]
    if whole and len(references) > 1:
        raise WrongUse("Give one request id by itself, or things that are no request")
    told = {"request": references[0]} if whole else {"artifacts": references}
    _decide({"kind": "no request", **told}, reason, by, yes=yes, preview=preview, as_json=as_json)


@app.command()
def undo(
    number: Annotated[int, typer.Argument(metavar="NUMBER", help="As `decisions list` tells it")],
    reason: Reason = "", by: By = None, yes: Yes = False, preview: Preview = False, as_json: JSON = False,
) -> None:  # fmt: skip
    """Take a decision back; an undo can be undone too.

    Says first what it would do. Exit code 6: another decision stands in the way, or something changed meanwhile.

    Example: [bold]throughline undo 12[/]
    """
    _decide({"kind": "undo", "decision": number}, reason, by, yes=yes, preview=preview, as_json=as_json)


@persons.command()
def join(
    one: Identity, other: OtherIdentity, reason: Reason = "", by: By = None, yes: Yes = False,
    preview: Preview = False, as_json: JSON = False,
) -> None:  # fmt: skip
    """Decide that two accounts or addresses are one person's.

    Example: [bold]throughline person join anna@acme.example anna@home.example[/]
    """
    told = {"kind": "same person", "identities": [one, other]}
    _decide(told, reason, by, yes=yes, preview=preview, as_json=as_json)


@persons.command()
def part(
    one: Identity, other: OtherIdentity, reason: Reason = "", by: By = None, yes: Yes = False,
    preview: Preview = False, as_json: JSON = False,
) -> None:  # fmt: skip
    """Decide that two accounts or addresses are of two people, though they share an address.

    An address that several accounts bear is refused, and told by which names each of them may be chosen.

    Example: [bold]throughline person part jira-acme:anna@acme.example crm/owner/77[/]
    """
    told = {"kind": "other person", "identities": [one, other]}
    _decide(told, reason, by, yes=yes, preview=preview, as_json=as_json)


@decisions.command("list")
def list_decisions(
    request: Annotated[str | None, typer.Option(help="Something that is in this request now is named")] = None,
    artifact: Annotated[str | None, typer.Option(help="It is named, by any reference")] = None,
    identity: Annotated[
        str | None, typer.Option(help="It is named: an identity's id, an address, or connection:address")
    ] = None,
    kind: Annotated[str | None, typer.Option(help="link, unlink, merge, split, no request, …")] = None,
    by: Annotated[str | None, typer.Option(help="Who decided, word for word")] = None,
    holds: Annotated[
        bool | None, typer.Option("--holding/--undone", help="Only those that hold, or that were undone")
    ] = None,
    limit: Annotated[int, typer.Option(min=1, max=100_000, help="How many at most")] = 25,
    as_json: Annotated[bool, typer.Option("--json", help="For programs, one a line")] = False,
) -> None:
    """List what was decided, the newest first.

    Example: [bold]throughline decisions list --request R-MZXW6YTBOI3D[/]
    """
    from services.cli import deciding

    filters = deciding.Filters(request, artifact, identity, kind, by, holds)
    run(deciding.show_all(installation(), filters, limit, now_here(), screen(), as_json=as_json))


@decisions.command("show")
def show_decision(
    number: Annotated[int, typer.Argument(metavar="NUMBER", min=1, help="As `decisions list` tells it")],
    as_json: JSON = False,
) -> None:
    """Show one decision: who said what, when and why, whether it holds, and what it changed.

    Example: [bold]throughline decisions show 12[/]
    """
    from services.cli import deciding

    run(deciding.show(installation(), number, screen(), as_json=as_json))
