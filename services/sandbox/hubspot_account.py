"""The state of a made-up HubSpot account, and the hands that change it at given times. No server here.

Search shows each change late and not in order (`lag`), as the real one does; everything else shows at once.
"""

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from services.sandbox.hubspot_vocabulary import (
    ASSOCIATION_TYPES,
    DEFAULT_PIPELINES,
    HISTORY_KEPT,
    PROPERTIES,
    STAGES,
    TYPE_IDS,
)


def stamp(at: datetime) -> str:
    """A time as HubSpot writes it: UTC with milliseconds."""
    return at.strftime("%Y-%m-%dT%H:%M:%S.") + f"{at.microsecond // 1000:03d}Z"


@dataclass(slots=True)
class Record:
    """One record, with the past of each property and the versions that search knows."""

    kind: str
    id: str
    created: datetime
    modified: datetime
    properties: dict[str, str | None] = field(default_factory=dict)
    history: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    archived_at: datetime | None = None
    merged_into: str | None = None
    index: list[tuple[datetime, dict[str, str | None]]] = field(default_factory=list)
    """(visible from, properties): what search shows once that time has come."""

    def value(self, name: str) -> str | None:
        """A property's present value."""
        computed = {"hs_object_id": self.id, "hs_lastmodifieddate": stamp(self.modified)}
        computed |= {"hs_createdate": stamp(self.created), "lastmodifieddate": stamp(self.modified)}
        if name in computed:
            return computed[name]
        return self.properties.get(name, stamp(self.created) if name == "createdate" else None)


@dataclass(frozen=True, slots=True)
class Happening:
    """Something that an app's webhooks would tell."""

    at: datetime
    kind: str
    id: str
    what: str
    """propertyChange, creation, deletion, merge, associationChange"""
    detail: dict[str, Any] = field(default_factory=dict)


class Account:
    """One HubSpot account. Times default to its clock's; each method answers with the id of what it made."""

    def __init__(
        self,
        clock: Callable[[], datetime],
        *,
        portal: int = 4711,
        lag: timedelta = timedelta(seconds=60),
        app: str = "https://app.hubspot.com",
    ) -> None:
        self.clock, self.portal, self.lag, self.app = clock, portal, lag, app
        self.records: dict[tuple[str, str], Record] = {}
        self.associations: dict[tuple[str, str], dict[tuple[str, str], list[dict[str, Any]]]] = {}
        self.owners: list[dict[str, Any]] = []
        self.pipelines: dict[str, list[dict[str, Any]]] = {kind: [DEFAULT_PIPELINES[kind]()] for kind in STAGES}
        self.custom: dict[str, dict[str, dict[str, Any]]] = {kind: {} for kind in PROPERTIES}
        """Properties that the account made, by kind and name."""
        self.archived: dict[str, dict[str, dict[str, Any]]] = {kind: {} for kind in PROPERTIES}
        """Those of them that it archived."""
        self.happenings: list[Happening] = []
        self.association_page = 500
        """Associations of one record in one answer."""
        self._next_id = 10_000_000_001

    def _id(self) -> str:
        self._next_id += 1
        return str(self._next_id)

    def create_owner(self, first: str, last: str, email: str, at: datetime | None = None) -> str:
        """Somebody who may own records: the owner id. Their user id is `user_of(owner)`."""
        number = 700 + len(self.owners)
        made = stamp(at or self.clock())
        person = {"firstName": first, "lastName": last, "email": email, "type": "PERSON", "archived": False}
        users = {"userId": number + 9000, "userIdIncludingInactive": number + 9000}
        self.owners.append({"id": str(number), **person, **users, "createdAt": made, "updatedAt": made, "teams": []})
        return str(number)

    def user_of(self, owner: str) -> int:
        """The user id behind an owner id, which is what histories name."""
        return next(int(each["userId"]) for each in self.owners if each["id"] == owner)

    def add_pipeline(self, kind: str, pipeline_id: str, label: str, stages: list[tuple[str, str, str]]) -> None:
        """A pipeline of one's own; stages as (id, label, probability) or, for tickets, (id, label, OPEN|CLOSED)."""
        self.pipelines[kind].append(DEFAULT_PIPELINES[kind](pipeline_id, label, stages))

    def add_property(self, kind: str, name: str, label: str, type_: str = "string", **choices: str) -> None:
        """A custom property; choices as value and label make it an enumeration."""
        options = [
            {"value": value, "label": shown, "displayOrder": -1, "hidden": False} for value, shown in choices.items()
        ]
        field = {"name": name, "label": label, "type": "enumeration" if choices else type_, "options": options}
        self.custom[kind][name] = field

    def archive_property(self, kind: str, name: str) -> None:
        """A custom property that is not there any more; records keep its values out of sight."""
        told = {"archived": True, "archivedAt": stamp(self.clock())}
        self.archived[kind][name] = self.custom[kind].pop(name) | told

    def known(self, kind: str) -> set[str]:
        """Names of all properties of a kind."""
        return PROPERTIES[kind] | self.custom[kind].keys()

    def create(self, kind: str, at: datetime | None = None, by: str | None = None, **properties: str | None) -> str:
        """A record of any kind; `by` is an owner id (None: an integration did it)."""
        at = at or self.clock()
        record = Record(kind, self._id(), at, at)
        if by:
            record.properties["hs_created_by_user_id"] = str(self.user_of(by))
        self.records[kind, record.id] = record
        self._write(record, at, by, properties)
        self._happened(at, record, "creation")
        return record.id

    def create_deal(self, name: str, at: datetime | None = None, by: str | None = None, **properties: str) -> str:
        """A deal in the default pipeline's first stage, unless properties say otherwise."""
        defaults = {"dealname": name, "pipeline": "default", "dealstage": "appointmentscheduled"}
        return self.create("deal", at, by, **(defaults | properties))

    def create_ticket(self, subject: str, at: datetime | None = None, by: str | None = None, **properties: str) -> str:
        """A ticket in the default pipeline's first stage, unless properties say otherwise."""
        defaults = {"subject": subject, "hs_pipeline": "0", "hs_pipeline_stage": "1"}
        return self.create("ticket", at, by, **(defaults | properties))

    def create_contact(self, first: str, last: str, email: str, at: datetime | None = None) -> str:
        """A contact."""
        return self.create("contact", at, None, firstname=first, lastname=last, email=email)

    def create_company(self, name: str, domain: str, at: datetime | None = None) -> str:
        """A company."""
        return self.create("company", at, None, name=name, domain=domain)

    def create_note(self, body: str, on: tuple[str, str], at: datetime | None = None, by: str | None = None) -> str:
        """A note on one record, given as (kind, id)."""
        at = at or self.clock()
        note = self.create("note", at, by, hs_note_body=body, hs_timestamp=stamp(at))
        self.associate(("note", note), on, at)
        return note

    def create_email(
        self, subject: str, text: str, on: tuple[str, str], at: datetime | None = None, **properties: str
    ) -> str:
        """A logged e-mail on one record; further properties such as hs_email_headers, hs_email_message_id."""
        at = at or self.clock()
        told = {"hs_email_subject": subject, "hs_email_text": text, "hs_timestamp": stamp(at)}
        email = self.create("email", at, None, **({"hs_email_direction": "EMAIL"} | told | properties))
        self.associate(("email", email), on, at)
        return email

    def set(
        self, kind: str, record_id: str, at: datetime | None = None, by: str | None = None, **properties: str
    ) -> None:
        """Change properties; "" clears one."""
        self._write(self.records[kind, record_id], at or self.clock(), by, dict(properties))

    def set_stage(
        self, kind: str, record_id: str, stage: str, at: datetime | None = None, by: str | None = None
    ) -> None:
        """Move a deal or ticket to a stage."""
        self.set(kind, record_id, at, by, **{STAGES[kind]: stage})

    def _write(self, record: Record, at: datetime, by: str | None, properties: dict[str, str | None]) -> None:
        unknown = set(properties) - self.known(record.kind)
        if unknown:
            raise ValueError(f"HubSpot's {record.kind} has no property {sorted(unknown)}")
        record.modified = max(at, record.modified)
        for name, value in properties.items():
            record.properties[name] = value or None
            entry: dict[str, Any] = {"value": value or "", "timestamp": stamp(at)}
            entry |= self._source(by)
            record.history.setdefault(name, []).insert(0, entry)
            del record.history[name][HISTORY_KEPT.get(record.kind, 20) :]
            self._happened(at, record, "propertyChange", propertyName=name, propertyValue=value or "")
        self._to_index(record)

    def _source(self, by: str | None) -> dict[str, Any]:
        if by is None:
            return {"sourceType": "INTEGRATION", "sourceId": "25200"}
        user = self.user_of(by)
        return {"sourceType": "CRM_UI", "sourceId": f"userId:{user}", "updatedByUserId": user}

    def _to_index(self, record: Record) -> None:
        """Each version becomes visible after 2 s up to `lag`, so that a later one may be seen earlier."""
        seed = hashlib.sha256(f"{record.kind}{record.id}{stamp(record.modified)}".encode()).digest()[0] / 255
        visible = record.modified + timedelta(seconds=2) + seed * max(timedelta(), self.lag - timedelta(seconds=2))
        shown = {name: record.value(name) for name in self.known(record.kind)}
        record.index.append((max(visible, self.clock()) if self.lag else record.modified, shown))

    def associate(
        self, one: tuple[str, str], other: tuple[str, str], at: datetime | None = None, *, label: str | None = None
    ) -> None:
        """Associate two records, both ways. It moves no modified date. label "Primary" marks the primary company."""
        at = at or self.clock()
        for origin, target in ((one, other), (other, one)):
            number = ASSOCIATION_TYPES.get((origin[0], target[0]), 900)
            types: list[dict[str, Any]] = [{"category": "HUBSPOT_DEFINED", "typeId": number}]
            if label:
                types.append({"category": "HUBSPOT_DEFINED", "typeId": 5, "label": label})
            self.associations.setdefault(origin, {})[target] = types
        self._happened(at, self.records[one], "associationChange", **_association(one, other, removed=False))

    def dissociate(self, one: tuple[str, str], other: tuple[str, str], at: datetime | None = None) -> None:
        """Take an association back, both ways."""
        for origin, target in ((one, other), (other, one)):
            self.associations.get(origin, {}).pop(target, None)
        at = at or self.clock()
        self._happened(at, self.records[one], "associationChange", **_association(one, other, removed=True))

    def archive(self, kind: str, record_id: str, at: datetime | None = None) -> None:
        """Delete a record: it goes to the recycle bin."""
        record = self.records[kind, record_id]
        record.archived_at = at or self.clock()
        self._happened(record.archived_at, record, "deletion")

    def restore(self, kind: str, record_id: str, at: datetime | None = None) -> None:
        """Take a record out of the recycle bin; that counts as a change."""
        record = self.records[kind, record_id]
        record.archived_at = None
        record.modified = at or self.clock()
        self._to_index(record)

    def merge(self, kind: str, primary: str, other: str, at: datetime | None = None, *, new_id: bool = True) -> str:
        """Merge two records: into a third with a new id (today's way), or into the primary (the old one)."""
        at = at or self.clock()
        gone = [primary, other] if new_id else [other]
        properties = {name: value for name, value in self.records[kind, primary].properties.items() if value}
        if new_id:
            survivor = Record(kind, self._id(), at, at)
            survivor.history = {name: list(past) for name, past in self.records[kind, primary].history.items()}
            survivor.properties = dict(properties)
            self.records[kind, survivor.id] = survivor
        else:
            survivor = self.records[kind, primary]
        before = (survivor.properties.get("hs_merged_object_ids") or "").split(";")
        listed = ";".join(each for each in (*before, *gone) if each)
        self._write(survivor, at, None, {"hs_merged_object_ids": listed})
        for each in gone:
            self._swallow(survivor, each)
        self._happened(at, survivor, "merge", primaryObjectId=int(primary), newObjectId=int(survivor.id))
        return survivor.id

    def _swallow(self, survivor: Record, gone: str) -> None:
        self.records[survivor.kind, gone].merged_into = survivor.id
        for target, types in self.associations.pop((survivor.kind, gone), {}).items():
            back = self.associations.get(target, {}).pop((survivor.kind, gone), types)
            self.associations.setdefault(target, {})[survivor.kind, survivor.id] = back
            self.associations.setdefault((survivor.kind, survivor.id), {})[target] = types

    def _happened(self, at: datetime, record: Record, what: str, **detail: Any) -> None:
        self.happenings.append(Happening(at, record.kind, record.id, what, detail))

    def found(self, kind: str, record_id: str) -> Record | None:
        """A record by id, by way of merges; None if there is none."""
        record = self.records.get((kind, record_id))
        while record is not None and record.merged_into:
            record = self.records.get((kind, record.merged_into))
        return record

    def there(self, key: tuple[str, str]) -> bool:
        """Whether a record, as (kind, id), is neither in the recycle bin nor merged away."""
        record = self.records.get(key)
        return record is not None and record.archived_at is None and record.merged_into is None

    def living(self, kind: str, *, archived: bool = False) -> Iterator[Record]:
        """Records of a kind in order of their ids, without merged ones: those there, or those in the recycle bin."""
        for (of, _), record in sorted(self.records.items(), key=lambda each: int(each[0][1])):
            if of == kind and not record.merged_into and (record.archived_at is not None) == archived:
                yield record

    def indexed(self, kind: str) -> Iterator[tuple[Record, dict[str, str | None]]]:
        """What search sees now: each record in the newest version that is visible."""
        now = self.clock()
        for record in self.living(kind):
            shown = [properties for visible, properties in record.index if visible <= now]
            if shown:
                yield record, max(shown, key=lambda each: each["hs_lastmodifieddate"] or "")

    def url(self, record: Record) -> str:
        """Where a person opens a record."""
        return f"{self.app}/contacts/{self.portal}/record/{TYPE_IDS[record.kind]}/{record.id}"


def _association(one: tuple[str, str], other: tuple[str, str], *, removed: bool) -> dict[str, Any]:
    return {
        "associationType": f"{one[0]}_TO_{other[0]}".upper(),
        "fromObjectId": int(one[1]),
        "toObjectId": int(other[1]),
        "associationRemoved": removed,
    }
