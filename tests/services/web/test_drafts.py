"""Typed secrets are found again by who typed them, for the address they were typed for, once, and not for long."""

from datetime import UTC, datetime, timedelta

from services.web.drafts import Drafts

NOW = datetime(2026, 4, 1, 12, tzinfo=UTC)
TYPED = {"auth.token": "CANARY"}


class Clock:
    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> datetime:
        return self.now


def test_found_once_by_its_owner_for_its_address() -> None:
    drafts = Drafts(Clock())
    ticket = drafts.keep("anna", "jira", TYPED)
    assert drafts.take(ticket, "anna", "jira") == TYPED
    assert drafts.take(ticket, "anna", "jira") == {}


def test_not_by_others_nor_for_another_address() -> None:
    drafts = Drafts(Clock())
    assert drafts.take(drafts.keep("anna", "jira", TYPED), "bo", "jira") == {}
    assert drafts.take(drafts.keep("anna", "jira", TYPED), "anna", "elsewhere") == {}
    assert drafts.keep("anna", "jira", {}) == ""


def test_forgotten_soon_and_when_there_are_many() -> None:
    clock = Clock()
    drafts = Drafts(clock)
    ticket = drafts.keep("anna", "jira", TYPED)
    clock.now += timedelta(minutes=31)
    assert drafts.take(ticket, "anna", "jira") == {}
    first = drafts.keep("anna", "jira", TYPED)
    tickets = [drafts.keep("anna", "jira", TYPED) for _ in range(200)]
    assert drafts.take(first, "anna", "jira") == {}
    assert drafts.take(tickets[-1], "anna", "jira") == TYPED
