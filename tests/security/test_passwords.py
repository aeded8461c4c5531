"""Passwords at rest: argon2id with the parameters of RFC 9106 for little memory, and older hashes made anew."""

import re

from argon2 import PasswordHasher, Type
from sqlalchemy import select

from pipelines.store.engine import reading
from services.admin.passwords import Passwords
from services.admin.tables import accounts
from tests.services.admin.entrance import PASSWORD, Door, door


async def test_a_password_is_hashed_by_argon2id_as_rfc_9106_says() -> None:
    """Its second choice: 3 passes over 64 MiB in 4 lanes, 16 random bytes of salt, 32 bytes of hash."""
    passwords = Passwords()
    one, two = [await passwords.hash(PASSWORD) for _ in range(2)]
    shape = r"\$argon2id\$v=19\$m=65536,t=3,p=4\$[A-Za-z0-9+/]{22}\$[A-Za-z0-9+/]{43}"
    assert re.fullmatch(shape, one)
    assert re.fullmatch(shape, two)
    assert one != two, "each with a salt of its own"
    assert await passwords.verify(one, PASSWORD)
    assert not await passwords.verify(one, PASSWORD + " ")
    assert not passwords.outdated(one)


async def test_a_hash_of_less_effort_is_made_anew_at_the_next_sign_in(sqlite_url: str) -> None:
    for weaker in (PasswordHasher(1, 512, 1), PasswordHasher(1, 1024, 1, type=Type.I)):
        assert Passwords().outdated(weaker.hash(PASSWORD))

    async def stored(hub: Door) -> str:
        async with reading(hub.engine) as connection:
            return str((await connection.execute(select(accounts.c.password))).scalar_one())

    async with door(sqlite_url) as hub:
        await hub.account(password=PasswordHasher(1, 512, 1).hash(PASSWORD))
        before = await stored(hub)
        async with hub.browser() as http:
            assert (await hub.signed_in(http, password="wrong")).status_code == 401
            assert await stored(hub) == before
            assert (await hub.signed_in(http)).status_code == 200
            after = await stored(hub)
            assert (await hub.signed_in(http)).status_code == 200
        assert "m=512," in before
        assert "m=1024," in after
        assert await stored(hub) == after, "once"
