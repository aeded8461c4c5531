"""A mailbox over IMAP: mail in, read only. See docs/connectors/mailbox.md."""

from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from datetime import datetime
from typing import Any, ClassVar

from pydantic import BaseModel

from connectors.contract import Delivery, Pushed, Source, Surroundings, Unverified
from connectors.mailbox.cursor import described
from connectors.mailbox.mapping import map_event
from connectors.mailbox.options import MailboxOptions
from connectors.mailbox.pull import MailboxSource
from connectors.mailbox.stages import LINK_KINDS, STAGES
from schemas.artifacts import Mapped
from schemas.events import SourceEvent
from schemas.stages import StageRule

__all__ = ["MailboxConnector", "MailboxOptions", "MailboxSource", "connector"]


class MailboxConnector:
    """The connector object: holds nothing."""

    name: ClassVar[str] = "mailbox"
    title: ClassVar[str] = "Mailbox (IMAP)"
    Options: ClassVar[type[BaseModel]] = MailboxOptions
    stages: ClassVar[tuple[StageRule, ...]] = STAGES
    link_kinds: ClassVar[Mapping[str, str]] = LINK_KINDS

    def open(
        self, connection: str, options: MailboxOptions, surroundings: Surroundings
    ) -> AbstractAsyncContextManager[Source]:
        """A source for these options; it connects when it is first asked something."""
        return MailboxSource(connection, options, surroundings)

    def map(self, event: SourceEvent) -> Mapped:
        """What the mail says. Pure. Raises BadRecord."""
        return map_event(event)

    def describe(self, cursor: Mapping[str, Any]) -> str:
        """Where reading stands, in words: a folder's UIDs."""
        return described(cursor)

    def verify(self, connection: str, options: MailboxOptions, delivery: Delivery, now: datetime) -> Pushed:
        """Raises Unverified: a mail server calls nobody."""
        del connection, options, delivery, now
        raise Unverified("a mailbox sends no webhooks")


connector = MailboxConnector()
