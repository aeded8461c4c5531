"""From what a person pastes to artifacts and requests: shared by the look-up and by `why?with=`."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import urlsplit

from sqlalchemy.ext.asyncio import AsyncConnection

from pipelines.addresses import MAX_WRAPPED, scope_of, unwrapped
from pipelines.references import parse
from schemas.artifacts import Evidence, Reference
from services.query import decided, reading
from services.query.database import Database
from services.query.gone import Gone, became
from services.query.reading import Known, Stored

_ARTIFACT = re.compile(r"[^/:]+/[^/]+/.")
"""How an artifact's id begins: with its connection's name, which an address does not."""

_ACCOUNT = re.compile(r"/[a-z-]+/([0-9]{1,20})/(?:deal|ticket|record/0-[0-9]{1,4})/[0-9]{1,20}(?:/|$)")
"""The number of the account in the path of a HubSpot record's page."""

LONGEST = MAX_WRAPPED
"""Characters of a reference: nothing longer means anything."""

MOST_BELOW = 50
"""Requests of a programme that are told."""

MOST_LED = 20
"""Ids that are gone, one after the other, over which an old id is followed."""

MOST_ARTIFACTS = 50
"""Told for one reference; a value that more artifacts are known by names nothing."""


@dataclass(frozen=True, slots=True)
class Found:
    """What one reference leads to."""

    read_as: tuple[tuple[str, str], ...]
    """(kind, value) of what it may mean, the likeliest first."""
    artifacts: tuple[Known, ...]
    below: tuple[str, ...] = ()
    """Where the artifact is in no request but a programme: ids of the requests that belong to it, the newest first."""
    more_below: bool = False
    """Whether there are more of them than are told."""
    gone: Gone | None = None
    """What is known of an id of which nothing is left."""
    other_host: str | None = None
    """Where the address asked for lies (see _Lies.told), where all that was found lies elsewhere: it was found by its
    key or number alone, and another tool may be meant."""

    @property
    def requests(self) -> tuple[str, ...]:
        """Ids of the requests that the artifacts are in, in the artifacts' order; else of those that belong to it."""
        return tuple(dict.fromkeys(one.request for one in self.artifacts if one.request)) or self.below

    @property
    def outcome(self) -> str:
        """`in a request`, `programme`, `in no request` or `not found`."""
        if not self.artifacts:
            return "not found"
        if self.below:
            return "programme"
        return "in a request" if self.requests else "in no request"


async def find(connection: AsyncConnection, references: Sequence[str]) -> list[Found]:
    """What each reference leads to, in their order; one statement for all, and one where some are in no request.

    A reference is a key, an address, a Message-ID, a number, a request id or an artifact id. A request id whose own
    artifact is gone names the one by which the request is known that the id was last told to lead to.
    """
    asked = [(text.strip(), parse(text)) for text in references]
    names = {name for text, pairs in asked for name in _names(text, pairs)}
    known = await reading.known(connection, names)
    ids = {value for _, pairs in asked for kind, value in pairs if kind == "request"}
    known |= await _led(connection, ids - known.keys())
    found = await _with_below(connection, [_found(text, pairs, known) for text, pairs in asked])
    found = await _with_decisions(connection, found)
    return await _with_gone(connection, [text for text, _ in asked], found)


async def _with_gone(connection: AsyncConnection, texts: Sequence[str], found: list[Found]) -> list[Found]:
    """With what became of the ids that nothing is known by."""
    ids = {name for one in found if not one.artifacts for name in _ids(one)}
    names = {text for text, one in zip(texts, found, strict=True) if not one.artifacts and _names_artifact(text)}
    if not ids and not names:
        return found
    known = await became(connection, ids, names)
    return [
        one
        if one.artifacts
        else replace(one, gone=next((known[name] for name in (*_ids(one), text) if name in known), None))
        for text, one in zip(texts, found, strict=True)
    ]


def _ids(one: Found) -> list[str]:
    return [value for kind, value in one.read_as if kind == "request"]


async def _led(connection: AsyncConnection, gone: set[str]) -> dict[str, list[Known]]:
    """What is named by request ids that no artifact owns any more. One id may have led to another that went as well."""
    stands = {name: name for name in gone}
    found: dict[str, list[Known]] = {}
    for _ in range(MOST_LED):
        if not stands:
            break
        led = await reading.led(connection, stands.values())
        stands = {name: led[at] for name, at in stands.items() if at in led}
        known = await reading.known(connection, stands.values())
        found |= {name: known[at] for name, at in stands.items() if at in known}
        stands = {name: at for name, at in stands.items() if at not in known}
    return found


async def look_up(
    database: Database, references: Sequence[str], *, brief: bool = False
) -> tuple[list[Found], dict[str, Stored]]:
    """What each reference leads to, in their order, and those requests by id (their newest change is not told).

    brief: of a record what a list shows is enough.

    Most questions, one reference that is in a request, of which nothing was decided, take one statement; others a few,
    whatever their number.
    """
    if len(references) == 1:
        text = references[0].strip()
        pairs = parse(text)
        names = _names(text, pairs)
        if 0 < len(names) <= reading.FEW and all("|" in name for name in names):
            hot = await reading.leads(database, names, brief=brief)
            found = _found(text, pairs, hot[0]) if hot else None
            if hot and found and all(one.request for one in found.artifacts):  # also where there is none
                return [found], hot[1]
    async with database.reading() as connection:
        every = await find(connection, references)
        return every, await reading.requests(connection, {one for each in every for one in each.requests})


async def _with_below(connection: AsyncConnection, found: list[Found]) -> list[Found]:
    """With the requests of those that are programmes. A name that several artifacts share names no programme."""
    alone = {one.artifacts[0].artifact for one in found if len(one.artifacts) == 1 and not one.requests}
    if not alone:
        return found
    below = await reading.below(connection, sorted(alone), MOST_BELOW + 1)
    return [
        replace(one, below=tuple(names[:MOST_BELOW]), more_below=len(names) > MOST_BELOW)
        if len(one.artifacts) == 1 and (names := below.get(one.artifacts[0].artifact))
        else one
        for one in found
    ]


async def _with_decisions(connection: AsyncConnection, found: list[Found]) -> list[Found]:
    """With the decisions that keep artifacts out of every request, or apart from others."""
    kept = await decided.kept(connection, {one.artifact: one.request for each in found for one in each.artifacts})
    return [replace(each, artifacts=tuple(with_kept(one, kept) for one in each.artifacts)) for each in found]


def with_kept(one: Known, kept: Mapping[str, decided.Kept]) -> Known:
    """The artifact with what decisions do to it."""
    mine = kept.get(one.artifact)
    return replace(one, kept_out=mine.out, apart=mine.apart) if mine else one


def _names(text: str, pairs: Sequence[tuple[str, str]]) -> list[str]:
    """What the reference may be stored under: reference keys, a request id, the artifact id as it is."""
    keys = [value if kind == "request" else _key(kind, value) for kind, value in pairs]
    return [*keys, text] if _names_artifact(text) else keys


def _names_artifact(text: str) -> bool:
    return bool(_ARTIFACT.match(text)) and len(text) <= 500


def _key(kind: str, value: str) -> str:
    return Reference(kind, "", value, Evidence.IDENTITY).key


def _found(text: str, pairs: tuple[tuple[str, str], ...], known: dict[str, list[Known]]) -> Found:
    artifacts: dict[str, Known] = {}
    for name in _names(text, pairs):
        artifacts |= {one.artifact: one for one in known.get(name, ()) if one.artifact not in artifacts}
    addresses = [value for kind, value in pairs if kind == "url"]
    ours = any(kind == "request" for kind, _ in pairs)  # a page of the hub, at which no tool lies
    if ours or not addresses or not artifacts:
        return Found(pairs, tuple(artifacts.values())[:MOST_ARTIFACTS])
    by_address = {one.artifact for each in addresses for one in known.get(_key("url", each), ())}
    meant, elsewhere = _at(addresses[0], list(artifacts.values()), by_address)
    return Found(pairs, tuple(meant[:MOST_ARTIFACTS]), other_host=elsewhere)


def _at(address: str, artifacts: list[Known], by_address: set[str]) -> tuple[list[Known], str | None]:
    """Where two tools own one key, a pasted address says by where it lies which of them is meant; or that place, where
    all that has such a key is known to lie elsewhere. by_address: ids of what is known by the whole address."""
    asked = _lies(address)
    places = [_lies(one.url) if one.url else None for one in artifacts]
    meant = [
        one
        for one, place in zip(artifacts, places, strict=True)
        if (place and place.tool == asked.tool) or one.artifact in by_address
    ]
    return meant or artifacts, asked.told if all(places) and not meant else None


@dataclass(frozen=True, slots=True)
class _Lies:
    """Where an address lies."""

    host: str
    """With the port, where it is not the scheme's own."""
    account: str | None
    """The number of a HubSpot account, which has pages at several hosts, or behind a host of its own."""

    @property
    def tool(self) -> tuple[str, str]:
        """What two addresses of one tool have in common."""
        return ("account", self.account) if self.account else ("host", self.host)

    @property
    def told(self) -> str:
        """For people: the host, of HubSpot with the account."""
        return f"{self.host} (account {self.account})" if self.account else self.host


def _lies(address: str) -> _Lies:
    inner = unwrapped(address)
    try:
        found = _ACCOUNT.search(urlsplit(inner).path)
    except ValueError:
        found = None
    return _Lies(scope_of(inner), found.group(1) if found else None)


def told(one: Known) -> dict[str, Any]:
    """An artifact as the API tells it."""
    return {
        "id": one.artifact,
        "connection": one.connection,
        "connector": one.connector,
        "kind": one.kind,
        "native_id": one.native_id,
        "natural_key": one.natural_key,
        "url": one.url,
        "request": one.request,
        "kept_out": one.kept_out,
        "apart": one.apart,
    }
