"""One telling about one HubSpot record: what every kind of event needs to be mapped."""

from typing import Any

from connectors.contract import BadRecord
from connectors.hubspot.people import People
from connectors.hubspot.reading import TYPE_IDS, mapping_at, moment_at, required_id, text_at
from connectors.keeping import EXCERPT
from schemas.artifacts import Activity, Evidence, Mapped, Part, Reference, artifact_id
from schemas.canonical import instant
from schemas.events import SourceEvent


class Told:
    """A source event's record with its surroundings."""

    def __init__(self, event: SourceEvent, record: dict[str, Any], kind: str = "") -> None:
        self.connection = event.connection
        self.connector = event.connector
        self.kind = kind or event.kind
        self.record = record
        self.id = required_id(record)
        self.artifact = artifact_id(event.connection, self.kind, self.id)
        if self.artifact != event.artifact:
            raise BadRecord("artifact: the event names another record than its payload holds")
        self.properties = mapping_at(record, "properties")
        self.around = mapping_at(event.payload, "around")
        self.people = People(event.connection, self.around)
        self._portal = text_at(self.around, "portal") or ""

    @property
    def scope(self) -> str:
        """Whose record ids these are: ids are unique inside one HubSpot account only."""
        return f"hubspot:{self._portal}" if self._portal else self.connection

    def myself(self) -> Reference:
        """What the record is known as."""
        return self.reference(self.kind, self.id, Evidence.IDENTITY, "is")

    def reference(self, kind: str, value: str, evidence: Evidence, relation: str, field: str = "") -> Reference:
        """A reference to a record of the same account."""
        return Reference(f"hubspot.{kind}", self.scope, value, evidence, relation, field)

    def kept(self, text: str, size: int) -> str | None:
        """As much of a text as the connection keeps and `size` allows; None if it keeps references only."""
        if not text or text_at(self.around, "keep") == "references":
            return None
        return text if len(text) <= size else text[:size].rstrip()

    def said(self, text: str) -> str | None:
        """A text for an activity: whole, its beginning or nothing, as the connection keeps it."""
        return self.kept(text, len(text) if text_at(self.around, "keep") == "full" else EXCERPT)

    def fields(self) -> dict[str, Any]:
        """What is the same for every kind of record: where it is, since when, whether it still is."""
        created = moment_at(self.record, "createdAt") or moment_at(self.properties, "hs_createdate")
        updated = moment_at(self.properties, "hs_lastmodifieddate") or moment_at(self.record, "updatedAt")
        return {
            "natural_key": self.id,
            "url": self._url(),
            "created_at": instant(created) if created else None,
            "updated_at": instant(updated) if updated else None,
            "deleted": self.record.get("archived") is True,
        }

    def _url(self) -> str | None:
        stated = text_at(self.record, "url")
        if stated and stated.startswith("https://"):
            return stated
        app = text_at(self.around, "app")
        if not app or not self._portal:
            return None
        return f"{app.rstrip('/')}/contacts/{self._portal}/record/{TYPE_IDS[self.kind]}/{self.id}"

    def mapped(self, fields: dict[str, Any], parts: dict[str, Part], activities: tuple[Activity, ...]) -> Mapped:
        """The telling in the hub's words."""
        return Mapped(
            self.artifact, self.connection, self.connector, self.kind, fields, parts, activities, self.people.all
        )
