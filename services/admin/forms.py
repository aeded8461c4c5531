"""A connector's options as a form: a walk over its Pydantic model, so that a new connector has its form at once.

What a page cannot read off types stands in the model's `json_schema_extra`: of a field `advanced` (folded away, or
not), `choices` (value to label), `of` (the part of a form that it belongs to, such as webhooks); of a model `reads`,
`account`, `granted` (where the tool gives what is asked for), `permissions`, `webhooks`.
"""

import types
from collections.abc import Mapping
from datetime import date
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import AwareDatetime, BaseModel, SecretStr
from pydantic.fields import FieldInfo

from services.feed.objections import groups, tag_of

_LISTS = (tuple, list, set, frozenset)


def fields_of(model: type[BaseModel], path: tuple[str, ...] = (), name: str = "") -> list[dict[str, Any]]:
    """The fields in their order, as JSON. path: where they stand in the options; name: the same with the kinds of
    unions in it, as inputs are named and as errors are placed."""
    return [_field(model, key, (*path, key), f"{name}{key}") for key in model.model_fields if key != "kind"]


def _field(model: type[BaseModel], key: str, path: tuple[str, ...], name: str) -> dict[str, Any]:
    field = model.model_fields[key]
    told = {
        "name": name,
        "path": list(path),
        "label": field.title or key.replace("_", " ").capitalize(),
        "help": field.description or "",
        "example": str(field.examples[0]) if field.examples else None,
        "required": field.is_required(),
        "advanced": advanced(field),
        "of": _extra(field).get("of"),
    }
    inner = groups(model, key)
    return told | (_group(inner, path, name) if inner else _plain(field))


def _group(models: list[type[BaseModel]], path: tuple[str, ...], name: str) -> dict[str, Any]:
    """One of several groups of fields, or a single one."""
    if not tag_of(models[0]):
        return {"kind": "group", "fields": fields_of(models[0], path, f"{name}.")}
    return {
        "kind": "alternatives",
        "path": [*path, "kind"],
        "default": tag_of(models[0]),
        "alternatives": [
            {
                "value": tag_of(one),
                "label": one.model_config.get("title") or tag_of(one).replace("_", " ").capitalize(),
                "help": summary(one),
                "granted": extra_of(one).get("granted"),
                "permissions": extra_of(one).get("permissions", []),
                "fields": fields_of(one, path, f"{name}.{tag_of(one)}."),
            }
            for one in models
        ],
    }


def _plain(field: FieldInfo) -> dict[str, Any]:
    kind = kind_of(field.annotation)
    default = None if field.is_required() else field.get_default(call_default_factory=False)
    told: dict[str, Any] = {"kind": kind, "default": _written(default, kind), **_limits(field)}
    options = _choices(plain_type(field.annotation))
    if options:
        labels = _extra(field).get("choices", {})
        told["choices"] = [{"value": one, "label": labels.get(one, one)} for one in options]
    return told


def kind_of(annotation: Any) -> str:
    """The kind of input: secret, choice, choices (several of a few), list (of texts), yes, whole, number, instant, day,
    text."""
    kind = plain_type(annotation)
    if kind is SecretStr:
        return "secret"
    if get_origin(kind) in _LISTS:
        return "choices" if _choices(kind) else "list"
    if get_origin(kind) is Literal:
        return "choice"
    named = {bool: "yes", int: "whole", float: "number", AwareDatetime: "instant", date: "day"}
    return named.get(kind, "text")


def plain_type(annotation: Any) -> Any:
    """Without Annotated and without `| None`."""
    if get_origin(annotation) is Annotated:
        return plain_type(get_args(annotation)[0])
    if get_origin(annotation) in (Union, types.UnionType):
        members = [one for one in get_args(annotation) if one is not type(None)]
        return plain_type(members[0]) if len(members) == 1 else annotation
    return annotation


def _choices(kind: Any) -> list[str]:
    if get_origin(kind) in _LISTS:
        return _choices(plain_type(get_args(kind)[0]))
    return [str(one) for one in get_args(kind)] if get_origin(kind) is Literal else []


def advanced(field: FieldInfo) -> bool:
    """Whether it is folded away. Unless the field says otherwise: what has a default and is neither a choice nor a
    list, for those say what is read and kept, and the others how."""
    said = _extra(field).get("advanced")
    if said is not None:
        return bool(said)
    origin = get_origin(plain_type(field.annotation))
    return not field.is_required() and origin is not Literal and origin not in _LISTS


def _limits(field: FieldInfo) -> dict[str, Any]:
    names = {"ge": "minimum", "le": "maximum", "gt": "above", "lt": "below", "min_length": "shortest",
             "max_length": "longest", "pattern": "pattern"}  # fmt: skip
    found: dict[str, Any] = {}
    for rule in field.metadata:
        for attribute, told in names.items():
            value = getattr(rule, attribute, None)
            if value is not None:
                found[told] = value
    return found


def _written(value: Any, kind: str) -> Any:
    if isinstance(value, tuple | list | set | frozenset):
        return [str(one) for one in value]
    return None if kind == "secret" or value in (None, "") else value if isinstance(value, bool | int | float) else str(
        value
    )  # fmt: skip


def _extra(field: FieldInfo) -> Mapping[str, Any]:
    return field.json_schema_extra if isinstance(field.json_schema_extra, dict) else {}


def extra_of(model: type[BaseModel]) -> Mapping[str, Any]:
    """What a model says of itself beside its fields."""
    extra = model.model_config.get("json_schema_extra")
    return extra if isinstance(extra, dict) else {}


def summary(model: type[BaseModel]) -> str:
    """The first line of what a model says of itself."""
    return (model.__doc__ or "").strip().splitlines()[0] if model.__doc__ else ""


def filled(model: type[BaseModel], given: Mapping[str, Any]) -> dict[str, Any]:
    """What a form sends, as the model takes it: what is blank is left out, so that its default holds and what is
    needed is missing; a list may be typed with commas, and a list with a blank in it is one without it."""
    return _filled(model, given)


def _filled(model: type[BaseModel], given: Mapping[str, Any]) -> dict[str, Any]:
    told: dict[str, Any] = {}
    for name, value in given.items():
        field = model.model_fields.get(name)
        value = value.strip() if isinstance(value, str) else value
        if value is None or value == "":
            continue
        if field is not None and isinstance(value, dict):
            value = _filled(_chosen(model, name, value), value)
        elif field is not None and kind_of(field.annotation) in ("list", "choices"):
            parts = value.split(",") if isinstance(value, str) else value
            value = [one for one in map(_stripped, parts) if one] if isinstance(parts, list) else parts
        told[name] = value
    return told


def _chosen(model: type[BaseModel], name: str, value: Mapping[str, Any]) -> type[BaseModel]:
    inner = groups(model, name)
    fitting = [one for one in inner if tag_of(one) == value.get("kind")]
    return (fitting or inner or [BaseModel])[0]


def _stripped(value: Any) -> Any:
    return value.strip() if isinstance(value, str) else value
