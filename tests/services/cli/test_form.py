"""The form: every connector's options can be filled in, hidden where secret, asked again where wrong."""

from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from connectors.hubspot.options import Options as HubSpotOptions
from connectors.jira.options import JiraOptions, PersonalAccessToken, ScopedToken
from connectors.mailbox.options import MailboxOptions
from services.cli.form import Answers, Question, at_terminal, fill_in


class Person:
    """Answers by title, several in turn where it is a list; Enter otherwise."""

    def __init__(self, **answers: Any) -> None:
        self.answers = answers
        self.asked: list[Question] = []
        self.told: list[str] = []

    def ask(self, question: Question) -> str:
        self.asked.append(question)
        given = self.answers.get(question.title.replace(" ", "_").replace("-", "_"), question.default)
        if isinstance(given, list):
            given = given.pop(0)
        assert given is not None, f"{question.title} needs an answer"
        assert not question.choices or given in question.choices
        return str(given)

    @property
    def titles(self) -> list[str]:
        return [one.title for one in self.asked]


def test_jira_asks_little() -> None:
    person = Person(Address="https://acme.atlassian.net", E_mail="hub@acme.example", API_token="s3cret",
                    Projects="PAY, OPS")  # fmt: skip
    options = fill_in(JiraOptions, person.ask, person.told.append)
    assert isinstance(options, JiraOptions)
    assert options.projects == ("OPS", "PAY")
    assert options.auth.token.get_secret_value() == "s3cret"
    assert person.titles == [
        "Address", "Edition", "Sign in with", "E-mail", "API token", "Projects", "Types that open a request",
        "Keep of texts",
    ]  # fmt: skip
    assert [one.title for one in person.asked if one.hidden] == ["API token"]
    sign_in = person.asked[2]
    assert sign_in.choices == ("api_token", "scoped_token", "personal_access_token")
    assert "A personal access token (Data Center 8.14 and later)" in sign_in.help


def test_a_rule_over_several_fields_asks_them_again() -> None:
    """A scoped token needs an id that is else left out."""
    person = Person(Address="https://acme.atlassian.net", Sign_in_with="scoped_token", E_mail="hub@acme.example",
                    Scoped_token="s3cret", Cloud_id="11-22")  # fmt: skip
    options = fill_in(JiraOptions, person.ask, person.told.append)
    assert isinstance(options, JiraOptions)
    assert isinstance(options.auth, ScopedToken)
    assert options.cloud_id == "11-22"
    assert person.told == ["Cloud id: a scoped token needs it; it is shown at <address>/_edge/tenant_info"]


def test_a_choice_that_decides_can_be_changed() -> None:
    person = Person(Address="https://jira.acme.example", Edition=["cloud", "datacenter"],
                    Sign_in_with="personal_access_token", Personal_access_token="s3cret")  # fmt: skip
    options = fill_in(JiraOptions, person.ask, person.told.append)
    assert isinstance(options, JiraOptions)
    assert isinstance(options.auth, PersonalAccessToken)
    assert options.edition == "datacenter"


@pytest.mark.parametrize("wrong", ["acme.atlassian.net", "ftp://acme.example", "https://anna:pw@acme.example"])
def test_only_what_is_wrong_is_asked_again(wrong: str) -> None:
    person = Person(Address=[wrong, "https://acme.atlassian.net"], E_mail="hub@acme.example", API_token="s3cret")
    fill_in(JiraOptions, person.ask, person.told.append)
    assert person.titles.count("Address") == 2
    assert person.titles.count("API token") == 1
    assert wrong not in "".join(person.told)


def test_all_options() -> None:
    person = Person(Server="imap.acme.example", User="box", Password="s3cret", Read_private_mail="yes", Port="1993",
                    Folders="INBOX, Projects/*")  # fmt: skip
    options = fill_in(MailboxOptions, person.ask, person.told.append, every=True)
    assert isinstance(options, MailboxOptions)
    assert (options.port, options.read_restricted, options.folders) == (1993, True, ("INBOX", "Projects/*"))
    assert len(person.titles) > len(MailboxOptions.model_fields)


@pytest.mark.parametrize("every", [False, True])
def test_enter_takes_the_defaults(every: bool) -> None:
    person = Person(Token="s3cret")
    options = fill_in(HubSpotOptions, person.ask, person.told.append, every=every)
    assert options.model_dump() == HubSpotOptions(token="s3cret").model_dump()  # type: ignore[arg-type]


def test_at_the_terminal() -> None:
    app = typer.Typer()

    @app.command()
    def ask() -> None:
        options = fill_in(HubSpotOptions, at_terminal(typer.echo), typer.echo)
        typer.echo(options.model_dump_json())

    result = CliRunner().invoke(app, input="v2\nv3\n\n\nCANARY\n\n\nfu\n")
    assert result.exit_code == 0
    assert "API version (2026-09, 2026-03, v3) [2026-09]: " in result.output
    assert "  Give one of: 2026-09, 2026-03, v3\n" in result.output
    assert "  An answer is needed; Ctrl-C ends without saving anything\n" in result.output
    assert '"api_version":"v3"' in result.output
    assert '"keep":"full"' in result.output
    assert "CANARY" not in result.output


def test_what_was_answered_is_offered_again_and_a_secret_is_kept_unseen() -> None:
    app = typer.Typer()

    @app.command()
    def ask() -> None:
        answers = Answers(at_terminal(typer.echo))
        for _ in range(2):
            options = fill_in(JiraOptions, answers, typer.echo)
            assert isinstance(options, JiraOptions)
            assert options.auth.token.get_secret_value() == "CANARY"
            typer.echo(options.model_dump_json())
            assert answers.again()

    first = "https://acme.example\n\n\nhub@acme.example\nCANARY\nPAY\nEpic\n\n"
    again = "\n\n\nanna@acme.example\n\n-\n\n\n"  # another user, and all projects
    result = CliRunner().invoke(app, input=f"{first}yes\n{again}yes\n")
    assert (result.exit_code, result.exception) == (0, None)
    assert "What you typed is kept, press Enter; it is not shown" in result.output
    assert "Address [https://acme.example]: " in result.output
    before, after = (line for line in result.output.splitlines() if line.startswith("{"))
    assert '"projects":["PAY"]' in before
    assert '"projects":[]' in after
    assert '["Epic"]' in before
    assert '["Epic"]' in after
    assert '"email":"anna@acme.example"' in after
    assert "CANARY" not in result.output
