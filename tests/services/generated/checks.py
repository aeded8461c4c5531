"""What must be true of every answer of the API, beside what its document says. Loaded by schemathesis."""

import json
from collections.abc import Iterator
from typing import Any

import schemathesis

from schemas.access import Role

_SHORTEST = 12
"""Characters of a text that is no accident where it comes again."""


@schemathesis.check
def refused_below_its_role(ctx: Any, response: Any, case: Any) -> None:
    """Who may not call an operation is told so, whatever they send."""
    del ctx
    told = case.operation.definition.raw
    asked_by = case.operation.schema.raw_schema["x-asked-by"]
    needed, role = told["x-role"], Role(asked_by) if asked_by else None
    if needed is None or (role and role.covers(Role(needed))):
        return
    wanted = 403 if role else 401
    assert response.status_code == wanted, f"{role or 'nobody'} is answered {response.status_code}"


@schemathesis.check
def every_refusal_is_a_problem_that_says_what_to_do(ctx: Any, response: Any, case: Any) -> None:
    """RFC 9457, with the mend, and the field where there is one."""
    del ctx
    if response.status_code < 400 or case.method == "HEAD" or case.path == "/readyz":
        return
    told = json.loads(response.content)
    assert response.headers["content-type"] == ["application/problem+json"]
    assert told["status"] == response.status_code
    assert told["type"].startswith("urn:throughline:problem:")
    for name in ("title", "detail", "mend"):
        assert told[name].strip(), name
    for one in told.get("errors") or ():
        assert one["problem"].strip()
        assert one["mend"].strip()
        assert isinstance(one["field"], str)
    if response.status_code == 422 and told["type"].endswith(":invalid"):
        assert told["errors"], "no field is named"


@schemathesis.check
def no_refusal_repeats_what_was_sent(ctx: Any, response: Any, case: Any) -> None:
    """Neither a value nor a name that only the caller can have thought of."""
    del ctx
    if response.status_code < 400:
        return
    ours = json.dumps(case.operation.schema.raw_schema, ensure_ascii=False)
    told = json.loads(response.content) if case.method != "HEAD" else ""
    said = "\n".join(_texts(told))
    for text in _texts([case.path_parameters, case.query, case.body, list((case.headers or {}).values())]):
        if len(text) >= _SHORTEST and text not in ours:
            assert text not in said, f"it repeats {text!r}"


@schemathesis.check
def every_answer_tells_browsers_to_be_careful(ctx: Any, response: Any, case: Any) -> None:
    """Nothing is kept by anybody but its reader, nothing is taken for what it is not."""
    del ctx, case
    assert response.headers["x-content-type-options"] == ["nosniff"]
    assert response.headers["cache-control"][0] in ("no-store", "no-cache", "private, no-cache"), response.headers


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for name, inner in value.items():
            yield name
            yield from _texts(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _texts(inner)
