"""The sandbox's Jira telling what happens: admin webhooks, signed when they have a secret.

    hooks = Webhooks(fake, "http://127.0.0.1:8088/hooks/jira/c-1", secret="...")
    ...  # changes
    hooks.send()

Bodies have the shape of REST v2, for Cloud with account ids. As with the real one, deliveries get lost, come twice and
in any order: how often is said by the arguments, which ones by the seed.
"""

import hashlib
import hmac
import json
import random
from collections.abc import Callable, Set
from typing import Any, Protocol

import requests

from schemas.canonical import microseconds
from services.sandbox.jira_shapes import Edition, Shapes
from services.sandbox.jira_state import Comment, Issue, JiraState

_THIN = ("summary", "status", "priority", "issuetype", "project", "assignee")


class Site(Protocol):
    """The Jira that tells."""

    state: JiraState
    edition: Edition
    url: str
    version: tuple[int, ...]


class Webhooks:
    """One webhook. Deliveries wait in `waiting` until `send`."""

    def __init__(
        self,
        fake: Site,
        url: str,
        *,
        secret: str | None = None,
        loss: float = 0.1,
        duplicates: float = 0.2,
        disorder: bool = True,
        seed: int = 1,
        events: Set[str] | None = None,
        fits: Callable[[Issue], bool] | None = None,
        thin: bool = False,
    ) -> None:
        """events: that it was entered for; None: all. fits: of which issues. thin: its bodies are left out."""
        self._events, self._fits, self._bare = events, fits, thin
        self._fake, self._url, self._secret = fake, url, secret
        self._loss, self._duplicates, self._disorder = loss, duplicates, disorder
        self._random = random.Random(seed)  # noqa: S311 - it decides which deliveries get lost, not a secret
        self._shapes = Shapes(fake.state, fake.edition, fake.url, wiki=True)
        self.waiting: list[tuple[bytes, dict[str, str]]] = []
        """(body, headers) in the order of what happened."""
        fake.state.watchers.append(self._happened)

    def close(self) -> None:
        """Hear of nothing more, and forget what waits."""
        self._fake.state.watchers.remove(self._happened)
        self.waiting.clear()

    def send(self) -> list[int]:
        """Deliver what waits: the status of each answer. A refused connection is 0, and not tried again."""
        batch, self.waiting = self.waiting, []
        batch = [one for one in batch if self._random.random() >= self._loss]
        batch += [one for one in batch if self._random.random() < self._duplicates]
        if self._disorder:
            self._random.shuffle(batch)
        return [self._post(body, headers) for body, headers in batch]

    def _post(self, body: bytes, headers: dict[str, str]) -> int:
        try:
            return requests.post(self._url, data=body, headers=headers, timeout=20).status_code
        except requests.RequestException:
            return 0

    def _happened(self, event: str, issue: Issue, by: str, parts: dict[str, Any]) -> None:
        if self._fits is not None and not self._fits(issue):
            return
        self._wait(self._body(event, issue, by, parts))
        comment = parts.get("comment")
        if comment is not None and event != "comment_deleted":
            # A comment fires twice: for itself, and as a change of its issue.
            kind = "issue_commented" if event == "comment_created" else "issue_comment_edited"
            body = self._body("jira:issue_updated", issue, by, parts)
            self._wait(body | {"issue_event_type_name": kind})

    def _body(self, event: str, issue: Issue, by: str, parts: dict[str, Any]) -> dict[str, Any]:
        at = parts.get("at", issue.updated)
        body: dict[str, Any] = {"timestamp": microseconds(at) // 1000, "webhookEvent": event}
        about_comment = event.startswith("comment_")
        shown = self._shapes.issue(issue, list(_THIN) if about_comment else ["*all", "-comment"])
        body["issue"] = {name: shown[name] for name in ("id", "self", "key", "fields")}
        if not about_comment:
            body |= {"user": self._shapes.user(by), "issue_event_type_name": "issue_generic"}
        if "history" in parts:
            entry = self._shapes.history(parts["history"])
            body["changelog"] = {"id": entry["id"], "items": entry["items"]}
        comment: Comment | None = parts.get("comment")
        if comment is not None:
            body["comment"] = self._shapes.comment(issue, comment)
        return body

    def _wait(self, body: dict[str, Any]) -> None:
        if self._events is not None and body["webhookEvent"] not in self._events:
            return
        raw = b"" if self._bare else json.dumps(body).encode()
        identifier = hashlib.sha256(raw).hexdigest()[:32]
        headers = {"Content-Type": "application/json", "X-Atlassian-Webhook-Identifier": identifier}
        if self._secret:
            signature = hmac.new(self._secret.encode(), raw, hashlib.sha256).hexdigest()
            headers["X-Hub-Signature"] = f"sha256={signature}"
        self.waiting.append((raw, headers))
