"""What people decide about correlation: taken, listed, told."""

import asyncio
from typing import Annotated, Any

from fastapi import APIRouter, Body, Depends, Header, Path, Query
from pydantic import BaseModel, ConfigDict, Field
from starlette.requests import Request
from starlette.responses import Response

from pipelines.deciding import Deciding, Noted, Outcome, Wish
from schemas.access import Role
from schemas.decisions import DecisionKind, Refusal
from services.query import answers, decided, paging, wishes
from services.query.access import needs
from services.query.audience import Seen, View, brought, masked, named_in
from services.query.changing import Changing, versions
from services.query.database import DRIVER_ERRORS, TooSlow, refusal
from services.query.decided import Stored, Wanted
from services.query.finding import LONGEST
from services.query.problems import documented, header, wrong
from services.query.refused import Refused
from services.query.requests import Hub, became
from services.query.serving import Serving, answer
from services.query.signed import By
from services.query.wishes import NEWEST, Asked, Undo, Unresolved

SECONDS = 30.0
"""A decision may take so long: as long as computing anew what it concerns."""

router = APIRouter(tags=["decisions"])
changing = APIRouter(tags=["decisions"], dependencies=[needs(Role.EDITOR)], route_class=Changing)

_STATUS = {
    "unknown": 422, "changed": 412, "contradiction": 409, "said already": 409, "key used": 422,
    "nothing to decide": 422,
}  # fmt: skip


async def _deciding(request: Request) -> Deciding:
    handed: Deciding = request.app.state.deciding
    return handed


_EXAMPLES: dict[str, Any] = {
    "link": {"kind": "link", "a": "PAY-12", "b": "https://acme.example/browse/PAY-31", "by": "Anna Berg",
             "reason": "Agreed on the phone"},
    "unlink": {"kind": "unlink", "a": "PAY-12", "b": "PAY-31", "by": "Anna Berg"},
    "merge": {"kind": "merge", "requests": ["R-MZXW6YTBOI3D", "R-GEZDGNBVGY3T"], "by": "Anna Berg"},
    "split": {"kind": "split", "request": "R-MZXW6YTBOI3D", "artifacts": ["PAY-31"], "by": "Anna Berg"},
    "no request": {"kind": "no request", "artifacts": ["<news.7@shop.example>"], "by": "Anna Berg",
                   "reason": "A newsletter"},
    "same person": {"kind": "same person", "identities": ["jira-acme/account/5b10a2", "anna@home.example"],
                    "by": "Anna Berg"},
    "other person": {"kind": "other person", "identities": ["jira-acme/account/5b10a2", "crm/owner/77"],
                     "by": "Anna Berg"},
    "undo": {"kind": "undo", "decision": 1, "by": "Anna Berg", "reason": "It was another printer"},
}  # fmt: skip

_TAG = r'((W/)?"[!#-~]*"|[0-9a-f.]+)'
_TAGS = rf"^(\*|{_TAG}( *, *{_TAG})*)$"
"""As RFC 9110 says, and without quotes, as the `etag` of an answer stands."""

_KEY = r'^("[!#-~]{1,253}"|[!#-~]{1,255})$'
"""A structured string, or the same without its quotes."""


@changing.post(
    "/decisions",
    status_code=201,
    response_model=answers.DecisionAnswer,
    summary="Decide what belongs together",
    responses={
        200: {"model": answers.DecisionAnswer, "description": "What it would do (preview)"},
        201: {"description": "It is taken, and holds", **header("Location", "Where to read it")},
        **documented(400, 403, 409, 412, 413, 415, 422, 428, 503),
    },
)  # fmt: skip
async def decide(
    asked: Annotated[Asked, Body(openapi_examples={name: {"value": one} for name, one in _EXAMPLES.items()})],
    hub: Hub,
    deciding: Annotated[Deciding, Depends(_deciding)],
    view: Seen,
    signed: By,
    if_match: Annotated[
        str,
        Header(
            pattern=_TAGS,
            description="ETags of the requests concerned, as they were shown to who decides; * for whatever they are, "
            "and for decisions about people",
            examples=["*"],
        ),
    ],
    idempotency_key: Annotated[
        str | None,
        Header(pattern=_KEY, description="Sent again with the same body, it decides nothing more and tells the same"),
    ] = None,
    preview: Annotated[bool, Query(description="Tell what it would do, and change nothing")] = False,
) -> Response:
    """Taken at once, in one step: judged against other decisions, never against evidence; stored for ever; understood.

    What it names may be given by any reference. No later evidence, reading or rebuild brings back what was ruled out,
    or parts what was joined; another decision may (`undo`).
    """
    key = idempotency_key.strip('"') if idempotency_key else None
    asked = asked.model_copy(update={"by": signed.name(asked.by)})
    try:
        async with asyncio.timeout(SECONDS):
            outcome = await _outcome(hub, deciding, asked, versions(if_match), key, signed.noted, preview=preview)
    except TimeoutError:
        raise TooSlow(SECONDS) from None
    except Unresolved as error:
        raise await _unresolved(hub, error, view) from None
    except Refusal as told:
        raise _refused(await readable(hub, view, told), asked) from None
    except DRIVER_ERRORS as error:
        raise refusal(error, SECONDS) from error
    return await _answer(hub, view, outcome, preview=preview)


async def _outcome(
    hub: Serving, deciding: Deciding, asked: Asked, made_on: frozenset[str], key: str | None, noted: Noted | None, *,
    preview: bool,
) -> Outcome:  # fmt: skip
    # Before its references are followed: once it is taken, they may lead elsewhere.
    if key and not preview and (before := await deciding.again(key, wishes.digest_of(asked))):
        return before
    async with hub.database.reading() as connection:
        ends = await wishes.resolved(connection, asked)
    wish: Wish = wishes.wish_of(asked, ends, made_on, None if preview else key, noted)
    return await deciding.decide(wish, preview=preview)


async def _answer(hub: Serving, view: View, outcome: Outcome, *, preview: bool) -> Response:
    number = outcome.decision.number
    async with hub.database.reading() as connection:
        (told,) = await decided.told(connection, [Stored(outcome.decision, None, "")])
        told = masked(told, view, await brought(connection, view, named_in([told])))
    body = {"decision": told, "preview": preview, **decided.effects(outcome)}
    return answer(body, 200) if preview else answer(body, 201, {"Location": f"/v1/decisions/{number}"})


async def _unresolved(hub: Serving, error: Unresolved, view: View, place: str = "body") -> Refused:
    async with hub.database.reading() as connection:
        by = await brought(connection, view, error.candidates)
    named = [one for one in error.candidates if view.reads([one], by)]
    mend = error.mend if len(named) == len(error.candidates) else "Give the id of one"
    if error.choices and len(named) == len(error.candidates):
        mend = f"{mend}: {'; '.join(error.choices)}"
    found = wrong(f"{place}.{error.field}", error.what, mend[0].lower() + mend[1:])
    more: dict[str, Any] = {"candidates": named} if named else {}
    return Refused(422, "unresolved", found.detail, found.mend, **found.more, **more, **became(error.gone))


async def readable(hub: Serving, view: View, told: Refusal) -> Refusal:
    """A refusal as its reader may see it: the decisions that stand in the way may name what they may not read."""
    if told.number is None or not view.outside:
        return told
    words = f"Decision {told.number} stands in the way, and may speak of what you may not read."
    async with hub.database.reading() as connection:
        found = await decided.one(connection, told.number)
        named = (*found.decision.left, *found.decision.right) if found else ()
        by = await brought(connection, view, named)
    if found and told.problem.count("(decision ") == 1 and view.reads(named, by):
        return told
    return Refusal(told.kind, words, told.mend, versions=told.versions, number=told.number)


def _refused(told: Refusal, asked: Asked) -> Refused:
    more: dict[str, Any] = {"versions": told.versions} if told.kind == "changed" else {}
    if told.number is not None:
        more["decision"] = told.number
    if told.kind == "unknown" and isinstance(asked, Undo):
        more["errors"] = [{"field": "body.decision", "problem": "is no decision", "mend": "give the number of one"}]
    return Refused(_STATUS[told.kind], told.kind.replace(" ", "-"), told.problem, told.mend, **more)


class Listed(BaseModel):
    """Which decisions are listed; several filters mean all of them."""

    model_config = ConfigDict(extra="forbid")

    request: str | None = Field(
        default=None, min_length=1, max_length=LONGEST, description="Something that is in it now is named",
        examples=["R-MZXW6YTBOI3D"],
    )  # fmt: skip
    artifact: str | None = Field(
        default=None,
        min_length=1,
        max_length=LONGEST,
        description="Any reference of what is named",
        examples=["PAY-12"],
    )
    identity: str | None = Field(
        default=None,
        min_length=1,
        max_length=LONGEST,
        description="An identity's id, an e-mail address, or connection:address",
    )
    kind: DecisionKind | None = Field(default=None, description="What was said")
    by: str | None = Field(default=None, min_length=1, max_length=200, description="Who decided, word for word")
    holds: bool | None = Field(default=None, description="Only those that hold; false: only those that were undone")
    cursor: str | None = Field(default=None, max_length=500, description="`next` of the page before")
    limit: int = Field(default=25, ge=1, le=100)


@router.get(
    "/decisions", response_model=answers.DecisionPage, summary="What people decided",
    responses=documented(400, 422, 503),
)  # fmt: skip
async def decisions(listed: Annotated[Listed, Query()], hub: Hub, view: Seen) -> Response:
    """The newest first, each in one sentence, with what undid it."""
    listing = paging.asked("decisions", listed)
    before = _number(paging.place(listing, listed.cursor))
    async with hub.database.reading() as connection:
        try:
            names, request = await wishes.concerned(connection, listed.request, listed.artifact, listed.identity)
        except Unresolved as error:
            raise await _unresolved(hub, error, view, "query") from None
        wanted = Wanted(names, request, listed.kind, listed.by, listed.holds, before, listed.limit)
        rows = await decided.page(connection, wanted)
        items = await decided.told(connection, rows[: listed.limit])
        by = await brought(connection, view, named_in(items))
    more = len(rows) > listed.limit
    following = paging.cursor(listing, (str(items[-1]["number"]), "")) if more else None
    if listed.identity is not None:  # who is known where may not be found out by asking for it
        items = [one for one in items if view.reads(named_in([one]), by)]
    return answer({"items": [masked(one, view, by) for one in items], "next": following})


def _number(place: paging.Place | None) -> int | None:
    if place is None:
        return None
    if not (place[0].isascii() and place[0].isdecimal() and len(place[0]) < len(str(NEWEST))):
        raise paging.foreign()
    return int(place[0])


@router.get(
    "/decisions/{number}", response_model=answers.DecisionAnswer, summary="One decision",
    responses=documented(404, 422, 503),
)  # fmt: skip
async def decision(
    number: Annotated[int, Path(ge=1, le=NEWEST, description="Its number", examples=[1])], hub: Hub, view: Seen
) -> Response:
    """Who said what, when and why, whether it holds, and what it changed when it was taken."""
    async with hub.database.reading() as connection:
        found = await decided.one(connection, number)
        if found is None:
            raise Refused(
                404, "unknown-decision", "There is no decision with this number.", "List them under /v1/decisions."
            )
        (told,) = await decided.told(connection, [found])
        told = masked(told, view, await brought(connection, view, named_in([told])))
    return answer({"decision": told, "preview": False, **decided.effects(found.outcome)})
