"""All requests: a list with filters in its address, a board by stage beside it, and the same as CSV."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from services.web.api import Api, Failed, api_of
from services.web.pages.find import freshness
from services.web.rendering import render, zone_of
from services.web.wanted import OPEN, QUICK, Wanted, address
from services.web.words import STAGES, STATES

PAGE = 40
"""Requests on one page of the list: with their columns less than 100 kB."""
CARDS = 8
"""Requests in one column of the board."""
_FEW = 100
"""Of so many a board is put together at once: no stage is asked for by itself."""


async def listed(request: Request) -> Response:
    """A page of the list."""
    wanted = Wanted.of(request.query_params)
    api = api_of(request)
    shown: dict[str, Any] = {"items": [], "next": None, "refused": None}
    status = 200
    try:
        told = await api.get(
            "/v1/requests", **wanted.api(zone_of(request)), sort=wanted.sort, order=wanted.order,
            cursor=wanted.cursor, limit=PAGE,
        )  # fmt: skip
        shown |= {"items": told["items"], "next": told["next"], "short": len(told["items"]) < PAGE}
    except Failed as error:
        if error.status not in (400, 422):
            raise
        shown["refused"], status = error, error.status
    return await render(request, "requests.html", status=status, **shown, **(await _around(api, wanted)))


async def board(request: Request) -> Response:
    """Open requests by stage, those longest in it first."""
    wanted = Wanted.of(request.query_params)
    api = api_of(request)
    counts = (await api.get("/v1/stages"))["items"]
    asked = wanted.api(zone_of(request), "stage", "state")
    stages = [one for one in counts if one["stage"] != "not mapped" or one["total"]]
    few = refused = None
    try:
        few = await _few(api, asked, stages) if asked else None
        columns = few or await asyncio.gather(*(_column(api, asked, one) for one in stages))
    except Failed as error:
        if error.status != 422:
            raise
        columns, refused = [], error
    return await render(
        request, "board.html", status=422 if refused else 200, columns=columns, refused=refused,
        counted=few is not None or not asked, **(await _around(api, wanted)),
    )  # fmt: skip


async def _few(api: Api, asked: Mapping[str, Any], stages: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]] | None:
    """All columns from one answer, where not many requests fit; None: there are more."""
    told = await api.get("/v1/requests", **asked, state=OPEN, sort="stage_since", order="asc", limit=_FEW)
    if told["next"] is not None:
        return None
    columns = []
    for one in stages:
        here = [item for item in told["items"] if item["stage"] == one["stage"]]
        waiting = sum(item["state"] == "waiting" for item in here)
        told_of = {"items": here[:CARDS], "more": len(here) > CARDS, "open": len(here), "waiting": waiting}
        columns.append({"stage": one["stage"], "finished": 0, **told_of})
    return columns


async def _column(api: Api, asked: Mapping[str, Any], count: Mapping[str, Any]) -> dict[str, Any]:
    """One stage: how many are in it, and the first of those that are open."""
    told = await api.get(
        "/v1/requests", **asked, stage=count["stage"], state=OPEN, sort="stage_since", order="asc", limit=CARDS
    )
    states = count["states"]
    return {
        "stage": count["stage"], "items": told["items"], "more": told["next"] is not None,
        "open": sum(states.get(state, 0) for state in OPEN), "waiting": states.get("waiting", 0),
        "finished": states.get("done", 0) + states.get("cancelled", 0),
    }  # fmt: skip


async def _around(api: Api, wanted: Wanted) -> dict[str, Any]:
    """What stands around both: filters, and up to when it is true."""
    fresh = await freshness(api)
    return {
        "wanted": wanted, "freshness": fresh, "stages_mean": STAGES, "states_mean": STATES, "OPEN": OPEN,
        "quick": {name: (address("/requests", what), _is(wanted, what)) for name, what in QUICK.items()},
        "connections": [one["connection"] for one in fresh], "tools": sorted({one["connector"] for one in fresh}),
    }  # fmt: skip


def _is(wanted: Wanted, what: Mapping[str, Any]) -> bool:
    """Whether exactly this is asked for."""
    asked = {name: set(values) for name, values in wanted.filters.items()}
    quick = {name: {value} if isinstance(value, str) else set(value) for name, value in what.items() if name != "sort"}
    return asked == quick


routes = [Route("/requests", listed), Route("/requests/board", board)]
