"""Secrets that a tool gives while a stored connection is tried, in place of the stored ones: they are kept at once."""

from dataclasses import dataclass, field

from pydantic import BaseModel, SecretStr

from pipelines.store.engine import writing
from services.admin.equipment import Equipment
from services.feed import connections
from services.feed.connections import StoredConnection, holds, split_secrets


@dataclass(slots=True)
class Renewing:
    """Keeps what the tool gives in place of a stored connection's secrets, whatever comes of the trial: the old ones
    may be void from then on. A secret that is tried and is not the stored one is nobody's until it is saved."""

    parts: Equipment
    name: str
    _last: dict[str, SecretStr] = field(default_factory=dict)
    """The stored secrets that are tried, as the tool last gave them; by dotted name."""

    @classmethod
    def of(cls, parts: Equipment, stored: StoredConnection | None, options: BaseModel) -> "Renewing":
        """For a trial of these options. stored: the connection as it is; None: there is none yet."""
        if stored is None:
            return cls(parts, "")
        tried = split_secrets(options)[1]
        own = {name: one for name, one in tried.items() if name in stored.secrets
               and holds(parts.keys, stored.id, name, stored.secrets[name], one)}  # fmt: skip
        return cls(parts, stored.id, own)

    async def keep(self, option: str, secret: SecretStr) -> bool:
        """Seal and store it, unless somebody else was given another meanwhile; whoever reads begins again with it.
        False: it does not stand in place of a stored one."""
        before = self._last.get(option)
        if before is None:
            return False
        keys = self.parts.keys
        async with writing(self.parts.engine) as connection:
            sealed = (await connections.sealed_secrets(connection, self.name)).get(option)
            if sealed is not None and holds(keys, self.name, option, sealed, before):
                await connections.keep_secret(connection, self.name, option, keys.seal(self.name, option, secret))
        self._last[option] = secret
        return True
