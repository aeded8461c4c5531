"""Rules as JSON: what is chosen and what holds, changes, and what a change would do."""

from typing import Any

from pydantic import AwareDatetime, BaseModel, Field, field_validator

from pipelines.store.choices import Change, Choice
from pipelines.store.configuration import ConnectionConfiguration
from pipelines.trying import Difference, Move, Standing
from services.admin.rules_form import Does, Exclusive, Named, Project, Row, Value, Words, changes, hosts, told_again
from services.admin.rules_form import told_row as row_told
from services.admin.rules_trying import etag_of, said
from services.query.serving import told

_ROW = {"kind": "issue", "status": "Awaiting board", "stage": "alignment", "state": "waiting",
        "waiting": "another team", "reason": "The board meets on Mondays"}  # fmt: skip


class ConnectionRules(BaseModel):
    """What holds for one connection."""

    connection: str = Field(examples=["jira-acme"])
    connector: str = Field(examples=["jira"])
    removed: bool = Field(description="The connection is no more; what it brought is still understood by this")
    chosen: dict[str, Any] = Field(
        description="What a person chose, asked first: stages, link_kinds, openers, projects, scopes, "
        "reference_fields; without what is not chosen",
        examples=[{"stages": [_ROW], "link_kinds": {"is part of": "joins"}}],
    )
    defaults: dict[str, Any] = Field(description="What its connector and its options say, in the same form")
    etag: str = Field(description="Of `chosen`: give it as If-Match")


class InstallationRules(BaseModel):
    """What holds for all connections together."""

    chosen: dict[str, Any] = Field(
        description="digest, generic, component, exclusive, called_generic, called_specific; without what is not chosen"
    )
    holds: dict[str, Any] = Field(description="The same with what the release says", examples=[{"generic": 50}])
    etag: str


class Rules(BaseModel):
    """All rules."""

    installation: InstallationRules
    connections: list[ConnectionRules]
    version: str = Field(description="Of all of these together; links tell it, too", examples=["8-3f9a1c04"])


class RulesChange(BaseModel):
    """What is to be chosen. A key that is given takes the place of what was chosen under it; null: as the connector,
    its options or the release say; a key that is left out stays as it is."""

    model_config = {"extra": "forbid", "frozen": True}

    connection: str | None = Field(
        default=None, max_length=200, description="null: all connections together", examples=["jira-acme"]
    )
    stages: tuple[Row, ...] | None = Field(default=None, max_length=2000, description="Rows, asked in their order")
    link_kinds: dict[Words, Does] | None = Field(
        default=None, max_length=500, description="By relation in its direction, or by the name of a type of link"
    )
    openers: tuple[Words, ...] | None = Field(
        default=None, min_length=1, max_length=500, description="Types that open a request"
    )
    projects: tuple[Project, ...] | None = Field(default=None, max_length=5000)
    scopes: tuple[Words, ...] | None = Field(default=None, max_length=500)
    reference_fields: dict[Words, Named] | None = Field(default=None, max_length=500)
    digest: int | None = Field(default=None, ge=2, le=100)
    generic: int | None = Field(default=None, ge=5, le=10_000)
    component: int | None = Field(default=None, ge=50, le=100_000)
    exclusive: tuple[Exclusive, ...] | None = Field(default=None, min_length=1, max_length=100)
    called_generic: tuple[Value, ...] | None = Field(default=None, max_length=5000)
    called_specific: tuple[Value, ...] | None = Field(default=None, max_length=5000)

    @property
    def given(self) -> dict[str, Any]:
        """What was given, without the connection."""
        return {name: getattr(self, name) for name in self.model_fields_set - {"connection"}}

    @field_validator("scopes")
    @classmethod
    def _hosts(cls, scopes: tuple[str, ...] | None) -> tuple[str, ...] | None:
        return None if scopes is None else hosts(scopes)


class Standings(BaseModel):
    """A stage and a state."""

    stage: str
    state: str | None


class Moves(BaseModel):
    """Requests that would stand elsewhere."""

    before: Standings
    after: Standings
    requests: int
    examples: list[str] = Field(description="Ids of some")


class DifferenceAnswer(BaseModel):
    """What would be otherwise, in requests."""

    said: str = Field(description="In a sentence or two")
    sample: bool = Field(description="Only a part of what it may concern was tried: the numbers are of that part")
    groups: int = Field(description="Groups of things that were tried")
    requests: int = Field(description="In them, as they are")
    other_stage: int
    other_state: int = Field(description="In the same stage")
    merged: int = Field(description="Would be one with another")
    split: int
    grown: int = Field(description="Would be joined by things that are in none")
    begun: int = Field(description="New ones, of things that are in none")
    ended: int = Field(description="Would be no request any more")
    examples: list[str] = Field(description="Ids of some that would change, as they are now")
    moves: list[Moves] = Field(description="From which stage and state to which, those of most requests first")


class ChangeTold(BaseModel):
    """One change of what was chosen."""

    number: int
    connection: str | None = Field(description="null: all connections together")
    by: str
    at: AwareDatetime
    out: list[str] = Field(description="What was taken out, in words")
    put: list[str] = Field(description="What was put in, in words", examples=[["issue, *, Open: change, active"]])
    before: dict[str, Any]
    after: dict[str, Any]
    newest: bool | None = Field(default=None, description="Whether it is the one to undo: the newest of its rules")


class ChangePage(BaseModel):
    """Changes, the newest first."""

    items: list[ChangeTold]
    next: str | None


class RulesAnswer(BaseModel):
    """What a change would do, or that it holds."""

    preview: bool
    number: int | None = Field(description="Of the change; null: a preview, or nothing to change")
    connection: str | None
    out: list[str]
    put: list[str]
    remarks: list[str] = Field(description="How names of link kinds were understood")
    difference: DifferenceAnswer | None = Field(description="Only in a preview")
    chosen: dict[str, Any] = Field(description="As it would be, or is")
    etag: str = Field(description="Of what is chosen now")


def connection_told(name: str, own: ConnectionConfiguration, *, removed: bool) -> dict[str, Any]:
    """One connection's rules as JSON."""
    return {
        "connection": name, "connector": own.connector, "removed": removed, "chosen": told_again(own.chosen),
        "defaults": {
            "stages": [row_told(rule) for rule in own.stages], "link_kinds": own.link_kinds,
            "openers": sorted(own.openers) if own.openers else None, "projects": sorted(own.projects),
            "scopes": sorted(own.scopes),
        },
        "etag": etag_of(own.chosen),
    }  # fmt: skip


def change_told(one: Change, newest: bool | None = None) -> dict[str, Any]:
    """One change as JSON."""
    out, put = changes(one.before, one.after)
    return {
        "number": one.number, "connection": one.connection or None, "by": one.by, "at": told(one.at), "out": out,
        "put": put, "before": told_again(one.before), "after": told_again(one.after), "newest": newest,
    }  # fmt: skip


def answer_told(
    name: str, before: Choice, after: Choice, *, number: int | None, remarks: list[str],
    difference: Difference | None, preview: bool,
) -> dict[str, Any]:  # fmt: skip
    """What became of a change, or would, as JSON."""
    out, put = changes(before, after)
    return {
        "preview": preview, "number": number, "connection": name or None, "out": out, "put": put, "remarks": remarks,
        "difference": None if difference is None else difference_told(difference), "chosen": told_again(after),
        "etag": etag_of(before if preview else after),
    }  # fmt: skip


def difference_told(found: Difference) -> dict[str, Any]:
    """A difference as JSON."""
    numbers = (
        "requests",
        "other_stage",
        "other_state",
        "merged",
        "split",
        "grown",
        "begun",
        "ended",
        "examples",
        "sample",
    )
    return {
        "said": said(found),
        "groups": found.components,
        **{name: getattr(found, name) for name in numbers},
        "moves": [_move_told(move, number, found) for move, number in found.moves.most_common()],
    }


def _move_told(move: Move, number: int, found: Difference) -> dict[str, Any]:
    before, after = move
    return {"before": _standing(before), "after": _standing(after), "requests": number, "examples": found.moving[move]}


def _standing(one: Standing) -> dict[str, str | None]:
    return {"stage": one[0], "state": one[1]}
