"""Instants, lengths of time and states as people read them. Dates are written so that no language is needed."""

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta, tzinfo
from decimal import Decimal, InvalidOperation
from typing import Any

from markupsafe import Markup, escape

MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")

STAGES: Mapping[str, str] = {
    "alignment": "Business and IT agree on what is asked for, and whether it will be done",
    "requirements": "Working out in detail what is needed",
    "development": "Building it",
    "change": "Rolling it out",
    "improvement": "Using it, and learning from it",
    "not mapped": "A tool uses a status that nobody has given a meaning yet",
}
"""What each stage means."""

STATES: Mapping[str, str] = {
    "new": "Nobody has begun",
    "active": "Somebody works on it",
    "waiting": "It waits for somebody or something",
    "done": "Finished",
    "cancelled": "Given up",
    "unknown": "No tool says what it is doing",
}
"""What each state means."""


@dataclass(frozen=True, slots=True)
class When:
    """Instants as one reader sees them. Templates call it: `when.moment(at)`."""

    now: datetime
    zone: tzinfo

    def moment(self, at: str | datetime | None) -> Markup:
        """Date and time, the year only where it is another one; as an element that programs can read, too."""
        return self._element(at, lambda there: f"{self._date(there)}, {there:%H:%M}")

    def day(self, at: str | datetime | None) -> Markup:
        """The date."""
        return self._element(at, self._date)

    def ago(self, at: str | datetime | None) -> Markup:
        """How long ago, or in how long."""
        return self._element(at, self._ago)

    def plain(self, at: str | datetime | None) -> str:
        """Date and time as mere text."""
        instant = read(at)
        there = instant.astimezone(self.zone) if instant else None
        return f"{self._date(there)}, {there:%H:%M}" if there else "not known"

    def short(self, at: datetime, within: timedelta) -> str:
        """As little of an instant as tells it apart on a line of this length."""
        there = at.astimezone(self.zone)
        if within < timedelta(days=3):
            return f"{self._date(there)}, {there:%H:%M}"
        return f"{MONTHS[there.month - 1]} {there.year}" if within > timedelta(days=900) else self._date(there)

    def stated(self, value: str) -> Markup:
        """A date as a tool states it: a day, an instant, or the tool's own words."""
        at = _stated(value)
        if at is None:
            return escape(value)
        if at.tzinfo is not None:
            return self.day(at)
        return Markup('<time datetime="{}">{}</time>').format(value, self._date(at.replace(tzinfo=self.zone)))

    def past(self, value: str) -> bool:
        """Whether a stated date is over."""
        at = _stated(value)
        if at is None:
            return False
        return at < self.now if at.tzinfo is not None else at.date() < self.now.astimezone(self.zone).date()

    def since(self, at: str | datetime | None) -> str:
        """The length of time from an instant until now; "" where it is not known."""
        instant = read(at)
        return lasted(self.now - instant) if instant else ""

    def _ago(self, there: datetime) -> str:
        gone = self.now - there
        if abs(gone) < timedelta(minutes=1):
            return "now"
        return f"{lasted(gone)} ago" if gone > timedelta() else f"in {lasted(-gone)}"

    def _date(self, there: datetime) -> str:
        short = f"{there.day} {MONTHS[there.month - 1]}"
        return short if there.year == self.now.astimezone(self.zone).year else f"{short} {there.year}"

    def _element(self, at: str | datetime | None, write: Callable[[datetime], str]) -> Markup:
        instant = read(at)
        if instant is None:
            return Markup('<span class="unknown">not known</span>')
        there = instant.astimezone(self.zone)
        whole = f"{there.day} {MONTHS[there.month - 1]} {there.year}, {there:%H:%M} {there.tzname()}"
        return Markup('<time datetime="{}" title="{}">{}</time>').format(
            instant.isoformat(timespec="seconds"), whole, write(there)
        )


def read(at: str | datetime | None) -> datetime | None:
    """An instant as the API writes it."""
    return datetime.fromisoformat(at) if isinstance(at, str) else at


def _stated(value: str) -> datetime | None:
    try:
        return datetime.fromisoformat(value)
    except ValueError:
        return None


def money(amount: Mapping[str, Any]) -> str:
    """An amount with its digits in groups."""
    try:
        value = f"{Decimal(amount['value']):,f}"
    except InvalidOperation:
        value = amount["value"]
    whole, _, rest = value.partition(".")
    return f"{whole}{'.' + rest if rest.strip('0') else ''} {amount['currency'] or ''}".replace(",", "\u202f").strip()


def lasted(length: timedelta) -> str:
    """A length of time in one or two words."""
    seconds = int(length.total_seconds())
    for size, one, many in ((86400, "day", "days"), (3600, "hour", "hours"), (60, "minute", "minutes")):
        if seconds >= size:
            number = seconds // size
            return f"{number:,} {one if number == 1 else many}".replace(",", "\u202f")
    return "less than a minute"


def counted(number: int, one: str, many: str = "") -> str:
    """A number with its noun."""
    return f"{number:,} {one if number == 1 else many or one + 's'}".replace(",", "\u202f")


def stage(name: str) -> Markup:
    """A stage as a coloured label that explains itself."""
    title = STAGES.get(name, "")
    return Markup('<span class="stage stage-{}" title="{}">{}</span>').format(name.replace(" ", "-"), title, name)


def state(name: str | None) -> Markup:
    """A state as a label that explains itself."""
    if name is None:
        return Markup('<span class="unknown">no state</span>')
    return Markup('<span class="state state-{}" title="{}">{}</span>').format(name, STATES.get(name, ""), name)


def waits(reason: str) -> str:
    """Why something waits, as people say it."""
    return {"blocked": "is blocked", "customer": "waits for the customer"}.get(reason, f"waits for {reason}")


def or_dash(value: Any) -> Any:
    """What may be missing."""
    return value if value not in (None, "") else Markup('<span class="unknown">{}</span>').format(escape("–"))


_BROWSERS = (("Edg", "Edge"), ("Firefox", "Firefox"), ("Chrome", "Chrome"), ("Safari", "Safari"), ("curl", "curl"))
_SYSTEMS = (
    ("Android", "Android"), ("iPhone", "iPhone"), ("iPad", "iPad"), ("Windows", "Windows"), ("Mac OS", "macOS"),
    ("Linux", "Linux"),
)  # fmt: skip


def browser(agent: str | None) -> str:
    """What a browser calls itself, in two words; as it is where it says neither."""
    found = [next((name for part, name in known if part in (agent or "")), "") for known in (_BROWSERS, _SYSTEMS)]
    return " on ".join(filter(None, found)) or agent or "not told"


def wraps(text: str) -> Markup:
    """Words in which an address may go on in the next line where it would be read so."""
    return escape(text).replace("@", Markup("<wbr>@"))


def percent(share: float) -> str:
    """A share of one, in hundredths."""
    return f"{round(share * 100)} %"


def opens(address: str | None) -> str | None:
    """An address that a tool told, if it leads to a page; a link to anything else could be a script."""
    return address if address and address.lower().startswith(("https://", "http://")) else None


def pretty(value: Any) -> str:
    """JSON values for people."""
    return json.dumps(value, indent=2, ensure_ascii=False, sort_keys=True)


def day_of(text: str) -> date:
    """A day as it is written in dates."""
    return date.fromisoformat(text)


def without(query: Mapping[str, Any], *names: str) -> dict[str, Any]:
    """What a query asks beside these parameters."""
    return {name: value for name, value in query.items() if value not in (None, "") and name not in names}


def sentence(text: str) -> str:
    """A phrase as a sentence of its own."""
    whole = text[:1].upper() + text[1:]
    return whole if whole.endswith((".", "?", "!", "…")) or not whole else f"{whole}."


def plainly(text: str) -> str:
    """What the API says of an input, without where it stands in a request: `body.old_password is missing`."""
    return _PLACE.sub(lambda found: found[1].replace("_", " ").replace(".", ", ").capitalize(), text, count=1)


def for_people(mend: str | None) -> str:
    """What to do, where it is not meant for programs: no reader of a page looks into the API's paths."""
    return "" if not mend or "/v1/" in mend or "/openapi.json" in mend else mend


_PLACE = re.compile(r"^(?:body|query|path)\.(\w+(?:\.\w+)*)(?=[: ])")

FILTERS: Mapping[str, Callable[..., Any]] = {
    "stage": stage, "state": state, "counted": counted, "or_dash": or_dash, "lasted": lasted, "read": read,
    "percent": percent, "wraps": wraps, "browser": browser, "without": without, "pretty": pretty,
    "sentence": sentence, "opens": opens, "day": day_of, "money": money, "waits": waits,
    "plainly": plainly, "for_people": for_people,
}  # fmt: skip
