"""Source events from what HubSpot answered: the record as told, with what its ids mean beside it.

Versions. A record's is its time of modification and a hash of all that was told, whatever is kept of it; its order is
that time with the number of history entries in the digits HubSpot leaves free (two changes in one millisecond: the
longer history is the later). Associations move no time stamp: their version is a hash of what they are, with the
record's time of modification where a poll tells them and the time of fetching where a census or a hint does, and they
are ordered by the time of fetching.
"""

from collections.abc import Callable, Container, Iterable, Sequence
from datetime import datetime
from typing import Any

from connectors.contract import SetAside
from connectors.hubspot import custom
from connectors.hubspot.client import HubSpot
from connectors.hubspot.fitting import fitted
from connectors.hubspot.options import Options
from connectors.hubspot.properties import HISTORY, PROPERTIES
from connectors.hubspot.reading import (
    PIPELINE_PROPERTY,
    PLURALS,
    STAGE_PROPERTY,
    dicts_at,
    id_at,
    mapping_at,
    merged_ids,
    milliseconds,
    moment_at,
    text_at,
)
from connectors.hubspot.reducing import reduced
from schemas.artifacts import artifact_id
from schemas.canonical import canonical_json, microseconds
from schemas.events import SourceEvent, content_version

_DELETED = 999
"""Comes after every change of the same millisecond."""


class Teller:
    """Reads records of one account and makes source events of them."""

    def __init__(
        self, connection: str, options: Options, hubspot: HubSpot, account: dict[str, Any], now: Callable[[], datetime]
    ) -> None:
        self._connection, self._options, self._hubspot, self._now = connection, options, hubspot, now
        app = options.app_url or f"https://{text_at(account, 'uiDomain') or 'app.hubspot.com'}"
        self._around = {"portal": text_at(account, "portalId"), "app": app}
        self._owners: list[dict[str, Any]] | None = None
        self._pipelines: dict[str, list[dict[str, Any]]] = {}
        self._custom: dict[str, dict[str, dict[str, Any]]] = {}
        self._set_aside: list[SetAside] = []

    def take_set_aside(self) -> list[SetAside]:
        """Records that cannot become source events, since last asked."""
        taken, self._set_aside = self._set_aside, []
        return taken

    async def tell(self, kind: str, ids: Sequence[str], *, polled: bool) -> list[SourceEvent]:
        """Everything about these records: themselves, what was merged into them, their associations.

        Notes and e-mails that lie on no deal or ticket are passed over. Records that are gone are left out.
        """
        around = await self.associated(kind, ids)
        wanted = [each for each in ids if kind in STAGE_PROPERTY or on_a_record(around[each])]
        found = await self._read(kind, wanted)
        stamps = {str(record["id"]): _modified(record) if polled else None for record in found}
        known = {each: around[each] for each in stamps}
        return await self._events(kind, found) + await self.tell_associations(kind, known, stamps)

    async def tell_records(self, kind: str, ids: Sequence[str]) -> list[SourceEvent]:
        """The records alone, without their associations."""
        return await self._events(kind, await self._read(kind, ids))

    async def tell_buried(self, kind: str, ids: Sequence[str], known: Container[str]) -> list[SourceEvent]:
        """Archived records in which these live on, except known ones: HubSpot answers a merged id with its survivor."""
        found = await self._whole(kind, ids, archived=True)
        artifacts = {artifact_id(self._connection, kind, id_at(each, "id") or ""): each for each in found}
        return await self._gone(kind, [record for artifact, record in artifacts.items() if artifact not in known])

    async def _read(self, kind: str, ids: Sequence[str]) -> list[dict[str, Any]]:
        """These records; the id of a merged one is answered with the record it lives on in, which tells itself."""
        records = await self._whole(kind, ids)
        return [record for record in records if id_at(record, "id") in ids]

    async def _whole(self, kind: str, ids: Sequence[str], *, archived: bool = False) -> list[dict[str, Any]]:
        """Records with all that is read of them."""
        names = (*PROPERTIES[kind], *await self._named_properties(kind))
        return await self._hubspot.read(
            kind, ids, tuple(dict.fromkeys(names)), HISTORY.get(kind, ()), archived=archived
        )

    async def _named_properties(self, kind: str) -> dict[str, dict[str, Any]]:
        """Those of the properties that the options name which this kind of record has, as HubSpot describes them."""
        if kind not in STAGE_PROPERTY or not self._options.named_properties:
            return {}
        if kind not in self._custom:
            self._custom[kind] = custom.among(await self._hubspot.properties(kind), self._options)
        return self._custom[kind]

    async def _events(self, kind: str, records: Iterable[dict[str, Any]]) -> list[SourceEvent]:
        events: list[SourceEvent] = []
        for record in records:
            modified = _modified(record)
            if modified is None:
                reason = "hs_lastmodifieddate: HubSpot gave the record no time of modification"
                raw = canonical_json(record if self._options.keep == "full" else {"id": record.get("id")})
                self._set_aside.append(SetAside(str(record.get("id")), reason, raw))
                continue
            payload = {"object": record, "around": await self._record_around(kind, record)}
            order = milliseconds(modified) * 1000 + _entries(record)
            native_id = str(record["id"])
            events.append(self._event(kind, kind, native_id, native_id, str(milliseconds(modified)), order, payload))
            events += self._merges(kind, record, order)
        return events

    def _event(
        self, kind: str, of: str, native_id: str, record_id: str, version: str, order: int, payload: dict[str, Any]
    ) -> SourceEvent:
        payload = fitted(payload)
        said = content_version(payload)[7:23]
        payload = reduced(kind, payload, self._options.keep)
        return SourceEvent(
            connection=self._connection,
            connector="hubspot",
            kind=kind,
            native_id=native_id,
            artifact=artifact_id(self._connection, of, record_id),
            version=f"{version}-{said}",
            order=order,
            fetched_at=self._now(),
            payload=payload,
        )

    def _merges(self, kind: str, record: dict[str, Any], order: int) -> list[SourceEvent]:
        """One telling for each record that lives on in this one; the old id's own address answers with the new."""
        properties = mapping_at(record, "properties")
        survivor = {
            "id": str(record["id"]),
            "updatedAt": record.get("updatedAt"),
            "properties": {"hs_merged_object_ids": properties.get("hs_merged_object_ids")},
        }
        events = []
        for old in merged_ids(properties):
            if old != survivor["id"]:
                payload = {"merged": old, "type": kind, "survivor": survivor, "around": self._around}
                event = self._event("merge", kind, f"{kind}/{old}", old, "", order, payload)
                events.append(event.model_copy(update={"version": f"into {survivor['id']}"}))
        return events

    async def deleted(self, kind: str, ids: Sequence[str]) -> list[SourceEvent]:
        """Tellings of archived records, each read directly, with HubSpot's time of archiving."""
        records = await self._whole(kind, ids, archived=True)
        return await self._gone(kind, [record for record in records if id_at(record, "id") in ids])

    async def _gone(self, kind: str, records: Iterable[dict[str, Any]]) -> list[SourceEvent]:
        events: list[SourceEvent] = []
        for record in records:
            at = moment_at(record, "archivedAt")
            native_id = id_at(record, "id")
            if at is None or native_id is None or record.get("archived") is not True:
                continue
            payload = {"object": record, "around": await self._record_around(kind, record)}
            order = milliseconds(at) * 1000 + _DELETED
            events.append(self._event(kind, kind, native_id, native_id, f"archived {milliseconds(at)}", order, payload))
            events += self._merges(kind, record, order)
        return events

    async def tell_associations(
        self, kind: str, around: dict[str, dict[str, Any]], stamps: dict[str, datetime | None]
    ) -> list[SourceEvent]:
        """What these records are associated with; `around` as `associated` gives it, a stamp of None: now."""
        fetched = self._now()
        # A property that says the business unit: then the company does not.
        own = {"unit": True} if self._options.unit_property in await self._named_properties(kind) else {}
        events = []
        for native_id, shown in around.items():
            payload = {"of": {"type": kind, "id": native_id}, **shown, "around": self._around | own}
            version = content_version(payload)[7:39]
            stamp = milliseconds(stamps.get(native_id) or fetched)
            event = self._event(
                "associations", kind, f"{kind}/{native_id}", native_id, "", microseconds(fetched), payload
            )
            events.append(event.model_copy(update={"version": f"{version}@{stamp}"}))
        return events

    async def associated(self, kind: str, ids: Sequence[str]) -> dict[str, dict[str, Any]]:
        """Per record: its associations as HubSpot tells them, with the contacts and companies they name."""
        people = ("contact", "company") if kind in STAGE_PROPERTY else ()
        others = [other for other in self._options.objects if other != kind]
        found: dict[str, dict[str, Any]] = {each: {"associations": {}} for each in ids}
        for to in (*people, *others):
            listed = await self._hubspot.associations(kind, ids, to) if ids else {}
            named = await self._named(to, listed) if to in people else {}
            for each, shown in found.items():
                shown["associations"][PLURALS[to]] = listed.get(each, [])
                if to in people:
                    shown[PLURALS[to]] = _those(named, listed.get(each, []))
        return found

    async def _named(self, to: str, listed: dict[str, list[dict[str, Any]]]) -> dict[str, dict[str, Any]]:
        wanted = {other for some in listed.values() for one in some if (other := id_at(one, "toObjectId"))}
        records = await self._hubspot.read(to, sorted(wanted), PROPERTIES[to]) if wanted else []
        return {
            str(record.get("id")): {
                "id": str(record.get("id")),
                "properties": {name: mapping_at(record, "properties").get(name) for name in PROPERTIES[to]},
            }
            for record in records
        }

    async def _record_around(self, kind: str, record: dict[str, Any]) -> dict[str, Any]:
        if self._owners is None:
            self._owners = await self._hubspot.owners()
        around: dict[str, Any] = self._around | {"owners": _owners_of(record, self._owners)}
        if kind not in STAGE_PROPERTY:
            return around
        if kind not in self._pipelines:
            self._pipelines[kind] = await self._hubspot.pipelines(kind)
        pipeline = text_at(mapping_at(record, "properties"), PIPELINE_PROPERTY[kind])
        opening = self._options.opening_pipelines
        named = await self._named_properties(kind)
        around |= custom.around(record, named, self._options) if named else {}
        return around | {
            "opens": not opening or pipeline in opening,
            "pipelines": _pipelines_of(kind, record, self._pipelines[kind]),
        }


def on_a_record(shown: dict[str, Any]) -> bool:
    """Whether what `Teller.associated` shows of a note or e-mail has a deal or ticket in it."""
    return any(shown["associations"].get(PLURALS[kind]) for kind in STAGE_PROPERTY)


def _those(records: dict[str, dict[str, Any]], associated: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    ids = (id_at(one, "toObjectId") or "" for one in associated)
    return [records[each] for each in ids if each in records]


def _modified(record: dict[str, Any]) -> datetime | None:
    properties = mapping_at(record, "properties")
    return moment_at(properties, "hs_lastmodifieddate") or moment_at(record, "updatedAt")


def _entries(record: dict[str, Any]) -> int:
    histories = mapping_at(record, "propertiesWithHistory")
    return min(sum(len(dicts_at(histories, name)) for name in histories), _DELETED - 1)


def _owners_of(record: dict[str, Any], owners: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The owners and users this record and its history speak of."""
    properties, histories = mapping_at(record, "properties"), mapping_at(record, "propertiesWithHistory")
    entries = [each for name in histories for each in dicts_at(histories, name)]
    owner_ids = {id_at(properties, "hubspot_owner_id")}
    owner_ids |= {id_at(each, "value") for each in dicts_at(histories, "hubspot_owner_id")}
    user_ids = {id_at(each, "updatedByUserId") for each in entries}
    user_ids |= {id_at(properties, "hs_created_by_user_id")}
    owner_ids -= {None}
    user_ids -= {None}
    return [
        owner
        for owner in owners
        if id_at(owner, "id") in owner_ids
        or id_at(owner, "userId") in user_ids
        or id_at(owner, "userIdIncludingInactive") in user_ids
    ]


def _pipelines_of(kind: str, record: dict[str, Any], pipelines: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The pipelines that the record is in or was in."""
    properties = mapping_at(record, "properties")
    past = dicts_at(mapping_at(record, "propertiesWithHistory"), STAGE_PROPERTY[kind])
    stages = {text_at(properties, STAGE_PROPERTY[kind]), *(text_at(each, "value") for each in past)} - {None}
    own = text_at(properties, PIPELINE_PROPERTY[kind])
    return [
        pipeline
        for pipeline in pipelines
        if text_at(pipeline, "id") == own or stages & {text_at(stage, "id") for stage in dicts_at(pipeline, "stages")}
    ]
