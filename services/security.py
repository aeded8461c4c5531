"""Secrets at rest.

A sealed secret is `v1.<key id>.<base64url(nonce ‖ ciphertext)>`, AES-256-GCM. What it belongs to (connection and field)
is authenticated with it, so a sealed secret copied to another connection does not open there.

The ring's first key seals, all of them open. The key file lies beside the data; back the two up separately: without the
key nothing can be recovered, and connections ask for their secrets again. A key file that changes is read again by the
processes that run, so that a new key needs no new start.
"""

import base64
import binascii
import hashlib
import os
import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from pydantic import SecretStr

from schemas.errors import Misconfigured

_KEY_BYTES = 32
_NONCE_BYTES = 12
_CHECK = ("key-check", "value")
_CHECK_TEXT = "throughline"


class LostKey(Misconfigured):
    """A secret was sealed with a key that the ring does not hold."""

    def __init__(self, needed: str, present: Sequence[str], where: str) -> None:
        super().__init__(
            f"Key {needed} is needed to open stored secrets; {where} holds {', '.join(present)}",
            "Bring that key back from its backup, or enter each secret anew: "
            "`throughline connections change NAME --secret OPTION`",
            "secret_key",
        )
        self.needed = needed


class BadSeal(Misconfigured):
    """A stored secret is damaged, or was moved here from another connection or field."""

    def __init__(self, field_name: str) -> None:
        super().__init__("A stored secret is damaged or belongs to another connection", "Enter it again", field_name)


@dataclass(frozen=True, slots=True)
class _Key:
    id: str
    cipher: AESGCM = field(repr=False)

    @classmethod
    def of(cls, raw: bytes) -> Self:
        # A key of its own for this purpose: the one that the admin keeps is never used for two.
        derived = HKDF(algorithm=SHA256(), length=_KEY_BYTES, salt=None, info=b"connections").derive(raw)
        return cls(hashlib.sha256(raw).hexdigest()[:8], AESGCM(derived))


class KeyRing:
    """Seals and opens the secrets of connections."""

    def __init__(
        self,
        keys: Sequence[SecretStr],
        where: str = "THROUGHLINE_SECRET_KEY",
        changed: Callable[[], Sequence[SecretStr]] = tuple,
    ) -> None:
        """Keys are 32 bytes in base64, the one that seals first; where: they lie; changed: the keys that lie there now,
        where they are others than before. Raises Misconfigured for else."""
        self._where, self._changed = where, changed
        self._hold(keys)

    def _hold(self, keys: Sequence[SecretStr]) -> None:
        ring = [_Key.of(_decoded(key)) for key in keys]
        if not ring:
            raise Misconfigured("There is no key to seal secrets with", "Set THROUGHLINE_SECRET_KEY", "secret_key")
        self._first, self._keys = ring[0], {key.id: key for key in ring}

    def _look_again(self) -> None:
        """Keys that somebody damages while the hub runs are told at its next start; it goes on with those it has."""
        try:
            if keys := self._changed():
                self._hold(keys)
        except Misconfigured:
            return

    @property
    def key_ids(self) -> tuple[str, ...]:
        """The ids of its keys, the sealing one first."""
        return tuple(self._keys)

    def seal(self, connection_id: str, field_name: str, secret: SecretStr) -> str:
        """The secret, encrypted for this field (dotted name) of this connection."""
        self._look_again()
        nonce = os.urandom(_NONCE_BYTES)
        bound = _bound(self._first.id, connection_id, field_name)
        sealed = self._first.cipher.encrypt(nonce, secret.get_secret_value().encode(), bound)
        return f"v1.{self._first.id}.{base64.urlsafe_b64encode(nonce + sealed).decode().rstrip('=')}"

    def open(self, connection_id: str, field_name: str, sealed: str) -> SecretStr:
        """The secret again. Raises LostKey, BadSeal."""
        key_id = key_id_of(sealed, field_name)
        if key_id not in self._keys:
            self._look_again()
        key = self._keys.get(key_id)
        if key is None:
            raise LostKey(key_id, self.key_ids, self._where)
        text = sealed.rpartition(".")[2]
        try:
            raw = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
            plain = key.cipher.decrypt(
                raw[:_NONCE_BYTES], raw[_NONCE_BYTES:], _bound(key_id, connection_id, field_name)
            )
        except (InvalidTag, ValueError):
            raise BadSeal(field_name) from None
        return SecretStr(plain.decode())

    def rotate(self, connection_id: str, field_name: str, sealed: str) -> str:
        """The same secret under the first key; unchanged if it already is. Raises LostKey, BadSeal."""
        if key_id_of(sealed, field_name) == self._first.id:
            return sealed
        return self.seal(connection_id, field_name, self.open(connection_id, field_name, sealed))

    def check_value(self) -> str:
        """A known text under the first key, to be stored and given to `verify` at every start."""
        return self.seal(*_CHECK, SecretStr(_CHECK_TEXT))

    def verify(self, check_value: str) -> None:
        """Raises LostKey or BadSeal if the ring cannot open what was stored with `check_value`."""
        if self.open(*_CHECK, check_value).get_secret_value() != _CHECK_TEXT:
            raise BadSeal("secret_key")


def key_id_of(sealed: str, field_name: str = "") -> str:
    """Which key a sealed secret needs. Raises BadSeal if it is none."""
    parts = sealed.split(".")
    if len(parts) != 3 or parts[0] != "v1" or len(parts[1]) != 8:
        raise BadSeal(field_name)
    return parts[1]


def new_key() -> SecretStr:
    """A random key in the form THROUGHLINE_SECRET_KEY takes."""
    return SecretStr(base64.b64encode(os.urandom(_KEY_BYTES)).decode())


def key_ring(configured: Sequence[SecretStr], key_file: Path) -> KeyRing:
    """The configured keys; without any, those in the file (one a line, the sealing one first), which is made with a new
    key if it does not exist. Raises Misconfigured."""
    if configured:
        return KeyRing(configured)
    file = _KeyFile(key_file)
    keys = _lines(_file_or_new(key_file, new_key()))
    where = f"The key file {key_file}"
    mend = "Bring it back from its backup; where no secret is stored yet, remove it, and the next start makes a new one"
    if not keys:
        raise Misconfigured(f"{where} is empty", mend, "secret_key_file")
    try:
        return KeyRing(keys, where[0].lower() + where[1:], file.changed)
    except Misconfigured:
        raise Misconfigured(f"{where} holds a line that is not 32 bytes in base64", mend, "secret_key_file") from None


class _KeyFile:
    """A file of keys that may change while it is used."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._seen = self._stamp()

    def changed(self) -> list[SecretStr]:
        """Its keys where it was written since the last look, else none."""
        stamp = self._stamp()
        if stamp == self._seen:
            return []
        try:
            keys = _lines(self._path.read_text(encoding="ascii"))
        except (OSError, UnicodeError):
            return []
        self._seen = stamp
        return keys

    def _stamp(self) -> tuple[int, int, int] | None:
        try:
            found = self._path.stat()
        except OSError:
            return None
        return found.st_ino, found.st_size, found.st_mtime_ns


def _lines(text: str) -> list[SecretStr]:
    return [SecretStr(line) for line in text.split()]


def _bound(key_id: str, connection_id: str, field_name: str) -> bytes:
    return f"throughline|v1|{key_id}|connection|{connection_id}|{field_name}".encode()


def _decoded(key: SecretStr) -> bytes:
    text = key.get_secret_value().strip()
    try:
        raw = base64.b64decode(text.translate(str.maketrans("-_", "+/")) + "=" * (-len(text) % 4), validate=True)
    except (binascii.Error, ValueError):
        raw = b""
    if len(raw) != _KEY_BYTES:
        raise Misconfigured(
            "A secret key is not 32 bytes in base64 (a password is not a key)",
            "Make one with: openssl rand -base64 32",
            "secret_key",
        )
    return raw


def _file_or_new(path: Path, new: SecretStr) -> str:
    """The text of a private file; a new one is put in place whole, so that two processes starting at once agree."""
    try:
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            _place(path, new)
        return path.read_text(encoding="ascii")
    except (OSError, UnicodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is not plain text"
        raise Misconfigured(f"{path} cannot be read or made ({why})", "Look at its owner, rights and content") from None


def _place(path: Path, new: SecretStr) -> None:
    draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            file.write(new.get_secret_value() + "\n")
            file.flush()
            os.fsync(file.fileno())
        try:
            os.link(draft, path)  # fails, unlike a rename, if another process was first
        except FileExistsError:
            pass
    finally:
        draft.unlink()
