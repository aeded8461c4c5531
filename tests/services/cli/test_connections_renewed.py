"""A tool that gives another secret while it is tried: what is stored is the one that holds."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from services.cli import adding, changing, connections
from services.cli.installation import Installation
from services.feed import connections as feed
from services.sandbox.mailbox import MailServer
from services.sandbox.post import USER
from tests.connectors.mailbox.letters import letter
from tests.connectors.mailbox.test_oauth import CLIENT, SECRET, Provider, serving
from tests.services.cli.company import NOW
from tests.services.cli.conftest import Desk
from tests.services.cli.test_connections import now, stored

FILE = """
connector: mailbox
name: post
options:
  host: 127.0.0.1
  port: {port}
  security: plain
  auth:
    kind: oauth_client
    user: {user}
    provider: microsoft
    client_id: {client}
    client_secret: file:{secrets}/client
    refresh_token: file:{secrets}/refresh
    token_url: {token_url}
"""


@pytest.fixture
async def provider() -> AsyncIterator[Provider]:
    """Of a mailbox that holds a mail; each refresh token is good once."""
    async with MailServer() as mail:
        mail.mailbox.append("INBOX", letter().as_bytes(), NOW)
        with serving(Provider(mail)) as made:
            yield made


@pytest.fixture
async def post(desk: Desk, provider: Provider, tmp_path: Path) -> Desk:
    """Where the mailbox was added, with the first refresh token."""
    desk.environ["THROUGHLINE_ALLOW_LOOPBACK_TOOLS"] = "true"
    desk.made = Installation.of(desk.environ)
    (tmp_path / "client").write_text(SECRET)
    (tmp_path / "refresh").write_text("refresh-1")
    file = tmp_path / "post.yaml"
    file.write_text(
        FILE.format(port=provider.mail.port, user=USER, client=CLIENT, secrets=tmp_path, token_url=provider.address)
    )
    asked = adding.Asked(None, file, None, None, every=False, yes=True)
    assert await adding.add(desk.made, asked, now, desk.screen) == 0
    return desk


async def holds(desk: Desk, provider: Provider) -> bool:
    """Whether the stored refresh token is the one that is good."""
    one = await stored(desk, "post")
    held = feed.with_secrets(one, desk.made.keys)["auth"]["refresh_token"].get_secret_value()
    return bool(held == provider.refresh)


async def test_what_is_added_holds_the_token_that_the_trial_was_given(post: Desk, provider: Provider) -> None:
    assert provider.refresh != "refresh-1"
    assert await holds(post, provider)


async def test_a_test_keeps_the_token_it_was_given(post: Desk, provider: Provider) -> None:
    before, good = (await stored(post, "post")).epoch, provider.refresh
    for _ in range(2):
        assert await connections.test(post.made, "post", now, post.screen) == 0
    assert provider.refresh != good
    assert await holds(post, provider)
    assert (await stored(post, "post")).epoch == before
    assert str(provider.refresh) not in post.printed


async def test_what_is_changed_holds_the_token_that_its_trial_was_given(post: Desk, provider: Provider) -> None:
    good = provider.refresh
    asked = changing.Asked(None, ["keep=references"], [], yes=True)
    assert await changing.change(post.made, "post", asked, now, post.screen) == 0
    assert provider.refresh != good
    assert await holds(post, provider)
