"""The tests every connector passes. A connector's own test module inherits them:

class TestContract(ConnectorContract):
    rig_type = JiraCloudRig
"""

import copy
import json
from collections.abc import AsyncIterator
from datetime import datetime
from typing import Any, ClassVar

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from connectors.contract import BadRecord, Delivery, Describes, HubError, Page, Unverified, described
from connectors.inventories import inventory
from schemas.artifacts import FIELDS, REFERENCE_KINDS, Evidence, Mapped
from schemas.canonical import canonical_json
from schemas.events import MAX_EVENT_BYTES, SourceEvent, to_kafka
from tests.connectors.rig import Rig, Runner, events_of, fold, read


class ConnectorContract:
    """Inherit, and name the rig."""

    rig_type: ClassVar[type[Rig]]
    things = 12
    """How many things a test puts into the tool: more than one page holds."""

    @pytest.fixture
    async def rig(self) -> AsyncIterator[Rig]:
        async with self.rig_type() as rig:
            yield rig
            assert rig.writes == [], "a connector only reads"

    @pytest.fixture
    async def filled(self, rig: Rig) -> Rig:
        """A tool with things in it, all of them visible."""
        for number in range(self.things):
            artifact = rig.create(f"Thing {number}")
            rig.advance(1)
            rig.change(artifact)
            rig.advance(6)
        rig.settle()
        return rig

    # --- the form that people fill in, and the check ---

    def test_options_explain_themselves(self) -> None:
        fields = self.rig_type.connector.Options.model_fields
        assert [name for name, info in fields.items() if not info.title or not info.description] == []

    def test_default_stage_map_gives_reasons(self) -> None:
        connector = self.rig_type.connector
        assert [rule for rule in connector.stages if not rule.reason or rule.connector != connector.name] == []
        assert set(connector.link_kinds.values()) <= {"joins", "depends on", "mentions"}
        assert [relation for relation in connector.link_kinds if relation != relation.lower()] == []

    async def test_check_goes_well(self, filled: Rig) -> None:
        async with filled.connector.open(filled.connection, filled.options(), filled.surroundings()) as source:
            steps = [step async for step in source.check()]
        assert steps
        assert [step for step in steps if not step.ok or not step.says] == []

    async def test_check_ends_at_the_first_failure_and_never_raises(self, filled: Rig) -> None:
        for name in filled.faults:
            filled.fault(name, on=True)
            async with filled.connector.open(filled.connection, filled.options(), filled.surroundings()) as source:
                steps = [step async for step in source.check()]
            filled.fault(name, on=False)
            assert [step.ok for step in steps[:-1]] == [True] * (len(steps) - 1), name
            self.holds_no_secret(filled, " ".join(step.says for step in steps))

    # --- reading ---

    async def test_first_read_tells_everything(self, filled: Rig) -> None:
        pages = await read(filled)
        titles = {value for (_, name), (_, value) in fold(filled.connector, events_of(pages)).fields.items()
                  if name == "title"}  # fmt: skip
        assert {f"Thing {number}" for number in range(self.things)} <= titles
        assert pages[-1].more is False
        assert pages[-1].true_up_to is not None
        assert pages[-1].true_up_to <= filled.now()

    async def test_reading_twice_gives_the_same_events(self, filled: Rig) -> None:
        first = {event.id: event.payload for event in events_of(await read(filled))}
        second = {event.id: event.payload for event in events_of(await read(filled))}
        assert first == second

    async def test_resumes_from_any_cursor(self, filled: Rig) -> None:
        pages = await read(filled)
        assert len(pages) > 1, "the test needs more than one page"
        everything = {event.id for event in events_of(pages)}
        for place, page in enumerate(pages):
            before = {event.id for event in events_of(pages[: place + 1])}
            after = {event.id for event in events_of(await read(filled, page.cursor))}
            assert before | after == everything, f"lost after page {place}"

    async def test_a_second_poll_tells_nothing_twice(self, filled: Rig) -> None:
        last = (await read(filled))[-1].cursor
        for _ in range(3):
            filled.advance(60)
            pages = await read(filled, last)
            assert events_of(pages) == []
            last = pages[-1].cursor if pages else last

    async def test_cursor_is_plain_json(self, filled: Rig) -> None:
        for page in await read(filled):
            assert json.loads(canonical_json(page.cursor)) == page.cursor

    async def test_events_are_small_and_free_of_secrets(self, filled: Rig) -> None:
        for event in events_of(await read(filled)):
            _, value, _ = to_kafka(event)
            assert len(value) <= MAX_EVENT_BYTES
            self.holds_no_secret(filled, value.decode())

    @pytest.mark.parametrize(
        "seed", [*range(4), *(pytest.param(seed, marks=pytest.mark.soak) for seed in range(4, 60))]
    )
    async def test_nothing_is_lost_when_killed_between_pages(self, rig: Rig, seed: int) -> None:
        runner = Runner(rig, seed)
        known = [rig.create(f"Early {number}") for number in range(12)]
        for number in range(12):
            rig.advance(runner.random.choice([0.002, 0.02, 1, 20, 45, 900, 7200]))
            rig.change(runner.random.choice(known))
            rig.advance(0.002)  # no tool tells two changes of one thing in the same millisecond apart
            if number % 3 == 0:
                known.append(rig.create(f"Late {number}"))
            await runner.step(kill=True)
        for _ in range(2):  # a poll may just end what an earlier one began
            rig.settle()
            await runner.step(kill=False)
        truth = fold(rig.connector, events_of(await read(rig)))
        assert fold(rig.connector, runner.published).state() == truth.state()

    async def test_nothing_is_lost_to_late_visibility(self, rig: Rig) -> None:
        """Things become visible after younger ones; polls go on all the while."""
        runner = Runner(rig, 7)
        known: list[str] = []
        for number in range(10):
            known.append(rig.create(f"Thing {number}"))
            rig.advance(0.002)
            rig.change(known[number // 2])
            rig.advance(13)
            await runner.step(kill=False)
        rig.settle()
        await runner.step(kill=False)
        truth = fold(rig.connector, events_of(await read(rig)))
        assert fold(rig.connector, runner.published).state() == truth.state()
        assert {rig.connector.map(event).artifact for event in runner.published} >= set(known)

    @pytest.mark.parametrize("broken_off", [False, True])
    async def test_nothing_is_lost_that_comes_during_a_long_read(self, rig: Rig, *, broken_off: bool) -> None:
        """It takes hours; something new comes, and later what it has still to come to changes."""
        known = []
        for number in range(30):
            known.append(rig.create(f"Thing {number}"))
            rig.advance(1)
        rig.settle()
        told: list[Page] = []
        async with rig.connector.open(rig.connection, rig.options(), rig.surroundings()) as source:
            async for page in source.pages(None, None):
                told.append(page)
                if len(told) == 1:
                    rig.advance(3600)
                    known.append(rig.create("Meanwhile"))
                    rig.advance(3600)
                    rig.change(known[25])
                    rig.settle()
                if broken_off and page.events and len(told) > 1:
                    break
        if broken_off:
            told += await read(rig, told[-1].cursor)
        for _ in range(2):
            rig.settle()
            told += await read(rig, told[-1].cursor)
        truth = fold(rig.connector, events_of(await read(rig)))
        assert {rig.connector.map(event).artifact for event in events_of(told)} >= set(known)
        assert fold(rig.connector, events_of(told)).state() == truth.state()

    # --- the tool in trouble ---

    async def test_every_fault_has_its_outcome_and_loses_nothing(self, filled: Rig) -> None:
        cursor = (await read(filled))[-1].cursor
        for name, expected in filled.faults.items():
            artifact = filled.create(f"During {name}")
            filled.settle()
            filled.fault(name, on=True)
            with pytest.raises(HubError) as caught:
                await read(filled, cursor)
            filled.fault(name, on=False)
            assert isinstance(caught.value, expected), f"{name}: {caught.value!r}"
            self.holds_no_secret(filled, f"{caught.value} {caught.value!r}")
            pages = await read(filled, cursor)
            assert artifact in {event.artifact for event in events_of(pages)}, f"lost during {name}"
            cursor = pages[-1].cursor

    async def test_faults_in_the_middle_of_a_first_read_lose_nothing(self, filled: Rig) -> None:
        everything = {event.id for event in events_of(await read(filled))}
        for name in filled.faults:
            start = await read(filled, at_most=1)
            filled.fault(name, on=True)
            with pytest.raises(HubError):
                await read(filled, start[-1].cursor)
            filled.fault(name, on=False)
            rest = await read(filled, start[-1].cursor)
            assert {event.id for event in events_of([*start, *rest])} == everything, name

    # --- census, deletes, evidence ---

    async def test_a_delete_is_told_by_the_census(self, filled: Rig) -> None:
        events = events_of(await read(filled))
        known = dict.fromkeys((event.artifact for event in events), "")
        victim = filled.create("Victim")
        filled.settle()
        events += events_of(await read(filled))
        filled.advance(60)
        filled.delete(victim)
        filled.settle()
        async with filled.connector.open(filled.connection, filled.options(), filled.surroundings()) as source:
            pages = [page async for page in source.census(known | {victim: ""}, None)]
        folded = fold(filled.connector, [*events, *events_of(pages)])
        assert folded.value(victim, "deleted") is True
        assert [artifact for artifact in known if folded.value(artifact, "deleted")] == []

    async def test_evidence_comes_and_goes(self, filled: Rig) -> None:
        for kind in filled.evidence:
            artifact = filled.create(f"Evidence {kind}")
            told = await self._look(filled, [], artifact)
            expected = filled.add_evidence(kind, artifact)
            told = await self._look(filled, told, artifact)
            assert expected in fold(filled.connector, told).says(artifact), f"{kind} is not told"
            filled.remove_evidence(kind, artifact)
            told = await self._look(filled, told, artifact)
            assert expected not in fold(filled.connector, told).says(artifact), f"{kind} is not taken back"

    async def _look(self, rig: Rig, told: list[SourceEvent], artifact: str) -> list[SourceEvent]:
        """Everything told so far, after a poll and a census."""
        rig.settle()
        told = [*told, *events_of(await read(rig))]
        known = dict.fromkeys((event.artifact for event in told), "")
        async with rig.connector.open(rig.connection, rig.options(), rig.surroundings()) as source:
            pages = [page async for page in source.census(known, None)]
        rig.advance(60)
        return [*told, *events_of(pages)]

    async def test_a_hint_fetches_the_full_telling(self, filled: Rig) -> None:
        event = events_of(await read(filled))[0]
        async with filled.connector.open(filled.connection, filled.options(), filled.surroundings()) as source:
            pages = [page async for page in source.fetch([event.artifact.split("/", 2)[2]])]
        assert event.artifact in {told.artifact for told in events_of(pages)}
        assert [page.cursor for page in pages if page.cursor] == []

    # --- what is watched beside reading ---

    async def test_the_inventory_is_what_was_read(self, filled: Rig) -> None:
        events = events_of(await read(filled))
        folded = fold(filled.connector, events)
        async with filled.connector.open(filled.connection, filled.options(), filled.surroundings()) as source:
            listed = [one async for some in inventory(source, None) for one in some]
        assert {one.artifact for one in listed} == {event.artifact for event in events}
        for one in listed:
            known = folded.value(one.artifact, "updated_at")
            assert one.changed_at is None or known is None or one.changed_at == datetime.fromisoformat(known)

    async def test_what_is_listed_can_be_fetched_by_its_hint(self, filled: Rig) -> None:
        async with filled.connector.open(filled.connection, filled.options(), filled.surroundings()) as source:
            listed = [one async for some in inventory(source, None) for one in some]
            wanted = next(one for one in listed if one.hint)
            pages = [page async for page in source.fetch([wanted.hint])]
        assert wanted.artifact in {event.artifact for event in events_of(pages)}

    async def test_a_cursor_is_said_in_words(self, filled: Rig) -> None:
        pages = await read(filled)
        words = [described(filled.connector, page.cursor) for page in pages]
        assert words[-1], "the connector describes no cursor"
        assert "{" not in "".join(words)
        assert described(filled.connector, None) == ""
        assert isinstance(filled.connector, Describes)
        assert isinstance(filled.connector.describe({"of": ["another release"]}), str)

    # --- webhooks ---

    def test_an_unproven_delivery_is_refused(self) -> None:
        rig = self.rig_type()
        delivery = Delivery("POST", "https://hub.example/hook", {"content-type": "application/json"}, b"{}")
        with pytest.raises(Unverified):
            rig.connector.verify(rig.connection, rig.options(), delivery, rig.now())

    # --- mapping ---

    def test_mapping_is_pure_and_uses_the_hubs_words(self) -> None:
        recordings = self.rig_type.recordings()
        assert recordings
        for event in recordings:
            before = copy.deepcopy(event.payload)
            mapped = self.rig_type.connector.map(event)
            assert mapped == self.rig_type.connector.map(event)
            assert event.payload == before
            self.speaks_the_hubs_words(event, mapped)

    @staticmethod
    def speaks_the_hubs_words(event: SourceEvent, mapped: Mapped) -> None:
        """Only known fields, kinds of references and natural keys; everything storable as JSON."""
        assert (mapped.artifact, mapped.connection) == (event.artifact, event.connection)
        assert set(mapped.fields) <= set(FIELDS)
        canonical_json(mapped.fields)
        references = [reference for part in mapped.parts.values() for reference in part.references]
        assert [one.kind for one in references if one.kind not in REFERENCE_KINDS and "." not in one.kind] == []
        assert [one for one in references if (one.relation == "is") != (one.evidence is Evidence.IDENTITY)] == []
        keys = [activity.key for activity in mapped.activities]
        assert len(keys) == len(set(keys))
        identities = [identity.id for identity in mapped.identities]
        assert len(identities) == len(set(identities))
        assert {one.actor for one in mapped.activities if one.actor} <= set(identities)

    @given(data=st.data())
    @settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
    def test_mapping_raises_nothing_but_bad_record(self, data: st.DataObject) -> None:
        event = data.draw(st.sampled_from(list(self.rig_type.recordings())))
        payload = copy.deepcopy(event.payload)
        for _ in range(data.draw(st.integers(1, 4))):
            _damage(payload, data)
        damaged = event.model_copy(update={"payload": payload})
        try:
            mapped = self.rig_type.connector.map(damaged)
        except BadRecord:
            return
        self.speaks_the_hubs_words(damaged, mapped)

    @staticmethod
    def holds_no_secret(rig: Rig, text: str) -> None:
        """No secret of the options is in the text."""
        assert [secret for secret in rig.secrets if secret in text] == []


_JUNK: st.SearchStrategy[Any] = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(allow_nan=False, allow_infinity=False),
    st.sampled_from(["", "\x00", "2026-13-45T99:99", "9" * 400, "\U0001f9ff PAY-1", "https://[", "<p", "null"]),
    st.just([]),
    st.just({}),
    st.just([None, 1, "x", [{}]]),
    st.just({"id": {"id": []}, "key": 7}),
)


def _damage(payload: dict[str, Any], data: st.DataObject) -> None:
    """Walk down to some place in the payload, and replace or remove what is there."""
    place: Any = payload
    while True:
        steps = list(place) if isinstance(place, dict) else list(range(len(place)))
        if not steps:
            return
        step = data.draw(st.sampled_from(steps))
        if isinstance(place[step], dict | list) and place[step] and data.draw(st.integers(0, 4)):
            place = place[step]
            continue
        if isinstance(place, dict) and data.draw(st.booleans()):
            del place[step]
        else:
            place[step] = copy.deepcopy(data.draw(_JUNK))
        return
