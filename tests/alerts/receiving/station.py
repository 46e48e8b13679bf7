"""A receiver on real sockets, in the test's loop."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from services.alerts.receiving import Counters, Receiver, Spool, SpooledDatagram, TrapSocket, listen
from services.alerts.receiving.spool import START
from services.snmp import Decoder, InformDesk, Notification, OwnEngine, TimeWindows, User, UserTable, new_engine_id


@dataclass
class Station:
    """What a test looks at."""

    receiver: Receiver
    spool: Spool
    counters: Counters
    sockets: list[TrapSocket]
    decoder: Decoder

    @property
    def port(self) -> int:
        return self.sockets[0].port

    def spooled(self, most: int = 1_000_000) -> list[SpooledDatagram]:
        return self.spool.read(START, most)

    def decode(self, record: SpooledDatagram) -> Notification:
        return self.decoder.decode(record.data, record.received_at_ns / 1e9, answered=record.answered)


async def eventually(holds: Callable[[], bool], seconds: float = 60.0) -> None:
    """Returns as soon as it holds; fails after `seconds`."""
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, "it never held"
        await asyncio.sleep(0.01)


@asynccontextmanager
async def station(
    folder: Path, *, host: str = "127.0.0.1", users: Iterable[User] = (), allow: bool = True, **limits: Any
) -> AsyncGenerator[Station]:
    """Listens on a free port."""
    receiving = {name: limits.pop(name) for name in ("batch", "questions") if name in limits}
    room = limits.pop("buffer_bytes", 8 * 2**20)
    counters = Counters()
    engine = OwnEngine(new_engine_id(), 1, time.time())
    table = UserTable(users)
    desk = InformDesk(Decoder(table, engine, TimeWindows()), lambda notification, source: allow)
    sockets = listen(host, 0, buffer_bytes=room)
    with Spool(folder, counters=counters, **limits) as spool:
        receiver = Receiver(sockets, spool, desk, counters, **receiving)
        receiver.start()
        try:
            yield Station(receiver, spool, counters, sockets, Decoder(table, engine, TimeWindows()))
        finally:
            receiver.close()
