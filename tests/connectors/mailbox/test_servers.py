"""What holds on every mail server: the sandbox's, pymap and a real Dovecot."""

import asyncio
import time
import tracemalloc
from collections.abc import AsyncIterator, Callable, Iterator
from datetime import UTC, datetime, timedelta

import pytest

from connectors.contract import HubError, Misconfigured, Page, RetryLater, Surroundings
from connectors.mailbox import MailboxOptions, MailboxSource, connector
from connectors.mailbox.pull import IDLE_SECONDS
from connectors.mailbox.reading import PAGE
from schemas.events import MAX_EVENT_BYTES, SourceEvent, to_kafka
from services.sandbox.mailbox import MailServer
from services.sandbox.post import TOKEN, USER
from tests.connectors.mailbox.letters import NOON, letter, options, told, with_file
from tests.connectors.mailbox.servers import ImapPost, Post, SandboxPost, dovecot, pymap
from tests.connectors.mailbox.test_contract import network
from tests.connectors.rig import events_of
from tests.parts.dovecot import Dovecot
from tests.parts.presence import PartMissing, material, missing

FOLDER = "Projekte/Übersicht & Ähnliches"


@pytest.fixture(scope="module")
def running_dovecot() -> Iterator[tuple[Dovecot, Callable[[], ImapPost]]]:
    try:
        with dovecot() as running:
            yield running
    except PartMissing as part:
        missing(str(part))


@pytest.fixture(params=["sandbox", "pymap", "dovecot"])
async def post(request: pytest.FixtureRequest) -> AsyncIterator[Post]:
    if request.param == "dovecot":
        yield request.getfixturevalue("running_dovecot")[1]()
    elif request.param == "pymap":
        try:
            with pymap() as running:
                yield running
        except PartMissing as part:
            missing(str(part))
    else:
        async with MailServer() as server:
            yield SandboxPost(server)


def opened(post: Post, **given: object) -> MailboxSource:
    usual = {"auth": {"kind": "password", "user": post.user, "password": post.password}, "folders": ("*",)}
    return source(options(post.port, **(usual | given)))


def source(chosen: MailboxOptions) -> MailboxSource:
    return MailboxSource("c-test", chosen, Surroundings(lambda: datetime.now(UTC), network()))


async def pages_of(mailbox: MailboxSource, cursor: dict[str, object] | None = None) -> list[Page]:
    return [page async for page in mailbox.pages(cursor, None)]


def ids(events: list[SourceEvent]) -> set[str]:
    return {event.id for event in events}


async def test_one_mail_in_two_folders_is_one_artifact(post: Post) -> None:
    post.add_folder(FOLDER)
    raw = letter().as_bytes()
    post.deliver("INBOX", raw, NOON)
    post.deliver(FOLDER, raw, NOON)
    async with opened(post) as mailbox:
        events = events_of(await pages_of(mailbox))
    assert {event.payload["folder"] for event in events} == {"INBOX", FOLDER}
    assert {event.artifact for event in events} == {told(raw).artifact}
    assert told(raw).id in ids(events)
    assert post.unread("INBOX") == 1


async def test_two_mails_with_one_message_id_are_two(post: Post) -> None:
    post.deliver("INBOX", letter("New export", "One.\n", 5).as_bytes(), NOON)
    post.deliver("INBOX", letter("Something else", "Two.\n", 5).as_bytes(), NOON)
    async with opened(post) as mailbox:
        events = events_of(await pages_of(mailbox))
    assert len({event.artifact for event in events}) == 2
    assert {connector.map(event).fields["natural_key"] for event in events} == {"m5@example.com"}


async def test_after_a_new_uidvalidity_nothing_is_new_and_nothing_missed(post: Post) -> None:
    post.add_folder(FOLDER)
    for number in range(3):
        post.deliver(FOLDER, letter(number=number, at=NOON + timedelta(hours=number)).as_bytes(), NOON)
    async with opened(post) as mailbox:
        pages = await pages_of(mailbox)
        before = ids(events_of(pages))
        post.renew(FOLDER)
        post.deliver(FOLDER, letter("Fresh", number=9).as_bytes(), NOON)
        again = await pages_of(mailbox, pages[-1].cursor)
        assert await pages_of(mailbox, again[-1].cursor) != []
    assert len(before) == 3
    assert ids(events_of(again)) - before == {told(letter("Fresh", number=9).as_bytes(), folder=FOLDER).id}
    assert before < ids(events_of(again))


async def test_a_new_uidvalidity_in_the_midst_of_a_first_read_leaves_nothing_out(post: Post) -> None:
    """What was read before is read again under its new UIDs, and is known by its text."""
    post.add_folder(FOLDER)
    raws = [letter(number=number).as_bytes() for number in range(PAGE + 3)]
    for raw in raws:
        post.deliver(FOLDER, raw, NOON)
    async with opened(post) as mailbox:
        first = await anext(page async for page in mailbox.pages(None, None) if page.events)
    assert len(first.events) == PAGE
    post.renew(FOLDER)
    async with opened(post) as mailbox:
        rest = events_of(await pages_of(mailbox, first.cursor))
    every = {told(raw, folder=FOLDER).id for raw in raws}
    assert ids(list(first.events)) | ids(rest) == every
    assert ids(rest) == every


async def test_the_newest_mail_is_not_read_twice(post: Post) -> None:
    """`UID n:*` names the newest mail even when its UID is below n."""
    post.deliver("INBOX", letter().as_bytes(), NOON)
    async with opened(post) as mailbox:
        last = (await pages_of(mailbox))[-1]
        folders = {name: [place[0], place[1], 0, 0] for name, place in last.cursor["folders"].items()}
        assert events_of(await pages_of(mailbox, last.cursor | {"folders": folders})) == []


async def test_wait_ends_when_mail_comes(post: Post) -> None:
    async with opened(post, folders=("INBOX",)) as mailbox:
        last = (await pages_of(mailbox))[-1]
        started = time.monotonic()
        assert await mailbox.wait(0.6) is False
        assert time.monotonic() - started >= 0.5
        sent, heard = 0, False
        while not heard and sent < 60:
            waiting = asyncio.create_task(mailbox.wait(20))  # to the end where its connection breaks on a busy machine
            while not waiting.done():  # what comes before it listens is left to the next poll
                sent += 1
                post.deliver("INBOX", letter(number=sent).as_bytes(), NOON)
                await asyncio.wait({waiting}, timeout=1)
            heard = await waiting
        assert heard
        assert len(events_of(await pages_of(mailbox, last.cursor))) == sent


class Listeners(set[asyncio.Event]):
    """Counts how often somebody began to listen."""

    begun = 0

    def add(self, one: asyncio.Event, /) -> None:
        self.begun += 1
        super().add(one)


async def test_listening_is_renewed_before_a_router_forgets_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """In one session, and what comes after a renewal is heard all the same."""
    assert timedelta(seconds=IDLE_SECONDS) < timedelta(minutes=10)
    monkeypatch.setattr("connectors.mailbox.pull.IDLE_SECONDS", 0.2)
    async with MailServer() as server:
        server.manners.lose_every = 1_000
        listeners = server.mailbox.listeners = Listeners()
        async with opened(SandboxPost(server), folders=("INBOX",)) as mailbox:
            await pages_of(mailbox)
            assert await mailbox.wait(1.5) is False
            assert listeners.begun >= 4
            waiting = asyncio.create_task(mailbox.wait(20))
            began = listeners.begun
            while listeners.begun < began + 3:
                await asyncio.sleep(0.01)
            server.mailbox.append("INBOX", letter(number=1).as_bytes(), NOON)
            assert await waiting is True


async def test_left_out_mail_is_never_published(post: Post) -> None:
    post.add_folder("Privat")
    post.deliver("Privat", letter(number=1).as_bytes(), NOON)
    post.deliver("INBOX", letter(number=2, sender="HR <hr@example.com>").as_bytes(), NOON)
    post.deliver("INBOX", letter("Your PAYSLIP for March", number=3).as_bytes(), NOON)
    post.deliver("INBOX", letter(number=4, Sensitivity="Private").as_bytes(), NOON)
    post.deliver("INBOX", letter("Old", number=5).as_bytes(), NOON - timedelta(days=40))
    post.deliver("INBOX", letter("Kept", number=6).as_bytes(), NOON)
    rules = {
        "leave_out_folders": ("priv*",),
        "leave_out_senders": ("hr@example.com",),
        "leave_out_subjects": ("payslip",),
    }
    async with opened(post, **rules, since=NOON - timedelta(days=1)) as mailbox:
        events = events_of(await pages_of(mailbox))
    assert [connector.map(event).fields["title"] for event in events] == ["Kept"]


async def test_wrong_password_says_what_to_do(post: Post) -> None:
    auth = {"kind": "password", "user": post.user, "password": "wrong-Secret-1"}
    async with opened(post, auth=auth) as mailbox:
        with pytest.raises(Misconfigured) as caught:
            await pages_of(mailbox)
    assert caught.value.field == "auth.password"
    assert "wrong-Secret-1" not in str(caught.value)


async def test_a_named_folder_that_is_missing(post: Post) -> None:
    async with opened(post, folders=("INBOX", "Nowhere")) as mailbox:
        with pytest.raises(Misconfigured, match="no folder Nowhere"):
            await pages_of(mailbox)


async def test_a_pattern_that_no_folder_fits_is_pointed_out(post: Post) -> None:
    post.deliver("INBOX", letter().as_bytes(), NOON)
    async with opened(post, folders=("INBOX", "INBOXS*")) as mailbox:
        steps = {step.name: step async for step in mailbox.check()}
        assert steps["folders"].ok
        assert steps["folders"].says == "Folders to read: 1; no folder fits INBOXS* (nearest: INBOX)"
        assert await mailbox.remarks() == ["no folder fits INBOXS* (nearest: INBOX)"]
        found = await mailbox.fields()
        assert (dict(found.there), dict(found.near)) == ({"folder INBOX": "INBOX"}, {"folder INBOXS*": ("INBOX",)})
        assert set(found.needed) == {"folder INBOX", "folder INBOXS*"}
        assert len(events_of(await pages_of(mailbox))) >= 1
    async with opened(post, folders=("INBOXS*",)) as mailbox:
        with pytest.raises(Misconfigured, match=r"No folder is left to read: no folder fits INBOXS\*") as caught:
            await pages_of(mailbox)
    assert caught.value.field == "folders"


async def test_a_long_text_is_cut_with_its_size_and_hash(post: Post) -> None:
    text = "Zeile über PAY-12 \x01\n" * 150_000
    post.deliver("INBOX", letter(text=text).as_bytes(), NOON)
    async with opened(post, keep="full") as mailbox:
        [event] = events_of(await pages_of(mailbox))
    [kept] = event.payload["texts"]
    assert len(to_kafka(event)[1]) < MAX_EVENT_BYTES
    assert kept["cut"] is True
    assert abs(kept["size"] - len(text.encode().replace(b"\n", b"\r\n"))) <= 2
    assert len(kept["sha256"]) == 64
    assert kept["text"].startswith("Zeile über PAY-12")


async def test_a_large_attachment_is_named_and_measured_and_never_loaded(post: Post) -> None:
    size = 25 * 1024 * 1024
    post.deliver("INBOX", with_file(size), NOON)
    outside = isinstance(post, ImapPost)
    async with opened(post) as mailbox:
        await pages_of(mailbox, {"since": "2030-01-01T00:00:00Z", "folders": {}, "true_up_to": None})
        if outside:
            tracemalloc.start()
        [event] = events_of(await pages_of(mailbox))
        peak = tracemalloc.get_traced_memory()[1] if outside else 0
        tracemalloc.stop()
    [named] = event.payload["attachments"]
    assert (named["name"], named["type"]) == ("Übersicht.zip", "application/zip")
    # pymap counts the part's own header too.
    assert abs(named["size"] - size) <= (200 if post.user == "demo" else 2)
    assert peak < 3_000_000
    assert event.artifact == told(with_file(256)).artifact


async def test_a_large_mail_says_what_it_would_say_read_whole(post: Post) -> None:
    """Also where a mail with parts of its own is attached to it."""
    inner = letter("Inner", "Inner text PAY-7.\n", 70)
    inner.add_alternative("<p>Inner text</p>", subtype="html")
    whole = [letter("Fwd: Inner", "Own text, größer.\n", 71, In_Reply_To="<m69@example.com>") for _ in range(2)]
    for mail, size in zip(whole, (300, 600_000), strict=True):
        mail.add_attachment(inner)
        mail.add_attachment(b"x" * size, "image", "png", filename="bild.png")
    post.deliver("INBOX", whole[1].as_bytes(), NOON)
    async with opened(post) as mailbox:
        [event] = events_of(await pages_of(mailbox))
    small, large = connector.map(told(whole[0].as_bytes())), connector.map(event)
    assert large.artifact == small.artifact
    assert large.parts["mail"].references == small.parts["mail"].references
    assert {one.relation for one in large.parts["mail"].references} == {"is", "reply", "forward"}
    assert event.payload["attachments"][0]["type"] == "message/rfc822"
    assert event.payload["attachments"][-1]["name"] == "bild.png"
    # pymap numbers the parts of an attached multipart one level too deep: there its text is not found.
    assert large.parts == small.parts or post.user == "demo"


async def test_a_mail_to_thousands_says_what_it_would_say_read_whole(post: Post) -> None:
    """Programs write Subject, Date and Message-ID behind the recipients."""
    everybody = ",\r\n ".join(f"Person Number {number} <person{number}@example.com>" for number in range(10_000))
    raw = (
        f"From: Anna <anna@example.com>\r\nTo: {everybody}\r\nSubject: PAY-12: new export\r\n"
        "Date: Mon, 02 Mar 2026 12:00:00 +0000\r\nIn-Reply-To: <m1@example.com>\r\nMessage-ID: <m2@example.com>\r\n"
        "List-Id: <all.example.com>\r\nContent-Type: text/plain; charset=utf-8\r\n\r\nPlease.\r\n"
    ).encode()
    post.deliver("INBOX", raw, NOON)
    async with opened(post) as mailbox:
        pages = await pages_of(mailbox)
    [event], whole = events_of(pages), connector.map(told(raw))
    assert event.artifact == whole.artifact
    mapped = connector.map(event)
    assert mapped.fields == whole.fields
    assert mapped.fields["title"] == "PAY-12: new export"
    assert len(mapped.fields["participants"]) == 100
    assert mapped.parts == whole.parts
    assert len(to_kafka(event)[1]) < 40_000


async def test_a_cancelled_wait_leaves_the_session_free(post: Post) -> None:
    async with opened(post, folders=("INBOX",)) as mailbox:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(mailbox.wait(60), 1)
        assert await asyncio.wait_for(pages_of(mailbox), 60) != []


async def test_real_mail_is_the_same_by_a_server(
    running_dovecot: tuple[Dovecot, Callable[[], ImapPost]],
) -> None:
    raws = [path.read_bytes() for path in sorted(material("mail").rglob("*")) if path.suffix in {".eml", ".msg"}]
    post = running_dovecot[1]()
    await asyncio.to_thread(post.deliver_all, "INBOX", raws, NOON)
    async with opened(post) as mailbox:
        pages = await pages_of(mailbox)
    assert [aside for page in pages for aside in page.set_aside] == []
    assert len(events_of(pages)) == len(raws) > 150
    assert {connector.map(event).artifact for event in events_of(pages)} == {told(raw).artifact for raw in raws}


@pytest.mark.parametrize("security", ["tls", "starttls"])
async def test_tls(security: str, running_dovecot: tuple[Dovecot, Callable[[], ImapPost]]) -> None:
    server, new = running_dovecot
    post = new()
    post.deliver("INBOX", letter().as_bytes(), NOON)
    port = server.tls_port if security == "tls" else server.port
    chosen = options(port, host="localhost", security=security, ca_file=str(server.ca_file),
                     auth={"kind": "password", "user": post.user, "password": post.password})  # fmt: skip
    async with source(chosen) as mailbox:
        assert len(events_of(await pages_of(mailbox))) == 1
    async with source(chosen.model_copy(update={"ca_file": None})) as mailbox:
        with pytest.raises(Misconfigured, match="certificate"):
            await pages_of(mailbox)


async def test_cut_off_clients_read_on(running_dovecot: tuple[Dovecot, Callable[[], ImapPost]]) -> None:
    server, new = running_dovecot
    post = new()
    post.deliver("INBOX", letter().as_bytes(), NOON)
    async with opened(post) as mailbox:
        last = (await pages_of(mailbox))[-1]
        await asyncio.to_thread(server.kick)
        post.deliver("INBOX", letter(number=2).as_bytes(), NOON)
        with pytest.raises(RetryLater):
            await _until_it_fails(mailbox, last.cursor)
        assert len(events_of(await pages_of(mailbox, last.cursor))) == 1


async def _until_it_fails(mailbox: MailboxSource, cursor: dict[str, object]) -> None:
    """Whom the server kicks is cut off a moment later."""
    async with asyncio.timeout(60):
        while True:
            await pages_of(mailbox, cursor)


async def test_access_token() -> None:
    async with MailServer() as server:
        server.mailbox.append("INBOX", letter().as_bytes(), NOON)
        good = options(server.port, auth={"kind": "xoauth2", "user": USER, "token": TOKEN})
        async with source(good) as mailbox:
            assert len(events_of(await pages_of(mailbox))) == 1
        expired = options(server.port, auth={"kind": "xoauth2", "user": USER, "token": "expired"})
        async with source(expired) as mailbox:
            with pytest.raises(Misconfigured, match="access token") as caught:
                await pages_of(mailbox)
    assert isinstance(caught.value, HubError)
    assert caught.value.field == "auth.token"
