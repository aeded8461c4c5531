"""Why two things belong together, or why they do not: by the API, through both databases."""

from typing import Any

from sqlalchemy import event as listen

from pipelines.store import configuration, tables
from pipelines.store.bulk import Bulk
from pipelines.store.configuration import ConnectionConfiguration, Installation, write
from pipelines.store.engine import reading, writing
from pipelines.why import version_of
from tests.pipelines.memos import memo
from tests.services.query.conftest import Hub, owned

M = "memos/memo/"


async def version(hub: Hub) -> str:
    """Of the rules that hold."""
    async with reading(hub.engine) as connection:
        return version_of((await configuration.load(connection)).rules)


async def within(hub: Hub, number: int, status: int = 200, **ends: str) -> Any:
    """Asked of the request of a memo; `to` stands for `with`, `start` for `from`."""
    names: dict[str, Any] = {{"to": "with", "start": "from"}[name]: value for name, value in ends.items()}
    return await hub.get(f"/v1/requests/{owned(number)}/why", status, **names)


async def why(hub: Hub, left: str, right: str, status: int = 200) -> Any:
    return await hub.get("/v1/why", status, **{"from": left, "with": right})


async def test_the_chain_leads_from_any_part_to_any_other(hub: Hub) -> None:
    answer = await within(hub, 1, to="MEMO-3")
    assert (answer["request"], answer["together"], answer["other_request"]) == (owned(1), True, None)
    assert (answer["left"], answer["right"]) == (f"{M}1", f"{M}3")
    assert [(link["left"], link["right"]) for link in answer["chain"]] == [(f"{M}2", f"{M}1"), (f"{M}3", f"{M}2")]
    assert answer["words"] == ["MEMO-2 names MEMO-1 in its text", "MEMO-3 is part of MEMO-2"]
    assert answer["sentence"] == "MEMO-1 and MEMO-3 belong to one request, over 2 links"
    assert (answer["nearest"], answer["shared"], answer["outside"]) == ([], [], [])
    back = await within(hub, 1, to=owned(1), start=f"{M}3")
    assert back["chain"] == answer["chain"][::-1]


async def test_each_link_says_where_since_when_and_by_which_rule(hub: Hub) -> None:
    mention, parent = (await within(hub, 1, to="MEMO-3"))["chain"]
    assert mention | {"left": "", "right": ""} == {
        "left": "", "right": "", "relation": "mentions", "effect": "joins", "evidence": "written",
        "why": "MEMO-2 names MEMO-1 in its text", "since": "2026-03-01T11:00:00.000000Z", "rule": "named in text",
        "version": await version(hub), "kept": None, "value": {"kind": "jira.key", "value": "MEMO-1"},
        "field": "text", "start": 8, "end": 14, "around": "part of MEMO-1", "marked": [8, 14], "hidden": False,
        "carried_by": None, "decision": None, "other_request": None,
    }  # fmt: skip
    assert (parent["rule"], parent["evidence"], parent["since"]) == ("parent", "explicit", None)
    assert (parent["field"], parent["start"], parent["around"], parent["marked"]) == (None, None, None, None)


async def test_a_link_tells_other_rules_by_another_version_and_the_same_by_the_same(hub: Hub) -> None:
    async def told(chosen: Installation) -> str:
        async with writing(hub.engine) as connection:
            await configuration.choose_for_all(connection, chosen)
        (link,) = (await within(hub, 1, to="MEMO-2"))["chain"]
        return str(link["version"])

    before, after = await told(Installation()), await told(Installation(generic=60))
    assert before != after
    assert await told(Installation(generic=70)) not in {before, after}
    assert await told(Installation()) == before


async def test_what_nothing_links(hub: Hub) -> None:
    apart = await within(hub, 1, to="MEMO-4")
    assert (apart["together"], apart["other_request"], apart["chain"], apart["nearest"]) == (False, owned(4), [], [])
    assert apart["sentence"] == "Nothing that was read links MEMO-1 and MEMO-4"
    outside = await why(hub, "MEMO-6", "MEMO-4")
    assert (outside["request"], outside["left_request"], outside["right_request"]) == (None, None, owned(4))
    assert [one["why"] for one in outside["outside"]] == [
        "MEMO-6 is in no request: it is of a kind that only joins one, and it is joined to nothing"
    ]


async def test_two_in_no_request_may_hang_together(hub: Hub) -> None:
    await hub.told(memo(7, parent=6, opens=False))
    answer = await why(hub, "MEMO-7", "MEMO-6")
    assert (answer["together"], answer["request"], answer["words"]) == (True, None, ["MEMO-7 is part of MEMO-6"])
    assert [one["artifact"] for one in answer["outside"]] == [f"{M}7", f"{M}6"]
    assert "nothing that it is joined to opens one" in answer["outside"][0]["why"]


async def test_the_nearest_evidence_and_what_kept_it_from_joining(hub: Hub) -> None:
    many = " ".join(f"MEMO-{number}" for number in (4, 5, 1, 11, 12, 13))
    await hub.told(memo(8, text=f"This week: {many}", title="Digest"), *(memo(number) for number in (11, 12, 13)))
    answer = await why(hub, "MEMO-8", "MEMO-3")
    assert not answer["together"]
    assert [(one["left"], one["right"], one["kept"]) for one in answer["nearest"]] == [
        (f"{M}8", f"{M}1", "the text names 6 things"), (f"{M}2", f"{M}1", None), (f"{M}3", f"{M}2", None),
    ]  # fmt: skip
    assert answer["sentence"] == (
        "MEMO-8 and MEMO-3 are apart: MEMO-8 names MEMO-1 in its text, but the text names 6 things"
    )
    first = answer["nearest"][0]
    assert first["around"][slice(*first["marked"])] == "MEMO-1"
    assert first["other_request"] == owned(1)
    against = (await within(hub, 1, to="MEMO-3"))["against"]
    assert [(one["left"], one["right"], one["other_request"]) for one in against] == [(f"{M}8", f"{M}1", owned(8))]


async def test_a_value_that_too_many_name(hub: Hub) -> None:
    await hub.told(*(memo(number, text="see MEMO-4") for number in range(100, 151)))
    answer = await why(hub, "MEMO-100", "MEMO-101")
    assert [one["carried_by"] for one in answer["nearest"]] == [51, 51]
    assert {one["kept"] for one in answer["nearest"]} == {"more than 50 artifacts name it"}


async def test_what_both_name_and_nobody_is_known_as(hub: Hub) -> None:
    await hub.told(memo(21, text="UTF-8, https://wiki.example/page"), memo(22, text="https://wiki.example/page UTF-8"))
    answer = await why(hub, "MEMO-21", "MEMO-22")
    assert answer["sentence"] == "MEMO-21 and MEMO-22 share only what joins nothing"
    assert [(one["value"]["value"], one["artifacts"], one["why"]) for one in answer["shared"]] == [
        ("UTF-8", None, "it names nothing that is read"),
        ("https://wiki.example/page", None, "no artifact is known as it: it may be any page"),
    ]


async def test_words_stay_out_where_only_names_are_kept(hub: Hub) -> None:
    only_names = ConnectionConfiguration("jira", frozenset({"MEMO"}), names_only=True)
    async with hub.engine.begin() as connection:
        await write(connection, "memos", only_names)
    link = (await why(hub, "MEMO-2", "MEMO-1"))["chain"][0]
    assert (link["hidden"], link["around"], link["marked"]) == (True, None, None)
    assert (link["field"], link["start"], link["end"]) == ("text", 8, 14)


async def test_of_two_that_bear_one_key_the_one_in_the_same_request_is_meant(hub: Hub) -> None:
    await hub.told(memo(3, connection="elsewhere"))
    answer = await why(hub, "MEMO-2", "MEMO-3")
    assert (answer["together"], answer["right"]) == (True, f"{M}3")
    assert answer["also"] == {"from": [], "with": ["elsewhere/memo/3"]}
    assert [one["natural_key"] for one in answer["artifacts"]] == ["MEMO-2", "MEMO-3"]
    itself = await why(hub, f"{M}2", "memo-2")
    assert (itself["together"], itself["chain"], itself["sentence"]) == (True, [], "MEMO-2 is one artifact")


async def test_what_is_not_known_or_not_asked_right(hub: Hub) -> None:
    unknown = await within(hub, 1, 404, to="CANARY-99")
    assert unknown["type"].endswith("unknown-reference")
    assert "CANARY" not in str(unknown)
    other = await why(hub, "CANARY-99", "MEMO-1", 404)
    assert other["detail"].startswith("query.from names nothing")
    assert other["freshness"]
    missing = await hub.get("/v1/why", 422, **{"from": "MEMO-1"})
    assert [one["field"] for one in missing["errors"]] == ["query.with"]


async def test_what_is_read_but_not_placed_yet_is_asked_for_again(hub: Hub) -> None:
    async with hub.engine.begin() as connection:
        await Bulk(connection).insert(tables.artifacts, [(f"{M}99", "memos", "memo", "issue", "{}", None, None)])
    answer = await hub.http.get("/v1/why", params={"from": f"{M}99", "with": "MEMO-1"})
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "5")
    assert answer.json()["type"].endswith("not-placed")


async def test_the_statements_do_not_grow_with_what_hangs_together(hub: Hub) -> None:
    said: list[str] = []

    def note(_c: Any, _k: Any, statement: str, *_: Any) -> None:
        said.append(statement)

    async def count(left: str, right: str) -> int:
        listen.listen(hub.engine.sync_engine, "before_cursor_execute", note)
        await why(hub, left, right)
        listen.remove(hub.engine.sync_engine, "before_cursor_execute", note)
        number = len(said)
        said.clear()
        return number

    few = await count("MEMO-2", "MEMO-1")
    await hub.told(*(memo(number, parent=1, text="after MEMO-2") for number in range(200, 240)))
    assert await count("MEMO-239", "MEMO-3") == few < 16
    assert await count("MEMO-239", "MEMO-4") < 2 * few
