"""Why any two things belong together, or why they do not, whatever requests they are in."""

from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import Response

from services.query.audience import Seen, View
from services.query.finding import LONGEST, Found, find
from services.query.problems import documented
from services.query.reading import Known
from services.query.reasons import meant, reasons, told_any, withheld_reasons
from services.query.refused import Refused
from services.query.requests import Hub, became, unread
from services.query.serving import Serving, answer
from services.query.why_answers import WhyAny

router = APIRouter(tags=["lookup"])

Reference = Annotated[str, Field(min_length=1, max_length=LONGEST)]


class Both(BaseModel):
    """The two things asked about, by any reference of any tool."""

    model_config = ConfigDict(extra="forbid", validate_by_alias=True)

    start: Reference = Field(
        alias="from", description="A key, an address, a Message-ID, a number, a request id or an artifact's id",
        examples=["https://acme.example/browse/PAY-12"],
    )  # fmt: skip
    to: Reference = Field(alias="with", description="The other, likewise", examples=["PAY-31"])


@router.get(
    "/why",
    response_model=WhyAny,
    summary="Why do these belong together, or why not?",
    responses=documented(404, 422, 503),
)
async def why(both: Annotated[Both, Query()], hub: Hub, view: Seen) -> Response:
    """The chain that joins two things; of two that are apart the nearest evidence, and what kept it from joining.

    Where a reference names several things, those that are in one request are meant; `also` names the others.
    """
    async with hub.database.reading() as connection:
        start, to = await find(connection, [both.start, both.to])
    left, right = meant(await named(hub, view, "from", start), await named(hub, view, "with", to))
    found = await reasons(hub.database, left.artifact, right.artifact)
    ends = view.artifact(left), view.artifact(right)
    return answer(withheld_reasons(told_any(found, ends, (start, to)), found, view))


async def named(hub: Serving, view: View, parameter: str, found: Found) -> tuple[Known, ...]:
    """What a reference names. Raises Refused where that is nothing."""
    if found.artifacts:
        return found.artifacts
    raise Refused(
        404, "unknown-reference", unread(f"query.{parameter} names nothing that is read so far.", found.gone),
        "Give a key, an address, a Message-ID, a number, a request id or an artifact's id; see freshness for what is "
        "read, since when and up to when.", freshness=view.reading(await hub.read.current()),
        **became(found.gone),
    )  # fmt: skip
