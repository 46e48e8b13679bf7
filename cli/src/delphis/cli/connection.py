"""One gRPC channel to a server, with the caller's token and deadline on every call."""

from __future__ import annotations

import ipaddress
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import grpc
from google.protobuf.message import Message

from delphis.cli.failures import CallFailed, WrongSettings
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
        try:
            return method(request, timeout=timeout or self.settings.timeout, metadata=self._metadata or None)
        except grpc.RpcError as error:
            raise self.failed(error) from None

    def stream(self, method: grpc.UnaryStreamMultiCallable[Request, Response], request: Request) -> Any:
        """The method's answers, without a deadline of ours: an iterator that can be cancelled."""
        return method(request, metadata=self._metadata or None)

    def failed(self, error: grpc.RpcError) -> CallFailed:
        """The failure that a call ended with."""
        return CallFailed(error, server=self.settings.server, as_json=self.settings.json)


@contextmanager
def connected(settings: Settings) -> Generator[Connection]:
    """A connection for a block."""
    token = settings.token()
    options: list[tuple[str, str | int]] = [("grpc.max_receive_message_length", MAX_ANSWER)]
    if settings.tls:
        if settings.tls_server_name:
            options.append(("grpc.ssl_target_name_override", settings.tls_server_name))
        credentials = grpc.ssl_channel_credentials(_roots(settings.tls_ca))
        channel = grpc.secure_channel(settings.server, credentials, options)
    else:
        if token and not settings.plaintext and not on_this_machine(settings.server):
            raise WrongSettings(
                f"the token would cross the network to {settings.server} in clear: "
                "use --tls or --tls-ca, or --plaintext if the network is yours"
            )
        channel = grpc.insecure_channel(settings.server, options)
    with channel:
        yield Connection(settings, channel, token)


def _roots(file: str | None) -> bytes | None:
    if file is None:
        return None
    try:
        return Path(file).read_bytes()
    except OSError as error:
        raise WrongSettings(f"--tls-ca {file} can't be read: {error.strerror}") from None


def pages(
    connection: Connection,
    method: grpc.UnaryUnaryMultiCallable[Request, Response],
    request: Request,
    key: str,
    limit: int | None = None,
) -> Iterator[tuple[list[Message], bool]]:
    """A list's items, page by page, up to `limit`; and whether there are more behind the page."""
    size = min(limit or _PAGE, _PAGE)
    setattr(request, "page_size", size)  # noqa: B010 - every list request has it, their common type has not
    left = limit
    while True:
        answer = connection.call(method, request)
        items: list[Message] = list(getattr(answer, key))
        token: str = getattr(answer, "next_page_token", "")
        more = bool(token)
        if left is not None:
            more = more or len(items) > left
            items = items[:left]
            left -= len(items)
        yield items, more
        if not token or left == 0:
            return
        setattr(request, "page_token", token)  # noqa: B010


_PAGE = 1000
