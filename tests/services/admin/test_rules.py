"""Rules through the API: tried, chosen on what was seen, kept, taken back; how much is left to compute."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import event as listen
from sqlalchemy import select

from pipelines.recompute import Recompute
from pipelines.store import leases, pending, stamps, tables
from pipelines.store.engine import reading, writing
from schemas.access import Role
from schemas.artifacts import request_id
from services.admin.progress import Attention, WorkProgress
from services.admin.routers import ROUTERS
from services.admin.rules import LinkKinds, ValuesAnswer
from services.admin.rules_told import ChangePage, ChangeTold, Rules, RulesAnswer
from services.admin.tables import audit
from services.query.app import create_app
from tests.services.admin.conftest import NOW, Office
from tests.services.cli.company import read, telling
from tests.services.cli.test_rules import ODD
from tests.services.query.conftest import client_of
from tests.services.test_roles import Someone

SQLITE = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
ODD_ID = request_id(ODD.artifact)
ROW = {"status": "awaiting board", "stage": "alignment", "state": "waiting", "waiting": "another team"}
BOARD: dict[str, Any] = {"connection": "jira-acme", "stages": [ROW], "link_kinds": {"Is part of": "joins"}}


async def rules_of(office: Office, name: str = "jira-acme") -> Any:
    told = await office.ask("GET", "/v1/rules")
    Rules.model_validate(told)
    return next(one for one in told["connections"] if one["connection"] == name)


async def computed(office: Office) -> int:
    recompute, done = Recompute(office.engine, lambda: datetime.now(UTC), "test"), 0
    while step := await recompute.once():
        done += step
    return done


async def stage_of(office: Office, request: str) -> tuple[str, str | None] | None:
    answer = await office.http.get(f"/v1/requests/{request}")
    current = answer.json()["request"]["current"] if answer.status_code == 200 else None
    return current and (current["stage"], current["state"])


async def test_an_etag_is_the_same_in_whatever_order_names_were_given(office: Office) -> None:
    seen = await rules_of(office)
    kinds = {"Relates": "depends on", "Is part of": "joins", "Blocks": "mentions"}
    body = {"connection": "jira-acme", "link_kinds": kinds}
    made = await office.ask("POST", "/v1/rules", body, 201, if_match=seen["etag"])
    assert (await rules_of(office))["etag"] == made["etag"]
    await office.ask("POST", "/v1/rules/changes/1/undo", {}, 201, if_match=made["etag"])


async def test_a_change_is_tried_holds_and_is_taken_back(office: Office) -> None:
    await read(office.engine, [ODD], first=100)
    seen = await rules_of(office)
    assert (seen["chosen"], seen["removed"]) == ({}, False)
    assert await stage_of(office, ODD_ID) == ("not mapped", None)

    body = {"connection": "jira-acme", "stages": [ROW]}
    tried = await office.ask("POST", "/v1/rules?preview=true", body, if_match=seen["etag"])
    found = RulesAnswer.model_validate(tried).difference
    assert found is not None
    assert (found.other_stage, found.sample) == (1, False)
    assert [one.model_dump() for one in found.moves] == [
        {"before": {"stage": "not mapped", "state": None}, "after": {"stage": "alignment", "state": "waiting"},
         "requests": 1, "examples": [ODD_ID]}
    ]  # fmt: skip
    assert tried["put"] == ["*, *, awaiting board: alignment, waiting (another team)"]
    assert (await rules_of(office)) == seen

    made = await office.ask("POST", "/v1/rules", body, 201, if_match=seen["etag"])
    assert (made["number"], made["difference"]) == (1, None)
    left = WorkProgress.model_validate(await office.ask("GET", "/v1/progress")).recompute
    assert left.left == left.total > 0
    assert left.reasons == ["change 1 of the rules"]
    assert await computed(office) > 0
    assert await stage_of(office, ODD_ID) == ("alignment", "waiting")

    (item,) = ChangePage.model_validate(await office.ask("GET", "/v1/rules/changes")).items
    assert (item.by, item.put, item.newest) == ("this machine", made["put"], True)
    assert ChangeTold.model_validate(await office.ask("GET", "/v1/rules/changes/1")) == item
    undone = await office.ask("POST", "/v1/rules/changes/1/undo", {}, 201, if_match=made["etag"])
    assert (undone["number"], undone["out"]) == (2, made["put"])
    await computed(office)
    assert await stage_of(office, ODD_ID) == ("not mapped", None)
    later = await office.ask("POST", "/v1/rules/changes/1/undo", {}, 409, if_match="*")
    assert later["type"] == "urn:throughline:problem:later-change"
    await office.ask("POST", "/v1/rules/changes/9/undo", {}, 404, if_match="*")
    async with reading(office.engine) as connection:
        noted = (await connection.execute(select(audit).order_by(audit.c.number))).all()
    assert [(one.action, one.object) for one in noted] == [("rules.changed", "rules of jira-acme")] * 2
    assert "awaiting board" in noted[0].after


@SQLITE
async def test_keys_left_out_stay_and_null_is_the_default(office: Office) -> None:
    await office.ask("POST", "/v1/rules", BOARD | {"openers": ["Story"]}, 201, if_match="*")
    await office.ask("POST", "/v1/rules", {"connection": "jira-acme", "projects": ["HR"]}, 201, if_match="*")
    chosen = (await rules_of(office))["chosen"]
    assert sorted(chosen) == ["link_kinds", "openers", "projects", "stages"]
    back = {"connection": "jira-acme", "stages": None, "openers": None, "link_kinds": None}
    told = await office.ask("POST", "/v1/rules", back, 201, if_match="*")
    assert told["chosen"] == (await rules_of(office))["chosen"] == {"projects": ["HR"]}
    same = await office.ask("POST", "/v1/rules", {"connection": "jira-acme", "projects": ["HR"]}, if_match="*")
    assert (same["number"], same["put"]) == (None, [])
    page = await office.ask("GET", "/v1/rules/changes?limit=2")
    rest = await office.ask("GET", f"/v1/rules/changes?limit=2&cursor={page['next']}")
    assert [one["number"] for one in page["items"] + rest["items"]] == [3, 2, 1]
    assert [one["newest"] for one in page["items"] + rest["items"]] == [True, False, False]
    other = await office.ask("GET", f"/v1/rules/changes?connection=jira-acme&cursor={page['next']}", status=400)
    assert "as you did then" in other["mend"]


async def test_a_link_kind_is_tried_for_what_would_merge(office: Office) -> None:
    await read(office.engine, [ODD], first=100)
    body = {"connection": "jira-acme", "link_kinds": {"Is part of": "joins"}}
    told = await office.ask("POST", "/v1/rules?preview=true", body, if_match="*")
    assert told["difference"]["merged"] == 2
    assert told["remarks"] == ["Stated by 1 artifact: is part of."]
    kinds = LinkKinds.model_validate(await office.ask("GET", "/v1/connections/jira-acme/link-kinds"))
    assert [(one.relation, one.does, one.artifacts) for one in kinds.items] == [
        ("is blocked by", "depends on", 1), ("is part of", "mentions", 1), ("remote link", "joins", 1),
    ]  # fmt: skip
    assert not kinds.sample
    near = body | {"link_kinds": {"is part fo": "joins"}}
    wrong = await office.ask("POST", "/v1/rules", near, 422, if_match="*")
    assert wrong["errors"][0]["field"] == "body.link_kinds"
    assert "'is part of' meant" in wrong["mend"]


async def test_of_two_at_once_the_second_is_told(office: Office) -> None:
    etag = (await rules_of(office))["etag"]

    async def sent(project: str) -> Any:
        body = {"connection": "jira-acme", "projects": [project]}
        return await office.http.post("/v1/rules", json=body, headers={"If-Match": etag})

    answers = await asyncio.gather(sent("HR"), sent("LAW"))
    assert sorted(one.status_code for one in answers) == [201, 412]
    (refused,) = [one.json() for one in answers if one.status_code == 412]
    now = await rules_of(office)
    assert refused["versions"] == {"jira-acme": now["etag"]}
    assert len(now["chosen"]["projects"]) == 1


async def test_one_key_is_one_change(office: Office) -> None:
    etag = (await rules_of(office))["etag"]
    first = await office.ask("POST", "/v1/rules", BOARD, 201, if_match=etag, idempotency_key="k-1")
    again = await office.ask("POST", "/v1/rules", BOARD, 201, if_match=etag, idempotency_key='"k-1"')
    assert (again["number"], again["put"]) == (first["number"], first["put"])
    other = await office.ask("POST", "/v1/rules", BOARD | {"stages": []}, 422, if_match="*", idempotency_key="k-1")
    assert other["type"] == "urn:throughline:problem:key-used"
    assert len((await office.ask("GET", "/v1/rules/changes"))["items"]) == 1


WRONG: list[tuple[Any, str]] = [
    ({"connection": "jira-acme", "stages": [{"stage": "develop"}]}, "body.stages.stage"),
    ({"connection": "jira-acme", "stages": [{"stage": "change", "kind": "epic"}]}, "body.stages.0.kind"),
    ({"connection": "jira-acme", "stages": [{"stage": "change", "satus": "x"}]}, "body.stages"),
    ({"connection": "jira-acme", "digest": 3}, "body.digest"),
    ({"connection": "jira-acme", "scopes": ["hubspot:x"]}, "body.scopes"),
    ({"connection": "jira-acme", "link_kinds": {"blocks": "holds"}}, "body.link_kinds.blocks"),
    ({"connection": "jira-acme"}, "body"),
    ({"projects": ["HR"]}, "body.projects"),
    ({"digest": 1}, "body.digest"),
    ({"called_generic": ["abc"], "called_specific": ["abc"]}, "body.called_specific"),
]


@SQLITE
async def test_what_cannot_be_chosen_names_the_field(office: Office) -> None:
    for body, field in WRONG:
        told = await office.ask("POST", "/v1/rules", body, 422, if_match="*")
        assert [one["field"] for one in told["errors"]] == [field]
    await office.ask("POST", "/v1/rules", {"connection": "nobody", "stages": []}, 404, if_match="*")
    assert (await office.ask("GET", "/v1/rules/changes"))["items"] == []


async def test_limits_and_values_of_all_together(office: Office) -> None:
    parts = [
        telling(
            "jira-acme", "jira", "issue", str(20_000 + number),
            fields={"title": f"Chore {number}", "natural_key": f"PAY-{number}", "type": "Story", "opens": True,
                    "created_at": "2026-03-05T08:00:00.000000Z"},
            references=[["jira.key", "jira-acme", f"PAY-{number}", "identity", "is"],
                        ["jira.key", "jira-acme", "PAY-500", "explicit", "parent"]],
        )
        for number in range(500, 503)
    ]  # fmt: skip
    await read(office.engine, parts, first=1000)
    body = {"value": "pay-500", "meaning": "generic"}
    told = await office.ask("POST", "/v1/values?preview=true", body, if_match="*")
    assert told["remarks"] == ["PAY-500 is on 3 artifacts."]
    assert told["difference"]["split"] == 1
    made = await office.ask("POST", "/v1/values", body, 201, if_match=told["etag"])
    listed = ValuesAnswer.model_validate(await office.ask("GET", "/v1/values"))
    assert [(one.written, one.artifacts, one.state) for one in listed.items] == [("PAY-500", 3, "generic by choice")]
    assert listed.etag == made["etag"]
    await office.ask("POST", "/v1/values", body | {"meaning": "specific"}, 412, if_match=told["etag"])
    await office.ask("POST", "/v1/rules", {"generic": 60}, 201, if_match=made["etag"])
    holds = (await office.ask("GET", "/v1/rules"))["installation"]
    assert (holds["holds"]["generic"], holds["chosen"]["called_generic"]) == (60, ["jira.key|PAY-500"])
    wrong = await office.ask("POST", "/v1/values", {"value": "PAY-9999", "meaning": "generic"}, 422, if_match="*")
    assert wrong["errors"][0]["field"] == "body.value"
    assert "9999" not in str(wrong)


async def test_killed_half_way_it_goes_on(office: Office) -> None:
    """The change and what is to be computed are one transaction; whoever comes next finishes it."""
    await read(office.engine, [ODD], first=100)
    await office.ask("POST", "/v1/rules", {"connection": "jira-acme", "stages": [ROW]}, 201, if_match="*")
    async with writing(office.engine) as connection:
        some = await pending.due(connection, NOW, 1)
        await connection.rollback()  # as a process that ends here leaves it
    assert some
    assert (await office.ask("GET", "/v1/progress"))["recompute"]["left"] > 0
    assert await computed(office) > 0
    assert await stage_of(office, ODD_ID) == ("alignment", "waiting")


async def test_what_asks_for_a_person_is_counted_as_far_as_the_role_goes(office: Office) -> None:
    await read(office.engine, [ODD], first=100)
    told = await office.ask("GET", "/v1/attention")
    assert told == {"dead_letters": 1, "connections": 1, "unmapped_statuses": 1, "suggestions": 0}
    statements: list[str] = []
    listen.listen(office.engine.sync_engine, "before_cursor_execute", lambda *a: statements.append(a[2]))
    for role in (Role.VIEWER, Role.EDITOR, Role.ADMIN):
        app = create_app(office.engine, lambda: NOW, access=Someone(role), more=ROUTERS)
        app.state.equipment = office.equipment
        async with client_of(app) as http:
            for _ in range(5):
                seen = Attention.model_validate((await http.get("/v1/attention")).json())
        assert seen.dead_letters == (1 if role is Role.ADMIN else None)
    assert len([one for one in statements if "facets" in one]) == 3  # once an application, for it is kept


@SQLITE
@pytest.mark.parametrize(("done", "seconds"), [(0, None), (3, 10), (4, 0)])
async def test_an_estimate_by_the_pace_so_far(office: Office, done: int, seconds: int | None) -> None:
    names = ["a", "b", "c", "d"]
    async with writing(office.engine) as connection:
        await connection.execute(tables.components.delete())
        await connection.execute(tables.components.insert(), [{"id": name, "size": 1} for name in names])
        await pending.ask_everything(connection, "change 1 of the rules", NOW - timedelta(seconds=30))
        await connection.execute(tables.pending.delete().where(tables.pending.c.component.in_(names[:done])))
    told = (await office.ask("GET", "/v1/progress"))["recompute"]
    assert (told["left"], told["total"], told["seconds_left"]) == (4 - done, 4, seconds)


@SQLITE
async def test_a_rebuild_tells_how_far_it_is(office: Office) -> None:
    async with writing(office.engine) as connection:
        await leases.take(connection, "rebuild", "somebody", NOW)
        await stamps.change(connection, stamps.REBUILT, "20/100")
    told = (await office.ask("GET", "/v1/progress"))["rebuild"]
    assert told == {"running": True, "done": 20, "total": 100}
