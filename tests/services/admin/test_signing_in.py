"""Sign-in by password, sessions, and the first account; on both databases, and nothing secret told or kept."""

import asyncio
import logging
import re
from collections.abc import AsyncIterator
from typing import Literal

import pytest
from argon2 import PasswordHasher
from sqlalchemy import select

from pipelines.store.engine import reading
from schemas.access import Role
from services.admin import tables, throttling
from services.admin.passwords import Passwords
from services.admin.signing_in import Manner
from tests.services.admin.entrance import PASSWORD, Door, door


@pytest.fixture
async def hub(database_url: str) -> AsyncIterator[Door]:
    async with door(database_url) as made:
        yield made


async def test_the_first_account_is_made_once_by_the_link(hub: Door) -> None:
    key, other = await hub.link(), await hub.link()
    body = {"key": key, "name": "Anna Berg", "email": "Anna@Acme.example", "password": PASSWORD}
    async with hub.browser() as http:
        assert (await http.get("/v1/sign-in")).json()["set_up"] is True
        wrong = await http.post("/v1/set-up", json=body | {"key": "x" * 43})
        assert (wrong.status_code, wrong.json()["type"]) == (403, "urn:throughline:problem:set-up-link")
        made = await http.post("/v1/set-up", json=body)
        assert (made.status_code, made.json()["role"], made.json()["email"]) == (200, "admin", "anna@acme.example")
        assert (await http.get("/v1/me")).json()["how"] == "session"
        assert (await http.get("/v1/sign-in")).json()["set_up"] is False
        for again in (key, other):
            assert (await http.post("/v1/set-up", json=body | {"key": again, "name": "Eve"})).status_code == 403
    assert await hub.link() is None
    told = [one["action"] for one in await hub.entries()]
    assert told == ["set-up.refused", "account.added", "session.begun", "set-up.refused", "set-up.refused"]
    kept = await hub.kept()
    assert not [secret for secret in (key, other, PASSWORD) if secret and secret in kept]


async def test_a_link_used_twice_at_the_same_moment_makes_one_account(hub: Door) -> None:
    key, other = await hub.link(), await hub.link()
    async with hub.browser() as http, hub.browser() as others:
        answers = await asyncio.gather(*(
            each.post("/v1/set-up", json={"key": used, "name": name, "password": PASSWORD})
            for each, used, name in ((http, key, "Anna"), (others, key, "Ben"), (others, other, "Cleo"))
        ))  # fmt: skip
    assert sorted(one.status_code for one in answers) == [200, 403, 403]
    assert len(await hub.entries("account.added")) == 1


async def test_a_link_is_good_until_there_is_an_admin_who_can_come_in(hub: Door) -> None:
    await hub.account("Ben", Role.VIEWER)
    await hub.account("Later", Role.ADMIN, password=None)
    body = {"key": await hub.link(), "name": "Anna", "password": PASSWORD}
    async with hub.browser() as http:
        assert (await http.post("/v1/set-up", json=body)).status_code == 200
    assert await hub.link() is None


async def test_a_link_ends_after_a_day(hub: Door) -> None:
    key = await hub.link()
    hub.clock.on(hours=24)
    async with hub.browser() as http:
        answer = await http.post("/v1/set-up", json={"key": key, "name": "Anna", "password": PASSWORD})
    assert answer.status_code == 403


async def test_a_session_is_told_listed_and_ended(hub: Door) -> None:
    anna = await hub.account()
    async with hub.browser(User_Agent="Browser 1") as http:
        answer = await hub.signed_in(http, "  ANNA ")
        assert answer.status_code == 200
        cookie = answer.headers["Set-Cookie"]
        assert re.fullmatch(r"throughline=[\w-]{43}; Max-Age=2592000; Path=/; HttpOnly; SameSite=Lax", cookie)
        me = (await http.get("/v1/me")).json()
        assert (me["name"], me["role"], me["how"], me["account"]) == ("Anna", "admin", "session", anna.id)
        assert (me["session"]["address"], me["session"]["agent"]) == ("192.0.2.7", "Browser 1")
        (listed,) = (await http.get("/v1/sessions")).json()["items"]
        assert listed == me["session"]
        secret = cookie[len("throughline=") :].partition(";")[0]
        gone = await http.post("/v1/sign-out", json={})
        assert gone.status_code == 204
        assert gone.headers["Set-Cookie"].startswith("throughline=; Max-Age=0")
        copied = {"Cookie": f"throughline={secret}"}
        assert (await http.get("/v1/me", headers=copied)).status_code == 401, "a copied cookie is worth nothing now"
    assert [one["action"] for one in await hub.entries("session")] == ["session.begun", "session.ended"]
    assert secret not in await hub.kept()


async def test_every_sign_in_is_a_new_session(hub: Door) -> None:
    await hub.account()
    async with hub.browser() as http:
        first = (await hub.signed_in(http)).headers["Set-Cookie"].partition(";")[0]
        second = (await hub.signed_in(http)).headers["Set-Cookie"].partition(";")[0]
        assert first != second
        assert (await http.get("/v1/me", headers={"Cookie": first})).status_code == 401
    async with hub.browser(Cookie="throughline=planted-by-somebody-else") as http:
        chosen = (await hub.signed_in(http)).headers["Set-Cookie"]
        assert "planted" not in chosen


async def test_whatever_is_wrong_is_told_in_the_same_words(hub: Door) -> None:
    await hub.account()
    await hub.account("Ben", Role.VIEWER, password=None, email="ben@acme.example")
    answers = []
    async with hub.browser() as http:
        for name, password in (("Anna", "wrong"), ("Nobody", PASSWORD), ("Ben", PASSWORD), ("Anna", f"{PASSWORD} ")):
            answers.append(await hub.signed_in(http, name, password))
    assert {one.status_code for one in answers} == {401}
    assert len({one.text for one in answers}) == 1
    assert all("Set-Cookie" not in one.headers for one in answers)
    refused = await hub.entries("sign-in.refused")
    assert len(refused) == 4
    assert {one["who"] for one in refused} == {"nobody"}
    assert PASSWORD not in str(refused)


async def test_an_unknown_name_takes_as_much_hashing_as_a_known_one(hub: Door) -> None:
    asked: list[str] = []

    class Counted(PasswordHasher):
        def verify(self, hash: str | bytes, password: str | bytes) -> Literal[True]:  # noqa: A002 - the parent's name
            asked.append(str(password))
            return super().verify(hash, password)

    passwords = Passwords(Counted(time_cost=1, memory_cost=1024, parallelism=1))
    assert not await passwords.verify(None, "anything")
    assert not await passwords.verify(None, "of nobody")
    assert await passwords.verify(await passwords.hash("known"), "known")
    assert asked == ["anything", "of nobody", "known"]


async def test_failures_make_the_next_sign_in_wait_longer_and_longer(hub: Door) -> None:
    await hub.account()
    waits: list[int] = []
    for _ in range(14):
        async with hub.browser(f"198.51.100.{len(waits)}") as http:
            while (answer := await hub.signed_in(http, password="wrong")).status_code == 429:
                waits.append(int(answer.headers["Retry-After"]))
                refused = await hub.signed_in(http)
                assert refused.status_code == 429, "the right one waits, too"
                hub.clock.on(seconds=waits[-1])
    assert waits == [1, 2, 4, 8, 16, 32, 64, 128, 256][: len(waits)]
    assert len(waits) == 9
    hub.clock.on(minutes=5)
    async with hub.browser() as http:
        assert (await hub.signed_in(http)).status_code == 200
        assert (await hub.signed_in(http, password="wrong")).status_code == 401, "what went well ends the waiting"


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_an_account_is_one_whatever_it_is_called_by(hub: Door) -> None:
    anna = await hub.account(email="anna@acme.example")
    called = ["Anna", "ANNA@acme.example", anna.id, " anna ", "anna@acme.example", "Anna"]
    told = []
    for number, name in enumerate(called):
        async with hub.browser(f"198.51.100.{number}") as http:
            told.append((await hub.signed_in(http, name, "wrong")).status_code)
    assert told == [401] * throttling.ACCOUNT.free + [429]
    async with hub.browser() as http:
        for name in ("Anna", "anna@acme.example", anna.id):
            assert (await hub.signed_in(http, name)).status_code == 429
        assert (await hub.signed_in(http, "Somebody else")).status_code == 401
        hub.clock.on(minutes=5)
        assert (await hub.signed_in(http, "anna@acme.example")).status_code == 200, "and forgets under every name"
        for name in ("Anna", anna.id, "anna@acme.example", "Anna"):
            assert (await hub.signed_in(http, name, "wrong")).status_code == 401


async def test_many_guesses_at_once_are_no_way_around(hub: Door) -> None:
    await hub.account()
    async with hub.browser() as http:
        answers = await asyncio.gather(*(hub.signed_in(http, password="wrong") for _ in range(12)))
    told = [one.status_code for one in answers]
    assert (told.count(401), told.count(429)) == (throttling.ACCOUNT.free, 12 - throttling.ACCOUNT.free)


async def test_many_of_one_address_come_in_at_once(hub: Door) -> None:
    """None waits for another who waits for them: on PostgreSQL one of the two would be refused."""
    names = [f"Person {number}" for number in range(8)]
    for name in names:
        await hub.account(name, Role.VIEWER)

    async def twice(name: str) -> list[int]:
        async with hub.browser() as http:
            return [(await hub.signed_in(http, name)).status_code for _ in range(2)]

    assert await asyncio.gather(*map(twice, names)) == [[200, 200]] * len(names)


async def test_an_address_that_guesses_names_waits(hub: Door) -> None:
    await hub.account()
    async with hub.browser() as http:
        for number in range(throttling.ADDRESS.free):
            assert (await hub.signed_in(http, f"name {number}", "wrong")).status_code == 401
        assert (await hub.signed_in(http)).status_code == 429
    async with hub.browser("198.51.100.1") as elsewhere:
        assert (await hub.signed_in(elsewhere)).status_code == 200


async def test_what_is_typed_as_a_name_is_not_kept(hub: Door) -> None:
    async with hub.browser() as http:
        await hub.signed_in(http, "my password CANARY", "x")
    assert "CANARY" not in (await hub.kept())


async def test_a_session_slides_and_ends(hub: Door) -> None:
    await hub.account()
    async with hub.browser() as http:
        await hub.signed_in(http)
        for _ in range(4):
            hub.clock.on(days=6)
            assert (await http.get("/v1/me")).status_code == 200
            await hub.access.flush()
        hub.clock.on(days=6, seconds=1)
        assert (await http.get("/v1/me")).status_code == 401, "30 days after the sign-in it ends"
        await hub.signed_in(http)
        hub.clock.on(days=7)
        assert (await http.get("/v1/me")).status_code == 401, "unused for 7 days it ends"
    await hub.access.flush()
    async with reading(hub.engine) as connection:
        assert (await connection.execute(select(tables.sessions))).all() == []


async def test_who_is_disabled_is_out_at_once_and_does_not_come_in(hub: Door) -> None:
    await hub.account()
    ben = await hub.account("Ben", Role.VIEWER)
    async with hub.browser() as annas, hub.browser() as bens:
        await hub.signed_in(annas)
        await hub.signed_in(bens, "Ben")
        token = (await bens.post("/v1/tokens", json={"title": "x", "role": "viewer"})).json()["token"]
        changed = await annas.patch(f"/v1/accounts/{ben.id}", json={"disabled": True}, headers={"If-Match": "*"})
        assert changed.status_code == 200
        assert (await bens.get("/v1/me")).status_code == 401
        assert (await hub.signed_in(bens, "Ben")).status_code == 401
    async with hub.browser(Authorization=f"Bearer {token}") as program:
        assert (await program.get("/v1/me")).status_code == 401


async def test_over_https_the_cookie_is_kept_from_plain_http(database_url: str) -> None:
    async with door(database_url, Manner(site_url="https://hub.example")) as hub:
        await hub.account()
        async with hub.browser(base="https://hub.example") as http:
            cookie = (await hub.signed_in(http)).headers["Set-Cookie"]
            assert re.fullmatch(r"__Host-throughline=[\w-]{43}; .*; Path=/; HttpOnly; SameSite=Lax; Secure", cookie)
            assert (await http.get("/v1/sign-in")).json()["secure"] is True
            assert (await http.get("/v1/me")).status_code == 200


async def test_a_database_that_is_away_is_told_as_such(hub: Door, caplog: pytest.LogCaptureFixture) -> None:
    await hub.account()
    async with hub.browser() as http:
        await hub.signed_in(http)
        async with hub.engine.begin() as connection:
            for table in (tables.sessions, tables.api_tokens, tables.sign_in_attempts):
                await connection.run_sync(table.drop)
        with caplog.at_level(logging.ERROR):
            answers = [
                await http.get("/v1/me"), await hub.signed_in(http),
                await http.get("/v1/me", headers={"Authorization": f"Bearer tl_abcdefghij_{'x' * 43}"}),
            ]  # fmt: skip
        assert [one.status_code for one in answers] == [503, 503, 503]
        assert (await http.get("/livez")).status_code == 200, "with a session's cookie, too"
        token = {"Authorization": f"Bearer tl_abcdefghij_{'x' * 43}"}
        assert (await http.get("/livez", headers=token)).status_code == 200
    assert caplog.text == ""
