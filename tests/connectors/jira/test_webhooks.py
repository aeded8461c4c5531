"""Webhooks and reads tell one story: what a webhook told is what a read tells, however deliveries are lost or mixed."""

import asyncio
from datetime import UTC, datetime
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from connectors.contract import Delivery
from connectors.jira import connector
from schemas.events import SourceEvent
from services.sandbox.jira_webhooks import Webhooks
from tests.connectors.jira.listening import listening
from tests.connectors.jira.rigs import SECRET, CloudRig, DataCenterRig, JiraRig
from tests.connectors.rig import events_of, fold, read


class Inbox:
    """A webhook listener that keeps what comes."""

    def __init__(self) -> None:
        self.deliveries: list[Delivery] = []
        paths = ("/hook", "/hook/{token}")
        self.app = Starlette(routes=[Route(path, self._take, methods=["POST"]) for path in paths])

    async def _take(self, request: Request) -> Response:
        headers = {name.lower(): value for name, value in request.headers.items()}
        self.deliveries.append(Delivery("POST", str(request.url), headers, await request.body()))
        return Response(status_code=202)


def life(rig: JiraRig) -> None:
    """Some things that happen, a second apart."""
    issue = rig.issue(rig.create("Refunds"))

    def soon() -> dict[str, Any]:
        rig.advance(1)
        return {"at": rig.now(), "by": rig.anna}

    rig.jira.transition(issue, "In Progress", **soon())
    rig.jira.assign(issue, rig.anna, **soon())
    comment = rig.jira.comment(issue, "See OPS-1", **soon())
    rig.jira.edit_comment(issue, comment, "See OPS-2", **soon())
    rig.jira.change(issue, title="Refunds in a day", labels=["money"], **soon())
    gone = rig.jira.comment(issue, "Wrong place", **soon())
    rig.jira.delete_comment(issue, gone, **soon())
    rig.jira.link(issue, "Blocks", rig.target, **soon())
    rig.jira.transition(issue, "Done", **soon())
    short = rig.jira.create("PAY", "Short-lived", **soon())
    rig.jira.delete(short, **soon())


@pytest.mark.parametrize("rig_type", [CloudRig, DataCenterRig])
@pytest.mark.parametrize("seed", [1, 2])
async def test_lost_doubled_and_mixed_deliveries_change_nothing(rig_type: type[JiraRig], seed: int) -> None:
    inbox = Inbox()
    async with rig_type() as rig:
        with listening(inbox.app) as url:
            trouble: dict[str, Any] = {"loss": 0.3, "duplicates": 0.4, "disorder": True, "seed": seed}
            hooks = Webhooks(rig.fake, f"{url}/hook", secret=SECRET, **trouble)
            life(rig)
            statuses = await asyncio.to_thread(hooks.send)
        assert set(statuses) == {202}
        rig.settle()
        fetched = events_of(await read(rig))
        pushed: list[SourceEvent] = []
        for delivery in inbox.deliveries:
            pushed += connector.verify(rig.connection, rig.options(), delivery, rig.now()).events
        assert len(pushed) > 5
        both, alone = fold(connector, [*pushed, *fetched]).state(), fold(connector, fetched).state()
        for name, told in alone["activities"].items():
            assert both["activities"][name] == told
        kept = {key: value for key, value in both["fields"].items() if key in alone["fields"]}
        assert kept == alone["fields"]
        assert {key: both["parts"][key] for key in alone["parts"]} == alone["parts"]


async def test_a_deleted_issue_told_by_a_webhook_stays_deleted_when_older_reads_arrive() -> None:
    inbox = Inbox()
    async with CloudRig() as rig:
        artifact = rig.create("Short-lived")
        rig.settle()
        fetched = events_of(await read(rig))
        with listening(inbox.app) as url:
            hooks = Webhooks(rig.fake, f"{url}/hook", secret=SECRET, loss=0, duplicates=0)
            rig.advance(1)
            rig.delete(artifact)
            await asyncio.to_thread(hooks.send)
        (delivery,) = inbox.deliveries
        (gone,) = connector.verify(rig.connection, rig.options(), delivery, datetime(2026, 3, 3, tzinfo=UTC)).events
        for order in ([*fetched, gone], [gone, *fetched]):
            assert fold(connector, order).value(artifact, "deleted") is True
