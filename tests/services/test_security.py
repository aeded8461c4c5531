"""Secrets open where they were sealed and nowhere else."""

import base64
import stat
import threading
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import SecretStr

from connectors.contract import Misconfigured
from services.security import BadSeal, KeyRing, LostKey, key_id_of, key_ring, new_key

KEY, OTHER = SecretStr(base64.b64encode(bytes(range(32))).decode()), new_key()
SECRET = SecretStr("canary-91c2")


@settings(deadline=None)  # a shared machine may pause anywhere
@given(
    st.text(min_size=0, max_size=200).filter(lambda text: text.isprintable()),
    st.text(max_size=20),
    st.text(max_size=20),
)
def test_what_is_sealed_opens_again(secret: str, connection: str, field: str) -> None:
    ring = KeyRing([KEY])
    sealed = ring.seal(connection, field, SecretStr(secret))
    assert ring.open(connection, field, sealed).get_secret_value() == secret


def test_the_stored_form() -> None:
    ring = KeyRing([KEY])
    first, second = (ring.seal("c1", "auth.token", SECRET) for _ in range(2))
    version, key_id, text = first.split(".")
    assert (version, key_id) == ("v1", ring.key_ids[0])
    assert key_id == "630dcd29"  # the start of SHA-256 of the key's bytes, as sha256sum says
    assert len(base64.urlsafe_b64decode(text + "==")) == 12 + len("canary-91c2") + 16
    assert first != second
    assert "canary" not in first + repr(ring) + str(ring)


def test_a_seal_moved_elsewhere_does_not_open() -> None:
    ring = KeyRing([KEY])
    sealed = ring.seal("c1", "auth.token", SECRET)
    for connection, field in (("c2", "auth.token"), ("c1", "auth.password"), ("c1|auth", "token"), ("", "")):
        with pytest.raises(BadSeal) as raised:
            ring.open(connection, field, sealed)
        assert raised.value.field == field


@pytest.mark.parametrize("damage", [lambda s: s[:-4] + "AAAA", lambda s: s[:30], lambda s: s + "!", lambda s: s[:12]])
def test_a_damaged_seal_does_not_open(damage: object) -> None:
    ring = KeyRing([KEY])
    assert callable(damage)
    with pytest.raises(BadSeal):
        ring.open("c", "f", damage(ring.seal("c", "f", SECRET)))


@pytest.mark.parametrize("text", ["", "plain", "v2.12345678.AAAA", "v1.1234.AAAA", "v1.a.b.c"])
def test_what_was_never_sealed(text: str) -> None:
    with pytest.raises(BadSeal):
        key_id_of(text)


def test_rotation() -> None:
    old = KeyRing([KEY]).seal("c", "f", SECRET)
    both = KeyRing([OTHER, KEY])
    assert both.open("c", "f", old) == SECRET
    new = both.rotate("c", "f", old)
    assert both.rotate("c", "f", new) == new
    assert (key_id_of(old), key_id_of(new)) == (KeyRing([KEY]).key_ids[0], both.key_ids[0])
    assert KeyRing([OTHER]).open("c", "f", new) == SECRET


def test_a_lost_key_is_told_by_its_id() -> None:
    ring, after = KeyRing([KEY]), KeyRing([OTHER])
    with pytest.raises(LostKey) as raised:
        after.open("c", "f", ring.seal("c", "f", SECRET))
    assert raised.value.needed == ring.key_ids[0]
    assert f"Key {ring.key_ids[0]} is needed" in str(raised.value)
    assert f"THROUGHLINE_SECRET_KEY holds {after.key_ids[0]}" in str(raised.value)


def test_the_key_check_at_start() -> None:
    stored = KeyRing([KEY]).check_value()
    KeyRing([KEY]).verify(stored)
    KeyRing([OTHER, KEY]).verify(stored)
    with pytest.raises(LostKey):
        KeyRing([OTHER]).verify(stored)


@pytest.mark.parametrize("text", ["letmein", "", base64.b64encode(bytes(31)).decode(), "ä" * 44, "A" * 43 + "!"])
def test_a_password_is_not_a_key(text: str) -> None:
    with pytest.raises(Misconfigured, match="32 bytes") as raised:
        KeyRing([SecretStr(text)])
    assert not text or text not in str(raised.value)


def test_an_empty_ring_is_none() -> None:
    with pytest.raises(Misconfigured, match="no key"):
        KeyRing([])


def test_both_alphabets_of_base64_are_keys() -> None:
    raw = bytes([0xFB, 0xFF]) * 16
    plain, for_urls = base64.b64encode(raw).decode(), base64.urlsafe_b64encode(raw).decode().rstrip("=")
    assert KeyRing([SecretStr(plain)]).key_ids == KeyRing([SecretStr(for_urls)]).key_ids


def test_the_key_file_is_made_once_and_private(tmp_path: Path) -> None:
    path = tmp_path / "data" / "secret.key"
    ring = key_ring((), path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert key_ring((), path).key_ids == ring.key_ids
    assert [each.name for each in path.parent.iterdir()] == ["secret.key"]


def test_two_starts_at_once_agree_on_the_key(tmp_path: Path) -> None:
    found: list[tuple[str, ...]] = []
    gate = threading.Barrier(8)

    def start() -> None:
        gate.wait()
        found.append(key_ring((), tmp_path / "secret.key").key_ids)

    threads = [threading.Thread(target=start) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 8
    assert len(set(found)) == 1


def test_a_configured_key_makes_no_file(tmp_path: Path) -> None:
    assert key_ring((KEY,), tmp_path / "secret.key").key_ids == KeyRing([KEY]).key_ids
    assert list(tmp_path.iterdir()) == []


def test_a_key_file_of_several_keys(tmp_path: Path) -> None:
    path = tmp_path / "keys"
    path.write_text(f"{OTHER.get_secret_value()}\n{KEY.get_secret_value()}\n")
    assert key_ring((), path).key_ids == KeyRing([OTHER, KEY]).key_ids


@pytest.mark.parametrize(
    ("held", "problem"), [("", "is empty"), ("no key\n", "holds a line that is not 32 bytes in base64")]
)
def test_a_key_file_that_holds_no_key_is_named_with_the_mend(tmp_path: Path, held: str, problem: str) -> None:
    path = tmp_path / "secret.key"
    path.write_text(held)
    with pytest.raises(Misconfigured) as raised:
        key_ring([], path)
    assert raised.value.problem == f"The key file {path} {problem}"
    assert raised.value.mend.startswith("Bring it back from its backup; where no secret is stored yet, remove it")
    assert path.read_text() == held


def test_another_key_in_the_file_is_told_with_the_file(tmp_path: Path) -> None:
    sealed = KeyRing([KEY]).seal("c", "f", SECRET)
    path = tmp_path / "secret.key"
    path.write_text(OTHER.get_secret_value())
    with pytest.raises(LostKey) as raised:
        key_ring([], path).open("c", "f", sealed)
    assert f"the key file {path} holds " in raised.value.problem
    assert "connections change NAME --secret" in raised.value.mend


def test_a_key_file_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(Misconfigured, match="cannot be read or made"):
        key_ring((), tmp_path / "file" / "secret.key")


def test_a_running_hub_takes_the_key_file_as_it_is_now(tmp_path: Path) -> None:
    path = tmp_path / "secret.key"
    path.write_text(KEY.get_secret_value())
    running = key_ring([], path)
    assert running.key_ids == KeyRing([KEY]).key_ids
    path.write_text(f"{OTHER.get_secret_value()}\n{KEY.get_secret_value()}\n")
    beside = key_ring([], path)
    rotated = beside.rotate("c", "f", KeyRing([KEY]).seal("c", "f", SECRET))
    assert running.open("c", "f", rotated) == SECRET

    path.write_text(KEY.get_secret_value() + "\n")
    assert key_id_of(running.seal("c", "f", SECRET)) == KeyRing([KEY]).key_ids[0]


@pytest.mark.parametrize("held", ["", "no key\n", None])
def test_a_key_file_that_is_damaged_while_the_hub_runs_changes_nothing(tmp_path: Path, held: str | None) -> None:
    path = tmp_path / "secret.key"
    path.write_text(KEY.get_secret_value())
    running = key_ring([], path)
    if held is None:
        path.unlink()
    else:
        path.write_text(held)
    assert running.open("c", "f", running.seal("c", "f", SECRET)) == SECRET
    assert running.key_ids == KeyRing([KEY]).key_ids
