"""What is told of a connection: the shapes, without the way to them (see watching.py)."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from services.feed.budgets import Budget
from services.feed.silence import Silence

State = Literal["reading", "waiting", "paused", "needs attention", "stopped"]


@dataclass(frozen=True, slots=True)
class FirstRead:
    """How far a first read is."""

    done: int
    total: int | None
    """An estimate; None while the tool does not say."""
    ends_at: datetime | None
    """About when it will be done, at the pace it had so far; None where nobody can say."""


@dataclass(frozen=True, slots=True)
class Failure:
    """Failures to read that one mend may cure."""

    cause: str
    """Names the group, for as long as it is kept."""
    kind: Literal["wait", "mend", "unexpected"]
    """It comes back by itself; a person must mend something; something unforeseen."""
    problem: str
    """Of the newest one."""
    mend: str
    count: int
    first_seen: datetime
    last_seen: datetime
    stuck: bool
    """Reading has not gone on since, again and again at one place."""
    over: bool = False
    """Reading has gone on since: nothing is to be done any more."""


@dataclass(frozen=True, slots=True)
class Notice:
    """Something that the tool announced or that changed in it."""

    kind: str
    """deprecated, ends, gone, lost, field gone, field new"""
    subject: str
    """The part of the tool: a path without ids, a step of the check, a field."""
    says: str
    mend: str
    due: datetime | None
    """When it ends, where the tool says so."""
    first_seen: datetime
    last_seen: datetime


@dataclass(frozen=True, slots=True)
class Webhook:
    """What webhooks brought."""

    received_at: datetime
    """When the last one came."""
    polled: int
    """Events that polls found since, an hour and more after it."""
    stopped: bool
    """Polls find changes that no webhook told."""
    says: str


@dataclass(frozen=True, slots=True)
class Difference:
    """One thing that is not the same in the tool and here."""

    kind: Literal["missing", "different", "extra"]
    """Not here; changed later in the tool than here; here, and not in the tool."""
    artifact: str
    theirs: datetime | None
    """Last changed, by the tool."""
    ours: datetime | None
    """Last changed, as it is known here."""


@dataclass(frozen=True, slots=True)
class Reconciled:
    """Comparing what the tool has with what is here."""

    wanted: bool
    """One was asked for, and has not ended."""
    started_at: datetime | None
    """Of the one under way; None: none is."""
    listed: int
    """Things of the tool compared so far by the one under way."""
    expected: int | None
    """Of about how many."""
    finished_at: datetime | None
    """When the last one ended; None: none has. The fields below are its outcome."""
    compared: int = 0
    missing: int = 0
    different: int = 0
    extra: int = 0
    fetched: int = 0
    """Of the missing and different, how many were fetched again."""
    mended: bool = False
    """It was asked to mend."""
    says: str = ""
    """The outcome as a sentence."""


@dataclass(frozen=True, slots=True)
class Expiry:
    """When a credential ends, as the admin entered it."""

    field: str
    """The dotted name of the option."""
    at: datetime
    soon: bool
    """Within 30 days, or past."""
    says: str


@dataclass(frozen=True, slots=True)
class Told:
    """One connection as it stands."""

    id: str
    connector: str
    title: str
    state: State
    says: str
    """The state as a sentence, with what it waits for or needs."""
    problem: str | None
    """As the reader left it, with the mend."""
    retry_at: datetime | None
    true_up_to: datetime | None
    """Everything the tool changed before is here; None before the end of the first read."""
    alive_at: datetime | None
    """When the tool last answered well."""
    heard_at: datetime | None
    """When reading last brought anything."""
    since: datetime | None
    """Read from when; None: from the beginning."""
    first_read: FirstRead | None
    """None: it is done."""
    hours: tuple[tuple[datetime, int], ...]
    """(beginning of the hour, events) of the last 7 days, oldest first; hours without events are left out."""
    failures: tuple[Failure, ...]
    """Grouped by cause, newest first; kept for 8 weeks."""
    budget: Budget | None
    """None: nothing is known, as no hub reads it."""
    place: str
    """Where reading stands, in words; "" where its connector does not say."""
    webhook: Webhook | None
    """None: none ever came."""
    reconciled: Reconciled | None
    """None: never compared."""
    notices: tuple[Notice, ...]
    """Those with a date first, by it; then the newest."""
    silence: Silence | None
    """None: nothing unusual."""
    expires: tuple[Expiry, ...]
    dead_letters: int
    """That wait for a person or for the hub."""
    warnings: tuple[str, ...]
    """What a person should look at though reading goes on, a sentence each: notices with a date, a stopped webhook,
    a silence that is broken, a credential that ends soon, things that are missing."""
