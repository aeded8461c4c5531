"""What stands in an admin's way, as problem documents that name the input and the mend."""

from schemas.errors import HubError, Misconfigured, RetryLater
from services.admin.given import Invalid, Wrong
from services.admin.sameness import Taken
from services.admin.saving import Meanwhile
from services.query.refused import Refused


def invalid(error: Invalid) -> Refused:
    """A form that cannot be used as it was filled in."""
    return fields(error.wrong)


def fields(wrong: "tuple[Wrong, ...]") -> Refused:
    """A 422 for these inputs, the first in words."""
    first = wrong[0]
    detail = f"{first.field}: {first.problem}" if first.field else first.problem
    errors = [{"field": one.field, "problem": one.problem, "mend": one.mend} for one in wrong]
    return Refused(422, "invalid", detail, first.mend, errors=errors)


def refusal(error: HubError) -> Refused:
    """Why a tool cannot be read as it was given, or a connection not be kept so."""
    if isinstance(error, Taken):
        told = [{"field": error.field, "problem": error.problem, "mend": error.plain}]
        return Refused(409, "taken", error.problem, error.plain, errors=told, anyway=error.anyway)
    if isinstance(error, Meanwhile):
        return Refused(412, "changed", error.problem, error.mend)
    if isinstance(error, Misconfigured):
        told = [{"field": error.field, "problem": error.problem, "mend": error.mend}] if error.field else []
        return Refused(422, "misconfigured", error.problem, error.mend, errors=told or None)
    after = int(error.after or 5) if isinstance(error, RetryLater) else 5
    return Refused(
        503, "tool-away", str(error), "Try again; look whether the tool answers elsewhere.",
        headers={"Retry-After": str(after)},
    )  # fmt: skip


def unknown(name: str) -> Refused:
    """There is no such connection."""
    del name
    return Refused(404, "unknown-connection", "There is no connection of this name.", "See /v1/connections.")


def unknown_kind(known: list[str]) -> Refused:
    """There is no such connector."""
    return fields((Wrong("connector", "is no kind of tool", f"Give one of {', '.join(known)}"),))
