"""A HubSpot account in memory, answering as its API does: deals, tickets, notes, e-mails, people, associations."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from connectors.hubspot.client import HubSpot

PORTAL = "4711"
APP = "https://app.hubspot.com"
TYPES = {"deal": "0-3", "ticket": "0-5", "note": "0-46", "email": "0-49", "contact": "0-1", "company": "0-2"}
"""developers.hubspot.com, "Object type IDs"."""
_CREATED = "2024-01-01T00:00:00.000Z"
_STAGES = {
    "deal": ("default", ("appointmentscheduled", "contractsent", "closedwon")),
    "ticket": ("0", ("1", "2", "4")),
}


def instant(at: datetime) -> str:
    """An instant as HubSpot writes it."""
    return at.strftime("%Y-%m-%dT%H:%M:%S.000Z")


@dataclass(slots=True)
class Entry:
    """A record as it is now."""

    kind: str
    id: str
    thing: int
    created: datetime
    properties: dict[str, str | None]
    history: dict[str, list[tuple[datetime, str]]] = field(default_factory=dict)
    around: set[tuple[str, str]] = field(default_factory=set)
    merged_into: "Entry | None" = None

    @property
    def url(self) -> str:
        """Where people read it."""
        return f"{APP}/contacts/{PORTAL}/record/{TYPES[self.kind]}/{self.id}"

    @property
    def older_url(self) -> str:
        """The address that links from before object type ids have."""
        return f"{APP}/contacts/{PORTAL}/{self.kind}/{self.id}"

    def change(self, at: datetime, **properties: str | None) -> None:
        """Change properties; the record's time moves."""
        self.properties |= properties | {"hs_lastmodifieddate": instant(at)}


class Account(HubSpot):
    """HubSpot's client with the account behind it in memory: the same answers, no wire."""

    def __init__(self) -> None:
        self._entries: dict[tuple[str, str], Entry] = {}
        self._number = 20_000_000_000

    def add(self, kind: str, thing: int, at: datetime, **properties: str | None) -> Entry:
        """A new record."""
        self._number += 7
        stamp = {"hs_object_id": str(self._number), "hs_lastmodifieddate": instant(at)}
        entry = Entry(kind, str(self._number), thing, at, {**properties, **stamp})
        if kind in _STAGES:
            pipeline, stages = _STAGES[kind]
            name = "dealstage" if kind == "deal" else "hs_pipeline_stage"
            place = "pipeline" if kind == "deal" else "hs_pipeline"
            entry.properties |= {name: stages[0], place: pipeline, "createdate": instant(at)}
            entry.history[name] = [(at, stages[0])]
        self._entries[kind, entry.id] = entry
        return entry

    def associate(self, one: Entry, other: Entry) -> None:
        """Each shows the other from now on."""
        one.around.add((other.kind, other.id))
        other.around.add((one.kind, one.id))

    def merge(self, survivor: Entry, gone: Entry, at: datetime) -> None:
        """The second lives on in the first, under the first's id; its associations move."""
        known = survivor.properties.get("hs_merged_object_ids")
        survivor.change(at, hs_merged_object_ids=f"{known};{gone.id}" if known else gone.id)
        gone.merged_into = survivor
        for kind, number in sorted(gone.around):
            other = self._entries[kind, number]
            other.around.discard((gone.kind, gone.id))
            self.associate(survivor, other)
        gone.around.clear()

    def entries(self, kind: str) -> list[Entry]:
        """All records of a kind that live, oldest first."""
        return [entry for (of, _), entry in self._entries.items() if of == kind and entry.merged_into is None]

    def merged(self) -> list[Entry]:
        """Records that live on in others."""
        return [entry for entry in self._entries.values() if entry.merged_into is not None]

    async def read(
        self, kind: str, ids: Sequence[str], properties: Sequence[str], history: Sequence[str] = (), *,
        archived: bool = False,
    ) -> list[dict[str, Any]]:  # fmt: skip
        """As `batch/read` answers; nothing here is archived."""
        found = [self._entries[kind, each] for each in ids if (kind, each) in self._entries and not archived]
        return [_as_json(entry, properties, history) for entry in found if entry.merged_into is None]

    async def associations(self, kind: str, ids: Iterable[str], to: str) -> dict[str, list[dict[str, Any]]]:
        """As the associations API answers."""
        told = [{"category": "HUBSPOT_DEFINED", "typeId": 1, "label": None}]
        return {
            each: [
                {"toObjectId": int(number), "associationTypes": told}
                for of, number in sorted(self._entries[kind, each].around)
                if of == to
            ]
            for each in ids
        }

    async def owners(self) -> list[dict[str, Any]]:
        """Nobody owns anything here."""
        return []

    async def pipelines(self, kind: str) -> list[dict[str, Any]]:
        """One pipeline."""
        pipeline, stages = _STAGES[kind]
        told = [
            {"id": stage, "label": stage.title(), "displayOrder": place, "archived": False, "createdAt": _CREATED,
             "updatedAt": _CREATED, "metadata": {"isClosed": "true" if stage == stages[-1] else "false"}}
            for place, stage in enumerate(stages)
        ]  # fmt: skip
        return [
            {"id": pipeline, "label": "Pipeline", "displayOrder": 0, "archived": False, "createdAt": _CREATED,
             "updatedAt": _CREATED, "stages": told}
        ]  # fmt: skip


def _as_json(entry: Entry, properties: Sequence[str], history: Sequence[str]) -> dict[str, Any]:
    told: dict[str, Any] = {
        "id": entry.id,
        "properties": {name: entry.properties.get(name) for name in properties},
        "createdAt": instant(entry.created),
        "updatedAt": entry.properties["hs_lastmodifieddate"],
        "archived": False,
        "url": entry.url,
    }
    if history:
        told["propertiesWithHistory"] = {
            name: [
                {"value": value, "timestamp": instant(at), "sourceType": "CRM_UI", "sourceId": "userId:1"}
                for at, value in reversed(entry.history.get(name, []))
            ]
            for name in history
        }
    return told


KINDS = ("deal", "ticket", "note", "email")
"""What is read of the account."""
