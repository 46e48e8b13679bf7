"""Calls a driver host as the router does: bytes in, bytes out, errors taken apart."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import grpc
from google.protobuf.message import DecodeError, Message
from google.rpc import error_details_pb2, status_pb2
from grpc_health.v1 import health_pb2

from delphis.sdk.host.contract import SERVICE, methods
from delphis.sdk.status import STATUS_DETAILS

HEALTH_CHECK = "/grpc.health.v1.Health/Check"


@dataclass(frozen=True)
class TlsFiles:
    """PEM files of a mutual TLS connection."""

    ca: Path
    cert: Path
    key: Path
    server_name: str = ""


@dataclass(frozen=True)
class Reply:
    """How a call ended."""

    rpc: str
    """`ListVolumes`, or the path of a method of another service."""
    payloads: tuple[bytes, ...]
    """The messages, serialised; of a stream that failed those that came before."""
    code: grpc.StatusCode
    message: str = ""
    reason: str = ""
    """Of google.rpc.ErrorInfo; empty where there is none."""
    domain: str = ""
    metadata: dict[str, str] = field(default_factory=dict[str, str])
    retry_after: float | None = None
    trailers: tuple[tuple[str, bytes], ...] = ()
    seconds: float = 0.0
    detailed: bool = False
    """The error came with a google.rpc.Status."""
    inconsistent: str = ""
    """What in the google.rpc.Status differs from the gRPC status."""

    @property
    def ok(self) -> bool:
        """The call succeeded."""
        return self.code == grpc.StatusCode.OK

    def __str__(self) -> str:
        if self.ok:
            return f"{self.rpc} succeeded"
        reason = f" {self.reason}" if self.reason else ""
        return f"{self.rpc} failed with {self.code.name}{reason}: {self.message}"


class HostClient:
    """A connection to one host."""

    def __init__(
        self, target: str, tls: TlsFiles | None = None, on_reply: Callable[[Reply], None] = lambda _: None
    ) -> None:
        """
        Args:
            target: The address as gRPC writes it: `unix:/path` or `host:port`.
            tls: For hosts over TCP.
            on_reply: Told how each call ended, in the caller's thread.
        """
        self._on_reply = on_reply
        options: list[tuple[str, Any]] = [
            ("grpc.use_local_subchannel_pool", 1),
            ("grpc.max_receive_message_length", 64 << 20),
            ("grpc.initial_reconnect_backoff_ms", 50),
            ("grpc.max_reconnect_backoff_ms", 500),
        ]
        if tls is None:
            self._channel: Any = grpc.insecure_channel(target, options)
        else:
            if tls.server_name:
                options.append(("grpc.ssl_target_name_override", tls.server_name))
            credentials = grpc.ssl_channel_credentials(tls.ca.read_bytes(), tls.key.read_bytes(), tls.cert.read_bytes())
            self._channel = grpc.secure_channel(target, credentials, options)

    def close(self) -> None:
        """Ends the connection and what runs on it."""
        self._channel.close()

    def call(self, rpc: str, request: Message | bytes, timeout: float = 10.0) -> Reply:
        """Makes a call and waits for its end.

        Args:
            rpc: `ListVolumes`, or the path of a method.
            request: The request, or any bytes in its place.
            timeout: Seconds until its deadline.
        """
        begin = time.monotonic()
        payloads: list[bytes] = []
        pending = self.start(rpc, request, timeout)
        try:
            payloads.extend(pending)
            code: grpc.StatusCode = pending.code()
        except grpc.RpcError:
            code = pending.code()
        return self.ended(rpc, pending, code, payloads, begin)

    def start(self, rpc: str, request: Message | bytes, timeout: float) -> Any:
        """Begins a call: an iterator of serialised messages, with `cancel`, `code`, `details`."""
        path = rpc if rpc.startswith("/") else f"/{SERVICE.full_name}/{rpc}"
        data = request if isinstance(request, bytes) else request.SerializeToString()
        # On the wire an answer of one message is a stream of one.
        return self._channel.unary_stream(path)(data, timeout=timeout)

    def ended(self, rpc: str, pending: Any, code: grpc.StatusCode, payloads: list[bytes], begin: float) -> Reply:
        """The reply of a call that `start` began and that has ended."""
        trailers = tuple(
            (str(key), value if isinstance(value, bytes) else str(value).encode())
            for key, value in (*(pending.initial_metadata() or ()), *(pending.trailing_metadata() or ()))
        )
        reply = _reply(rpc, code, pending.details() or "", tuple(payloads), trailers, time.monotonic() - begin)
        self._on_reply(reply)
        return reply

    def stream(self, rpc: str, requests: list[bytes], timeout: float) -> list[bytes]:
        """A call with several requests, such as reflection. Raises grpc.RpcError."""
        return list(self._channel.stream_stream(rpc)(iter(requests), timeout=timeout))

    def health(self, service: str = "", timeout: float = 5.0) -> str:
        """What grpc.health.v1 says: `SERVING`, …; or the name of the gRPC code that it failed with."""
        reply = self.call(HEALTH_CHECK, health_pb2.HealthCheckRequest(service=service), timeout)
        if not reply.ok or not reply.payloads:
            return reply.code.name
        try:
            status = health_pb2.HealthCheckResponse.FromString(reply.payloads[0]).status
            return health_pb2.HealthCheckResponse.ServingStatus.Name(status)
        except (DecodeError, ValueError):
            return "no answer of grpc.health.v1"

    def serves(self, timeout: float) -> bool:
        """Whether the host is ready: healthy, or able to say why its driver can't be loaded."""
        if self.health("", timeout) == "SERVING":
            return True
        reply = self.call("GetDriverInfo", b"", timeout)
        if not reply.ok or not reply.payloads:
            return False
        info: Any = methods()["GetDriverInfo"].response()
        info.ParseFromString(reply.payloads[0])
        return bool(info.load_error)


def _reply(
    rpc: str,
    code: grpc.StatusCode,
    message: str,
    payloads: tuple[bytes, ...],
    trailers: tuple[tuple[str, bytes], ...],
    seconds: float,
) -> Reply:
    raw = dict(trailers).get(STATUS_DETAILS)
    if raw is None:
        return Reply(rpc, payloads, code, message, trailers=trailers, seconds=seconds)
    try:
        status = status_pb2.Status.FromString(raw)
    except DecodeError:
        wrong = "its trailer is no google.rpc.Status"
        return Reply(
            rpc, payloads, code, message, trailers=trailers, seconds=seconds, detailed=True, inconsistent=wrong
        )
    infos = [info for detail in status.details if detail.Unpack(info := error_details_pb2.ErrorInfo())]
    delays = [retry for detail in status.details if detail.Unpack(retry := error_details_pb2.RetryInfo())]
    wrong = ""
    if status.code != code.value[0]:
        wrong = f"its google.rpc.Status has the code {status.code}, the call {code.value[0]}"
    elif len(infos) > 1:
        wrong = f"it has {len(infos)} ErrorInfo"
    return Reply(
        rpc,
        payloads,
        code,
        message,
        reason=infos[0].reason if infos else "",
        domain=infos[0].domain if infos else "",
        metadata=dict(infos[0].metadata) if infos else {},
        retry_after=delays[0].retry_delay.ToTimedelta().total_seconds() if delays else None,
        trailers=trailers,
        seconds=seconds,
        detailed=True,
        inconsistent=wrong,
    )
