"""Jira Cloud and Data Center as rigs for the contract tests."""

import asyncio
import ssl
from collections.abc import Sequence
from datetime import timedelta
from functools import cache
from typing import Any, ClassVar, Self

import requests
from pydantic import SecretStr

from connectors.contract import HubError, Misconfigured, RetryLater, Surroundings
from connectors.jira import connector
from connectors.jira.options import ApiToken, JiraOptions, PersonalAccessToken
from connectors.transport import Limiter, Network, Policy
from schemas.events import SourceEvent
from services.sandbox.jira import FakeJira
from services.sandbox.jira_shapes import Edition
from services.sandbox.jira_state import Issue
from tests.connectors.jira.recorded import recordings
from tests.connectors.rig import Rig

SECRET = "webhook-secret-9f3a"


class PatientNetwork(Network):
    """The real one with a time-out of its own: short enough to wait for where the fake is slow."""

    patience = 30.0

    def guard(self, session: requests.Session, ca_file: str | None = None, *, timeout: float = 60.0) -> None:
        super().guard(session, ca_file, timeout=self.patience)

    def tls(self, ca_file: str | None = None) -> ssl.SSLContext:
        return _tls(self, ca_file)


@cache
def _context() -> ssl.SSLContext:
    return Network(Policy(), Limiter()).tls()


def _tls(network: Network, ca_file: str | None) -> ssl.SSLContext:
    """Loading the system's authorities takes a while, and tests open many connections."""
    return _context() if ca_file is None else Network.tls(network, ca_file)


class Ticks:
    """A clock that only waiting moves: whoever waits for a turn does not wait."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now

    def wait(self, seconds: float) -> None:
        self.now += max(seconds, 0.001)


def network(patience: float = 30.0) -> Network:
    """Loopback allowed, no waiting for turns. patience: seconds for an answer."""
    ticks = Ticks()
    limiter = Limiter("Jira", requests=1e6, share=1, clock=ticks, block=ticks.wait)
    found = PatientNetwork(Policy(allow_loopback=True), limiter)
    found.patience = patience
    return found


class JiraRig(Rig):
    """A fake Jira with a few people in it. Pages hold five issues."""

    connector = connector
    edition: ClassVar[Edition]
    lag = timedelta(seconds=100)
    faults: ClassVar[dict[str, type[HubError]]] = {
        "500": RetryLater,
        "502": RetryLater,
        "503": RetryLater,
        "429": RetryLater,
        "slow": RetryLater,
        "html": RetryLater,
        "cut": RetryLater,
        "empty": RetryLater,
        "401": Misconfigured,
        "403": Misconfigured,
        "410": Misconfigured,
        "anonymous": Misconfigured,
    }
    evidence = ("title", "description", "comment", "link", "parent", "remote link")

    def __init__(self) -> None:
        super().__init__()
        self.fake = FakeJira(self.edition, now=self.now, lag=self.lag, page_cap=5, burst=100_000)
        self.jira = self.fake.hands
        self.anna = self.fake.state.add_user("Anna Kern", "anna@acme.example")
        self.fake.state.add_project("PAY", "Payments")
        self.fake.state.add_project("OPS", "Operations")
        self.target = self.jira.create("OPS", "What others name", at=self.clock, by=self.anna)
        self._undo: dict[str, Any] = {}

    async def __aenter__(self) -> Self:
        await asyncio.to_thread(self.fake.__enter__)
        return self

    async def __aexit__(self, *_: object) -> None:
        await asyncio.to_thread(self.fake.__exit__)

    def surroundings(self) -> Surroundings:
        return Surroundings(self.now, network(0.4 if "slow" in self.fake.faults else 30.0))

    def options(self, **more: Any) -> JiraOptions:
        auth = (
            ApiToken(email=self.fake.email, token=SecretStr(self.fake.token))
            if self.edition == "cloud"
            else PersonalAccessToken(token=SecretStr(self.fake.token))
        )
        given: dict[str, Any] = {"base_url": self.fake.url, "edition": self.edition, "auth": auth}
        given |= {"projects": ("PAY", "OPS"), "page_size": 5, "webhook_secret": SECRET}
        return JiraOptions(**(given | more))

    def create(self, title: str) -> str:
        issue = self.jira.create("PAY", title, at=self.clock, by=self.anna)
        return f"{self.connection}/issue/{issue.id}"

    def issue(self, artifact: str) -> Issue:
        return self.fake.state.issues[artifact.rpartition("/")[2]]

    def change(self, artifact: str) -> None:
        issue = self.issue(artifact)
        status = "In Progress" if issue.status == "To Do" else "To Do"
        self.jira.transition(issue, status, at=self.clock, by=self.anna)

    def delete(self, artifact: str) -> None:
        self.jira.delete(self.issue(artifact), at=self.clock, by=self.anna)

    def fault(self, name: str, *, on: bool) -> None:
        self.fake.fault(name, on=on)

    def add_evidence(self, kind: str, artifact: str) -> str:
        issue = self.issue(artifact)
        by: dict[str, Any] = {"at": self.clock, "by": self.anna}
        if kind == "title":
            self.jira.change(issue, title="Refunds, see OPS-99", **by)
            return "Refunds, see OPS-99"
        if kind == "description":
            self.jira.change(issue, description="As said in CRM-7", **by)
            return "As said in CRM-7"
        if kind == "comment":
            self._undo[kind] = self.jira.comment(issue, "Belongs to MKT-5", **by)
            return "Belongs to MKT-5"
        if kind == "link":
            self._undo[kind] = self.jira.link(issue, "Implements", self.target, **by)
            return f"jira.key|{self.target.key}"
        if kind == "parent":
            self.jira.change(issue, type="Sub-task", parent=self.target.id, **by)
            return f"jira.issue|{self.target.id}"
        self._undo[kind] = self.jira.remote_link(issue, "https://Wiki.example/Page/7#top", "Minutes")
        return "url|https://wiki.example/Page/7"

    def remove_evidence(self, kind: str, artifact: str) -> None:
        issue = self.issue(artifact)
        by: dict[str, Any] = {"at": self.clock, "by": self.anna}
        if kind == "title":
            self.jira.change(issue, title="Refunds", **by)
        elif kind == "description":
            self.jira.change(issue, description="", **by)
        elif kind == "comment":
            self.jira.delete_comment(issue, self._undo[kind], **by)
        elif kind == "link":
            self.jira.unlink(issue, self._undo[kind], **by)
        elif kind == "parent":
            self.jira.change(issue, type="Story", parent=None, **by)
        else:
            self.jira.remove_remote_link(issue, self._undo[kind])

    @property
    def writes(self) -> Sequence[str]:
        """Webhooks, too: reading enters none."""
        return [*self.fake.writes, *(f"{method} {path}" for method, path in self.fake.registry.written)]

    @property
    def secrets(self) -> Sequence[str]:
        return (self.fake.token, SECRET)

    @classmethod
    def recordings(cls) -> Sequence[SourceEvent]:
        return recordings()


class CloudRig(JiraRig):
    edition = "cloud"


class DataCenterRig(JiraRig):
    edition = "datacenter"
