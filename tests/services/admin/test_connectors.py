"""Every connector's options are a form that a page can draw without knowing the tool."""

from collections.abc import Iterator
from typing import Any, Literal

import pytest
from pydantic import BaseModel, Field, SecretStr

from connectors.catalogue import catalogue
from services.admin import forms
from services.admin.connectors import Kinds, kind_told
from tests.services.admin.conftest import SQLITE, Office

KINDS = {
    "text",
    "secret",
    "choice",
    "choices",
    "list",
    "yes",
    "whole",
    "number",
    "instant",
    "day",
    "group",
    "alternatives",
}


def every(fields: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    for field in fields:
        yield field
        yield from every(field.get("fields", []))
        for one in field.get("alternatives", []):
            yield from every(one["fields"])


@SQLITE
async def test_every_kind_of_tool_is_listed_with_its_form(office: Office) -> None:
    told = await office.ask("GET", "/v1/connectors")
    Kinds.model_validate(told)
    assert [one["name"] for one in told["items"]] == ["hubspot", "jira", "mailbox"]
    for kind in told["items"]:
        assert kind["reads"].endswith(".")
        for field in every(kind["fields"]):
            assert field["kind"] in KINDS
            assert field["label"]
            assert field["help"], field["name"]
            if field["kind"] == "secret":
                assert field["default"] is None


def test_names_are_where_errors_are_placed() -> None:
    jira = {one["name"]: one for one in every(kind_told(catalogue()["jira"])["fields"])}
    assert jira["auth"]["path"] == ["auth", "kind"]
    assert jira["auth.scoped_token.token"]["path"] == ["auth", "token"]
    assert jira["auth.scoped_token.token"]["kind"] == "secret"
    scoped = jira["auth"]["alternatives"][1]
    assert scoped["label"] == "Scoped token (Cloud, service account)"
    assert [one["name"] for one in scoped["permissions"]] == ["read:jira-work", "read:jira-user", "Browse Projects"]
    assert jira["webhook_secret"]["of"] == "webhooks"
    assert not jira["edition"]["advanced"]
    assert jira["share"]["advanced"]


class Away(BaseModel):
    """Where it answers."""

    host: str
    port: int = Field(default=80, ge=1)


class Strange(BaseModel):
    """A tool that nobody has seen before. It says nothing of itself."""

    where: Away
    colours: tuple[Literal["red", "blue"], ...] = ()
    token: SecretStr | None = None
    quick: bool = False


def test_a_form_without_a_word_about_it() -> None:
    fields = forms.fields_of(Strange)
    assert [(one["name"], one["kind"], one["advanced"]) for one in every(fields)] == [
        ("where", "group", False), ("where.host", "text", False), ("where.port", "whole", True),
        ("colours", "choices", False), ("token", "secret", True), ("quick", "yes", True),
    ]  # fmt: skip
    assert [one["value"] for one in fields[1]["choices"]] == ["red", "blue"]
    assert fields[0]["fields"][1]["minimum"] == 1


@pytest.mark.parametrize(
    ("sent", "taken"),
    [
        ({"where": {"host": " a ", "port": ""}}, {"where": {"host": "a"}}),
        ({"colours": "red, ,blue", "token": "  "}, {"colours": ["red", "blue"]}),
        (
            {"colours": ["", "red"], "quick": False, "unknown": "x"},
            {"colours": ["red"], "quick": False, "unknown": "x"},
        ),
    ],
)
def test_what_is_blank_is_left_out(sent: dict[str, Any], taken: dict[str, Any]) -> None:
    assert forms.filled(Strange, sent) == taken
