"""The real traps: what looks as if it belonged together and does not, and the other way round."""

from dataclasses import replace

import pytest

from pipelines.references import LISTED, SMALL
from schemas.artifacts import Evidence, Reference
from tests.pipelines.company import (
    RULES,
    at,
    grouped,
    issue,
    link,
    mail,
    names,
    of,
    quoted,
    record,
    reply,
    requests,
    sets,
    title,
    written,
)


def part_of(key: str) -> Reference:
    return link("jira.key", key, "parent", "parent", "jira-a")


def test_a_weekly_digest_that_names_twenty_keys() -> None:
    keys = [f"PAY-{n}" for n in range(1, 21)]
    digest = mail("digest", *written(*keys))
    groups = grouped(*(issue(key) for key in keys), digest)
    assert len(groups.requests) == 21
    assert {one.kept for one in of(groups, digest).mentions} == {"the text names 20 things"}
    assert len(of(groups, digest).mentions) == 20


def test_many_words_that_are_no_keys_make_no_digest() -> None:
    words = ("UTF-8", "ISO-9001", "COVID-19", "SHA-256", "MP-3", "AES-128", "PAY-1")
    groups = grouped(issue("PAY-1"), mail("m1", *written(*words)))
    assert requests(groups) == sets("PAY-1 m1")


def listed(*keys: str) -> list[Reference]:
    return [replace(one, relation=LISTED) for one in written(*keys)]


def test_a_list_of_three_requests_is_a_report() -> None:
    report = mail("report", *listed("PAY-1", "PAY-2", "PAY-3"), *written("PAY-4"))
    groups = grouped(*(issue(f"PAY-{n}") for n in (1, 2, 3, 4)), report)
    assert requests(groups) == sets("PAY-1", "PAY-2", "PAY-3", "PAY-4", "report")
    assert {one.kept for one in of(groups, report).mentions} == {"the text is a list of 3 things"}
    assert len(of(groups, report).mentions) == 4


def test_a_list_of_which_one_project_is_read_is_a_report_too() -> None:
    """What it names of other projects means nothing here, but shows that the mail speaks of many things."""
    report = mail("report", *listed("PAY-1", "PAY-2", "WEB-7"))
    groups = grouped(issue("PAY-1"), issue("PAY-2"), report)
    assert requests(groups) == sets("PAY-1", "PAY-2", "report")
    assert {one.kept for one in of(groups, report).mentions} == {"the text is a list of 3 things"}
    points = mail("points", *listed("PAY-1", "WEB-1", "WEB-2", "WEB-3", "OPS-1", "OPS-2"))
    assert {one.kept for one in of(grouped(issue("PAY-1"), points), points).mentions} == {"the text names 6 things"}
    again = mail("again", reply("points"), *written("PAY-2"), day=5)
    assert requests(grouped(issue("PAY-1"), issue("PAY-2"), points, again)) == sets("PAY-1", "PAY-2 again", "points")


def test_a_list_of_two_or_of_what_belongs_together_anyway_joins() -> None:
    two = mail("two", *listed("PAY-1", "PAY-2"))
    assert requests(grouped(issue("PAY-1"), issue("PAY-2"), two)) == sets("PAY-1 PAY-2 two")
    parts = issue("PAY-2", part_of("PAY-1")), issue("PAY-3", part_of("PAY-1"))
    whole = mail("whole", *listed("PAY-1", "PAY-2", "PAY-3"))
    assert requests(grouped(issue("PAY-1"), *parts, whole)) == sets("PAY-1 PAY-2 PAY-3 whole")
    named = mail("named", title("PAY-1"), *listed("PAY-1", "PAY-2", "PAY-3"))
    groups = grouped(*(issue(f"PAY-{n}") for n in (1, 2, 3)), named)
    assert requests(groups) == sets("PAY-1 named", "PAY-2", "PAY-3"), "the subject says which one it is about"


def test_comments_are_texts_of_their_own() -> None:
    comments = [replace(written(f"PAY-{n}", field="comment")[0], field=f"comment:{n}") for n in range(1, 8)]
    story = issue("OPS-1", *comments)
    groups = grouped(story, *(issue(f"PAY-{n}") for n in range(1, 8)))
    assert len(groups.requests) == 1


def test_answers_to_a_digest_that_name_one_thing_each_stay_apart() -> None:
    keys = [f"PAY-{n}" for n in range(1, 8)]
    digest = mail("digest", *written(*keys), subject="Weekly status")
    one = mail("a", reply("digest"), *written("PAY-1"), subject="Re: Weekly status", day=4)
    two = mail("b", reply("digest"), *written("PAY-2"), subject="Re: Weekly status", day=4)
    thanks = mail("c", reply("digest"), subject="Re: Weekly status", day=4)
    groups = grouped(*(issue(key) for key in keys), digest, one, two, thanks)
    assert {frozenset({"PAY-1", "a"}), frozenset({"PAY-2", "b"}), frozenset({"digest", "c"})} <= requests(groups)


def test_a_forward_that_lost_its_headers_joins_by_what_it_names_only() -> None:
    asked = mail("m1", title("PAY-12"), subject="PAY-12 export")
    forward = mail("m2", title("PAY-12"), subject="FW: PAY-12 export", day=4)
    bare = mail("m3", quoted("PAY-12"), subject="FW: export", day=4)
    assert requests(grouped(issue("PAY-12"), asked, forward, bare)) == sets("PAY-12 m1 m2", "m3")


def test_reply_all_with_a_new_message_id() -> None:
    """The copy that came by a list has another id; its answers still name the thread's root."""
    root = mail("m1", subject="Export")
    answer = mail("m2", reply("m1"), reply("m1", "References"), subject="Re: Export", day=4)
    lost = mail("m3", reply("copy"), reply("m1", "References"), subject="RE: Export", day=5)
    other = mail("m4", reply("copy"), subject="AW: Export", day=6)
    assert requests(grouped(root, answer, lost, other)) == sets("m1 m2 m3 m4")


def test_a_shared_mailbox_joins_nobody() -> None:
    """Many people write to one address; the address is no value that joins."""
    box = Reference("message-id", "", "support@example.com", Evidence.WRITTEN, field="body")
    assert requests(grouped(mail("m1", box), mail("m2", box))) == sets("m1", "m2")


def test_the_same_template_subject_from_many_people() -> None:
    mails = [mail(f"m{n}", subject="New request from the web form") for n in range(5)]
    assert len(grouped(*mails).requests) == 5


def test_an_issue_moved_to_another_project_is_known_by_its_old_key() -> None:
    old = Reference("jira.key", "jira-a", "OLD-3", Evidence.IDENTITY, "is")
    groups = grouped(issue("PAY-12", old), mail("m1", title("OLD-3")))
    assert requests(groups) == sets("PAY-12 m1")
    assert groups.requests[0].links[0].why == "The mail of 3 May 2026 names OLD-3 (now PAY-12) in its subject"


def test_key_like_strings_that_are_no_keys() -> None:
    words = ("UTF-8", "ISO-9001", "COVID-19")
    groups = grouped(mail("m1", *written(*words)), mail("m2", *written(*words)))
    assert requests(groups) == sets("m1", "m2")
    assert groups.requests[0].mentions == ()


def test_an_epic_with_a_hundred_children_is_a_programme() -> None:
    epic = issue("OPS-1", level=1)
    children = [issue(f"PAY-{n}", part_of("OPS-1")) for n in range(1, 101)]
    groups = grouped(epic, *children)
    assert len(groups.requests) == 100
    (programme,) = groups.programmes
    assert (programme.artifact, programme.artifacts) == (epic.artifact, (epic.artifact,))
    assert len(programme.requests) == len(programme.links) == 100
    assert all(group.programmes == (epic.artifact,) for group in groups.requests)
    assert groups.outside == (epic.artifact,)


def test_an_epic_with_one_opener_joins_with_its_children() -> None:
    epic = issue("OPS-1", level=1)
    tasks = [replace(issue(f"PAY-{n}", part_of("OPS-1")), opens=False) for n in range(1, 6)]
    groups = grouped(epic, *tasks, mail("m1", title("OPS-1")))
    assert requests(groups) == sets("OPS-1 PAY-1 PAY-2 PAY-3 PAY-4 PAY-5 m1")
    assert groups.programmes == ()


def test_two_mails_about_one_epic_stay_two_requests() -> None:
    groups = grouped(issue("OPS-1", level=1), mail("m1", title("OPS-1")), mail("m2", title("OPS-1")))
    assert requests(groups) == sets("m1", "m2")
    assert len(groups.programmes[0].requests) == 2


def test_an_epic_that_was_not_read_is_a_programme_too() -> None:
    groups = grouped(issue("PAY-1", part_of("OPS-9")), issue("PAY-2", part_of("OPS-9")))
    assert requests(groups) == sets("PAY-1", "PAY-2")
    (programme,) = groups.programmes
    assert (programme.artifact, programme.name) == (None, "OPS-9")


def test_an_initiative_holds_the_programmes_below_it() -> None:
    initiative = issue("OPS-1", level=2)
    epic = issue("OPS-2", part_of("OPS-1"), level=1)
    stories = [issue("PAY-1", part_of("OPS-2")), issue("PAY-2", part_of("OPS-2"))]
    groups = grouped(initiative, epic, *stories, mail("m1", title("OPS-1")))
    assert requests(groups) == sets("PAY-1", "PAY-2", "m1")
    assert {names([one.artifact or ""]).pop(): len(one.requests) for one in groups.programmes} == {
        "OPS-1": 3,
        "OPS-2": 2,
    }


def test_an_epic_that_is_an_opener_keeps_what_opens_nothing() -> None:
    jira = replace(RULES.connections["jira-a"], openers=frozenset({"Epic", "Story"}))
    rules = replace(RULES, connections={**RULES.connections, "jira-a": jira})
    task = replace(issue("PAY-2", part_of("OPS-1")), type="Task")
    groups = grouped(issue("OPS-1", level=1), issue("PAY-1", part_of("OPS-1")), task, rules=rules)
    assert requests(groups) == sets("OPS-1 PAY-2", "PAY-1")


def test_a_deal_merged_into_another_is_its_alias() -> None:
    loser = record("deal", "98", merged_into="crm/deal/99", day=1)
    asks = mail("m1", Reference("hubspot.deal", "hubspot:4711", "98", Evidence.WRITTEN, field="body"))
    third = Reference("hubspot.deal", "hubspot:4711", "99", Evidence.TITLE, field="subject")
    groups = grouped(loser, record("deal", "99"), asks, mail("m2", third))
    assert requests(groups) == sets("98 99 m1 m2")
    assert names(groups.requests[0].openers) == {"99", "m1", "m2"}
    assert groups.requests[0].anchor == loser.artifact
    assert "The deal 98 was merged into the deal 99" in {one.why for one in groups.requests[0].links}


def test_a_key_in_a_quoted_footer() -> None:
    groups = grouped(issue("PAY-12"), mail("m1", quoted("PAY-12")), mail("m2", quoted("PAY-12")))
    assert requests(groups) == sets("PAY-12", "m1", "m2")


def test_an_old_thread_reused_for_something_else() -> None:
    old = mail("m1", title("PAY-1"), subject="PAY-1 invoice")
    reused = mail("m2", reply("m1"), title("PAY-2"), subject="PAY-2 export broken", day=20)
    answer = mail("m3", reply("m2"), reply("m1", "References"), subject="Re: PAY-2 export broken", day=21)
    groups = grouped(issue("PAY-1"), issue("PAY-2"), old, reused, answer)
    assert requests(groups) == sets("PAY-1 m1", "PAY-2 m2 m3")
    assert of(groups, reused).mentions[0].kept == "the old thread was used for something else"


def test_a_changed_subject_alone_does_not_break_a_thread() -> None:
    asked = mail("m1", subject="Export broken")
    keyed = mail("m2", reply("m1"), title("PAY-1"), subject="Re: [EXTERNAL] Export broken (PAY-1)", day=4)
    renamed = mail("m3", reply("m1"), subject="Thank you!", day=5)
    assert requests(grouped(issue("PAY-1"), asked, keyed, renamed)) == sets("PAY-1 m1 m2 m3")


def test_an_old_thread_with_a_new_subject_and_no_key() -> None:
    old = mail("m1", title("PAY-1"), subject="Payslips in the portal (PAY-1)")
    reused = mail("m2", reply("m1"), subject="Access for our new colleague", day=20)
    answer = mail("m3", reply("m2"), reply("m1", "References"), subject="Re: Access for our new colleague", day=21)
    groups = grouped(issue("PAY-1"), old, reused, answer)
    assert requests(groups) == sets("PAY-1 m1", "m2 m3")
    assert of(groups, reused).mentions[0].kept == "the old thread was used for something else"


@pytest.mark.parametrize(
    ("subject", "day", "more"),
    [
        ("Access for our new colleague", 10, {}),
        ("Payslips are in the portal now", 20, {}),
        ("Re: Payslips in the portal (was: PAY-1)", 20, {}),
        ("", 20, {}),
        ("VPN", 20, {}),
        ("Access for our new colleague", 20, {"kind": "auto-reply"}),
    ],
)
def test_what_does_not_break_a_thread(subject: str, day: int, more: dict[str, str]) -> None:
    old = mail("m1", title("PAY-1"), subject="Payslips in the portal")
    later = mail("m2", reply("m1"), subject=subject, day=day, **more)
    assert requests(grouped(issue("PAY-1"), old, later)) == sets("PAY-1 m1 m2")


def test_automatic_mail_joins_by_its_reply_header_and_by_the_one_thing_of_its_subject() -> None:
    asked = mail("m1", subject="Export")
    away = mail("m2", reply("m1"), kind="auto-reply", day=4)
    notice = mail("m3", title("PAY-1"), *written("PAY-2"), kind="list", day=4)
    weekly = mail("m4", title("PAY-1"), title("PAY-2"), kind="list", day=5)
    groups = grouped(issue("PAY-1"), issue("PAY-2"), asked, away, notice, weekly)
    assert requests(groups) == sets("PAY-1 m3", "PAY-2", "m1 m2")
    assert names(groups.outside) == {"m4"}
    kept = {one.kept for one in of(groups, issue("PAY-2")).mentions}
    assert kept == {"automatic mail joins by reply, and by the one thing that its subject names"}


def test_a_notice_that_answers_the_mail_an_issue_was_made_of_joins_the_two() -> None:
    asked = mail("m1", subject="Export")
    notice = mail("m2", title("PAY-1"), reply("m1"), kind="auto-reply", day=4)
    assert requests(grouped(issue("PAY-1"), asked, notice)) == sets("PAY-1 m1 m2")


def test_a_key_in_small_letters_joins_only_an_issue_that_was_read() -> None:
    small = replace(written("PAY-1")[0], relation=SMALL)
    noise = replace(written("PAY-99")[0], relation=SMALL)
    one, other = mail("m1", small, noise), mail("m2", noise, day=4)
    groups = grouped(issue("PAY-1"), one, other)
    assert requests(groups) == sets("PAY-1 m1", "m2")
    assert of(groups, other).mentions == ()
    assert of(groups, one).links[0].why == "The mail of 3 May 2026 names PAY-1 in its text"


def test_copies_of_one_mail_are_one_whatever_a_list_or_a_gateway_did_to_them() -> None:
    one = mail("m1", subject="Re: Export")
    for other in (one, replace(one, title="[team] Export"), replace(one, title=None)):
        copy = replace(other, artifact="mail/mail/copy", created_at=at(3).replace(":00:00", ":00:40"))
        groups = grouped(one, copy)
        assert requests(groups) == sets("m1 copy")
        assert groups.requests[0].links[0].why.endswith("are known as the same Message-ID")


def test_different_mails_with_one_message_id_are_two_and_who_answers_it_joins_neither() -> None:
    one = mail("m1", title("PAY-1"), subject="Update: PAY-1")
    later = replace(mail("m1", title("PAY-2"), day=4, subject="Update: PAY-1"), artifact="mail/mail/later")
    other = replace(mail("m1", title("PAY-2"), subject="Update: PAY-2"), artifact="mail/mail/other")
    answer = mail("m2", reply("m1"), day=5)
    for stranger in (later, other):
        groups = grouped(issue("PAY-1"), issue("PAY-2", day=2), one, stranger, answer)
        name = stranger.artifact.rpartition("/")[2]
        assert requests(groups) == sets("PAY-1 m1", f"PAY-2 {name}", "m2")
        assert of(groups, answer).mentions[0].kept == "several different mails bear that Message-ID"


def test_a_value_on_too_many_artifacts_is_generic() -> None:
    mails = [mail(f"m{n}", title("PAY-1")) for n in range(51)]
    groups = grouped(issue("PAY-1"), *mails)
    assert len(groups.requests) == 52
    assert of(groups, mails[0]).mentions[0].kept == "more than 50 artifacts name it"
    assert requests(grouped(issue("PAY-1"), *mails[:50])) == {frozenset({"PAY-1", *(f"m{n}" for n in range(50))})}
    counted = grouped(issue("PAY-1"), mails[0], counts={"jira.key|PAY-1": 51})
    assert requests(counted) == sets("PAY-1", "m0")


def test_a_logged_mail_on_every_open_deal_joins_none() -> None:
    deals = [record("deal", number) for number in ("97", "98")]
    logged = record("email", "5", *(link("hubspot.deal", one, "association", scope="crm") for one in ("97", "98")))
    groups = grouped(*deals, logged)
    assert requests(groups) == sets("97", "98")
    assert groups.outside == (logged.artifact,)
    once = record("email", "6", link("hubspot.deal", "97", "association", scope="crm"))
    assert requests(grouped(*deals, once)) == sets("97 6", "98")


def test_a_deleted_artifact_keeps_its_place() -> None:
    groups = grouped(issue("PAY-12", deleted=True), mail("m1", title("PAY-12")), mail("m2", title("PAY-12")))
    assert requests(groups) == sets("PAY-12 m1 m2")


def test_evidence_withdrawn_stops_joining() -> None:
    assert requests(grouped(issue("PAY-12"), mail("m1", title("PAY-12")))) == sets("PAY-12 m1")
    assert requests(grouped(issue("PAY-12"), mail("m1"))) == sets("PAY-12", "m1")


def test_an_answer_to_what_broke_off_does_not_lead_back_through_an_unread_mail() -> None:
    old = mail("m1", reply("lost"), title("PAY-1"), subject="PAY-1 invoice")
    reused = mail("m2", reply("m1"), title("PAY-2"), subject="PAY-2 export broken", day=20)
    answer = mail("m3", reply("m2"), reply("lost", "References"), subject="Re: PAY-2 export broken", day=21)
    groups = grouped(issue("PAY-1"), issue("PAY-2"), old, reused, answer)
    assert requests(groups) == sets("PAY-1 m1", "PAY-2 m2 m3")


def test_explicit_links_make_no_value_generic() -> None:
    children = [issue(f"OPS-{n}", part_of("PAY-1"), *written("PAY-1"), level=-1) for n in range(1, 61)]
    groups = grouped(issue("PAY-1"), *children, mail("m1", title("PAY-1")))
    assert len(groups.requests) == 1
    assert len(groups.requests[0].artifacts) == 62


def test_a_programme_stays_one_however_deep_it_lies() -> None:
    """Containers between a programme and what names the top add nothing to any one request."""
    levels = [issue("OPS-1", level=3), issue("OPS-2", part_of("OPS-1"), level=2)]
    epic = issue("OPS-3", part_of("OPS-2"), level=1)
    stories = [issue("PAY-1", part_of("OPS-3")), issue("PAY-2", part_of("OPS-3"))]
    for key in ("OPS-1", "OPS-2"):
        groups = grouped(*levels, epic, *stories, mail("m1", title(key)))
        assert requests(groups) == sets("PAY-1", "PAY-2", "m1")
        assert max(len(one.requests) for one in groups.programmes) == 3
