"""Requests that a program with a fault, or somebody with a bad intent, may send to any operation: each is answered."""

import copy
import itertools
import json
from collections.abc import AsyncIterator, Iterator
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from services.admin.entrance import Entrance
from services.admin.passwords import Passwords
from services.admin.routers import ROUTERS
from services.admin.signing_in import Manner
from services.query.app import openapi_document
from tests.services.admin.conftest import NOW, Office
from tests.services.cli.test_dead_letters import BROKEN_ID
from tests.services.query.conftest import client_of

MARK = "CANARY"


@pytest.fixture
def office(office: Office) -> Office:
    """With what knows people."""
    parts = Entrance(office.engine, office.equipment.database, lambda: NOW, Passwords(), Manner())
    office.app.state.entrance = parts
    return office


TEXTS = (
    f"{MARK}\x00", "\x00", f"{MARK}/..%2F../", "..", ".", f"{MARK}\ud800", f"\u202e{MARK}\ufeff", MARK * 1500,
    "%", "%00", f"' OR 1=1 -- {MARK}", "R-MZXW6YTBOI3D", "jira-acme", "PAY-12", "١٢", "１２", " ", "e\u0301" * 300,
    "*", "null", "true", "nan", f"http://[::1/{MARK}", "\r\nX: y",
)  # fmt: skip
NUMBERS = (0, -1, 1.5, 2**31, 2**53 + 1, 2**63 - 1, 2**63, -(2**63) - 1, 2**64, 10**40, 1e308)
TIMES = (
    "2026-03-03T09:00:60Z", "2026-03-03T24:00:00Z", "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00",
    "2026-03-03T09:00:00+25:00", "2026-03-03T09:00:00.123456789Z", "2026-02-30T00:00:00Z", "2026-03-03", "1772528400",
    "2026-03-03T09:00:00+00:00[Europe/Berlin]", "-0001-01-01T00:00:00Z", "2026-W10-2T09:00:00Z", "٢٠٢٦-٠٣-٠٣T09:00:00Z",
)  # fmt: skip
TAGS = (
    "*", '"x"', 'W/"x"', 'W/"x", "y" , *', "*, *", '"x', "W/x", ",", '"\xe4"',
    '"' + "a" * 9000 + '"', ",".join(['"a"'] * 900),
)  # fmt: skip
SINGLE = st.sampled_from(TEXTS) | st.sampled_from(NUMBERS).map(str) | st.sampled_from(TIMES) | st.text(max_size=30)
ANYTHING: st.SearchStrategy[Any] = st.sampled_from(
    (*TEXTS, *NUMBERS, *TIMES, None, [], {}, [[]], {MARK: {MARK: [1]}}, ["a"] * 3000)
)
QUICK = settings(
    max_examples=250, deadline=None, derandomize=True, database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)  # fmt: skip
DOCUMENT = openapi_document(ROUTERS)
OPERATIONS = [
    (method.upper(), path, told) for path, every in DOCUMENT["paths"].items() for method, told in every.items()
    if not path.endswith("/stream")
]  # fmt: skip
CHANGES = [one for one in OPERATIONS if "requestBody" in one[2]]


def written(text: str) -> str:
    """As a part of an address, also what is no text of Unicode."""
    return quote(text.encode("utf-8", "surrogatepass"), safe="")


def check(answer: Any, asked: str) -> None:
    """It is answered, and a refusal says what to do and repeats nothing."""
    assert answer.status_code < 500 or (asked.endswith("/readyz") and answer.status_code == 503), asked
    if answer.status_code >= 400 and answer.content and "readyz" not in asked:
        assert answer.headers["content-type"] == "application/problem+json", asked
        assert answer.json()["mend"], asked
        assert MARK not in answer.text, asked


@QUICK
@given(st.sampled_from(OPERATIONS), st.lists(SINGLE, min_size=30, max_size=30), st.sampled_from(TAGS), st.booleans())
async def test_odd_names_and_values(office: Office, one: Any, values: list[str], tag: str, twice: bool) -> None:
    method, path, told = one
    given_values = iter(values)
    for parameter in told.get("parameters", ()):
        if parameter["in"] == "path":
            path = path.replace("{" + parameter["name"] + "}", written(next(given_values)))
    queried = [parameter["name"] for parameter in told.get("parameters", ()) if parameter["in"] == "query"]
    chosen = [f"{name}={written(next(given_values))}" for name in queried[-2:]]
    url = f"{path}?{'&'.join(chosen * (1 + twice))}" if chosen else path
    headers = {"If-Match": tag, "If-None-Match": tag, "Content-Type": "application/json"}
    sent = [(name.encode(), value.encode("latin-1")) for name, value in headers.items()]
    answer = await office.http.request(method, url, headers=sent, content=b"{}" if method != "GET" else None)
    check(answer, f"{method} {url}")


@QUICK
@given(st.sampled_from(CHANGES), st.data())
async def test_odd_bodies(office: Office, one: Any, data: st.DataObject) -> None:
    method, path, told = one
    body = copy.deepcopy(data.draw(st.sampled_from(list(_bodies(told)))))
    places = list(_places(body)) or [()]
    place = data.draw(st.sampled_from(places))
    body = _with(body, place, data.draw(ANYTHING))
    text = json.dumps(body).encode("ascii")
    path = path.replace("{identifier}", "jira-acme").replace("{number}", "1")
    for name in ("id", "letter", "cause"):
        path = path.replace("{" + name + "}", "S-MZXW6YTBOI3D")
    sent = {
        "If-Match": "*",
        "Content-Type": "application/json",
        "Idempotency-Key": data.draw(st.sampled_from(["a", '"b"'])),
    }
    answer = await office.http.request(method, path + "?preview=true" * ("preview" in str(told.get("parameters"))),
                                       headers=sent, content=text)  # fmt: skip
    check(answer, f"{method} {path} {text[:300]!r}")


def _bodies(told: Any) -> Iterator[Any]:
    """Those that the document shows, and one made of its names."""
    content = told["requestBody"]["content"]["application/json"]
    yield from (one["value"] for one in content.get("examples", {}).values())
    schema = content["schema"]
    models = [one["$ref"] for one in schema.get("oneOf", [schema])]
    for model in models:
        properties = DOCUMENT["components"]["schemas"][model.rpartition("/")[2]].get("properties", {})
        yield {name: one.get("examples", [one.get("const", "x")])[0] for name, one in properties.items()}


def _places(body: Any, here: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    yield here
    inner = body.items() if isinstance(body, dict) else enumerate(body) if isinstance(body, list) else ()
    for name, value in inner:
        yield from _places(value, (*here, name))


def _with(body: Any, place: tuple[Any, ...], value: Any) -> Any:
    if not place:
        return value
    body[place[0]] = _with(body[place[0]], place[1:], value)
    return body


BODIES = (
    (b"[" * 50_000, 400, 422), (b'{"a":' * 50_000, 400, 422), (b"\xff\xfe{\x00}\x00", 400, 422), (b"NaN", 422),
    (b"", 422), (b"null", 422), (b"{}" * 2, 422), (b'{"kind": "link", "kind": "merge"}', 422),
    (b'{"a": ' + b"9" * 9000 + b"}", 400, 422),
    (b'"' + MARK.encode() + b'"', 422), (b"\xef\xbb\xbf{}", 400, 422),
)  # fmt: skip


@pytest.mark.parametrize("kind", ["application/json", "application/JSON; charset=utf-16", "application/json;x=;"])
async def test_bodies_that_are_none(office: Office, kind: str) -> None:
    for content, *statuses in BODIES:
        answer = await office.http.post(
            "/v1/decisions", content=content, headers={"Content-Type": kind, "If-Match": "*"}
        )
        assert answer.status_code in statuses, content[:40]
        check(answer, repr(content[:40]))
    for other in (
        "text/plain",
        "application/jsonp",
        "multipart/form-data; boundary=x",
        "",
        "application/json, text/plain",
    ):
        answer = await office.http.post(
            "/v1/decisions", content=b"{}", headers={"Content-Type": other, "If-Match": "*"}
        )
        assert answer.status_code == 415, other


ODD: tuple[Any, ...] = ("\ud800", "\x00", 10**40, 2**64, 2**63, -(2**63) - 1, 1e308, [[[]]], MARK * 9000)


async def test_a_letter_with_odd_content(office: Office) -> None:
    path = f"/v1/dead-letters/{BROKEN_ID}"
    seen = (await office.ask("GET", path))["content"]
    sent = {"If-Match": "*", "Content-Type": "application/json"}
    for place, odd in itertools.product(("payload", "kind", "order", "odd"), ODD):
        for content in (seen | {place: odd}, json.dumps(seen | {place: odd})):
            body = json.dumps({"content": content}).encode()
            check(await office.http.put(f"{path}/content", content=body, headers=sent), f"{place} {str(odd)[:40]!r}")
            assert (await office.http.get(path)).status_code == 200


async def test_a_number_is_no_time_and_no_yes(office: Office) -> None:
    for path, name, value in (
        ("read-again", "since", 0), ("read-again", "since", 1772528400.5), ("reconcile", "mend", 1),
        ("webhook", "renew", "yes"),
    ):  # fmt: skip
        told = await office.ask("POST", f"/v1/connections/jira-acme/{path}", {name: value}, 422, If_Match="*")
        assert told["errors"][0]["field"] == f"body.{name}"


async def test_a_name_that_the_caller_thought_of_is_not_told_again(office: Office) -> None:
    body = {"connection": "jira-acme", "reference_fields": {MARK * 60: ""}, "link_kinds": {MARK: "nothing"}}
    told = await office.ask("POST", "/v1/rules", body, 422, If_Match="*")
    assert {one["field"] for one in told["errors"]} == {"body.reference_fields", "body.link_kinds"}
    assert MARK not in str(told)


async def test_a_body_without_an_end_is_refused_by_its_size(office: Office) -> None:
    async def endless() -> AsyncIterator[bytes]:
        for _ in range(40):
            yield b" " * 65_536

    headers = {"Content-Type": "application/json", "If-Match": "*"}
    answer = await office.http.post("/v1/decisions", content=endless(), headers=headers)
    assert answer.status_code == 413


async def test_the_feed_begins_after_a_number_only(office: Office) -> None:
    for said, status in (
        ("0", 200), ("abc", 422), ("-1", 422), ("1.5", 422), ("9" * 19, 422),
        ("9" * 30, 422), ("9" * 5000, 422),
        ("+1", 422), ("0x1", 422), ("1_0", 422), ("\u00b2", 422), (str(2**63 - 1), 409),
    ):  # fmt: skip
        sent = [(b"Last-Event-ID", said.encode("latin-1"))]
        answer = await office.http.head("/v1/changes/stream", headers=sent)
        assert answer.status_code == status, said


async def test_every_path_knows_its_methods(office: Office) -> None:
    for path, every in DOCUMENT["paths"].items():
        there = path.replace("{number}", "1").replace("{", "").replace("}", "")
        if path in ("/v1/connections/test", "/v1/connections/preview", "/v1/connections/estimate"):
            continue  # a connection may be called so
        known = {method.upper() for method in every} | ({"HEAD"} if "get" in every else set())
        for method in {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "QUERY"} - known:
            answer = await office.http.request(method, there)
            allowed = answer.headers.get("allow", "").split(", ")
            assert (answer.status_code, set(allowed)) == (405, known), f"{method} {path}"


async def test_a_head_is_what_a_get_would_be(office: Office) -> None:
    async with client_of(office.app) as http:
        for method, path, _ in OPERATIONS:
            if method == "GET" and "{" not in path:
                one, other = await http.get(path), await http.head(path)
                assert (other.status_code, other.content) == (one.status_code, b""), path
                assert other.headers["content-type"] == one.headers["content-type"], path
