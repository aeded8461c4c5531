"""The connector's requests and the fake's answers against Atlassian's own description of Jira Cloud's REST API v3."""

import asyncio
import json
import re
from functools import cache
from typing import Any

import jsonschema
import pytest
import requests

from connectors.jira import connector
from tests.connectors.jira.rigs import CloudRig
from tests.connectors.rig import events_of, read
from tests.parts.presence import material


@cache
def described() -> dict[str, Any]:
    """The document; the test is skipped, naming it, where it is absent."""
    document: dict[str, Any] = json.loads(material("jira-openapi/jira-cloud-v3.json").read_text("utf-8"))
    return document


def operation(method: str, resource: str) -> dict[str, Any]:
    """What the document says of a request; the most literal path that fits."""
    path = f"/rest/api/3/{resource}"
    fitting = [one for one in described()["paths"] if re.fullmatch(re.sub(r"\{[^}]+\}", "[^/]+", one), path)]
    assert fitting, f"Jira has no {path}"
    found = described()["paths"][min(fitting, key=lambda one: one.count("{"))]
    assert method.lower() in found, f"Jira takes no {method} at {path}"
    result: dict[str, Any] = found[method.lower()]
    return result


def errors(value: Any, schema: dict[str, Any]) -> list[str]:
    """How a value differs from a schema of the document."""
    whole = {**schema, "components": described()["components"]}
    return [
        f"{error.json_path}: {error.message[:200]}" for error in jsonschema.Draft7Validator(whole).iter_errors(value)
    ]


def request_errors(method: str, resource: str, given: dict[str, Any]) -> list[str]:
    """What is wrong with a request."""
    known = operation(method, resource)
    if method == "POST":
        return errors(given, known["requestBody"]["content"]["application/json"]["schema"])
    parameters = {one["name"] for one in known.get("parameters", []) if one["in"] == "query"}
    return [f"{resource}: no parameter {name}" for name in given if name not in parameters]


def answer_errors(method: str, resource: str, answer: Any) -> list[str]:
    """What is wrong with an answer. The document describes one remote link where Jira answers with a list of them."""
    schema = operation(method, resource)["responses"]["200"]["content"]["application/json"]["schema"]
    if resource.endswith("/remotelink"):
        schema = {"type": "array", "items": schema}
    return errors(answer, schema)


async def everything_asked() -> tuple[CloudRig, list[tuple[str, str, Any]]]:
    """Every kind of request the connector makes, with the answers' server still running."""
    rig = await CloudRig().__aenter__()
    issue = rig.issue(rig.create("Asked for"))
    for number in range(25):
        rig.jira.comment(issue, f"Word {number}", at=rig.now(), by=rig.anna)
    rig.jira.link(issue, "Blocks", rig.target, at=rig.now(), by=rig.anna)
    rig.jira.remote_link(issue, "https://wiki.example/1", "Notes")
    rig.jira.transition(issue, "Done", at=rig.now(), by=rig.anna)
    gone = rig.create("Gone")
    for number in range(8):
        rig.change(rig.create(f"More {number}"))
    rig.settle()
    known = dict.fromkeys((event.artifact for event in events_of(await read(rig))), "")
    rig.delete(gone)
    rig.settle()
    rig.fault("no-bulk", on=True)
    await read(rig)
    rig.fault("no-bulk", on=False)
    for more in ({}, {"projects": (), "extra_jql": "labels != x"}):
        async with connector.open("c-test", rig.options(**more), rig.surroundings()) as source:
            assert [step.ok async for step in source.check()]
            assert [page async for page in source.census(known, None)]
            assert [page async for page in source.fetch([issue.id])]
    return rig, list(rig.fake.requests)


async def test_requests_and_answers_are_as_atlassian_describes_them() -> None:
    described()
    rig, asked = await everything_asked()
    try:
        kinds = {(method, re.sub(r"\b(\d+|PAY|OPS)\b", "*", resource)) for method, resource, _ in asked}
        assert {
            ("GET", "issue/*"), ("GET", "issue/*/comment"), ("GET", "issue/*/changelog"),
            ("GET", "issue/*/remotelink"), ("GET", "myself"), ("GET", "serverInfo"), ("GET", "field"),
            ("GET", "status"),
            ("GET", "project/*"), ("GET", "project/search"),
            ("POST", "search/jql"), ("POST", "search/approximate-count"), ("POST", "changelog/bulkfetch"),
        } == kinds  # fmt: skip
        wrong = [error for method, resource, given in asked for error in request_errors(method, resource, given)]
        assert wrong == []
        assert await asyncio.to_thread(_wrong_answers, rig, asked) == []
    finally:
        await rig.__aexit__()


def _wrong_answers(rig: CloudRig, asked: list[tuple[str, str, Any]]) -> list[str]:
    """Ask every request once more and look at what comes back."""
    wrong = []
    with requests.Session() as session:
        session.auth = (rig.fake.email, rig.fake.token)
        for method, resource, given in {json.dumps(one): one for one in asked}.values():
            body = {"json": given} if method == "POST" else {"params": given}
            answer = session.request(method, f"{rig.fake.url}/rest/api/3/{resource}", timeout=10, **body)
            if answer.status_code == 200:
                wrong += [f"{resource} {error}" for error in answer_errors(method, resource, answer.json())]
    return wrong


@pytest.mark.parametrize(
    ("method", "resource", "given"),
    [
        ("POST", "search/jql", {"jql": "project = PAY", "startAt": 0}),
        ("POST", "search/jql", {"jql": "project = PAY", "fields": "summary"}),
        ("POST", "search/jql", {"jql": ""}),
        ("POST", "search/jql", {"jql": "ORDER BY key"}),
        ("POST", "search/jql", {"jql": "project = PAY OR project = OPS"}),
        ("POST", "search/jql", {"jql": "project = PAY", "nextPageToken": "guess"}),
        ("POST", "changelog/bulkfetch", {"issueIdsOrKeys": []}),
        ("GET", "issue/10003", {"field": "x"}),
        ("GET", "myself", {"maxResults": "1"}),
    ],
)
async def test_the_fake_refuses_what_jira_refuses(method: str, resource: str, given: dict[str, Any]) -> None:
    async with CloudRig() as rig:
        body: dict[str, Any] = {"json": given} if method == "POST" else {"params": given}
        url = f"{rig.fake.url}/rest/api/3/{resource}"
        auth = (rig.fake.email, rig.fake.token)
        answer = await asyncio.to_thread(requests.request, method, url, auth=auth, timeout=10, **body)
        assert (answer.status_code, rig.writes) == (400, [])


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE"])
async def test_the_fake_refuses_and_remembers_every_write(method: str) -> None:
    async with CloudRig() as rig:
        url = f"{rig.fake.url}/rest/api/3/issue/10003/comment"
        auth = (rig.fake.email, rig.fake.token)
        answer = await asyncio.to_thread(requests.request, method, url, auth=auth, timeout=10, json={"body": "x"})
        assert answer.status_code == 403
        assert rig.writes == [f"{method} /rest/api/3/issue/10003/comment"]


async def test_the_old_search_is_gone_on_cloud() -> None:
    async with CloudRig() as rig:
        auth = (rig.fake.email, rig.fake.token)
        answer = await asyncio.to_thread(requests.get, f"{rig.fake.url}/rest/api/3/search", auth=auth, timeout=10)
        assert answer.status_code == 410
