"""What mails say: kinds, references, people, times, texts; and that no mail whatever raises."""

import time
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from connectors.contract import BadRecord
from connectors.mailbox import connector
from connectors.mailbox.headers import addresses, date, decoded, message_ids
from connectors.mailbox.html import visible_text
from connectors.replies import split
from schemas.artifacts import Evidence, Mapped
from tests.connectors.mailbox.letters import NOON, letter, told
from tests.connectors.mailbox.shapes import SHAPES


def mapped(raw: bytes, arrived: datetime | None = NOON, **given: Any) -> Mapped:
    return connector.map(told(raw, arrived, **given))


def named(raw: bytes) -> set[tuple[str, str, str]]:
    """(relation, value, evidence) of every reference."""
    return {(one.relation, one.value, one.evidence.value) for one in mapped(raw).parts["mail"].references}


def texts(raw: bytes) -> dict[str, tuple[str, Evidence]]:
    return {text.field: (text.text, text.evidence) for text in mapped(raw, keep="full").parts["mail"].texts}


@pytest.mark.parametrize(
    ("name", "kind", "opens"),
    [
        ("person", "person", True), ("reply", "person", True), ("away", "out-of-office", False),
        ("list", "list", False),
        ("receipt", "auto-reply", False), ("digest", "digest", False), ("notice", "automatic", False),
        ("bounce", "bounce", False), ("forward", "person", True), ("html", "person", True),
    ],
)  # fmt: skip
def test_kind(name: str, kind: str, opens: bool) -> None:
    fields = mapped(SHAPES[name]).fields
    assert (fields["type"], fields["opens"]) == (kind, opens)


def test_a_person_away_writing_about_it_is_a_person() -> None:
    assert mapped(letter("Re: Out of office next week").as_bytes()).fields["type"] == "person"
    assert mapped(letter("Automatische Antwort: Export").as_bytes()).fields["type"] == "out-of-office"


def test_references() -> None:
    assert named(SHAPES["reply"]) == {
        ("is", "m2@example.com", "identity"), ("reply", "m1@example.com", "explicit"),
        ("reply", "m0@example.com", "explicit"),
    }  # fmt: skip
    assert ("bounce", "m1@example.com", "explicit") in named(SHAPES["bounce"])
    assert ("forward", "m10@example.com", "explicit") in named(SHAPES["forward"])
    assert mapped(SHAPES["reply"]).fields["thread"] == "m0@example.com"


def test_a_bounce_says_whom_the_mail_did_not_reach() -> None:
    def unreached(raw: bytes) -> object:
        return mapped(raw).fields.get("undelivered")

    whole = SHAPES["bounce"]
    assert unreached(whole) == ["mail/address/nobody@customer.example"]
    more = b"Original-Recipient: rfc822;Else@Customer.example\nFinal-Recipient: rfc822; x@relay.example\nAction: "
    report = b"Status: 5.1.1\n"
    assert unreached(whole.replace(report, report + b"\n" + more + b"failed\n")) == [
        "mail/address/nobody@customer.example", "mail/address/else@customer.example", "mail/address/x@relay.example",
    ]  # fmt: skip
    assert unreached(whole.replace(report, report + b"\n" + more + b"relayed\n")) == unreached(whole)
    assert unreached(whole.replace(b"Action: failed", b"Action: delayed")) == []
    assert unreached(whole.replace(b"Final-Recipient: rfc822; nobody@customer.example", b"Reason: none")) is None
    header = whole.replace(
        b"Auto-Submitted", b"X-Failed-Recipients: c@customer.example, d@customer.example\nAuto-Submitted"
    )
    assert unreached(header.replace(b"message/delivery-status", b"text/plain")) == [
        "mail/address/c@customer.example", "mail/address/d@customer.example",
    ]  # fmt: skip
    assert unreached(SHAPES["person"]) is None


def test_only_own_words_are_written() -> None:
    found = texts(SHAPES["person"])
    assert found["subject"] == ("PAY-12: new export", Evidence.TITLE)
    assert found["text"] == ("Hello,\n\nplease do PAY-13.", Evidence.WRITTEN)
    assert found["footer"] == ("-- \nAnna, ACC-1", Evidence.QUOTED)
    assert texts(SHAPES["reply"])["text"][0] == "Yes."
    assert "PAY-13" in texts(SHAPES["reply"])["quoted"][0]
    assert texts(SHAPES["digest"])["text"][1] is Evidence.QUOTED
    assert texts(SHAPES["away"])["text"][1] is Evidence.QUOTED


def test_html_is_read_as_people_see_it() -> None:
    found = texts(SHAPES["html"])
    assert found["subject"][0] == "Änderung PAY-12"
    assert found["text"][0] == "Bitte wie in hier <https://acme.example/browse/PAY-12>."
    assert found["quoted"][0] == "> Alt: PAY-99"
    sender = mapped(SHAPES["html"]).identities[0]
    assert (sender.id, sender.name) == ("mail/address/juergen@example.com", "Jürgen, Einkauf")


def test_an_activity_says_who_sent_it_and_whether_a_machine_did() -> None:
    [sent] = mapped(SHAPES["person"]).activities
    assert (sent.kind.value, sent.actor, sent.automatic) == ("sent", "mail/address/anna@example.com", False)
    assert mapped(SHAPES["away"]).activities[0].automatic is True
    assert mapped(SHAPES["away"]).identities[0].machine is False
    assert mapped(SHAPES["notice"]).identities[0].machine is True


@pytest.mark.parametrize(
    ("sent", "arrived", "created"),
    [
        (NOON, NOON + timedelta(minutes=1), "2026-03-02T12:00:00.000000Z"),
        (NOON + timedelta(days=900), NOON, "2026-03-02T12:00:00.000000Z"),
        (None, NOON, "2026-03-02T12:00:00.000000Z"),
        (None, None, None),
    ],
)
def test_created_is_the_earlier_of_sent_and_arrived(
    sent: datetime | None, arrived: datetime | None, created: str | None
) -> None:
    told_of = mapped(letter(at=sent).as_bytes(), arrived)
    assert told_of.fields["created_at"] == created
    assert len(told_of.activities) == (1 if created else 0)


def test_keep_decides_what_stays() -> None:
    long = letter(text="word " * 1_000).as_bytes()
    full, excerpt, none = (mapped(long, keep=keep) for keep in ("full", "excerpt", "references"))
    assert len(full.activities[0].text or "") > 4_000
    assert len(excerpt.activities[0].text or "") <= 500
    assert none.activities[0].text is None
    assert {"title", "excerpt", "attachments"}.isdisjoint(none.fields)
    assert none.parts["mail"].references == full.parts["mail"].references


def test_sensitivity_and_own_mail() -> None:
    assert mapped(SHAPES["private"]).fields["audience"] == {"level": "restricted", "stated": "Private"}
    ours = mapped(SHAPES["person"], own=("@example.com",)).fields
    assert (ours["opens"], ours["requester"]) == (False, None)


def test_a_list_copy_is_the_same_mail_and_a_stranger_is_not() -> None:
    original = letter("Export", "Please.\n", 1)
    copy = letter("[team] Export", "Please.\n\n" + "_" * 40 + "\nteam mailing list\n", 1, List_Id="<team.example.com>")
    assert told(original.as_bytes()).artifact == told(copy.as_bytes()).artifact
    assert told(original.as_bytes()).id != told(copy.as_bytes()).id
    for other in (
        letter("Export", "Please not.\n", 1), letter("Import", "Please.\n", 1), letter("Export", "Please.\n", 2),
        letter("Export", "Please.\n", 1, at=NOON + timedelta(seconds=1)),
        letter("Export", "Please.\n", 1, sender="Bo <bo@example.com>"),
    ):  # fmt: skip
        assert told(other.as_bytes()).artifact != told(original.as_bytes()).artifact


def test_headers_as_they_arrive() -> None:
    assert decoded("=?utf-8?B?w7w=?= =?utf-8?q?_x=C3?= =?utf-8?q?=A4?=") == "ü xä"
    assert decoded("=?x-none?q?a=E4?= =?utf-8?b?!!?=") == "aä"
    assert message_ids("<A@B.Example>\t<c\r\n d@E> junk") == ["A@b.example", "cd@e"]
    assert message_ids("bare@Host") == ["bare@host"]
    assert [who.address for who in addresses([("To", '"Berg, A" <a@x.de>, broken@, b@x.de')], "To")] == [
        "a@x.de",
        "b@x.de",
    ]
    assert date("Mon, 2 Mar 2026 12:00:00 -0000") == NOON
    assert date("Mon, 2 Mar 2026 12:00:00") is None
    assert date("Thu, 1 Jan 1970 00:00:00 +0000") is None
    assert date("yesterday") is None


REPLIES = {
    "inline": ("> what?\nThis.\n> when?\nPAY-1\n", "This.\nPAY-1"),
    "outlook": ("Ja.\n\nVon: A <a@x.de>\nGesendet: Montag\nAn: B\nBetreff: X\n\nPAY-1", "Ja."),
    "german": ("Gut.\n\nAm 02.03.2026 um 12:00 schrieb Anna\nBerg <a@x.de>:\n> PAY-1\n", "Gut."),
    "russian": ("Да.\n\nпн, 5 янв. 2026 г. в 10:00, Анна <a@x.ru>:\n\nPAY-1", "Да."),
    "ukrainian": ("Так.\n\nпн, 5 січ. 2026 р. о 10:00 Анна <a@x.ua> пише:\n\nPAY-1", "Так."),
    "portuguese": ("Sim.\n\nEm seg., 5 de jan. de 2026 às 10:00, Ana <a@x.br> escreveu:\n\nPAY-1", "Sim."),
    "separator": ("OK\n\n-----Original Message-----\nPAY-1", "OK"),
    "phone": ("OK\n\nSent from my iPhone\n", "OK"),
    "closing": ("Please do.\n\nBest regards,\nAnna\nACC-1", "Please do."),
    "disclaimer": ("Hi.\n\nThis e-mail is confidential and PAY-1.\n", "Hi."),
    "heading": ("Plan\n----------\n" + "step\n" * 20, ("Plan\n----------\n" + "step\n" * 20).strip()),
    "as I wrote": ("As I wrote:\nPAY-1 first.", "As I wrote:\nPAY-1 first."),
}


@pytest.mark.parametrize("name", REPLIES)
def test_what_a_person_wrote(name: str) -> None:
    text, written = REPLIES[name]
    assert split(text).written == written


SIGNED = {
    "her name": ("Please do.\n\nThanks!\nAnna Berg - Broken? PAY-1", "Anna Berg", "Please do.\n\nThanks!"),
    "turned": ("Please do.\n\nAnna Berg\nACC-1", "Berg, Anna", "Please do."),
    "in stars": ("Please do.\n*ANNA BERG*\nACC-1", "Anna Berg", "Please do."),
    "one word": ("Please do.\nOffice PAY-1", "Office", "Please do.\nOffice PAY-1"),
    "at the start": ("Anna Berg here: PAY-1", "Anna Berg", "Anna Berg here: PAY-1"),
    "somebody else": ("Please do.\nBen Adler has PAY-1", "Anna Berg", "Please do.\nBen Adler has PAY-1"),
    "a longer name": ("Please do.\nAnna Bergmann has PAY-1", "Anna Berg", "Please do.\nAnna Bergmann has PAY-1"),
    "far from the end": ("Hi.\nAnna Berg asked.\n" + "step\n" * 20 + "PAY-1", "Anna Berg", None),
}


@pytest.mark.parametrize("case", SIGNED)
def test_who_wrote_it_signs_with_the_whole_name(case: str) -> None:
    text, sender, written = SIGNED[case]
    assert split(text, sender).written == (text if written is None else written)


def test_the_name_in_from_tells_a_signature() -> None:
    raw = letter("Export", "Please.\n\nAnna Berg - Broken? PAY-1\n", 1, sender="Anna Berg <anna@x.example>").as_bytes()
    assert texts(raw)["footer"][0] == "Anna Berg - Broken? PAY-1"


def test_an_inline_forward_names_the_first_sender() -> None:
    text = "FYI\n\n---------- Forwarded message ---------\nFrom: C <c@customer.example>\nDate: Mon\nSubject: X\n\nYes."
    raw = letter("Fwd: Broken", text).as_bytes()
    assert {"identity": "mail/address/c@customer.example", "role": "forwarded"} in mapped(raw).fields["participants"]
    assert mapped(raw).fields["forwarded"] == {"subject": "X", "sent": "Mon"}
    assert mapped(letter("Broken", "Yes.").as_bytes()).fields["forwarded"] is None
    assert texts(raw)["text"][0] == "FYI"


@pytest.mark.parametrize(
    "piece",
    [
        "\n", "On 1 ", ">", "_", "Am 1. ", "<div>", "=?utf-8?q?", "From: a\n", "<style>", " ", "a@b,", "<!--",
        "<![if ", "<![", "<?", "<a", "<br", "</", "</a", "<![CDATA[", "re: ", "[x](", "http://a",
    ],
)  # fmt: skip
def test_no_text_takes_long(piece: str) -> None:
    text = piece * (60_000 // len(piece))
    started = time.process_time()
    split(text)
    visible_text(piece * (200_000 // len(piece)))
    line = text[:20_000].replace("\n", " ")
    event = told((f"Subject: {line}\nFrom: {line}\nTo: {line}\nContent-Type: text/html\n\n{text}").encode())
    assert connector.map(event).artifact == event.artifact
    assert time.process_time() - started < 3


BROKEN = {
    "a charset of NUL": (b'Content-Type: text/plain; charset="\0"\n\ngr\xc3\xb6\xc3\x9fer PAY-1', "größer PAY-1"),
    "a charset in pieces": (b"Content-Type: text/plain; charset*=utf-8''%00\n\n\xc3\xb6 PAY-1", "ö PAY-1"),
    "a condition that is none": (b"Content-Type: text/html\n\n<p>One <![ two> PAY-1 <b>three", "One PAY-1 three"),
    "a comment without end": (b"Content-Type: text/html\n\n<p>One</p> <!-- two <b>PAY-1", "One\n<!-- two <b>PAY-1"),
    "an encoding that is none": (b"Content-Transfer-Encoding: x-what\n\nOne PAY-1", "One PAY-1"),
}  # fmt: skip


@pytest.mark.parametrize("case", BROKEN)
def test_what_is_broken_is_read_all_the_same(case: str) -> None:
    raw, written = BROKEN[case]
    raw = b"From: Anna Berg <anna@x.example>\nSubject: Hi\n" + raw
    assert texts(raw)["text"][0] == written


def test_of_a_header_that_nobody_can_take_apart_the_addresses_are_read() -> None:
    wrong = "To: " + "re: " * 4_000 + "<anna@x.example>"
    [anna] = addresses([("To", wrong.removeprefix("To: "))], "To")
    assert anna.address == "anna@x.example"
    assert mapped(wrong.encode() + b"\nFrom: b@x.example\n\nHi").fields["participants"]


def test_which_mail_it_is_stands_behind_any_number_of_other_headers() -> None:
    raw = SHAPES["reply"]
    buried = "".join(f"X-Noted-{number}: {'y' * 300}\n" for number in range(500)).encode() + raw
    assert told(buried).artifact == told(raw).artifact
    assert mapped(buried).fields == mapped(raw).fields
    assert named(buried) == named(raw)
    assert told(buried, keep="full").payload["headers_cut"] > 100


def test_half_an_address_is_nobodys() -> None:
    """A list of recipients is cut at 20 kB, wherever that falls in it."""
    everybody = ", ".join(f"{'Anna ' * 46}<person{number:02}@example.com>" for number in range(90))
    known = {f"person{number:02}@example.com" for number in range(90)}
    for place in range(0, 256, 4):
        raw = f"From: p@example.com\nTo: {'Bo' * (place // 2)} <person00@example.com>, {everybody}\n\nHello.\n"
        found = {one.address for one in mapped(raw.encode()).identities}
        assert 70 < len(found) < 90
        assert found - known == {"p@example.com"}


def test_a_mail_that_python_cannot_take_apart_is_a_bad_record() -> None:
    with pytest.raises(BadRecord, match="no mail that can be read"):
        told(b"From: a@x.example\nContent-Type: message/rfc822\n\n" * 2_000)


@given(
    name=st.sampled_from(sorted(SHAPES)),
    cuts=st.lists(st.tuples(st.floats(0, 1), st.integers(0, 40), st.binary(max_size=12)), min_size=1, max_size=5),
)
@settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
def test_no_mutated_mail_raises_anything_but_bad_record(name: str, cuts: list[tuple[float, int, bytes]]) -> None:
    raw = SHAPES[name]
    for where, length, junk in cuts:
        place = int(where * len(raw))
        raw = raw[:place] + junk + raw[place + length :]
    try:
        event = told(raw, datetime(2026, 3, 2, tzinfo=UTC))
        assert connector.map(event).artifact == event.artifact
    except BadRecord:
        return
