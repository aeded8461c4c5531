"""How a connection stands, in words. Pure."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta

from services.feed.budgets import Budget
from services.feed.connections import PAUSED, READING, StoredConnection
from services.feed.silence import Silence
from services.feed.told import Notice, State, Told, Webhook

POLLED = 20
"""So many events found by polls, that no webhook told, say that webhooks have stopped."""
GRACE = timedelta(hours=1)
"""What polls find so soon after a delivery may have been told by it."""
LATELY = timedelta(days=2)
"""What was not seen for so long is no warning any more: it is looked for every day."""
_WARNED_OF = ("deprecated", "ends", "gone", "lost", "field gone")


def state_of(one: StoredConnection, budget: Budget | None, silence: Silence | None, now: datetime) -> tuple[State, str]:
    """The state and a sentence for it."""
    if one.state != READING:
        return ("paused", "Paused: it is read on when you resume it") if one.state == PAUSED else ("stopped", "Stopped")
    if one.attention:
        return "needs attention", one.problem or "It does not go on by itself"
    if silence is not None and silence.verdict == "broken":
        return "needs attention", f"Nothing is heard, and the tool does not answer as it should: {silence.says}"
    if one.problem:
        again = f"; tried again at {one.retry_at:%H:%M} UTC" if one.retry_at else ""
        return "waiting", f"{one.problem}{again}"
    if budget is not None and budget.until is not None and budget.until > now:
        return "waiting", budget.waits
    return "reading", _reading(one, silence)


def _reading(one: StoredConnection, silence: Silence | None) -> str:
    if not one.first_read_done:
        return "The first read is under way"
    if silence is not None and silence.verdict == "quiet":
        return f"Quiet since {silence.since:%Y-%m-%d %H:%M} UTC: the tool was asked, and nothing new is there"
    return "It is read"


def webhook(received_at: datetime, polled: int, now: datetime) -> Webhook:
    """What webhooks brought, and whether they seem to have stopped."""
    stopped = polled >= POLLED and now - received_at > GRACE
    says = f"last received {received_at:%Y-%m-%d %H:%M} UTC"
    if stopped:
        says += f"; polls have found {polled:,} events since: look whether the tool still sends, and to which address"
    return Webhook(received_at, polled, stopped, says)


def warnings_of(told: Told, now: datetime) -> Told:
    """The same, with what a person should look at though reading goes on."""
    return replace(told, warnings=tuple(_warnings(told, now)))


def _warnings(told: Told, now: datetime) -> Iterator[str]:
    yield from (one.says for one in told.expires if one.soon)
    lately = [one for one in told.notices if now - one.last_seen <= LATELY]
    yield from (_noticed(one, now) for one in lately if one.kind in _WARNED_OF)
    if told.webhook is not None and told.webhook.stopped:
        yield f"its webhooks seem to have stopped: {told.webhook.says}"
    if told.silence is not None and told.silence.verdict == "broken":
        yield f"nothing is heard since {told.silence.since:%Y-%m-%d %H:%M} UTC: {told.silence.says}"
    yield from (f"reading is stuck: {one.problem}" for one in told.failures if one.stuck)
    done = told.reconciled
    if done is not None and done.finished_at is not None and done.missing + done.different + done.extra:
        yield f"compared with the tool: {done.says}"


def _noticed(one: Notice, now: datetime) -> str:
    when = ""
    if one.due is not None:
        when = f" on {one.due:%Y-%m-%d}" if one.due > now else f", since {one.due:%Y-%m-%d}"
    return f"{one.says}{when}. {one.mend}"
