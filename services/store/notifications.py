"""PostgreSQL's LISTEN/NOTIFY: hints from other processes. SQLite has one process and needs none."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable
from typing import Any

from services.store.backend import Backend, Postgresql
from services.store.connection import Connection
from services.store.signals import Signals

log = logging.getLogger(__name__)

RECONNECT_SECONDS = 5.0


def notify(connection: Connection, channel: str, topics: Iterable[str]) -> None:
    """Sends the topics to the other processes that listen to the channel, with the commit."""
    if connection.dialect == "postgresql":
        for topic in sorted(topics):
            connection.execute("SELECT pg_notify(%s, %s)", (channel, topic))


class Listener:
    """Turns notifications into signals. It starts with the first use of the store in an event loop."""

    def __init__(self, backend: Backend, channel: str, signals: Signals) -> None:
        self._backend = backend
        self._channel = channel
        self._signals = signals
        self._task: asyncio.Task[None] | None = None

    def ensure(self) -> None:
        """Starts listening, once, where there is something to listen to."""
        if self._task is None and isinstance(self._backend, Postgresql):
            self._task = asyncio.create_task(self._listen(self._backend), name="store-listener")

    async def close(self) -> None:
        """Ends listening."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _listen(self, backend: Postgresql) -> None:
        psycopg: Any = backend.psycopg
        while True:
            try:
                async with await psycopg.AsyncConnection.connect(
                    backend.url, autocommit=True, application_name="delphis-listener", connect_timeout=10
                ) as connection:
                    await connection.execute(f"LISTEN {self._channel}")
                    async for notification in connection.notifies():
                        self._signals.fire([notification.payload])
            except (psycopg.Error, OSError) as error:
                # Whoever waits for hints also polls, so this is slower, not wrong.
                log.warning("listening to the database failed, trying again: %s", error)
            await asyncio.sleep(RECONNECT_SECONDS)
