"""What a person chooses for one connection, as a file: read, and checked by line and column."""

import difflib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, get_args

from pydantic import ValidationError

from pipelines.store.configuration import Chosen
from schemas.artifacts import State
from schemas.errors import Misconfigured
from schemas.stages import STAGES
from services.admin.rules_form import KINDS, Does, Row, RulesForm, chosen_of, unknown_kind
from services.cli import filing

KEYS = tuple(RulesForm.model_fields)


def read(path: Path, connector: str, kinds: Iterable[str]) -> Chosen:
    """What the file chooses. kinds: of the connector's things, for rows. Raises Misconfigured by line and column."""
    return checked(filing.document(path, KEYS, "a connection's rules"), connector, kinds)


def checked(filed: filing.Filed, connector: str, kinds: Iterable[str]) -> Chosen:
    """What this part of a file chooses. Raises Misconfigured by line and column."""
    try:
        told = RulesForm.model_validate(_texts({name: one for name, one in filed.told.items() if one is not None}))
    except ValidationError as error:
        raise _wrong(filed, error) from None
    if found := unknown_kind(told.stages, kinds):
        number, known = found
        at = filed.place("stages", str(number), "kind")
        problem = f"{filed.path}, {at}: {told.stages[number].kind} is no kind of thing that this connector reads"
        raise Misconfigured(problem, f"Use one of {', '.join(known)}", "kind")
    return chosen_of(told, connector)


def _texts(value: Any) -> Any:
    """Numbers as text: a status is often named by its id, a portal is a number."""
    if isinstance(value, dict):
        return {str(name): _texts(one) for name, one in value.items()}
    if isinstance(value, list):
        return [_texts(one) for one in value]
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


def _wrong(filed: filing.Filed, error: ValidationError) -> Misconfigured:
    # A mistyped key first: that another one is missing follows from it.
    every = sorted(error.errors(include_url=False), key=lambda one: one["type"] != "extra_forbidden")
    first = every[0]
    path = [str(step) for step in first["loc"]]
    at = filed.place(*(path[:-1] if first["type"] == "missing" else path))
    problem, mend = _words(str(first["type"]), path, first)
    more = f". {len(every) - 1} more are wrong" if len(every) > 1 else ""
    return Misconfigured(f"{filed.path}, {at}: {problem}", mend + more, path[-1] if path else "")


def _words(kind: str, path: list[str], told: Mapping[str, Any]) -> tuple[str, str]:
    """What is wrong, and the mend."""
    name = path[-1] if path else "the file"
    if kind == "extra_forbidden":
        return f"{name} is no key of a row", filing.meant(name, tuple(Row.model_fields))
    if kind == "missing":
        return f"{name} is missing", f"Add it: one of {', '.join(STAGES)}"
    if kind == "literal_error":
        return f"{told['input']} is no {_noun(path)}", _nearest(str(told["input"]), _choices(path))
    if kind.startswith("string_type"):
        return f"{name} is no text", "Put it in quotes: YAML reads words such as yes, no and on otherwise"
    if kind == "string_pattern_mismatch" and path[0] == "reference_fields":
        return f"{told['input']} is nothing that a field can name", _nearest(str(told["input"]), KINDS)
    if kind == "string_pattern_mismatch":
        return f"{told['input']} is no key of a project", "Write it in capitals, such as PAY"
    if kind == "value_error":
        return f"{name}: {str(told['msg']).removeprefix('Value error, ')}", "Correct it"
    return _shape(kind, name, str(told["msg"]))


def _shape(kind: str, name: str, said: str) -> tuple[str, str]:
    if kind in ("tuple_type", "list_type"):
        return f"{name} is no list", f"Write {name}: [first, second], or a line with - for each"
    if kind in ("dict_type", "model_type"):
        return f"{'a row' if name.isdecimal() else name} holds no names and values", "Write each as name: value"
    return f"{name}: {said}", "Correct it"


def _noun(path: list[str]) -> str:
    return {"stage": "stage", "state": "state"}.get(path[-1], "kind of link")


def _choices(path: list[str]) -> tuple[str, ...]:
    return {"stage": STAGES, "state": tuple(State)}.get(path[-1], get_args(Does))


def _nearest(word: str, known: tuple[str, ...]) -> str:
    near = difflib.get_close_matches(word.lower(), known, n=1)
    return f"{f'Is {near[0]} meant? ' if near else ''}Use one of {', '.join(known)}"
