"""What a connection does not keep of a record's texts stands in no event; what it says about other things stays."""

import html
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.hubspot import connector
from connectors.hubspot.options import Options
from connectors.hubspot.reducing import reduced
from connectors.keeping import Keep
from pipelines.references import find
from schemas.artifacts import Mapped, artifact_id
from schemas.events import SourceEvent, to_kafka
from tests.connectors.hubspot.company import build
from tests.connectors.hubspot.rig import HubSpotRig
from tests.connectors.rig import events_of, read

CANARY = "zebrafinch"
LONG = "so " * 170
HEADERS = {"from": {"email": "kim@customer.example", "firstName": "Kim", "note": CANARY}, "subject": CANARY}
OLDER = f'<div class="gmail_quote">On Monday Olga wrote:<blockquote>{LONG}{CANARY} OLD-1?</blockquote></div>'
MAIL = f"<div>{LONG}<b>{CANARY}</b> of PAY-12 &lt;{'a' * 20}7@x.example&gt;</div>{OLDER}"


def _fill(rig: HubSpotRig, before: str) -> None:
    account = rig.account
    build(account)
    deal = account.create_deal(
        f"{before}{CANARY} PAY-1", description=f"<p>{before}{CANARY}<br>see PAY-2 &lt;x&gt;</p>",
        hs_next_step=f"{before}{CANARY} PAY-3", closed_lost_reason=f"{before}{CANARY}",
    )  # fmt: skip
    content, solved = f"{before}{CANARY} https://x.example/a?b=1&c", f"{before}{CANARY}"
    account.create_ticket(f"{before}{CANARY} PAY-4", content=content, hs_resolution=solved)
    account.create_note(f"<p>{before}{CANARY} PAY-5</p>", ("deal", deal))
    account.create_email(
        f"{before}{CANARY} PAY-6", f"{before}{CANARY}", ("deal", deal), hs_email_html=MAIL,
        hs_email_headers=json.dumps(HEADERS), hs_email_message_id="<A2.b@mail.example>",
    )  # fmt: skip


class _Keeping(HubSpotRig):
    def __init__(self, keep: Keep) -> None:
        super().__init__()
        self.keep = keep

    def options(self, **more: Any) -> Options:
        return super().options(keep=self.keep, **more)


async def told(keep: Keep, before: str = LONG) -> list[SourceEvent]:
    async with _Keeping(keep) as rig:
        _fill(rig, before)
        rig.settle()
        return events_of(await read(rig))


def wire(event: SourceEvent) -> str:
    key, value, headers = to_kafka(event)
    return (key + value + b"".join(text for _, text in headers)).decode().lower()


def says(mapped: Mapped) -> dict[str, Any]:
    """All that a record says besides its words."""
    words = ("title", "excerpt", "outcome", "resolution", "fields")
    return {
        "fields": {name: value for name, value in mapped.fields.items() if name not in words},
        "references": [part.references for part in mapped.parts.values()],
        "found": [
            (text.field, text.evidence, [(one.kind, one.scope, one.value) for one in found])
            for part in mapped.parts.values()
            for text in part.texts
            if (found := find(text))
        ],
        "activities": [(one.key, one.at, one.actor, one.from_label, one.to_label) for one in mapped.activities],
        "identities": mapped.identities,
    }


async def test_a_record_says_the_same_in_the_same_event_whatever_is_kept() -> None:
    full = {event.id: event for event in await told("full")}
    assert sum(CANARY in wire(event) for event in full.values()) == 4
    for keep in ("excerpt", "references"):
        events = {event.id: event for event in await told(keep)}
        assert events.keys() == full.keys()
        for name, event in events.items():
            assert (event.version, event.order, event.artifact) == (
                full[name].version, full[name].order, full[name].artifact,
            )  # fmt: skip
            assert says(connector.map(event)) == says(connector.map(full[name]))


async def test_with_references_no_word_leaves_hubspot() -> None:
    events = await told("references", "")
    assert not [event.kind for event in events if CANARY in wire(event)]
    assert CANARY not in repr([connector.map(event) for event in events])
    titles = {connector.map(event).fields.get("title") for event in events if event.kind in ("deal", "ticket", "email")}
    assert {"PAY-1", "PAY-4", "PAY-6", None} <= titles


async def test_with_an_excerpt_no_word_beyond_its_end_leaves_hubspot() -> None:
    assert not [event.kind for event in await told("excerpt") if CANARY in wire(event)]
    short = [event.kind for event in await told("excerpt", "") if CANARY in wire(event)]
    assert sorted(short) == ["deal", "email", "note", "ticket"], "the beginnings are kept"


async def test_an_excerpt_shows_what_the_whole_begins_with() -> None:
    shown = [[connector.map(event) for event in await told(keep)] for keep in ("excerpt", "full")]
    texts = [[(one.fields.get("excerpt") or "")[:490] for one in mapped] for mapped in shown]
    assert texts[0] == texts[1]


PIECES = st.sampled_from(
    ["PAY-1 ", "https://x.example/a ", "<" + "b" * 20 + "1@x.example>", "\n", "\n> ", "\n-- \n", "On Monday Kim wrote:",
     "Message-ID: <c@d>", "\nFrom: Kim\n", "word " * 60, ".", "&amp;", "<p>", "</p>", "<blockquote>", "&", "\xa0"]
)  # fmt: skip


@settings(max_examples=100)
@given(st.lists(PIECES, max_size=14).map("".join), st.booleans(), st.sampled_from(["note", "email"]))
def test_any_text_says_the_same_whatever_is_kept(text: str, escaped: bool, kind: str) -> None:
    name = "hs_note_body" if kind == "note" else "hs_email_html"
    body = f"<p>{html.escape(text)}</p>" if escaped else text
    payload = {"object": {"id": "5", "properties": {name: body}}, "around": {"portal": "4711"}}
    whole = says(_mapped(kind, reduced(kind, payload, "full")))
    assert says(_mapped(kind, reduced(kind, payload, "excerpt"))) == whole
    assert says(_mapped(kind, reduced(kind, payload, "references"))) == whole


def _mapped(kind: str, payload: dict[str, Any]) -> Mapped:
    told = {"connection": "c-test", "connector": "hubspot", "kind": kind, "native_id": "5", "version": "1", "order": 1}
    artifact = artifact_id("c-test", kind, "5")
    return connector.map(
        SourceEvent.model_validate(
            told | {"artifact": artifact, "fetched_at": "2026-03-02T09:00:00Z", "payload": payload}
        )
    )


@pytest.mark.parametrize("headers", ["", "[]", "{", '{"from": 5, "to": [7]}'])
def test_headers_of_any_shape_are_read_over(headers: str) -> None:
    payload = {"object": {"properties": {"hs_email_headers": headers}}, "around": {}}
    kept = reduced("email", payload, "references")["object"]["properties"]["hs_email_headers"]
    assert kept in (None, '{"to": [], "cc": []}')
