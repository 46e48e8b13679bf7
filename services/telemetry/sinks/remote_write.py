"""Prometheus remote write 1.0: samples with their own times in POSTs."""

from __future__ import annotations

import base64
from collections.abc import Iterator, Sequence

import cramjam

from delphis.telemetry.v1 import telemetry_pb2
from services.outbound.http_client import HttpClient
from services.outbound.timeouts import Timeouts
from services.telemetry.sinks import wire
from services.telemetry.sinks.destination import Piece
from services.telemetry.sinks.load import Load
from services.telemetry.sinks.secrets import client_certificate

BATCH = 10_000
_HEADERS = {"Content-Encoding": "snappy", "X-Prometheus-Remote-Write-Version": "0.1.0"}


class RemoteWrite:
    """Posts to one address."""

    def __init__(self, settings: telemetry_pb2.RemoteWriteSink, timeouts: Timeouts) -> None:
        self.batch = settings.batch_size or BATCH
        self._url = settings.url
        headers = {header.name: header.value for header in settings.headers}
        if settings.bearer_token:
            headers["Authorization"] = f"Bearer {settings.bearer_token}"
        elif settings.username:
            pair = f"{settings.username}:{settings.password}".encode()
            headers["Authorization"] = f"Basic {base64.b64encode(pair).decode()}"
        credential = headers.get("Authorization", "").partition(" ")[2]
        secrets = [*(header.value for header in settings.headers), settings.password, credential]
        self._client = HttpClient(
            settings,
            timeouts,
            headers=headers,
            secrets=secrets,
            content_type="application/x-protobuf",
            certificate=client_certificate(settings),
        )

    def pieces(self, loads: Sequence[Load]) -> Iterator[Piece]:
        """A request for all, or several for one load that is too large."""
        if len(loads) == 1:
            for part in loads[0].split(self.batch):
                yield from self._request([part])
        else:
            yield from self._request(loads)

    def _request(self, loads: Sequence[Load]) -> Iterator[Piece]:
        body, count = wire.request(loads)
        if count:
            yield Piece(count, [(b"", bytes(cramjam.snappy.compress_raw(body)))])

    async def send(self, piece: Piece) -> None:
        """One POST."""
        for _, body in piece.messages:
            await self._client.post(self._url, body, _HEADERS)

    async def close(self) -> None:
        """Closes its connections."""
        await self._client.close()
