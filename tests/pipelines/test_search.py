import unicodedata

from hypothesis import given
from hypothesis import strategies as st

from pipelines.search import LONGEST, MOST, name_term, terms


def test_case_accents_and_punctuation_do_not_matter() -> None:
    assert terms("Zahlungs-Portal für Zoë: PAY-12, ﬁnal!") == ["zahlungs", "portal", "fur", "zoe", "pay", "12", "final"]
    assert terms("STRASSE straße") == ["strasse"]
    assert terms("a b PAY-7") == ["pay", "7"]


def test_vowels_that_are_marks_belong_to_their_word() -> None:
    assert terms("हिन्दी में भुगतान") == ["हिनदी", "में", "भुगतान"]
    assert terms("தமிழ் மொழி") == ["தமிழ", unicodedata.normalize("NFKD", "மொழி")]
    assert terms("❤️pay ✔️portal 1️⃣") == ["pay", "portal", "1"]


def test_any_part_of_a_text_without_spaces_is_found() -> None:
    found = terms("支付门户 PAY-7：新的")
    assert found == ["支付", "付门", "门户", "pay", "7", "新的"]
    assert set(terms("付门户")) <= set(found)
    assert terms("門") == ["門"]
    assert set(terms("ชำระเงิน")) <= set(terms("ระบบชำระเงินใหม่"))
    assert set(terms("ポータル")) <= set(terms("支払いポータルの改善"))


def test_a_name_is_one_term() -> None:
    assert name_term("  Zoë  BERG ") == "zoe berg"


def test_bounded() -> None:
    assert terms("x" * 1000) == ["x" * LONGEST]
    assert len(terms(" ".join(f"word{number}" for number in range(5000)))) == MOST


@given(st.text())
def test_terms_of_terms_are_the_same(text: str) -> None:
    found = terms(text)
    assert terms(" ".join(found)) == found


@given(st.text(), st.text())
def test_terms_hold_letters_and_digits_only_and_each_once(left: str, right: str) -> None:
    found = terms(f"{left} {right}")
    assert len(set(found)) == len(found)
    assert all(unicodedata.category(letter)[0] in "LMN" for word in found for letter in word)
    assert set(terms(left)) <= set(found)
