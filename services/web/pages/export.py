"""The list as CSV, for a spreadsheet: as many rows as there are, sent while they are read."""

import csv
import io
from collections.abc import AsyncIterator, Mapping
from typing import Any

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from services.web.api import Api, Failed, api_of
from services.web.rendering import render, zone_of
from services.web.wanted import Wanted

COLUMNS = (
    "id", "title", "stage", "state", "in stage since", "asked by", "with", "waits for", "waits on", "next", "due",
    "target", "value", "currency", "unit", "opened", "changed", "summary", "address",
)  # fmt: skip
_RISKY = ("=", "+", "-", "@", "\t", "\r", "\n")
"""A spreadsheet takes a cell that begins so for a formula."""
_PAGE = 100


async def exported(request: Request) -> Response:
    """All requests that are asked for. A file that ends early was cut off: a browser says that the download failed."""
    wanted = Wanted.of(request.query_params)
    asked = {**wanted.api(zone_of(request)), "sort": wanted.sort, "order": wanted.order, "limit": _PAGE,
             "export": True}  # fmt: skip
    api = api_of(request)
    try:
        first = await api.get("/v1/requests", **asked)
    except Failed as error:
        if error.status != 422:
            raise
        return await render(request, "problem.html", status=422, problem=error.problem)
    base = f"{request.url.scheme}://{request.url.netloc}/requests/"
    return StreamingResponse(
        _rows(api, asked, first, base), media_type="text/csv; charset=utf-8",
        headers={"Content-Disposition": 'attachment; filename="requests.csv"'},
    )  # fmt: skip


async def _rows(api: Api, asked: Mapping[str, Any], page: Mapping[str, Any], base: str) -> AsyncIterator[str]:
    yield "\ufeff" + _text([COLUMNS])  # by this mark spreadsheets know UTF-8
    while True:
        yield _text([_row(item, base) for item in page["items"]])
        if page["next"] is None:
            return
        page = await api.get("/v1/requests", **asked, cursor=page["next"])


def _row(item: Mapping[str, Any], base: str) -> list[str]:
    due, amount = item["due"] or {}, item["amount"] or {}
    dates = [due.get("value") if due.get("meaning") == meaning else None for meaning in ("due", "target")]
    cells = [
        item["id"], item["title"], item["stage"], item["state"], item["stage_since"], item["requester"],
        item["holder"], item["waiting"], " ".join(item["waits_on"]), item["expected"], *dates, amount.get("value"),
        amount.get("currency"), item["unit"], item["created_at"], item["changed_at"], item["summary"],
        base + item["id"],
    ]  # fmt: skip
    return [safe(one) for one in cells]


def safe(value: Any) -> str:
    """A cell that no spreadsheet takes for a formula."""
    text = "" if value is None else str(value)
    return f"'{text}" if text.startswith(_RISKY) and not _number(text) else text


def _number(text: str) -> bool:
    return text[1:].replace(".", "", 1).isdecimal() and text[0] == "-"


def _text(rows: Any) -> str:
    told = io.StringIO(newline="")
    csv.writer(told).writerows(rows)
    return told.getvalue()


routes = [Route("/requests.csv", exported)]
