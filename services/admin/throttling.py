"""Failed sign-ins make the next ones wait: longer and longer, per account and per address.

An account is one whatever it is called by: its name, its e-mail address, its id. An attempt counts as failed until it
went well, so that many at once are no way around.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import case, delete, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from schemas.canonical import digest
from services.admin.accounts import Account, name_key
from services.admin.tables import sign_in_attempts as attempts
from services.query.refused import Refused

FORGOTTEN = timedelta(days=1)
"""After so long without a failure it is as if there had been none."""


@dataclass(frozen=True, slots=True)
class Patience:
    """How many failures are free, and how long one waits after more: twice as long each time, up to the longest."""

    free: int
    longest: timedelta

    def wait(self, failures: int) -> timedelta:
        """After so many failures in a row."""
        if failures < self.free:
            return timedelta(0)
        return min(self.longest, timedelta(seconds=2.0 ** min(failures - self.free, 20)))


ACCOUNT = Patience(5, timedelta(minutes=5))
"""Who knows a name can make its owner wait, so not for ever; 300 guesses a day find no password of 12 characters."""
ADDRESS = Patience(20, timedelta(minutes=15))
"""Many people may share an address."""


def whose(account: Account | None, typed: str) -> str:
    """Who is to be signed in: an account, or what was typed where there is none. Hashed, for people type their password
    where the name belongs."""
    return digest("account", account.id) if account else digest("name", name_key(typed))


SET_UP = digest("set-up", "")
"""Whoever makes the first account."""


def _subjects(who: str, address: str | None) -> list[tuple[str, Patience]]:
    told = [(who, ACCOUNT)]
    return [*told, (digest("address", address), ADDRESS)] if address else told


async def begin(connection: AsyncConnection, who: str, address: str | None, now: datetime) -> None:
    """Count an attempt as failed, before it is looked at. Raises Refused where it is too early for one."""
    for subject, patience in sorted(_subjects(who, address), key=lambda one: one[0]):
        await _ensure(connection, subject, now)
        row = (await connection.execute(select(attempts).where(attempts.c.subject == subject).with_for_update())).one()
        if row.until > now:
            raise too_many(row.until - now)
        failures = 1 if row.failed_at < now - FORGOTTEN else row.failures + 1
        values = {"failures": failures, "failed_at": now, "until": now + patience.wait(failures)}
        await connection.execute(update(attempts).where(attempts.c.subject == subject).values(**values))


async def went_well(connection: AsyncConnection, who: str, address: str | None, now: datetime) -> None:
    """The attempt that was begun was no failure. Those of its address before stay: somebody may guess others' there."""
    own, *_ = subjects = [subject for subject, _ in _subjects(who, address)]
    less = case((attempts.c.failures > 0, attempts.c.failures - 1), else_=0)
    # In the order of begin, or two at once wait for each other.
    for subject in sorted(subjects):
        that = attempts.c.subject == subject
        if subject == own:
            await connection.execute(delete(attempts).where(that))
        else:
            await connection.execute(update(attempts).where(that).values(failures=less, until=now))


async def forget_old(connection: AsyncConnection, now: datetime) -> None:
    """Remove what does not count any more."""
    await connection.execute(delete(attempts).where(attempts.c.failed_at < now - FORGOTTEN))


async def _ensure(connection: AsyncConnection, subject: str, now: datetime) -> None:
    if connection.dialect.name == "postgresql":
        from sqlalchemy.dialects.postgresql import insert
    else:
        from sqlalchemy.dialects.sqlite import insert  # type: ignore[assignment]
    await connection.execute(
        insert(attempts).values(subject=subject, failures=0, failed_at=now, until=now).on_conflict_do_nothing()
    )


def too_many(wait: timedelta) -> Refused:
    """Too early for another attempt."""
    seconds = max(1, round(wait.total_seconds()))
    return Refused(
        429, "too-many-sign-ins", "There were too many attempts to sign in.", f"Try again in {seconds} s.",
        headers={"Retry-After": str(seconds)},
    )  # fmt: skip
