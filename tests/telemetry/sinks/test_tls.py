"""Remote write over TLS: whom we trust, and how we prove who we are."""

from __future__ import annotations

import base64
import ssl
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization

from delphis.sdk.certificates import Authority, Party
from delphis.telemetry.v1 import telemetry_pb2 as pb
from services.calls.errors import CallError
from tests.alerts.delivery.web import Request, answer, web
from tests.sdk_http.certificates import Certificate, authority, server_certificate
from tests.telemetry.sinks.prometheus import Received
from tests.telemetry.sinks.scene import Scene, scene, window


@pytest.fixture
async def here(tmp_path: Path) -> AsyncIterator[Scene]:
    folder = tmp_path / "scene"
    folder.mkdir()
    async with scene(folder) as made:
        yield made


@pytest.fixture
def ours(tmp_path: Path) -> Certificate:
    """An authority."""
    return authority(tmp_path)


def _context(folder: Path, ours: Certificate) -> ssl.SSLContext:
    server = server_certificate(folder, signer=ours)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(server.certificate_file, server.key_file)
    return context


async def test_a_certificate_of_the_named_authority_is_taken(here: Scene, tmp_path: Path, ours: Certificate) -> None:
    received = Received()

    def take(request: Request) -> bytes:
        received.take(request.body)
        return answer(204)

    async with web(take, tls=_context(tmp_path, ours)) as site:
        sinks = [
            await here.remote_write(site.url, ca_certificates=ours.pem, username="ann", password="word-6e6e"),
            await here.remote_write(site.url, "b", ca_certificates=ours.pem, bearer_token="token-6e6e"),
            await here.remote_write(site.url, "c", insecure_skip_verify=True),
        ]
        await here.collect(window([1.0]))
        for sink in sinks:
            await here.until(sink, "delivery", lambda status: status.delivered == 1)
        shown = {request.headers.get("authorization", "") for request in site.seen}
    assert shown == {f"Basic {base64.b64encode(b'ann:word-6e6e').decode()}", "Bearer token-6e6e", ""}
    assert set(received.values.values()) == {1.0}


@pytest.mark.parametrize("trusted", ["system", "another"])
async def test_no_other_certificate_is(here: Scene, tmp_path: Path, ours: Certificate, trusted: str) -> None:
    trust = authority(tmp_path, "another").pem if trusted == "another" else ""
    async with web(lambda _: answer(204), tls=_context(tmp_path, ours)) as site:
        sink = await here.remote_write(site.url, ca_certificates=trust, bearer_token="token-6e6e")
        await here.collect(window([1.0]))
        status = await here.until(sink, "failure", lambda status: status.failures >= 2)
        assert "certificate is not trusted" in status.problem
        assert status.backlog_bytes > 0
        assert not site.seen  # the token went nowhere


async def test_we_prove_who_we_are_with_a_certificate(here: Scene, tmp_path: Path, ours: Certificate) -> None:
    context = _context(tmp_path, ours)
    context.verify_mode = ssl.CERT_REQUIRED
    ours_too = Authority(datetime.now(UTC))
    context.load_verify_locations(cadata=ours_too.pem.decode())
    certificate, key = (pem.decode() for pem in ours_too.issue(Party("us", tmp_path, is_core=True)))
    async with web(lambda _: answer(204), tls=context) as site:
        nobody = await here.remote_write(site.url, "nobody", ca_certificates=ours.pem)
        somebody = await here.remote_write(
            site.url, "me", ca_certificates=ours.pem, client_certificate=certificate, client_key=key
        )
        await here.collect(window([1.0]))
        await here.until(somebody, "delivery", lambda status: status.delivered == 1)
        status = await here.until(nobody, "failure", lambda status: status.failures >= 1)
        assert status.delivered == 0
        # The key is not shown, and stays as long as its certificate does.
        shown = await here.get(somebody)
        assert (shown.remote_write.client_certificate, shown.remote_write.client_key) == (certificate, "")
        changed = pb.Sink(name="me", kinds=["volume"], remote_write=shown.remote_write)
        await here.update(somebody, changed)
        await here.collect(window([2.0], begin=2_000_000_000_000))
        await here.until(somebody, "delivery", lambda status: status.delivered == 2)
        new = pb.RemoteWriteSink()
        new.CopyFrom(shown.remote_write)
        new.client_certificate = server_certificate(tmp_path, "new", signer=ours).pem
        with pytest.raises(CallError) as caught:
            await here.update(somebody, pb.Sink(name="me", remote_write=new))
        assert caught.value.metadata["field"] == "remote_write.client_key"


@pytest.mark.parametrize("case", ["another key", "no key", "nonsense", "a key with a passphrase"])
async def test_what_is_no_certificate_is_refused(here: Scene, tmp_path: Path, ours: Certificate, case: str) -> None:
    mine, other = server_certificate(tmp_path, "mine", signer=ours), server_certificate(tmp_path, "other", signer=ours)
    locked = mine.key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.BestAvailableEncryption(b"passphrase"),
    ).decode()
    key = {"another key": other.key_pem, "no key": "", "nonsense": "x", "a key with a passphrase": locked}[case]
    with pytest.raises(CallError) as caught:
        await here.remote_write("https://127.0.0.1:1/", client_certificate=mine.pem, client_key=key)
    assert caught.value.metadata["field"].startswith("remote_write.client_")
    kafka = pb.KafkaSink(bootstrap_servers=["b:1"], topic="t", client_certificate=mine.pem, client_key=mine.key_pem)
    with pytest.raises(CallError) as caught:
        await here.add("k", kafka=kafka)
    assert caught.value.metadata["field"] == "kafka.tls"
