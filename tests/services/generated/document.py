"""The API's document as generated requests need it: with ids that exist, and who may call what."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from services.admin.routers import ROUTERS
from services.query.app import openapi_document
from tests.services.test_roles import NEEDED

Ids = Mapping[str, Sequence[Any]]
"""What there is, by the name of what it is."""

_PATHS = (
    ("/v1/requests/{identifier}", "identifier", "request"),
    ("/v1/connections/{identifier}", "identifier", "connection"),
    ("/v1/decisions/{number}", "number", "decision"),
    ("/v1/rules/changes/{number}", "number", "change"),
    ("/v1/suggestions/{id}", "id", "suggestion"),
    ("/v1/dead-letters/causes/{cause}", "cause", "cause"),
    ("/v1/dead-letters/{letter}", "letter", "letter"),
    ("/v1/accounts/{id}", "id", "account"),
    ("/v1/sessions/{id}", "id", "session"),
    ("/v1/tokens/{id}", "id", "token"),
)
"""Paths from this one on: the parameter, and what it names."""

_APART = {
    "DELETE /v1/connections/{identifier}": "spare connection",
    "PUT /v1/connections/{identifier}": "hubspot",
    "PUT /v1/connections/{identifier}/audience": "kept",
    "POST /v1/connections/{identifier}/webhook": "hooked",
    "DELETE /v1/connections/{identifier}/webhook": "hooked",
    "POST /v1/connections/{identifier}/webhook/test": "jira",
    "PATCH /v1/accounts/{id}": "other account",
    "POST /v1/dead-letters/{letter}/replay": "replayed letter",
    "POST /v1/dead-letters/causes/{cause}/replay": "replayed cause",
    "PUT /v1/dead-letters/{letter}/content": "edited letter",
    "POST /v1/dead-letters/{letter}/drop": "dropped letter",
    "POST /v1/dead-letters/causes/{cause}/drop": "dropped cause",
    "POST /v1/rules/changes/{number}/undo": "newest change",
    "POST /v1/suggestions/{id}/answer": "answered suggestion",
}
"""Operations that need things of their own, so that others still find theirs."""

_QUERY = {
    "/v1/lookup": {"reference": "reference"},
    "/v1/why": {"from": "reference", "with": "reference"},
    "/v1/requests/{identifier}/why": {"from": "reference", "with": "reference"},
    "/v1/requests/{identifier}/timeline": {"artifact": "artifact", "actor": "person"},
    "/v1/suggestions": {"request": "request", "artifact": "artifact"},
    "/v1/decisions": {"request": "request", "artifact": "artifact"},
}
_FIELDS = {
    "a": "artifact", "b": "artifact", "artifacts": "artifact", "requests": "request", "request": "request",
    "identities": "person", "decision": "decision", "value": "reference", "connection": "connection",
}  # fmt: skip
_MODELS = ("Link", "Unlink", "Merge", "Split", "NoRequest", "SamePerson", "OtherPerson", "Undo", "Called",
           "RulesChange", "Tried")  # fmt: skip
"""Bodies whose fields name what there is."""


@dataclass(frozen=True, slots=True)
class Told:
    """An operation of the document."""

    method: str
    path: str
    operation: dict[str, Any]

    @property
    def name(self) -> str:
        """As the table of roles calls it."""
        return f"{self.method} {self.path}"


def operations(document: Mapping[str, Any]) -> Iterator[Told]:
    """All of a document."""
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield Told(method.upper(), path, operation)


def document(ids: Ids, bodies: Mapping[str, Any]) -> dict[str, Any]:
    """The document with what there is. bodies: by operation, one that it takes, in place of the document's examples."""
    made: dict[str, Any] = json.loads(json.dumps(openapi_document(ROUTERS)))
    made["paths"] = {"/v1/set-up": None} | made["paths"]  # first: who is known by it signs in later
    for model in _MODELS:
        for name, told in made["components"]["schemas"][model]["properties"].items():
            if name in _FIELDS:
                _known(told, ids[_FIELDS[name]])
    for one in operations(made):
        one.operation["x-role"] = NEEDED[one.name]
        for told in one.operation.get("parameters", ()):
            _filled(one, told, ids)
        if one.name in bodies:
            content = one.operation["requestBody"]["content"]["application/json"]
            content["examples"] = {"ours": {"value": bodies[one.name]}}
    return made


def _filled(one: Told, told: dict[str, Any], ids: Ids) -> None:
    """A parameter with what it may name."""
    if told["in"] == "path":
        kind = _APART.get(one.name) or next(
            kind for path, name, kind in _PATHS if one.path.startswith(path) and told["name"] == name
        )
        _known(told["schema"], ids[kind])
        told["example"] = ids[kind][0]
    elif told["in"] == "query" and told["name"] in _QUERY.get(one.path, {}):
        kind = _QUERY[one.path][told["name"]]
        _known(told["schema"], ids[kind])
        told["example"] = ids[kind][0]
    elif told["name"] == "if-match":
        _known(told["schema"], ["*"])
        told["example"] = "*"


def _known(schema: dict[str, Any], known: Sequence[Any]) -> None:
    """A schema of which half of what is made is known."""
    if "items" in schema:
        _known(schema["items"], known)
        return
    schema.pop("examples", None)
    before = {key: schema.pop(key) for key in list(schema)}
    schema["anyOf"] = [{"enum": list(known)}, *before.pop("anyOf", ()), *([before] if "type" in before else ())]
