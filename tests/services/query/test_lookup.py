"""Any reference leads to its request."""

from typing import Any

from sqlalchemy import event as listen

from pipelines.store import tables
from pipelines.store.bulk import Bulk
from tests.pipelines.memos import memo
from tests.services.query.conftest import Hub, owned


async def one(hub: Hub, reference: str) -> Any:
    answer = await hub.get("/v1/lookup", reference=reference)
    return answer["items"][0]


async def test_any_name_of_any_member_leads_to_the_request(hub: Hub) -> None:
    for reference in ("MEMO-3", "memo-3", " MEMO-3 ", "memos/memo/3", owned(3), owned(3).lower()):
        answer = await hub.get("/v1/lookup", reference=reference)
        found = answer["items"][0]
        assert found["outcome"] == "in a request"
        assert found["requests"] == [owned(1)]
        assert found["artifacts"] == [
            {
                "id": "memos/memo/3", "connection": "memos", "connector": "memo", "kind": "issue", "native_id": "3",
                "natural_key": "MEMO-3", "url": None, "request": owned(1), "kept_out": None, "apart": [],
            }
        ]  # fmt: skip
        assert answer["requests"][owned(1)]["title"] == "Payroll portal for Zoë"


async def test_known_but_in_no_request(hub: Hub) -> None:
    found = await one(hub, "MEMO-6")
    assert (found["outcome"], found["requests"]) == ("in no request", [])
    assert found["artifacts"][0]["natural_key"] == "MEMO-6"


async def test_a_programme_names_the_requests_that_belong_to_it(hub: Hub) -> None:
    many = [("programme", "memos/memo/6", f"{number:03}", f"R-{number:012}") for number in range(60)]
    beside = [("programme", "memos/memo/6", "999", owned(1)), ("programme", "memos/memo/9", "9", owned(4))]
    async with hub.engine.begin() as connection:
        await Bulk(connection).insert(tables.latest_facets, [*beside, *many])
    answer = await hub.get("/v1/lookup", reference=["MEMO-6", "MEMO-4"])
    found, other = answer["items"]
    assert (found["outcome"], len(found["requests"])) == ("programme", 50)
    assert found["requests"][:2] == [owned(1), "R-000000000059"]
    assert (other["outcome"], other["requests"]) == ("in a request", [owned(4)])
    assert set(answer["requests"]) == {owned(1), owned(4)}


async def test_the_page_of_a_request_leads_to_it_by_whatever_name_the_hub_is_reached(hub: Hub) -> None:
    await hub.told(memo(51, url="https://ours.example/browse/MEMO-51"))
    for address in ("http://127.0.0.1:8700/requests/{}", "https://hub.example/v1/requests/{}/timeline?limit=5"):
        for number, leads_to in ((1, 1), (3, 1), (51, 51)):  # 3 is a member: its id leads on
            found = await one(hub, address.format(owned(number)))
            assert (found["outcome"], found["requests"]) == ("in a request", [owned(leads_to)])
            assert found["other_host"] is None


async def test_an_address_of_another_tool_is_told_from_ours(hub: Hub) -> None:
    await hub.told(memo(50, url="https://ours.example/browse/MEMO-50"))
    address = "https://{}.example/browse/MEMO-{}"
    for reference, other in (
        (address.format("ours", 50), None), (address.format("theirs", 50), "theirs.example"), ("MEMO-50", None),
        (address.format("theirs", 3), None),  # whose own address nobody told
    ):  # fmt: skip
        found = await one(hub, reference)
        assert (found["outcome"], found["other_host"]) == ("in a request", other), reference


async def test_an_address_that_a_mail_gateway_wrapped_may_be_very_long(hub: Hub) -> None:
    inner = "https%3A%2F%2Facme.example%2Fbrowse%2FMEMO-3"
    wrapped = f"https://eur01.safelinks.protection.outlook.com/?url={inner}&data=05%7C{'a' * 3_800}"
    assert (await one(hub, wrapped))["requests"] == [owned(1)]
    answer = await hub.http.get("/v1/lookup", params={"reference": wrapped + "a" * 200})
    assert answer.json()["errors"][0]["field"] == "query.reference"


async def test_addresses_of_one_tool_have_its_host_and_port(hub: Hub) -> None:
    await hub.told(memo(50, url="https://ours.example/browse/MEMO-50"))
    await hub.told(memo(51, url="http://ours.example:8080/jira/browse/MEMO-51"))
    for address, other in (
        ("https://ours.example:443/browse/MEMO-50", None), ("http://ours.example/browse/MEMO-50?utm_source=x", None),
        ("Ours.Example/browse/MEMO-50", None), ("https://OURS.example/browse/memo-50).", None),
        ("https://ours.example:8443/browse/MEMO-50", "ours.example:8443"),
        ("theirs.example:81/browse/MEMO-50", "theirs.example:81"),
        ("http://ours.example:8080/browse/MEMO-51", None), ("http://ours.example/browse/MEMO-51", "ours.example"),
        ("https://x.safelinks.protection.outlook.com/?url=https%3A%2F%2Fours.example%2Fbrowse%2FMEMO-50", None),
        ("https://x.safelinks.protection.outlook.com/?url=https%3A%2F%2Fours.test%2Fbrowse%2FMEMO-50", "ours.test"),
        ("http://[::1]:81/browse/MEMO-50", "[::1]:81"),
    ):  # fmt: skip
        found = await one(hub, address)
        assert (found["outcome"], found["other_host"]) == ("in a request", other), address


async def test_an_address_of_another_hubspot_account_is_told_from_ours(hub: Hub) -> None:
    await hub.told(memo(50, url="https://app.hubspot.com/contacts/4711/record/0-3/50"))
    await known_by(hub, "memos/memo/50", "hubspot.deal|98", "hubspot.note|97")
    for address, other in (
        ("https://app.hubspot.com/contacts/4711/record/0-3/98", None),
        ("https://app-eu1.hubspot.com/contacts/4711/deal/98/", None),
        ("https://crm.ours.example/contacts/4711/record/0-46/97", None),
        ("https://app.hubspot.com/contacts/9999/record/0-3/98", "app.hubspot.com (account 9999)"),
        ("app.hubspot.com/contacts/9999/record/0-3/98", "app.hubspot.com (account 9999)"),
        ("https://other.example/contacts/9999/record/0-3/98", "other.example (account 9999)"),
        ("https://app.hubspot.com/contacts/9999/record/0-46/97", "app.hubspot.com (account 9999)"),
        ("98", None),
    ):  # fmt: skip
        found = await one(hub, address)
        assert (found["outcome"], found["other_host"]) == ("in a request", other), address


async def test_of_two_tools_with_one_key_the_address_says_which(hub: Hub) -> None:
    await hub.told(memo(50, url="https://app.hubspot.com/contacts/4711/record/0-3/98"))
    await hub.told(memo(51, url="https://app.hubspot.com/contacts/4712/record/0-3/98"))
    for number in (50, 51):
        await known_by(hub, f"memos/memo/{number}", "hubspot.deal|98")
    found = await one(hub, "https://app-eu1.hubspot.com/contacts/4712/deal/98")
    assert [each["id"] for each in found["artifacts"]] == ["memos/memo/51"]
    found = await one(hub, "https://app.hubspot.com/contacts/4713/deal/98")
    assert len(found["artifacts"]) == 2
    assert found["other_host"] == "app.hubspot.com (account 4713)"


async def test_what_is_known_by_a_whole_address_lies_there(hub: Hub) -> None:
    await hub.told(memo(50, url="https://ours.example/browse/MEMO-50"))
    await known_by(hub, "memos/memo/50", "url|https://portal.example/browse/MEMO-50")
    assert (await one(hub, "https://portal.example/browse/MEMO-50"))["other_host"] is None
    assert (await one(hub, "https://portal.example/browse/memo-50"))["other_host"] == "portal.example"


async def known_by(hub: Hub, artifact: str, *values: str) -> None:
    """The artifact has these keys as well, as a connector that states them has it."""
    async with hub.engine.begin() as connection:
        await Bulk(connection).insert(
            tables.artifact_values, [(artifact, "memo", value, True, True) for value in values]
        )


async def test_not_found_says_what_is_read(hub: Hub) -> None:
    answer = await hub.get("/v1/lookup", reference="PAY-99")
    assert answer["items"] == [
        {
            "place": 0, "outcome": "not found", "read_as": [{"kind": "jira.key", "value": "PAY-99"}],
            "requests": [], "artifacts": [], "gone": None, "other_host": None,
        }
    ]  # fmt: skip
    read = answer["freshness"][0]
    assert (read["title"], read["mailbox"], read["since"]) == ("Memos", None, None)
    assert read["true_up_to"] == "2026-04-01T11:58:00.000000Z"


async def test_what_is_no_reference_is_found_nowhere(hub: Hub) -> None:
    found = await one(hub, "no reference at all \x00")
    assert (found["outcome"], found["read_as"]) == ("not found", [])


async def test_whole_records_on_request(hub: Hub) -> None:
    answer = await hub.get("/v1/lookup", reference="MEMO-4", whole="true")
    assert answer["requests"][owned(4)]["record"]["id"] == owned(4)


async def test_alone_and_among_others_a_reference_leads_to_the_same(hub: Hub) -> None:
    for reference in ("MEMO-3", "MEMO-6", "PAY-99", "17", "https://nowhere.example/browse/MEMO-3", "<a@b>", owned(2)):
        alone = await hub.get("/v1/lookup", reference=reference)
        by_framework = await hub.get("/v1/lookup", reference=reference, whole="false")
        among = await hub.get("/v1/lookup", reference=[reference, "memos/memo/99"])
        assert alone == by_framework, reference
        assert alone["items"] == among["items"][:1], reference
        assert alone["requests"] == among["requests"], reference


async def test_a_name_that_many_things_share_leads_to_all_of_them(hub: Hub) -> None:
    await hub.told(*(memo(number, old=99) for number in range(50, 59)))
    found = await one(hub, "MEMO-99")
    assert {each["natural_key"] for each in found["artifacts"]} == {f"MEMO-{number}" for number in range(50, 59)}
    assert found["requests"] == [owned(50)]


async def test_a_reference_keeps_its_signs(hub: Hub) -> None:
    plus = await hub.http.get("/v1/lookup?reference=a%2Bb%26c+d@e%E2%82%AC%ff")
    assert plus.json()["items"][0]["read_as"] == []
    plus = await hub.http.get("/v1/lookup?reference=a%2Bb@e%26%E2%82%AC.example")
    assert plus.json()["items"][0]["read_as"] == [{"kind": "message-id", "value": "a+b@e&€.example"}]


async def test_two_and_a_hundred_cost_the_same_number_of_statements(hub: Hub) -> None:
    await hub.told(*(memo(number) for number in range(10, 110)))
    counts = []
    for names in (["MEMO-10", "MEMO-11"], [f"MEMO-{number}" for number in range(10, 110)]):
        statements: list[str] = []

        def note(_c: Any, _k: Any, statement: str, *_: Any, into: list[str] = statements) -> None:
            if not statement.startswith("BEGIN"):
                into.append(statement)

        listen.listen(hub.engine.sync_engine, "before_cursor_execute", note)
        answer = await hub.http.get("/v1/lookup", params={"reference": names})
        listen.remove(hub.engine.sync_engine, "before_cursor_execute", note)
        items = answer.json()["items"]
        assert [item["place"] for item in items] == list(range(len(names)))
        assert {item["outcome"] for item in items} == {"in a request"}
        counts.append(len(statements))
    assert counts == [4, 4]


async def test_more_than_a_hundred_are_refused(hub: Hub) -> None:
    answer = await hub.http.get("/v1/lookup", params={"reference": ["MEMO-1"] * 101})
    assert answer.status_code == 422
    assert answer.json()["errors"] == [
        {"field": "query.reference", "problem": "is given too often", "mend": "give at most 100"}
    ]
