"""The options that an admin gives, checked; secrets that are not given again are the stored ones, where they may be.

A stored secret is never sent to another address, for another user, nor by another kind of signing in, than it was given
for.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, get_args

import orjson
from pydantic import AfterValidator, BaseModel, SecretStr, ValidationError
from pydantic_core import PydanticCustomError

from schemas.errors import Misconfigured
from services.admin import forms
from services.feed.connections import StoredConnection, parse_options, with_secrets
from services.feed.objections import Objection, groups, objections, tag_of
from services.security import KeyRing


def _whole(sent: Any) -> Any:
    try:
        orjson.dumps(sent)
    except TypeError:  # half a sign, or a number of more than 64 bits: JSON can write them, no database holds them
        raise PydanticCustomError("not_storable", "no JSON") from None
    return sent


WHOLE = AfterValidator(_whole)
"""For a field that may hold anything: all of it can be stored and told again."""

WHERE_TO = (
    "base_url", "host", "port", "security", "cloud_id", "auth.gateway", "auth.provider", "auth.tenant",
    "auth.token_url",
)  # fmt: skip
"""Options that say where secrets are sent, and whether in clear."""
FOR_WHOM = ("auth.user", "auth.email", "auth.client_id")
"""Options that say whose secrets they are."""
SENT = (*WHERE_TO, *FOR_WHOM)
KIND = "auth.kind"


@dataclass(frozen=True, slots=True)
class Wrong:
    """What is wrong with one field of a form."""

    field: str
    """The name of the input; "" for what concerns several."""
    problem: str
    mend: str


class Invalid(Exception):
    """Options that cannot be used as they were given. Repeats no value."""

    def __init__(self, wrong: Iterable[Wrong]) -> None:
        self.wrong = tuple(wrong)
        super().__init__("; ".join(f"{one.field or 'options'}: {one.problem}" for one in self.wrong))


_TO = {"address": "to another address", "user": "for another user"}


class Elsewhere(Misconfigured):
    """Stored secrets would be sent to another address, or for another user, than they were given for."""

    def __init__(self, names: list[str], what: str) -> None:
        """what: is another one now."""
        wanted = " ".join(f"--secret {name}" for name in names)
        super().__init__(
            f"Stored secrets are never sent {_TO[what]} than they were given for", f"Give them again: {wanted}",
            names[0],
        )  # fmt: skip
        self.names = tuple(names)
        self.what = what


def options_of(
    model: type[BaseModel], sent: Mapping[str, Any], stored: StoredConnection | None, keys: KeyRing,
    forget: Iterable[str] = (),
) -> BaseModel:  # fmt: skip
    """The options of a form. stored: the connection whose secrets fill those left empty; forget: secrets (dotted names)
    that are given up. Raises Invalid; LostKey and BadSeal for stored secrets that cannot be opened."""
    raw = forms.filled(model, sent)
    if stored is not None:
        try:
            with_kept(model, raw, stored, keys, forget)
        except Elsewhere as error:
            mend = f"Type it again: a stored secret is never sent {_TO[error.what]} than it was given for"
            names = (input_name(model, raw, tuple(name.split("."))) for name in error.names)
            raise Invalid(Wrong(name, f"is needed for the new {error.what}", mend) for name in names) from None
    return parsed(model, raw)


def with_kept(
    model: type[BaseModel], raw: dict[str, Any], stored: StoredConnection, keys: KeyRing, forget: Iterable[str] = ()
) -> None:
    """Fill in the stored secrets that were not given again. Raises Elsewhere, LostKey, BadSeal."""
    given: dict[str, Any] = {name: at(raw, name) for name in secret_names(model) if at(raw, name) is not None}
    given |= dict.fromkeys(forget)
    for name, secret in kept(stored, _with_defaults(model, raw), given, keys).items():
        put(raw, name, secret)


def _with_defaults(model: type[BaseModel], raw: Mapping[str, Any]) -> dict[str, Any]:
    """With the defaults of what says where secrets are sent, for a form may leave those out."""
    told: dict[str, Any] = orjson.loads(orjson.dumps(raw, default=str))
    for name in SENT:
        group, dot, last = name.rpartition(".")
        inner = groups(model, group) if dot and group in model.model_fields else []
        tag = at(raw, f"{group}.kind") if dot else None
        chosen = next((one for one in inner if tag_of(one) == tag), None) if dot else model
        field = chosen.model_fields.get(last) if chosen is not None else None
        if field is not None and not field.is_required() and at(told, name) is None:
            put(told, name, field.get_default(call_default_factory=False))
    return told


def parsed(model: type[BaseModel], raw: Mapping[str, Any]) -> BaseModel:
    """The options, checked. Raises Invalid that names every wrong field as its input is named."""
    try:
        return model.model_validate(raw)
    except ValidationError as error:
        raise Invalid(dict.fromkeys(_wrong(model, raw, one) for one in objections(model, error))) from None


def _wrong(model: type[BaseModel], raw: Mapping[str, Any], one: Objection) -> Wrong:
    """By its input; what is no option is not told again, it may be anything."""
    if one.kind == "extra_forbidden":
        return Wrong(input_name(model, raw, one.path[:-1]), "there is an option that is not known", one.mend)
    return Wrong(input_name(model, raw, one.path), one.problem, one.mend)


def input_name(model: type[BaseModel], raw: Mapping[str, Any], path: tuple[str, ...]) -> str:
    """The name of the input at a place: with the kind that was chosen in it, as in auth.api_token.token."""
    names: list[str] = []
    here: type[BaseModel] | None = model
    told: Any = raw
    for step in path:
        if step == "kind" and names:
            return ".".join(names[:-1] if here is not None and names[-1] == tag_of(here) else names)
        if step.isdecimal():  # a place in a list has no input of its own
            break
        names.append(step)
        told = told.get(step) if isinstance(told, Mapping) else None
        inner = groups(here, step) if here is not None and step in here.model_fields else []
        tag = told.get("kind") if isinstance(told, Mapping) else None
        here = next((one for one in inner if tag_of(one) == tag), inner[0] if len(inner) == 1 else None)
        if here is not None and tag_of(here) and step != path[-1]:
            names.append(tag_of(here))
    return ".".join(names)


def kept(
    stored: StoredConnection, raw: Mapping[str, Any], given: Mapping[str, Any], keys: KeyRing
) -> dict[str, SecretStr]:
    """The stored secrets that stay. given: new ones by dotted name, None: given up. Raises Elsewhere where the options
    would send them to another address; LostKey, BadSeal."""
    left = [name for name in sorted(stored.secrets) if name not in given]
    if at(raw, KIND) != at(stored.options, KIND):
        left = [name for name in left if not name.startswith("auth.")]
    for what, names in (("address", WHERE_TO), ("user", FOR_WHOM)) if left else ():
        if elsewhere(stored.options, raw, *names):
            raise Elsewhere(left, what)
    told = with_secrets(stored, keys) if left else {}
    return {name: at(told, name) for name in left}


def elsewhere(before: Mapping[str, Any], after: Mapping[str, Any], *names: str) -> bool:
    """Whether one of the options of these names says something else."""
    return any(_plain(at(before, name)) != _plain(at(after, name)) for name in names)


def _plain(value: Any) -> str:
    return "" if value is None else str(value).strip().rstrip("/").lower()


def secret_names(model: type[BaseModel], prefix: str = "") -> list[str]:
    """The options of a model that are secrets, by their dotted names."""
    found: dict[str, None] = {}
    for name, field in model.model_fields.items():
        if SecretStr in (field.annotation, *get_args(field.annotation)):
            found[prefix + name] = None
        for inner in groups(model, name):
            found |= dict.fromkeys(secret_names(inner, f"{prefix}{name}."))
    return list(found)


def stored_options(stored: StoredConnection) -> dict[str, Any]:
    """A copy of the stored options, without secrets."""
    told: dict[str, Any] = orjson.loads(orjson.dumps(stored.options))
    return told


def stored_whole(model: type[BaseModel], stored: StoredConnection, keys: KeyRing) -> BaseModel:
    """The stored options with their secrets. Raises Misconfigured."""
    return parse_options(model, with_secrets(stored, keys))


def at(told: Mapping[str, Any], name: str) -> Any:
    """The value at a dotted name; None where there is none."""
    value: Any = told
    for step in name.split("."):
        value = value.get(step) if isinstance(value, dict) else None
    return value


def put(raw: dict[str, Any], name: str, value: Any) -> None:
    """Set an option by its dotted name; None takes it away, so that its default holds. Raises Misconfigured."""
    *path, last = name.split(".")
    place = raw
    for step in path:
        inner = place.setdefault(step, {})
        if not isinstance(inner, dict):
            raise Misconfigured(f"{name} is no option", f"{step} holds a single value", name)
        place = inner
    if value is None:
        place.pop(last, None)
    else:
        place[last] = value
