"""What Jira answered, as source events: one for an issue, one for each chunk of its history, each comment, its links.

No field is renamed or interpreted; texts stay as far as the connection keeps them. Left out are an account's own view
of an issue (`lastViewed`) and work logs.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from connectors.jira import reducing
from connectors.jira.cutting import chunks, clean, fitted
from connectors.jira.histories import statuses_in
from connectors.jira.mapping import comment_audience
from connectors.jira.shapes import moment, obj, rows, word
from connectors.keeping import Keep
from schemas.artifacts import artifact_id
from schemas.canonical import canonical_json, digest, microseconds
from schemas.events import SourceEvent

Told = Literal["deleted", "out_of_scope", "restricted", "present"]
_NOT_TOLD = frozenset({"comment", "worklog", "lastViewed", "watches", "votes"})


@dataclass(frozen=True)
class Teller:
    """Makes the source events of one connection. names: what `GET field` says of custom fields, by their id;
    None: nobody asked."""

    connection: str
    keep: Keep
    read_restricted: bool
    site: str
    names: dict[str, dict[str, Any]] | None
    fetched_at: datetime
    kinds: Mapping[str, str] = field(default_factory=dict)
    """Status id to the key of its category, as `GET status` says."""

    def issue(
        self,
        issue: dict[str, Any],
        histories: list[dict[str, Any]],
        comments: list[dict[str, Any]],
        links: list[dict[str, Any]] | None,
    ) -> Iterator[SourceEvent]:
        """Everything about one issue. links None: they were not read."""
        fields = obj(issue.get("fields"))
        updated = microseconds(moment(fields.get("updated")) or self.fetched_at)
        if self.hides(fields):
            yield self.restricted(issue, updated)
            return
        yield self.issue_fields(issue, updated, comments)
        yield from self._changelog(str(issue["id"]), histories)
        for comment in comments:
            yield self.comment(str(issue["id"]), comment)
        if links is not None:
            yield self.remote_links(str(issue["id"]), links, str(updated))

    def comment(self, issue_id: str, comment: dict[str, Any]) -> SourceEvent:
        """One comment; of a restricted one only that it is there."""
        at = moment(comment.get("updated")) or moment(comment.get("created")) or self.fetched_at
        audience = comment_audience(comment)
        keep = self.keep
        if audience.level != "open" and not self.read_restricted:
            told = ("id", "created", "updated", "visibility", "jsdPublic", "properties")
            comment, keep = {name: comment[name] for name in told if name in comment}, "references"
        comment, cuts = fitted(reducing.fields(clean(comment), keep))
        payload = {"issueId": issue_id, "comment": comment} | ({"cut": cuts} if cuts else {})
        order = microseconds(at)
        return self._event("comment", str(comment["id"]), issue_id, str(order), order, payload)

    def comment_deleted(self, issue_id: str, comment: dict[str, Any], at: int) -> SourceEvent:
        """That a comment was taken back; at: microseconds since 1970. What it said is not told again."""
        left = clean({name: comment[name] for name in ("id", "created", "author") if name in comment})
        payload = {"issueId": issue_id, "comment": left, "deleted": True}
        return self._event("comment", str(comment["id"]), issue_id, f"deleted@{at}", at, payload)

    def remote_links(self, issue_id: str, links: list[dict[str, Any]], stamp: str) -> SourceEvent:
        """The remote links. They move no time stamp in Jira: the version is their content and when it was met."""
        links = clean(links)
        fitted_links, cuts = fitted({"links": reducing.beside(links, self.keep)})
        version = f"{fingerprint(links)}@{stamp}"
        payload = {"issueId": issue_id, "links": fitted_links["links"]} | ({"cut": cuts} if cuts else {})
        native = f"{issue_id}/remotelinks"
        return self._event("remotelinks", native, issue_id, version, microseconds(self.fetched_at), payload)

    def presence(self, issue_id: str, told: Told, at: int, **more: Any) -> SourceEvent:
        """That an issue is gone, out of the filter, restricted, or there again; at: microseconds since 1970."""
        payload = {"issueId": issue_id, "told": told, **clean(more)}
        return self._event("presence", f"{issue_id}/presence", issue_id, f"{told}@{at}", at, payload)

    def hides(self, fields: dict[str, Any]) -> bool:
        """Whether these fields are of an issue that the connection does not read."""
        return bool(fields.get("security")) and not self.read_restricted

    def restricted(self, issue: dict[str, Any], updated: int) -> SourceEvent:
        """That an issue has a security level now, and nothing else of it."""
        level = word(obj(obj(issue.get("fields")).get("security")).get("name")) or ""
        return self.presence(str(issue["id"]), "restricted", updated, level=level, issueKey=word(issue.get("key")))

    def issue_fields(
        self, issue: dict[str, Any], updated: int, comments: list[dict[str, Any]] | None = None
    ) -> SourceEvent:
        """The issue without comments and history. comments None: not all of them are known."""
        fields = obj(issue.get("fields"))
        shown = {name: value for name, value in fields.items() if name not in _NOT_TOLD}
        shown, cuts = fitted(reducing.fields(clean(shown), self.keep, self.names))
        payload: dict[str, Any] = {
            "issue": clean({name: issue[name] for name in ("id", "key", "self") if name in issue}) | {"fields": shown},
            "site": self.site,
        }
        if self.names is not None:
            names = self.names
            payload["names"] = {name: names[name] for name in shown if name in names and shown[name] is not None}
        if comments is not None:
            # Also those that may not be read: that a comment stands is no content.
            payload["commentIds"] = sorted(str(comment["id"]) for comment in comments)
        if cuts:
            payload["cut"] = cuts
        return self._event("issue", str(issue["id"]), str(issue["id"]), str(updated), updated, payload)

    def _changelog(self, issue_id: str, histories: list[dict[str, Any]]) -> Iterator[SourceEvent]:
        oldest_first = sorted(rows(histories), key=lambda history: (_history_order(history), str(history.get("id"))))
        short = [reducing.history(clean(history), self.keep) for history in oldest_first]
        for place, chunk in enumerate(chunks(short)):
            last = chunk[-1]
            kinds = {one: self.kinds[one] for one in statuses_in(chunk) if one in self.kinds}
            payload = {"issueId": issue_id, "chunk": str(place), "histories": chunk, "categories": kinds}
            native = f"{issue_id}/changelog/{place}"
            yield self._event("changelog", native, issue_id, str(last.get("id")), _history_order(last), payload)

    def pushed_history(self, issue_id: str, history: dict[str, Any], timestamp: Any) -> SourceEvent:
        """One history entry as a webhook tells it: without a time of its own, the delivery's stands for it."""
        payload = {
            "issueId": issue_id,
            "timestamp": clean(timestamp),
            "histories": [reducing.history(clean(history), self.keep)],
        }
        entry = str(history["id"])
        native = f"{issue_id}/changelog/entry-{entry}"
        return self._event("changelog", native, issue_id, entry, _history_order(history), payload)

    def _event(
        self, kind: str, native_id: str, issue_id: str, version: str, order: int, payload: dict[str, Any]
    ) -> SourceEvent:
        return SourceEvent(
            connection=self.connection,
            connector="jira",
            kind=kind,
            native_id=native_id,
            artifact=artifact_id(self.connection, "issue", issue_id),
            version=version,
            order=order,
            fetched_at=self.fetched_at,
            payload=payload,
        )


def _history_order(history: dict[str, Any]) -> int:
    """The entry's id, which Jira counts up: a webhook's telling of one entry never outdoes a fetched chunk."""
    entry = word(history.get("id")) or ""
    return int(entry) if entry.isascii() and entry.isdecimal() and len(entry) < 18 else 0


def fingerprint(links: list[dict[str, Any]]) -> str:
    """A short hash of the remote links' content, whatever their order."""
    return digest(*sorted(canonical_json(link) for link in links))[:16]
