"""What a person chooses for all connections together, as a file: read, checked by line and column, and told again."""

from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from pipelines.store.configuration import Installation
from schemas.errors import Misconfigured
from services.cli import filing

Value = Annotated[str, StringConstraints(strip_whitespace=True, min_length=3, max_length=250)]
Kind = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z -]{0,60}$")]


class LimitsFile(BaseModel):
    """The whole file; what is left out stays as the release has it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    digest: int | None = Field(default=None, ge=2, le=100)
    generic: int | None = Field(default=None, ge=5, le=10_000)
    component: int | None = Field(default=None, ge=50, le=100_000)
    exclusive: tuple[Kind, ...] | None = Field(default=None, min_length=1)
    called_generic: tuple[Value, ...] = ()
    called_specific: tuple[Value, ...] = ()


KEYS = tuple(LimitsFile.model_fields)

_MENDS = {
    "greater_than_equal": "Give at least {ge}",
    "less_than_equal": "Give at most {le}",
    "int_parsing": "Give a whole number",
    "int_type": "Give a whole number",
    "tuple_type": "Write it as a list: [first, second]",
}


def read(path: Path) -> Installation:
    """What the file chooses. Raises Misconfigured by line and column."""
    filed = filing.document(path, KEYS, "the rules of all connections")
    try:
        told = LimitsFile.model_validate({name: one for name, one in filed.told.items() if one is not None})
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        steps = [str(step) for step in first["loc"]]
        problem = f"{path}, {filing.place(filed.node, steps)}: {steps[0]} is not valid"
        mend = _MENDS.get(first["type"], str(first["msg"])).format_map(first.get("ctx") or {})
        raise Misconfigured(problem, mend, steps[0]) from None
    both = set(told.called_generic) & set(told.called_specific)
    if both:
        at = filing.place(filed.node, ("called_specific",))
        raise Misconfigured(f"{path}, {at}: a value is called both generic and specific", "Keep one", "called_specific")
    return Installation(
        digest=told.digest,
        generic=told.generic,
        component=told.component,
        exclusive=frozenset(told.exclusive) if told.exclusive else None,
        called_generic=frozenset(told.called_generic),
        called_specific=frozenset(told.called_specific),
    )


def told_again(chosen: Installation) -> dict[str, Any]:
    """The choices in the file's own form; what is not chosen is left out."""
    told = {name: getattr(chosen, name) for name in KEYS}
    return {name: sorted(one) if isinstance(one, frozenset) else one for name, one in told.items() if one}
