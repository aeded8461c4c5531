"""Jira's accounts as identities. Cloud names them by accountId, Data Center by key, older bodies by name only."""

from typing import Any

from connectors.jira.shapes import obj, word
from schemas.artifacts import Identity, artifact_id


class People:
    """The accounts that one source event names, each once."""

    def __init__(self, connection: str) -> None:
        self.connection = connection
        self._seen: dict[str, Identity] = {}

    def account(self, value: object) -> str | None:
        """The identity's id of a user object; None where it names nobody (unassigned, anonymised, an empty accountId).

        One person has one id whatever the body: a Cloud webhook carries key and name beside the accountId.
        """
        user = obj(value)
        native = word(user.get("accountId")) or word(user.get("key")) or word(user.get("name"))
        if native is None:
            return None
        return self._add(native, user)

    def by_id(self, native: object) -> str | None:
        """The identity's id where only the account's id is known."""
        known = word(native)
        return None if known is None else self._add(known, {})

    def all(self) -> tuple[Identity, ...]:
        """Everybody named so far."""
        return tuple(self._seen.values())

    def is_machine(self, identity: str | None) -> bool:
        """Whether the account is an app's or Jira's own."""
        return identity is not None and identity in self._seen and self._seen[identity].machine

    def _add(self, native: str, user: dict[str, Any]) -> str:
        identity = artifact_id(self.connection, "account", native)
        before = self._seen.get(identity)
        if before is None or before.name is None:
            self._seen[identity] = Identity(
                id=identity, name=word(user.get("displayName")), address=_address(user), machine=_machine(user)
            )
        return identity


def _address(user: dict[str, Any]) -> str | None:
    address = word(user.get("emailAddress"))
    return address.strip().lower() if address and "@" in address else None


def _machine(user: dict[str, Any]) -> bool:
    """accountType is `app` for apps and automation (REST v3, User)."""
    return user.get("accountType") == "app"
