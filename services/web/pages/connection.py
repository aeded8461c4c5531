"""One connection: watched, steered, compared with its tool, changed and removed."""

from collections.abc import Mapping
from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from schemas.access import Caller, Role
from services.web import forms as inputs
from services.web.api import Failed, api_of
from services.web.forms import STORED
from services.web.pages import forms
from services.web.pages.forms import Sheet
from services.web.pulse import pulse
from services.web.rendering import Pages, render

_TOLD = (409, 412, 422, 503)
DONE: Mapping[str, str] = {
    "added": "The connection is saved. The hub begins to read within seconds.",
    "changed": "The change is saved. The hub reads on with it.",
    "again": "The change is saved. Another address is read, so everything is read again.",
    "pause": "It is paused. What was read stays, and grows older.",
    "resume": "It reads on from where it was.",
    "stop": "It is stopped until somebody resumes it. What was read stays, and grows older.",
    "read-again": "It reads again; what is known already changes nothing.",
    "reset": "It begins as if it were new; what it brought stays.",
    "reconcile": "The comparison is asked for; the hub carries it out beside reading.",
    "webhook": "The webhook stands in the tool, and its secret here. A test delivery shows whether the way is open.",
    "no-webhook": "The webhook is removed from the tool. What it told is read by asking, a little later.",
}
"""What was done, as the page says it afterwards."""


async def one(request: Request) -> Response:
    """How it stands."""
    return await _page(request)


async def _page(request: Request, refused: Failed | None = None, **said: Any) -> Response:
    """said: tried, what came of a delivery of our own; secret, a new one that is shown this once; plan, what would be
    written in the tool, or removed there; part, where what was refused is told, if not at the top."""
    name = request.path_params["id"]
    api = api_of(request)
    told = await api.get(f"/v1/connections/{name}/watching")
    caller: Caller = request.scope["state"]["caller"]
    admin = caller.role.covers(Role.ADMIN)
    stored = await api.get(f"/v1/connections/{name}") if admin else None
    kind = await _kind(request, told["connector"]) if admin else None
    hook = (await api.get(f"/v1/connections/{name}/webhook"))["webhook"] if admin else None
    differences: Any = []
    if admin and told["reconciled"] and told["reconciled"]["finished_at"]:
        differences = (await api.get(f"/v1/connections/{name}/differences", limit=50))["items"]
    pages: Pages = request.app.state.pages
    return await render(
        request, "connection.html", status=refused.status if refused else 200, one=told, stored=stored,
        labels=_labels(kind, stored), set_up=_set_up(kind, stored), differences=differences, refused=refused,
        pulse=pulse(told["hours"], pages.now()), warnings=_warnings(told),
        done=next((words for key, words in DONE.items() if key in request.query_params), None), hook=hook,
        **{"tried": None, "secret": None, "plan": None, "part": None, **said},
    )  # fmt: skip


def _warnings(told: Mapping[str, Any]) -> list[str]:
    """Those that are told nowhere else on the page."""
    known = [one["says"] for one in told["notices"]] + [one["problem"] for one in told["failures"]]
    return [line for line in told["warnings"] if not any(one in line for one in known)]


async def _kind(request: Request, name: str) -> Mapping[str, Any] | None:
    try:
        return await forms.kind_of(request, name)
    except HTTPException:  # its connector is not installed any more
        return None


def _set_up(kind: Mapping[str, Any] | None, stored: Mapping[str, Any] | None) -> list[tuple[str, str]]:
    """Label and value of each option that has one; secrets are told beside."""
    if not kind or not stored:
        return []
    told = []
    for field in inputs.walk(kind["fields"], stored["options"]):
        value = inputs.at(stored["options"], field["path"])
        if value not in (None, "", []) and field["kind"] not in ("secret", "group"):
            told.append((str(field["label"]), _worded(field, value)))
    return told


def _worded(field: Mapping[str, Any], value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    known = {one["value"]: one["label"] for one in (*field.get("choices", ()), *field.get("alternatives", ()))}
    values = value if isinstance(value, list) else [value]
    return ", ".join(str(known.get(str(one), one)) for one in values)


def _labels(kind: Mapping[str, Any] | None, stored: Mapping[str, Any] | None) -> dict[str, str]:
    """Of the options, by dotted place."""
    if not kind or not stored:
        return {}
    return {".".join(one["path"]): one["label"] for one in inputs.walk(kind["fields"], stored["options"])}


async def steer(request: Request) -> Response:
    """Pause, resume, stop, read again, reset or compare it."""
    name, act = request.path_params["id"], request.url.path.rpartition("/")[2]
    form = await request.form()
    body: dict[str, Any] = {}
    if act == "read-again":
        since = forms.since_of(request, str(form.get("since", "")).strip())
        body = {"since": "beginning" if form.get("from") == "beginning" else since}
    elif act == "reconcile":
        body = {"mend": form.get("mend") is not None}
    headers = {"If-Match": str(form.get("version") or "*")}
    try:
        await api_of(request).ask("POST", f"/v1/connections/{name}/{act}", body, headers=headers)
    except Failed as error:
        if error.status not in _TOLD:
            raise
        return await _page(request, error)
    return RedirectResponse(f"/connections/{name}?{act}=1", 303)


async def deliver(request: Request) -> Response:
    """Send a delivery of our own to the address that the tool is told."""
    try:
        told = await api_of(request).post(f"/v1/connections/{request.path_params['id']}/webhook/test")
    except Failed as error:
        if error.status not in _TOLD:
            raise
        return await _page(request, error)
    return await _page(request, tried=told)


async def new_secret(request: Request) -> Response:
    """A secret for webhooks, which is stored nowhere and shown this once."""
    told = await api_of(request).post("/v1/webhook-secrets")
    return await _page(request, secret=told["secret"])


async def enter(request: Request) -> Response:
    """Say what the hub would enter in the tool; then, when the reader agrees, enter it."""
    form = await request.form()
    wish = {"renew": form.get("renew") == "yes"}
    return await _hook(request, "POST", wish, "webhook", sure=form.get("sure") == "yes")


async def take_away(request: Request) -> Response:
    """Say what would be removed in the tool; then, when the reader agrees, remove it."""
    form = await request.form()
    return await _hook(request, "DELETE", {}, "no-webhook", sure=form.get("sure") == "yes")


async def _hook(request: Request, method: str, body: dict[str, Any], done: str, *, sure: bool) -> Response:
    name = request.path_params["id"]
    try:
        told = await api_of(request).ask(method, f"/v1/connections/{name}/webhook", body, query={"preview": not sure})
    except Failed as error:
        if error.status not in _TOLD:
            raise
        return await _page(request, error, part="webhooks")
    if sure:
        return RedirectResponse(f"/connections/{name}?{done}=1#webhooks", 303)
    return await _page(request, plan={"removes": method == "DELETE", "warning": None, **body, **told.body})


async def change(request: Request) -> Response:
    """Its form, filled in."""
    return await forms.shown(request, await _stored(request))


async def _stored(request: Request) -> Sheet:
    stored = await api_of(request).get(f"/v1/connections/{request.path_params['id']}")
    kind = await forms.kind_of(request, stored["connector"])
    secrets = {one["option"]: STORED for one in stored["secrets"]}
    own = {"title": stored["title"]}
    return Sheet(
        kind, own, stored["options"], secrets=secrets, connection=stored["id"], version=stored["etag"]
    )  # fmt: skip


async def changed(request: Request) -> Response:
    """Test it, look at what it would bring, or save it, unless somebody else was quicker."""
    stored = await _stored(request)
    sheet = await forms.sheet_of(request, stored.kind, stored.connection, list(stored.secrets))
    if sheet.do != "save":
        return await forms.tried(request, sheet)
    wish = {
        "title": sheet.own["title"], "options": sheet.options, "forget": list(sheet.forget), "anyway": sheet.anyway,
        "unchecked": sheet.unchecked,
    }  # fmt: skip
    headers = {"If-Match": f'"{sheet.version}"'}
    try:
        told = await api_of(request).ask("PUT", f"/v1/connections/{stored.connection}", wish, headers=headers)
    except Failed as error:
        if error.status == 412:
            return await forms.outrun(request, sheet, error, stored.version)
        return await forms.refused(request, sheet, error)
    how = "again" if told.body["read_again"] else "changed"
    return RedirectResponse(f"/connections/{stored.connection}?{how}=1", 303)


async def remove(request: Request) -> Response:
    """What it would mean, before it is done."""
    return await _removing(request)


async def _removing(request: Request, refused: Failed | None = None) -> Response:
    name = request.path_params["id"]
    api = api_of(request)
    stored = await api.get(f"/v1/connections/{name}")
    loss = (await api.ask("DELETE", f"/v1/connections/{name}", query={"keep": False, "preview": True})).body
    return await render(
        request, "removing.html", status=refused.status if refused else 200, stored=stored, loss=loss["loss"],
        left=loss["left"], refused=refused,
    )  # fmt: skip


async def removed(request: Request) -> Response:
    """Remove it, with what it brought or without."""
    name = request.path_params["id"]
    form = await request.form()
    keep = str(form.get("keep", ""))
    if keep not in ("true", "false"):
        return await _removing(request, Failed(422, {"detail": "Say what becomes of what it brought."}))
    headers = {"If-Match": str(form.get("version") or "*")}
    try:
        wish: dict[str, Any] = {"keep": keep, "unregister": form.get("unregister") == "yes"}
        told = await api_of(request).ask("DELETE", f"/v1/connections/{name}", query=wish, headers=headers)
    except Failed as error:
        if error.status not in _TOLD:
            raise
        return await _removing(request, error)
    return RedirectResponse(f"/connections?removed={name}" + ("&left=1" if told.body["left"] else ""), 303)


routes = [
    Route("/connections/{id}", one),
    Route("/connections/{id}/change", change),
    Route("/connections/{id}/change", changed, methods=["POST"]),
    Route("/connections/{id}/webhook-enter", enter, methods=["POST"]),
    Route("/connections/{id}/webhook-remove", take_away, methods=["POST"]),
    Route("/connections/{id}/webhook-test", deliver, methods=["POST"]),
    Route("/connections/{id}/webhook-secret", new_secret, methods=["POST"]),
    Route("/connections/{id}/remove", remove),
    Route("/connections/{id}/remove", removed, methods=["POST"]),
    *(
        Route(f"/connections/{{id}}/{act}", steer, methods=["POST"])
        for act in ("pause", "resume", "stop", "read-again", "reset", "reconcile")
    ),
]
