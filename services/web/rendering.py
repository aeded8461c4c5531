"""Templates: one environment, everything escaped, and what every page shows."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, tzinfo
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from schemas.access import Role
from services.web import words
from services.web.api import Failed, api_of
from services.web.words import When

ZONE_COOKIE = "zone"
"""Set by the page's script: the reader's time zone."""


def _environment() -> Environment:
    made = Environment(
        loader=FileSystemLoader(Path(__file__).parent / "templates"), autoescape=True, undefined=StrictUndefined,
        trim_blocks=True, lstrip_blocks=True,
    )  # fmt: skip
    made.filters.update(words.FILTERS)
    return made


@dataclass(frozen=True, slots=True)
class Pages:
    """What every page needs."""

    asset: Callable[[str], str]
    now: Callable[[], datetime]
    templates: Environment = field(default_factory=_environment)


async def render(request: Request, template: str, *, status: int = 200, **values: Any) -> Response:
    """A page, or a part of one, as it is for whoever asks."""
    pages: Pages = request.app.state.pages
    caller = request.scope.get("state", {}).get("caller")
    when = When(pages.now(), zone_of(request))
    shown = {
        "asset": pages.asset, "caller": caller, "when": when, "path": request.url.path, "Role": Role,
        "may": lambda role: caller is not None and caller.role.covers(role),
        "attention": await _attention(request) if caller is not None and status < 500 else {},
    }  # fmt: skip
    text = pages.templates.get_template(template).render({**shown, **values})
    return HTMLResponse(text, status)


async def _attention(request: Request) -> Mapping[str, Any]:
    """How much asks for a person, by kind; nothing where nobody can say."""
    try:
        told: Mapping[str, Any] = await api_of(request).get("/v1/attention")
    except Failed:  # a page is shown without its counts
        return {}
    return told


def zone_of(request: Request) -> tzinfo:
    """The reader's time zone; UTC until it is known."""
    name = request.cookies.get(ZONE_COOKIE, "UTC")
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):  # a cookie holds what it likes
        return ZoneInfo("UTC")
