"""What is kept of a text, and that the hub finds in it what it finds in the whole."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.keeping import EXCERPT, Keep, beginning, kept, kept_apart, names
from pipelines.references import SMALL, find
from schemas.artifacts import Evidence, Text

NAMES = (
    "PAY-12", "PAY\u201113", "UTF-8", "R-MZXW6YTBOI3D", "https://x.example/browse/PAY-7?a=b", "HTTP://X.example/A(b)",
    "https://app.hubspot.com/contacts/4711/deal/99", "<a1.long-enough-to-be-one-1@mail.example>", "<id@B.example>",
    "<anna@example.com>", "<PAY-9@example.com>", "Message-ID: ", "in-reply-to", "references", "msgid",
    "https://eur.safelinks.protection.outlook.com/?url=https%3A%2F%2Fx.example%2Fy", "https://x.example/" + "y" * 2_000,
)  # fmt: skip
GLUE = (" ", "\n", ".", ",", ")", "(", "-", "@", "5", "\u4e2d", "ü", "_", ":", "<", ">", '"', "word", "x" * 60, "*")
TEXTS = st.lists(st.sampled_from(NAMES + GLUE) | st.text(max_size=8), max_size=60).map("".join)


def found(text: str) -> list[tuple[str, str, str]]:
    """All, and which of them make a list; but keys in small letters: words such as top-10 say more than a name does,
    and are not kept."""
    references = [one for one in find(Text("t", text, Evidence.WRITTEN)) if one.relation != SMALL]
    return [(one.kind, one.value, "" if one.kind == "message-id" else one.relation) for one in references]


@given(TEXTS)
def test_the_names_of_a_text_are_the_references_in_it(text: str) -> None:
    assert found(names(text)) == found(text)
    assert names(names(text)) == names(text)


@given(TEXTS, st.integers(0, 200))
def test_a_beginning_names_what_the_whole_names(text: str, size: int) -> None:
    short = beginning(text, size)
    assert found(short) == found(text)
    lines = names(text).split("\n")
    assert short == text or any(
        short.startswith(head := text[:cut].rstrip())
        and all(line in lines for line in short[len(head) :].strip("\n").split("\n") if line)
        for cut in range(size + 1)
    ), "the beginning, then names"


@pytest.mark.parametrize("keep", ["excerpt", "references"])
@pytest.mark.parametrize(
    "text",
    [
        "Look at PAY-1 with PAY-2 and PAY-3",
        "All:\n- PAY-1\n[x] PAY-2\n3. PAY-3",
        "PAY-3 with\n- PAY-1\n- PAY-2\n- PAY-3",
    ],
)
def test_what_is_a_list_stays_one_and_nothing_becomes_one(text: str, keep: Keep) -> None:
    for whole in (text, f"{text}\n{'word ' * 200}", f"{'word ' * 200}\n{text}"):
        assert set(found(kept(whole, keep))) == set(found(whole))


def test_names_are_in_order_and_only_once() -> None:
    text = "PAY-12, see https://x.example/a?b=1. <anna@x.example> PAY-12; in reply-to: Message-ID <b@c> R-MZXW6YTBOI3D"
    assert names(text) == "PAY-12\n, https://x.example/a?b=1\n, Message-ID: <b@c>\n, R-MZXW6YTBOI3D"


@pytest.mark.parametrize("end", ["-12 and more", "-12.5 and more", "-12@host.example and more"])
def test_no_excerpt_ends_inside_a_name(end: str) -> None:
    text = "x" * (EXCERPT - 6) + " PAY" + end
    for size in range(EXCERPT - 8, EXCERPT + 2):
        assert found(beginning(text, size)) == found(text)


def test_a_record_is_named_by_a_long_address_too() -> None:
    """As mail gateways make them."""
    long = "https://app.hubspot.com/contacts/4711/deal/99?from=" + "y" * 3_500
    assert found(names(f"See {long}.")) == found(long) != []


def test_what_is_kept() -> None:
    long = "word " * 200 + "PAY-1"
    assert kept(long, "full") == long
    assert kept(long, "references") == "PAY-1"
    assert kept(long, "excerpt") == long[:EXCERPT].rstrip() + "\nPAY-1"
    assert kept_apart("Yes.", "old words PAY-2", "excerpt") == ("Yes.", "PAY-2")
    assert kept_apart("", "old words PAY-2", "excerpt") == ("", "old words PAY-2")
    assert kept_apart("Yes.", "old words PAY-2", "references") == ("", "PAY-2")
