"""What may belong together although nothing says so: listed, shown, answered."""

import asyncio
from collections.abc import Mapping
from typing import Annotated, Any

from fastapi import APIRouter, Body, Depends, Header, Path, Query
from pydantic import BaseModel, ConfigDict, Field
from starlette.requests import Request
from starlette.responses import Response

from pipelines.answering import Answer, Answered, Answering, NoSuggestion, Reply
from schemas.access import Role
from schemas.decisions import Refusal
from services.query import decided, paging, suggested, suggestion_answers
from services.query.access import needs
from services.query.audience import Seen, View, brought
from services.query.changing import Changing, versions
from services.query.database import DRIVER_ERRORS, TooSlow, refusal
from services.query.decided import Stored
from services.query.deciding import readable
from services.query.finding import LONGEST
from services.query.problems import documented, wrong
from services.query.refused import Refused
from services.query.requests import Hub
from services.query.serving import answer as answer_with
from services.query.serving import told
from services.query.signed import By
from services.query.suggested import Wanted
from services.query.wishes import Unresolved, concerned

SECONDS = 30.0
"""An answer may take so long: as long as computing anew what it joins."""

router = APIRouter(tags=["suggestions"])
changing = APIRouter(tags=["suggestions"], dependencies=[needs(Role.EDITOR)], route_class=Changing)

_STATUS = {"unknown": 422, "changed": 412, "key used": 422}
_TAG = r'((W/)?"[!#-~]*"|[0-9a-f.]+)'
_TAGS = rf"^(\*|{_TAG}( *, *{_TAG})*)$"
_KEY = r'^("[!#-~]{1,253}"|[!#-~]{1,255})$'

Id = Annotated[str, Path(min_length=1, max_length=40, description="Its id", examples=["S-MZXW6YTBOI3D"])]


async def _answering(request: Request) -> Answering:
    handed: Answering = request.app.state.answering
    return handed


class Listed(BaseModel):
    """Which suggestions are listed; several filters mean all of them."""

    model_config = ConfigDict(extra="forbid")

    request: str | None = Field(
        default=None, min_length=1, max_length=LONGEST, description="One of the two is in it", examples=["PAY-12"]
    )
    artifact: str | None = Field(
        default=None, min_length=1, max_length=LONGEST, description="Any reference of one of the two",
        examples=["PAY-12"],
    )  # fmt: skip
    min_probability: float = Field(default=0.0, ge=0, le=1, description="At least so likely")
    waiting: bool = Field(
        default=False, description="Also those that wait for their day; always so with `request` or `artifact`"
    )
    cursor: str | None = Field(default=None, max_length=500, description="`next` of the page before")
    limit: int = Field(default=25, ge=1, le=100)


@router.get(
    "/suggestions", response_model=suggestion_answers.SuggestionPage, summary="What may belong together",
    responses=documented(400, 422, 503),
)  # fmt: skip
async def suggestions(listed: Annotated[Listed, Query()], hub: Hub, view: Seen) -> Response:
    """Pairs too weak to join by themselves, the worthiest first, each with its reasons; and how good they were so far.

    So many a day are offered as the installation says, the worthiest ones; the others wait.
    """
    kind = paging.asked("suggestions", listed)
    after = _after(paging.place(kind, listed.cursor))
    async with hub.database.reading() as connection:
        try:
            artifacts, request = await concerned(connection, listed.request, listed.artifact, None)
        except Unresolved as error:
            raise wrong(f"query.{error.field}", error.what, error.mend[0].lower() + error.mend[1:]) from None
        wanted = Wanted(artifacts, request, listed.min_probability, listed.waiting, after, listed.limit)
        rows = await suggested.page(connection, wanted, hub.now())
        items = await suggested.told(connection, rows[: listed.limit])
        measured = await suggested.measured(connection)
        behind = await suggested.behind(connection, hub.now())
    more = len(rows) > listed.limit
    following = paging.cursor(kind, (repr(items[-1]["worth"]), items[-1]["id"])) if more else None
    items = [one for one in items if _reads(view, one)]
    return answer_with({"items": items, "next": following, "behind": behind, "measured": measured})


def _after(place: paging.Place | None) -> tuple[float, str] | None:
    if place is None:
        return None
    try:
        return float(place[0]), place[1]
    except ValueError:
        raise paging.foreign() from None


@router.get(
    "/suggestions/{id}", response_model=suggestion_answers.Suggestion, summary="One suggestion",
    responses=documented(404, 422, 503),
)  # fmt: skip
async def suggestion(id: Id, hub: Hub, view: Seen) -> Response:  # noqa: A002 - the name in the path
    """What speaks for it and against it, and what accepting it would change."""
    async with hub.database.reading() as connection:
        found = await suggested.one(connection, id, hub.now())
        if found is None:
            raise _unknown()
        (item,) = await suggested.told(connection, [found])
    if not _reads(view, item):
        raise _unknown()
    return answer_with(item)


class Given(BaseModel):
    """An answer."""

    model_config = ConfigDict(extra="forbid")

    answer: Answer = Field(description="later: hidden for 14 days, or until its evidence changes")
    by: str = Field(
        default_factory=str, min_length=1, max_length=200, pattern=r"^[^\r\n]*$",
        description="Who answers: whoever asks, if it is left out",
    )  # fmt: skip
    reason: str = Field(default="", max_length=2000, description="Kept with the decision")


_EXAMPLES: dict[str, Any] = {
    "accept": {"value": {"answer": "accepted", "by": "Anna Berg", "reason": "It is the same printer"}},
    "reject": {"value": {"answer": "rejected", "by": "Anna Berg"}},
    "not now": {"value": {"answer": "later", "by": "Anna Berg"}},
}


@changing.post(
    "/suggestions/{id}/answer",
    response_model=suggestion_answers.SuggestionAnswer,
    summary="Accept, reject, or not now",
    responses=documented(400, 403, 404, 409, 412, 413, 415, 422, 428, 503),
)
async def answer(
    id: Id,  # noqa: A002 - the name in the path
    given: Annotated[Given, Body(openapi_examples=_EXAMPLES)],
    hub: Hub,
    view: Seen,
    answering: Annotated[Answering, Depends(_answering)],
    signed: By,
    if_match: Annotated[
        str,
        Header(pattern=_TAGS, description="ETags of the requests concerned, as they were shown (`requests`); * for "
               "whatever they are. Only accepting looks at them", examples=["*"]),
    ],
    idempotency_key: Annotated[
        str | None, Header(pattern=_KEY, description="Of the decision that accepting is; see POST /v1/decisions")
    ] = None,
    preview: Annotated[bool, Query(description="Tell what it would do, and change nothing")] = False,
) -> Response:  # fmt: skip
    """Accepting is a decision (a link): they are in one request at once, and it can be undone. Rejecting silences this
    suggestion for ever and decides nothing: evidence may still join the two.
    """
    await _look(hub, view, id)
    key = idempotency_key.strip('"') if idempotency_key else None
    reply = Reply(
        id,
        given.answer,
        signed.name(given.by),
        given.reason,
        versions(if_match),
        None if preview else key,
        signed.noted,
    )
    try:
        async with asyncio.timeout(SECONDS):
            done = await answering.answer(reply, preview=preview)
    except TimeoutError:
        raise TooSlow(SECONDS) from None
    except NoSuggestion:
        raise _unknown() from None
    except Refusal as error:
        raise _refused(await readable(hub, view, error)) from None
    except DRIVER_ERRORS as error:
        raise refusal(error, SECONDS) from error
    return answer_with(await became(hub, done, preview=preview))


async def became(hub: Hub, done: Answered, *, preview: bool) -> dict[str, Any]:
    """What became of an answer, as JSON values."""
    decision = None
    if done.outcome is not None:
        async with hub.database.reading() as connection:
            (one,) = await decided.told(connection, [Stored(done.outcome.decision, None, "")])
        decision = {"decision": one, "preview": preview, **decided.effects(done.outcome)}
    return {
        "suggestion": done.asked.id, "answer": done.answer.value, "preview": preview, "until": told(done.until),
        "decided": decision,
    }  # fmt: skip


def _reads(view: View, item: Mapping[str, Any]) -> bool:
    """Whether both things may be read: what speaks for them speaks of both."""
    return all(view.may(one["connection"]) for one in item["artifacts"])


async def _look(hub: Hub, view: View, name: str) -> None:
    """Raises Refused for a suggestion that the caller does not see."""
    if view.whole:
        return
    async with hub.database.reading() as connection:
        found = await suggested.one(connection, name, hub.now())
        named = (found.left, found.right) if found else ()
        by = await brought(connection, view, named)
    if not view.reads(named, by):
        raise _unknown()


def _unknown() -> Refused:
    return Refused(
        404, "unknown-suggestion", "No suggestion has this id now.",
        "List them under /v1/suggestions; what came together or is less alike now is suggested no more.",
    )  # fmt: skip


def _refused(error: Refusal) -> Refused:
    more: dict[str, Any] = {"versions": error.versions} if error.kind == "changed" else {}
    if error.number is not None:
        more["decision"] = error.number
    return Refused(_STATUS.get(error.kind, 409), error.kind.replace(" ", "-"), error.problem, error.mend, **more)
