"""The contract every connector keeps, against the sandbox's mail server."""

import itertools
from collections.abc import Sequence
from datetime import timedelta
from typing import ClassVar, Self

from connectors.addresses import Policy
from connectors.contract import Connector, Misconfigured, RetryLater, Surroundings
from connectors.limiter import Limiter
from connectors.mailbox import MailboxOptions, connector
from connectors.transport import Network
from schemas.events import SourceEvent
from services.sandbox.mailbox import MailServer
from services.sandbox.post import PASSWORD
from tests.connectors.contract import ConnectorContract
from tests.connectors.mailbox.letters import NOON, letter, options, told
from tests.connectors.mailbox.shapes import SHAPES
from tests.connectors.rig import Rig, events_of, fold, read

ARCHIVE = "Ablage/Übersicht & Rückblick"


def network() -> Network:
    """To loopback; a second passes with every look at the clock, so that nothing waits for its turn."""
    ticks = itertools.count()
    return Network(Policy(allow_loopback=True), Limiter(share=1.0, clock=lambda: float(next(ticks))))


class MailboxRig(Rig):
    connector: ClassVar[Connector] = connector
    lag = timedelta(seconds=40)
    faults: ClassVar = {
        "wrong password": Misconfigured,
        "sign-in not now": RetryLater,
        "nobody listens": RetryLater,
        "BYE while searching": RetryLater,
        "web page instead of IMAP": RetryLater,
        "greeting of something else": RetryLater,
        "cut in mid-answer": RetryLater,
    }

    def __init__(self) -> None:
        super().__init__()
        self.server = MailServer(now=self.now, lag=self.lag)
        self.server.mailbox.add_folder(ARCHIVE)
        self._raw: dict[str, bytes] = {}
        self._dead = False

    async def __aenter__(self) -> Self:
        await self.server.__aenter__()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.server.__aexit__(None, None, None)

    def surroundings(self) -> Surroundings:
        return Surroundings(self.now, network())

    def options(self) -> MailboxOptions:
        return options(1 if self._dead else self.server.port or 1, folders=("INBOX", "Ablage/*"))

    def create(self, title: str) -> str:
        raw = letter(title, f"About {title}.\n", len(self._raw), self.clock).as_bytes()
        self.server.mailbox.append("INBOX", raw)
        artifact = told(raw).artifact
        self._raw[artifact] = raw
        return artifact

    def change(self, artifact: str) -> None:
        """A mail never changes; somebody files a copy of it."""
        self.server.mailbox.append(ARCHIVE, self._raw[artifact], NOON)

    def delete(self, artifact: str) -> None:
        for folder in self.server.mailbox.folders.values():
            folder.mails = [mail for mail in folder.mails if told(mail.raw).artifact != artifact]

    def fault(self, name: str, *, on: bool) -> None:
        manners = self.server.manners
        if name == "wrong password":
            manners.password = "changed" if on else PASSWORD
        elif name == "sign-in not now":
            manners.refuse_login = b"[UNAVAILABLE] try later" if on else b""
        elif name == "nobody listens":
            self._dead = on
        elif name == "BYE while searching":
            manners.bye_on = "SEARCH" if on else ""
        elif name == "web page instead of IMAP":
            manners.garbage_on = "EXAMINE" if on else ""
        elif name == "greeting of something else":
            manners.greeting = b"HTTP/1.1 400 Bad Request" if on else type(manners)().greeting
        else:
            manners.cut_after = 900 if on else -1

    def add_evidence(self, kind: str, artifact: str) -> str:
        raise ValueError(f"a mail never changes: no {kind} is added")

    def remove_evidence(self, kind: str, artifact: str) -> None:
        raise ValueError(f"a mail never changes: no {kind} is taken away")

    @property
    def writes(self) -> Sequence[str]:
        return self.server.writes

    @property
    def secrets(self) -> Sequence[str]:
        return [PASSWORD]

    @classmethod
    def recordings(cls) -> Sequence[SourceEvent]:
        return [told(raw) for raw in SHAPES.values()]


class TestContract(ConnectorContract):
    rig_type = MailboxRig
    things = 60

    async def test_check_ends_at_the_first_failure_and_never_raises(self, filled: Rig) -> None:
        await super().test_check_ends_at_the_first_failure_and_never_raises(filled)
        filled.fault("wrong password", on=True)
        async with filled.connector.open(filled.connection, filled.options(), filled.surroundings()) as source:
            steps = [step async for step in source.check()]
        assert [(step.name, step.ok) for step in steps] == [("reach", True), ("sign-in", False)]
        assert "app password" in steps[-1].says

    async def test_a_delete_is_told_by_the_census(self, filled: Rig) -> None:
        """Not so for mail: what was expunged was sent all the same, and stays as it is."""
        events = events_of(await read(filled))
        victim = events[0].artifact
        filled.delete(victim)
        async with filled.connector.open(filled.connection, filled.options(), filled.surroundings()) as source:
            pages = [page async for page in source.census({victim: ""}, None)]
        assert events_of(pages) == []
        assert events_of(await read(filled, (await read(filled))[-1].cursor)) == []
        assert fold(filled.connector, events).value(victim, "deleted") is None

    async def test_a_hint_fetches_the_full_telling(self, filled: Rig) -> None:
        """A hint names a mail by its Message-ID: a server cannot look for a hash."""
        event = events_of(await read(filled))[0]
        hint = filled.connector.map(event).fields["natural_key"]
        async with filled.connector.open(filled.connection, filled.options(), filled.surroundings()) as source:
            pages = [page async for page in source.fetch([hint])]
        assert {told.id for told in events_of(pages)} >= {event.id}
        assert [page.cursor for page in pages if page.cursor] == []

    async def test_evidence_comes_and_goes(self, filled: Rig) -> None:
        """Not so for mail: what it says stays said, also when somebody files or expunges it."""
        artifact = filled.create("Evidence PAY-12")
        told = await self._look(filled, [], artifact)
        said = fold(filled.connector, told).says(artifact)
        assert "Evidence PAY-12" in said
        filled.change(artifact)
        told = await self._look(filled, told, artifact)
        filled.delete(artifact)
        told = await self._look(filled, told, artifact)
        assert fold(filled.connector, told).says(artifact) == said
