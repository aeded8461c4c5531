"""HubSpot's rich text, and what of a mail is new."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.hubspot.mails import normal_message_id
from connectors.hubspot.texts import plain, written_and_quoted


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("<p>One</p><p>Two &amp; three</p>", "One\n\nTwo & three"),
        ("a<br>b<script>bad()</script>", "a\nb"),
        ("5 < 6 and 7 > 3", "5 < 6 and 7 > 3"),
        ("plain\n\n\n\ntext", "plain\n\ntext"),
        ("<ul><li>x</li><li>y</li></ul>", "x\n\ny"),
        ("<p>broken <b>text", "broken text"),
        ("<table><tr><th>Ticket</th><td>PAY-1</td></tr></table>", "Ticket PAY-1"),
        (
            '<a href="https://acme.example/browse/PAY-1">the issue</a>.',
            "the issue <https://acme.example/browse/PAY-1>.",
        ),
        ('<a href="https://acme.example/a">https://acme.example/a</a>', "https://acme.example/a"),
        ('<a href="mailto:anna@acme.example">Anna</a> <a>no address</a>', "Anna no address"),
    ],
)
def test_plain(source: str, expected: str) -> None:
    assert plain(source) == expected


@pytest.mark.parametrize(
    ("source", "written"),
    [
        ("Yes.\n\nOn Mon, 2 Feb 2026 Kim wrote:\n> PAY-1?", "Yes."),
        ("Ja.\n\nAm 02.02.2026 um 10:00 schrieb Kim:\n> PAY-1?", "Ja."),
        ("Fine\n-- \nOlga, PAY Ltd", "Fine"),
        ("See below\n-----Original Message-----\nFrom: Kim", "See below"),
        ("<p>New</p><blockquote>Old PAY-1</blockquote>", "New"),
        ("<p>Merci.</p><div>De : Kim<br>Envoyé : lundi<br>Objet : PAY-1</div><p>PAY-1 !</p>", "Merci."),
        ('<p>Done</p><div class="gmail_signature">Kim, PAY-1 office</div>', "Done"),
        ("Done\n\nBest regards,\nKim\nPAY-1 office", "Done"),
        ("From my point of view: good", "From my point of view: good"),
        ("Nothing quoted", "Nothing quoted"),
    ],
)
def test_written(source: str, written: str) -> None:
    assert written_and_quoted(source)[0] == written


def test_who_wrote_it_signs_by_the_whole_name() -> None:
    assert written_and_quoted("<p>Done</p><p>Kim Lee</p><p>PAY-1 office</p>", "Kim Lee") == (
        "Done",
        "Kim Lee\n\nPAY-1 office",
    )


@given(st.text())
def test_no_text_raises(source: str) -> None:
    plain(source)
    written_and_quoted(source)


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        ("<A.b@Mail.Example>", "A.b@mail.example"),
        ("a@b", "a@b"),
        ("", None),
        ("<>", None),
        ("no-at", None),
        ("a b@c", None),
        (None, None),
    ],
)
def test_message_ids(told: str | None, expected: str | None) -> None:
    assert normal_message_id(told) == expected


@pytest.mark.parametrize("piece", ["<!--", "<![if ", "</", "<a", "<?", "<p>", "&", "<blockquote>"])
def test_no_text_takes_long(piece: str) -> None:
    started = time.process_time()
    written_and_quoted("<p>x</p>" + piece * (150_000 // len(piece)))
    assert time.process_time() - started < 3
