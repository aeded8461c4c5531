"""From what a person types to identities: an id, an e-mail address, or an address in one connection."""

from collections import Counter
from collections.abc import Sequence

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from pipelines.store.bulk import Bulk
from services.query.reading import CONNECTIONS

_NAMED = """SELECT id, id AS name FROM identities WHERE id IN {keys}
    UNION SELECT id, address FROM identities WHERE address IN {keys}"""


async def named(connection: AsyncConnection, texts: Sequence[str]) -> list[list[str]]:
    """Ids of the identities that each text names: by its id, by its address, or by `connection:address`, where several
    bear that address. In one statement."""
    names = {name for text in texts for name in (*_spellings(text), _split(text)[1])}
    by_name: dict[str, set[str]] = {}
    for identity, name in await Bulk(connection).by_keys(_NAMED, names):
        by_name.setdefault(name, set()).add(identity)
    return [_of(text, by_name) for text in texts]


def _of(text: str, by_name: dict[str, set[str]]) -> list[str]:
    for name in _spellings(text):
        if name in by_name:
            return sorted(by_name[name])
    scope, address = _split(text)
    return sorted(one for one in by_name.get(address, ()) if one.startswith(f"{scope}/"))


def _spellings(text: str) -> tuple[str, str]:
    return text.strip(), text.strip().lower()


def _split(text: str) -> tuple[str, str]:
    """A connection and an address; without a connection "" and the address."""
    scope, _, address = text.strip().lower().rpartition(":")
    return scope, address


async def told(connection: AsyncConnection, text: str, found: Sequence[str]) -> list[str]:
    """Each of several that a text names, as it may be given to mean no other, with its connection, tool and id."""
    tools = {
        row.id: row.connector for row in await connection.execute(select(CONNECTIONS.c.id, CONNECTIONS.c.connector))
    }
    scopes = Counter(_scope(one) for one in found)
    _, address = _split(text)
    return [_told(one, address, tools, alone=scopes[_scope(one)] == 1) for one in found]


def _told(identity: str, address: str, tools: dict[str, str], *, alone: bool) -> str:
    scope, kind, _ = identity.split("/", 2)
    tool = f" ({tools[scope]})" if scope in tools else ""
    what = f"{kind} in {scope}{tool}"
    return f"{scope}:{address}, the {what} with the id {identity}" if alone else f"{identity}, the {what}"


def _scope(identity: str) -> str:
    """What an identity's id begins with: its connection, or `mail` for addresses of mails."""
    return identity.partition("/")[0]
