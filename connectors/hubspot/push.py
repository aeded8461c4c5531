"""Webhook deliveries of HubSpot apps: proven by signature, then read as hints, since they hold no full telling.

A delivery is a JSON array of up to 100 events. Signature v3 covers method, address, body and time; v1, which older
subscriptions still send, covers the body only, so a copy of an old one passes: it may cause a fetch and nothing else.
(developers.hubspot.com, "Request validation" and "Webhooks".) Service keys send no webhooks.
"""

import base64
import hashlib
import hmac
import json
import re
from datetime import UTC, datetime, timedelta
from typing import Any

from connectors.contract import BadRecord, Delivery, Misconfigured, Pushed, Unverified
from connectors.hubspot.options import Options
from connectors.hubspot.reading import TYPE_IDS, id_at, text_at
from schemas.canonical import canonical_json, digest

_OLDEST = timedelta(minutes=5)
_AHEAD = timedelta(seconds=60)
"""How far a sender's clock may run before ours. HubSpot's own library lets any future time pass."""

_DECODED = {"3A": ":", "2F": "/", "3F": "?", "40": "@", "21": "!", "24": "$"} | {
    "27": "'",
    "28": "(",
    "29": ")",
    "2A": "*",
    "2C": ",",
    "3B": ";",
}
"""Percent codes that HubSpot writes out before it signs the address ("Request validation", v3)."""
_CODE = re.compile("%(" + "|".join(_DECODED) + ")", re.IGNORECASE)
_KIND_OF = {"0-3": "deal", "0-5": "ticket", "0-46": "note", "0-49": "email"}
_NAMES = ("objectId", "fromObjectId", "toObjectId", "newObjectId", "primaryObjectId")


def verify(options: Options, delivery: Delivery, now: datetime) -> Pushed:
    """The hints in a delivery. Raises Unverified where its sender is not proven, BadRecord for an unreadable body."""
    if options.client_secret is None:
        raise Unverified("This connection has no client secret, so no webhook can be proven; enter the app's secret")
    secret = options.client_secret.get_secret_value().encode()
    if "x-hubspot-signature-v3" in delivery.headers:
        _proven_v3(secret, delivery, now)
    else:
        _proven_v1(secret, delivery)
    events = _events(delivery.body)
    hints = dict.fromkeys(hint for event in events for hint in _hints(event))
    return Pushed(hints=tuple(hints), delivery=_delivery(events))


def trial(options: Options, url: str, now: datetime) -> Delivery:
    """A delivery that tells nothing, signed as HubSpot would sign it (v3). Raises Misconfigured."""
    if options.client_secret is None:
        raise Misconfigured(
            "This connection has no client secret", "Copy the app's client secret into it", "client_secret"
        )
    body, stated = b"[]", str(int(now.timestamp() * 1000))
    signed = b"POST" + decoded(url).encode() + body + stated.encode()
    signature = hmac.new(options.client_secret.get_secret_value().encode(), signed, hashlib.sha256).digest()
    headers = {
        "x-hubspot-request-timestamp": stated, "x-hubspot-signature-v3": base64.b64encode(signature).decode(),
    }  # fmt: skip
    return Delivery("POST", url, headers, body)


def _proven_v3(secret: bytes, delivery: Delivery, now: datetime) -> None:
    stated = delivery.headers.get("x-hubspot-request-timestamp", "")
    if not re.fullmatch(r"[0-9]{1,14}", stated):
        raise Unverified("X-HubSpot-Request-Timestamp holds no time in milliseconds")
    age = now - datetime.fromtimestamp(int(stated) / 1000, UTC)
    if age > _OLDEST:
        raise Unverified("The delivery is older than 5 minutes; look at this machine's clock if it happens often")
    if age < -_AHEAD:
        raise Unverified("The delivery is dated in the future; look at this machine's clock if it happens often")
    signed = delivery.method.upper().encode() + decoded(delivery.url).encode() + delivery.body + stated.encode()
    expected = base64.b64encode(hmac.new(secret, signed, hashlib.sha256).digest())
    if not hmac.compare_digest(expected, delivery.headers["x-hubspot-signature-v3"].strip().encode()):
        raise Unverified(
            "The signature does not fit: look at the client secret, and that PUBLIC_URL is what HubSpot calls"
        )


def _proven_v1(secret: bytes, delivery: Delivery) -> None:
    stated = delivery.headers.get("x-hubspot-signature", "").strip().lower()
    if not stated or delivery.headers.get("x-hubspot-signature-version", "v1").lower() != "v1":
        raise Unverified("The delivery carries neither a v3 nor a v1 signature")
    expected = hashlib.sha256(secret + delivery.body).hexdigest()
    if not hmac.compare_digest(expected.encode(), stated.encode()):
        raise Unverified("The v1 signature does not fit: look at the client secret")


def decoded(url: str) -> str:
    """The address as HubSpot signs it: some percent codes written out; the ? before the query stays as it is."""
    return _CODE.sub(lambda code: _DECODED[code[1].upper()], url)


def _events(body: bytes) -> list[dict[str, Any]]:
    try:
        told = json.loads(body)
    except (ValueError, RecursionError):
        raise BadRecord("The webhook's body is not JSON") from None
    listed = told if isinstance(told, list) else [told]
    return [each for each in listed if isinstance(each, dict)]


def _hints(event: dict[str, Any]) -> list[str]:
    """`<kind>/<id>` of each record of ours that the event names; contacts and companies wait for the census."""
    kinds = _kinds(event)
    return [f"{kind}/{native_id}" for name in _NAMES for kind in kinds if (native_id := id_at(event, name))]


def _kinds(event: dict[str, Any]) -> list[str]:
    """What an event may be about: `objectTypeId`, or words such as deal.propertyChange and DEAL_TO_TICKET."""
    told = _KIND_OF.get(text_at(event, "objectTypeId") or "")
    if told:
        return [told]
    words = f"{text_at(event, 'subscriptionType') or ''} {text_at(event, 'associationType') or ''}".lower()
    return [kind for kind in TYPE_IDS if kind in _KIND_OF.values() and re.search(rf"(?<![a-z]){kind}(?![a-z])", words)]


def _delivery(events: list[dict[str, Any]]) -> str:
    """The same for every attempt at one delivery: HubSpot numbers events, and counts `attemptNumber` up."""
    names = ("eventId", "subscriptionId", "occurredAt", "objectId", "subscriptionType")
    return digest(canonical_json([[text_at(event, name) for name in names] for event in events]))[:32] if events else ""
