"""One trace, from whoever calls to the driver."""

from __future__ import annotations

import asyncio
import http.client
import io
import json
import logging
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest

from delphis.driver.v1 import storage_driver_pb2 as driver_pb
from delphis.driver.v1 import storage_driver_pb2_grpc
from delphis.tracing import spans
from delphis.tracing.scope import Scope, current, trace_of, within
from gateway.gateway import Gateway, GatewaySettings
from gateway.server import serve
from services.app.logs import JsonFormatter
from services.calls.grpc_server import PipelineHandler
from services.calls.invoker import ChannelInvoker, LocalInvoker
from services.calls.method import Call, MethodTable
from services.calls.pipeline import AnonymousAdmin, Ingress, Pipeline
from services.calls.reflection import Reflection
from services.relay.relay import Relay
from tests.inventory.core import PASSWORD, Core, core
from tests.observing.receiver import FIRST, Receiver, Seen, receiver
from tests.relay.far import ALERTS, SERVICES, TOKEN, Far

DRIVERS = Path(__file__).parent / "drivers"
DRIVER = "delphis.driver.v1.StorageDriver/"
INVENTORY = "delphis.inventory.v1.InventoryService/"
OTHERS = "4bf92f3577b34da6a3ce929d0e0e4736"
PARENT = {"traceparent": f"00-{OTHERS}-00f067aa0ba902b7-01", "tracestate": "congo=t61rcWkgMzE"}
FAR = {"parent": f"00-{OTHERS[::-1]}-00f067aa0ba902b7-01"}
STORAGE = {
    "vendor": "talker",
    "model": "box",
    "rest": {"host": "127.9.0.1", "port": 1, "username": "operator", "password": PASSWORD},
}


class Running:
    """A core with its gateway and its gRPC address, and what it logs."""

    def __init__(self, behind: Core, port: int, channel: grpc.aio.Channel, log: io.StringIO) -> None:
        self.core = behind
        self.port = port
        self.channel = channel
        self._log = log

    async def ask(self, method: str, path: str, body: Any = None, **headers: str) -> tuple[int, Any]:
        """A request over HTTP."""
        return await asyncio.to_thread(self._ask, method, path, body, headers)

    def _ask(self, method: str, path: str, body: Any, headers: dict[str, str]) -> tuple[int, Any]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            sent = {"Content-Type": "application/json", **headers} if body is not None else headers
            connection.request(method, path, None if body is None else json.dumps(body), sent)
            answer = connection.getresponse()
            return answer.status, json.loads(answer.read() or b"null")
        finally:
            connection.close()

    def lines(self) -> list[dict[str, Any]]:
        """All that was logged."""
        return [json.loads(line) for line in self._log.getvalue().splitlines()]

    async def wait_logged(self, message: str, **fields: str) -> dict[str, Any]:
        """The first line with that text in its message and with those fields, once there is one."""
        async with asyncio.timeout(60):
            while True:
                for line in self.lines():
                    if message in line["message"] and fields.items() <= line.items():
                        return line
                await asyncio.sleep(0.02)

    def text(self) -> str:
        """The log."""
        return self._log.getvalue()


@pytest.fixture
def traces(monkeypatch: pytest.MonkeyPatch) -> Iterator[Receiver]:
    """Where this process, and hosts that it starts, send their spans."""
    with receiver() as opened:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", opened.endpoint)
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_HEADERS", "x-key=the-operators-key")
        monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "50")
        spans.start(spans.service_name("core"), "1")
        try:
            yield opened
        finally:
            spans.stop()


@pytest.fixture
async def running(tmp_path: Path) -> AsyncIterator[Running]:
    log, root = io.StringIO(), logging.getLogger()
    handler, level = logging.StreamHandler(log), root.level
    handler.setFormatter(JsonFormatter("core"))
    root.addHandler(handler)
    root.setLevel(logging.INFO)
    try:
        async with core(tmp_path, drivers=(DRIVERS,)) as behind:
            gateway = Gateway(GatewaySettings(login=False))
            await gateway.start({"core": LocalInvoker(behind.pipeline, Reflection(behind.pipeline.methods.services()))})
            http_server = await serve(gateway, "127.0.0.1", 0)
            server = grpc.aio.server()
            server.add_generic_rpc_handlers((PipelineHandler(behind.pipeline),))
            port = server.add_insecure_port("127.0.0.1:0")
            await server.start()
            try:
                async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
                    yield Running(behind, http_server.port, channel, log)
            finally:
                await server.stop(None)
                await http_server.stop()
                await gateway.stop()
    finally:
        root.removeHandler(handler)
        root.setLevel(level)


async def seen(traces: Receiver, name: str, trace_id: str = "", **attributes: str) -> list[Seen]:
    """A span with all above it."""
    return await asyncio.to_thread(lambda: traces.chain(traces.named(name, trace_id=trace_id, **attributes)))


def shown(chain: list[Seen]) -> list[tuple[str, str]]:
    """Of which service each is, and its name."""
    assert len({span.trace_id for span in chain}) == 1
    return [(span.service.removeprefix("delphis-"), span.name) for span in chain]


async def test_one_trace_from_rest_through_the_router_to_the_driver(traces: Receiver, running: Running) -> None:
    status, storage = await running.ask("POST", "/v1/storages", STORAGE)
    assert status == 201
    here = {"delphis.storage_id": storage["id"]}

    # A request begins a trace.
    chain = await seen(traces, "driver get_storage")
    assert shown(chain) == [
        ("core", "POST /v1/storages"),
        ("core", f"{INVENTORY}RegisterStorage"),
        ("core", f"{DRIVER}GetStorage"),
        ("driver-host", f"{DRIVER}GetStorage"),
        ("driver-host", "driver get_storage"),
    ]
    assert chain[0].attributes["http.route"] == "/v1/storages"
    assert chain[0].attributes["http.response.status_code"] == 201
    assert chain[2].attributes == {"delphis.driver": "dev.delphis.talker", **here}
    assert chain[3].attributes["delphis.storage_id"] == chain[4].attributes["delphis.storage_id"] == storage["id"]
    assert shown(await seen(traces, "driver connect")) == [*shown(chain[:4]), ("driver-host", "driver connect")]

    # So does what Delphis does by itself; what fails is told with its reason, and nothing more.
    chain = await seen(traces, "driver list_volumes")
    assert shown(chain) == [
        ("core", "sync"),
        ("core", f"{DRIVER}ListVolumes"),
        ("driver-host", f"{DRIVER}ListVolumes"),
        ("driver-host", "driver list_volumes"),
    ]
    assert chain[0].attributes == here
    assert [span.failed for span in chain] == [False, True, True, True]
    assert {span.attributes["error.type"] for span in chain[1:]} == {"ARRAY_UNREACHABLE"}

    # Over HTTP and over gRPC a caller's trace goes on.
    path = f"/v1/storages/{storage['id']}/capabilities"
    status, _ = await running.ask("GET", path, **PARENT, **{"X-Request-Id": "req-mine"})
    assert status == 200
    last = await asyncio.to_thread(traces.named, "driver get_capabilities", trace_id=OTHERS)
    first = await asyncio.to_thread(traces.named, "GET /v1/storages/{storage_id}/capabilities", trace_id=OTHERS)
    assert (first.parent_id, first.attributes["delphis.request_id"]) == ("00f067aa0ba902b7", "req-mine")
    assert {first.state, last.state} == {PARENT["tracestate"]}

    stub: storage_driver_pb2_grpc.StorageDriverAsyncStub = storage_driver_pb2_grpc.StorageDriverStub(running.channel)
    target = driver_pb.Target(storage_id=storage["id"])
    direct = OTHERS[::-1]
    await stub.GetStorage(
        driver_pb.GetStorageRequest(target=target), metadata=(("traceparent", f"00-{direct}-00f067aa0ba902b7-01"),)
    )
    served = await asyncio.to_thread(traces.beneath, "00f067aa0ba902b7", direct)
    assert shown([served]) == [("core", f"{DRIVER}GetStorage")]
    assert (await asyncio.to_thread(traces.named, "driver get_storage", trace_id=direct)).service.endswith("host")

    # What a caller does not want recorded isn't; what is no trace context begins another trace.
    await stub.GetStorage(
        driver_pb.GetStorageRequest(target=target), metadata=(("traceparent", f"00-{'c' * 32}-00f067aa0ba902b7-00"),)
    )
    await running.ask("GET", "/v1/storages", traceparent="00-of-no-use", **{"X-Request-Id": "req-last"})
    asked = await seen(traces, "GET /v1/storages", delphis__request_id="req-last")
    assert asked[0].parent_id == FIRST
    assert "c" * 32 not in {span.trace_id for span in traces.spans}

    # The log has the same ids, those of the driver's own lines as well.
    line = await running.wait_logged("saying what there is", request_id="req-mine")
    assert (line["driver"], line["storage_id"], line["trace_id"]) == ("dev.delphis.talker", storage["id"], OTHERS)

    sent = b"".join(traces.bodies)
    for secret in (PASSWORD, "the-operators-key", "operator"):
        assert secret.encode() not in sent


async def test_without_spans_a_trace_is_handed_on_and_the_log_has_all_ids(running: Running) -> None:
    assert spans.tracer is None
    status, storage = await running.ask("POST", "/v1/storages", STORAGE, **{"X-Request-Id": "req-first"})
    assert status == 201
    status, _ = await running.ask(
        "GET", f"/v1/storages/{storage['id']}/capabilities", **PARENT, **{"X-Request-Id": "req-mine"}
    )
    assert status == 200
    about = {"driver": "dev.delphis.talker", "storage_id": storage["id"]}

    said = await running.wait_logged("saying what there is", request_id="req-mine")
    assert said.pop("at")
    assert said.pop("host_pid").isdigit()
    assert said == {
        "level": "info",
        "process": "core",
        "logger": "services.registry.host_process",
        "source": "talker",
        "message": "saying what there is",
        "request_id": "req-mine",
        "trace_id": OTHERS,
        **about,
    }
    # As a gateway in a process of its own calls.
    asked = driver_pb.GetCapabilitiesRequest(target=driver_pb.Target(storage_id=storage["id"])).SerializeToString()
    ingress = Ingress(None, "req-hop", 60.0, "test", trace=trace_of(**FAR))
    await ChannelInvoker(running.channel).unary(f"/{DRIVER}GetCapabilities", asked, ingress)
    assert (await running.wait_logged("saying what there is", request_id="req-hop"))["trace_id"] == OTHERS[::-1]
    reading = await running.wait_logged("reading the array", request_id="req-first", **about)
    assert (reading["level"], reading["source"]) == ("warning", "delphis.driver")
    wrong = await running.wait_logged("it went wrong", request_id="req-mine", **about)
    assert wrong["level"] == "error"
    assert wrong["exception"].splitlines()[-2:] == ["ValueError: no ***", " here"]
    # What a driver prints is a line of its host's, whoever called.
    printed = await running.wait_logged("a line of text")
    assert (printed["driver"], printed.get("request_id")) == ("dev.delphis.talker", None)
    # What Delphis does by itself is about the array, and not about the call that made it begin.
    synced = await running.wait_logged("sync of storage ")
    served = await running.wait_logged(" serves after ")
    for line in (synced, served):
        assert line["driver"] == "dev.delphis.talker"
        assert "request_id" not in line
    assert synced["storage_id"] == storage["id"]
    assert PASSWORD not in running.text()


async def test_a_relayed_call_is_a_part_of_its_callers_trace(tmp_path: Path) -> None:
    far = Far(tmp_path)
    seen_there: list[Scope] = []

    async def look(body: bytes, call: Call) -> bytes:
        seen_there.append(current())
        return body

    far.unary = look
    await far.start()
    relay = Relay("alerts", grpc.aio.insecure_channel(far.address), TOKEN)
    try:
        pipeline = Pipeline(MethodTable(relay.methods(SERVICES)), AnonymousAdmin())
        with within(request_id="req-relayed", trace=trace_of(**FAR)):
            ingress = Ingress(None, "req-relayed", 60.0, "test", trace=current().trace)
            assert (await pipeline.unary(f"{ALERTS}/GetAlert", b"", ingress)).body == b""
    finally:
        await relay.close()
        await far.vanish()
    assert [(one.request_id, one.trace) for one in seen_there] == [("req-relayed", trace_of(**FAR))]
