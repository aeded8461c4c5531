"""Copies of a company: the same events and rows about other things, by other numbers of the same width.

Issue keys and ids, records of the CRM, Message-IDs and mails get the copy's number; people, projects, companies stay.
All copies sort alike, so that what the pipeline makes of one is what it makes of the others, with other names in it.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import count
from typing import Any

import orjson

from benchmarks.story import Told
from schemas.artifacts import request_id

FIRST, LAST = 10_000, 99_999
"""Numbers of copies: five digits each."""
_KEYS, _ISSUES, _RECORDS = 10**4, 10**6, 10**12
_NAMES = re.compile(
    r"\b(?P<project>PAY|WEB|PLAT|OPS)-(?P<key>[1-9]\d{0,3})\b"
    r"|(?<![\w.:+-])(?P<issue>[1-9]\d{4})(?![\w.:+-])"
    r"|\b(?P<record>10000\d{6})\b"
    r"|\b(?P<letter>(?:r\d+(?:-[a-z0-9]+)?|c)\.[a-z0-9]+\.\d{14})(?=@)"
    r"|(?<![0-9a-f])(?P<mail>[0-9a-f]{32})[0-9a-f]{8}(?![0-9a-f])"
    r"|\bR-[A-Z2-7]{12}\b"
)


@dataclass(frozen=True)
class Names:
    """What is renamed: native ids of issues, comments and the CRM's records, and whose request ids are whose."""

    issues: frozenset[str]
    records: frozenset[str]
    owners: dict[str, str]
    """Request id to the artifact that owns it."""

    @classmethod
    def of(cls, told: Iterable[Told]) -> "Names":
        """Of everything that these events are about."""
        events = [orjson.loads(value) for _, _, value, _ in told]
        native = {(one["connector"], one["native_id"]) for one in events}
        native |= {(one["connector"], one["artifact"].rpartition("/")[2]) for one in events}
        issues = frozenset(name for connector, name in native if connector == "jira" and name.isdecimal())
        records = frozenset(name for connector, name in native if connector == "hubspot" and name.isdecimal())
        return cls(issues, records, {request_id(one["artifact"]): one["artifact"] for one in events})


@dataclass(frozen=True)
class Copy:
    """One copy's way to rename."""

    names: Names
    number: int
    _requests: dict[str, str] = field(default_factory=dict)

    def text(self, text: str) -> str:
        """A text with the copy's names."""
        return _NAMES.sub(self._renamed, text)

    def cell(self, value: Any) -> Any:
        """A column's value with the copy's names."""
        return self.text(value) if isinstance(value, str) else value

    def told(self, told: Told) -> Told:
        """A source event on the wire."""
        connector, key, value, headers = told
        renamed = [(name, self.text(text.decode()).encode()) for name, text in headers if name != "ce_id"]
        return connector, self.text(key.decode()).encode(), self.text(value.decode()).encode(), renamed

    def _renamed(self, found: re.Match[str]) -> str:
        if found["key"]:
            return f"{found['project']}-{self.number * _KEYS + int(found['key'])}"
        if issue := found["issue"]:
            return str(self.number * _ISSUES + int(issue)) if issue in self.names.issues else issue
        if record := found["record"]:
            return str(self.number * _RECORDS + int(record)) if record in self.names.records else record
        if found["letter"]:
            return f"{found['letter']}x{self.number}"
        if found["mail"]:
            return f"{found['mail']}{self.number:08d}"
        return self._request(found[0])

    def _request(self, request: str) -> str:
        if request not in self._requests:
            owner = self.names.owners.get(request)
            self._requests[request] = request_id(self.text(owner)) if owner else request
        return self._requests[request]


def copies(told: list[Told], events: int) -> Iterator[Told]:
    """Copy after copy of a story, until there are so many events."""
    names = Names.of(told)
    left = events
    for number in count(FIRST):
        one = Copy(names, number)
        for each in told[:left]:
            yield one.told(each)
        left -= len(told)
        if left <= 0:
            return
