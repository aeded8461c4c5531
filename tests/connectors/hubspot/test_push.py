"""Webhooks: who sent it, when, and what it hints at."""

import asyncio
import hashlib
import json
import re
from datetime import timedelta
from typing import Any

import pytest

from connectors.contract import BadRecord, Delivery, Unverified
from connectors.hubspot import connector
from connectors.hubspot.push import decoded
from schemas.events import SourceEvent
from services.sandbox.hubspot_webhooks import Webhooks, signature
from tests.connectors.hubspot.company import START
from tests.connectors.hubspot.rig import HubSpotRig
from tests.connectors.rig import events_of, fold, read

SECRET = "app-secret-1234"
URL = "https://hub.example/hooks/c-test?to=a%2Fb"
BODY = json.dumps(
    [
        {"eventId": 1, "subscriptionType": "deal.propertyChange", "objectId": 12, "occurredAt": 5, "attemptNumber": 0},
        {
            "eventId": 2,
            "subscriptionType": "object.deletion",
            "objectTypeId": "0-5",
            "objectId": 13,
            "attemptNumber": 0,
        },
        {"eventId": 3, "subscriptionType": "contact.creation", "objectId": 14, "attemptNumber": 0},
        {"eventId": 4, "subscriptionType": "deal.propertyChange", "objectId": 12, "attemptNumber": 0},
        {"subscriptionType": "deal.merge", "primaryObjectId": 15, "newObjectId": 16, "mergedObjectIds": [17]},
    ]
).encode()


def signed(body: bytes = BODY, url: str = URL, secret: str = SECRET, age: float = 0, method: str = "POST") -> Delivery:
    """A delivery as HubSpot signs it: over the address with its percent codes decoded."""
    at = int((START - timedelta(seconds=age)).timestamp() * 1000)
    proof = signature(secret, method, url.replace("%2F", "/"), body, at)
    headers = {"x-hubspot-signature-v3": proof, "x-hubspot-request-timestamp": str(at)}
    return Delivery(method, url, headers, body)


def hints(delivery: Delivery, **options: Any) -> list[str]:
    told = HubSpotRig().options(**options)
    return list(connector.verify("c-test", told, delivery, START).hints)


def test_a_proven_delivery_gives_hints() -> None:
    assert hints(signed()) == ["deal/12", "ticket/13", "deal/16", "deal/15"]


def test_an_association_hints_at_both_ends() -> None:
    event = {"subscriptionType": "object.associationChange", "associationType": "DEAL_TO_TICKET",
             "fromObjectId": 1, "toObjectId": 2}  # fmt: skip
    assert {"deal/1", "ticket/2"} <= set(hints(signed(json.dumps([event]).encode())))


@pytest.mark.parametrize(("age", "why"), [(301, "older"), (-61, "future")])
def test_a_time_too_old_or_to_come_is_refused(age: float, why: str) -> None:
    with pytest.raises(Unverified, match=why):
        hints(signed(age=age))


@pytest.mark.parametrize("age", [299, -59])
def test_a_clock_may_differ_a_little(age: float) -> None:
    assert hints(signed(age=age))


@pytest.mark.parametrize(
    "change",
    [
        {"body": BODY + b" "},
        {"url": URL + "&more=1"},
        {"method": "PUT"},
        {"headers": {"x-hubspot-request-timestamp": "soon", "x-hubspot-signature-v3": "x"}},
        {"headers": {}},
    ],
)
def test_whatever_is_changed_on_the_way_is_refused(change: dict[str, Any]) -> None:
    whole = signed()
    told = {"method": whole.method, "url": whole.url, "headers": whole.headers, "body": whole.body} | change
    with pytest.raises(Unverified):
        hints(Delivery(**told))


def test_another_secret_is_refused_and_no_secret_proves_nothing() -> None:
    with pytest.raises(Unverified):
        hints(signed(secret="another"))
    with pytest.raises(Unverified, match="client secret"):
        hints(signed(), client_secret=None)


def test_v1_covers_the_body_only_and_gives_the_same_hints() -> None:
    proof = hashlib.sha256(SECRET.encode() + BODY).hexdigest()
    assert hints(Delivery("POST", URL, {"x-hubspot-signature": proof}, BODY)) == hints(signed())
    with pytest.raises(Unverified):
        hints(Delivery("POST", URL, {"x-hubspot-signature": proof}, BODY + b" "))
    with pytest.raises(Unverified, match="neither"):
        hints(Delivery("POST", URL, {"x-hubspot-signature": proof, "x-hubspot-signature-version": "v2"}, BODY))


def test_addresses_are_decoded_as_hubspot_does() -> None:
    assert decoded("https://h/%3a%2F%3F%40%21%24%27%28%29%2A%2c%3B?x=%20%3D") == "https://h/:/?@!$'()*,;?x=%20%3D"


@pytest.mark.parametrize("body", [b"", b"{", b"\xff\xfe", b"[" * 100_000])
def test_a_body_that_is_no_json_is_a_bad_record(body: bytes) -> None:
    with pytest.raises(BadRecord):
        hints(signed(body))


@pytest.mark.parametrize("body", [b"7", b"null", b'[null, 3, {"objectId": {}}, {"subscriptionType": []}]'])
def test_odd_bodies_hint_at_nothing(body: bytes) -> None:
    assert hints(signed(body)) == []


def test_attempts_at_one_delivery_have_one_id() -> None:
    again = BODY.replace(b'"attemptNumber": 0', b'"attemptNumber": 3')
    first, second = (connector.verify("c", HubSpotRig().options(), signed(body), START) for body in (BODY, again))
    assert first.delivery == second.delivery != ""


async def test_lost_and_doubled_webhooks_with_polls_tell_the_whole() -> None:
    """Every third event is lost, many come twice; polls find what is lost, and nothing counts twice."""
    async with HubSpotRig() as rig:
        hooks = Webhooks(rig.account, "https://hub.example/hooks/c-test", SECRET, loss=0.3, twice=0.5)
        told: list[SourceEvent] = []
        for number in range(6):
            rig.change(rig.create(f"Deal {number}"))
            for delivery in hooks.due():
                pushed = rig.connector.verify(rig.connection, rig.options(), delivery, rig.now())
                async with rig.connector.open(rig.connection, rig.options(), rig.surroundings()) as source:
                    told += events_of([page async for page in source.fetch(pushed.hints)])
            rig.advance(30)
        assert told, "webhooks alone told something"
        rig.settle()
        truth = await read(rig)
        both = fold(rig.connector, [*told, *events_of(truth)])
        assert both.state() == fold(rig.connector, events_of(truth)).state()


async def test_the_sandboxs_app_posts_what_is_due() -> None:
    received: list[bytes] = []

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        length = int(re.findall(rb"content-length: (\d+)", head.lower())[0])
        received.append(await reader.readexactly(length))
        writer.write(b"HTTP/1.1 204 No Content\r\nconnection: close\r\n\r\n")
        writer.close()

    listener = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with listener:
        rig = HubSpotRig()
        port = listener.sockets[0].getsockname()[1]
        hooks = Webhooks(rig.account, f"http://127.0.0.1:{port}/hooks/x", SECRET, loss=0, twice=1)
        rig.create("Deal")
        assert await hooks.send() == [204]
        assert await hooks.send() == [204], "everything comes twice"
        rig.account.happenings.clear()
    events = [{event["eventId"] for event in json.loads(body)} for body in received]
    assert events[0] == events[1] != set()
