"""A process that receives into a spool until it is killed. `python -m … FOLDER PORT`; prints its port."""

from __future__ import annotations

import asyncio
import sys
import time
from pathlib import Path

from services.alerts.receiving import Counters, Receiver, Spool, listen
from services.snmp import Decoder, InformDesk, OwnEngine, TimeWindows, UserTable, new_engine_id


async def main(folder: Path, port: int) -> None:
    """Never returns."""
    counters = Counters()
    decoder = Decoder(UserTable(), OwnEngine(new_engine_id(), 1, time.time()), TimeWindows())
    desk = InformDesk(decoder, lambda notification, source: True)
    sockets = listen("127.0.0.1", port)
    spool = Spool(folder, counters=counters, segment_bytes=40_000)
    receiver = Receiver(sockets, spool, desk, counters)
    receiver.start()
    sys.stdout.write(f"{sockets[0].port}\n")
    sys.stdout.flush()
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), int(sys.argv[2])))
