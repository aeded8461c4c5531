"""Forms of options: what is shown is what is sent back, secrets stay here, and every error finds its input."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from starlette.datastructures import FormData, UploadFile

from connectors.catalogue import catalogue
from services.admin.connectors import kind_told
from services.web import forms
from services.web.forms import STORED, TYPED, Filling, Wrong

KINDS = {one.name: kind_told(one) for one in catalogue().values()}
JIRA, MAILBOX = KINDS["jira"], KINDS["mailbox"]

line = st.text(st.characters(exclude_categories=("Cc", "Cs", "Zl", "Zp")), min_size=1).map(str.strip).filter(bool)


def values(field: dict[str, Any]) -> st.SearchStrategy[Any]:
    """What a field may hold."""
    kinds: dict[str, st.SearchStrategy[Any]] = {
        "yes": st.booleans(),
        "list": st.lists(line, max_size=3),
        "choices": st.lists(st.sampled_from([one["value"] for one in field.get("choices", [])] or [""]), unique=True),
        "choice": st.sampled_from([one["value"] for one in field.get("choices", [])] or [""]),
        "whole": st.integers().map(str),
        "number": st.floats(allow_nan=False, allow_infinity=False).map(str),
        "instant": st.datetimes().map(lambda at: f"{at.isoformat()}Z"),
        "day": st.dates().map(str),
    }
    return kinds.get(field["kind"], line)


@st.composite
def filled(draw: st.DrawFn, fields: list[dict[str, Any]]) -> dict[str, Any]:
    """Options that a form can hold, without secrets."""
    told: dict[str, Any] = {}
    for field in fields:
        if field["kind"] == "secret":
            continue
        if field["kind"] == "alternatives":
            chosen = draw(st.sampled_from(field["alternatives"]))
            forms.put(told, field["path"], chosen["value"])
            for name, value in draw(filled(chosen["fields"]))[field["path"][0]].items():
                forms.put(told, [field["path"][0], name], value)
        else:
            forms.put(told, field["path"], draw(values(field)))
    return told


def sent(inputs: list[dict[str, Any]], **typed: str) -> FormData:
    """What a browser sends of inputs, of every alternative as they stand in the page. typed: secrets."""
    pairs: list[tuple[str, str | UploadFile]] = []
    for one in inputs:
        if one["kind"] == "yes":
            pairs += [(one["name"], "on")] if one["value"] else []
        elif one["kind"] == "choices":
            pairs += [(one["name"], value) for value in one["value"]]
        elif one["kind"] == "secret":
            assert one["value"] is None
            pairs.append((one["name"], typed.get(one["name"], "")))
        else:
            pairs.append((one["name"], str(one["value"] or "")))
        pairs += sent(forms.below(one), **typed).multi_items()
    return FormData(pairs)


@given(st.data())
def test_what_is_shown_is_what_comes_back(data: st.DataObject) -> None:
    fields = data.draw(st.sampled_from(list(KINDS.values())))["fields"]
    options = data.draw(filled(fields))
    assert forms.options_of(fields, sent(forms.inputs(fields, Filling(options)))) == options


def test_an_empty_form_sends_the_defaults() -> None:
    told = forms.options_of(MAILBOX["fields"], sent(forms.inputs(MAILBOX["fields"], Filling({}))))
    assert told["folders"] == ["INBOX"]
    assert told["auth"] == {"kind": "password"}
    assert "host" not in told


def test_of_alternatives_only_the_chosen_one_is_read() -> None:
    form = FormData(
        [("auth", "api_token"), ("auth.api_token.email", "a@acme.example"),
         ("auth.scoped_token.email", "b@acme.example"), ("auth.scoped_token.token", "CANARY")]
    )  # fmt: skip
    told = forms.options_of(JIRA["fields"], form)
    assert told["auth"] == {"kind": "api_token", "email": "a@acme.example"}
    assert forms.secrets_of(JIRA["fields"], form) == {}


def test_a_secret_is_read_and_never_shown() -> None:
    form = FormData([("auth", "api_token"), ("auth.api_token.token", "CANARY")])
    options = forms.options_of(JIRA["fields"], form)
    assert forms.secrets_of(JIRA["fields"], form) == {"auth.token": "CANARY"}
    shown = forms.inputs(JIRA["fields"], Filling(options, secrets={"auth.token": TYPED, "webhook_secret": STORED}))
    assert "CANARY" not in repr(shown)
    state = {one["name"]: one["state"] for one in forms.walk(shown)}
    assert "Typed" in state["auth.api_token.token"]
    assert "Stored" in state["webhook_secret"]
    assert state["auth.personal_access_token.token"] == ""


def test_what_differs_or_is_wrong_is_not_folded_away() -> None:
    wrong = [Wrong("port", "is too large", "Give at most 65535", "Port")]
    shown = {one["name"]: one for one in forms.inputs(MAILBOX["fields"], Filling({"read_restricted": True}, wrong))}
    assert shown["port"]["open"]
    assert shown["port"]["wrong"] == wrong
    assert shown["read_restricted"]["open"]
    assert not shown["ca_file"]["open"]
    same = forms.inputs(JIRA["fields"], Filling({"share": "0.25", "page_size": "50"}))
    assert not any(one["open"] for one in same)


def test_errors_find_their_inputs() -> None:
    problem = {
        "detail": "Not so.", "mend": "Otherwise.",
        "errors": [
            {"field": "base_url", "problem": "is missing", "mend": "Add it"},
            {"field": "body.options.auth", "problem": "is missing", "mend": "Add it"},
            {"field": "name", "problem": "is taken", "mend": "Take another"},
            {"field": "elsewhere", "problem": "is wrong", "mend": "Look"},
        ],
    }  # fmt: skip
    found = forms.wrongs(JIRA["fields"], problem, {"name": "Name"})
    assert [one.field for one in found] == ["base_url", "auth", "connection.name", ""]
    assert found[3].problem == "elsewhere: is wrong"
    assert forms.wrongs(JIRA["fields"], {"detail": "Not so.", "mend": "Otherwise."}, {}) == [
        Wrong("", "Not so.", "Otherwise.")
    ]


def test_the_pages_own_since_is_not_the_options() -> None:
    errors = [{"field": "since", "problem": "a", "mend": ""}, {"field": "body.since", "problem": "b", "mend": ""}]
    found = forms.wrongs(MAILBOX["fields"], {"errors": errors}, {"since": "Start from"})
    assert [one.field for one in found] == ["since", "connection.since"]
