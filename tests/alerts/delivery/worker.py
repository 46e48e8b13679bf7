"""An alerts service that reports and delivers, to be killed: `python -m tests.alerts.delivery.worker FOLDER FIRST`.

Prints `ready`, then the number of each alert once it is stored.
"""

from __future__ import annotations

import asyncio
import itertools
import sys
from pathlib import Path

from services.alerts.book.reports import StorageFacts
from tests.alerts.delivery.scene import scene

ARRAYS = [StorageFacts(id=f"00000000-0000-4000-8000-00000000000{number}", name=f"box{number}") for number in range(5)]


async def main(folder: Path, first: int) -> None:
    """Never ends."""
    async with scene(folder) as made:
        print("ready", flush=True)
        for number in itertools.count(first):
            await made.report(f"n{number}", storage=ARRAYS[number % len(ARRAYS)])
            print(number, flush=True)
            if number % 10 == 0:
                await asyncio.sleep(0.005)


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), int(sys.argv[2])))
