"""A core for the test of parent death: starts a host with a child in flight, prints its pid, and waits to be killed."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from tests.registry.support import house


async def main(folder: Path) -> None:
    async with house(folder) as home:
        print(await home.pid(home.arrays.add("a1")), flush=True)
        await home.router.unary("GetStorage", home.arrays.add("busy", "freeze=600"))


if __name__ == "__main__":
    if "uvloop" in sys.argv:
        import uvloop

        uvloop.run(main(Path(sys.argv[1])))
    else:
        asyncio.run(main(Path(sys.argv[1])))
