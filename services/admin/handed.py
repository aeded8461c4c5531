"""Secrets that a tool gave in place of typed ones while these were tried: who saves what they tried saves what holds.

A refresh token that is good once is spent by the trial, and nobody could type its successor. They are kept in this
process only, for half an hour, and are found by the secret they stand for and by where it is sent: who does not have
the one does not get the other, and none goes elsewhere than the typed one would have gone.
"""

from collections import OrderedDict
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any

from pydantic import BaseModel, SecretStr

from schemas.canonical import canonical_json, digest
from services.admin.given import KIND, SENT, at
from services.feed.connections import split_secrets, with_others

_LASTS = timedelta(minutes=30)
_MOST = 200


class Handed:
    """What tools gave, by what it stands for. The oldest are forgotten where there are too many."""

    def __init__(self, now: Callable[[], datetime]) -> None:
        self._now = now
        self._kept: OrderedDict[str, tuple[SecretStr, datetime]] = OrderedDict()

    def keep(self, connector: str, options: BaseModel, name: str, before: SecretStr, given: SecretStr) -> None:
        """Instead of `before`, which stands in the option of this dotted name, `given` holds from now on."""
        self._forget()
        self._kept[_key(connector, split_secrets(options)[0], name, before)] = given, self._now() + _LASTS

    def held(self, connector: str, options: BaseModel) -> BaseModel:
        """These options with the secrets that hold."""
        self._forget()
        plain, secrets = split_secrets(options)
        newest = {name: self._newest(connector, plain, name, secret) for name, secret in secrets.items()}
        changed = {name: one for name, one in newest.items() if one is not secrets[name]}
        return with_others(options, changed) if changed else options

    def _newest(self, connector: str, plain: Mapping[str, Any], name: str, secret: SecretStr) -> SecretStr:
        passed = set()
        while (key := _key(connector, plain, name, secret)) in self._kept and key not in passed:
            passed.add(key)
            secret, _ = self._kept[key]
        return secret

    def _forget(self) -> None:
        while self._kept:
            key, (_, until) = next(iter(self._kept.items()))
            if until > self._now() and len(self._kept) < _MOST:
                return
            del self._kept[key]


def _key(connector: str, plain: Mapping[str, Any], name: str, secret: SecretStr) -> str:
    where = canonical_json({one: at(plain, one) for one in (*SENT, KIND)})
    return digest(connector, name, where, secret.get_secret_value())
