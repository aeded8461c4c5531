"""The form of a connection, as it is added and as it is changed: shown, tried, and told what is wrong with it."""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field, replace
from datetime import date, datetime, time
from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from schemas.access import Caller
from services.web import forms
from services.web.api import Api, Failed, api_of
from services.web.drafts import Drafts
from services.web.forms import STORED, TYPED, Filling, Wrong
from services.web.rendering import Pages, render, zone_of
from services.web.streaming import lines

LABELS = {"name": "Name", "title": "Title", "since": "Start from"}
"""Inputs of a connection beside its options."""
_FORM = {"connection.name": "Use small letters, digits and dashes, 40 at most, with a letter or a digit at both ends"}
"""Of inputs whose form the API's document states as a pattern."""
_MARK = "<!--steps-->"
_TOLD = (409, 412, 422, 503)
"""Answers that are told in the form; others have pages of their own."""


@dataclass(frozen=True, slots=True)
class Sheet:
    """One filled-in form."""

    kind: Mapping[str, Any]
    """The connector, as the API tells it."""
    own: Mapping[str, str] = field(default_factory=dict)
    """name, title and since, as they were typed."""
    options: dict[str, Any] = field(default_factory=dict)
    """With the secrets that were typed."""
    since: str | None = None
    """The instant from which is read."""
    do: str = ""
    """test, preview or save"""
    draft: str = ""
    """Ticket of the typed secrets."""
    secrets: Mapping[str, str] = field(default_factory=dict)
    """TYPED or STORED, by dotted place."""
    forget: Sequence[str] = ()
    """Stored secrets that are given up."""
    anyway: bool = False
    """Insists, where another connection reads this tool."""
    unchecked: bool = False
    """Saves it though the tool cannot be read now."""
    connection: str | None = None
    """The connection that is changed."""
    version: str = ""
    """Its ETag as it was shown."""


async def kind_of(request: Request, name: str) -> Mapping[str, Any]:
    """One kind of tool. Raises HTTPException(404)."""
    kinds = await api_of(request).get("/v1/connectors")
    for one in kinds["items"]:
        if one["name"] == name:
            kind: Mapping[str, Any] = one
            return kind
    raise HTTPException(404)


async def sheet_of(
    request: Request, kind: Mapping[str, Any], connection: str | None = None, stored: Sequence[str] = ()
) -> Sheet:
    """What was sent. stored: dotted places of secrets that the connection has."""
    sent = await request.form()
    own = {name: str(sent.get(f"connection.{name}", "")).strip() for name in LABELS}
    options = forms.options_of(kind["fields"], sent)
    drafts: Drafts = request.app.state.drafts
    owner, target = _owner(request), _target(kind, options)
    typed = dict(drafts.take(str(sent.get("draft", "")), owner, target)) | forms.secrets_of(kind["fields"], sent)
    places = _places(kind, options)
    typed = {place: secret for place, secret in typed.items() if place in places}
    for place, secret in typed.items():
        forms.put(options, place.split("."), secret)
    return Sheet(
        kind, own, options, since_of(request, own["since"]), str(sent.get("do", "")), drafts.keep(owner, target, typed),
        dict.fromkeys(stored, STORED) | dict.fromkeys(typed, TYPED), [str(one) for one in sent.getlist("forget")],
        sent.get("anyway") is not None, sent.get("unchecked") is not None, connection, str(sent.get("version", "")),
    )  # fmt: skip


def _owner(request: Request) -> str:
    caller: Caller = request.scope["state"]["caller"]
    return f"{caller.how} {caller.account}"


def _target(kind: Mapping[str, Any], options: Mapping[str, Any]) -> str:
    """Where secrets are sent, and by which way of signing in."""
    return repr([kind["name"], *(forms.at(options, name.split(".")) for name in (*kind["where_to"], "auth.kind"))])


def _places(kind: Mapping[str, Any], options: Mapping[str, Any]) -> set[str]:
    """Dotted places of the secrets that the chosen alternatives have."""
    return {".".join(one["path"]) for one in forms.walk(kind["fields"], options) if one["kind"] == "secret"}


def since_of(request: Request, text: str) -> str | None:
    """Midnight of that day where the reader is; what is no day goes on as it is, and the API says what is wrong."""
    try:
        day = date.fromisoformat(text)
    except ValueError:
        return text or None
    return datetime.combine(day, time(), zone_of(request)).isoformat()


async def tried(request: Request, sheet: Sheet) -> Response:
    """Test it, or look at what it would bring; nothing is stored."""
    api = api_of(request)
    wish = {
        "connector": sheet.kind["name"], "options": sheet.options, "since": sheet.since,
        **({"connection": sheet.connection} if sheet.connection else {"name": sheet.own["name"] or None}),
    }  # fmt: skip
    try:
        if sheet.do == "preview":
            preview = await api.post("/v1/connections/preview", wish)
            return await shown(request, sheet, preview=preview, much=await _estimated(api, wish))
        return await step_by_step(request, sheet, wish)
    except Failed as error:
        return await refused(request, sheet, error)


async def _estimated(api: Api, wish: Mapping[str, Any]) -> dict[str, Any] | None:
    """How much there is; None where the tool is too slow to count it, which takes no preview away."""
    try:
        much: dict[str, Any] = await api.post("/v1/connections/estimate", wish)
    except Failed:
        return None
    return much


async def step_by_step(request: Request, sheet: Sheet, wish: Mapping[str, Any]) -> Response:
    """The form with each step of a test as it is done. Raises Failed where the options cannot be tried at all."""
    async with AsyncExitStack() as stack:
        steps = await stack.enter_async_context(lines(request, "/v1/connections/test", wish))
        page = await shown(request, sheet, tested={"ok": None, "steps": ()})
        head, _, tail = bytes(page.body).decode().partition(_MARK)
        told = _told(request, steps, head, tail, stack.pop_all())
    return StreamingResponse(told, media_type="text/html")


async def _told(
    request: Request, steps: AsyncIterator[Any], head: str, tail: str, stack: AsyncExitStack
) -> AsyncIterator[str]:
    pages: Pages = request.app.state.pages
    trials: Any = pages.templates.get_template("trials.html").module
    async with stack:
        yield head
        last: Mapping[str, Any] = {"problem": {"detail": "The test did not end.", "mend": "Try again."}}
        async for one in steps:
            if "name" in one:
                yield trials.step(one)
            else:
                last = one
    yield f"</ol>{trials.outcome(bool(last.get('ok')), last.get('problem'))}{tail}"


async def refused(request: Request, sheet: Sheet, error: Failed) -> Response:
    """The form as it was typed, and what is wrong with it. Raises Failed for what no form can mend."""
    if error.status not in _TOLD:
        raise error
    wrong = [_plainer(one) for one in forms.wrongs(sheet.kind["fields"], error.problem, LABELS)]
    steps = error.problem.get("steps")
    tested = {"ok": False, "steps": steps} if steps else None
    return await shown(
        request, sheet, wrong=wrong, tested=tested, insist=bool(error.problem.get("anyway")), status=error.status,
        away=sheet.do == "save" and (bool(steps) or error.status == 503),
    )  # fmt: skip


def _plainer(one: Wrong) -> Wrong:
    """Where the API sends programs to its document, the form says it."""
    mend = _FORM.get(one.field, "Look at the help beside it") if "openapi.json" in one.mend else one.mend
    return replace(one, mend=mend)


async def outrun(request: Request, sheet: Sheet, error: Failed, version: str) -> Response:
    """Somebody else changed it meanwhile: the form as it was typed, and what is stored now. version: of that."""
    wrong = forms.wrongs(sheet.kind["fields"], error.problem, LABELS)
    lines = [f"{one.label} {one.problem}" for one in wrong if one.label]
    return await shown(request, replace(sheet, version=version), status=412, changed={"lines": lines})


async def shown(
    request: Request, sheet: Sheet, *, wrong: Sequence[Wrong] = (), status: int = 200, **results: Any
) -> Response:
    """The form. results: tested, preview, much, insist, changed, away."""
    filling = Filling(sheet.options, wrong, sheet.secrets)
    told: dict[str, Any] = {"tested": None, "preview": None, "much": None, "insist": False, "changed": None,
                            "away": False}  # fmt: skip
    return await render(
        request, "connecting.html", status=status, sheet=replace(sheet, options={}), kind=sheet.kind, wrong=wrong,
        fields=forms.inputs(sheet.kind["fields"], filling), own=_own(sheet, wrong), **{**told, **results},
    )  # fmt: skip


def _own(sheet: Sheet, wrong: Sequence[Wrong]) -> dict[str, Any]:
    return {
        name: {"value": sheet.own.get(name, ""), "wrong": [one for one in wrong if one.field == f"connection.{name}"]}
        for name in LABELS
    }
