"""The way from one artifact to another: over what joins, or over what came nearest to it."""

from dataclasses import replace
from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.correlate.paths import Paths, Step, ends, kept
from schemas.artifacts import Evidence
from schemas.links import Groups, Link, LinkKind
from tests.pipelines.company import grouped, issue, link, mail, quoted, reply, title, written

PAY = "jira-a/issue/"
BOX = "mail/mail/"


def edge(
    left: str, right: str, kept_by: str = "", evidence: Evidence = Evidence.EXPLICIT, kind: LinkKind = "joins"
) -> Link:
    return Link(
        left, right, f"jira.key|{right}", "mentions" if kept_by else kind, evidence, "parent", f"{left} {right}",
        "parent", kept=kept_by,
    )  # fmt: skip


def paths(*links: Link) -> Paths:
    return Paths(Groups(loose=links))


def walked(steps: tuple[Step, ...]) -> str:
    return "".join(step.start + ("-" if not step.kept else "~") for step in steps) + (steps[-1].end if steps else "")


def test_the_shortest_way_over_what_joins() -> None:
    found = paths(edge("a", "b"), edge("b", "c"), edge("c", "d"), edge("d", "a"), edge("a", "e", "no"))
    assert walked(found.joining("a", "d")) == "a-d"
    assert walked(found.joining("a", "c")) in {"a-b-c", "a-d-c"}
    assert found.joining("a", "e") == found.joining("a", "a") == found.joining("a", "nowhere") == ()


def test_of_equal_lengths_the_strongest_evidence() -> None:
    weak, strong = edge("a", "b", evidence=Evidence.WRITTEN), edge("a", "b", evidence=Evidence.EXPLICIT)
    assert paths(weak, strong).joining("a", "b")[0].link == strong
    by_text = edge("a", "b", evidence=Evidence.WRITTEN), edge("b", "d")
    by_title = edge("a", "c", evidence=Evidence.TITLE), edge("c", "d")
    assert walked(paths(*by_text, *by_title).joining("a", "d")) == "a-c-d"


def test_the_nearest_way_has_the_fewest_links_that_join_nothing_then_the_fewest() -> None:
    long = edge("a", "b"), edge("b", "c"), edge("c", "d", "no"), edge("d", "e")
    short = edge("a", "x", "no"), edge("x", "e", "no")
    assert walked(paths(*long, *short).nearest("a", "e")) == "a-b-c~d-e"
    assert walked(paths(*long, edge("b", "e", "no")).nearest("a", "e")) == "a-b~e"
    assert paths(*long).joining("a", "e") == ()


def test_waiting_and_programmes_join_nothing() -> None:
    for kind in ("depends on", "programme"):
        one = edge("a", "b", kind=kind)
        assert kept(one)
        assert paths(one).joining("a", "b") == ()
        assert walked(paths(one).nearest("a", "b")) == "a~b"


def test_two_mails_meet_in_what_was_not_read_and_not_in_what_another_jira_calls_the_same() -> None:
    groups = grouped(mail("m1", title("PAY-12")), mail("m2", *written("PAY-12")))
    steps = Paths(groups).joining(f"{BOX}m1", f"{BOX}m2")
    assert [step.end for step in steps] == ["unread jira-a jira.key|PAY-12", f"{BOX}m2"]
    one = edge("a", "-")
    here, there = (
        replace(one, to_artifact=None, unread="unread x k|1"),
        replace(one, to_artifact=None, unread="unread y k|1"),
    )
    assert paths(here, replace(there, from_artifact="b")).nearest("a", "b") == ()


def test_a_quote_is_the_nearest_there_is() -> None:
    groups = grouped(
        issue("PAY-12"), mail("m1", title("PAY-12")), mail("m2", reply("m1"), day=4),
        issue("PAY-7", day=2), mail("m3", quoted("PAY-7"), title("PAY-12"), day=5),
    )  # fmt: skip
    found = Paths(groups)
    steps = found.nearest(f"{BOX}m2", f"{PAY}PAY-7")
    assert [step.start for step in steps] == [f"{BOX}m2", f"{BOX}m1", f"{PAY}PAY-12", f"{BOX}m3"]
    assert [bool(step.kept) for step in steps] == [False, False, False, True]
    assert steps[-1].kept.startswith("it stands only in quoted text")
    assert found.joining(f"{BOX}m2", f"{PAY}PAY-7") == ()
    assert found.joined_to(f"{BOX}m2") == {f"{BOX}m1", f"{BOX}m2", f"{BOX}m3", f"{PAY}PAY-12"}
    assert [one.kept[:26] for one in found.touching([f"{PAY}PAY-7"])] == ["it stands only in quoted t"]


def test_what_is_in_no_request_has_its_links_too() -> None:
    epic, low = (
        issue("PAY-10", level=1),
        issue("PAY-11", link("jira.key", "PAY-10", "parent", scope="jira-a"), level=-1),
    )
    other = issue("PAY-9", quoted("PAY-11"), level=-1)
    groups = grouped(epic, low, other)
    assert groups.requests == ()
    found = Paths(groups)
    assert len(found.joining(epic.artifact, low.artifact)) == 1
    assert [bool(step.kept) for step in found.nearest(epic.artifact, other.artifact)] == [False, True]


NAMES = st.sampled_from("abcdefgh")
LINKS = st.lists(
    st.builds(edge, NAMES, NAMES, st.sampled_from(["", "no"]), st.sampled_from([Evidence.EXPLICIT, Evidence.TITLE]))
)


@settings(max_examples=200, deadline=None)
@given(LINKS, NAMES, NAMES)
def test_any_way_is_whole_and_the_way_back_is_the_same(links: list[Link], left: str, right: str) -> None:
    found = paths(*links)
    there, back = found.nearest(left, right), found.nearest(right, left)
    assert [(one.end, one.start, one.link) for one in reversed(back)] == [
        (one.start, one.end, one.link) for one in there
    ]
    assert all({one.start, one.end} == set(ends(one.link)) for one in there)
    assert all(one.end == two.start for one, two in pairwise(there))
    assert not there or (there[0].start, there[-1].end) == (left, right)
    joined = found.joining(left, right)
    assert bool(joined) == (right in found.joined_to(left) and left != right)
    assert not joined or not any(step.kept for step in there)
