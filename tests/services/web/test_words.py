"""Words of pages."""

import pytest

from services.web.words import plainly


@pytest.mark.parametrize(
    ("said", "read"),
    [
        ("body.password is too short.", "Password is too short."),
        (
            "body.old_password: give the password that you have now.",
            "Old password: give the password that you have now.",
        ),
        ("query.limit is too large.", "Limit is too large."),
        ("body.options.auth is missing.", "Options, auth is missing."),
        ("This is the last admin.", "This is the last admin."),
        ("", ""),
    ],
)
def test_what_the_api_says_of_an_input_is_told_to_people(said: str, read: str) -> None:
    assert plainly(said) == read
