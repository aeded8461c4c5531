"""People in HubSpot: owners, users, contacts and mail addresses as identities. Never nodes of the graph."""

from typing import Any

from connectors.hubspot.reading import dicts_at, id_at, text_at
from schemas.artifacts import Identity


def full_name(record: Any, first: str, last: str) -> str | None:
    """First and last name with one space, as far as they are there."""
    names = [name for name in (text_at(record, first), text_at(record, last)) if name]
    return " ".join(names) or None


def mail_address(text: str | None) -> str | None:
    """An e-mail address in lower case; None for what is none."""
    if text is None or "@" not in text or any(space in text for space in " \t\r\n"):
        return None
    return text.lower()


class People:
    """The identities one telling speaks of; each is kept once."""

    def __init__(self, connection: str, around: dict[str, Any]) -> None:
        self._connection = connection
        self._owners = dicts_at(around, "owners")
        self._known: dict[str, Identity] = {}

    @property
    def all(self) -> tuple[Identity, ...]:
        """Every identity named so far, in the order of their ids."""
        return tuple(self._known[name] for name in sorted(self._known))

    def owner(self, owner_id: str | None) -> str | None:
        """The identity of an owner (whom a record is assigned to), by owner id."""
        record = next((each for each in self._owners if owner_id and id_at(each, "id") == owner_id), None)
        return self._member("owner", owner_id, record)

    def user(self, user_id: str | None) -> str | None:
        """The identity of a user (who did a thing), by user id; its owner record gives the name."""
        record = next((each for each in self._owners if user_id and user_id in _user_ids(each)), None)
        return self._member("user", user_id, record)

    def _member(self, kind: str, native_id: str | None, record: dict[str, Any] | None) -> str | None:
        if native_id is None:
            return None
        name = full_name(record, "firstName", "lastName")
        return self._keep(f"{self._connection}/{kind}/{native_id}", name, text_at(record, "email"))

    def contact(self, record: dict[str, Any]) -> str | None:
        """The identity of a contact, by its record; None if the record has no id."""
        native_id = id_at(record, "id")
        if native_id is None:
            return None
        properties = record.get("properties")
        name = full_name(properties, "firstname", "lastname")
        return self._keep(f"{self._connection}/contact/{native_id}", name, text_at(properties, "email"))

    def address(self, text: str | None, name: str | None = None) -> str | None:
        """The identity of a mail address: the same one that a mailbox gives it."""
        address = mail_address(text)
        return self._keep(f"mail/address/{address}", name, address) if address else None

    def _keep(self, identity: str, name: str | None, address: str | None) -> str:
        self._known[identity] = Identity(identity, name, mail_address(address))
        return identity


def _user_ids(owner: dict[str, Any]) -> set[str | None]:
    return {id_at(owner, "userId"), id_at(owner, "userIdIncludingInactive")}
