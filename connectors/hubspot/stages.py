"""Where HubSpot's default pipelines stand in a request's life, with a reason for every row.

Stage ids of the default pipelines are the same in every account and language; labels are given in English and German,
because a person may have copied the stages into a pipeline of their own, where the ids are numbers.
"""

from collections.abc import Iterable

from schemas.artifacts import State
from schemas.stages import StageRule

_OPEN = "The customer and we are still finding out what is wanted"
_DEALS: tuple[tuple[tuple[str, ...], str, State, str], ...] = (
    (("appointmentscheduled", "Appointment scheduled", "Termin vereinbart"), "alignment", State.NEW, _OPEN),
    (("qualifiedtobuy", "Qualified to buy", "Kaufqualifiziert"), "alignment", State.ACTIVE, _OPEN),
    (
        ("presentationscheduled", "Presentation scheduled", "Präsentation vereinbart"),
        "alignment",
        State.ACTIVE,
        _OPEN,
    ),
    (
        ("decisionmakerboughtin", "Decision maker bought-in", "Entscheidungsträger überzeugt"),
        "alignment",
        State.ACTIVE,
        "Those who decide agree; the terms are still open",
    ),
    (
        ("contractsent", "Contract sent", "Vertrag gesendet"),
        "alignment",
        State.WAITING,
        "The contract is with the customer: nothing moves before they sign",
    ),
    (
        ("closedwon", "Closed won", "Abgeschlossen und gewonnen"),
        "requirements",
        State.DONE,
        "Signed: the deal's own work is done, and what was sold now has to be specified",
    ),
    (
        ("closedlost", "Closed lost", "Abgeschlossen und verloren"),
        "alignment",
        State.CANCELLED,
        "The customer decided against it before any work was agreed",
    ),
)

_TICKET = "A ticket tells what a customer met in what already runs: that is improvement"
_TICKETS: tuple[tuple[tuple[str, ...], State, str], ...] = (
    (("1", "New", "Neu"), State.NEW, _TICKET),
    (("2", "Waiting on contact", "Warten auf Kontakt"), State.WAITING, "The customer owes an answer"),
    (("3", "Waiting on us", "Warten auf uns"), State.ACTIVE, _TICKET),
    (("4", "Closed", "Geschlossen"), State.DONE, _TICKET),
)


def _waiting(state: State) -> str | None:
    return "customer" if state is State.WAITING else None


def _rules() -> Iterable[StageRule]:
    for names, stage, state, reason in _DEALS:
        for name in names:
            yield StageRule("hubspot", "deal", "*", name, stage, state, reason, waiting=_waiting(state))
    for names, state, reason in _TICKETS:
        for name in names:
            yield StageRule("hubspot", "ticket", "*", name, "improvement", state, reason, waiting=_waiting(state))
    yield StageRule(
        "hubspot", "deal", "*", "*", "alignment", None, "An open deal of any pipeline is still being agreed"
    )
    yield StageRule("hubspot", "ticket", "*", "*", "improvement", None, _TICKET)


STAGES: tuple[StageRule, ...] = tuple(_rules())
"""Default stage map of deals and tickets. Notes and e-mails carry no status and so no stage."""

LINK_KINDS = {"association": "joins", "merged into": "joins", "mentions": "mentions"}
"""A CRM association of a deal with a ticket, of a note or logged e-mail with its record, joins them."""
