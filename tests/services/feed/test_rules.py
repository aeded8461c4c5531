"""What a connection adds to the rules follows the release that feeds; what a person chose stays."""

from pydantic import BaseModel
from sqlalchemy import func, select

from connectors.catalogue import catalogue
from pipelines.store import configuration, tables
from pipelines.store.configuration import Chosen, ConnectionConfiguration
from pipelines.store.engine import reading, writing
from schemas.artifacts import State
from schemas.stages import StageRule
from services.feed.rules import configuration_of
from tests.pipelines.memos import memo, records
from tests.services.feed.conftest import Post

EARLIER = StageRule("memo", "memo", "*", "open", "development", State.ACTIVE, "As an earlier release said")
OWN = StageRule("memo", "memo", "*", "open", "alignment", State.NEW, "Chosen here")


async def rules_of(post: Post, name: str) -> ConnectionConfiguration:
    async with reading(post.engine) as connection:
        return (await configuration.every(connection))[name]


async def waiting(post: Post) -> int:
    async with reading(post.engine) as connection:
        return (await connection.execute(select(func.count()).select_from(tables.pending))).scalar_one()


async def test_the_first_step_brings_this_release_s_defaults(post: Post) -> None:
    chosen = Chosen(stages=(OWN,), link_kinds={"answers": "joins"}, openers=frozenset({"Story"}))
    stored = ConnectionConfiguration(
        "memo", frozenset({"MEMO"}), frozenset({"memos.example"}), {"names": "joins"}, stages=(EARLIER,)
    )
    unknown = ConnectionConfiguration("gone", stages=(EARLIER,))
    async with writing(post.engine) as connection:
        await configuration.write(connection, "old", stored)
        await configuration.write(connection, "of-another-tool", unknown)
        assert await configuration.choose(connection, "old", chosen)
        assert not await configuration.choose(connection, "nobody", chosen)
    await post.apply(records([memo(1)]))
    feed = post.feed()
    await feed.step()
    now = await rules_of(post, "old")
    assert (now.stages, now.link_kinds) == ((), {})
    assert (now.projects, now.scopes, now.chosen) == (stored.projects, stored.scopes, chosen)
    assert now.rows() == (OWN,)
    assert await rules_of(post, "of-another-tool") == unknown
    assert await waiting(post) == 1
    async with writing(post.engine) as connection:
        await configuration.write(connection, "old", stored)
    assert (await rules_of(post, "old")).chosen == chosen
    await feed.step()
    assert (await rules_of(post, "old")).stages == (EARLIER,)


async def test_nothing_to_bring_asks_for_nothing(post: Post) -> None:
    async with writing(post.engine) as connection:
        await configuration.write(connection, "new", ConnectionConfiguration("memo"))
    await post.apply(records([memo(1)]))
    await post.feed().step()
    assert await waiting(post) == 0


def test_choices_go_before_what_connector_and_options_say() -> None:
    one = ConnectionConfiguration(
        "memo", frozenset({"A"}), frozenset({"a.example"}), {"names": "joins", "blocks": "depends on"},
        frozenset({"Task"}), (EARLIER,), chosen=Chosen((OWN,), {"names": "mentions"}, frozenset({"Story"}),
                                                       frozenset({"B"}), frozenset({"b.example"})),
    )  # fmt: skip
    assert ConnectionConfiguration.from_json("memo", one.to_json()) == one
    told = configuration.combine({"memos": one})
    rules = told.rules.connections["memos"]
    assert rules.projects == {"A", "B"}
    assert rules.scopes == {"a.example", "b.example"}
    assert rules.link_kinds == {"names": "mentions", "blocks": "depends on"}
    assert rules.openers == frozenset({"Story"})
    assert [(rule.reason, rule.connection) for rule in told.stage_map.rules] == [
        ("Chosen here", "memos"), ("As an earlier release said", "memos"),
    ]  # fmt: skip


def test_a_connection_that_keeps_references_only_shows_no_words() -> None:
    class Options(BaseModel):
        keep: str = "full"

    for keep, names_only in (("full", False), ("excerpt", False), ("references", True)):
        own = configuration_of(catalogue()["mailbox"], Options(keep=keep))
        assert own.names_only is names_only
        assert ConnectionConfiguration.from_json("mailbox", own.to_json()) == own
        assert configuration.combine({"box": own}).names_only == ({"box"} if names_only else set())


def test_a_connector_says_of_which_fields_its_tool_tells_every_change() -> None:
    class Options(BaseModel):
        keep: str = "full"

    own = configuration_of(catalogue()["jira"], Options())
    assert own.whole_histories == {"summary", "description", "parent"}
    assert ConnectionConfiguration.from_json("jira", own.to_json()) == own
    assert configuration.combine({"j": own}).rules.of("j").whole_histories == own.whole_histories
    assert configuration_of(catalogue()["mailbox"], Options()).whole_histories == frozenset()
