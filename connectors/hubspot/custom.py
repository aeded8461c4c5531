"""Properties that an admin names, beside those that are always read: shown, and of use for dates, units, references.

Which an account has, and what they are called there, is read from its "Properties" API; what a record's event needs of
that stands in it under `around.custom`.
"""

import re
from collections.abc import Iterable, Sequence
from typing import Any

from connectors.contract import Misconfigured
from connectors.dedicated import MOST_FIELDS, values
from connectors.hubspot.options import Options
from connectors.hubspot.reading import dicts_at, mapping_at, moment_at, text_at
from connectors.hubspot.told import Told
from schemas.artifacts import FIELDS_PART, Evidence, Part, Reference
from schemas.canonical import instant

_ROOM = 500
"""Characters of a value that are shown."""
_DAY = re.compile(r"[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])")
_WORDS = ("string", "")
"""HubSpot's types of property that hold words of people; all others are numbers, times, choices, yes or no."""


def among(listed: Iterable[dict[str, Any]], options: Options) -> dict[str, dict[str, Any]]:
    """Those that the options name, by name, as HubSpot describes them; in the order of the options."""
    there = {text_at(one, "name"): one for one in listed}
    return {name: there[name] for name in options.named_properties if name in there}


def nowhere(there: Iterable[str], options: Options) -> list[str]:
    """What the options name that no record has."""
    return sorted(set(options.named_properties) - set(there))


def needed(options: Options) -> dict[str, str]:
    """What the options name, to the option that does."""
    named = dict.fromkeys(options.properties, "properties")
    roles = {options.due_property: "due_property", options.unit_property: "unit_property"}
    return named | {name: option for name, option in roles.items() if name}


def all_there(missing: Sequence[str], options: Options) -> str:
    """That everything is there, in words. Raises Misconfigured for what is not."""
    if missing:
        raise Misconfigured(
            f"No deal or ticket has the property {', '.join(missing)}",
            "Give the internal name: HubSpot, Settings, Properties, the property, the sign </> beside its label",
            needed(options)[missing[0]],
        )
    return f"{len(options.named_properties)} named properties are there"


def around(record: dict[str, Any], described: dict[str, dict[str, Any]], options: Options) -> dict[str, Any]:
    """What an event has to say about these properties for its mapping to be pure."""
    held = mapping_at(record, "properties")
    custom = {name: _described(one, text_at(held, name)) for name, one in described.items()}
    roles = {"due": options.due_property, "unit": options.unit_property}
    return {"custom": custom, "roles": {role: name for role, name in roles.items() if name in described}}


def _described(one: dict[str, Any], value: str | None) -> dict[str, Any]:
    told: dict[str, Any] = {"label": text_at(one, "label"), "type": text_at(one, "type")}
    labels = {text_at(each, "value"): text_at(each, "label") for each in dicts_at(one, "options")}
    choices = {each: labels[each] for each in (value or "").split(";") if each in labels}
    return told | ({"choices": choices} if choices else {})


def of_people(described: dict[str, Any]) -> list[str]:
    """The named properties that hold words of people."""
    return [name for name in described if (text_at(described[name], "type") or "") in _WORDS]


def candidates(told: Told) -> tuple[Reference, ...]:
    """What stands in properties that hold nothing but references."""
    found: list[Reference] = []
    held = [(name, label, some) for name, label, value, _ in _properties(told) if (some := values(value))]
    for name, label, some in held[:MOST_FIELDS]:
        found += (Reference("field", "", value, Evidence.FIELD, label, name) for value in some)
    return tuple(found)


def part(told: Told) -> dict[str, Part]:
    """The part that holds the candidates, where there are any."""
    found = candidates(told)
    return {FIELDS_PART: Part(found)} if found else {}


def standing(told: Told) -> dict[str, Any]:
    """That what named properties held before stands no more, unless it is told again."""
    return {"standing": {FIELDS_PART: [*part(told)]}} if "custom" in told.around else {}


def shown(told: Told) -> dict[str, str]:
    """Label to value, as HubSpot shows them."""
    return {label: text[:_ROOM] for _, label, _, text in _properties(told)}


def in_roles(told: Told) -> dict[str, Any]:
    """The due date and the business unit, where a property of this record has that role."""
    roles = mapping_at(told.around, "roles")
    fields: dict[str, Any] = {}
    if due := text_at(roles, "due"):
        fields["due_at"] = _date(told.properties, due)
    if unit := text_at(roles, "unit"):
        fields["business_unit"] = next((text for name, _, _, text in _properties(told) if name == unit), None)
    return fields


def _date(properties: dict[str, Any], name: str) -> str | None:
    """A day stays a day; a property with a time of day is an instant; anything else is no date."""
    if at := moment_at(properties, name):
        return instant(at)
    text = text_at(properties, name) or ""
    return text if _DAY.fullmatch(text) else None


def _properties(told: Told) -> list[tuple[str, str, str, str]]:
    """Name, label, value and how the value is shown, of each named property that is not empty."""
    custom, found = mapping_at(told.around, "custom"), []
    for name in custom:
        if (value := text_at(told.properties, name)) is None:
            continue
        choices = mapping_at(mapping_at(custom, name), "choices")
        text = ", ".join(text_at(choices, each) or each for each in value.split(";")) if choices else value
        found.append((name, text_at(custom[name], "label") or name, value, text))
    return found
