"""Whatever happens in an account, in whatever order it is polled, counted, hinted at and killed: the hub ends right."""

import json
import random
from typing import Any

import pytest

from services.sandbox.hubspot_account import Record
from services.sandbox.hubspot_webhooks import Webhooks
from tests.connectors.hubspot.rig import HubSpotRig
from tests.connectors.rig import Folded, Runner, events_of, fold, read

SECRET = "app-secret-1234"


class Life:
    """A rig whose account lives a random life, with a feed that hears of it."""

    def __init__(self, rig: HubSpotRig, seed: int) -> None:
        self.rig, self.random, self.runner = rig, random.Random(seed), Runner(rig, seed)
        self.census_cursor: dict[str, Any] | None = None
        self.hooks = Webhooks(rig.account, "https://hub.example/x", SECRET, seed=seed, loss=0.4, twice=0.3)

    def some(self, kind: str) -> str | None:
        living = [record.id for record in self.rig.account.living(kind)]
        return self.random.choice(living) if living else None

    def happen(self) -> None:
        account, deal, ticket = self.rig.account, self.some("deal"), self.some("ticket")
        what = self.random.choice(
            ["deal", "stage", "stage", "link", "unlink", "archive", "restore", "merge", "note", "ticket"]
        )
        if what == "deal" or deal is None:
            self.rig.create(f"Deal {self.random.random()}")
        elif what == "ticket" or ticket is None:
            account.create_ticket(f"Ticket {self.random.random()}", by=self.rig.owner)
        elif what == "stage":
            self.rig.change(f"/{deal}")
        elif what == "note":
            account.create_note("Said", ("deal", deal), by=self.rig.owner)
        elif what in ("link", "unlink"):
            change = account.associate if what == "link" else account.dissociate
            change(("deal", deal), ("ticket", ticket))
        else:
            self.fade(what, deal)

    def fade(self, what: str, deal: str) -> None:
        account, other = self.rig.account, self.some("deal")
        binned = [record.id for record in account.living("deal", archived=True)]
        if what == "archive":
            account.archive("deal", deal)
        elif what == "restore" and binned:
            account.restore("deal", self.random.choice(binned))
        elif what == "merge" and other and other != deal:
            account.merge("deal", deal, other, new_id=self.random.random() < 0.5)

    def is_read(self, record: Record) -> bool:
        """Whether a record is there for the connector: a note only while it lies on a deal."""
        if record.archived_at is not None or record.merged_into:
            return False
        around = self.rig.account.associations.get((record.kind, record.id), {})
        return record.kind != "note" or any(self.rig.account.there(key) for key in around if key[0] == "deal")

    async def hear(self) -> None:
        """A poll, a census or webhooks; often killed half-way."""
        what = self.random.choice(["poll", "poll", "census", "webhooks", "nothing"])
        if what == "poll":
            await self.runner.step(kill=self.random.random() < 0.6)
        elif what == "census":
            await self.count(self.random.randint(0, 2))
        elif what == "webhooks":
            for delivery in self.hooks.due():
                pushed = self.rig.connector.verify("c-test", self.rig.options(), delivery, self.rig.now())
                async with self.rig.connector.open("c-test", self.rig.options(), self.rig.surroundings()) as source:
                    self.runner.published += events_of([page async for page in source.fetch(pushed.hints)])

    async def count(self, at_most: int = 1000) -> None:
        """A census, or so many pages of it; the cursor of the last page is lost with the kill."""
        known = dict.fromkeys((event.artifact for event in self.runner.published), "")
        async with self.rig.connector.open("c-test", self.rig.options(), self.rig.surroundings()) as source:
            stream = source.census(known, json.loads(json.dumps(self.census_cursor)))
            pages = []
            async for page in stream:
                pages.append(page)
                self.runner.published += page.events
                if len(pages) > at_most:
                    break
                self.census_cursor = page.cursor
            await stream.aclose()  # type: ignore[attr-defined]


def living(folded: Folded, artifacts: set[str]) -> dict[str, Any]:
    """Everything told about these artifacts."""
    state = folded.state()
    return {
        "fields": {key: value for key, value in state["fields"].items() if key[0] in artifacts},
        "parts": {key: value for key, value in state["parts"].items() if key[0] in artifacts},
        "activities": {key: each for key, each in state["activities"].items() if each.artifact in artifacts
                       and "/deleted/" not in key},
    }  # fmt: skip


def lives_on_in(folded: Folded, artifact: str) -> str:
    """The end of a chain of merges."""
    while into := folded.value(artifact, "merged_into"):
        artifact = into
    return artifact


@pytest.mark.parametrize("seed", [*range(4), *(pytest.param(seed, marks=pytest.mark.soak) for seed in range(4, 60))])
async def test_any_life_is_told(seed: int) -> None:
    async with HubSpotRig() as rig:
        life = Life(rig, seed)
        for _ in range(30):
            life.happen()
            rig.advance(life.random.choice([0.001, 0.5, 3, 40, 200]))
            await life.hear()
            rig.advance(0.001)
        rig.settle()
        await life.runner.step(kill=False)
        await life.count()
        await life.count()
        account = rig.account
        there = {f"c-test/{record.kind}/{record.id}" for record in account.records.values() if life.is_read(record)}
        fresh = events_of(await read(rig))
        told = fold(rig.connector, life.runner.published)
        truth = fold(rig.connector, fresh)
        ours, true = living(told, there), living(truth, there)
        for part, pieces in true.items():
            wrong = {key: (ours[part].get(key), value) for key, value in pieces.items() if ours[part].get(key) != value}
            assert wrong == {}, part
            assert ours[part].keys() == pieces.keys()
        assert {key[0] for key in told.fields} >= there
        for record in account.records.values():
            artifact = f"c-test/{record.kind}/{record.id}"
            if artifact not in {event.artifact for event in life.runner.published}:
                continue
            if record.merged_into:
                survivor = account.found(record.kind, record.id)
                assert survivor is not None
                assert lives_on_in(told, artifact) == f"c-test/{record.kind}/{survivor.id}"
            else:
                assert bool(told.value(artifact, "deleted")) is (record.archived_at is not None), artifact
        assert rig.writes == []
