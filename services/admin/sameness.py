"""Whether two connections read the same tool: its things would be stored twice, and its keys would name nothing."""

import hashlib
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace

from pydantic import BaseModel, SecretStr
from sqlalchemy.ext.asyncio import AsyncConnection

from connectors.contract import Connector
from pipelines.store import configuration
from schemas.errors import Misconfigured
from services.feed import connections
from services.feed.connections import StoredConnection
from services.feed.rules import configuration_of
from services.security import KeyRing

_PORTAL, _TOKEN, _MAILBOX = "hubspot:", "token ", "mailbox:"


@dataclass(frozen=True, slots=True)
class Tool:
    """What tells the tool of one connection from others of its kind."""

    connection: str
    connector: str
    marks: frozenset[str]
    """Equal in one of them: the same tool."""
    projects: frozenset[str] = frozenset()
    by_message: bool = False
    """Its things are known by ids of their own everywhere, so that two connections store them once."""
    removed: bool = False
    """The connection is gone; what it brought is kept."""


class Taken(Misconfigured):
    """Another connection stands in the way."""

    def __init__(self, problem: str, mend: str, plain: str, *, anyway: bool = False) -> None:
        """mend: for who types commands; plain: for who fills in a form. anyway: it may be insisted on."""
        super().__init__(problem, mend, "name")
        self.plain = plain
        self.anyway = anyway


def tool_of(connection: str, connector: Connector, options: BaseModel, scopes: Iterable[str] = ()) -> Tool:
    """The tool that these options read. scopes: by which addresses it is named, as far as that was seen."""
    own = configuration_of(connector, options, scopes)
    marks = set(_by_scopes(connector, own.scopes))
    if cloud := getattr(options, "cloud_id", ""):
        marks.add(f"cloud {cloud.lower()}")
    user, host = getattr(getattr(options, "auth", None), "user", None), getattr(options, "host", None)
    if user and host:
        marks.add(_mailbox(user, host))
    token = getattr(options, "token", None)
    if _has_portal(connector) and isinstance(token, SecretStr):
        # One token belongs to one account; the digest is compared here and kept nowhere.
        marks.add(_TOKEN + hashlib.sha256(token.get_secret_value().encode()).hexdigest())
    return Tool(connection, connector.name, frozenset(marks), own.projects, by_message=bool(user and host))


def _mailbox(user: str, host: str) -> str:
    """Which mailbox it is, in a form that names nobody: it is kept after its connection is removed."""
    return _MAILBOX + hashlib.sha256(f"{user.lower()} at {host.lower()}".encode()).hexdigest()[:32]


async def remember(connection: AsyncConnection, gone: StoredConnection) -> None:
    """After a connection was removed, with its options: which mailbox it read, where what it brought is kept."""
    host, auth = gone.options.get("host"), gone.options.get("auth")
    user = auth.get("user") if isinstance(auth, dict) else None
    own = (await configuration.every(connection)).get(gone.id)
    if isinstance(user, str) and isinstance(host, str) and own is not None:
        known = replace(own, scopes=own.scopes | {_mailbox(user, host)}, chosen=configuration.NOTHING)
        await configuration.write(connection, gone.id, known)  # what was chosen stays


def _has_portal(connector: Connector) -> bool:
    """All accounts share one address, and are told apart by their number."""
    return "portal" in connector.Options.model_fields


def _by_scopes(connector: Connector, scopes: Iterable[str]) -> Iterable[str]:
    return (one for one in scopes if one.startswith(_PORTAL) or not _has_portal(connector))


async def known(connection: AsyncConnection, catalogue: Mapping[str, Connector], keys: KeyRing) -> list[Tool]:
    """The tools of all connections, and of removed ones whose things are kept."""
    rules = await configuration.every(connection)
    stored = {one.id: one for one in await connections.every(connection)}
    found = []
    for name in sorted({*rules, *stored}):
        connector = catalogue.get(stored[name].connector if name in stored else rules[name].connector)
        if connector is None or not (name in stored or await connections.brought(connection, name)):
            continue
        scopes = rules[name].scopes if name in rules else frozenset[str]()
        projects = rules[name].projects if name in rules else frozenset[str]()
        tool = Tool(
            name, connector.name, frozenset(_by_scopes(connector, scopes)), projects, removed=name not in stored
        )
        if name in stored:
            # Options of an older release, or secrets whose key is lost: what the rules say has to do.
            with suppress(Misconfigured):
                told = connections.with_secrets(stored[name], keys)
                tool = tool_of(name, connector, connections.parse_options(connector.Options, told), scopes)
        found.append(tool)
    return found


def is_as(stored: StoredConnection, new: Tool, connector: Connector, keys: KeyRing) -> bool:
    """Whether a connection that is there reads no more than before: whom it stands beside was settled then."""
    try:
        options = connections.parse_options(connector.Options, connections.with_secrets(stored, keys))
    except Misconfigured:  # of an older release, or its key is lost
        return False
    old = tool_of(stored.id, connector, options)
    return new.marks <= old.marks and new.projects == old.projects


def refuse_another(new: Tool, others: Iterable[Tool], *, anyway: bool = False, untried: bool = False) -> None:
    """Raises Taken where another connection reads the tool, or brought its things before it was removed, and
    where the name belonged to another tool whose things are kept. untried: more may be seen of it than is known now."""
    told = sorted(others, key=lambda other: other.removed)
    goes_on = any(one.connection == new.connection and one.removed and one.marks & new.marks for one in told)
    for one in told:
        if one.connection == new.connection:
            _same_name(new, one, anyway=anyway, untried=untried)
        elif one.connector == new.connector and one.marks & new.marks and not (goes_on and one.removed):
            _same_tool(new, one, anyway=anyway)


def _same_name(new: Tool, old: Tool, *, anyway: bool, untried: bool) -> None:
    """A connection that was removed goes on with what it knew, if it is the same tool."""
    if not old.removed:
        return
    numbers = [one.removeprefix(_PORTAL) for one in sorted(old.marks) if one.startswith(_PORTAL)]
    # A token says nothing about the account that it belongs to, before it is tried.
    named = frozenset(one for one in new.marks if not one.startswith(_TOKEN))
    if numbers and old.connector == new.connector and not named:
        if not untried:
            raise _unknown_account(new.connection, numbers[0])
        return
    if old.connector != new.connector or (old.marks and named and not old.marks & named):
        may = old.connector == new.connector and not numbers
        if anyway and may:
            return
        mend, plain = "Choose another --name", "Choose another name"
        if may:
            mend += ", or say --anyway if it is the same tool under a new address"
            plain += ", or confirm that it is the same tool under a new address"
        problem = f"The connection {new.connection} was another tool, and what it brought is kept"
        raise Taken(problem, mend, plain, anyway=may)


def _unknown_account(name: str, number: str) -> Taken:
    return Taken(
        f"The connection {name} was account {number}, what it brought is kept, and nothing says that this is the same",
        f"Give its number (portal: {number}), or let it be tested", f"Type its number, {number}, or let it be tested",
    )  # fmt: skip


def _same_tool(new: Tool, old: Tool, *, anyway: bool) -> None:
    if old.removed:
        mend = f"Add it again under its old name: --name {old.connection}"
        plain = f"Add it again under its old name, {old.connection}"
        if anyway and new.by_message:
            return
        if new.by_message:
            mend, plain = f"{mend}; or say --anyway", f"{plain}; or confirm that it is to have another"
        raise Taken(
            f"The connection {old.connection} read this tool before it was removed, and what it brought is kept", mend,
            plain, anyway=new.by_message,
        )  # fmt: skip
    apart = new.by_message or bool(new.projects and old.projects and not new.projects & old.projects)
    if apart and anyway:
        return
    mend = f"To read more of it, use `throughline connections change {old.connection}`"
    plain = f"To read more of it, change {old.connection}"
    if apart:
        mend += "; to have both, say --anyway"
        plain += "; to have both, confirm it"
    raise Taken(f"The connection {old.connection} reads this tool already", mend, plain, anyway=apart)


def scopes_of(rules: Mapping[str, configuration.ConnectionConfiguration], name: str) -> frozenset[str]:
    """The account's number, which no option states, as it was seen when the connection was added."""
    own = rules.get(name)
    return frozenset(one for one in own.scopes if one.startswith(_PORTAL)) if own else frozenset()
