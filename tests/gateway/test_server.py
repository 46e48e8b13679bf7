"""Listening, stopping, and requests that are no good HTTP."""

from __future__ import annotations

import asyncio
import re
import socket
import ssl
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest

from delphis.type.v1 import storage_pb2
from gateway.server import MAX_HEADER_BYTES, TlsFiles, serve
from services.calls.grpc_server import PipelineHandler
from services.calls.reflection import ReflectionHandler
from tests.gateway.support import TIMEOUT, Client, Loop, OneToken, Running, Stub, grpc_server, pipeline_of, running

REPO = Path(__file__).parents[2]


def talk(port: int, *parts: bytes) -> bytes:
    """Sends bytes, and answers what comes until the connection ends."""
    with socket.create_connection(("127.0.0.1", port), timeout=TIMEOUT) as connection:
        for part in parts:
            connection.sendall(part)
        answer = b""
        while piece := connection.recv(65536):
            answer += piece
        return answer


@pytest.mark.parametrize(
    "request_bytes",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\0" * 40,
        b"GARBAGE\r\n\r\n",
        b"GET /v1/storages HTTP/1.1\r\nHost: localhost\r\nBad Header: x\r\n\r\n",
        b"GET /v1/storages\xff HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"POST /v1/storages HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"POST /v1/storages HTTP/1.1\r\nHost: h\r\nContent-Length: x\r\n\r\n",
        b"POST /v1/storages HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    ],
)
def test_no_http(rest: Running, request_bytes: bytes) -> None:
    answer = talk(rest.server.port, request_bytes)
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert b'"error_code":"BadRequest"' in answer
    assert b"content-type: application/json" in answer
    assert not rest.stub.calls


def test_large_head(rest: Running) -> None:
    header = b"X-Long: " + b"a" * (MAX_HEADER_BYTES + 1000) + b"\r\n"
    answer = talk(rest.server.port, b"GET /v1/storages HTTP/1.1\r\nHost: localhost\r\n" + header + b"\r\n")
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert b"larger than 65536 bytes" in answer


def test_several_requests_of_a_connection(rest: Running) -> None:
    one = b"GET /v1/storages HTTP/1.1\r\nHost: localhost\r\n\r\n"
    last = b"GET /v1/nothing HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
    answer = talk(rest.server.port, one + one + last)
    assert re.findall(rb"HTTP/1.1 (\d+) ", answer) == [b"200", b"200", b"404"]


def test_other_protocol_is_not_spoken(rest: Running) -> None:
    upgrade = b"Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: eA==\r\nSec-WebSocket-Version: 13\r\n"
    with socket.create_connection(("127.0.0.1", rest.server.port), timeout=TIMEOUT) as connection:
        connection.sendall(b"GET /v1/storages HTTP/1.1\r\nHost: localhost\r\n" + upgrade + b"\r\n")
        assert connection.recv(65536).startswith(b"HTTP/1.1 200 ")


def test_target_that_is_no_path(rest: Running) -> None:
    answer = talk(rest.server.port, b"OPTIONS * HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 404 ")
    assert b'"error_code":"NoSuchAction"' in answer


def test_old_http(rest: Running) -> None:
    answer = talk(rest.server.port, b"GET /v1/storages HTTP/1.0\r\nHost: localhost\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 200 ")


def test_client_that_leaves(rest: Running) -> None:
    head = b"POST /v1/storages HTTP/1.1\r\nHost: h\r\nContent-Type: application/json\r\nContent-Length: 10\r\n\r\n{"
    with socket.create_connection(("127.0.0.1", rest.server.port), timeout=TIMEOUT) as connection:
        connection.sendall(head)
    assert rest.client.get("/v1/storages").status == 200


def test_many_at_once(rest: Running) -> None:
    def one(number: int) -> str:
        reply = rest.client.get(f"/v1/storages/{number}")
        return str(reply.json["id"])

    rest.stub.answers["GetStorage"] = lambda request, call: storage_pb2.Storage(id=request.storage_id)
    with ThreadPoolExecutor(16) as pool:
        assert list(pool.map(one, range(200))) == [str(number) for number in range(200)]


def test_taken_port(rest: Running) -> None:
    with pytest.raises(OSError, match="in use"):
        rest.loop.run(serve(rest.gateway, "127.0.0.1", rest.server.port))


def test_ipv6(rest: Running) -> None:
    async def there_and_back() -> int:
        server = await serve(rest.gateway, "::1", 0)
        reader, writer = await asyncio.open_connection("::1", server.port)
        writer.write(b"GET /v1/storages HTTP/1.1\r\nHost: [::1]\r\nConnection: close\r\n\r\n")
        answer = await reader.read()
        writer.close()
        await server.stop()
        return int(answer.split()[1])

    assert rest.loop.run(there_and_back()) == 200


def test_requests_under_way_end_before_it_stops() -> None:
    with running() as gateway:
        entered = threading.Event()

        async def slowly(request: object, call: object) -> storage_pb2.Storage:
            entered.set()
            await asyncio.sleep(0.3)
            return storage_pb2.Storage(name="late")

        gateway.stub.answers["GetStorage"] = slowly
        with ThreadPoolExecutor(1) as pool:
            waiting = pool.submit(gateway.client.get, "/v1/storages/s")
            assert entered.wait(TIMEOUT)
            gateway.loop.run(gateway.server.stop(5.0))
            assert waiting.result(TIMEOUT).json["name"] == "late"
        with pytest.raises(ConnectionRefusedError):
            gateway.client.get("/v1/storages")


def test_requests_that_take_too_long_are_told() -> None:
    with running() as gateway:
        entered = threading.Event()

        async def for_ever(request: object, call: object) -> None:
            entered.set()
            await asyncio.sleep(3600)

        gateway.stub.answers["GetStorage"] = for_ever
        with ThreadPoolExecutor(1) as pool:
            waiting = pool.submit(gateway.client.get, "/v1/storages/s")
            assert entered.wait(TIMEOUT)
            gateway.loop.run(gateway.server.stop(1.0))
            reply = waiting.result(TIMEOUT)
        assert (reply.status, reply.json["error_code"]) == (503, "ServiceUnavailable")


def test_tls(rest: Running, tmp_path: Path) -> None:
    certificate, key = tmp_path / "certificate.pem", tmp_path / "key.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
         "-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1",
         "-keyout", str(key), "-out", str(certificate)],
        check=True, capture_output=True,
    )  # fmt: skip
    server = rest.loop.run(serve(rest.gateway, "127.0.0.1", 0, tls=TlsFiles(str(certificate), str(key))))
    trusted = ssl.create_default_context(cafile=str(certificate))
    url = f"https://127.0.0.1:{server.port}/v1/storages"
    with urllib.request.urlopen(url, context=trusted, timeout=TIMEOUT) as reply:
        assert reply.status == 200
    rest.loop.run(server.stop())


@contextmanager
def process(*arguments: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """`python -m gateway …` and the line that it prints."""
    command = [sys.executable, "-m", "gateway", *arguments]
    running_process = subprocess.Popen(command, cwd=REPO, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        assert running_process.stdout is not None
        yield running_process, running_process.stdout.readline()
    finally:
        running_process.terminate()
        running_process.communicate(timeout=TIMEOUT)


def test_process_of_its_own() -> None:
    loop, stub = Loop(), Stub()
    pipeline, reflection = pipeline_of(stub, OneToken())
    backend, port = loop.run(grpc_server((PipelineHandler(pipeline), ReflectionHandler(reflection))))
    with process("--grpc", f"127.0.0.1:{port}", "--listen", "127.0.0.1:0") as (gateway, line):
        client = Client(int(line.rpartition(":")[2]))
        deadline = time.monotonic() + TIMEOUT
        while client.get("/v1/storages").status == 503:  # it listens before the service is known
            assert time.monotonic() < deadline
        assert client.get("/v1/storages").status == 401
        assert client.get("/v1/storages", Authorization="Bearer good").json == {"storages": []}
        gateway.terminate()
        assert gateway.wait(TIMEOUT) == 0
    loop.run(backend.stop(None))
    loop.close()


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--listen", "0.0.0.0:0", "--auth", "none"), "authentication is off"),
        (("--listen", "127.0.0.1"), "HOST:PORT"),
        (("--listen", "127.0.0.1:0", "--tls-key", "/dev/null"), "go together"),
    ],
)
def test_process_that_must_not_start(arguments: tuple[str, ...], says: str) -> None:
    command = [sys.executable, "-m", "gateway", "--grpc", "127.0.0.1:1", *arguments]
    ended = subprocess.run(command, cwd=REPO, capture_output=True, text=True, timeout=TIMEOUT, check=False)
    assert (ended.returncode, ended.stdout) == (2, "")
    assert says in ended.stderr
    assert "Traceback" not in ended.stderr
