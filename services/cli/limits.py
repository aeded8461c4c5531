"""What a person chooses for all connections together, as a file: read, and checked by line and column."""

from pathlib import Path

from pydantic import ValidationError

from pipelines.store.configuration import Installation
from schemas.errors import Misconfigured
from services.admin.rules_form import LimitsForm, limits_of
from services.cli import filing

KEYS = tuple(LimitsForm.model_fields)

_MENDS = {
    "greater_than_equal": "Give at least {ge}",
    "less_than_equal": "Give at most {le}",
    "too_short": "Name at least {min_length}, or leave it out for what holds by default",
    "int_parsing": "Give a whole number",
    "int_type": "Give a whole number",
    "tuple_type": "Write it as a list: [first, second]",
}


def read(path: Path) -> Installation:
    """What the file chooses. Raises Misconfigured by line and column."""
    return checked(filing.document(path, KEYS, "the rules of all connections"))


def checked(filed: filing.Filed) -> Installation:
    """What this part of a file chooses. Raises Misconfigured by line and column."""
    try:
        told = LimitsForm.model_validate({name: one for name, one in filed.told.items() if one is not None})
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        steps = [str(step) for step in first["loc"]]
        problem = f"{filed.path}, {filed.place(*steps)}: {steps[0]} is not valid"
        mend = _MENDS.get(first["type"], str(first["msg"])).format_map(first.get("ctx") or {})
        raise Misconfigured(problem, mend, steps[0]) from None
    if told.twice:
        at = filed.place("called_specific")
        raise Misconfigured(
            f"{filed.path}, {at}: a value is called both generic and specific", "Keep one", "called_specific"
        )
    return limits_of(told)
