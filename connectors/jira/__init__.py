"""Jira Cloud and Jira Data Center: issues with their history, comments, links and remote links.

options.py   what an admin fills in
pull.py      check, pages, census (census.py), single issues; search.py asks, reading.py completes, cursor.py
             remembers, doubts.py passes over what Jira never shows, telling.py makes source events, reducing.py
             leaves out what is not kept, cutting.py keeps them small
push.py      webhooks; registering.py enters them in Jira, when an admin asks
mapping.py   source events in the hub's words: issues.py, histories.py, links.py, people.py, text.py
stages.py    default stage map and link kinds
"""

from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import datetime
from typing import Any, ClassVar

from connectors.contract import Delivery, Pushed, Source, Surroundings
from connectors.jira import push
from connectors.jira.cursor import described
from connectors.jira.links import link_types
from connectors.jira.mapping import map_event
from connectors.jira.options import JiraOptions
from connectors.jira.shapes import obj
from connectors.jira.stages import LINK_KINDS, LINK_TYPES, STAGES
from schemas.artifacts import Mapped
from schemas.events import SourceEvent
from schemas.links import LinkType
from schemas.stages import StageRule

REQUESTS, WINDOW = 400.0, 10.0
"""Jira Cloud tells API tokens no rate: buckets of 350 to 400 requests were seen, refilled within seconds. The limiter
slows down on every 429 and near-limit header ("Rate limiting", developer.atlassian.com)."""


class JiraConnector:
    """The connector for Jira; see connectors.contract.Connector."""

    name: ClassVar[str] = "jira"
    title: ClassVar[str] = "Jira"
    Options: ClassVar[type[JiraOptions]] = JiraOptions
    stages: ClassVar[tuple[StageRule, ...]] = STAGES
    link_kinds: ClassVar[Mapping[str, str]] = LINK_KINDS
    link_types: ClassVar[tuple[LinkType, ...]] = LINK_TYPES
    whole_histories: ClassVar[frozenset[str]] = frozenset({"summary", "description", "parent"})

    def open(
        self, connection: str, options: JiraOptions, surroundings: Surroundings
    ) -> AbstractAsyncContextManager[Source]:
        """A source for these options. Makes no request before it is asked something."""
        return _opened(connection, options, surroundings)

    def map(self, event: SourceEvent) -> Mapped:
        """What the event says. Raises BadRecord."""
        return map_event(event)

    def link_types_in(self, event: SourceEvent) -> tuple[LinkType, ...]:
        """The types of the links that an issue bears."""
        return tuple(dict.fromkeys(link_types(obj(obj(event.payload.get("issue")).get("fields")))))

    def describe(self, cursor: Mapping[str, Any]) -> str:
        """Where reading stands, in words."""
        return described(cursor)

    def verify(self, connection: str, options: JiraOptions, delivery: Delivery, now: datetime) -> Pushed:
        """What a webhook delivery holds. Raises Unverified, BadRecord."""
        return push.verify(connection, options, delivery, now)

    def trial_delivery(self, options: JiraOptions, url: str, now: datetime) -> Delivery:
        """A webhook delivery that tells nothing, proved as Jira would. Raises Misconfigured."""
        return push.trial(options, url, now)


@asynccontextmanager
async def _opened(connection: str, options: JiraOptions, surroundings: Surroundings) -> AsyncIterator[Source]:
    # The vendor's library takes a while to load; who only maps events does not wait for it.
    from connectors.jira.pull import JiraSource
    from connectors.jira.session import Session

    surroundings.network.limiter.announce(REQUESTS, WINDOW, "Jira")
    session = Session(options, surroundings.network)
    try:
        yield JiraSource(connection, options, session, surroundings.now)
    finally:
        await session.close()


connector = JiraConnector()
"""The one instance; it has no state."""
