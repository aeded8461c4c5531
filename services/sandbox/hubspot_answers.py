"""What the small HubSpot answers to each of its read calls, in the vendor's shapes."""

from typing import Any

from services.sandbox.hubspot_account import Account, Record, stamp
from services.sandbox.hubspot_search import Invalid, known_properties, search
from services.sandbox.hubspot_vocabulary import (
    ASSOCIATION_LIMIT,
    HISTORY_LIMIT,
    LIST_LIMIT,
    OWNER_LIMIT,
    PROPERTIES,
    READ_LIMIT,
)

_SHOWN_ALWAYS = ("hs_object_id", "hs_lastmodifieddate", "createdate")


class Missing(Exception):
    """HubSpot answers 404."""


class Answers:
    """Answers from one account."""

    def __init__(self, account: Account) -> None:
        self._account = account

    def account_details(self, query: dict[str, str]) -> dict[str, Any]:
        """Account information."""
        _allowed(query)
        return {
            "portalId": self._account.portal,
            "accountType": "STANDARD",
            "timeZone": "Europe/Berlin",
            "companyCurrency": "EUR",
            "additionalCurrencies": [],
            "utcOffset": "+01:00",
            "utcOffsetMilliseconds": 3_600_000,
            "uiDomain": self._account.app.partition("//")[2],
            "dataHostingLocation": "eu1",
        }

    def owners(self, query: dict[str, str]) -> dict[str, Any]:
        """Owners, active or archived."""
        _allowed(query, "limit", "after", "archived", "email")
        wanted = query.get("archived", "false") == "true"
        found = [owner for owner in self._account.owners if owner["archived"] is wanted]
        return _page(found, query, OWNER_LIMIT)

    def pipelines(self, kind: str, query: dict[str, str]) -> dict[str, Any]:
        """Pipelines of deals or tickets."""
        _allowed(query)
        if kind not in self._account.pipelines:
            raise Missing
        return {"results": self._account.pipelines[kind]}

    def properties(self, kind: str, query: dict[str, str]) -> dict[str, Any]:
        """The properties of a kind: HubSpot's own in short, custom ones with their type and choices."""
        _allowed(query, "archived", "dataSensitivity", "locale", "properties")
        own = [{"name": name, "label": name, "type": "string", "hubspotDefined": True} for name in PROPERTIES[kind]]
        made = [{**one, "hubspotDefined": False} for one in self._account.custom[kind].values()]
        if query.get("archived") == "true":
            own, made = [], [*self._account.archived[kind].values()]
        common = {"description": "", "groupName": "information", "fieldType": "text", "options": []}
        return {"results": [common | one for one in (*own, *made)]}

    def listed(self, kind: str, query: dict[str, str], version: str) -> dict[str, Any]:
        """All records of a kind in order of their ids, or the archived ones."""
        _allowed(query, "limit", "after", "archived", "properties")
        names = known_properties(
            self._account.known(kind), [name for name in query.get("properties", "").split(",") if name]
        )
        records = self._account.living(kind, archived=query.get("archived", "false") == "true")
        return _page([self._record(record, names, [], version) for record in records], query, LIST_LIMIT)

    def one(self, kind: str, record_id: str, query: dict[str, str], version: str) -> dict[str, Any]:
        """One record; a merged one's id is answered with the record it lives on in."""
        _allowed(query, "properties", "propertiesWithHistory", "archived")
        known = self._account.known(kind)
        names, past = (known_properties(known, [name for name in query.get(field, "").split(",") if name])
                       for field in ("properties", "propertiesWithHistory"))  # fmt: skip
        record = self._account.found(kind, record_id)
        if record is None or (record.archived_at is not None) != (query.get("archived") == "true"):
            raise Missing
        return self._record(record, names, past, version)

    def searched(self, kind: str, body: dict[str, Any], version: str) -> dict[str, Any]:
        """Search results: what the index shows, which may be old."""
        found, total, following = search(self._account, kind, body)
        names = [*_SHOWN_ALWAYS, *body.get("properties", [])]
        results = []
        for record, shown in found:
            told = self._record(record, names, [], version)
            told["properties"] = {name: shown.get(name) for name in told["properties"]}
            told["updatedAt"] = shown["hs_lastmodifieddate"]
            results.append(told)
        answer = {"total": total, "results": results}
        return answer | ({"paging": {"next": {"after": following}}} if following else {})

    def read(self, kind: str, body: dict[str, Any], query: dict[str, str], version: str) -> tuple[int, dict[str, Any]]:
        """Batch read: 200, or 207 with an error for each record that is not there."""
        _allowed(query, "archived")
        if not {"inputs", "properties", "propertiesWithHistory"} >= set(body) - {"idProperty"}:
            raise Invalid(f"Unknown fields in the batch: {sorted(body)}")
        names = known_properties(self._account.known(kind), body.get("properties", []))
        past = known_properties(self._account.known(kind), body.get("propertiesWithHistory", []))
        ids = _inputs(body, HISTORY_LIMIT if past else READ_LIMIT, {"id"})
        archived = query.get("archived") == "true"
        found: dict[str, Record] = {}
        gone = []
        for each in dict.fromkeys(one["id"] for one in ids):
            record = self._account.found(kind, each)
            if record is None or (record.archived_at is not None) != archived:
                gone.append(each)
            else:
                found[record.id] = record
        results = [self._record(record, names, past, version) for record in found.values()]
        return self._batch(results, _not_found("Could not get some objects, they may be deleted", gone))

    def associations(self, one: str, other: str, body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        """Associations v4 batch read; a record without any is an error entry, as with the real one."""
        found, without = [], []
        for each in _inputs(body, ASSOCIATION_LIMIT, {"id", "after"}):
            targets = self._account.associations.get((one, each["id"]), {})
            listed = [
                {"toObjectId": target[1], "associationTypes": [{"label": None} | kind for kind in types]}
                for target, types in targets.items()
                if target[0] == other and self._account.there(target)
            ]
            if listed and self._account.there((one, each["id"])):
                start = int(each.get("after") or 0)
                end = start + self._account.association_page
                told = {"from": {"id": each["id"]}, "to": [_without_none(target) for target in listed[start:end]]}
                found.append(told | ({"paging": {"next": {"after": str(end)}}} if listed[end:] else {}))
            else:
                without.append(each["id"])
        return self._batch(found, _not_found(f"No {other} is associated with {one}", without))

    def _batch(self, results: list[dict[str, Any]], errors: list[dict[str, Any]]) -> tuple[int, dict[str, Any]]:
        now = stamp(self._account.clock())
        answer: dict[str, Any] = {"status": "COMPLETE", "results": results, "startedAt": now, "completedAt": now}
        return (207, answer | {"numErrors": len(errors), "errors": errors}) if errors else (200, answer)

    def _record(self, record: Record, names: list[str], past: list[str], version: str) -> dict[str, Any]:
        shown = dict.fromkeys([*_SHOWN_ALWAYS, *names, *past])
        told: dict[str, Any] = {
            "id": record.id,
            "properties": {name: record.value(name) for name in shown if name in self._account.known(record.kind)},
            "createdAt": stamp(record.created),
            "updatedAt": stamp(record.modified),
            "archived": record.archived_at is not None,
        }
        if past:
            told["propertiesWithHistory"] = {name: record.history.get(name, []) for name in past}
        if record.archived_at is not None:
            told["archivedAt"] = stamp(record.archived_at)
        if not version.startswith("v"):
            told["url"] = self._account.url(record)
        return told


def _allowed(query: dict[str, str], *names: str) -> None:
    if unknown := set(query) - set(names):
        raise Invalid(f"Unknown query parameters: {sorted(unknown)}")


def _inputs(body: dict[str, Any], most: int, fields: set[str]) -> list[dict[str, str]]:
    inputs = body.get("inputs")
    if not isinstance(inputs, list) or not inputs or len(inputs) > most:
        raise Invalid(f"A batch holds between 1 and {most} inputs")
    for each in inputs:
        if not isinstance(each, dict) or not set(each) <= fields or not isinstance(each.get("id"), str):
            raise Invalid("An input holds an id, as text")
    return inputs


def _not_found(message: str, ids: list[str]) -> list[dict[str, Any]]:
    if not ids:
        return []
    common = {"status": "error", "category": "OBJECT_NOT_FOUND", "errors": [], "links": {}}
    return [common | {"message": message, "context": {"ids": ids}}]


def _page(everything: list[dict[str, Any]], query: dict[str, str], most: int) -> dict[str, Any]:
    """One page; `after` is the id of the record the next one begins with."""
    limit = query.get("limit", "10")
    if not limit.isdecimal() or not 1 <= int(limit) <= most:
        raise Invalid(f"limit must be between 1 and {most}")
    ids = [each["id"] for each in everything]
    after = query.get("after")
    if after is not None and not after.isdecimal():
        raise Invalid("after is a token of an earlier answer")
    start = next((place for place, each in enumerate(ids) if after is None or int(each) >= int(after)), len(ids))
    some, rest = everything[start : start + int(limit)], everything[start + int(limit) :]
    return {"results": some} | ({"paging": {"next": {"after": rest[0]["id"]}}} if rest else {})


def _without_none(target: dict[str, Any]) -> dict[str, Any]:
    kinds = [{name: value for name, value in kind.items() if value is not None} for kind in target["associationTypes"]]
    return target | {"associationTypes": kinds}
