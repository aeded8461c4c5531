"""One request: how it stands, its life as a picture and as words, and why its parts belong together."""

from collections.abc import Mapping, Sequence
from datetime import datetime, time, timedelta
from typing import Any

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from services.web import drawing
from services.web.api import Api, Failed, api_of
from services.web.rendering import Pages, render, zone_of
from services.web.words import STAGES, STATES, read

ZOOMS: Mapping[str, tuple[str, timedelta | None]] = {
    "life": ("Whole life", None),
    "year": ("Last year", timedelta(days=365)),
    "90": ("Last 90 days", timedelta(days=90)),
    "30": ("Last 30 days", timedelta(days=30)),
    "7": ("Last 7 days", timedelta(days=7)),
}
"""Parts of the life that are drawn."""

PARTS = 40
"""Artifacts, links or people on one page: some requests have thousands."""


async def one(request: Request) -> Response:
    """The request now, or as it stood on a day."""
    name = request.path_params["id"]
    api = api_of(request)
    try:
        # Before the record: whoever follows the changes from there misses nothing that the record does not hold.
        seen = (await api.get("/v1/changes", limit=1))["latest"]
        told = await api.get(f"/v1/requests/{name}", summary=True, as_of=_evening(request))
    except Failed as error:
        return await _without(request, name, error)
    return await render(
        request, "request.html", stages_mean=STAGES, states_mean=STATES, most=PARTS, seen=seen,
        **_shown(request, told), **_links(told["request"]),
    )  # fmt: skip


def _shown(request: Request, told: Mapping[str, Any]) -> dict[str, Any]:
    pages: Pages = request.app.state.pages
    record = told["request"]
    now = read(record["as_of"]) or pages.now()
    whole = drawing.life(record, now)
    zone = zone_of(request)
    asked = read(record["as_of"])
    return {
        "told": told, "record": record, "zooms": _zooms(whole), "whole": whole,
        "band": drawing.band(record, whole, now) if whole else (), "axis": drawing.axis(whole) if whole else (),
        "first_day": whole.begin.astimezone(zone).date() if whole else None,
        "today": pages.now().astimezone(zone).date(),
        "shown_day": (asked or pages.now()).astimezone(zone).date(), "freshness": _of(record, told["freshness"]),
        **_part(request, record, whole),
    }  # fmt: skip


def _part(request: Request, record: Mapping[str, Any], whole: drawing.Scale | None) -> dict[str, Any]:
    """The part of its life that is drawn and listed, and where the parts before and after it end."""
    zoom = request.query_params.get("show", "life")
    zoom = zoom if zoom in ZOOMS else "life"
    length = ZOOMS[zoom][1]
    entries = record["timeline"]["entries"]
    shown: dict[str, Any] = {"zoom": zoom, "scale": whole, "entries": entries, "earlier": None, "later": None}
    if whole and length:
        scale = whole.part(length, _last(request, whole))
        shown |= {
            "scale": scale, "entries": [one for one in entries if (at := read(one["at"])) and scale.holds(at)],
            "earlier": _day(request, scale.begin) if scale.begin > whole.begin else None,
            "later": _day(request, scale.end + length) if scale.end < whole.end else None,
        }  # fmt: skip
    return shown | {"lanes": drawing.lanes(record, shown["scale"]) if whole else ()}


def _last(request: Request, whole: drawing.Scale) -> datetime:
    """The end of the day with which the drawn part ends; without one the end of all."""
    return _end_of(request, request.query_params.get("to", "")) or whole.end


def _day(request: Request, at: datetime) -> str:
    return at.astimezone(zone_of(request)).date().isoformat()


def _zooms(whole: drawing.Scale | None) -> dict[str, str]:
    """Those that show less than all."""
    length = whole.end - whole.begin if whole else timedelta()
    return {name: title for name, (title, part) in ZOOMS.items() if part is None or part < length}


def _of(record: Mapping[str, Any], freshness: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Of the connections that brought something, the one that is furthest behind first."""
    here = {one["connection"] for one in record["artifacts"]}
    return sorted((one for one in freshness if one["connection"] in here), key=lambda one: one["true_up_to"] or "")


def _links(record: Mapping[str, Any]) -> dict[str, Any]:
    """Artifacts and people by id, and links by what they do."""
    artifacts = {one["id"]: one for one in record["artifacts"]}
    return {
        "artifacts": artifacts,
        "people": {one["id"]: one for one in record["people"]},
        "joining": [one for one in record["links"] if one["effect"] == "joins"],
        "other_links": [one for one in record["links"] if one["effect"] != "joins"],
    }


def _evening(request: Request) -> str | None:
    """The end of the day asked for, in the reader's zone; None: now."""
    pages: Pages = request.app.state.pages
    evening = _end_of(request, request.query_params.get("as_of", ""))
    return None if evening is None or evening >= pages.now() else evening.isoformat()


def _end_of(request: Request, asked: str) -> datetime | None:
    """The end of a day in the reader's zone; None: it is no day."""
    try:
        day = datetime.strptime(asked, "%Y-%m-%d").date()  # noqa: DTZ007 - a day has no zone
    except ValueError:
        return None
    return datetime.combine(day, time.max, zone_of(request))


async def _without(request: Request, name: str, error: Failed) -> Response:
    """Where an id leads that is part of another request; what is no request, or was none then."""
    if error.status == 308:
        query = f"?{request.url.query}" if request.url.query else ""
        rest = request.url.path.removeprefix(f"/requests/{name}")
        return RedirectResponse(f"/requests/{error.problem['request']}{rest}{query}", 308)
    if error.status not in (404, 422):
        raise error
    return await render(
        request, "no_request.html", status=404, name=name, problem=error.problem,
        freshness=error.problem.get("freshness") or [],
    )  # fmt: skip


async def parts(request: Request) -> Response:
    """Everything in it, some at a time."""
    return await _paged(request, "parts.html", lambda record: record["artifacts"])


async def links(request: Request) -> Response:
    """Each link with its reason, some at a time."""
    return await _paged(request, "links.html", lambda record: record["links"])


async def _paged(request: Request, template: str, listed: Any) -> Response:
    asked = request.query_params.get("after", "")
    after = int(asked) if asked.isdecimal() and len(asked) < 8 else 0
    name = request.path_params["id"]
    try:
        record = await _record(api_of(request), name)
    except Failed as error:
        return await _without(request, name, error)
    every = listed(record)
    return await render(
        request, template, record=record, items=every[after : after + PARTS], after=after, total=len(every),
        next=after + PARTS if after + PARTS < len(every) else None, **_links(record),
    )  # fmt: skip


async def happened(request: Request) -> Response:
    """All that happened, a page at a time, the newest first."""
    name = request.path_params["id"]
    api = api_of(request)
    try:
        record = await _record(api, name)
        told = await api.get(
            f"/v1/requests/{name}/timeline", order="desc", limit=50, cursor=request.query_params.get("cursor")
        )
    except Failed as error:
        return await _without(request, name, error)
    return await render(
        request, "happened.html", record=record, items=told["items"], next=told["next"],
        artifacts={one["id"]: one for one in record["artifacts"]}, later="cursor" in request.query_params,
        names={
            identity: one["name"] or one["address"] for one in record["people"] for identity in one["identities"]
        },
    )  # fmt: skip


async def _record(api: Api, name: str) -> Any:
    return (await api.get(f"/v1/requests/{name}"))["request"]


routes = [
    Route("/requests/{id}", one),
    Route("/requests/{id}/timeline", happened),
    Route("/requests/{id}/parts", parts),
    Route("/requests/{id}/links", links),
]
