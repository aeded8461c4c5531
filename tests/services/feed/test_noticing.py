"""What a tool announces, what changed in it, and its silence; through a running feed."""

from datetime import UTC, datetime, timedelta

from connectors.contract import Fields, Misconfigured, Noticed, Step
from pipelines.store.engine import reading, writing
from services.feed import beside, connections, hours, looking, notices
from services.feed.notices import Noticeboard
from tests.services.feed.conftest import Post
from tests.services.feed.telling import HOUR, filled, now_told, once
from tests.services.feed.test_feed import read_up_to, running, until
from tests.services.feed.tool import page


def sunset(subject: str = "GET /memos", due: datetime | None = None) -> Noticed:
    return Noticed("ends", subject, f"The maker switches {subject} off", "Upgrade the hub before", due)


def test_the_same_notice_is_written_down_once_an_hour() -> None:
    board, at = Noticeboard(), datetime(2026, 4, 1, tzinfo=UTC)
    for _ in range(50):
        board(sunset())
    assert board.take(at) == [sunset()]
    board(sunset())
    assert board.take(at + timedelta(minutes=59)) == []
    board(sunset())
    assert board.take(at + HOUR) == [sunset()]
    for number in range(5000):
        board(sunset(f"GET /{number}"))
    assert len(board.take(at)) == notices.MOST


async def test_what_a_tool_announces_is_kept_with_first_and_last_time(post: Post) -> None:
    due = datetime(2026, 10, 31, tzinfo=UTC)
    post.tool.said, post.tool.noticed = [page(1)], [sunset(due=due)]
    async with running(post.feed()):
        told = await once(post, lambda told: bool(told.notices))
    begun = post.at
    post.later(3 * 3600)
    async with running(post.feed()):
        told = await once(post, lambda told: told.notices[0].last_seen > begun)
    (one,) = told.notices
    assert (one.kind, one.subject, one.due, one.first_seen) == ("ends", "GET /memos", due, begun)
    assert told.warnings == ("The maker switches GET /memos off on 2026-10-31. Upgrade the hub before",)
    post.later(3 * 86_400)
    told = await now_told(post)
    assert (len(told.notices), told.warnings) == (1, ())


async def test_a_right_that_is_lost_is_told_until_it_is_back(post: Post) -> None:
    well = [Step("sign in", True, "as anna"), Step("read deals", True, "may read")]
    post.tool.said, post.tool.steps = [page(1)], well
    async with running(post.feed()):
        await until(lambda: _looked(post))
        await read_up_to(post, 1)
        post.tool.steps = [well[0], Step("read deals", False, "The token lacks the scope deals. Grant it")]
        post.tool.said.append(Misconfigured("the tool refuses (HTTP 403)", "Look at the scopes"))
        post.later(7200)
        await post.change(wanted=True)
        told = await once(post, lambda told: any(one.kind == "lost" for one in told.notices))
        (lost,) = told.notices
        assert (lost.subject, lost.mend) == ("read deals", "The token lacks the scope deals. Grant it")
        assert lost.says == "read deals: it went well until 2026-04-01 00:00 UTC"
        post.tool.steps = well
        post.later(90_000)
        await once(post, lambda told: not told.notices)


async def test_a_named_field_that_went_is_told_with_its_day_though_the_check_fails_by_it(post: Post) -> None:
    needed = {"due": "due_property"}
    post.tool.said, post.tool.named = [page(1)], Fields({"due": "Due", "pipeline 1": "Sales", "stage 1": "Won"}, needed)
    async with running(post.feed()):
        await read_up_to(post, 1)
        await until(lambda: _looked(post))
        ended = datetime(2026, 4, 1, 9, tzinfo=UTC)
        there = {"pipeline 1": "Sales", "stage 2": "Lost", "type Bug": "Bug"}
        post.tool.named = Fields(there, needed, ended={"due": ended})
        post.tool.steps = [Step("answers", True, "it does"), Step("fields", False, "There is no due", of_fields=True)]
        post.later(90_000)
        await post.change(wanted=True)
        told = await once(post, lambda told: any(one.kind == "field gone" for one in told.notices))
    assert {(one.kind, one.subject): (one.says, one.mend) for one in told.notices} == {
        ("field gone", "due"): ("Since 2026-04-01 the tool no longer has Due, which due_property names",
                                "Correct due_property, or make it again in the tool"),
        ("field gone", "stage 1"): ("The tool no longer has the stage Won (stage 1)",
                                    "Nothing is to be done unless it was meant to stay"),
        ("field new", "stage 2"): ("The tool has a new stage: Lost (stage 2)",
                                   "Look in the stage map where it stands, once something is in it"),
    }  # fmt: skip


async def _looked(post: Post) -> bool:
    async with reading(post.engine) as connection:
        row = await beside.row_of(connection, "memos")
    return row is not None and row.fields is not None


async def test_fields_that_go_or_come_are_told(post: Post) -> None:
    post.tool.said = [page(1)]
    post.tool.named = Fields({"f1": "Deal number", "f2": "Old"}, {"f1": "dedicated", "f9": "opener_types"}, custom=True)
    async with running(post.feed()):
        told = await once(post, lambda told: bool(told.notices))
        assert [(one.kind, one.subject) for one in told.notices] == [("field gone", "f9")]
        assert "opener_types" in told.notices[0].mend
        post.tool.named = Fields({"f1": "Deal number", "f3": "New", "f9": "Types"}, {"f9": "opener_types"}, custom=True)
        post.later(90_000)
        await post.change(wanted=True)
        told = await once(
            post, lambda told: any(one.kind == "field new" and one.subject == "f3" for one in told.notices)
        )
    assert {(one.kind, one.subject) for one in told.notices} == {
        ("field gone", "f2"), ("field new", "f3"), ("field new", "f9")
    }  # fmt: skip


async def test_other_options_are_looked_at_at_once(post: Post) -> None:
    post.tool.said = [page(1)]
    near = {"folder Projekt*": ("Projects", "Products")}
    post.tool.named = Fields({}, {"folder Projekt*": "folders"}, near=near)
    async with running(post.feed()):
        told = await once(post, lambda told: bool(told.notices))
        (gone,) = told.notices
        assert gone.says == "The tool does not have the folder Projekt*, which folders names"
        assert gone.mend == "Correct folders: is Projects or Products meant? Or make it in the tool"
        post.tool.named = Fields({"folder Projects": "Projects"}, {"folder Projects": "folders"})
        async with writing(post.engine) as connection:
            await looking.anew(connection, "memos")
        await post.change(wanted=True)
        await until(lambda: _looked(post))
        told = await once(post, lambda told: not told.notices)
    assert told.warnings == ()


# --- silence ---


async def test_a_silence_is_called_quiet_only_after_the_tool_was_asked(post: Post) -> None:
    since = await filled(post)
    async with running(post.feed()):
        told = await once(post, lambda told: told.silence is not None)
        assert told.silence is not None
        assert (told.silence.since, told.silence.verdict, told.silence.checked_at) == (since, "quiet", post.at)
        assert told.state == "reading"
        assert told.says.startswith("Quiet since 2026-03-31 21:00 UTC")
        assert not told.warnings
        post.tool.said = [page(1)]
        post.later(3600)
        await post.change(wanted=True)
        await once(post, lambda told: told.silence is None)


async def test_a_silence_whose_check_fails_is_broken_and_told_until_it_is_mended(post: Post) -> None:
    await filled(post)
    post.tool.steps = [Step("sign in", False, "The token ended. Make a new one")]
    async with running(post.feed()):
        told = await once(post, lambda told: told.silence is not None)
        assert told.silence is not None
        assert (told.silence.verdict, told.state) == ("broken", "needs attention")
        assert "The token ended. Make a new one" in told.says
        assert told.warnings
        post.tool.steps = [Step("sign in", True, "as anna")]
        post.later(3700)
        await post.change(wanted=True)
        await once(post, lambda told: told.state == "reading")


async def test_a_tool_that_shows_nothing_it_had_is_broken(post: Post) -> None:
    post.tool.said = [page(1)]
    async with running(post.feed()):
        await read_up_to(post, 1)
        await post.apply(post.log.records)
        post.later(3 * 7 * 86_400)
        post.at = hours.hour_of(post.at)
        post.tool.hidden = True
        await filled(post, 8)
        async with writing(post.engine) as connection:
            await connections.change(connection, "memos", wanted=True)
        told = await once(post, lambda told: told.silence is not None)
    assert told.silence is not None
    assert told.silence.verdict == "broken"
    assert "none of the newest 1 things" in told.silence.says
