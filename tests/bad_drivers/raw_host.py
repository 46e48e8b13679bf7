"""A host without the SDK's: it serves StorageDriver by itself, and breaks what a gRPC library leaves to its user.

    python raw_host.py BAD                 serves at $DELPHIS_DRIVER_ENDPOINT
    python raw_host.py FOLDER BAD BAD …    serves each at a socket FOLDER/BAD.sock, then prints `ready`

`good` keeps the contract; so does every other for what it isn't named for. Faults of single calls are chosen by
`extra_attributes.bad` of a host that is `good`.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc
from google.protobuf import duration_pb2
from google.protobuf.message import DecodeError
from google.rpc import error_details_pb2, status_pb2
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection, reflection_pb2

from delphis.driver.v1 import storage_driver_pb2 as pb
from delphis.sdk.host.contract import SERVICE, methods
from delphis.type.v1 import errors_pb2, options_pb2
from delphis.type.v1.access_pb2 import AccessInfo
from delphis.type.v1.block_pb2 import StoragePool, Volume
from delphis.type.v1.storage_pb2 import Storage

HAS = (
    "GetDriverInfo",
    "GetStorage",
    "ResetConnection",
    "CloseStorage",
    "ListStoragePools",
    "ListVolumes",
    "ParseAlert",
)
CODES = {code.value[0]: code for code in grpc.StatusCode}
SERVER_ID = str(uuid.uuid4())


class Refused(Exception):
    """An answer that is an error."""

    def __init__(self, reason: str, message: str, *, code: int = 0, delay: bool = False) -> None:
        super().__init__(message)
        value = errors_pb2.Reason.DESCRIPTOR.values_by_name.get(f"REASON_{reason}")
        found = int(value.GetOptions().Extensions[options_pb2.code]) if value is not None else 13
        self.reason, self.message, self.code, self.delay = reason, message, code or found, delay


class RawHost(grpc.GenericRpcHandler):
    def __init__(self, bad: str) -> None:
        self.bad = bad
        self.epochs: dict[str, int] = {}
        self.under_way = 0

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> Any:
        _, service, name = handler_call_details.method.split("/", 2)
        if service != SERVICE.full_name:
            return None
        if name not in HAS and not (self.bad == "any_method" or (self.bad == "secret_method" and name in methods())):
            return None
        if name in methods() and methods()[name].streams:
            return grpc.unary_stream_rpc_method_handler(lambda data, context: self.answered(name, data, context))
        return grpc.unary_unary_rpc_method_handler(lambda data, context: next(self.answered(name, data, context)))

    def answered(self, name: str, data: bytes, context: grpc.ServicerContext) -> Iterator[bytes]:
        self.under_way += 1
        try:
            for message in self.messages(name, data):
                yield message.SerializeToString()
        except Refused as error:
            self.refuse(error, context)
        finally:
            self.under_way -= 1

    def refuse(self, error: Refused, context: grpc.ServicerContext) -> None:
        status = status_pb2.Status(code=error.code, message=error.message)
        status.details.add().Pack(error_details_pb2.ErrorInfo(domain="delphis.dev", reason=error.reason))
        if error.delay:
            retry = error_details_pb2.RetryInfo(retry_delay=duration_pb2.Duration(seconds=1))
            status.details.add().Pack(retry)
        if error.reason:
            context.set_trailing_metadata((("grpc-status-details-bin", status.SerializeToString()),))
        context.abort(CODES[error.code], error.message)

    def messages(self, name: str, data: bytes) -> Iterator[Any]:
        if name == "GetDriverInfo":
            yield self.info()
            return
        if name not in HAS:
            yield methods()[name].response(complete=True) if name.startswith("List") else pb.CloseStorageResponse()
            return
        if self.bad == "fragile" and (len(data) > 1 << 20 or b"garbage" in data or b"no message" in data):
            os._exit(1)
        try:
            request: Any = methods()[name].request.FromString(data)
        except DecodeError:
            code = 12 if self.bad == "misreads" else 0
            raise Refused("BAD_REQUEST", "The request is no message.", code=code) from None
        if self.bad == "no_newer" and b"abc" in data[-3:]:
            raise Refused("INVALID_INPUT", "The request has a field that is not known.")
        self.check_target(name, request.target)
        yield from self.of_array(name, request)

    def check_target(self, name: str, target: pb.Target) -> None:
        if self.bad == "takes_anything":
            return
        if not target.storage_id:
            raise Refused("INVALID_INPUT", "The request names no storage.")
        if self.bad != "old_owner" and target.owner_epoch < self.epochs.get(target.storage_id, 0):
            raise Refused("OWNER_EPOCH_STALE", "Another core owns the array.")
        self.epochs[target.storage_id] = max(target.owner_epoch, self.epochs.get(target.storage_id, 0))
        if name in ("CloseStorage", "ParseAlert"):
            if self.bad == "close_once" and name == "CloseStorage":
                raise Refused("STORAGE_BACKEND_NOT_FOUND", "Nobody is logged in.")
            return
        access: AccessInfo = target.access_info
        if not target.HasField("access_info") or not access.rest.host:
            raise Refused("ACCESS_INFO_INCOMPLETE", "The access info lacks rest.host.")
        if access.rest.password == "nonsense":
            self.refuse_login(access)

    def refuse_login(self, access: AccessInfo) -> None:
        match access.extra_attributes.get("bad", ""):
            case "no_reason":
                raise Refused("", "The login was refused.", code=9)
            case "other_code":
                raise Refused("INVALID_USERNAME_OR_PASSWORD", "The login was refused.", code=13)
            case "permission_denied":
                raise Refused("ARRAY_PERMISSION_DENIED", "The login was refused.", code=7)
            case "as_router":
                raise Refused("DRIVER_HOST_UNAVAILABLE", "The login was refused.")
            case "no_message":
                raise Refused("INVALID_USERNAME_OR_PASSWORD", "")
            case "busy":
                raise Refused("ARRAY_BUSY", "The array is busy.")
            case _:
                raise Refused("INVALID_USERNAME_OR_PASSWORD", "The login was refused.")

    def info(self) -> pb.GetDriverInfoResponse:
        if self.bad == "no_info":
            raise Refused("DRIVER_FAULT", "Who am I?")
        if self.bad == "nameless":
            return pb.GetDriverInfoResponse(rpcs=HAS)
        info = pb.GetDriverInfoResponse(
            name=os.environ.get("DELPHIS_DRIVER_NAME", "test.raw"),
            version=os.environ.get("DELPHIS_DRIVER_VERSION", "1"),
            server_id="always-the-same" if self.bad == "same_server_id" else SERVER_ID,
            serves=[pb.Pair(vendor="conformance", model="driver")],
            rpcs=HAS,
            runtime="a host of its own",
        )
        info.access_fields.add(path="rest.host", required=True)
        info.access_fields.add(path="extra_attributes.bad", plain=True)
        info.access_fields.add(path="extra_attributes.seconds", plain=True)
        if self.bad == "announces_more":
            info.rpcs.append("ListDisks")
        if self.bad == "odd_fields":
            info.access_fields.add(path="rest.colour", required=False)
        return info

    def of_array(self, name: str, request: Any) -> Iterator[Any]:
        access: AccessInfo = request.target.access_info
        bad = access.extra_attributes.get("bad", "")
        match name:
            case "GetStorage":
                storage = Storage(serial_number=f"raw-{access.rest.host}", name="raw")
                if bad == "core_owned":
                    storage.id = "7"
                yield pb.GetStorageResponse(storage=storage)
            case "ListStoragePools":
                self.take_time(access)
                pool = StoragePool(native_storage_pool_id="1", total_capacity=1 << 40)
                yield pb.ListStoragePoolsResponse(items=[pool], complete=True)
            case "ListVolumes":
                yield from self.volumes(bad)
                self.take_time(access)
                yield pb.ListVolumesResponse(complete=True)
            case "ParseAlert":
                if len(request.traps) > 500 and self.bad != "takes_anything":
                    raise Refused("INVALID_INPUT", "At most 500 traps are taken.")
                yield pb.ParseAlertResponse(results=[pb.ParsedTrap() for _ in request.traps])
            case _:
                yield methods()[name].response()

    def take_time(self, access: AccessInfo) -> None:
        time.sleep(float(access.extra_attributes.get("seconds", "0")))

    def volumes(self, bad: str) -> Iterator[pb.ListVolumesResponse]:
        volumes = [Volume(native_volume_id=str(number), native_storage_pool_id="1") for number in range(3)]
        answer = pb.ListVolumesResponse(items=volumes)
        match bad:
            case "complete_early":
                answer.complete = True
            case "too_many":
                answer.items.extend(Volume(native_volume_id=f"more {number}") for number in range(500))
            case "too_large":
                answer.items[0].description = "x" * (1 << 20)
            case "empty_first":
                yield pb.ListVolumesResponse()
            case "no_ids":
                answer.items[0].ClearField("native_volume_id")
            case "much_native":
                answer.items[0].native.update({f"key {key}": "value" for key in range(40)})
            case "core_owned":
                answer.items[0].storage_id = "another"
            case "foreign_fields":
                answer.items[0].MergeFromString(b"\xa0\x06\x07")  # field 100, which no volume has
            case _:
                pass
        yield answer


def serve(bad: str, address: str) -> tuple[grpc.Server, RawHost]:
    host = RawHost(bad)
    options = [("grpc.max_receive_message_length", 64 << 20)] if bad == "fragile" else []
    server = grpc.server(ThreadPoolExecutor(1 if bad == "one_thread" else 16), options=options)
    server.add_generic_rpc_handlers((host,))
    healthy = health.HealthServicer()
    healthy.set("", health_pb2.HealthCheckResponse.SERVING)
    if bad != "half_healthy":
        healthy.set(SERVICE.full_name, health_pb2.HealthCheckResponse.SERVING)
    health_pb2_grpc.add_HealthServicer_to_server(healthy, server)
    if bad != "no_reflection":
        add_reflection(server)
    server.add_insecure_port(address)
    server.start()
    return server, host


def add_reflection(server: grpc.Server) -> None:
    names = (SERVICE.full_name, *(f"grpc.reflection.{version}.ServerReflection" for version in ("v1", "v1alpha")))
    servicer = reflection.ReflectionServicer(names)
    info: Callable[..., Any] = servicer.ServerReflectionInfo
    handler = grpc.stream_stream_rpc_method_handler(
        info,
        request_deserializer=reflection_pb2.ServerReflectionRequest.FromString,
        response_serializer=reflection_pb2.ServerReflectionResponse.SerializeToString,
    )
    for name in names[1:]:
        server.add_generic_rpc_handlers(
            (grpc.method_handlers_generic_handler(name, {"ServerReflectionInfo": handler}),)
        )


def main() -> None:
    stop = threading.Event()
    if len(sys.argv) > 2:
        folder, *bads = sys.argv[1:]
        servers = [serve(bad, f"unix:{folder}/{bad}.sock") for bad in bads]
        print("ready", flush=True)
        signal.signal(signal.SIGTERM, lambda *_: stop.set())
        stop.wait()
        for server, _ in servers:
            server.stop(0)
        return
    bad = sys.argv[1]
    if bad == "exits":
        print("no licence found", flush=True)
        sys.exit(3)
    if bad == "survives_parent":
        ctypes.CDLL(None).prctl(1, 0, 0, 0, 0)
    server, _ = serve(bad, os.environ["DELPHIS_DRIVER_ENDPOINT"].replace("unix://", "unix:"))
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    stop.wait()
    if bad == "hangs_up":
        os._exit(0)
    server.stop(8).wait()
    os._exit(1 if bad == "exit_1" else 0)


if __name__ == "__main__":
    main()
