"""What a person chooses over the rules, in the one form that files, commands and the API share."""

import re
from collections.abc import Iterable
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, field_validator, model_validator

from pipelines.references import scope_of
from pipelines.store.choices import Choice
from pipelines.store.configuration import Chosen, Installation
from schemas.artifacts import REFERENCE_KINDS, State
from schemas.stages import StageRule

Does = Literal["joins", "depends on", "mentions"]
Stage = Literal["alignment", "requirements", "development", "change", "improvement"]
Words = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=255)]
Project = Annotated[str, StringConstraints(pattern=r"^[A-Z][A-Z0-9_]{0,99}$")]
KINDS = (*(kind for kind in REFERENCE_KINDS if kind != "field"), "hubspot.ticket", "hubspot.note", "hubspot.email")
Named = Annotated[
    str, StringConstraints(pattern=rf"^(?:{'|'.join(map(re.escape, KINDS))})(?:@[a-z0-9][a-z0-9-]{{0,62}})?$")
]
Value = Annotated[str, StringConstraints(strip_whitespace=True, min_length=3, max_length=250)]
Exclusive = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z -]{0,60}$")]

REASON = "Chosen for this connection"


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
    reason: Words = REASON

    @model_validator(mode="after")
    def _waits(self) -> "Row":
        if self.waiting and self.state != "waiting":
            raise ValueError("waiting says for whom or what; it needs the state waiting")
        return self


class RulesForm(_Form):
    """All that is chosen for one connection; what is left out stays as the connector and the options say."""

    stages: tuple[Row, ...] = Field(default=(), max_length=2000)
    link_kinds: dict[Words, Does] = Field(default_factory=dict, max_length=500)
    openers: tuple[Words, ...] | None = Field(default=None, min_length=1, max_length=500)
    projects: tuple[Project, ...] = Field(default=(), max_length=5000)
    scopes: tuple[Words, ...] = Field(default=(), max_length=500)
    reference_fields: dict[Words, Named] = Field(default_factory=dict, max_length=500)
    """Fields by id or name, to what they name: hubspot.deal, or hubspot.deal@crm where several connections have it."""

    @field_validator("scopes")
    @classmethod
    def _hosts(cls, scopes: tuple[str, ...]) -> tuple[str, ...]:
        return hosts(scopes)


class LimitsForm(_Form):
    """All that is chosen for all connections together; what is left out stays as the release has it."""

    digest: int | None = Field(default=None, ge=2, le=100)
    generic: int | None = Field(default=None, ge=5, le=10_000)
    component: int | None = Field(default=None, ge=50, le=100_000)
    exclusive: tuple[Exclusive, ...] | None = Field(default=None, min_length=1, max_length=100)
    called_generic: tuple[Value, ...] = Field(default=(), max_length=5000)
    called_specific: tuple[Value, ...] = Field(default=(), max_length=5000)

    @property
    def twice(self) -> set[str]:
        """Values that are called both."""
        return set(self.called_generic) & set(self.called_specific)


def hosts(scopes: tuple[str, ...]) -> tuple[str, ...]:
    """The same. Raises ValueError for what names no scope."""
    if not all(map(scope_named, scopes)):
        raise ValueError("give a host such as jira.acme.example, an address, or hubspot:<portal>")
    return scopes


def unknown_kind(rows: Iterable[Row], kinds: Iterable[str]) -> tuple[int, list[str]] | None:
    """The place of the first row of a kind that the connector does not read, and the kinds it does."""
    known = sorted({*kinds, "*"})
    return next(((place, known) for place, row in enumerate(rows) if row.kind not in known), None)


def chosen_of(told: RulesForm, connector: str) -> Chosen:
    """The choice that a form tells."""
    return Chosen(
        stages=tuple(
            StageRule(connector, row.kind, row.type, row.status, row.stage, State(row.state) if row.state else None,
                      row.reason, waiting=row.waiting)
            for row in told.stages
        ),
        link_kinds={relation.lower(): does for relation, does in told.link_kinds.items()},
        openers=frozenset(told.openers) if told.openers else None,
        projects=frozenset(told.projects),
        scopes=frozenset(scope_named(scope) for scope in told.scopes),
        reference_fields={name.lower(): kind for name, kind in told.reference_fields.items()},
    )  # fmt: skip


def limits_of(told: LimitsForm) -> Installation:
    """The choice for all connections that a form tells."""
    return Installation(
        digest=told.digest,
        generic=told.generic,
        component=told.component,
        exclusive=frozenset(told.exclusive) if told.exclusive else None,
        called_generic=frozenset(told.called_generic),
        called_specific=frozenset(told.called_specific),
    )


def scope_named(text: str) -> str:
    """The scope that a host, an address or `hubspot:<portal>` names; "" for anything else."""
    portal = text.removeprefix("hubspot:")
    if portal != text:
        return text if portal.isdecimal() else ""
    return scope_of(text if "://" in text else f"https://{text}")


def told_again(choice: Choice) -> dict[str, Any]:
    """A choice in its form; what is not chosen is left out."""
    if isinstance(choice, Installation):
        limits = {name: getattr(choice, name) for name in LimitsForm.model_fields}
        return {name: sorted(one) if isinstance(one, frozenset) else one for name, one in limits.items() if one}
    told = {
        "stages": [told_row(rule) for rule in choice.stages],
        "link_kinds": choice.link_kinds,
        "openers": sorted(choice.openers or ()),
        "projects": sorted(choice.projects),
        "scopes": sorted(choice.scopes),
        "reference_fields": choice.reference_fields,
    }
    return {name: value for name, value in told.items() if value}


def told_row(rule: StageRule) -> dict[str, str]:
    """A row in its form."""
    state = rule.state.value if rule.state else None
    row = {"kind": rule.kind, "type": rule.type, "status": rule.status, "stage": rule.stage, "state": state,
           "waiting": rule.waiting, "reason": rule.reason}  # fmt: skip
    return {name: value for name, value in row.items() if value is not None}


def state_words(rule: StageRule) -> str:
    """What a row says of the state, in words."""
    if rule.state is None:
        return "as the tool says"
    return f"{rule.state.value} ({rule.waiting})" if rule.waiting else rule.state.value


def lines(choice: Choice) -> list[str]:
    """A choice, one line for each thing it says."""
    if isinstance(choice, Installation):
        told = {name: one for name, one in told_again(choice).items() if one}
        return [f"{name}: {', '.join(one) if isinstance(one, list) else one}" for name, one in told.items()]
    rows = [f"{one.kind}, {one.type}, {one.status}: {one.stage}, {state_words(one)}" for one in choice.stages]
    rows += [f"link {relation}: {does}" for relation, does in sorted(choice.link_kinds.items())]
    rows += [f"opens a request: {name}" for name in sorted(choice.openers or ())]
    rows += [f"project {name}" for name in sorted(choice.projects)]
    rows += [f"scope {name}" for name in sorted(choice.scopes)]
    return rows + [f"field {name}: {kind}" for name, kind in sorted(choice.reference_fields.items())]


def changes(before: Choice, after: Choice) -> tuple[list[str], list[str]]:
    """Lines that are taken out, and lines that are put in."""
    old, new = lines(before), lines(after)
    return [one for one in old if one not in new], [one for one in new if one not in old]
