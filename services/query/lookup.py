"""From any reference of any tool to the requests it leads to, up to 100 at once."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any
from urllib.parse import unquote_to_bytes

from fastapi import APIRouter, Depends, Query
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Match, Route
from starlette.types import Scope

from services.query import answers
from services.query.audience import Seen, View, view_of
from services.query.finding import LONGEST, Found, look_up, told
from services.query.items import item
from services.query.problems import documented
from services.query.reading import Stored
from services.query.serving import Serving, answer, serving

router = APIRouter(tags=["lookup"])

Reference = Annotated[str, Query(min_length=1, max_length=LONGEST)]


@router.get(
    "/lookup",
    response_model=answers.LookupAnswer,
    summary="What references lead to",
    responses={
        **documented(400, 422, 503),
    },
)
async def lookup(
    hub: Annotated[Serving, Depends(serving)],
    reference: Annotated[
        list[Reference],
        Query(
            min_length=1,
            max_length=100,
            description="An issue key, an address of a tool, a Message-ID, a deal's or ticket's number, a request's id "
            "or page; may be repeated",
            examples=[["PAY-12"], ["https://acme.example/browse/PAY-12"]],
        ),
    ],
    view: Seen,
    whole: Annotated[bool, Query(description="With the whole records")] = False,
) -> Response:
    """Each answer keeps the place of its reference.

    `in a request` names the requests; `programme` names those that belong to it; `in no request` means that the thing
    was read and belongs to none; `not found` means that nothing read so far is known by it: `freshness` says what
    is read, since when, and up to when that is true.
    """
    return await _answer(hub, view, reference, whole=whole)


async def _answer(hub: Serving, view: View, references: Sequence[str], *, whole: bool) -> Response:
    found, stored = await look_up(hub.database, references, brief=view.of_anything and not whole)
    shown = {name: view.shown(one) for name, one in stored.items()}
    now = hub.now()
    return answer(
        {
            "items": [_told(place, each, view, shown) for place, each in enumerate(found)],
            "requests": {name: item(one, now, whole=whole) for name, one in shown.items()},
            "freshness": view.reading(await hub.read.current()),
        }
    )


async def _plainly(asked: Request) -> Response:
    return await _answer(await serving(asked), await view_of(asked), [asked.path_params["reference"]], whole=False)


class PlainLookup(Route):
    """One reference and nothing else, as most are asked for: past the framework's parsing, with the same answer.

    Anything else about the path, and its documentation, is the framework's.
    """

    def __init__(self) -> None:
        super().__init__("/v1/lookup", _plainly, include_in_schema=False)

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """Only GET of one reference of a permitted length."""
        if scope["type"] != "http" or scope["method"] != "GET" or scope["path"] != self.path:
            return Match.NONE, {}
        name, _, text = scope["query_string"].partition(b"=")
        if name != b"reference" or b"&" in text:
            return Match.NONE, {}
        reference = unquote_to_bytes(text.replace(b"+", b" ")).decode("utf-8", "replace")
        if not 0 < len(reference) <= LONGEST:
            return Match.NONE, {}
        return Match.FULL, {"endpoint": self.endpoint, "path_params": {"reference": reference}}


def _told(place: int, found: Found, view: View, shown: Mapping[str, Stored]) -> dict[str, Any]:
    return {
        "place": place,
        "outcome": found.outcome,
        "read_as": [{"kind": kind, "value": value} for kind, value in found.read_as],
        "requests": found.requests,
        "artifacts": [
            told(view.artifact(one, shown[one.request].hidden if one.request and one.request in shown else None))
            for one in found.artifacts
        ],
        "gone": found.gone and found.gone.told(),
        "other_host": found.other_host,
    }
