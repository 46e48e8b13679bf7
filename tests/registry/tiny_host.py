"""A driver host without the SDK, for tests of the supervisor: it does to itself what its arguments and its arrays say.

`tiny_host.py [BEHAVIOUR...]`: what the process does at its start. An array's access info has `do` in its
extra_attributes: what the host does when the array's storage is read.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import AsyncIterator
from typing import Any

import grpc
from google.protobuf import text_format
from google.rpc import error_details_pb2, status_pb2
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_health.v1.health import aio as health

from delphis.driver.v1 import storage_driver_pb2 as pb
from delphis.driver.v1 import storage_driver_pb2_grpc
from delphis.type.v1 import block_pb2

Context = grpc.aio.ServicerContext[Any, Any]


class TinyDriver(storage_driver_pb2_grpc.StorageDriverServicer):  # its other methods are UNIMPLEMENTED
    def __init__(self, behaviours: list[str], servicer: health.HealthServicer) -> None:
        self._behaviours = behaviours
        self._health = servicer
        self._server_id = str(uuid.uuid4())
        self._leak: list[bytearray] = []

    async def GetDriverInfo(self, request: pb.GetDriverInfoRequest, context: Context) -> pb.GetDriverInfoResponse:
        name = "somebody.else" if "wrong_name" in self._behaviours else os.environ["DELPHIS_DRIVER_NAME"]
        info = pb.GetDriverInfoResponse(
            name=name,
            version=os.environ["DELPHIS_DRIVER_VERSION"],
            server_id=self._server_id,
            rpcs=["GetStorage", "ListVolumes", "AddTrapConfig", "ParseAlert", "ClearAlert"],
            runtime="tiny",
        )
        info.access_fields.add(path="extra_attributes.do", plain=True)
        if "load_error" in self._behaviours:
            info.load_error = "Traceback: no such module"
        return info

    async def GetStorage(self, request: pb.GetStorageRequest, context: Context) -> pb.GetStorageResponse:
        await self._do(request.target, context)
        answer = pb.GetStorageResponse()
        answer.storage.name = str(os.getpid())
        answer.storage.serial_number = request.target.access_info.extra_attributes["serial"]
        do = request.target.access_info.extra_attributes["do"]
        if do.startswith("large="):
            answer.storage.description = "x" * (int(do[6:]) << 20)
            return answer
        answer.storage.description = json.dumps(dict(os.environ)) if "environ" in self._behaviours else ""
        return answer

    async def AddTrapConfig(self, request: pb.AddTrapConfigRequest, context: Context) -> pb.AddTrapConfigResponse:
        await self._do(request.target, context)
        return pb.AddTrapConfigResponse()

    async def ParseAlert(self, request: pb.ParseAlertRequest, context: Context) -> pb.ParseAlertResponse:
        assert not request.target.HasField("access_info")
        return pb.ParseAlertResponse(results=[pb.ParsedTrap()] * len(request.traps))

    async def ListVolumes(
        self, request: pb.ListVolumesRequest, context: Context
    ) -> AsyncIterator[pb.ListVolumesResponse]:
        do = request.target.access_info.extra_attributes["do"]
        if not do.startswith("after_first:"):
            await self._do(request.target, context)
        yield pb.ListVolumesResponse(items=[block_pb2.Volume(native_volume_id=f"{n}") for n in range(3)])
        if do.startswith("after_first:"):
            await asyncio.sleep(0.1)
            await self._act(do.partition(":")[2], context)
        yield pb.ListVolumesResponse(complete=True)

    async def _do(self, target: pb.Target, context: Context) -> None:
        await self._act(target.access_info.extra_attributes["do"], context)

    async def _act(self, do: str, context: Context) -> None:
        what, _, value = do.partition("=")
        if what == "exit":
            os._exit(int(value))
        elif what == "signal":
            os.kill(os.getpid(), int(value))
            await asyncio.sleep(60)
        elif what == "once":  # value: a file and what to do as long as it is not there
            path, _, then = value.partition(",")
            if first_time(path):
                await self._act(then, context)
        elif what == "sleep":
            await asyncio.sleep(float(value))
        elif what == "freeze":
            time.sleep(float(value))  # noqa: ASYNC251  holds the interpreter, as a bad regular expression does
        elif what == "spin":
            end = time.monotonic() + float(value)
            while time.monotonic() < end:
                sum(range(10_000))
                await asyncio.sleep(0)
        elif what == "leak":
            megabytes, _, seconds = value.partition(",")
            self._leak.append(bytearray(b"x") * (int(megabytes) << 20))
            await asyncio.sleep(float(seconds))
        elif what == "not_serving":
            await self._health.set("", health_pb2.HealthCheckResponse.NOT_SERVING)
        elif what == "abort":
            code, _, text = value.partition(",")
            await context.abort(grpc.StatusCode[code], text)
        elif what == "details":
            status = text_format.Parse(value, status_pb2.Status(), descriptor_pool=error_details_pb2.DESCRIPTOR.pool)
            trailing = (("grpc-status-details-bin", status.SerializeToString()),)
            number = next(code for code in grpc.StatusCode if code.value[0] == status.code)
            await context.abort(number, status.message, trailing)


def first_time(path: str) -> bool:
    try:
        open(path, "x", encoding="ascii").close()
    except FileExistsError:
        return False
    return True


async def serve(behaviours: list[str]) -> None:
    server = grpc.aio.server()
    servicer = health.HealthServicer()
    if "garbled_health" in behaviours:
        check: Any = grpc.unary_unary_rpc_method_handler(garbled)
        server.add_generic_rpc_handlers(
            [grpc.method_handlers_generic_handler("grpc.health.v1.Health", {"Check": check})]
        )
    else:
        health_pb2_grpc.add_HealthServicer_to_server(servicer, server)
    if "no_service" not in behaviours:
        driver = TinyDriver(behaviours, servicer)  # type: ignore[abstract]
        storage_driver_pb2_grpc.add_StorageDriverServicer_to_server(driver, server)
    server.add_insecure_port(os.environ["DELPHIS_DRIVER_ENDPOINT"])
    await server.start()
    if "silent" not in behaviours:
        os.write(int(os.environ["DELPHIS_DRIVER_READY_FD"]), b"ready\n")
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    if "ignore_sigterm" in behaviours:
        loop.add_signal_handler(signal.SIGTERM, print, "SIGTERM? no")
    else:
        loop.add_signal_handler(signal.SIGTERM, stop.set)
    if "chatty" in behaviours:
        print("\n".join(f"line {n}" for n in range(100)), flush=True)
        print("a secret \x1b[31mcolour", file=sys.stderr, flush=True)
    if "flood" in behaviours:
        loop.run_in_executor(None, flood)
    await stop.wait()
    await server.stop(2.0)


async def garbled(request: bytes, context: Context) -> bytes:
    return b"\xff"


def flood() -> None:
    line = b"x" * 199 + b"\n"
    while True:
        os.write(2, line * 300)


def main() -> None:
    behaviours = sys.argv[1:]
    if "exit_at_once" in behaviours:
        sys.exit("cannot find the flux capacitor")
    for behaviour in behaviours:
        if behaviour.startswith("exit_if=") and os.path.exists(behaviour.removeprefix("exit_if=")):
            sys.exit(7)
    if "never_ready" in behaviours:
        print("still looking for the array", flush=True)
        time.sleep(600)
    if "child" in behaviours:
        child = subprocess.Popen(["sleep", "600"])
        print(f"child {child.pid}", flush=True)
    asyncio.run(serve(behaviours))


if __name__ == "__main__":
    main()
