"""HubSpot: deals and tickets with their history and associations, and the notes and e-mails logged on them.

Reads by polling alone; webhooks, where an app sends them, only make it read sooner. It writes nothing. Contacts,
companies, owners and users are read for names and never become nodes of the graph.
"""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any, ClassVar

from connectors.contract import Delivery, Pushed, Source, Surroundings
from connectors.hubspot import push
from connectors.hubspot.mapping import map_event
from connectors.hubspot.options import Options as HubSpotOptions
from connectors.hubspot.stages import LINK_KINDS, STAGES
from connectors.hubspot.walk import described
from schemas.artifacts import Mapped
from schemas.events import SourceEvent
from schemas.stages import StageRule

REQUESTS, WINDOW = 100.0, 10.0
"""What every account may ask in ten seconds; the limiter learns the account's own limit from HubSpot's headers."""
SEARCHES = 5.0
"""Searches a second for the whole account; their answers carry no headers about it ("CRM search", limits)."""


class HubSpotConnector:
    """The connector for HubSpot."""

    name: ClassVar[str] = "hubspot"
    title: ClassVar[str] = "HubSpot"
    Options: ClassVar[type[HubSpotOptions]] = HubSpotOptions
    stages: ClassVar[tuple[StageRule, ...]] = STAGES
    link_kinds: ClassVar[Mapping[str, str]] = LINK_KINDS

    @asynccontextmanager
    async def open(self, connection: str, options: HubSpotOptions, surroundings: Surroundings) -> AsyncIterator[Source]:
        """A source for these options. Asks nothing before it is asked something."""
        # What asks over the network takes a while to load; who only maps events does not wait for it.
        from connectors.hubspot.client import SEARCH
        from connectors.hubspot.pull import HubSpotSource

        surroundings.network.limiter.announce(REQUESTS, WINDOW, "HubSpot")
        surroundings.network.limiter.announce_part(SEARCH, SEARCHES, 1)
        bearer = {"authorization": f"Bearer {options.token.get_secret_value()}"}
        async with surroundings.network.client(options.base_url, headers=bearer) as client:
            yield HubSpotSource(connection, options, surroundings, client)

    def map(self, event: SourceEvent) -> Mapped:
        """What the event says, in the hub's words. Raises BadRecord."""
        return map_event(event)

    def describe(self, cursor: Mapping[str, Any]) -> str:
        """Where reading stands, in words."""
        return described(cursor)

    def verify(self, connection: str, options: HubSpotOptions, delivery: Delivery, now: datetime) -> Pushed:
        """The hints in a webhook delivery. Raises Unverified, BadRecord."""
        del connection  # the options hold the one secret that proves a delivery
        return push.verify(options, delivery, now)

    def trial_delivery(self, options: HubSpotOptions, url: str, now: datetime) -> Delivery:
        """A webhook delivery that tells nothing, signed as HubSpot would. Raises Misconfigured."""
        return push.trial(options, url, now)


connector = HubSpotConnector()
"""The one object other code asks for."""
