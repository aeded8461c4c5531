"""What a caller may read: the one place where it is decided, for every answer."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Annotated, Any

from fastapi import Depends
from sqlalchemy.ext.asyncio import AsyncConnection
from starlette.requests import Request

from pipelines.assembly import facets_of
from pipelines.lifecycle import to_text
from pipelines.lifecycle.withholding import ANYBODYS, NOT_SHOWN, connection_of, withheld
from pipelines.store.bulk import Bulk
from schemas.access import Audience, Caller
from schemas.canonical import digest
from schemas.decisions import DecisionKind
from schemas.records import LifecycleRecord
from services.query.access import caller_of
from services.query.changing import SEEN
from services.query.reading import Known, Stored
from services.query.reads import Reads
from services.query.refused import Refused
from services.query.serving import serving

_UNKNOWN: Mapping[str, str] = {}


@dataclass(frozen=True)
class View:
    """What one caller may read."""

    caller: Caller
    audiences: Mapping[str, Audience]
    """By connection, those that are not for everybody."""
    told: Callable[[str, frozenset[str]], None] = lambda _request, _restricted: None
    """Takes down which request they are shown, and the restricted connections that they read in it."""

    @cached_property
    def whole(self) -> bool:
        """Whether nothing is kept from them."""
        return all(one.kind == "named" and one.admits(self.caller, frozenset()) for one in self.audiences.values()) or (
            self.caller.reads_all
        )

    @property
    def of_anything(self) -> bool:
        """Whether there is nothing that only some may read, so that no answer depends on what a record holds."""
        return not self.audiences

    @cached_property
    def outside(self) -> frozenset[str]:
        """Connections whose content they may not read outside a request."""
        return self._hidden(frozenset())

    def hidden(self, record: LifecycleRecord) -> frozenset[str]:
        """Connections whose content they may not read in this request."""
        # Named by the request itself: who decides that somebody is one with another lets nobody in.
        stated = (each for one in record.people for each in one.known_as if each.connections)
        return self._hidden(frozenset(one.address.lower() for one in stated if one.address))

    def _hidden(self, participants: frozenset[str]) -> frozenset[str]:
        return frozenset(name for name, one in self.audiences.items() if not one.admits(self.caller, participants))

    def shown(self, stored: Stored) -> Stored:
        """A request as they see it. Its ETag says how much of it that is."""
        if self.whole:
            self.told(stored.id, frozenset(name for name in self.audiences if _holds(stored.record, name)))
            return stored
        record = LifecycleRecord.model_validate_json(stored.record)
        hidden = self.hidden(record)
        read_by = {name for one in record.artifacts for name in (one.connection, *one.also_read_by)}
        self.told(stored.id, frozenset(read_by) & (self.audiences.keys() - hidden))
        elsewhere = self.outside - hidden
        if not hidden and not elsewhere:
            return stored
        text = to_text(withheld(record, hidden, elsewhere))
        kept = {*hidden, *(f"{one} elsewhere" for one in elsewhere)}
        return replace(stored, record=text, etag=seen(stored.etag, kept), hidden=hidden, elsewhere=elsewhere)

    def artifact(self, one: Known, hidden: Iterable[str] | None = None) -> Known:
        """A thing in a tool as they see it. hidden: of its request; None: it is in none that was looked at."""
        if not self.outside:
            return one
        # A decision may name other things than this one.
        kept = one.kept_out and {**one.kept_out, "said": NOT_SHOWN, "reason": ""}
        apart = tuple({**each, "said": NOT_SHOWN, "reason": ""} for each in one.apart)
        one = replace(one, kept_out=kept, apart=apart)
        if one.connection not in (self.outside if hidden is None else frozenset(hidden)):
            return one
        return replace(one, natural_key=None, url=None, type=None)

    def may(self, connection: str) -> bool:
        """Whether they may read what a connection brought, wherever it is. connection: "" for one that is not known,
        and so may be any."""
        return connection not in self.outside if connection else not self.outside

    def reading(self, read: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
        """What is read, with whose mailbox only where they may read what it brought."""
        return [one if self.may(one["connection"]) else one | {"mailbox": None} for one in read]

    def admit(self, connection: str) -> None:
        """Raises Refused where they may not read what a connection brought."""
        if not self.may(connection):
            raise Refused(
                403, "audience", "You may not read what this connection brought.",
                "Ask an admin to name you in its audience.",
            )  # fmt: skip

    def reads(self, names: Iterable[str], brought: Mapping[str, str] = _UNKNOWN) -> bool:
        """Whether nothing of these artifacts and identities (ids) is kept from them, wherever they are.

        brought: connections of the artifacts among them. What names none itself, as mails and their addresses, may
        otherwise be of any.
        """
        return not self.outside or not any(self._kept(brought.get(one) or connection_of(one)) for one in names)

    def _kept(self, connection: str) -> bool:
        return connection in self.outside or connection in ANYBODYS


def _holds(record: str, connection: str) -> bool:
    """Whether a record holds something of a connection, without reading it; a text may say so by mistake."""
    return f'"connection":"{connection}"' in record


def seen(etag: str, hidden: Iterable[str]) -> str:
    """The ETag of a record of which some connections are hidden."""
    return f"{etag}{SEEN}{digest(' '.join(sorted(hidden)))[:12]}"


def facets(record: str) -> frozenset[tuple[str, str]]:
    """By what a request is found, as it is shown."""
    return facets_of(LifecycleRecord.model_validate_json(record))


async def view_of(request: Request) -> View:
    """What whoever asks may read."""
    hub = await serving(request)
    caller = await caller_of(request)
    reads: Reads = request.app.state.reads
    told = reads.by(caller, request.client.host if request.client else None)
    return View(caller, {} if caller.reads_all else await hub.audiences.current(), told)


Seen = Annotated[View, Depends(view_of)]


async def brought(connection: AsyncConnection, view: View, names: Iterable[str]) -> Mapping[str, str]:
    """Connections of the artifacts among these, in one statement; none where nothing is kept from who looks."""
    if not view.outside:
        return _UNKNOWN
    sql = "SELECT id, connection FROM artifacts WHERE id IN {keys}"
    return {row[0]: row[1] for row in await Bulk(connection).by_keys(sql, names)}


def named_in(decisions: Iterable[Mapping[str, Any]]) -> set[str]:
    """Artifacts and identities that decisions name, as they are told."""
    return {name for one in decisions for name in (*one["left"], *one["right"])}


def masked(decision: dict[str, Any], view: View, brought: Mapping[str, str] = _UNKNOWN) -> dict[str, Any]:
    """A decision, without what names things that its reader may not read."""
    if view.reads(named_in([decision]), brought):
        return decision
    told = {**decision, "reason": "", "said": f"{decision['by']} decided something about what you may not read"}
    if decision["kind"] not in (DecisionKind.SAME_PERSON, DecisionKind.OTHER_PERSON, DecisionKind.UNDO):
        return told
    # The id of somebody's identity may be an address; that of a thing is a number.
    return told | {side: [one for one in decision[side] if view.reads([one], brought)] for side in ("left", "right")}
