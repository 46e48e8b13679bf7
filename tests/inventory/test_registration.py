from __future__ import annotations

from pathlib import Path

from tests.inventory.core import core


async def test_it(tmp_path: Path) -> None:
    async with core(tmp_path) as c:
        s = await c.register(1)
        print(s)
        s = await c.wait_synced(s.id)
        print(s)
        print(await c.state(s.id))
