"""What was answered to a call with an Idempotency-Key: sent again, it is answered the same, whatever changed since."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson
from pydantic import BaseModel, SecretStr
from sqlalchemy import select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from schemas.canonical import canonical_json, digest
from schemas.errors import Misconfigured
from services.admin.equipment import Equipment
from services.admin.tables import answered
from services.query.refused import Refused


class Overtaken(Exception):
    """The same call was answered by somebody else meanwhile; nothing was written."""


@dataclass(frozen=True, slots=True)
class Once:
    """One call that is carried out once. key: None where its caller gave none."""

    parts: Equipment
    key: str | None
    said: str
    """Digest of what is asked. It is kept sealed: it could be tried out which secrets a body held."""

    @classmethod
    def of(cls, parts: Equipment, key: str | None, operation: str, body: BaseModel) -> "Once":
        """Of a call of this operation."""
        return cls(
            parts, key.strip('"') if key else None, digest(operation, canonical_json(body.model_dump(mode="json")))
        )

    async def before(self) -> dict[str, Any] | None:
        """What was answered; None: it was not carried out yet. Raises Refused where the key was used for another."""
        if self.key is None:
            return None
        async with self.parts.database.reading() as connection:
            row = (await connection.execute(select(answered).where(answered.c.key == self.key))).first()
        if row is None:
            return None
        if not self._same(row.asked):
            raise Refused(
                422, "key-used", "This Idempotency-Key was used for something else.", "Give each change its own."
            )
        told: dict[str, Any] = orjson.loads(row.answer)
        return told

    def _same(self, sealed: str) -> bool:
        try:
            return self.parts.keys.open("", self._place, sealed).get_secret_value() == self.said
        except Misconfigured:  # its key is lost: nobody can tell, and nothing may be done twice
            return False

    async def keep(self, connection: AsyncConnection, answer: Mapping[str, Any]) -> None:
        """Note the answer, in the transaction that carries it out. Raises Overtaken."""
        if self.key is None:
            return
        insert = postgresql.insert if connection.dialect.name == "postgresql" else sqlite.insert
        sealed = self.parts.keys.seal("", self._place, SecretStr(self.said))
        row = insert(answered).values(
            key=self.key, asked=sealed, answer=orjson.dumps(dict(answer)).decode(), at=self.parts.now()
        )
        kept = await connection.execute(row.on_conflict_do_nothing().returning(answered.c.key))
        if kept.first() is None:
            raise Overtaken

    @property
    def _place(self) -> str:
        return f"Idempotency-Key {self.key}"
