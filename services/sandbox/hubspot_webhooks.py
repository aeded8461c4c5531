"""Webhooks of a HubSpot app: arrays of thin events, signed v3, some lost, some twice, in no order."""

import base64
import hashlib
import hmac
import json
import random
from dataclasses import dataclass, field
from typing import Any

import httpx2

from connectors.contract import Delivery
from services.sandbox.hubspot_account import Account, Happening

_BATCH = 100


def signature(secret: str, method: str, url: str, body: bytes, milliseconds: int) -> str:
    """X-HubSpot-Signature-v3 of a request; url as HubSpot writes it, with its percent codes decoded."""
    signed = f"{method}{url}".encode() + body + str(milliseconds).encode()
    return base64.b64encode(hmac.new(secret.encode(), signed, hashlib.sha256).digest()).decode()


@dataclass
class Webhooks:
    """An app that tells an address what happens in an account."""

    account: Account
    url: str
    secret: str
    seed: int = 1
    loss: float = 0.1
    """Part of the events that never arrive."""
    twice: float = 0.1
    """Part of the events that come again in a later delivery."""
    _told: int = 0
    _again: list[dict[str, Any]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._random = random.Random(self.seed)  # noqa: S311 - chance for a fake, not for a secret

    def due(self) -> list[Delivery]:
        """Deliveries for what happened since the last call."""
        fresh, self._told = self.account.happenings[self._told :], len(self.account.happenings)
        events = [self._event(each) for each in fresh if self._random.random() >= self.loss]
        events += self._again
        self._again = [each | {"attemptNumber": 1} for each in events if self._random.random() < self.twice]
        self._random.shuffle(events)
        return [self._delivery(events[start : start + _BATCH]) for start in range(0, len(events), _BATCH)]

    def _event(self, happening: Happening) -> dict[str, Any]:
        return {
            "eventId": self._random.randrange(10**9),
            "subscriptionId": 25,
            "portalId": self.account.portal,
            "appId": 3103,
            "occurredAt": int(happening.at.timestamp() * 1000),
            "subscriptionType": f"{happening.kind}.{happening.what}",
            "attemptNumber": 0,
            "objectId": int(happening.id),
            "changeSource": "CRM_UI",
        } | happening.detail

    def _delivery(self, events: list[dict[str, Any]]) -> Delivery:
        body = json.dumps(events).encode()
        now = int(self.account.clock().timestamp() * 1000)
        headers = {
            "content-type": "application/json",
            "x-hubspot-signature-v3": signature(self.secret, "POST", self.url, body, now),
            "x-hubspot-request-timestamp": str(now),
        }
        return Delivery("POST", self.url, headers, body)

    async def send(self) -> list[int]:
        """Post what is due; the status of each answer."""
        async with httpx2.AsyncClient(trust_env=False) as client:
            answers = [
                await client.post(each.url, content=each.body, headers=dict(each.headers)) for each in self.due()
            ]
        return [answer.status_code for answer in answers]
