"""What is wrong with a connection's options, in words: the field, the problem and the mend, never the value."""

import difflib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, get_args

from pydantic import BaseModel, ValidationError

_LISTS = {"list_type", "tuple_type", "set_type"}
_GROUPS = {"model_type", "model_attributes_type", "dict_type"}


@dataclass(frozen=True, slots=True)
class Objection:
    """One field that is wrong."""

    kind: str
    """Pydantic's name of the problem, such as `missing`."""
    path: tuple[str, ...]
    """Where the field stands; () for what concerns several."""
    problem: str
    """A part of a sentence that follows the field's name."""
    mend: str
    several: bool = False
    """It is a rule over several fields that this one breaks."""

    @property
    def field(self) -> str:
        """The dotted name; "" for what concerns several fields."""
        return ".".join(self.path)

    @property
    def said(self) -> str:
        """Field and problem, as a sentence without its full stop."""
        if self.kind in ("missing", "extra_forbidden"):
            return f"{self.field} {self.problem}"
        return f"{self.field}: {self.problem}" if self.field else self.problem


def objections(model: type[BaseModel], error: ValidationError) -> list[Objection]:
    """All that is wrong, in the order of the fields."""
    return [_objection(model, one) for one in error.errors(include_input=False, include_url=False)]


def _objection(model: type[BaseModel], one: Mapping[str, Any]) -> Objection:
    kind, context = str(one["type"]), one.get("ctx") or {}
    path = _named(model, one["loc"])
    if kind == "value_error":
        said = str(one["msg"]).removeprefix("Value error, ")
        field, colon, rest = said.partition(": ")
        if not path and colon and field in model.model_fields:
            return Objection(kind, (field,), rest, "Correct it", several=True)
        return Objection(kind, path, said, "Correct it")
    if kind == "extra_forbidden":
        return Objection(kind, path, "is no option", _nearest(path[-1], names_at(model, path[:-1])))
    if kind == "missing":
        return Objection(kind, path, "is missing", "Add it")
    if kind.startswith("union_tag"):
        choices = ", ".join(dict.fromkeys(tag_of(one) for one in _models_at(model, path)))
        return Objection(kind, (*path, "kind"), f"give one of {choices}", "Say which kind it is")
    return Objection(kind, path, _words(path, kind, context), "Correct it")


def _words(path: tuple[str, ...], kind: str, context: Mapping[str, Any]) -> str:
    """What a value must be."""
    if kind in _LISTS:
        return "give a list, such as [first, second]"
    if kind in _GROUPS:
        return "give options of its own, each as name: value"
    if kind == "too_short" and path and path[-1].endswith("s"):
        return _at_least(int(context["min_length"]), path[-1])
    worded = _WORDS.get(kind)
    if worded:
        return worded(context)
    family = kind.partition("_")[0]
    return _FAMILIES.get(family, "this value cannot be used here; `throughline connections add` explains the field")


def _at_least(number: int, name: str) -> str:
    thing = {"objects": "record type"}.get(name, name.removesuffix("s").replace("_", " "))
    return f"name at least {'one' if number == 1 else number} {thing}{'' if number == 1 else 's'}"


_WORDS: dict[str, Callable[[Mapping[str, Any]], str]] = {
    "too_short": lambda told: f"give at least {told['min_length']} characters",
    "string_too_short": lambda told: (
        "give a value; it is empty" if told["min_length"] == 1 else f"give at least {told['min_length']} characters"
    ),
    "string_too_long": lambda told: f"give at most {told['max_length']} characters",
    "too_long": lambda told: f"give at most {told['max_length']}",
    "string_pattern_mismatch": lambda told: f"use the form {told['pattern'].strip('^$')}",
    "literal_error": lambda told: f"give {told['expected'].replace(chr(39), '')}",
    "greater_than": lambda told: f"give a number above {told['gt']:g}",
    "greater_than_equal": lambda told: f"give a number of at least {told['ge']:g}",
    "less_than": lambda told: f"give a number below {told['lt']:g}",
    "less_than_equal": lambda told: f"give a number of at most {told['le']:g}",
    "timezone_aware": lambda _: "add the time zone, such as 2026-01-15T00:00:00Z",
}

_FAMILIES = {
    "int": "give a whole number",
    "float": "give a number, such as 0.25",
    "bool": "give true or false",
    "string": "give a text",
    "datetime": "give a time, such as 2026-01-15T00:00:00Z",
    "date": "give a date, such as 2026-01-15",
    "url": "give an address with https://",
}


def _named(model: type[BaseModel], location: Sequence[int | str]) -> tuple[str, ...]:
    """The place as a person writes it: without the name of a union's member."""
    path: list[str] = []
    here: list[type[BaseModel]] = [model]
    for step in location:
        fields = {name for one in here for name in one.model_fields}
        # Of several members the name stands first, though a field may be called the same (a password's password).
        if step and (len(here) > 1 or step not in fields) and str(step) in {tag_of(one) for one in here}:
            here = [one for one in here if tag_of(one) == str(step)]
            continue
        path.append(str(step) or '""')
        here = [one for each in here if step in each.model_fields for one in groups(each, str(step))]
    return tuple(path)


def groups(model: type[BaseModel], name: str) -> list[type[BaseModel]]:
    """The models that a field may hold: one, or several kinds of them."""
    found: list[type[BaseModel]] = []
    waiting: list[Any] = [model.model_fields[name].annotation]
    while waiting:
        one = waiting.pop(0)
        if isinstance(one, type) and issubclass(one, BaseModel):
            found.append(one)
        else:
            waiting += get_args(one)
    return found


def tag_of(model: type[BaseModel]) -> str:
    """The kind by which a union tells this model from its others; "" where it has none."""
    field = model.model_fields.get("kind")
    return str(field.default) if field else ""


def names_at(model: type[BaseModel], path: Sequence[str]) -> list[str]:
    """The options that may stand at a place."""
    return list(dict.fromkeys(name for one in _models_at(model, path) for name in one.model_fields))


def _models_at(model: type[BaseModel], path: Sequence[str]) -> list[type[BaseModel]]:
    here = [model]
    for step in path:
        here = [one for each in here if step in each.model_fields for one in groups(each, step)]
    return here


def _nearest(name: str, known: Sequence[str]) -> str:
    near = difflib.get_close_matches(name, known, n=1, cutoff=0.6)
    if near:
        return f"Is {near[0]} meant?"
    return f"The options are {', '.join(known)}" if known else "Take it out"
