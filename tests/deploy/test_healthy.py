"""deploy/healthy.py: what the health checks of containers call."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import grpc
import pytest
from grpc_health.v1 import health, health_pb2, health_pb2_grpc

from delphis.sdk.certificates import Authority, Party
from tests.alerts.delivery.web import answer, web

SCRIPT = Path(__file__).resolve().parents[2] / "deploy" / "healthy.py"


def _healthy(*arguments: str) -> tuple[bool, str]:
    done = subprocess.run(
        [sys.executable, str(SCRIPT), *arguments], capture_output=True, text=True, timeout=60, check=False
    )
    return done.returncode == 0, done.stderr


@pytest.fixture
def ca(tmp_path: Path) -> Iterator[tuple[str, health.HealthServicer, Path]]:
    """A gRPC server over TLS: its address, its health, and the file of its authority."""
    authority = Authority(datetime.now(UTC))
    chain, key = authority.issue(Party("127.0.0.1", tmp_path))
    (tmp_path / "ca.pem").write_bytes(authority.pem)
    servicer = health.HealthServicer()
    with ThreadPoolExecutor(2) as pool:
        server = grpc.server(pool)
        health_pb2_grpc.add_HealthServicer_to_server(servicer, server)
        port = server.add_secure_port("127.0.0.1:0", grpc.ssl_server_credentials([(key, chain)]))
        server.start()
        yield f"grpcs://127.0.0.1:{port}", servicer, tmp_path / "ca.pem"
        server.stop(None).wait()


def test_a_process_is_healthy_when_it_says_so(ca: tuple[str, health.HealthServicer, Path], tmp_path: Path) -> None:
    address, servicer, file = ca
    assert _healthy(address, str(file)) == (True, "")
    servicer.set("", health_pb2.HealthCheckResponse.NOT_SERVING)
    assert not _healthy(address, str(file))[0]
    other = tmp_path / "other.pem"
    other.write_bytes(Authority(datetime.now(UTC)).pem)
    assert not _healthy(address, str(other))[0]
    ok, said = _healthy("grpcs://127.0.0.1:1", str(file))
    assert not ok
    assert "not ready" in said


async def test_a_page_is_healthy_unless_it_is_a_fault() -> None:
    async with web() as site:
        for status, healthy in ((200, True), (401, True), (503, False)):
            site.behaviour = lambda _, status=status: answer(status)  # type: ignore[misc]
            assert (await asyncio.to_thread(_healthy, site.url))[0] is healthy
    assert not (await asyncio.to_thread(_healthy, site.url))[0]
