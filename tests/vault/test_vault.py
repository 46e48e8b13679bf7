"""The vault: the key file's life, and ciphertexts that open for their own storage only."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from services.vault.errors import Undecryptable, VaultError
from services.vault.key_file import default_key_file
from services.vault.vault import LateVault, Vault, key_id, key_id_of

SECRET = b"sentinel-5d0e"


def test_a_key_is_made_once_for_its_owner_alone(tmp_path: Path) -> None:
    path = tmp_path / "config" / "delphis" / "key"
    vault = Vault.open(path, key_ids=())
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700
    assert [file.name for file in path.parent.iterdir()] == ["key"]
    sealed = vault.encrypt(b"a" * 16, SECRET)
    assert SECRET not in sealed
    assert Vault.open(path, key_ids={vault.key_id}).decrypt(b"a" * 16, sealed) == SECRET
    assert key_id_of(sealed) == vault.key_id


def test_two_processes_that_start_at_once_have_the_same_key(tmp_path: Path) -> None:
    path = tmp_path / "key"
    vaults: list[Vault] = []
    threads = [threading.Thread(target=lambda: vaults.append(Vault.open(path, key_ids=()))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(vaults) == 8
    assert len({vault.key_id for vault in vaults}) == 1
    assert [file.name for file in tmp_path.iterdir()] == ["key"]


_SERVICE = """
import sys
from pathlib import Path
from services.vault.vault import Vault
print("up", flush=True)
sys.stdin.readline()
vault = Vault.open(Path(sys.argv[1]), key_ids=(), purpose=sys.argv[2])
print(vault.key_id.hex(), vault.encrypt(b"a", b"plain").hex())
"""


def test_two_services_that_start_at_once_make_one_key(tmp_path: Path) -> None:
    path = tmp_path / "key"
    running = {
        purpose: subprocess.Popen(
            [sys.executable, "-c", _SERVICE, str(path), purpose],
            cwd=Path(__file__).parents[2],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for purpose in ("access info of storage", "SNMP secrets of storage")
    }
    for process in running.values():
        assert process.stdout is not None
        assert process.stdout.readline() == "up\n"
    said = {}
    for process in running.values():
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    for purpose, process in running.items():
        said[purpose] = process.communicate(timeout=60)[0].split()
        assert process.returncode == 0
    assert len({key for key, _ in said.values()}) == 1
    for purpose, (key, sealed) in said.items():
        opened = Vault.open(path, key_ids={bytes.fromhex(key)}, purpose=purpose)
        assert opened.decrypt(b"a", bytes.fromhex(sealed)) == b"plain"
    assert [file.name for file in tmp_path.iterdir()] == ["key"]


def test_a_service_without_secrets_makes_no_key(tmp_path: Path) -> None:
    path = tmp_path / "key"
    late = LateVault(path, key_ids=(), purpose="SNMP secrets of storage")
    assert not path.exists()
    vault = asyncio.run(late.get())
    assert path.exists()
    path.unlink()
    with pytest.raises(VaultError, match="absent"):
        LateVault(path, key_ids={vault.key_id}, purpose="SNMP secrets of storage")
    assert not path.exists()


def test_a_ciphertext_opens_for_its_own_purpose() -> None:
    vault = Vault(b"k" * 32)
    other = vault.meant_for("SNMP secrets of storage")
    sealed = other.encrypt(b"a", SECRET)
    assert other.key_id == vault.key_id
    assert other.meant_for("SNMP secrets of storage").decrypt(b"a", sealed) == SECRET
    with pytest.raises(Undecryptable):
        vault.decrypt(b"a", sealed)


def test_what_older_versions_encrypted_opens() -> None:
    key, nonce = b"k" * 32, b"n" * 12
    sealed = AESGCM(key).encrypt(nonce, SECRET, b"delphis access info of storage " + b"a" * 16)
    assert Vault(key).decrypt(b"a" * 16, b"\x01" + key_id(key) + nonce + sealed) == SECRET


def test_an_absent_key_is_not_made_anew_where_something_is_encrypted(tmp_path: Path) -> None:
    path = tmp_path / "key"
    vault = Vault.open(path, key_ids=())
    path.unlink()
    with pytest.raises(VaultError, match=f"(?s){path}.*absent.*{vault.key_id.hex()}.*--key-file"):
        Vault.open(path, key_ids={vault.key_id})
    assert not path.exists()


def test_another_key_is_refused_and_stays_as_it_is(tmp_path: Path) -> None:
    ours, other = Vault.open(tmp_path / "ours", key_ids=()), tmp_path / "other"
    Vault.open(other, key_ids=())
    kept = other.read_bytes()
    with pytest.raises(VaultError, match=f"(?s){other}.*{ours.key_id.hex()}"):
        Vault.open(other, key_ids={ours.key_id})
    assert other.read_bytes() == kept


@pytest.mark.parametrize("content", [b"", b"delphis-key-1", b"delphis-key-1 AAAA\n", b"\xff\x00" * 40])
def test_a_file_that_holds_no_key_is_refused_and_stays(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "key"
    path.write_bytes(content)
    with pytest.raises(VaultError, match=str(path)):
        Vault.open(path, key_ids=())
    assert path.read_bytes() == content


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for path in (tmp_path / "file" / "key", Path("/proc/nowhere/key")):
        with pytest.raises(VaultError, match=str(path)):
            Vault.open(path, key_ids=())


def test_a_ciphertext_opens_for_its_own_storage_with_its_own_key_unaltered(tmp_path: Path) -> None:
    vault, other = Vault(os.urandom(32)), Vault(os.urandom(32))
    sealed = vault.encrypt(b"a" * 16, SECRET)
    assert vault.encrypt(b"a" * 16, SECRET) != sealed
    for opener, storage, text in (
        (vault, b"b" * 16, sealed),
        (other, b"a" * 16, sealed),
        (vault, b"a" * 16, sealed[:-1] + bytes([sealed[-1] ^ 1])),
        (vault, b"a" * 16, b"nonsense"),
    ):
        with pytest.raises(Undecryptable):
            opener.decrypt(storage, text)


def test_fingerprints_need_the_key_and_keep_parts_apart() -> None:
    vault = Vault(b"k" * 32)
    assert vault.fingerprint(b"a", b"bc") == Vault(b"k" * 32).fingerprint(b"a", b"bc")
    assert vault.fingerprint(b"a", b"bc") != vault.fingerprint(b"ab", b"c")
    assert vault.fingerprint(b"a") != Vault(b"l" * 32).fingerprint(b"a")


def test_where_the_key_is_by_default(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    assert default_key_file() == tmp_path / "delphis" / "key"
    monkeypatch.delenv("XDG_CONFIG_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert default_key_file() == tmp_path / ".config" / "delphis" / "key"
    monkeypatch.setenv("DELPHIS_KEY_FILE", "/elsewhere")
    assert default_key_file() == Path("/elsewhere")
