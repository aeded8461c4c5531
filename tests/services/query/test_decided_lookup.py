"""A look-up says which decision keeps a thing out of every request, or apart from others, and how to undo it."""

from typing import Any

from sqlalchemy import event as listen

from tests.pipelines.memos import memo
from tests.services.query.conftest import Hub, owned
from tests.services.query.test_deciding import post

BY = {"by": "Anna Berg", "reason": "Heard on the phone"}
AT = "2026-04-01T12:00:00.000000Z"


async def found(hub: Hub, reference: str) -> Any:
    (item,) = (await hub.get("/v1/lookup", reference=reference))["items"]
    return item["artifacts"][0]


def told(said: str, number: int = 1) -> dict[str, Any]:
    undo = f"throughline undo {number}"
    whole = f"Anna Berg decided on 1 April 2026 that {said} (decision {number})"
    return {"number": number, "at": AT, "said": whole, "undo": undo, **BY}


async def test_what_hangs_below_what_is_no_request_names_the_decision(hub: Hub) -> None:
    await hub.told(memo(20), memo(21, parent=20), memo(22, parent=21, opens=False), memo(23))
    await post(hub, {"kind": "no request", "artifacts": ["MEMO-20"], **BY})
    for number, itself in ((20, True), (21, False), (22, False)):
        one = await found(hub, f"MEMO-{number}")
        assert one["request"] is None
        assert one["kept_out"] == told("MEMO-20 is no request") | {"itself": itself}
        assert one["apart"] == []
    refused = await hub.get(f"/v1/requests/{owned(21)}", 404)
    assert refused["detail"] == "Anna Berg decided on 1 April 2026 that MEMO-20 is no request (decision 1)."
    pair: dict[str, Any] = {"from": "MEMO-21", "with": "MEMO-23"}
    why = await hub.get("/v1/why", **pair)
    assert why["outside"][0]["why"].startswith(
        "MEMO-21 is in no request: Anna Berg decided on 1 April 2026 that what it belongs to is no request (decision 1)"
    )
    assert (await found(hub, "MEMO-6"))["kept_out"] is None
    await post(hub, {"kind": "undo", "decision": 1, "by": "Ben"})
    assert (await found(hub, "MEMO-22"))["kept_out"] is None


async def test_an_unlink_names_itself_at_both_ends(hub: Hub) -> None:
    await hub.told(memo(30), memo(31, parent=30, opens=False))
    await post(hub, {"kind": "unlink", "a": "MEMO-31", "b": "MEMO-30", **BY})
    said = told("MEMO-31 and MEMO-30 do not belong together")
    below, above = await found(hub, "MEMO-31"), await found(hub, "MEMO-30")
    assert (below["request"], below["kept_out"], below["apart"]) == (None, said | {"itself": True}, [said])
    assert (above["request"], above["kept_out"], above["apart"]) == (owned(30), None, [said])


async def test_a_split_names_itself_and_what_else_was_decided(hub: Hub) -> None:
    await hub.told(memo(40), memo(41, parent=40), memo(42, parent=40), memo(43))
    await post(hub, {"kind": "split", "request": owned(40), "artifacts": ["MEMO-41"], **BY})
    await post(hub, {"kind": "unlink", "a": "MEMO-41", "b": "MEMO-43", **BY})
    numbers = {name: [one["number"] for one in (await found(hub, name))["apart"]] for name in ("MEMO-41", "MEMO-42")}
    assert numbers == {"MEMO-41": [1, 2], "MEMO-42": [1]}
    await post(hub, {"kind": "undo", "decision": 1, "by": "Ben"})
    assert [one["number"] for one in (await found(hub, "MEMO-41"))["apart"]] == [2]


async def test_where_nothing_was_decided_one_statement_answers(hub: Hub) -> None:
    await hub.told(memo(50), memo(51), memo(52))
    await post(hub, {"kind": "unlink", "a": "MEMO-50", "b": "MEMO-51", **BY})
    statements: list[str] = []
    listen.listen(hub.engine.sync_engine, "before_cursor_execute", lambda *told: statements.append(told[2]))
    await found(hub, "MEMO-52")
    plain = len(statements)
    await found(hub, "MEMO-50")
    assert len(statements) - plain > plain
