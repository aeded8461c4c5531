"""Passwords of local accounts: argon2, a few at a time, and as long for an unknown name as for a known one."""

import asyncio

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

SHORTEST, LONGEST = 12, 200
"""Characters of a password. Length is all that is asked: rules about signs make people write them down."""

_AT_ONCE = 2
"""Each takes 64 MiB for a sixth of a second: sign-ins must not use up the machine."""


class Passwords:
    """Makes and checks hashes in a thread."""

    def __init__(self, hasher: PasswordHasher | None = None) -> None:
        """hasher: None: argon2id as RFC 9106 recommends where memory is short."""
        self._hasher = hasher or PasswordHasher()
        self._turn = asyncio.Semaphore(_AT_ONCE)
        self._nobody: str | None = None

    async def hash(self, password: str) -> str:
        """What is stored instead of a password."""
        async with self._turn:
            return await asyncio.to_thread(self._hasher.hash, password)

    async def verify(self, stored: str | None, given: str) -> bool:
        """Whether it is the password. stored: None where there is none, which takes as long and is never right."""
        if self._nobody is None:
            self._nobody = await self.hash("of nobody")
        async with self._turn:
            right = await asyncio.to_thread(self._right, stored or self._nobody, given)
        return right and stored is not None

    def outdated(self, stored: str) -> bool:
        """Whether it was hashed with less effort than is made now."""
        return self._hasher.check_needs_rehash(stored)

    def _right(self, stored: str, given: str) -> bool:
        try:
            return self._hasher.verify(stored, given)
        except (VerificationError, InvalidHashError):
            return False
