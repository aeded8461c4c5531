"""A HubSpot payload without what the connection does not keep. Pure.

What was written and what is quoted are told apart before anything is left out, and stand in the property as HTML that
is read back as exactly that. Properties that nothing is read from do not stay.
"""

import html
import json
from typing import Any

from connectors.dedicated import values
from connectors.hubspot.custom import of_people
from connectors.hubspot.mails import signs
from connectors.hubspot.properties import BODIES, LINES, PROPERTIES, TITLES
from connectors.hubspot.reading import dicts_at, mapping_at, text_at
from connectors.hubspot.texts import written_and_quoted
from connectors.keeping import Keep, kept, kept_apart

_ADDRESSED = ("email", "firstName", "lastName")


def reduced(kind: str, payload: dict[str, Any], keep: Keep) -> dict[str, Any]:
    """The payload with what is kept of its texts: all, an excerpt of each, or only what names other things."""
    payload = payload | {"around": payload["around"] | {"keep": keep}}
    record = mapping_at(payload, "object")
    if keep == "full" or not record:
        return payload
    told = mapping_at(record, "properties")
    named = mapping_at(payload["around"], "custom")
    properties = {name: told[name] for name in (*PROPERTIES[kind], *named) if name in told}
    # What is nothing but references stays, since rules may count it.
    lines = {name: text for name in of_people(named) if (text := text_at(told, name)) and not values(text)}
    properties |= {name: _line(text, keep) for name, text in lines.items()}
    properties |= {name: _line(text, keep) for name in (TITLES.get(kind, ""), *LINES) if (text := text_at(told, name))}
    if body := text_at(told, BODIES.get(kind, "")):
        properties[BODIES[kind]] = _html(*kept_apart(*written_and_quoted(body), keep))
    if kind == "email":
        properties |= _mail(told, keep)
    return payload | {"object": record | {"properties": properties}}


def _line(text: str, keep: Keep) -> str:
    shown = kept(text, keep)
    return shown if shown == text else " ".join(shown.split("\n"))


def _mail(told: dict[str, Any], keep: Keep) -> dict[str, Any]:
    source = text_at(told, "hs_email_html") or text_at(told, "hs_email_text") or ""
    written, quoted = written_and_quoted(source, signs(told))
    return {
        "hs_email_html": _html(*kept_apart(written, quoted, keep)),
        "hs_email_text": None,
        "hs_email_headers": _people(text_at(told, "hs_email_headers")),
    }


def _html(written: str, quoted: str) -> str:
    pieces = (("pre", written), ("blockquote", quoted))
    return "".join(f"<{tag}>{html.escape(text, quote=False)}</{tag}>" for tag, text in pieces if text)


def _people(headers: str | None) -> str | None:
    """Whom an e-mail's headers name; HubSpot may tell others too."""
    try:
        told = json.loads(headers) if headers else None
    except (ValueError, RecursionError):
        return None
    if not isinstance(told, dict):
        return None
    sender = mapping_at(told, "from")
    people: dict[str, Any] = {"from": _person(sender)} if sender else {}
    return json.dumps(people | {role: [_person(one) for one in dicts_at(told, role)] for role in ("to", "cc")})


def _person(entry: dict[str, Any]) -> dict[str, Any]:
    return {name: entry[name] for name in _ADDRESSED if isinstance(entry.get(name), str)}
