"""Webhooks of Jira: prove the sender over the raw bytes, then source events, or hints of issues to fetch.

Admin webhooks with a secret are signed: `X-Hub-Signature: sha256=<hex>`, HMAC-SHA256 of the body
(developer.atlassian.com/cloud/jira/platform/webhooks). Others prove nothing but that they know an unguessable address:
what they say is only a hint. Bodies have the shape of REST v2. Duplicates and disorder are normal.
"""

import hashlib
import hmac
import json
import re
from datetime import UTC, datetime
from typing import Any

from pydantic import SecretStr

from connectors.contract import BadRecord, Delivery, Misconfigured, Pushed, Unverified
from connectors.jira.cursor import milliseconds
from connectors.jira.links import issue_key
from connectors.jira.options import JiraOptions
from connectors.jira.shapes import moment, obj, word
from connectors.jira.telling import Teller
from schemas.canonical import microseconds
from schemas.events import SourceEvent

_ISSUE_IN_SELF = re.compile(r"/issue/(\d{1,18})/comment/")


def verify(connection: str, options: JiraOptions, delivery: Delivery, now: datetime) -> Pushed:
    """What a proven delivery holds. Raises Unverified, BadRecord."""
    signed = _signed(options.webhook_secret, delivery)
    if not signed and not _knows_the_address(options.webhook_token, delivery):
        raise Unverified("The delivery is neither signed with the webhook's secret nor sent to its own address")
    body = _body(delivery.body)
    identifier = delivery.headers.get("x-atlassian-webhook-identifier", "")
    at = datetime.fromtimestamp(milliseconds(now) / 1000, UTC)
    teller = Teller(connection, options.keep, options.read_restricted, options.base_url, None, at)
    # A further filter can only be judged by Jira itself.
    trusted = signed and not options.extra_jql
    said = _Webhook(body, options, teller)
    events = said.events() if trusted else []
    hints = said.hints() if not events or said.hides_something else ()
    pushed = tuple(event.model_copy(update={"form": "pushed"}) for event in events)
    return Pushed(events=pushed, hints=tuple(hints), delivery=identifier)


def trial(options: JiraOptions, url: str, now: datetime) -> Delivery:
    """A delivery that tells nothing, proved as Jira would. url: the webhook's address. Raises Misconfigured."""
    body = json.dumps({"webhookEvent": "throughline:trial", "timestamp": milliseconds(now)}).encode()
    if options.webhook_secret is not None:
        signature = hmac.new(options.webhook_secret.get_secret_value().encode(), body, hashlib.sha256).hexdigest()
        return Delivery("POST", url, {"x-hub-signature": f"sha256={signature}"}, body)
    if options.webhook_token is None:
        raise Misconfigured("This connection has no webhook secret", "Enter one here and in Jira", "webhook_secret")
    return Delivery("POST", f"{url}/{options.webhook_token.get_secret_value()}", {}, body)


def _signed(secret: SecretStr | None, delivery: Delivery) -> bool:
    """Whether the body carries our signature. A wrong one is refused whatever else would prove it."""
    given = delivery.headers.get("x-hub-signature", "")
    if secret is None or not given:
        return False
    own = hmac.new(secret.get_secret_value().encode(), delivery.body, hashlib.sha256).hexdigest()
    if not hmac.compare_digest(f"sha256={own}".encode(), given.strip().lower().encode()):
        raise Unverified("The delivery's signature does not fit the webhook's secret")
    return True


def _knows_the_address(token: SecretStr | None, delivery: Delivery) -> bool:
    last = delivery.url.partition("?")[0].rstrip("/").rpartition("/")[2]
    return token is not None and hmac.compare_digest(token.get_secret_value().encode(), last.encode())


def _body(raw: bytes) -> dict[str, Any]:
    try:
        body = json.loads(raw)
    except (ValueError, RecursionError):
        raise BadRecord("body: not JSON; set the webhook's format to JSON") from None
    if not isinstance(body, dict):
        raise BadRecord("body: a JSON object is needed")
    return body


class _Webhook:
    """One delivery's body, read as far as it goes."""

    def __init__(self, body: dict[str, Any], options: JiraOptions, teller: Teller) -> None:
        self._body, self._options, self._teller = body, options, teller
        self._kind = word(body.get("webhookEvent")) or ""
        self._issue = obj(body.get("issue"))
        self._fields = obj(self._issue.get("fields"))
        self._comment = obj(body.get("comment"))

    @property
    def hides_something(self) -> bool:
        """Data Center tells that a comment was deleted, but not which; and a custom field that holds an issue's key may
        be the link to its epic: only Jira itself says which field is what."""
        return self._body.get("issue_event_type_name") == "issue_comment_deleted" or self._may_name_an_epic()

    def _may_name_an_epic(self) -> bool:
        custom = (value for name, value in self._fields.items() if name.startswith("customfield_"))
        return any(isinstance(value, str) and issue_key(value) for value in custom)

    def hints(self) -> list[str]:
        """Ids of the issues that it is about."""
        link = obj(self._body.get("issueLink"))
        found = [self._issue_id(), word(link.get("sourceIssueId")), word(link.get("destinationIssueId"))]
        return list(dict.fromkeys(issue for issue in found if issue))

    def events(self) -> list[SourceEvent]:
        """What it tells in full; empty where it is thin, or speaks of a project that is not read."""
        project = word(obj(self._fields.get("project")).get("key"))
        if project is None or (self._options.projects and project not in self._options.projects):
            return []
        issue_id = self._issue_id()
        if issue_id is None or self._teller.hides(self._fields):
            return []
        if self._kind == "jira:issue_deleted":
            return self._deleted(issue_id)
        if self._kind.startswith("comment_"):
            return self._comments(issue_id)
        return self._changes(issue_id) if self._kind in ("jira:issue_created", "jira:issue_updated") else []

    def _issue_id(self) -> str | None:
        """Data Center's comment events hold no issue: the comment's own address names it."""
        issue = word(self._issue.get("id"))
        match = _ISSUE_IN_SELF.search(word(self._comment.get("self")) or "")
        return issue or (match[1] if match else None)

    def _deleted(self, issue_id: str) -> list[SourceEvent]:
        at = moment(self._body.get("timestamp"))
        if at is None:
            return []
        more = {"timestamp": self._body["timestamp"], "user": obj(self._body.get("user"))}
        return [self._teller.presence(issue_id, "deleted", microseconds(at), **more)]

    def _comments(self, issue_id: str) -> list[SourceEvent]:
        if word(self._comment.get("id")) is None:
            return []
        if self._kind != "comment_deleted":
            return [self._teller.comment(issue_id, self._comment)]
        at = moment(self._body.get("timestamp"))
        return [self._teller.comment_deleted(issue_id, self._comment, microseconds(at))] if at else []

    def _changes(self, issue_id: str) -> list[SourceEvent]:
        updated = moment(self._fields.get("updated"))
        if updated is None:
            return []
        # Told without its epic, the issue would leave its request until the next read.
        whole = not self._may_name_an_epic()
        events = [self._teller.issue_fields(self._issue, microseconds(updated))] if whole else []
        changelog = obj(self._body.get("changelog"))
        # The changes of a creation stand in no history that can be read later.
        if word(changelog.get("id")) and changelog.get("items") and self._kind == "jira:issue_updated":
            history = {"id": changelog["id"], "author": self._body.get("user"), "items": changelog["items"]}
            events.append(self._teller.pushed_history(issue_id, history, self._body.get("timestamp")))
        if word(self._comment.get("id")):
            events.append(self._teller.comment(issue_id, self._comment))
        return events
