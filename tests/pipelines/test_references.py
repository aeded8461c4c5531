"""References: what is found in text, and normal forms."""

import time
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.addresses import normal_address, scope_of
from pipelines.references import AROUND, LISTED, MAX_FOUND, SMALL, find, normal, own, parse, search, understood
from schemas.artifacts import Evidence, Reference, Text, request_id


def values(text: str) -> list[tuple[str, str, str]]:
    return [(one.kind, one.scope, one.value) for one in find(Text("body", text, Evidence.WRITTEN))]


def keys(text: str) -> list[str]:
    return [value for kind, _, value in values(text) if kind == "jira.key"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("PAY-12", ["PAY-12"]),
        ("see PAY-12, PAY-13; (PAY-14) [PAY-15]: PAY-16.", ["PAY-12", "PAY-13", "PAY-14", "PAY-15", "PAY-16"]),
        ("PAY-11/PAY-12", ["PAY-11", "PAY-12"]),
        ("branch feature/PAY-12-fix-login", ["PAY-12"]),
        ("请看PAY-15的问题", ["PAY-15"]),
        ("ตามที่PAY-15แจ้ง", ["PAY-15"]),
        ("תקלה ב-PAY-15, בPAY-16", ["PAY-15", "PAY-16"]),
        ("المشكلة في الPAY-15", ["PAY-15"]),
        ("по-PAY-15", ["PAY-15"]),
        ("non-breaking: PAY\u201112", ["PAY-12"]),
        ("UTF-8 ISO-9001 COVID-19 SHA-256", ["UTF-8", "ISO-9001", "COVID-19", "SHA-256"]),
        ("A1_B-7", ["A1_B-7"]),
    ],
)
def test_keys_are_found(text: str, expected: list[str]) -> None:
    assert keys(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("see pay-12.", ["PAY-12"]),
        ("Pay-12, (shop-370) and Top-10", ["PAY-12", "SHOP-370", "TOP-10"]),
        ("PAY-12 and pay-12", []),
        ("report-12.pdf my-pay-12 pay-012 p-1 pay-12-b a@pay-12.example pay-12@x.example", []),
        ("https://example.com/pay-12 <pay-12@example.com> issues/pay-12 v1.pay-12", []),
    ],
)
def test_keys_in_small_letters_are_candidates_of_their_own(text: str, expected: list[str]) -> None:
    found = find(Text("body", text, Evidence.WRITTEN))
    assert [one.value for one in found if one.relation == SMALL] == expected
    assert all(text[one.start : one.end].upper() == one.value for one in found if one.relation == SMALL)


@pytest.mark.parametrize(
    "text",
    [
        "CVE-2024-1234",
        "version ABC-1.5",
        "X-PAY-12",
        "PAY-012",
        "PAY-0",
        "P-12",
        "PAY-1234567890",
        "PAY-12a",
        "PAY-1٢",
        "ÜPAY-12",
        "PAY-12@example.com",
        "anna@PAY-12.example",
        "Anna <PAY-12@example.com>",
        "https://example.com/files/PAY-12.pdf?x=PAY-13",
    ],
)
def test_what_only_looks_like_a_key_is_none(text: str) -> None:
    assert keys(text) == []


WRAPPED = (
    "https://urldefense.proofpoint.com/v1/url?u=https://acme.atlassian.net/browse/PAY-7&k=1",
    "https://urldefense.proofpoint.com/v2/url?u=https-3A__acme.atlassian.net_browse_PAY-2D7-3Ffocused-3D1&d=DwMFaQ&e=",
    "https://urldefense.com/v3/__https:/acme.atlassian.net/browse/PAY-7__;!!abc!d$",
    "https://urldefense.us/v3/__https://acme.atlassian.net/browse/PAY-7*c__;Iw!!abc!d$",
    "https://urldefense.com/v3/__https://acme.atlassian.net/browse/PAY-7**A__;Iz8!!abc!d$",
    "https://gcc.safelinks.protection.office365.us/?url=https%3A%2F%2Facme.atlassian.net%2Fbrowse%2FPAY-7&d=1",
    "https://eur01.safelinks.protection.outlook.com/?url=https%3A%2F%2Furldefense.com%2Fv3%2F__https%3A%2F%2F"
    "acme.atlassian.net%2Fbrowse%2FPAY-7__%3B!!abc%24&d=1",
    "https://linkprotect.cudasvc.com/url?a=https%3a%2f%2facme.atlassian.net%2fbrowse%2fPAY-7&c=E,1,x&typo=1",
)
SERVICE_DESK = (
    "https://acme.atlassian.net/jira/servicedesk/projects/IT/queues/custom/12/IT-4",
    "https://acme.atlassian.net/jira/servicedesk/projects/IT/queues/issue/IT-4",
    "https://acme.atlassian.net/servicedesk/agent/IT/issue/IT-4",
)


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("https://Acme.atlassian.net/browse/PAY-12", ("jira.key", "acme.atlassian.net", "PAY-12")),
        ("https://acme.atlassian.net/browse/pay-12?focusedId=77#c", ("jira.key", "acme.atlassian.net", "PAY-12")),
        ("https://tools.example.com/jira/browse/AB-1", ("jira.key", "tools.example.com", "AB-1")),
        ("http://127.0.0.1:8081/browse/AB-1", ("jira.key", "127.0.0.1:8081", "AB-1")),
        (
            "https://acme.atlassian.net/jira/software/c/projects/PAY/boards/3?view=detail&selectedIssue=PAY-12",
            ("jira.key", "acme.atlassian.net", "PAY-12"),
        ),
        (
            "https://acme.atlassian.net/jira/software/projects/PAY/issues/PAY-9",
            ("jira.key", "acme.atlassian.net", "PAY-9"),
        ),
        ("https://acme.atlassian.net/servicedesk/customer/portal/3/IT-4", ("jira.key", "acme.atlassian.net", "IT-4")),
        ("https://app.hubspot.com/contacts/4711/deal/99", ("hubspot.deal", "hubspot:4711", "99")),
        ("https://app-eu1.hubspot.com/contacts/4711/record/0-3/99/view/1", ("hubspot.deal", "hubspot:4711", "99")),
        ("https://app.hubspot.com/contacts/4711/record/0-5/7", ("hubspot.ticket", "hubspot:4711", "7")),
        ("https://app.hubspot.com/help-desk/4711/ticket/7", ("hubspot.ticket", "hubspot:4711", "7")),
        (
            "https://eur01.safelinks.protection.outlook.com/?url=https%3A%2F%2Facme.atlassian.net%2Fbrowse%2FPAY-7&d=1",
            ("jira.key", "acme.atlassian.net", "PAY-7"),
        ),
        (
            "https://eur01.safelinks.protection.outlook.com/?url=https%3A%2F%2Facme.atlassian.net%2Fbrowse%2FPAY-7&d="
            + "1" * 3_800,
            ("jira.key", "acme.atlassian.net", "PAY-7"),
        ),
        (
            "https://urldefense.com/v3/__https://acme.atlassian.net/browse/PAY-7__;!!abc",
            ("jira.key", "acme.atlassian.net", "PAY-7"),
        ),
        *((address, ("jira.key", "acme.atlassian.net", "PAY-7")) for address in WRAPPED),
        *((address, ("jira.key", "acme.atlassian.net", "IT-4")) for address in SERVICE_DESK),
        ("https://app.hubspot.com/help-desk/4711/view/95291824/ticket/7", ("hubspot.ticket", "hubspot:4711", "7")),
        ("https://app.hubspot.com/help-desk/4711/view/search/ticket/7/", ("hubspot.ticket", "hubspot:4711", "7")),
        (
            "https://acme.atlassian.net/browse/PAY",
            ("url", "acme.atlassian.net", "https://acme.atlassian.net/browse/PAY"),
        ),
        (
            "https://WIKI.example.com/a?utm_source=mail&page=1&_hsenc=p2#part",
            ("url", "wiki.example.com", "https://wiki.example.com/a?page=1"),
        ),
        ("https://user:secret@example.com:443", ("url", "example.com", "https://example.com/")),
    ],
)
def test_addresses_are_read(address: str, expected: tuple[str, str, str]) -> None:
    assert values(address) == [expected]
    assert values(f"Look (at {address}), please.") == [expected]
    assert values(f"<{address}>") == [expected]
    assert values(f"[the issue|{address}]") == [expected]
    assert expected[::2] in parse(address)


def test_brackets_of_an_address_stay_and_those_around_it_go() -> None:
    assert values("(https://example.com/a_(b))") == [("url", "example.com", "https://example.com/a_(b)")]


@pytest.mark.parametrize(
    "address", ["http://[", "https://", "http://a:99999999/x", "https://" + "a" * 3_000, "http://[::1"]
)
def test_broken_addresses_are_no_reference(address: str) -> None:
    assert values(address) == []


def test_message_ids_are_told_from_addresses_of_people() -> None:
    text = "From: Anna <anna.smith1984@example.com>\nMessage-ID: <m1@Mail.EXAMPLE.com>\n"
    text += "and <CAF+AbC9d8e7f6g5h4i3j2@mail.gmail.com>"
    assert values(text) == [
        ("message-id", "", "m1@mail.example.com"),
        ("message-id", "", "CAF+AbC9d8e7f6g5h4i3j2@mail.gmail.com"),
    ]


def test_request_ids_are_found() -> None:
    assert values("Re: export [R-MZXW6YTBOI3D] and R-MZXW6YTBOI31 and XR-MZXW6YTBOI3D") == [
        ("request", "", "R-MZXW6YTBOI3D")
    ]


def test_a_reference_says_where_it_stands_and_since_when() -> None:
    since = datetime(2026, 5, 3, tzinfo=UTC)
    text = "word " * 100 + "then\nPAY-12 and " + "more " * 100 + "PAY-12"
    (found,) = find(Text("comment:7", text, Evidence.TITLE, since))
    assert text[found.start : found.end] == "PAY-12"
    assert (found.field, found.evidence, found.since) == ("comment:7", Evidence.TITLE, since)
    assert "then PAY-12 and" in found.around
    assert len(found.around) <= AROUND


def test_more_values_than_kept_are_counted() -> None:
    found = search(Text("body", " ".join(f"PAY-{number}" for number in range(1, MAX_FOUND + 31)), Evidence.WRITTEN))
    assert len(found.references) == MAX_FOUND
    assert found.left_out == 30
    assert found.references[0].value == "PAY-1"


@pytest.mark.parametrize(
    "piece",
    [
        "A",
        "A-",
        "<",
        "<a@",
        "<a",
        "https://",
        "https://a.b/((((",
        "))",
        "PAY-",
        "R-",
        "A_",
        "é",
        "message-id ",
        "-1",
        "[AW:",
    ],
)
def test_time_is_linear_in_the_text(piece: str) -> None:
    def took(length: int) -> float:
        text = Text("body", (piece * length)[:length], Evidence.WRITTEN)
        best = 9.0
        for _ in range(3):
            start = time.process_time()
            search(text)
            best = min(best, time.process_time() - start)
        return best

    # Four times the text; a quadratic search would take sixteen times as long.
    assert took(400_000) < 10 * took(100_000) + 0.05


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("pay-12", (("jira.key", "PAY-12"),)),
        (" 'PAY-12' ", (("jira.key", "PAY-12"),)),
        (
            "#123",
            (
                ("hubspot.deal", "123"),
                ("hubspot.ticket", "123"),
                ("jira.issue", "123"),
                ("hubspot.note", "123"),
                ("hubspot.email", "123"),
            ),
        ),
        ("<a.B@Example.COM>", (("message-id", "a.B@example.com"),)),
        ("a.B@Example.COM", (("message-id", "a.B@example.com"),)),
        ("r-mzxw6ytboi3d", (("request", "R-MZXW6YTBOI3D"),)),
        (
            "https://acme.atlassian.net/browse/pay-12",
            (("jira.key", "PAY-12"), ("url", "https://acme.atlassian.net/browse/pay-12")),
        ),
        ("the export is broken", ()),
        ("", ()),
        ("https://[", ()),
        ("１２３", ()),
    ],
)
def test_what_a_person_types(query: str, expected: tuple[tuple[str, str], ...]) -> None:
    assert parse(query) == expected


@pytest.mark.parametrize(
    ("pasted", "likeliest"),
    [
        ("[PAY-12]", ("jira.key", "PAY-12")),
        ("PAY-12:", ("jira.key", "PAY-12")),
        ("#PAY-12.", ("jira.key", "PAY-12")),
        ("pay\u201112", ("jira.key", "PAY-12")),
        ("\u200bPAY-12\ufeff", ("jira.key", "PAY-12")),
        ("(R-MZXW6YTBOI3D)", ("request", "R-MZXW6YTBOI3D")),
        ("<https://acme.atlassian.net/browse/PAY-12>", ("jira.key", "PAY-12")),
        ("https://acme.atlassian.net/browse/PAY-12).", ("jira.key", "PAY-12")),
        ("acme.atlassian.net/browse/PAY-12", ("jira.key", "PAY-12")),
        ("127.0.0.1:8080/jira/browse/PAY-12", ("jira.key", "PAY-12")),
        ("app.hubspot.com/contacts/4711/deal/99", ("hubspot.deal", "99")),
        ("https://app.hubspot.com/contacts/4711/record/0-49/99?x=1", ("hubspot.email", "99")),
        ("Message-ID: <a.B@Example.COM>", ("message-id", "a.B@example.com")),
        ("In-Reply-To:<a.B@Example.COM>", ("message-id", "a.B@example.com")),
        ("mid:a.B@Example.COM", ("message-id", "a.B@example.com")),
        ("message://%3Ca.B%2Fc@Example.COM%3E", ("message-id", "a.B/c@example.com")),
        ("http://127.0.0.1:8700/requests/R-MZXW6YTBOI3D", ("request", "R-MZXW6YTBOI3D")),
        ("https://hub.example.com/base/requests/R-MZXW6YTBOI3D/timeline?cursor=x#e1", ("request", "R-MZXW6YTBOI3D")),
        ("https://hub.example.com/v1/requests/r-mzxw6ytboi3d/links", ("request", "R-MZXW6YTBOI3D")),
        (
            "https://eur01.safelinks.protection.outlook.com/?url=https%3A%2F%2Fhub.example.com%2Frequests%2FR-MZXW6YTBOI3D",
            ("request", "R-MZXW6YTBOI3D"),
        ),
    ],
)
def test_what_stands_around_a_reference_where_it_was_copied_does_not_matter(
    pasted: str, likeliest: tuple[str, str]
) -> None:
    assert likeliest in parse(pasted)


@pytest.mark.parametrize("pasted", ["PAY-12 PAY-13", "PAY-12 is broken", "wiki.example/a", "a:b@c d", "mid: a@b c"])
def test_a_text_is_no_reference(pasted: str) -> None:
    assert parse(pasted) == ()


@pytest.mark.parametrize("path", ["requests/R-MZXW6YTBOI3", "requests/R-MZXW6YTBOI3DX", "requests/board"])
def test_other_addresses_show_no_request(path: str) -> None:
    assert [kind for kind, _ in parse(f"https://hub.example.com/{path}")] == ["url"]


def test_an_address_that_ends_in_a_sign_is_looked_up_as_it_is_too() -> None:
    assert parse("https://a.example/x_") == (("url", "https://a.example/x_"), ("url", "https://a.example/x"))


def test_a_remote_link_by_address_is_understood() -> None:
    link = Reference("url", "", "https://app.hubspot.com/contacts/4711/deal/99", Evidence.EXPLICIT, "remote link")
    deal = understood(link)
    assert (deal.kind, deal.scope, deal.value, deal.relation) == ("hubspot.deal", "hubspot:4711", "99", "remote link")
    page = Reference("url", "", "https://wiki.example.com/a", Evidence.EXPLICIT, "remote link")
    assert understood(page).value == page.value
    itself = Reference("url", "jira-a", "https://acme.atlassian.net/browse/PAY-1", Evidence.IDENTITY, "is")
    assert understood(itself) == itself


def test_every_artifact_owns_its_request_id() -> None:
    assert own("jira-a/issue/1").key == f"request|{request_id('jira-a/issue/1')}"


KINDS = ("jira.key", "message-id", "url", "request", "hubspot.deal", "jira.issue", "row.key")
RAW = st.one_of(
    st.text(),
    st.from_regex(r"(?i)[a-z][a-z0-9_]{1,6}-[1-9][0-9]{0,4}", fullmatch=True),
    st.from_regex(r"https?://[a-zA-Z.]{1,9}(:[0-9]{1,4})?/[!-~]{0,30}", fullmatch=True),
    st.from_regex(r"<[!-~]{1,9}@[!-~]{1,9}>", fullmatch=True),
)


@given(st.sampled_from(KINDS), RAW)
def test_a_normal_form_is_its_own_normal_form(kind: str, raw: str) -> None:
    once = normal(kind, raw)
    if once is not None:
        assert normal(kind, once) == once


@given(RAW)
def test_searching_and_parsing_never_raise_and_give_normal_forms(raw: str) -> None:
    for one in find(Text("body", raw, Evidence.WRITTEN)):
        assert normal(one.kind, one.value) == one.value
        assert raw[one.start : one.end].strip()
    for kind, value in parse(raw):
        assert normal(kind, value) == value
    assert scope_of(raw) == scope_of(raw).lower()
    assert normal_address(raw) is None or normal_address(raw).startswith("http")  # type: ignore[union-attr]


@given(
    st.from_regex(r"[A-Z][A-Z0-9_]{1,9}-[1-9][0-9]{0,6}", fullmatch=True), st.sampled_from(["", " ", ", ", "\n", "("])
)
def test_a_written_key_is_found_and_looked_up_in_any_case(key: str, before: str) -> None:
    assert keys(f"See{before or ' '}{key}, please") == [key]
    assert ("jira.key", key) in parse(key.lower())
    assert parse(f"https://acme.atlassian.net/browse/{key}")[0] == ("jira.key", key)


@pytest.mark.parametrize(
    ("text", "listed"),
    [
        ("This week:\n* PAY-1 export\n* PAY-2 import\n\n* PAY-3 (late)\nsee PAY-4", "PAY-1 PAY-2 PAY-3"),
        ("1. [PAY-1] x\n2) PAY-2\n(3) *PAY-3*", "PAY-1 PAY-2 PAY-3"),
        ("PAY-1: done\nPAY-2: done\n  – https://a.atlassian.net/browse/PAY-3", "PAY-1 PAY-2 PAY-3"),
        ("About PAY-3.\n- PAY-1\n- PAY-2\n- PAY-3", "PAY-1 PAY-2 PAY-3"),
        ("[x] PAY-1\n- [ ] PAY-2\n✅ [PAY-3]", "PAY-1 PAY-2 PAY-3"),
        ("- PAY-1\n- PAY-2\n- PAY-1", ""),
        ("PAY-1, PAY-2\nand PAY-3, PAY-4", ""),
        ("- for PAY-1\n- for PAY-2\n- for PAY-3", ""),
    ],
)
def test_lines_that_begin_with_several_things_are_a_list(text: str, listed: str) -> None:
    found = find(Text("body", text, Evidence.WRITTEN))
    assert {one.value for one in found if one.relation == LISTED} == set(listed.split())
    assert {one.relation for one in found} <= {LISTED, "mentions"}
