"""Accounts, sessions and tokens by the API: who may change what, and what is told of it."""

import asyncio
from collections.abc import AsyncIterator
from ipaddress import ip_network

import pytest
from pydantic import SecretStr

from schemas.access import Role
from services.admin.identities import Welcome
from services.admin.proxy import Proxy
from services.admin.signing_in import Manner
from tests.services.admin.entrance import PASSWORD, Door, door

ANY = {"If-Match": "*"}
NEW = "another long CANARY"
SQLITE = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
"""For what asks the database nothing of its own."""


@pytest.fixture
async def hub(database_url: str) -> AsyncIterator[Door]:
    async with door(database_url) as made:
        await made.account()
        yield made


async def test_an_admin_adds_changes_and_lists_accounts(hub: Door) -> None:
    async with hub.browser() as http:
        await hub.signed_in(http)
        body = {"name": "Ben  Meyer", "role": "viewer", "email": "Ben@Acme.example", "password": PASSWORD}
        made = await http.post("/v1/accounts", json=body)
        assert made.status_code == 201, made.text
        ben, where = made.json(), made.headers["Location"]
        assert (ben["name"], ben["role"], ben["email"]) == ("Ben Meyer", "viewer", "ben@acme.example")
        assert (await http.get(where)).headers["ETag"] == ben["etag"]
        changed = await http.patch(where, json={"role": "editor", "email": None}, headers={"If-Match": ben["etag"]})
        assert (changed.json()["role"], changed.json()["email"]) == ("editor", None)
        late = await http.patch(where, json={"role": "admin"}, headers={"If-Match": ben["etag"]})
        assert (late.status_code, late.json()["type"]) == (412, "urn:throughline:problem:changed")
        assert (await http.patch(where, json={"role": "admin"})).status_code == 428
        assert [one["name"] for one in (await http.get("/v1/accounts")).json()["items"]] == ["Anna", "Ben Meyer"]
        for twin in ({"name": "ben meyer", "role": "viewer"}, {"name": "Ｂen\u00a0Meyer", "role": "viewer"}):
            assert (await http.post("/v1/accounts", json=twin)).status_code == 409
    (entry,) = await hub.entries("account.changed")
    assert (entry["who"], entry["where"]) == ("Anna", "192.0.2.7")
    assert entry["before"] == {"email": "ben@acme.example", "role": "viewer"}
    assert entry["after"] == {"email": None, "role": "editor"}
    assert PASSWORD not in await hub.kept()


async def test_the_last_admin_cannot_be_disabled_or_demoted(hub: Door) -> None:
    async with hub.browser() as http:
        mine = (await hub.signed_in(http)).json()["account"]
        # Who never signed in, and has no password, could not mend anything.
        assert (await http.post("/v1/accounts", json={"name": "Later", "role": "admin"})).status_code == 201
        for change in ({"disabled": True}, {"role": "editor"}):
            refused = await http.patch(f"/v1/accounts/{mine}", json=change, headers=ANY)
            assert (refused.status_code, refused.json()["type"]) == (409, "urn:throughline:problem:last-admin")
        await http.post("/v1/accounts", json={"name": "Cleo", "role": "admin", "password": PASSWORD})
        assert (await http.patch(f"/v1/accounts/{mine}", json={"role": "editor"}, headers=ANY)).status_code == 200
        assert (await http.get("/v1/accounts")).status_code == 403, "it holds at once"


async def test_two_admins_do_not_shut_out_each_other(hub: Door) -> None:
    await hub.account("Cleo")
    async with hub.browser() as annas, hub.browser() as cleos:
        anna = (await hub.signed_in(annas)).json()["account"]
        cleo = (await hub.signed_in(cleos, "Cleo")).json()["account"]
        down = {"role": "viewer"}
        answers = await asyncio.gather(
            annas.patch(f"/v1/accounts/{cleo}", json=down, headers=ANY),
            cleos.patch(f"/v1/accounts/{anna}", json=down, headers=ANY),
        )
        told = sorted(one.status_code for one in answers)
        assert told[0] == 200
        assert told[1] in (403, 409), "the other one is the last admin now, or none any more"
        roles = [(await http.get("/v1/me")).json()["role"] for http in (annas, cleos)]
    assert sorted(roles) == ["admin", "viewer"]


async def test_a_viewer_changes_nothing_but_their_own_password(hub: Door) -> None:
    await hub.account("Ben", Role.VIEWER)
    async with hub.browser() as http, hub.browser() as elsewhere, hub.browser() as annas:
        await hub.signed_in(elsewhere, "Ben")
        anna = (await hub.signed_in(annas)).json()["account"]
        ben = (await hub.signed_in(http, "Ben")).json()["account"]
        assert (await http.get(f"/v1/accounts/{ben}")).status_code == 200
        for method, path, body in (
            ("GET", "/v1/accounts", None), ("GET", f"/v1/accounts/{anna}", None), ("GET", "/v1/audit", None),
            ("GET", "/v1/audit.csv", None), ("POST", "/v1/accounts", {"name": "Eve", "role": "admin"}),
            ("PATCH", f"/v1/accounts/{ben}", {"role": "admin"}),
            ("PATCH", f"/v1/accounts/{ben}", {"email": "x@y.example"}),
            ("PATCH", f"/v1/accounts/{anna}", {"password": NEW, "old_password": PASSWORD}),
            ("GET", "/v1/sessions?everybody=true", None), ("GET", "/v1/tokens?everybody=true", None),
        ):  # fmt: skip
            assert (await http.request(method, path, json=body, headers=ANY)).status_code == 403, (method, path)
        path = f"/v1/accounts/{ben}"
        assert (await http.patch(path, json={"password": NEW}, headers=ANY)).status_code == 422
        wrong = await http.patch(path, json={"password": NEW, "old_password": "wrong"}, headers=ANY)
        assert (wrong.status_code, wrong.json()["errors"][0]["field"]) == (422, "body.old_password")
        right = await http.patch(path, json={"password": NEW, "old_password": PASSWORD}, headers=ANY)
        assert right.status_code == 200
        assert (await http.get("/v1/me")).status_code == 200, "this session goes on"
        assert (await elsewhere.get("/v1/me")).status_code == 401, "the others end"
        assert (await annas.get("/v1/me")).status_code == 200
        assert (await hub.signed_in(elsewhere, "Ben")).status_code == 401
        assert (await hub.signed_in(elsewhere, "Ben", NEW)).status_code == 200
    (entry,) = await hub.entries("account.changed")
    assert (entry["before"], entry["after"]) == ({"password": "(secret)"}, {"password": "(secret)"})
    assert "CANARY" not in await hub.kept()


async def test_guessing_the_old_password_is_throttled(hub: Door) -> None:
    async with hub.browser() as http:
        mine = (await hub.signed_in(http)).json()["account"]
        answers = [
            await http.patch(f"/v1/accounts/{mine}", json={"password": NEW, "old_password": "x"}, headers=ANY)
            for _ in range(7)
        ]
    assert [one.status_code for one in answers] == [422] * 5 + [429] * 2


async def test_a_token_is_shown_once_and_never_exceeds_its_owner(hub: Door) -> None:
    ben = await hub.account("Ben", Role.EDITOR)
    async with hub.browser() as http, hub.browser() as annas:
        await hub.signed_in(http, "Ben")
        await hub.signed_in(annas)
        assert (await http.post("/v1/tokens", json={"title": "x", "role": "admin"})).status_code == 403
        assert (await http.post("/v1/tokens", json={"title": "x", "role": "viewer", "own": False})).status_code == 403
        made = (await http.post("/v1/tokens", json={"title": "Nightly", "role": "editor", "days": 30})).json()
        assert made["token"].startswith(f"tl_{made['id']}_")
        (listed,) = (await http.get("/v1/tokens")).json()["items"]
        assert listed == {name: value for name, value in made.items() if name != "token"}
        async with hub.browser(Authorization=f"Bearer {made['token']}") as program:
            assert (await program.get("/v1/me")).json()["role"] == "editor"
            assert (await program.post("/v1/tokens", json={"title": "y", "role": "viewer"})).status_code == 403
            change = {"password": NEW, "old_password": PASSWORD}
            assert (await program.patch(f"/v1/accounts/{ben.id}", json=change, headers=ANY)).status_code == 403
            await hub.access.flush()
            (used,) = (await http.get("/v1/tokens")).json()["items"]
            assert used["used_at"] == "2026-04-01T12:00:00.000000Z"
            hub.clock.on(seconds=30)
            await program.get("/v1/me")
            await hub.access.flush()
            assert (await http.get("/v1/tokens")).json()["items"] == [used], "written once a minute at most"
            await annas.patch(f"/v1/accounts/{ben.id}", json={"role": "viewer"}, headers=ANY)
            assert (await program.get("/v1/me")).json()["role"] == "viewer", "it loses what its owner loses"
            hub.clock.on(days=30)
            ended = await program.get("/v1/me")
            assert (ended.status_code, ended.json()["type"]) == (401, "urn:throughline:problem:token")
    kept = await hub.kept()
    assert made["token"] not in kept
    assert made["token"].split("_", 2)[2] not in kept


async def test_a_token_is_revoked_by_its_owner_or_an_admin_and_by_nobody_else(hub: Door) -> None:
    await hub.account("Ben", Role.VIEWER)
    await hub.account("Cleo", Role.VIEWER)
    async with hub.browser() as bens, hub.browser() as cleos, hub.browser() as annas:
        await hub.signed_in(bens, "Ben")
        await hub.signed_in(cleos, "Cleo")
        await hub.signed_in(annas)
        made = [(await bens.post("/v1/tokens", json={"title": "x", "role": "viewer"})).json() for _ in range(2)]
        path = f"/v1/tokens/{made[0]['id']}"
        assert (await cleos.delete(path)).status_code == 404
        assert (await bens.delete(path)).status_code == 204
        assert (await annas.delete(f"/v1/tokens/{made[1]['id']}")).status_code == 204
        (session,) = (await bens.get("/v1/sessions")).json()["items"]
        assert (await cleos.delete(f"/v1/sessions/{session['id']}")).status_code == 404
        assert len((await annas.get("/v1/sessions", params={"everybody": True})).json()["items"]) == 3
        assert (await annas.delete(f"/v1/sessions/{session['id']}")).status_code == 204
        assert (await bens.get("/v1/me")).status_code == 401
        watcher = {"title": "Prometheus", "role": "watcher", "days": None, "own": False}
        token = (await annas.post("/v1/tokens", json=watcher)).json()["token"]
    async with hub.browser(Authorization=f"Bearer {token}") as program:
        assert (await program.get("/metrics")).status_code != 403
        for path in ("/v1/me", "/v1/requests", "/openapi.json"):
            assert (await program.get(path)).status_code == 403
    actions = [one["action"] for one in await hub.entries("token")]
    assert actions == ["token.added", "token.added", "token.revoked", "token.revoked", "token.added"]


async def test_a_token_that_is_shown_after_its_end_is_noted_once_a_minute(hub: Door) -> None:
    async with hub.browser() as http:
        await hub.signed_in(http)
        token = (await http.post("/v1/tokens", json={"title": "x", "role": "viewer", "days": 1})).json()
    wrong = token["token"][:-4] + "AAAA"
    hub.clock.on(days=1)
    async with hub.browser("192.0.2.9") as program:
        for shown in (wrong, token["token"], token["token"]):
            answer = await program.get("/v1/me", headers={"Authorization": f"Bearer {shown}"})
            assert (answer.status_code, answer.json()["type"]) == (401, "urn:throughline:problem:token")
        (entry,) = await hub.entries("token.refused")
        assert (entry["who"], entry["on"], entry["where"]) == ("nobody", f"token {token['id']}", "192.0.2.9")
        hub.clock.on(minutes=1)
        await program.get("/v1/me", headers={"Authorization": f"Bearer {token['token']}"})
    assert len(await hub.entries("token.refused")) == 2


@SQLITE
@pytest.mark.parametrize(
    "given", ["", "Bearer ", "Bearer x", f"Bearer tl_abcdefghij_{'x' * 43}", "Basic YTpi", "Bearer \xfc", "Bearer tl__"]
)
async def test_what_is_no_token_is_refused_though_there_is_a_session(hub: Door, given: str) -> None:
    async with hub.browser() as http:
        await hub.signed_in(http)
        answer = await http.get("/v1/me", headers={b"Authorization": given.encode("latin-1")})
    assert (answer.status_code, answer.headers["WWW-Authenticate"]) == (401, "Bearer")


FOREIGN = [
    {"Sec-Fetch-Site": "cross-site"}, {"Sec-Fetch-Site": "same-site"}, {"Sec-Fetch-Site": ""},
    {"Origin": "https://evil.example"}, {"Origin": "null"}, {"Origin": "http://hub.example.evil.example"},
    {"Origin": "http://hub.example:81"}, {},
]  # fmt: skip


@SQLITE
@pytest.mark.parametrize("headers", FOREIGN, ids=str)
async def test_no_foreign_page_changes_anything_by_a_session(hub: Door, headers: dict[str, str]) -> None:
    async with hub.browser() as http:
        await hub.signed_in(http)
        del http.headers["Sec-Fetch-Site"]
        body = {"title": "x", "role": "viewer"}
        refused = await http.post("/v1/tokens", json=body, headers=headers)
        assert (refused.status_code, refused.json()["type"]) == (403, "urn:throughline:problem:origin")
        assert (await http.get("/v1/tokens", headers=headers)).json() == {"items": []}
        if headers:  # a foreign page signs nobody in either
            http.cookies.clear()
            assert (
                await http.post("/v1/sign-in", json={"name": "Anna", "password": PASSWORD}, headers=headers)
            ).status_code == 403


OWN = [
    {"Origin": "http://hub.example"}, {"Origin": "http://hub.example:80"}, {"Origin": "https://hub.example"},
    {"Sec-Fetch-Site": "same-origin"}, {"Sec-Fetch-Site": "none"},
]  # fmt: skip


@SQLITE
@pytest.mark.parametrize("headers", OWN, ids=str)
async def test_the_hubs_own_pages_do(hub: Door, headers: dict[str, str]) -> None:
    async with hub.browser() as http:
        await hub.signed_in(http)
        del http.headers["Sec-Fetch-Site"]
        answer = await http.post("/v1/tokens", json={"title": "x", "role": "viewer"}, headers=headers)
    assert answer.status_code == 201


async def test_behind_a_proxy_its_own_address_counts(sqlite_url: str) -> None:
    async with door(sqlite_url, Manner(site_url="https://hub.acme.example")) as hub:
        await hub.account()
        async with hub.browser(base="http://10.0.0.9:8700") as http:
            cookie = (await hub.signed_in(http)).headers["Set-Cookie"].partition(";")[0]
            del http.headers["Sec-Fetch-Site"]
            for origin, status in (("https://hub.acme.example", 201), ("http://10.0.0.9:8700", 403)):
                headers = {"Origin": origin, "Cookie": cookie}
                answer = await http.post("/v1/tokens", json={"title": "x", "role": "viewer"}, headers=headers)
                assert answer.status_code == status


async def test_errors_name_the_field_and_never_what_was_sent(hub: Door) -> None:
    async with hub.browser() as http:
        await hub.signed_in(http)
        mine = (await http.get("/v1/me")).json()["account"]
        for method, path, body, field in (
            ("POST", "/v1/accounts", {"name": "Ben", "role": "CANARY"}, "body.role"),
            ("POST", "/v1/accounts", {"name": "Ben", "role": "watcher"}, "body.role"),
            ("POST", "/v1/accounts", {"name": "Ben", "role": "viewer", "password": "CANARY"}, "body.password"),
            ("POST", "/v1/accounts", {"name": "Ben", "role": "viewer", "CANARY": "CANARY"}, "body"),
            ("POST", "/v1/accounts", {"name": " ", "role": "viewer"}, "body.name"),
            ("POST", "/v1/accounts", {"name": "a\nb", "role": "viewer"}, "body.name"),
            ("POST", "/v1/sign-in", {"name": "CANARY", "password": ""}, "body.password"),
            ("POST", "/v1/set-up", {"key": "CANARY", "name": "x", "password": "CANARY"}, "body.password"),
            ("PATCH", f"/v1/accounts/{mine}", {"disabled": "CANARY"}, "body.disabled"),
            ("PATCH", f"/v1/accounts/{mine}", {"name": None}, "body.name"),
            ("POST", "/v1/tokens", {"title": "x", "role": "viewer", "days": "CANARY"}, "body.days"),
            ("GET", "/v1/audit?since=CANARY", None, "query.since"),
            ("GET", "/v1/audit?limit=CANARY", None, "query.limit"),
        ):  # fmt: skip
            answer = await http.request(method, path, json=body, headers=ANY)
            assert answer.status_code == 422, answer.text
            assert answer.json()["errors"][0]["field"] == field, answer.text
            assert "CANARY" not in answer.text
            if body and body.get("password") == "CANARY":
                assert answer.json()["mend"] == "body.password: give at least 12 characters."


async def test_the_audit_is_searched_paged_and_exported(hub: Door) -> None:
    async with hub.browser() as http:
        await hub.signed_in(http)
        for number in range(5):
            await http.post("/v1/accounts", json={"name": f"=Name-{number}", "role": "viewer"})
        first = (await http.get("/v1/audit", params={"action": "account", "limit": 4})).json()
        second = (await http.get("/v1/audit", params={"action": "account", "cursor": first["next"]})).json()
        told = [one["after"]["name"] for one in first["items"] + second["items"]]
        assert told == [f"=Name-{number}" for number in (4, 3, 2, 1, 0)] + ["Anna"]
        assert second["next"] is None
        (found,) = (await http.get("/v1/audit", params={"q": "name-3 ADDED"})).json()["items"]
        assert found["after"]["name"] == "=Name-3"
        assert (await http.get("/v1/audit", params={"q": "100%_"})).json()["items"] == []
        assert len((await http.get("/v1/audit", params={"who": "Anna", "on": found["on"]})).json()["items"]) == 1
        later = {"since": "2026-04-01T12:00:01Z"}
        assert (await http.get("/v1/audit", params=later)).json()["items"] == []
        for cursor in ("x", first["next"][:-2]):
            assert (await http.get("/v1/audit", params={"action": "account", "cursor": cursor})).status_code == 400
        for asked in ({}, {"action": "account.added"}, {"action": "account", "who": "Anna"}):
            other = await http.get("/v1/audit", params={**asked, "cursor": first["next"]})
            assert other.status_code == 400, asked
            assert "as you did then" in other.json()["mend"]
        table = await http.get("/v1/audit.csv", params={"action": "account"})
    assert table.headers["Content-Type"] == "text/csv; charset=utf-8"
    lines = table.text.splitlines()
    assert lines[0] == "number,at,who,account,how,action,object,before,after,address"
    assert len(lines) == 7
    (exported,) = await hub.entries("audit.exported")
    assert exported["after"] == {"action": "account"}


async def test_a_spreadsheet_takes_no_cell_for_a_formula(hub: Door) -> None:
    await hub.account("=1+1")
    async with hub.browser() as http:
        await hub.signed_in(http, "=1+1")
        assert ",'=1+1," in (await http.get("/v1/audit.csv")).text


def proxied() -> Manner:
    proxy = Proxy((ip_network("10.1.0.0/24"),), SecretStr("s" * 32), "x-user", "x-mail", "x-groups")
    return Manner(proxy=proxy, welcome=Welcome(groups=frozenset({"Staff"}), roles={"Hub admins": Role.ADMIN}))


SECRET = {"X-Throughline-Proxy-Secret": "s" * 32}
BEN = SECRET | {"X-User": "ben", "X-Mail": "Ben@Acme.example", "X-Groups": "Staff, Sales"}


async def test_a_trusted_proxy_names_who_asks(database_url: str) -> None:
    async with door(database_url, proxied()) as hub, hub.browser("10.1.0.5") as http:
        me = (await http.get("/v1/me", headers=BEN)).json()
        assert (me["name"], me["role"], me["how"], me["email"]) == ("ben", "viewer", "proxy", "ben@acme.example")
        assert me["groups"] == ["Sales", "Staff"]
        assert (await http.get("/v1/me", headers=BEN | {"X-Groups": "Hub admins"})).json()["role"] == "admin"
        assert (await http.get("/v1/me", headers=BEN | {"X-Groups": "Sales"})).json()["role"] == "admin", "the last one"
        await hub.account()
        assert (await http.get("/v1/me", headers=BEN | {"X-Groups": "Sales"})).json()["role"] == "viewer"
        unknown = await http.get("/v1/me", headers=BEN | {"X-User": "eve", "X-Groups": "Sales"})
        assert (unknown.status_code, unknown.json()["type"]) == (403, "urn:throughline:problem:no-account")
        assert (await http.get("/v1/me", headers=BEN | {"X-User": "eve", "X-Groups": "Sales"})).status_code == 403
        (entry,) = await hub.entries("sign-in.refused")
        assert entry["after"] == {"issuer": "proxy", "subject": "eve", "why": "no-account"}
        assert (await http.get("/v1/me", headers=SECRET)).status_code == 401, "nobody is named"


async def test_nobody_else_names_who_asks(database_url: str) -> None:
    wrong = {"X-Throughline-Proxy-Secret": "t" * 32}
    async with door(database_url, proxied()) as hub:
        for client, headers in (
            ("192.0.2.7", BEN), ("10.1.1.5", BEN), ("127.0.0.1", BEN), ("10.1.0.5", BEN | wrong),
            ("10.1.0.5", {"X-User": "ben"}), ("10.1.0.5", SECRET | {"X-User": " "}),
            ("192.0.2.8", BEN | {"X-Forwarded-For": "10.1.0.5"}),
        ):  # fmt: skip
            async with hub.browser(client) as http:
                answer = await http.get("/v1/me", headers=headers)
                assert (answer.status_code, answer.json()["type"]) == (403, "urn:throughline:problem:proxy-header")
        async with hub.browser("10.1.0.5") as http:
            twice = [*BEN.items(), ("X-User", "anna")]
            assert (await http.get("/v1/me", headers=twice)).status_code == 403
        noted = await hub.entries("proxy-header.refused")
    assert [one["where"] for one in noted] == ["192.0.2.7", "10.1.1.5", "127.0.0.1", "10.1.0.5", "192.0.2.8"]


async def test_the_client_is_whom_the_proxy_forwards_for(database_url: str) -> None:
    async with door(database_url, proxied()) as hub:
        await hub.account()
        for client, forwarded, where in (
            ("10.1.0.5", "198.51.100.1, 203.0.113.9", "203.0.113.9"),
            ("10.1.0.5", "203.0.113.9, 10.1.0.6", "203.0.113.9"),
            ("10.1.0.5", "what", "10.1.0.5"), ("192.0.2.7", "203.0.113.9", "192.0.2.7"),
            ("::ffff:10.1.0.5", "2001:db8::7", "2001:db8::7"),
        ):  # fmt: skip
            async with hub.browser(client, X_Forwarded_For=forwarded) as http:
                await hub.signed_in(http)
                assert (await hub.entries("session.begun"))[-1]["where"] == where
