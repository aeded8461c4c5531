"""Where reading stands. Pure: what was seen, what the next request asks for, what is true once a page is safe.

One *window* is one pass over `updated >= from`, oldest first. Its page token is kept, so that a crash resumes it. Each
new window begins `overlap` before the newest change seen, because Jira's search index shows changes late and out of
order; a ledger of (issue, version) keeps what was already told from being told again.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from connectors.jira.shapes import moment, number, obj, word
from schemas.canonical import digest, instant, microseconds, parse_instant

INDEX_LAG = timedelta(minutes=2)
"""What search shows is taken to be complete up to this long ago."""
_ANCHORS = 10
"""Rows that are known again: so many may change between two pages before a minute is begun anew."""
_WELL = 10
"""Pages that come before a larger one is tried."""
_LEDGER_MOST = 5000
"""Beyond this the oldest are told again, which costs a request and changes nothing."""


def milliseconds(at: datetime) -> int:
    """Whole milliseconds since 1970: the finest that Jira states."""
    return microseconds(at) // 1000


def updated_ms(issue: dict[str, Any]) -> int:
    """The issue's version: `updated` in milliseconds; 0 where it has none."""
    at = moment(obj(issue.get("fields")).get("updated"))
    return milliseconds(at) if at else 0


@dataclass
class Window:
    """One pass. start and anchors are of Data Center's paging, token is of Cloud's."""

    since: int
    began: datetime
    """By Jira's clock, or ours where that is behind."""
    token: str | None = None
    start: int = 0
    """Rows of the minute `since` that were read."""
    anchors: dict[str, int] = field(default_factory=dict)
    """The last of them, with their versions, in case rows move."""
    seen: int = 0
    """How far it has come: all that was updated before is read, but for what came or changed since it began. A page
    token leads through what was there then, and shows it as it is now: an update of today may stand among those of last
    year, and what came meanwhile in no page at all."""
    done: int = 0
    total: int | None = None
    first: bool = False
    narrowed: int = 0
    """How often its pages were made smaller."""
    well: int = 0
    """How many of this size came since."""

    def begin_anew(self, since: int) -> None:
        """No row is read from there on."""
        self.since, self.start, self.anchors = since, 0, {}

    def count_on(self, issues: list[dict[str, Any]]) -> None:
        """These rows are read too."""
        self.go_back(self.start, issues)

    def go_back(self, begin: int, issues: list[dict[str, Any]]) -> None:
        """What is read ends with these rows, the first of which is row `begin`."""
        self.start = begin + len(issues)
        self.anchors = {str(issue["id"]): updated_ms(issue) for issue in issues[-_ANCHORS:]}

    def bearable(self, most: int) -> int:
        """How many issues to ask for: a page may be more than Jira can put together in time, or one of it damaged."""
        return max(1, most >> 2 * self.narrowed)

    def was_too_much(self) -> None:
        """Jira does not answer with such a page: a quarter of it from now on."""
        self.narrowed, self.well = self.narrowed + 1, 0

    def went_well(self) -> None:
        """A page came; after some of them a larger one is tried."""
        self.well += 1
        if self.well >= _WELL:
            self.narrowed, self.well = max(0, self.narrowed - 1), 0


@dataclass
class Cursor:
    """The state of a connection's reading."""

    scope: str
    high: int = 0
    """How far all finished windows have come, in milliseconds."""
    true_up_to: datetime | None = None
    ledger: dict[str, int] = field(default_factory=dict)
    window: Window | None = None
    doubts: dict[str, int] = field(default_factory=dict)
    """Issues that Jira listed in this window and did not show: how often."""

    @classmethod
    def load(cls, stored: dict[str, Any] | None, scope_jql: str) -> "Cursor":
        """The stored cursor; a new one where there is none or where the filter has changed since."""
        scope = digest(scope_jql)[:16]
        known = obj(stored)
        if known.get("scope") != scope:
            return cls(scope)
        cursor = cls(scope, number(known.get("high")) or 0)
        cursor.ledger = {key: at for key, at in obj(known.get("ledger")).items() if isinstance(at, int)}
        true = word(known.get("true"))
        cursor.true_up_to = parse_instant(true) if true else None
        cursor.window = _window(obj(known.get("window")))
        cursor.doubts = {key: times for key, times in obj(known.get("doubts")).items() if isinstance(times, int)}
        return cursor

    def dump(self) -> dict[str, Any]:
        """As JSON."""
        window = self.window
        told: dict[str, Any] = {
            "scope": self.scope,
            "high": self.high,
            "true": instant(self.true_up_to) if self.true_up_to else None,
            "ledger": dict(self.ledger),
            "window": None
            if window is None
            else {
                "since": window.since,
                "began": instant(window.began),
                "token": window.token,
                "start": window.start,
                **({"anchors": dict(window.anchors)} if window.anchors else {}),
                "seen": window.seen,
                "done": window.done,
                "total": window.total,
                "first": window.first,
                **({"narrowed": window.narrowed, "well": window.well} if window.narrowed else {}),
            },
        }
        return told | ({"doubts": dict(self.doubts)} if self.doubts else {})

    def open_window(self, since: datetime | None, overlap: timedelta, now: datetime) -> Window:
        """The window under way, or a new one."""
        if self.window is None:
            lower = self.high - _ms(overlap) if self.high else (milliseconds(since) if since else 0)
            self.window = Window(max(0, lower), now, first=not self.high)
        return self.window

    def unseen(self, issues: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Those whose version was not told yet."""
        return [issue for issue in issues if self.ledger.get(str(issue.get("id"))) != updated_ms(issue)]

    def take(self, issues: list[dict[str, Any]], told: list[dict[str, Any]], overlap: timedelta) -> None:
        """Note that these were listed, and which of them were told."""
        window = self.window
        assert window is not None
        for issue in told:
            self.ledger[str(issue.get("id"))] = updated_ms(issue)
            self.doubts.pop(str(issue.get("id")), None)
        window.done += len(told)
        began = milliseconds(window.began)
        window.seen = max([window.seen, *(at for issue in issues if (at := updated_ms(issue)) <= began)])
        oldest = max(window.seen, self.high) - 2 * _ms(overlap)
        kept = sorted((at, key) for key, at in self.ledger.items() if at >= oldest)[-_LEDGER_MOST:]
        self.ledger = {key: at for at, key in kept}

    def doubt(self, issue_id: str) -> int:
        """Jira did not show this issue: how often so far."""
        self.doubts[issue_id] = self.doubts.get(issue_id, 0) + 1
        return self.doubts[issue_id]

    def pass_over(self, issue: dict[str, Any]) -> None:
        """This version is not read. What was seen does not move: others of its page are still to be read."""
        assert self.window is not None
        self.ledger[str(issue.get("id"))] = updated_ms(issue)
        self.doubts.pop(str(issue.get("id")), None)
        self.window.done += 1

    def close_window(self) -> None:
        """The pass is complete."""
        window = self.window
        assert window is not None
        self.high = max(self.high, window.seen)
        self.doubts = {}
        self.true_up_to = max(window.began - INDEX_LAG, self.true_up_to or window.began - INDEX_LAG)
        self.window = None

    def lose_token(self, overlap: timedelta) -> None:
        """Jira no longer takes the page token (it lives seven days): go on from what was seen, less the overlap."""
        window = self.window
        assert window is not None
        window.begin_anew(max(window.since, window.seen - _ms(overlap)))
        window.token = None


def _ms(span: timedelta) -> int:
    return int(span.total_seconds() * 1000)


def _window(stored: dict[str, Any]) -> Window | None:
    began = word(stored.get("began"))
    if not began:
        return None
    since, seen, at = number(stored.get("since")) or 0, number(stored.get("seen")) or 0, parse_instant(began)
    return Window(
        since=since,
        began=at.astimezone(UTC),
        token=word(stored.get("token")),
        start=number(stored.get("start")) or 0,
        anchors={key: version for key, version in obj(stored.get("anchors")).items() if isinstance(version, int)},
        seen=seen if seen <= milliseconds(at) else since,  # as it was once noted
        done=number(stored.get("done")) or 0,
        total=number(stored.get("total")),
        first=stored.get("first") is True,
        narrowed=number(stored.get("narrowed")) or 0,
        well=number(stored.get("well")) or 0,
    )


def described(stored: Mapping[str, Any]) -> str:
    """Where reading stands, in words."""
    told = []
    high, window = number(stored.get("high")), obj(stored.get("window"))
    if high:
        told.append(f"issues changed up to {datetime.fromtimestamp(high / 1000, UTC):%Y-%m-%d %H:%M} UTC")
    if window:
        since, seen = number(window.get("since")) or 0, number(window.get("seen")) or 0
        total = number(window.get("total"))
        of = f" of about {total:,}" if total else ""
        at = datetime.fromtimestamp(max(since, seen) / 1000, UTC)
        told.append(f"in a pass that has come to {at:%Y-%m-%d %H:%M} UTC, {number(window.get('done')) or 0:,}{of} read")
    return ", ".join(told)
