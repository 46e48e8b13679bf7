"""What a core refuses, and how it says so: to the host, and in the list of drivers. Others are not concerned."""

from __future__ import annotations

import datetime
import hashlib
import signal
import sqlite3
import ssl
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization

from delphis.driver.v1 import storage_driver_pb2 as driver_pb
from delphis.driver.v1 import storage_driver_pb2_grpc as driver_grpc
from delphis.registry.v1 import lease_pb2, lease_pb2_grpc
from tests.lease.array import CountingArrays
from tests.lease.support import NAME, PAIR, ContainerHost, Core, certificates
from tests.support.up import wait_for


@dataclass
class Home:
    """A core, its certificates, and a host that serves all the time."""

    core: Core
    certs: Path
    token: Path
    host: ContainerHost

    def unharmed(self) -> None:
        """The host that did nothing wrong serves."""
        assert self.host.process.poll() is None
        states = [(driver["state"], driver["error"]) for driver in self.core.drivers()]
        assert ("serving", None) in states or ("serving", "") in states

    def error(self, name: str) -> str:
        """Why a driver can't be used, as soon as the list says so."""

        def probe() -> str | None:
            for driver in self.core.drivers(name):
                for text in (driver["error"], *(host["error"] for host in driver["hosts"])):
                    if text:
                        return str(text)
            return None

        return wait_for(f"error of {name}", probe, 60)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Home]:
    folder = tmp_path_factory.mktemp("refusals")
    certs = certificates(folder / "certs")
    core = Core(folder, certs)
    try:
        token = core.driver_token("counting")
        host = ContainerHost(core, certs, token)
        try:
            core.serving(1)
            yield Home(core, certs, token, host)
        finally:
            host.end()
    finally:
        core.stop()


def lease_stub(home: Home) -> lease_pb2_grpc.LeaseServiceStub:
    credentials = grpc.ssl_channel_credentials((home.certs / "ca.pem").read_bytes())
    options = (("grpc.ssl_target_name_override", "delphis-core"),)
    return lease_pb2_grpc.LeaseServiceStub(grpc.secure_channel(home.core.leases, credentials, options))


def announcement(
    name: str, *, endpoint: str = "tcp://127.0.0.1:1", model: str = "box"
) -> lease_pb2.AcquireLeaseRequest:
    pair = driver_pb.Pair(vendor="acme", model=model)
    return lease_pb2.AcquireLeaseRequest(
        name=name, version="1", serves=[pair], endpoint=endpoint, certificate_sha256="ab" * 32, server_id="life-1"
    )


def bearer(token: Path | str) -> tuple[tuple[str, str], ...]:
    text = token.read_text(encoding="ascii") if isinstance(token, Path) else token
    return (("authorization", f"Bearer {text}"),)


def test_a_token_is_for_one_driver_and_its_pairs(home: Home) -> None:
    host = ContainerHost(home.core, home.certs, home.token, pair=("acme", "other"), name=NAME)
    try:
        assert "is not for acme other" in host.said("PERMISSION_DENIED")
    finally:
        host.end()
    shown = [driver["error"] for driver in home.core.drivers() if driver["state"] == "invalid"]
    assert len(shown) == 1
    assert "refused: The token counting is not for acme other" in shown[0]
    host = ContainerHost(home.core, home.certs, home.token, name="dev.acme.pirate")
    try:
        host.said("is for hosts of dev.acme.counting, not of dev.acme.pirate")
        assert "not of dev.acme.pirate" in home.error("dev.acme.pirate")
        # The host tells who it is over its own connection only: the token stays out of every text.
        assert home.token.read_text() not in "".join(host.lines) + home.core.up.log()
    finally:
        host.end()


def test_other_tokens_announce_nobody_and_a_drivers_token_may_nothing_else(home: Home) -> None:
    stub = lease_stub(home)
    for token, code in (("delphis_nonsense", grpc.StatusCode.UNAUTHENTICATED), (home.core.admin, None)):
        with pytest.raises(grpc.RpcError) as refused:
            stub.AcquireLease(announcement("dev.acme.x"), timeout=60, metadata=bearer(token))
        assert refused.value.code() is (code or grpc.StatusCode.PERMISSION_DENIED)
    token = home.token.read_text(encoding="ascii")
    for path in ("/v1/drivers", "/v1/storages", "/v1/tokens"):
        assert home.core.up.ask("GET", path, headers={"Authorization": f"Bearer {token}"}).status == 403


def test_bad_announcements_name_the_field(home: Home) -> None:
    token = home.core.driver_token("fields", "dev.acme.fields", ("acme", "box"))
    stub = lease_stub(home)
    good = announcement("dev.acme.fields")
    for field, value in (
        ("name", ""),
        ("endpoint", "unix:///run/x.sock"),
        ("endpoint", "tcp://127.0.0.1:99999"),
        ("certificate_sha256", "ab"),
        ("server_id", "x" * 65),
    ):
        request = lease_pb2.AcquireLeaseRequest()
        request.CopyFrom(good)
        setattr(request, field, value)
        with pytest.raises(grpc.RpcError) as refused:
            stub.AcquireLease(request, timeout=60, metadata=bearer(token))
        assert refused.value.code() is grpc.StatusCode.INVALID_ARGUMENT
        assert field in str(refused.value.details())


def test_a_lease_belongs_to_its_token_and_certificate(home: Home) -> None:
    first = home.core.driver_token("first", "dev.acme.bound", ("acme", "bound"))
    second = home.core.driver_token("second", "dev.acme.bound", ("acme", "bound"))
    stub = lease_stub(home)
    request = announcement("dev.acme.bound", model="bound")
    lease = stub.AcquireLease(request, timeout=60, metadata=bearer(first))
    assert stub.AcquireLease(request, timeout=60, metadata=bearer(first)).lease_id == lease.lease_id
    for changed, token in (
        (request, second),
        (lease_pb2.AcquireLeaseRequest(certificate_sha256="cd" * 32), first),
    ):
        other = announcement("dev.acme.bound", model="bound")
        other.certificate_sha256 = changed.certificate_sha256
        with pytest.raises(grpc.RpcError) as refused:
            stub.AcquireLease(other, timeout=60, metadata=bearer(token))
        assert refused.value.code() is grpc.StatusCode.PERMISSION_DENIED
    with pytest.raises(grpc.RpcError):
        stub.ReleaseLease(lease_pb2.ReleaseLeaseRequest(lease_id=lease.lease_id), timeout=60, metadata=bearer(second))
    # Nobody listens at its address: it is shown as such, since only the core's own dial counts.
    assert "no connection" in home.error("dev.acme.bound")
    stub.ReleaseLease(lease_pb2.ReleaseLeaseRequest(lease_id=lease.lease_id), timeout=60, metadata=bearer(first))
    assert "ended at" in wait_for(
        "end of the lease",
        lambda: next((h["error"] for h in home.core.hosts("dev.acme.bound") if h["state"] == "dead"), ""),
    )
    # What was given back or ran out may be had with a new token, as where tokens are replaced.
    stub.AcquireLease(request, timeout=60, metadata=bearer(second))
    with pytest.raises(grpc.RpcError):
        stub.AcquireLease(request, timeout=60, metadata=bearer(first))
    home.unharmed()


def test_a_token_is_replaced_while_the_host_runs(home: Home) -> None:
    rotated = ("dev.acme.rotated", ("acme", "rotated"))
    token = home.core.driver_token("rotated-1", *rotated)
    host = ContainerHost(home.core, home.certs, token, name=rotated[0], pair=rotated[1])
    try:
        host.said("knows this host as")
        new = home.core.driver_token("rotated-2", *rotated)
        new.replace(token)
        host.said("there is a new token")
        [old] = (known for known in home.core.ask("GET", "/v1/tokens")["tokens"] if known["name"] == "rotated-1")
        home.core.ask("DELETE", f"/v1/tokens/{old['token_id']}")
        # For longer than the lease of the old one would have lasted.
        lease = wait_for("a lease of the new token", lambda: next(iter(home.core.hosts(rotated[0])), None))
        wait_for("a renewal", lambda: home.core.hosts(rotated[0])[0]["lease_expires_at"] > lease["lease_expires_at"])
        home.core.serving(1, rotated[0])
        assert host.end(signal.SIGTERM) == 0
    finally:
        if host.process.poll() is None:
            host.end()
    home.unharmed()


def expired(folder: Path) -> None:
    """Makes the host's certificate one that ended yesterday, of the same authority."""
    ca = x509.load_pem_x509_certificate((folder / "ca.pem").read_bytes())
    ca_key = serialization.load_pem_private_key((folder / "ca.key").read_bytes(), None)
    own = folder / "127.0.0.1"
    old = x509.load_pem_x509_certificate((own / "tls.pem").read_bytes())
    now = datetime.datetime.now(datetime.UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(old.subject)
        .issuer_name(ca.subject)
        .public_key(old.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=3))
        .not_valid_after(now - datetime.timedelta(days=1))
    )
    for extension in old.extensions:
        builder = builder.add_extension(extension.value, critical=extension.critical)
    made = builder.sign(ca_key, hashes.SHA256())  # type: ignore[arg-type]
    (own / "tls.pem").write_bytes(made.public_bytes(serialization.Encoding.PEM))


@pytest.mark.parametrize("fault", ["expired", "foreign"])
def test_bad_certificates(home: Home, tmp_path: Path, fault: str) -> None:
    if fault == "expired":
        theirs = tmp_path / "certs"
        theirs.mkdir()
        for name in ("ca.pem", "ca.key"):
            (theirs / name).write_bytes((home.certs / name).read_bytes())
        certificates(theirs)
        expired(theirs)
    else:
        theirs = certificates(tmp_path / "theirs")
    name = f"dev.acme.{fault}"
    token = home.core.driver_token(fault, name, ("acme", fault))
    host = ContainerHost(
        home.core, theirs, token, name=name, pair=("acme", fault), DELPHIS_CORE_CA=str(home.certs / "ca.pem")
    )
    try:
        error = home.error(name)
        assert "its certificate is refused" in error
        assert ("expired" if fault == "expired" else "issuer") in error
        host.said("the core can't use this host: its certificate is refused")
    finally:
        host.end()
    home.unharmed()


def test_a_host_that_shows_another_certificate_than_its_lease(home: Home) -> None:
    token = home.core.driver_token("liar", "dev.acme.liar", ("acme", "box"))
    (port,) = {host["endpoint"] for host in home.core.hosts()}
    lease_stub(home).AcquireLease(announcement("dev.acme.liar", endpoint=port), timeout=60, metadata=bearer(token))
    assert f"its lease is for {'ab' * 32}" in home.error("dev.acme.liar")
    home.unharmed()


def test_what_a_host_says_must_be_what_its_lease_says(home: Home) -> None:
    token = home.core.driver_token("posing", "dev.acme.posing", ("acme", "posing"))
    request = announcement("dev.acme.posing", model="posing", endpoint=home.core.hosts()[0]["endpoint"])
    pem = (home.certs / "127.0.0.1" / "tls.pem").read_text(encoding="ascii")
    request.certificate_sha256 = hashlib.sha256(ssl.PEM_cert_to_DER_cert(pem)).hexdigest()
    lease_stub(home).AcquireLease(request, timeout=60, metadata=bearer(token))
    assert "it says that it is the driver 'dev.acme.counting'" in home.error("dev.acme.posing")
    home.unharmed()


def usable(home: Home) -> list[dict[str, Any]]:
    """The driver, without what was refused under its name."""
    return [driver for driver in home.core.drivers() if driver["state"] != "invalid"]


def test_a_host_of_an_unknown_major(home: Home) -> None:
    own = home.certs / "127.0.0.1"
    key, cert = (own / "tls.key").read_bytes(), (own / "tls.pem").read_bytes()
    server = grpc.server(ThreadPoolExecutor(1))
    port = server.add_secure_port(
        "127.0.0.1:0",
        grpc.ssl_server_credentials([(key, cert)], (home.certs / "ca.pem").read_bytes(), require_client_auth=True),
    )
    server.start()
    try:
        token = home.core.driver_token("future", "dev.acme.future", ("acme", "future"))
        request = announcement("dev.acme.future", model="future", endpoint=f"tcp://127.0.0.1:{port}")
        request.certificate_sha256 = hashlib.sha256(ssl.PEM_cert_to_DER_cert(cert.decode())).hexdigest()
        lease_stub(home).AcquireLease(request, timeout=60, metadata=bearer(token))
        assert "it doesn't serve delphis.driver.v1.StorageDriver" in home.error("dev.acme.future")
    finally:
        server.stop(None).wait(60)
    home.unharmed()


def test_a_call_with_an_old_epoch_is_refused_and_asked_again_with_the_new_one(home: Home) -> None:
    with CountingArrays() as arrays:
        storage = home.core.register(arrays.port, "fenced")
        assert home.core.owner(storage) == home.host.pid
        # As if another core had given the array away and back: the store and the host know it, this core does not.
        database = sqlite3.connect(home.core.up.data_dir / "inventory.db", timeout=60)
        assert database.execute("UPDATE array_owners SET epoch = 50 WHERE storage_id = ?", (storage,)).rowcount == 1
        database.commit()
        database.close()
        own = home.certs / "core"
        credentials = grpc.ssl_channel_credentials(
            *((own / name).read_bytes() for name in ("ca.pem", "tls.key", "tls.pem"))
        )
        (place,) = {host["endpoint"] for driver in usable(home) for host in driver["hosts"]}
        with grpc.secure_channel(place.removeprefix("tcp://"), credentials) as channel:
            stub = driver_grpc.StorageDriverStub(channel)
            stub.CloseStorage(
                driver_pb.CloseStorageRequest(target=driver_pb.Target(storage_id=storage, owner_epoch=50)), timeout=60
            )
            assert arrays.sessions("fenced") == []
            old = driver_pb.Target(storage_id=storage, owner_epoch=49)
            with pytest.raises(grpc.RpcError) as refused:
                stub.CloseStorage(driver_pb.CloseStorageRequest(target=old), timeout=60)
            assert refused.value.code() is grpc.StatusCode.ABORTED
        assert home.core.owner(storage) == home.host.pid
        assert arrays.sessions("fenced") == [home.host.pid]
        arrays.shutdown()


def test_another_name_for_a_served_pair_waits_until_it_is_preferred(home: Home) -> None:
    rival = "dev.acme.rival"
    token = home.core.driver_token("rival", rival, PAIR)
    host = ContainerHost(home.core, home.certs, token, name=rival)
    try:
        home.core.serving(1, rival)
        (driver,) = home.core.drivers(rival)
        assert (driver["source"], driver["serves"][0]["in_use"]) == ("lease", False)
        assert driver["serves"][0]["conflicts_with"] == [NAME]
        (first,) = usable(home)
        assert first["serves"][0]["in_use"]
        body = {"vendor": PAIR[0], "model": PAIR[1]}
        assert home.core.ask("POST", f"/v1/drivers/{rival}:prefer", body)["serves"][0]["in_use"]
        assert not usable(home)[0]["serves"][0]["in_use"]
        home.core.ask("POST", f"/v1/drivers/{NAME}:prefer", body)
        assert host.end(signal.SIGTERM) == 0
        (driver,) = home.core.drivers(rival)
        assert "ended at" in driver["error"]
    finally:
        if host.process.poll() is None:
            host.end()
