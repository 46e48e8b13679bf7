"""The connection to one driver host."""

from __future__ import annotations

import asyncio

import grpc
from google.protobuf.message import DecodeError
from grpc_health.v1 import health_pb2

from delphis.driver.v1 import storage_driver_pb2
from services.registry.certificate import ShownCertificate
from services.registry.errors import HostSilent
from services.registry.manifest import TlsFiles

MAX_ANSWER_BYTES = 16 * 1024 * 1024
SERVICE = storage_driver_pb2.DESCRIPTOR.services_by_name["StorageDriver"].full_name
_INFO = f"/{SERVICE}/GetDriverInfo"
_HEALTH = "/grpc.health.v1.Health/Check"

_OPTIONS: tuple[tuple[str, int], ...] = (
    # Without a pool of its own a new channel inherits the backoff of the dead host's, seconds of it.
    ("grpc.use_local_subchannel_pool", 1),
    ("grpc.initial_reconnect_backoff_ms", 50),
    ("grpc.min_reconnect_backoff_ms", 50),
    ("grpc.max_reconnect_backoff_ms", 250),
    ("grpc.max_receive_message_length", MAX_ANSWER_BYTES),
    ("grpc.enable_http_proxy", 0),
    ("grpc.enable_retries", 0),
)
# Over a network a peer may vanish without a word.
_TCP_OPTIONS: tuple[tuple[str, int], ...] = (
    ("grpc.keepalive_time_ms", 30_000),
    ("grpc.keepalive_timeout_ms", 10_000),
    ("grpc.http2.max_pings_without_data", 0),
)

UnaryCall = grpc.aio.UnaryUnaryMultiCallable[bytes, bytes]
StreamCall = grpc.aio.UnaryStreamMultiCallable[bytes, bytes]


class HostChannel:
    """A channel of its own, and its methods as bytes in, bytes out."""

    def __init__(self, target: str, tls: TlsFiles | None = None, shown: ShownCertificate | None = None) -> None:
        """Opens nothing yet. OSError where a file of `tls` can't be read.

        `shown` is the one certificate that the host may show, which was checked before.
        """
        if tls is None:
            self._channel = grpc.aio.insecure_channel(target, _OPTIONS)
        else:
            # What is trusted is that certificate itself instead of who issued it, so no other will do.
            trusted = shown.pem if shown is not None else tls.ca.read_bytes()
            credentials = grpc.ssl_channel_credentials(trusted, tls.key.read_bytes(), tls.cert.read_bytes())
            options: tuple[tuple[str, int | str], ...] = (*_OPTIONS, *_TCP_OPTIONS)
            name = shown.name if shown is not None else tls.server_name
            if name:
                options = (*options, ("grpc.ssl_target_name_override", name))
            self._channel = grpc.aio.secure_channel(target, credentials, options)
        self._unary: dict[str, UnaryCall] = {}
        self._stream: dict[str, StreamCall] = {}

    def unary(self, path: str) -> UnaryCall:
        """The unary method `/service/Method`."""
        method = self._unary.get(path)
        if method is None:
            method = self._unary[path] = self._channel.unary_unary(path)
        return method

    def stream(self, path: str) -> StreamCall:
        """The method that answers a stream."""
        method = self._stream.get(path)
        if method is None:
            method = self._stream[path] = self._channel.unary_stream(path)
        return method

    async def info(self, timeout: float, *, wait_for_ready: bool = False) -> storage_driver_pb2.GetDriverInfoResponse:
        """Asks the host who it is. HostSilent where it doesn't say, DecodeError where nobody understands it."""
        answer = await self._ask(_INFO, timeout, wait_for_ready=wait_for_ready)
        return storage_driver_pb2.GetDriverInfoResponse.FromString(answer)

    async def healthy(self, timeout: float | None) -> bool:
        """Asks the host whether it serves; HostSilent where it doesn't say.

        A host without the health service serves while it answers.
        """
        try:
            answer = await self._ask(_HEALTH, timeout)
        except HostSilent as error:
            if error.code in (grpc.StatusCode.UNIMPLEMENTED, grpc.StatusCode.NOT_FOUND):
                return True
            raise
        try:
            status = health_pb2.HealthCheckResponse.FromString(answer).status
        except DecodeError as error:
            raise HostSilent(grpc.StatusCode.INTERNAL, "its answer is no HealthCheckResponse") from error
        return status == health_pb2.HealthCheckResponse.SERVING

    async def close(self) -> None:
        """Closes it. Calls in flight would be cancelled, not failed: close it when there are none."""
        await self._channel.close()

    async def _ask(self, path: str, timeout: float | None, *, wait_for_ready: bool = False) -> bytes:
        try:
            return await self.unary(path)(b"", timeout=timeout, wait_for_ready=wait_for_ready)
        except grpc.aio.AioRpcError as error:
            raise HostSilent(error.code(), error.details() or "") from error
        except grpc.aio.UsageError as error:
            raise HostSilent(grpc.StatusCode.CANCELLED, str(error)) from error
        except asyncio.CancelledError as error:
            if given_up():
                raise
            raise HostSilent(grpc.StatusCode.CANCELLED, "the channel was closed") from error


def given_up() -> bool:
    """Whether a CancelledError is the task's own: gRPC raises one as well where a channel is closed under a call."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0
