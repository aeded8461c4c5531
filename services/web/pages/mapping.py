"""The stage map of a connection: its tool's real statuses, what each means and why, tried before it holds."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from services.web.api import Failed, api_of
from services.web.rendering import render
from services.web.stage_rows import Choice, own_row, rows_with

A_PAGE = 50
"""Statuses on one page."""
REFUSED = (409, 412, 422)


async def shown(request: Request) -> Response:
    """As it is; what nobody chose yet is filled in as it is proposed."""
    return await page(request, request.path_params["id"], {})


async def sent(request: Request) -> Response:
    """Look at what the choices would do, or let them hold."""
    form = await request.form()
    name = request.path_params["id"]
    told = await api_of(request).get(f"/v1/connections/{name}/stage-map")
    typed = _staged(_choices(form), told)
    rows = rows_with(told["chosen"], typed.values())
    preview = form.get("do") != "apply"
    try:
        answer = await api_of(request).ask(
            "POST", f"/v1/connections/{name}/stage-map", {"stages": rows or None}, query={"preview": preview},
            headers={"If-Match": f'"{form.get("version", "")}"'},
        )  # fmt: skip
    except Failed as error:
        if error.status not in REFUSED:
            raise
        return await page(request, name, typed, refused=error)
    if preview:
        return await page(request, name, typed, result=answer.body)
    return RedirectResponse(f"/connections/{name}/stage-map?held={answer.body['number'] or 0}", 303)


def _choices(form: FormData) -> dict[tuple[str, str, str], Choice]:
    """What was sent, by place. Inputs are called by a number, and say what they are about in hidden ones."""
    found = {}
    for key in form:
        number = key.removeprefix("stage.")
        if number == key:
            continue
        said = {one: str(form.get(f"{one}.{number}", "")) for one in ("kind", "type", "status", "stage", "state")}
        choice = Choice(said["kind"], said["type"] or None, said["status"] or None, said["stage"], said["state"])
        found[choice.place] = choice
    return found


def _staged(typed: dict[tuple[str, str, str], Choice], told: Mapping[str, Any]) -> dict[tuple[str, str, str], Choice]:
    """A state alone is chosen together with the stage that the status has now."""
    for one in told["statuses"]:
        choice = typed.get(Choice(one["kind"], one["type"], one["status"], "", "").place)
        mapped = one["by"] != "nothing" and own_row(told["chosen"], one) is None
        if choice and choice.state and not choice.stage and mapped:
            typed[choice.place] = replace(choice, stage=one["stage"])
    return typed


async def page(
    request: Request, name: str, typed: Mapping[tuple[str, str, str], Choice], *, result: Any = None,
    undoing: int | None = None, refused: Failed | None = None,
) -> Response:  # fmt: skip
    """The map of a connection. typed: what was chosen but does not hold. result: what that would do, or what it would
    do to take the change `undoing` back."""
    api = api_of(request)
    told = await api.get(f"/v1/connections/{name}/stage-map")
    number = request.query_params.get("page", "1")
    place = max(1, int(number)) if number.isdecimal() and len(number) < 9 else 1
    statuses = told["statuses"][(place - 1) * A_PAGE : place * A_PAGE]
    changes = await api.get("/v1/rules/changes", connection=name, limit=5)
    return await render(
        request, "stage_map.html", status=refused.status if refused else 200, name=name, told=told, page=place,
        rows=[_row(told, one, typed) for one in statuses], pages=-(-len(told["statuses"]) // A_PAGE), result=result,
        undoing=undoing, refused=refused, held=request.query_params.get("held"), changes=changes["items"],
        progress=(await api.get("/v1/progress"))["recompute"],
    )  # fmt: skip


def _row(told: Mapping[str, Any], one: Mapping[str, Any], typed: Mapping[tuple[str, str, str], Choice]) -> Any:
    """A status with what its inputs hold: what was typed, else what is chosen, else what is proposed."""
    about = Choice(one["kind"], one["type"], one["status"], "", "")
    own = own_row(told["chosen"], one)
    proposal = one["proposal"] if own is None else None
    given = own or proposal or {}
    said = typed.get(about.place) or Choice(
        one["kind"], one["type"], one["status"], given.get("stage", ""), given.get("state") or ""
    )
    return {**one, "said": said, "own": own is not None, "proposed": proposal is not None and about.place not in typed}


routes = [
    Route("/connections/{id}/stage-map", shown),
    Route("/connections/{id}/stage-map", sent, methods=["POST"]),
]
