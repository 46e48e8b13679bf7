"""One gRPC channel to a server, with the caller's token and deadline on every call."""

from __future__ import annotations

import ipaddress
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

import click
import grpc
from google.protobuf.message import Message

from delphis.cli.failures import CallFailed
from delphis.cli.settings import Settings

Request = TypeVar("Request", bound=Message)
Response = TypeVar("Response", bound=Message)

MAX_ANSWER = 64 * 1024 * 1024  # bytes; far above any page


def on_this_machine(server: str) -> bool:
    if server.startswith("unix:"):
        return True
    host = server.rpartition(":")[0].strip("[]")
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


class Connection:
    """Calls methods of a server's stubs; a failure ends the command with a message and an exit code."""

    def __init__(self, settings: Settings, channel: grpc.Channel, token: str | None) -> None:
        self.settings = settings
        self.channel = channel
        self._metadata = (("authorization", f"Bearer {token}"),) if token else ()

    def call(
        self,
        method: grpc.UnaryUnaryMultiCallable[Request, Response],
        request: Request,
        *,
        timeout: float | None = None,
    ) -> Response:
        """The method's answer.

        Raises:
            CallFailed: the server refused, failed or stayed away.
        """
        return self.call_with_headers(method, request, timeout=timeout)[0]

    def call_with_headers(
        self,
        method: grpc.UnaryUnaryMultiCallable[Request, Response],
        request: Request,
        *,
        timeout: float | None = None,
    ) -> tuple[Response, dict[str, str]]:
        """As `call`; with the answer's initial metadata."""
        try:
            answer, call = method.with_call(
                request, timeout=timeout or self.settings.timeout, metadata=self._metadata or None
            )
        except grpc.RpcError as error:
            raise CallFailed(error, server=self.settings.server, as_json=self.settings.json) from None
        headers = {key: value for key, value in call.initial_metadata() or () if isinstance(value, str)}
        return answer, headers


@contextmanager
def connected(settings: Settings) -> Generator[Connection]:
    token = settings.token()
    options = [("grpc.max_receive_message_length", MAX_ANSWER)]
    if settings.tls:
        roots = Path(settings.tls_ca).read_bytes() if settings.tls_ca else None
        channel = grpc.secure_channel(settings.server, grpc.ssl_channel_credentials(roots), options)
    else:
        if token and not settings.plaintext and not on_this_machine(settings.server):
            raise click.UsageError(
                f"the token would cross the network to {settings.server} in clear: "
                "use --tls or --tls-ca, or --plaintext if the network is yours"
            )
        channel = grpc.insecure_channel(settings.server, options)
    with channel:
        yield Connection(settings, channel, token)
