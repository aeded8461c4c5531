"""`connections audience`: said, shown, and refused where it is two things at once."""

import pytest

from schemas.access import Audience
from services.cli.audience import audience, wish
from services.cli.terminal import WrongUse
from tests.services.cli.company import NOW
from tests.services.cli.conftest import Desk


async def test_said_and_shown(desk: Desk) -> None:
    await audience(desk.made, "jira-acme", None, NOW, desk.screen)
    assert "may be read by everybody who is signed in" in desk.printed.replace("\n", " ")
    await audience(
        desk.made, "jira-acme", Audience("named", frozenset({"a@b.example"}), frozenset({"Board"})), NOW, desk.screen
    )
    assert "may be read by a@b.example and the group Board" in desk.printed.replace("\n", " ")
    await audience(desk.made, "jira-acme", Audience("participants"), NOW, desk.screen)
    assert "may be read by the people of the request that it is in" in desk.printed.replace("\n", " ")


def test_one_thing_at_a_time() -> None:
    assert wish((), (), participants=False, everybody=False) is None
    assert wish([" A@B.example"], (), participants=False, everybody=False) == Audience(
        "named", frozenset({"a@b.example"})
    )
    with pytest.raises(WrongUse, match="Choose one"):
        wish(["a@b.example"], (), participants=True, everybody=False)
