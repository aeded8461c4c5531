"""What a connection does not keep of a mail stands in no event; what it says about other things stays."""

from email.message import EmailMessage
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.keeping import EXCERPT
from connectors.mailbox import connector
from pipelines.references import find
from schemas.artifacts import Mapped
from schemas.events import SourceEvent, to_kafka
from tests.connectors.mailbox.letters import letter, told
from tests.connectors.mailbox.shapes import SHAPES

CANARY = "zebrafinch"
OLDER = f"On Mon, 2 Mar 2026 at 12:00, Anna Berg wrote:\n> {CANARY} PAY-13\n"


def _forwarding() -> bytes:
    passed_on = (
        f"From: Kim <kim@customer.example>\nDate: 1 Mar 2026\nSubject: {CANARY}\nMessage-ID: <old@x.example>\n\n"
    )
    text = f"---------- Forwarded message ---------\n{passed_on}Please see PAY-21.\n\n{'so ' * 200}{CANARY} PAY-22\n"
    return letter(f"Fwd: {CANARY}", text, 41).as_bytes()


def _attaching() -> bytes:
    mail = letter(
        "Offer PAY-31", f"{'and ' * 150}{CANARY} <{'a' * 20}7@x.example>\n\n{OLDER}\n-- \n{CANARY} ACC-1\n", 42
    )
    mail.add_attachment(b"zip", "application", "zip", filename=f"{CANARY}.zip")
    mail.add_attachment(letter(CANARY, f"{CANARY} PAY-32\n", 43, sender="Lee <lee@x.example>"))
    mail["Thread-Topic"] = CANARY
    mail["Comments"] = CANARY
    return mail.as_bytes()


def _hidden() -> bytes:
    mail = EmailMessage()
    mail["From"] = "Kim <kim@customer.example>"
    mail["Date"] = f"Mon, 02 Mar 2026 13:00:00 +0100 ({CANARY})"
    mail["In-Reply-To"] = f"Your {CANARY} of Monday <m1@EXAMPLE.com>"
    mail["Sensitivity"] = CANARY
    mail.set_content(f'<p>{"so " * 170}</p><b title="{CANARY}">{CANARY}</b><a href="https://x.example/1">x</a>', "html")
    return mail.as_bytes()


MAILS = SHAPES | {
    "forwarding": _forwarding(),
    "attaching": _attaching(),
    "hidden": _hidden(),
    "long subject": letter("so " * 170 + f"{CANARY} PAY-41", "PAY-42", 44).as_bytes(),
    "away": letter(f"Automatic reply: {CANARY}", f"PAY-51 {'so ' * 170}{CANARY}", 45).as_bytes(),
    "answer": letter(
        "Re: PAY-61", f"{'so ' * 170}{CANARY} PAY-62-\n\n{OLDER}", 46, In_Reply_To="<m1@x.example>"
    ).as_bytes(),
}
MAILS["bounce"] = MAILS["bounce"].replace(b"I am sorry.", b"I am sorry.\n" + b"so " * 170 + CANARY.encode())


def wire(event: SourceEvent) -> str:
    key, value, headers = to_kafka(event)
    return (key + value + b"".join(text for _, text in headers)).decode().lower()


def says(event: SourceEvent) -> dict[str, Any]:
    """All that a mail says besides its words."""
    mapped: Mapped = connector.map(event)
    part = mapped.parts["mail"]
    return {
        "fields": {
            name: value
            for name, value in mapped.fields.items()
            if name not in ("title", "excerpt", "attachments", "forwarded")
        },
        "references": part.references,
        "found": [
            (text.field, text.evidence, text.since, [(one.kind, one.scope, one.value) for one in found])
            for text in part.texts
            if (found := find(text))
        ],
        "audience": part.audience,
        "activities": [(one.key, one.at, one.actor, one.automatic, one.audience) for one in mapped.activities],
        "identities": mapped.identities,
    }


def same_mail(raw: bytes) -> None:
    full, excerpt, references = (told(raw, keep=keep) for keep in ("full", "excerpt", "references"))
    for event in (excerpt, references):
        assert (event.id, event.version, event.artifact, event.order) == (
            full.id, full.version, full.artifact, full.order,
        )  # fmt: skip
        assert says(event) == says(full)
    shown, whole = connector.map(excerpt), connector.map(full)
    assert shown.fields.keys() == whole.fields.keys()
    assert [text[:400] for text in _shown(shown)] == [text[:400] for text in _shown(whole)]


def _shown(mapped: Mapped) -> list[str]:
    texts = [mapped.fields["title"], mapped.fields["excerpt"], *(one.text for one in mapped.activities)]
    return [text or "" for text in texts]


@pytest.mark.parametrize("name", MAILS)
def test_it_is_the_same_mail_and_says_the_same_whatever_is_kept(name: str) -> None:
    same_mail(MAILS[name])


PIECES = st.sampled_from(
    ["PAY-1 ", "https://x.example/a ", "<" + "b" * 20 + "1@x.example>", "\n", "\n> ", "\n-- \n", OLDER,
     "Message-ID: <c@d>",
     "\nFrom: Kim <kim@x.example>\nDate: 1 Mar\nSubject: x\n", "\n---- Forwarded message ----\n", "word " * 60, "."]
)  # fmt: skip


@settings(max_examples=60)
@given(st.lists(PIECES, max_size=14).map("".join), st.lists(PIECES, max_size=4).map("".join))
def test_any_mail_says_the_same_whatever_is_kept(text: str, subject: str) -> None:
    same_mail(letter(" ".join(subject.split()), text, 47).as_bytes())


@pytest.mark.parametrize("name", sorted(MAILS.keys() - SHAPES.keys() | {"away", "bounce"}))
def test_with_references_no_word_leaves_the_mailbox(name: str) -> None:
    event = told(MAILS[name], keep="references")
    assert CANARY in wire(told(MAILS[name], keep="full"))
    assert CANARY not in wire(event)
    assert CANARY not in repr(connector.map(event))


@pytest.mark.parametrize("name", ["attaching", "hidden", "long subject", "away", "answer", "bounce"])
def test_with_an_excerpt_no_word_beyond_its_end_leaves_the_mailbox(name: str) -> None:
    said = (
        wire(told(MAILS[name], keep="excerpt")).replace(f"automatic reply: {CANARY}", "").replace(f"{CANARY}.zip", "")
    )
    assert CANARY not in said
    assert CANARY in wire(told(MAILS[name], keep="full"))


def test_a_mail_that_only_passes_on_shows_the_beginning_of_that() -> None:
    fields = {keep: connector.map(told(MAILS["forwarding"], keep=keep)).fields for keep in ("full", "excerpt")}
    assert fields["excerpt"]["excerpt"].rstrip() == fields["full"]["excerpt"][:EXCERPT].rstrip()
    assert fields["excerpt"]["participants"] == fields["full"]["participants"]


def test_only_size_and_type_of_an_attachment_are_kept_with_references() -> None:
    assert [one["name"] for one in told(MAILS["attaching"], keep="references").payload["attachments"]] == ["", ""]
    assert told(MAILS["attaching"], keep="references").payload["attachments"][0]["size"] == 3
