"""Hosts that somebody else runs: at a unix socket, or over TCP with mutual TLS."""

from __future__ import annotations

import asyncio
import datetime
import ipaddress
import os
import socket
import sys
from asyncio.subprocess import Process
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from services.registry.manifest import Pair
from tests.registry.support import PAIR, TINY_HOST, failure, house, until

REPO = Path(__file__).parents[2]
SAMPLE = Pair("sample_vendor", "sample_model")


def manifest(folder: Path, host: str, *, name: str = "dev.acme.box", pair: Pair = PAIR, family: str = "box") -> None:
    path = folder / family / "driver.toml"
    path.parent.mkdir(parents=True, exist_ok=True)
    serves = f'[[serves]]\nvendor = "{pair.vendor}"\nmodel = "{pair.model}"\n'
    path.write_text(f'name = "{name}"\nversion = "1"\n{serves}[host]\n{host}\n', encoding="utf-8")


@asynccontextmanager
async def running(*command: str, **environment: str) -> AsyncGenerator[Process]:
    """A host of somebody else's, serving; killed at the end."""
    read, write = os.pipe()
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *command,
        cwd=REPO,
        pass_fds=(write,),
        env={
            "PATH": os.environ["PATH"],
            "DELPHIS_DRIVER_NAME": "dev.acme.box",
            "DELPHIS_DRIVER_VERSION": "1",
            "DELPHIS_DRIVER_READY_FD": str(write),
            **environment,
        },
    )
    os.close(write)
    try:
        assert await asyncio.to_thread(os.read, read, 10) == b"ready\n"
        yield process
    finally:
        os.close(read)
        if process.returncode is None:
            process.kill()
        await process.wait()


def tiny(path: Path) -> tuple[tuple[str, ...], dict[str, str]]:
    return (str(TINY_HOST),), {"DELPHIS_DRIVER_ENDPOINT": f"unix:{path}"}


async def test_a_host_at_a_unix_socket_comes_and_goes(tmp_path: Path) -> None:
    path = tmp_path / "host.sock"
    manifest(tmp_path / "drivers", f'endpoint = "unix://{path}"')
    async with house(tmp_path, connect_timeout=0.5) as home:
        array = home.arrays.add("a1")
        error = await failure(home.pid(array))
        assert error.reason == "DRIVER_HOST_UNAVAILABLE"
        assert str(path) in error.message
        command, environment = tiny(path)
        async with running(*command, **environment) as first:
            assert await home.pid(array) == first.pid
            writing = asyncio.create_task(
                failure(home.router.unary("AddTrapConfig", home.arrays.add("slow", "sleep=60")))
            )
            (hosts,) = home.registry.supervisor.known()
            await until(lambda: hosts.main.current is not None and hosts.main.current.calls)
            first.kill()
            assert (await writing).reason == "DRIVER_HOST_UNAVAILABLE"
            assert home.registry.distrusted() == []  # its deaths are not ours to judge
        async with running(*command, **environment) as second:
            assert await home.pid(array) == second.pid
            # One that is replaced behind our back is found by the repeated read.
            second.kill()
            await second.wait()
            async with running(*command, **environment) as third:
                assert await home.pid(array) == third.pid
                # An error of the array's is not taken for one of the host.
                error = await failure(home.pid(home.arrays.add("down", "abort=UNAVAILABLE,array is down")))
                assert error.reason == "ARRAY_UNREACHABLE"
                assert hosts.main.current is not None
        error = await failure(home.registry.restart("dev.acme.box"))
        assert error.reason == "INVALID_INPUT"


async def test_replicas_share_the_arrays_and_stand_in_for_each_other(tmp_path: Path) -> None:
    paths = [tmp_path / "one.sock", tmp_path / "two.sock"]
    for path in paths:
        manifest(tmp_path / "drivers", f'endpoint = "unix://{path}"', family=path.stem)
    async with house(tmp_path, connect_timeout=0.5) as home:
        arrays = [home.arrays.add(f"array-{n}") for n in range(20)]
        (one, at_one), (two, at_two) = (tiny(path) for path in paths)
        async with running(*one, **at_one) as first:
            async with running(*two, **at_two) as second:
                owners = {array: await home.pid(array) for array in arrays}
                assert set(owners.values()) == {first.pid, second.pid}
                assert {array: await home.pid(array) for array in arrays} == owners
            assert {await home.pid(array) for array in arrays} == {first.pid}


async def test_a_call_goes_to_the_host_that_took_the_place_of_the_one_it_waits_for(tmp_path: Path) -> None:
    """As where a host that is dialled in vain announces itself anew, from somewhere else."""
    path = tmp_path / "host.sock"
    with socket.socket(socket.AF_UNIX) as mute:
        mute.bind(str(tmp_path / "mute.sock"))
        mute.listen()  # and never answers
        manifest(tmp_path / "drivers", f'endpoint = "unix://{tmp_path}/mute.sock"')
        command, environment = tiny(path)
        async with house(tmp_path, connect_timeout=20.0) as home, running(*command, **environment) as host:
            waiting = asyncio.create_task(home.pid(home.arrays.add("a1")))
            asked = asyncio.create_task(home.registry.info(PAIR))
            (hosts,) = await until(home.registry.supervisor.known)
            await until(lambda: hosts.main.starting)
            manifest(tmp_path / "drivers", f'endpoint = "unix://{path}"')
            home.registry.rescan()
            assert await asyncio.wait_for(waiting, 60) == host.pid
            assert (await asyncio.wait_for(asked, 60)).name == "dev.acme.box"


# ---- TCP, mutual TLS, the SDK's host ----


class Authority:
    """A certificate authority with two certificates."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        self._folder = folder
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"CA of {folder.name}")])
        self.ca = folder / "ca.pem"
        self._write(self.ca, self._certificate(self._name, self._key.public_key(), ca=True))

    def issue(self, name: str) -> tuple[Path, Path]:
        """Files of a certificate for 127.0.0.1, and of its key."""
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        cert_path, key_path = self._folder / f"{name}.pem", self._folder / f"{name}.key"
        self._write(cert_path, self._certificate(subject, key.public_key(), ca=False))
        key_path.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
        )
        return cert_path, key_path

    def _certificate(self, subject: x509.Name, key: ec.EllipticCurvePublicKey, *, ca: bool) -> x509.Certificate:
        now = datetime.datetime.now(datetime.UTC)
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._name)
            .public_key(key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(days=1))
            .not_valid_after(now + datetime.timedelta(days=1))
            .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
            .add_extension(
                x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False
            )
            .sign(self._key, hashes.SHA256())
        )

    def _write(self, path: Path, certificate: x509.Certificate) -> None:
        path.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@pytest.mark.parametrize("trusted", [True, False])
async def test_tcp_needs_certificates_of_the_same_authority(tmp_path: Path, *, trusted: bool) -> None:
    ours, theirs = Authority(tmp_path / "ours"), Authority(tmp_path / "theirs")
    server_cert, server_key = ours.issue("host")
    cert, key = (ours if trusted else theirs).issue("core")
    port = free_port()
    tls = f'[host.tls]\nca = "{ours.ca}"\ncert = "{cert}"\nkey = "{key}"\n'
    endpoint = f"tcp://127.0.0.1:{port}"
    manifest(tmp_path / "drivers", f'endpoint = "{endpoint}"\n{tls}', name="dev.delphis.sample-vendor", pair=SAMPLE)
    command = ("-m", "delphis.sdk.host", "--driver", "dev.delphis.sample-vendor")
    async with (
        house(tmp_path, connect_timeout=2.0) as home,
        running(
            *command,
            "--class",
            "drivers.sample_vendor.driver:SampleDriver",
            DELPHIS_DRIVER_ENDPOINT=endpoint,
            DELPHIS_DRIVER_TLS_CA=str(ours.ca),
            DELPHIS_DRIVER_TLS_CERT=str(server_cert),
            DELPHIS_DRIVER_TLS_KEY=str(server_key),
        ),
    ):
        if trusted:
            assert "GetStorage" in (await home.router.driver_info(SAMPLE)).rpcs
        else:
            assert (await failure(home.router.driver_info(SAMPLE))).reason == "DRIVER_HOST_UNAVAILABLE"


async def test_a_tls_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    tls = '[host.tls]\nca = "no-ca.pem"\ncert = "c"\nkey = "k"\n'
    manifest(tmp_path / "drivers", f'endpoint = "tcp://127.0.0.1:1"\n{tls}')
    async with house(tmp_path) as home:
        error = await failure(home.router.driver_info(PAIR))
        assert error.reason == "DRIVER_HOST_UNAVAILABLE"
        assert "no-ca.pem" in error.message
