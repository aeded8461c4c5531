"""From any reference of any tool to the requests it leads to, up to 100 at once."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query
from starlette.responses import Response

from services.query import answers, reading
from services.query.finding import Found, find, told
from services.query.items import item
from services.query.problems import documented
from services.query.serving import Serving, answer, serving

router = APIRouter(tags=["lookup"])

Reference = Annotated[str, Query(min_length=1, max_length=1000)]


@router.get(
    "/lookup",
    response_model=answers.LookupAnswer,
    summary="What references lead to",
    responses={
        400: {"description": "The URL is longer than 64 kB: ask in parts", "content": {"text/plain": {}}},
        **documented(422, 503),
    },
)
async def lookup(
    hub: Annotated[Serving, Depends(serving)],
    reference: Annotated[
        list[Reference],
        Query(
            min_length=1,
            max_length=100,
            description="An issue key, an address of a tool, a Message-ID, a deal's or ticket's number, a request id; "
            "may be repeated",
            examples=[["PAY-12"], ["https://acme.example/browse/PAY-12"]],
        ),
    ],
    whole: Annotated[bool, Query(description="With the whole records")] = False,
) -> Response:
    """Each answer keeps the place of its reference.

    `in a request` names the requests; `programme` names those that belong to it; `in no request` means that the thing
    was read and belongs to none; `not found` means that nothing read so far is known by it: `freshness` says up to
    when that is true.
    """
    async with hub.database.reading() as connection:
        found = await find(connection, reference)
        stored = await reading.requests(connection, {one for each in found for one in each.requests})
    now = hub.now()
    return answer(
        {
            "items": [_told(place, each) for place, each in enumerate(found)],
            "requests": {name: item(one, now, whole=whole) for name, one in stored.items()},
            "freshness": await hub.freshness.current(),
        }
    )


def _told(place: int, found: Found) -> dict[str, Any]:
    return {
        "place": place,
        "outcome": found.outcome,
        "read_as": [{"kind": kind, "value": value} for kind, value in found.read_as],
        "requests": found.requests,
        "artifacts": [told(one) for one in found.artifacts],
    }
