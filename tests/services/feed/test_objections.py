"""What is wrong with options is told by field, in words, with a mend, and without the value."""

from typing import Any

import pytest
from pydantic import BaseModel

from connectors.hubspot.options import Options as HubSpotOptions
from connectors.jira.options import JiraOptions
from connectors.mailbox.options import MailboxOptions
from schemas.errors import Misconfigured
from services.feed.connections import parse_options

JIRA = {
    "base_url": "https://acme.atlassian.net",
    "auth": {"kind": "api_token", "email": "hub@acme.example", "token": "CANARY"},
}
HUBSPOT = {"token": "CANARY"}
MAIL = {"host": "imap.acme.example", "auth": {"kind": "password", "user": "hub", "password": "CANARY"}}
WORDS_OF_THE_LIBRARY = ("Input should", "validation", "should have at least", "Extra inputs", "Field required")


@pytest.mark.parametrize(
    ("model", "given", "said"),
    [
        (MailboxOptions, MAIL | {"folders": []}, "folders: name at least one folder. Correct it"),
        (MailboxOptions, MAIL | {"folders": "INBOX"}, "folders: give a list, such as [first, second]. Correct it"),
        (MailboxOptions, MAIL | {"folder": ["INBOX"]}, "folder is no option. Is folders meant?"),
        (MailboxOptions, MAIL | {"": "CANARY"}, '"" is no option. The options are host, port'),
        (MailboxOptions, MAIL | {"host": ""}, "host: give a value; it is empty. Correct it"),
        (MailboxOptions, MAIL | {"port": "CANARY"}, "port: give a whole number. Correct it"),
        (MailboxOptions, MAIL | {"port": 70000}, "port: give a number of at most 65535. Correct it"),
        (MailboxOptions, MAIL | {"security": "CANARY"}, "security: give tls, starttls or plain. Correct it"),
        (MailboxOptions, MAIL | {"security": "plain"}, "security: plain is only for a server on this machine"),
        (MailboxOptions, MAIL | {"since": "CANARY"}, "since: give a time, such as 2026-01-15T00:00:00Z. Correct it"),
        (MailboxOptions, MAIL | {"since": "2026-01-15T00:00:00"}, "since: add the time zone, such as"),
        (MailboxOptions, MAIL | {"auth": {"kind": "CANARY"}}, "auth.kind: give one of password, xoauth2, oauth_client"),
        (MailboxOptions, MAIL | {"auth": {"user": "hub"}}, "auth.kind: give one of password, xoauth2, oauth_client"),
        (MailboxOptions, MAIL | {"auth": "CANARY"}, "auth: give options of its own, each as name: value. Correct it"),
        (MailboxOptions, MAIL | {"auth": {"kind": "xoauth2", "user": "hub"}}, "auth.token is missing. Add it"),
        (MailboxOptions, MAIL | {"auth": {"kind": "password", "user": "hub"}}, "auth.password is missing. Add it"),
        (JiraOptions, JIRA | {"auth": JIRA["auth"] | {"mail": "x"}}, "auth.mail is no option. Is email meant?"),  # type: ignore[operator]
        (JiraOptions, JIRA | {"zzz": 1}, "zzz is no option. The options are base_url, edition, auth, cloud_id"),
        (JiraOptions, JIRA | {"extra_jql": "x" * 2001}, "extra_jql: give at most 2000 characters. Correct it"),
        (JiraOptions, JIRA | {"remote_links": "CANARY"}, "remote_links: give true or false. Correct it"),
        (JiraOptions, JIRA | {"webhook_token": "CANARY"}, "webhook_token: give at least 32 characters. Correct it"),
        (JiraOptions, JIRA | {"base_url": "CANARY"}, "base_url: give the address with https://, as it stands in"),
        (JiraOptions, {"base_url": "https://acme.atlassian.net"}, "auth is missing. Add it"),
        (HubSpotOptions, HUBSPOT | {"objects": []}, "objects: name at least one record type. Correct it"),
        (HubSpotOptions, HUBSPOT | {"share": 0}, "share: give a number above 0. Correct it"),
        (HubSpotOptions, HUBSPOT | {"share": "CANARY"}, "share: give a number, such as 0.25. Correct it"),
        (HubSpotOptions, HUBSPOT | {"app_url": 1}, "app_url: give a text. Correct it"),
        (HubSpotOptions, HUBSPOT | {"share": 0, "page_size": 0}, "(1 more field is wrong too)"),
    ],
)
def test_told_in_words(model: type[BaseModel], given: dict[str, Any], said: str) -> None:
    with pytest.raises(Misconfigured) as refused:
        parse_options(model, given)
    told = str(refused.value)
    assert said in told
    assert "CANARY" not in told
    assert not any(words in told for words in WORDS_OF_THE_LIBRARY)
    assert refused.value.field
