"""What a person chooses for one connection, as a file: read, checked by line and column, and told again."""

import difflib
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError, field_validator, model_validator

from pipelines.references import scope_of
from pipelines.store.configuration import Chosen
from schemas.artifacts import REFERENCE_KINDS, State
from schemas.errors import Misconfigured
from schemas.stages import STAGES, StageRule
from services.cli import filing

Does = Literal["joins", "depends on", "mentions"]
Stage = Literal["alignment", "requirements", "development", "change", "improvement"]
Words = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=255)]
Project = Annotated[str, StringConstraints(pattern=r"^[A-Z][A-Z0-9_]{0,99}$")]
_KINDS = (*(kind for kind in REFERENCE_KINDS if kind != "field"), "hubspot.ticket", "hubspot.note", "hubspot.email")
Named = Annotated[
    str, StringConstraints(pattern=rf"^(?:{'|'.join(map(re.escape, _KINDS))})(?:@[a-z0-9][a-z0-9-]{{0,62}})?$")
]

_REASON = "Chosen for this connection"


class _Form(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Row(_Form):
    """One row of the stage map. What is left out fits everything."""

    kind: Words = "*"
    type: Words = "*"
    status: Words = "*"
    """Label or id."""
    stage: Stage
    state: Literal["new", "active", "waiting", "done", "cancelled"] | None = None
    """None: the tool's own category."""
    waiting: Words | None = None
    reason: Words = _REASON

    @model_validator(mode="after")
    def _waits(self) -> "Row":
        if self.waiting and self.state != "waiting":
            raise ValueError("waiting says for whom or what; it needs the state waiting")
        return self


class RulesFile(_Form):
    """The whole file; what is left out stays as the connector and the options say."""

    stages: tuple[Row, ...] = ()
    link_kinds: dict[Words, Does] = Field(default_factory=dict)
    openers: tuple[Words, ...] | None = Field(default=None, min_length=1)
    projects: tuple[Project, ...] = ()
    scopes: tuple[Words, ...] = ()
    reference_fields: dict[Words, Named] = Field(default_factory=dict)
    """Fields by id or name, to what they name: hubspot.deal, or hubspot.deal@crm where several connections have it."""

    @field_validator("scopes")
    @classmethod
    def _hosts(cls, scopes: tuple[str, ...]) -> tuple[str, ...]:
        for scope in scopes:
            if not _scope(scope):
                raise ValueError("give a host such as jira.acme.example, an address, or hubspot:<portal>")
        return scopes


KEYS = tuple(RulesFile.model_fields)


def read(path: Path, connector: str, kinds: Iterable[str]) -> Chosen:
    """What the file chooses. kinds: of the connector's things, for rows. Raises Misconfigured by line and column."""
    filed = filing.document(path, KEYS, "a connection's rules")
    try:
        told = RulesFile.model_validate(_texts({name: one for name, one in filed.told.items() if one is not None}))
    except ValidationError as error:
        raise _wrong(filed, error) from None
    known = sorted({*kinds, "*"})
    for number, row in enumerate(told.stages):
        if row.kind not in known:
            at = filing.place(filed.node, ("stages", str(number), "kind"))
            problem = f"{path}, {at}: {row.kind} is no kind of thing that this connector reads"
            raise Misconfigured(problem, f"Use one of {', '.join(known)}", "kind")
    return _chosen(told, connector)


def _texts(value: Any) -> Any:
    """Numbers as text: a status is often named by its id, a portal is a number."""
    if isinstance(value, dict):
        return {str(name): _texts(one) for name, one in value.items()}
    if isinstance(value, list):
        return [_texts(one) for one in value]
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


def _chosen(told: RulesFile, connector: str) -> Chosen:
    return Chosen(
        stages=tuple(
            StageRule(connector, row.kind, row.type, row.status, row.stage, State(row.state) if row.state else None,
                      row.reason, waiting=row.waiting)
            for row in told.stages
        ),
        link_kinds={relation.lower(): does for relation, does in told.link_kinds.items()},
        openers=frozenset(told.openers) if told.openers else None,
        projects=frozenset(told.projects),
        scopes=frozenset(_scope(scope) for scope in told.scopes),
        reference_fields={name.lower(): kind for name, kind in told.reference_fields.items()},
    )  # fmt: skip


def _scope(text: str) -> str:
    portal = text.removeprefix("hubspot:")
    if portal != text:
        return text if portal.isdecimal() else ""
    return scope_of(text if "://" in text else f"https://{text}")


def _wrong(filed: filing.Filed, error: ValidationError) -> Misconfigured:
    every = error.errors(include_url=False)
    first = every[0]
    path = [str(step) for step in first["loc"]]
    at = filing.place(filed.node, path[:-1] if first["type"] == "missing" else path)
    problem, mend = _words(str(first["type"]), path, first)
    more = f". {len(every) - 1} more are wrong" if len(every) > 1 else ""
    return Misconfigured(f"{filed.path}, {at}: {problem}", mend + more, path[-1] if path else "")


def _words(kind: str, path: list[str], told: Mapping[str, Any]) -> tuple[str, str]:
    """What is wrong, and the mend."""
    name = path[-1] if path else "the file"
    if kind == "extra_forbidden":
        return f"{name} is no key of a row", f"The keys are {', '.join(Row.model_fields)}"
    if kind == "missing":
        return f"{name} is missing", f"Add it: one of {', '.join(STAGES)}"
    if kind == "literal_error":
        return f"{told['input']} is no {_noun(path)}", _nearest(str(told["input"]), _choices(path))
    if kind.startswith("string_type"):
        return f"{name} is no text", "Put it in quotes: YAML reads words such as yes, no and on otherwise"
    if kind == "string_pattern_mismatch" and path[0] == "reference_fields":
        return f"{told['input']} is nothing that a field can name", _nearest(str(told["input"]), _KINDS)
    if kind == "string_pattern_mismatch":
        return f"{told['input']} is no key of a project", "Write it in capitals, such as PAY"
    if kind == "value_error":
        return f"{name}: {str(told['msg']).removeprefix('Value error, ')}", "Correct it"
    return _shape(kind, name, str(told["msg"]))


def _shape(kind: str, name: str, said: str) -> tuple[str, str]:
    if kind in ("tuple_type", "list_type"):
        return f"{name} is no list", f"Write {name}: [first, second], or a line with - for each"
    if kind in ("dict_type", "model_type"):
        return f"{'a row' if name.isdecimal() else name} holds no names and values", "Write each as name: value"
    return f"{name}: {said}", "Correct it"


def _noun(path: list[str]) -> str:
    return {"stage": "stage", "state": "state"}.get(path[-1], "kind of link")


def _choices(path: list[str]) -> tuple[str, ...]:
    return {"stage": STAGES, "state": tuple(State)}.get(path[-1], get_args(Does))


def _nearest(word: str, known: tuple[str, ...]) -> str:
    near = difflib.get_close_matches(word.lower(), known, n=1)
    return f"{f'Is {near[0]} meant? ' if near else ''}Use one of {', '.join(known)}"


def state_words(rule: StageRule) -> str:
    """What a row says of the state, in words."""
    if rule.state is None:
        return "as the tool says"
    return f"{rule.state.value} ({rule.waiting})" if rule.waiting else rule.state.value


def told_again(chosen: Chosen) -> dict[str, Any]:
    """The choices in the file's own form; what is not chosen is left out."""
    told = {
        "stages": [told_row(rule) for rule in chosen.stages],
        "link_kinds": chosen.link_kinds,
        "openers": sorted(chosen.openers or ()),
        "projects": sorted(chosen.projects),
        "scopes": sorted(chosen.scopes),
        "reference_fields": chosen.reference_fields,
    }
    return {name: value for name, value in told.items() if value}


def told_row(rule: StageRule) -> dict[str, str]:
    """A row in the file's form."""
    state = rule.state.value if rule.state else None
    row = {"kind": rule.kind, "type": rule.type, "status": rule.status, "stage": rule.stage, "state": state,
           "waiting": rule.waiting, "reason": rule.reason}  # fmt: skip
    return {name: value for name, value in row.items() if value is not None}
