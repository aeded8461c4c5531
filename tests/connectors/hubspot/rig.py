"""A HubSpot account on loopback with a connection to it."""

import json
from collections.abc import Mapping, Sequence
from datetime import timedelta
from functools import cache
from pathlib import Path
from typing import Any, ClassVar, Self

from connectors.contract import HubError, Misconfigured, RetryLater, Surroundings
from connectors.hubspot import connector
from connectors.hubspot.options import Options
from connectors.limiter import Limiter
from connectors.transport import Client, Network, Policy
from schemas.events import SourceEvent
from services.sandbox.hubspot import HubSpotServer
from services.sandbox.hubspot_account import Account
from services.sandbox.hubspot_limits import Limits
from tests.connectors.rig import Rig

RECORDINGS = Path(__file__).parent / "recordings.json"


class QuickNetwork(Network):
    """A network that gives up on a silent server after a second."""

    def client(self, base_url: str, **told: Any) -> Client:
        return super().client(base_url, **(told | {"timeout": 1.0}))


def patient(share: float = 1.0) -> Limiter:
    """A limiter whose waits pass at once, on a clock of its own."""
    passed = [0.0]

    async def sleep(seconds: float) -> None:
        passed[0] += seconds

    return Limiter(share=share, clock=lambda: passed[0], sleep=sleep)


class HubSpotRig(Rig):
    connector = connector
    lag: ClassVar[timedelta] = timedelta(seconds=60)
    faults: ClassVar[Mapping[str, type[HubError]]] = {
        "5xx": RetryLater,
        "time-out": RetryLater,
        "html": RetryLater,
        "cut": RetryLater,
        "429": RetryLater,
        "empty 200": RetryLater,
        "empty object": RetryLater,
        "401": Misconfigured,
        "scope": Misconfigured,
    }
    evidence: ClassVar[Sequence[str]] = ("title", "description", "association", "merge")
    version: ClassVar[str] = "2026-09"
    page_size: ClassVar[int] = 5

    def __init__(self) -> None:
        super().__init__()
        self.account = Account(self.now)
        self.owner = self.account.create_owner("Olga", "Owner", "olga@vendor.example")
        self.server = HubSpotServer(self.account, limits=Limits(on=False), hang=2.5)
        self.made: dict[str, tuple[str, str]] = {}

    async def __aenter__(self) -> Self:
        await self.server.__aenter__()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.server.__aexit__()

    def surroundings(self) -> Surroundings:
        return Surroundings(now=self.now, network=QuickNetwork(Policy(allow_loopback=True), patient()))

    def options(self, **more: Any) -> Options:
        told = {"base_url": self.server.url, "token": self.server.token, "client_secret": "app-secret-1234", "share": 1}
        told |= {"api_version": self.version, "page_size": self.page_size, "keep": "full"}
        return Options.model_validate(told | more)

    def create(self, title: str) -> str:
        return f"{self.connection}/deal/{self.account.create_deal(title, by=self.owner, amount='1000')}"

    def change(self, artifact: str) -> None:
        stages = [stage["id"] for stage in self.account.pipelines["deal"][0]["stages"]]
        deal = self.deal(artifact)
        now = stages.index(self.account.records["deal", deal].properties["dealstage"])
        self.account.set_stage("deal", deal, stages[(now + 1) % len(stages)], by=self.owner)

    @staticmethod
    def deal(artifact: str) -> str:
        return artifact.rpartition("/")[2]

    def delete(self, artifact: str) -> None:
        self.account.archive("deal", self.deal(artifact))

    def fault(self, name: str, *, on: bool) -> None:
        if name == "scope":
            change = self.server.scopes.discard if on else self.server.scopes.add
            change("crm.objects.deals.read")
        elif on:
            self.server.faults.add(name)
        else:
            self.server.faults.discard(name)

    def add_evidence(self, kind: str, artifact: str) -> str:
        deal = self.deal(artifact)
        if kind == "title":
            self.account.set("deal", deal, dealname="Payment export PAY-12")
            return "Payment export PAY-12"
        if kind == "description":
            self.account.set("deal", deal, description="<p>See <b>PAY-12</b></p>")
            return "See PAY-12"
        if kind == "association":
            ticket = self.account.create_ticket("Export is slow")
            self.made[artifact] = ("ticket", ticket)
            self.account.associate(("deal", deal), ("ticket", ticket))
            return f"hubspot.ticket|{ticket}"
        return self._merged(deal)

    def _merged(self, deal: str) -> str:
        """What is merged stays merged, but its ids can be cleared, as HubSpot's support does."""
        other = self.account.create_deal("The same again")
        self.account.merge("deal", deal, other, new_id=False)
        return f"hubspot.deal|{other}"

    def remove_evidence(self, kind: str, artifact: str) -> None:
        deal = self.deal(artifact)
        if kind == "association":
            self.account.dissociate(("deal", deal), self.made[artifact])
        elif kind == "merge":
            self.account.set("deal", deal, hs_merged_object_ids="")
        else:
            emptied: dict[str, Any] = {"dealname": "Other"} if kind == "title" else {"description": ""}
            self.account.set("deal", deal, **emptied)

    @property
    def writes(self) -> Sequence[str]:
        return self.server.writes

    @property
    def secrets(self) -> Sequence[str]:
        return (self.server.token, "app-secret-1234")

    @classmethod
    def recordings(cls) -> Sequence[SourceEvent]:
        return recordings()


@cache
def recordings() -> tuple[SourceEvent, ...]:
    """Source events of every kind, told by the connector from the shapes of HubSpot's documents."""
    return tuple(SourceEvent.model_validate(each) for each in json.loads(RECORDINGS.read_text()))
