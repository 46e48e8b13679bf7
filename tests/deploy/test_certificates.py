"""deploy/certificates.py: what it makes holds in a real handshake, and nothing is remade needlessly."""

from __future__ import annotations

import socket
import ssl
import subprocess
import sys
import threading
from pathlib import Path

import pytest

SCRIPT = Path(__file__).resolve().parents[2] / "deploy/certificates.py"


def make(folder: Path, *more: str) -> str:
    done = subprocess.run(
        [
            sys.executable,
            SCRIPT,
            "--core",
            folder / "core",
            "--driver",
            f"fake-storage={folder / 'fake'}",
            "--driver",
            f"ceph={folder / 'ceph'}",
            *more,
        ],
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout


def context(folder: Path, purpose: ssl.Purpose) -> ssl.SSLContext:
    made = ssl.create_default_context(purpose, cafile=str(folder / "ca.pem"))
    made.load_cert_chain(folder / "tls.pem", folder / "tls.key")
    made.verify_mode = ssl.CERT_REQUIRED
    return made


def handshake(server: ssl.SSLContext, client: ssl.SSLContext, name: str) -> str:
    """Name of the client as the server saw it."""
    seen: list[str] = []
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve() -> None:
            connection, _ = listening.accept()
            try:
                with server.wrap_socket(connection, server_side=True) as secured:
                    certificate = secured.getpeercert()
                    assert certificate is not None
                    seen.append(str(certificate["subject"]))
                    secured.sendall(b"ok")
            except (ssl.SSLError, OSError):
                connection.close()

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            with (
                socket.create_connection(listening.getsockname(), timeout=60) as plain,
                client.wrap_socket(plain, server_hostname=name) as secured,
            ):
                assert secured.recv(2) == b"ok"
        finally:
            thread.join(60)
    return seen[0]


def test_core_and_driver_prove_themselves(tmp_path: Path) -> None:
    assert "made for delphis-core, fake-storage, ceph" in make(tmp_path)
    core = context(tmp_path / "core", ssl.Purpose.SERVER_AUTH)
    fake = context(tmp_path / "fake", ssl.Purpose.CLIENT_AUTH)
    assert "delphis-core" in handshake(fake, core, "fake-storage")
    with pytest.raises(ssl.SSLCertVerificationError):
        handshake(fake, core, "another-driver")


def test_driver_can_not_pose_as_the_core(tmp_path: Path) -> None:
    make(tmp_path)
    ceph = context(tmp_path / "ceph", ssl.Purpose.SERVER_AUTH)
    fake = context(tmp_path / "fake", ssl.Purpose.CLIENT_AUTH)
    with pytest.raises((ssl.SSLError, OSError, AssertionError)):
        handshake(fake, ceph, "fake-storage")


def test_keys_are_private_and_the_authority_has_none(tmp_path: Path) -> None:
    make(tmp_path)
    keys = sorted(path.parent.name for path in tmp_path.rglob("*.key"))
    assert keys == ["ceph", "core", "fake"]
    assert {path.stat().st_mode & 0o777 for path in tmp_path.rglob("*.key")} == {0o600}
    files = {path.name for path in tmp_path.rglob("*") if path.is_file()}
    assert files == {"ca.pem", "tls.pem", "tls.key"}


def test_second_run_changes_nothing_until_something_is_missing(tmp_path: Path) -> None:
    make(tmp_path)
    before = {path: path.read_bytes() for path in tmp_path.rglob("*.*")}
    assert "nothing to do" in make(tmp_path)
    assert before == {path: path.read_bytes() for path in tmp_path.rglob("*.*")}
    (tmp_path / "ceph/tls.pem").write_bytes((tmp_path / "fake/tls.pem").read_bytes())
    assert "made for" in make(tmp_path)
    assert "made for" in make(tmp_path, "--renew")


def test_development_keeps_its_authority_and_adds_hosts(tmp_path: Path) -> None:
    def certs(*hosts: str) -> str:
        names = [word for host in hosts for word in ("--host", host)]
        program = str(Path(sys.executable).with_name("delphis-driver"))
        command = [program, "certs", "--dir", str(tmp_path), *names]
        return subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout

    assert "made for delphis-core" in certs("127.0.0.1")
    before = (tmp_path / "127.0.0.1/tls.pem").read_bytes()
    again = certs("127.0.0.1", "box")
    assert again.count("there already") == 2
    assert (tmp_path / "127.0.0.1/tls.pem").read_bytes() == before
    assert (tmp_path / "ca.key").stat().st_mode & 0o777 == 0o600
    core = context(tmp_path / "core", ssl.Purpose.SERVER_AUTH)
    for name in ("127.0.0.1", "box"):
        assert "delphis-core" in handshake(context(tmp_path / name, ssl.Purpose.CLIENT_AUTH), core, name)
    # Hosts reach the core with the same certificate, as a server.
    assert "delphis-core" in handshake(context(tmp_path / "core", ssl.Purpose.CLIENT_AUTH), core, "delphis-core")
