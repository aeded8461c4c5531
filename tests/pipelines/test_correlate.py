"""Correlation: what joins, what only mentions, and which sentence says why."""

from dataclasses import replace
from datetime import UTC, datetime

from pipelines.correlate.rules import ConnectionRules, Rules
from schemas.artifacts import Evidence, Reference, request_id
from tests.pipelines.company import (
    RULES,
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

URL = "acme.atlassian.net"


def test_a_mention_in_a_subject_joins_and_says_why() -> None:
    groups = grouped(issue("PAY-12"), mail("m1", title("PAY-12"), day=3))
    assert requests(groups) == sets("PAY-12 m1")
    (found,) = groups.requests[0].links
    assert found.why == "The mail of 3 May 2026 names PAY-12 in its subject"
    assert (found.rule, found.kind, found.kept) == ("named in title", "joins", "")
    assert (found.from_artifact, found.to_artifact) == ("mail/mail/m1", "jira-a/issue/PAY-12")


def test_an_answer_joins_what_it_answers() -> None:
    groups = grouped(issue("PAY-12"), mail("m1", title("PAY-12")), mail("m2", reply("m1"), day=4))
    assert requests(groups) == sets("PAY-12 m1 m2")
    assert [one.why for one in groups.requests[0].links] == [
        "The mail of 4 May 2026 replies to the mail of 3 May 2026, which names PAY-12 in its subject",
        "The mail of 3 May 2026 names PAY-12 in its subject",
    ]


def test_a_mention_keeps_its_place_and_time() -> None:
    since = datetime(2026, 5, 3, tzinfo=UTC)
    mention = replace(title("PAY-12"), start=4, end=10, around="see PAY-12", since=since)
    (found,) = grouped(issue("PAY-12"), mail("m1", mention)).requests[0].links
    assert (found.field, found.start, found.end, found.around, found.since) == ("subject", 4, 10, "see PAY-12", since)


def test_two_mails_meet_in_an_issue_that_was_not_read_yet() -> None:
    groups = grouped(mail("m1", title("PAY-12")), mail("m2", *written("PAY-12")))
    assert requests(groups) == sets("m1 m2")
    assert {one.to_artifact for one in groups.requests[0].links} == {None}


def test_one_mail_about_an_unread_issue_only_mentions_it() -> None:
    (group,) = grouped(mail("m1", title("PAY-12"))).requests
    assert group.links == ()
    assert group.mentions[0].why == "The mail of 3 May 2026 names PAY-12 in its subject, but it was not read yet"


def test_only_projects_that_are_read_join() -> None:
    groups = grouped(mail("m1", title("NEW-1")), mail("m2", title("NEW-1")))
    assert requests(groups) == sets("m1", "m2")
    assert all(group.mentions == () for group in groups.requests)
    jira = replace(RULES.connections["jira-a"], projects=frozenset({"NEW"}))
    later = replace(RULES, connections={**RULES.connections, "jira-a": jira})
    assert requests(grouped(mail("m1", title("NEW-1")), mail("m2", title("NEW-1")), rules=later)) == sets("m1 m2")


def test_a_foreign_host_joins_nothing() -> None:
    groups = grouped(issue("PAY-12"), mail("m1", title("PAY-12", scope="other.atlassian.net")))
    assert requests(groups) == sets("PAY-12", "m1")
    assert requests(grouped(issue("PAY-12"), mail("m1", title("PAY-12", scope=URL)))) == sets("PAY-12 m1")


def two_jiras() -> Rules:
    other = ConnectionRules("jira", frozenset({"PAY"}), frozenset({"other.example.com"}))
    return replace(RULES, connections={**RULES.connections, "jira-b": other})


def test_a_bare_key_of_two_connections_is_only_also_mentioned() -> None:
    one, two, bare = issue("PAY-12"), issue("PAY-12", connection="jira-b"), mail("m1", title("PAY-12"))
    groups = grouped(one, two, bare, rules=two_jiras())
    assert len(groups.requests) == 3
    assert {found.kept for found in of(groups, bare).mentions} == {"2 connections may mean it"}
    assert {found.to_artifact for found in of(groups, bare).mentions} == {one.artifact, two.artifact}


def test_a_host_or_the_own_tool_settles_whose_key_it_is() -> None:
    one, two = issue("PAY-12"), issue("PAY-12", connection="jira-b")
    by_host = mail("m1", title("PAY-12", scope="other.example.com"))
    by_tool = issue("PAY-1", *written("PAY-12", field="comment"))
    groups = grouped(one, two, by_host, by_tool, rules=two_jiras())
    assert {group.artifacts for group in groups.requests} == {
        (two.artifact, by_host.artifact),
        (by_tool.artifact, one.artifact),
    }


def test_a_tools_own_link_means_its_own_connection() -> None:
    one, two = issue("PAY-12"), issue("PAY-12", connection="jira-b")
    child = issue("PAY-13", link("jira.key", "PAY-12", "parent", scope="jira-a"), level=-1)
    groups = grouped(one, two, child, rules=two_jiras())
    assert of(groups, one).artifacts == (one.artifact, child.artifact)


def test_link_kinds() -> None:
    def linked(relation: str) -> Reference:
        return link("jira.key", "PAY-2", relation, "issuelinks", "jira-a")

    assert requests(grouped(issue("PAY-1", linked("implements")), issue("PAY-2"))) == sets("PAY-1 PAY-2")
    for relation in ("relates to", "never heard of", "needs {} of {team"):
        groups = grouped(issue("PAY-1", linked(relation)), issue("PAY-2"))
        assert requests(groups) == sets("PAY-1", "PAY-2")
        assert groups.requests[0].mentions[0].why == f"PAY-1 {relation} PAY-2, but this kind of link does not join"


def test_a_dependency_never_joins_and_says_who_waits() -> None:
    told_by_one = issue("PAY-1", link("jira.key", "PAY-2", "blocks", "issuelinks", "jira-a"))
    told_by_two = issue("PAY-2", link("jira.key", "PAY-1", "is blocked by", "issuelinks", "jira-a"))
    groups = grouped(told_by_one, told_by_two)
    assert requests(groups) == sets("PAY-1", "PAY-2")
    for group in groups.requests:
        (found,) = group.depends_on
        assert (found.from_artifact, found.to_artifact) == (told_by_two.artifact, told_by_one.artifact)
        assert found.why == "PAY-2 is blocked by PAY-1"
    assert requests(grouped(told_by_one)) == sets("PAY-1")
    assert grouped(told_by_one).requests[0].depends_on[0].to_artifact is None


def test_a_sub_task_joins_its_parent_and_opens_nothing() -> None:
    child = issue("PAY-2", link("jira.key", "PAY-1", "parent", scope="jira-a"), level=-1)
    groups = grouped(issue("PAY-1"), child)
    assert requests(groups) == sets("PAY-1 PAY-2")
    assert names(groups.requests[0].openers) == {"PAY-1"}
    assert grouped(child).outside == (child.artifact,)


def test_openers_can_be_chosen() -> None:
    jira = replace(RULES.connections["jira-a"], openers=frozenset({"bug"}))
    chosen = replace(RULES, connections={**RULES.connections, "jira-a": jira})
    groups = grouped(issue("PAY-1"), replace(issue("PAY-2"), type="Bug"), rules=chosen)
    assert requests(groups) == sets("PAY-2")
    assert names(groups.outside) == {"PAY-1"}


def test_a_request_is_named_after_what_was_created_first() -> None:
    old, new = issue("PAY-1", title("PAY-2", "summary"), day=1, deleted=True), issue("PAY-2", day=2)
    assert grouped(old, new).requests[0].request == request_id(old.artifact)
    unknown = replace(old, created_at=None)
    assert grouped(unknown, new).requests[0].request == request_id(new.artifact)
    both = grouped(unknown, replace(new, created_at=None)).requests[0]
    assert both.anchor == unknown.artifact


def test_a_request_id_in_a_text_joins_and_quoted_does_not() -> None:
    opened = mail("m1", day=1)
    token = Reference("request", "", request_id(opened.artifact), Evidence.WRITTEN, field="body")
    groups = grouped(opened, mail("m2", token))
    assert requests(groups) == sets("m1 m2")
    assert groups.requests[0].links[0].rule == "request id"
    assert requests(grouped(opened, mail("m2", replace(token, evidence=Evidence.QUOTED)))) == sets("m1", "m2")


def test_deal_ticket_and_remote_link_join() -> None:
    ticket = record("ticket", "7", link("hubspot.deal", "99", "association", scope="crm"))
    story = issue("PAY-1", link("hubspot.ticket", "7", "remote link", scope="hubspot:4711"))
    groups = grouped(record("deal", "99"), ticket, story)
    assert requests(groups) == sets("99 7 PAY-1")
    assert [one.why for one in groups.requests[0].links] == [
        "The ticket 7 is associated with the deal 99",
        "PAY-1 links to the ticket 7",
    ]


def test_two_deals_need_explicit_evidence() -> None:
    deal = Reference("hubspot.deal", "hubspot:4711", "99", Evidence.TITLE, field="subject")
    other = replace(deal, value="98", evidence=Evidence.WRITTEN, field="body")
    asks = mail("m1", deal, other)
    groups = grouped(record("deal", "98"), record("deal", "99"), asks)
    assert requests(groups) == sets("99 m1", "98")
    (kept,) = of(groups, asks).mentions
    assert kept.why.endswith("names the deal 98 in its text, but it would put two deals into one request")
    explicit = link("hubspot.deal", "99", "association", scope="crm")
    assert requests(grouped(record("deal", "98", explicit), record("deal", "99"))) == sets("98 99")


def test_of_equal_evidence_the_older_joins_first() -> None:
    def says(number: str, day: int, field: str) -> Reference:
        when = datetime(2026, 5, day, tzinfo=UTC)
        return Reference("hubspot.deal", "hubspot:4711", number, Evidence.WRITTEN, field=field, since=when)

    # A later remark on A names B; each was written for a deal of its own.
    remark = replace(written("PAY-9", field="comment:1")[0], since=datetime(2026, 5, 9, tzinfo=UTC))
    a = issue("PAY-1", says("98", 2, "description"), remark)
    b = issue("PAY-9", says("99", 3, "description"))
    assert requests(grouped(record("deal", "98"), record("deal", "99"), a, b)) == sets("98 PAY-1", "99 PAY-9")


def test_the_same_value_by_explicit_and_written_shows_the_stronger_first() -> None:
    child = issue("PAY-2", link("jira.key", "PAY-1", "parent", scope="jira-a"), *written("PAY-1"), level=-1)
    links = grouped(issue("PAY-1"), child).requests[0].links
    assert [one.evidence for one in links] == [Evidence.EXPLICIT, Evidence.WRITTEN]


def test_text_evidence_too_much_for_a_component_is_dropped_weakest_first() -> None:
    small = replace(RULES, component=3)
    nodes = [issue("PAY-1"), *(mail(f"w{n}", *written("PAY-1")) for n in range(4)), mail("t", title("PAY-1"))]
    groups = grouped(*nodes, rules=small)
    assert requests(groups) == sets("PAY-1 t", "w0", "w1", "w2", "w3")
    assert of(groups, nodes[0]).remarks == (
        "6 artifacts hang together, more than 3: what is named in written text was left out",
    )
    assert of(groups, nodes[1]).mentions[0].kept == "too many artifacts hang together"


def test_explicit_evidence_is_never_dropped() -> None:
    chain = [mail("a0", day=1), *(mail(f"a{n}", reply(f"a{n - 1}"), day=n + 1) for n in range(1, 6))]
    (group,) = grouped(*chain, rules=replace(RULES, component=3)).requests
    assert len(group.artifacts) == 6
    assert group.remarks[0] == "6 artifacts hang together by explicit links alone, more than 3"


def test_an_unknown_address_joins_nothing_and_a_known_one_does() -> None:
    page = Reference("url", "wiki.example.com", "https://wiki.example.com/a", Evidence.WRITTEN, field="body")
    assert requests(grouped(mail("m1", page), mail("m2", page))) == sets("m1", "m2")
    itself = Reference("url", "jira-a", page.value, Evidence.IDENTITY, "is")
    assert requests(grouped(mail("m1", page), issue("PAY-1", itself))) == sets("m1 PAY-1")


def test_quoted_evidence_is_shown_but_never_joins() -> None:
    groups = grouped(issue("PAY-12"), mail("m1", quoted("PAY-12")))
    assert requests(groups) == sets("PAY-12", "m1")
    assert all(group.mentions[0].evidence is Evidence.QUOTED for group in groups.requests)
