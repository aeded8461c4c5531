"""Parameters of the query that a path does not know, or knows once: passed over silently they would hide a mistake."""

import asyncio
from collections.abc import Mapping
from difflib import get_close_matches
from typing import Any
from urllib.parse import parse_qsl

from starlette.requests import Request

from services.query.problems import wrong

PREFIX = "/v1"
"""Under which the paths are that ask for this; a route itself does not know it."""

Known = Mapping[str, bool]
"""Names of the parameters of one path; whether they may be repeated."""

_PLACES = ("first", "second", "third", "fourth", "fifth")


async def understood(asked: Request) -> None:
    """Refuse what would be passed over. What the caller wrote is not told again: its place in the query is."""
    for name, value in asked.path_params.items():
        if "\x00" in str(value):  # which a database may refuse to look for
            raise wrong(f"path.{name}", "holds a sign that no name has", "give it as it was told")
    if not asked.scope["query_string"]:
        return
    if asked.app.openapi_schema is None:
        await asyncio.to_thread(asked.app.openapi)  # takes half a second, in which others are answered
    known = _known(asked)
    # As many as a query of 64 kB can hold.
    names = [name for name, _ in parse_qsl(asked.url.query, keep_blank_values=True, errors="replace")]
    for place, name in enumerate(names):
        if name not in known:
            what = f"has a parameter that is not known, the {_ordinal(place)}"
            raise wrong("query", what, _mend(name, sorted(known)))
        if not known[name] and name in names[:place]:
            raise wrong(f"query.{name}", "is given more than once", "give it once")


def _known(asked: Request) -> Known:
    """As the OpenAPI document says, which is put together once."""
    operation = asked.app.openapi()["paths"][PREFIX + asked.scope["route"].path_format][asked.method.lower()]
    told = [one for one in operation.get("parameters", ()) if one["in"] == "query"]
    return {one["name"]: _repeatable(one["schema"]) for one in told}


def _repeatable(schema: Mapping[str, Any]) -> bool:
    return any(one.get("type") == "array" for one in (schema, *schema.get("anyOf", ())))


def _mend(name: str, known: list[str]) -> str:
    if not known:
        return "this path takes no parameters"
    *most, last = known
    listed = f"{', '.join(most)} and {last} are" if most else f"{last} is"
    meant = get_close_matches(name[:100], known, 1)
    return f"{f'{meant[0]} may be meant; ' if meant else ''}{listed} known here"


def _ordinal(place: int) -> str:
    return _PLACES[place] if place < len(_PLACES) else f"{place + 1}th"
