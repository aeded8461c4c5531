"""Who did what, when, from where, and how it was before and after. Entries are added, never changed nor removed."""

import re
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from pydantic import SecretStr
from sqlalchemy import insert
from sqlalchemy.ext.asyncio import AsyncConnection
from starlette.requests import Request

from pipelines.deciding import Noted
from schemas.access import Caller
from schemas.canonical import canonical_json, storable
from services.admin.tables import audit

MASKED = "(secret)"
"""Stands where a secret was."""

_SECRET_NAME = re.compile(
    r"(^|[_.-])(password|passphrase|secret|secrets|token|credentials?|authorization|cookie|api_?key|private_?key)"
    r"(_hash|_hashed)?$",
    re.IGNORECASE,
)
_SECRET_TEXT = re.compile(r"\btl_[0-9a-z]+_[\w-]{20,}|\bv1\.[0-9a-f]{8}\.[\w-]+|\$argon2\w*\$\S+")

Values = Mapping[str, Any]


async def note(
    connection: AsyncConnection, caller: Caller | None, action: str, on: str, before: Values | None,
    after: Values | None, now: datetime, where: str | None,
) -> None:  # fmt: skip
    """Add an entry, in the transaction that does what it tells.

    caller: None for somebody who is not known. action: noun and past participle, such as `connection.changed`. on:
    kind and id of what it was done to, such as `connection jira`. before, after: as JSON objects; None: there was, or
    is, nothing, or nothing was changed; secrets in them are masked. where: the address it came from (where_of); None:
    this machine.
    """
    await connection.execute(
        insert(audit).values(
            at=now, account=caller.account if caller else None, who=storable(caller.name if caller else "nobody"),
            how=caller.how if caller else "nobody", action=action, object=storable(on),
            before=_told(before), after=_told(after), address=where,
        )
    )  # fmt: skip


def noting(caller: Caller, now: Callable[[], datetime], where: str | None) -> Noted:
    """Notes what this caller does, for whoever does it in a transaction of their own."""

    async def noted(connection: AsyncConnection, action: str, on: str, after: Values) -> None:
        await note(connection, caller, action, on, None, after, now(), where)

    return noted


def where_of(request: Request) -> str | None:
    """The address that a request came from."""
    return request.client.host if request.client else None


def masked(value: Any) -> Any:
    """The same, JSON values only, with every secret masked: by its type, by its name, or by what it looks like."""
    if isinstance(value, SecretStr):
        return MASKED
    if isinstance(value, Mapping):
        return {str(name): _hidden(one) if _SECRET_NAME.search(str(name)) else masked(one)
                for name, one in value.items()}  # fmt: skip
    if isinstance(value, list | tuple | set | frozenset):
        return [masked(one) for one in (sorted(value) if isinstance(value, set | frozenset) else value)]
    if isinstance(value, datetime):
        return value.isoformat()
    if value is None or isinstance(value, bool | int | float):
        return value
    return _SECRET_TEXT.sub(MASKED, str(value))


def _hidden(value: Any) -> Any:
    """What is named as a secret; a group of that name may hold other things, too, and none of them is shown."""
    if value in (None, "", (), [], {}) or isinstance(value, bool):
        return masked(value)
    if isinstance(value, Mapping):
        return {str(name): _hidden(one) for name, one in value.items()}
    return MASKED


def _told(values: Values | None) -> str | None:
    return None if values is None else storable(canonical_json(masked(values)))
