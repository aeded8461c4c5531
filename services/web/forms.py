"""Forms made from what the API tells of a connector's options (GET /v1/connectors): inputs from values, values from
what a browser sends, and what is wrong beside the input it concerns. Pure functions.

A field is a mapping as the API describes it: `name`, `path`, `kind`, `label`, `help`, … An input is a field with what a
template needs beside it: `value`, `wrong`, `state` of a secret, and its own inputs.
"""

import csv
import dataclasses
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from io import StringIO
from typing import Any

from starlette.datastructures import FormData

Field = Mapping[str, Any]
Options = Mapping[str, Any]

TYPED, STORED = "typed", "stored"
"""States of a secret: typed a moment ago; stored with the connection. Both are kept when the input is left empty."""

_WORDS = {
    TYPED: "Typed a moment ago; leave it empty to keep it. Another address asks for it again.",
    STORED: "Stored; leave it empty to keep it. Another address asks for it again.",
}


@dataclass(frozen=True, slots=True)
class Wrong:
    """What is wrong, and how to mend it."""

    field: str
    """Name of the input; "" for what concerns several."""
    problem: str
    mend: str
    label: str = ""
    """Of the input."""


@dataclass(frozen=True, slots=True)
class Filling:
    """What the inputs of a form are filled with."""

    options: Options
    wrong: Sequence[Wrong] = ()
    secrets: Mapping[str, str] = dataclasses.field(default_factory=dict)
    """TYPED or STORED by the dotted place in the options."""


def options_of(fields: Iterable[Field], sent: FormData) -> dict[str, Any]:
    """The options that a form holds. Blank texts are left out, so that what is needed is missing and defaults hold; of
    alternatives only the chosen one's are read."""
    told: dict[str, Any] = {}
    for field in fields:
        value: Any = None
        if field["kind"] == "alternatives":
            value = str(sent.get(field["name"]) or "") or None
            for inner in _chosen(field, value):
                _merge(told, options_of(inner["fields"], sent))
        elif field["kind"] == "group":
            _merge(told, options_of(field["fields"], sent))
            continue
        else:
            value = _READ.get(field["kind"], _text)(sent, field["name"])
        if value is not None:
            put(told, field["path"], value)
    return told


def inputs(fields: Iterable[Field], filling: Filling) -> list[dict[str, Any]]:
    """The fields as they are shown."""
    return [_input(field, filling) for field in fields]


def _input(field: Field, filling: Filling) -> dict[str, Any]:
    value = at(filling.options, field["path"])
    told: dict[str, Any] = {
        **field,
        "value": None if field["kind"] in ("secret", "group") else field["default"] if value is None else value,
        "wrong": [one for one in filling.wrong if one.field == field["name"]],
        "state": _WORDS.get(filling.secrets.get(".".join(field["path"]), ""), ""),
    }
    if field["kind"] == "group":
        told["fields"] = inputs(field["fields"], filling)
    elif field["kind"] == "alternatives":
        told["alternatives"] = [
            {**one, "fields": inputs(one["fields"], filling if one["value"] == told["value"] else _other(filling))}
            for one in field["alternatives"]
        ]
    else:
        told["value"] = _WRITE.get(field["kind"], _same)(told["value"])
    told["open"] = bool(told["wrong"]) or _differs(told, value) or any(one["open"] for one in below(told))
    return told


def _other(filling: Filling) -> Filling:
    """Of an alternative that is not chosen: what was wrong stays, values are those of the chosen one and are not."""
    return Filling({}, filling.wrong)


def _differs(told: Mapping[str, Any], value: Any) -> bool:
    """Whether it is worth showing though it is folded away."""
    if told["state"] or told["kind"] in ("group", "secret"):
        return bool(told["state"])
    write = _WRITE.get(told["kind"], _same)
    return value is not None and write(value) != write(told["default"])


def below(told: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The inputs inside an input."""
    inner: list[dict[str, Any]] = list(told.get("fields", []))
    return inner + [field for one in told.get("alternatives", []) for field in one["fields"]]


def walk(fields: Iterable[Field], options: Options | None = None) -> Iterator[Field]:
    """Every field, also those in groups and alternatives. options: of alternatives only the ones that they choose."""
    for field in fields:
        yield field
        yield from walk(field.get("fields", ()), options)
        chosen = None if options is None else at(options, field["path"])
        for one in field.get("alternatives", ()):
            if options is None or one["value"] == chosen:
                yield from walk(one["fields"], options)


def secrets_of(fields: Iterable[Field], sent: FormData) -> dict[str, str]:
    """The secrets that were typed, by their dotted place; of alternatives the chosen one's."""
    told = options_of(fields, sent)
    places = {".".join(field["path"]) for field in walk(fields) if field["kind"] == "secret"}
    return {place: str(value) for place in places if (value := at(told, place.split("."))) is not None}


def wrongs(fields: Iterable[Field], problem: Mapping[str, Any], own: Mapping[str, str]) -> list[Wrong]:
    """What a problem document says, by input. own: labels of the page's own inputs, by the names the API has for them;
    their inputs are called `connection.<name>`. What belongs to no input concerns the whole form."""
    labels = {str(one["name"]): str(one["label"]) for one in walk(fields)}
    told = [_wrong(labels, own, one) for one in problem.get("errors") or ()]
    return told or [Wrong("", str(problem.get("detail", "")), str(problem.get("mend") or ""))]


def _wrong(labels: Mapping[str, str], own: Mapping[str, str], one: Mapping[str, Any]) -> Wrong:
    said = str(one.get("field") or "")
    problem, mend = str(one.get("problem", "")), str(one.get("mend") or "")
    name = said.removeprefix("body.")
    option = name.removeprefix("options.")
    beside = said.startswith("body.") and option == name
    if option in labels and not beside:
        return Wrong(option, problem, mend, labels[option])
    if name in own:
        return Wrong(f"connection.{name}", problem, mend, own[name])
    return Wrong("", f"{said}: {problem}" if said else problem, mend)


def _chosen(field: Field, value: str | None) -> list[Field]:
    return [one for one in field["alternatives"] if one["value"] == value]


def _merge(told: dict[str, Any], more: Mapping[str, Any]) -> None:
    for name, value in more.items():
        if isinstance(value, dict) and isinstance(told.get(name), dict):
            _merge(told[name], value)
        else:
            told[name] = value


def at(options: Options, path: Iterable[str]) -> Any:
    """The value at a place; None where there is none."""
    value: Any = options
    for step in path:
        value = value.get(step) if isinstance(value, Mapping) else None
    return value


def put(options: dict[str, Any], path: Sequence[str], value: Any) -> None:
    """Set the value at a place."""
    for step in path[:-1]:
        options = options.setdefault(step, {})
    options[path[-1]] = value


def _text(sent: FormData, name: str) -> str | None:
    return str(sent.get(name) or "").strip() or None


def _yes(sent: FormData, name: str) -> bool:
    return sent.get(name) is not None


def _several(sent: FormData, name: str) -> list[str]:
    return [str(one) for one in sent.getlist(name)]


def _list(sent: FormData, name: str) -> list[str]:
    """Parts between commas; one that holds a comma itself stands in double quotes."""
    rows = csv.reader(StringIO(str(sent.get(name) or "")), skipinitialspace=True)
    return [part.strip() for row in rows for part in row if part.strip()]


def _instant(sent: FormData, name: str) -> str | None:
    text = _text(sent, name)
    return text and (text if text.endswith("Z") or "+" in text else f"{text}Z")


_READ: Mapping[str, Callable[[FormData, str], Any]] = {
    "yes": _yes, "choices": _several, "list": _list, "instant": _instant,
}  # fmt: skip


def _same(value: Any) -> Any:
    return value


def _with_commas(value: Any) -> str:
    if not isinstance(value, list):
        return str(value or "")
    return ", ".join(_quoted(str(one)) for one in value)


def _quoted(text: str) -> str:
    if not any(mark in text for mark in ',"'):
        return text
    return '"' + text.replace('"', '""') + '"'


def _local(value: Any) -> str:
    """As an input of kind datetime-local holds it, in UTC."""
    if not value:
        return ""
    try:
        there = datetime.fromisoformat(str(value))
    except ValueError:  # as it was typed
        return str(value)
    return (there.astimezone(UTC) if there.tzinfo else there).replace(tzinfo=None).isoformat()


def _number(value: Any) -> str:
    return "" if value is None else str(value)


_WRITE: Mapping[str, Callable[[Any], Any]] = {
    "list": _with_commas, "instant": _local, "whole": _number, "number": _number, "text": _number, "day": _number,
}  # fmt: skip
