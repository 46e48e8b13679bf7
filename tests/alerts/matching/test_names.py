"""Names of arrays are resolved again and again, and never hold anybody up."""

from __future__ import annotations

import asyncio

from services.alerts.matching.names import FRESH_SECONDS, Names


class Zone:
    """Answers for names; the clock is its own."""

    def __init__(self) -> None:
        self.now = 0.0
        self.asked = 0
        self.addresses: dict[str, tuple[str, ...]] = {}

    async def look_up(self, name: str) -> tuple[str, ...]:
        self.asked += 1
        await asyncio.sleep(0)
        if name not in self.addresses:
            raise OSError("no such name")
        return self.addresses[name]

    def names(self) -> Names:
        return Names(self.look_up, lambda: self.now)


def test_a_name_moves_and_survives_an_outage() -> None:
    async def scenario() -> None:
        zone = Zone()
        names = zone.names()
        zone.addresses["array-1"] = ("192.0.2.1",)
        assert names.addresses("array-1") == ()
        assert await names.refresh(["Array-1", "192.0.2.9"])
        assert names.addresses("ARRAY-1") == ("192.0.2.1",)
        assert names.addresses("192.0.2.9") == ("192.0.2.9",)
        zone.addresses["array-1"] = ("192.0.2.2", "2001:db8::2")
        assert not await names.refresh(["array-1"])  # it is fresh
        zone.now += FRESH_SECONDS
        assert await names.refresh(["array-1"])
        assert names.addresses("array-1") == ("192.0.2.2", "2001:db8::2")
        del zone.addresses["array-1"]
        zone.now += FRESH_SECONDS
        assert not await names.refresh(["array-1"])
        assert names.addresses("array-1") == ("192.0.2.2", "2001:db8::2")
        assert zone.asked == 3
        assert await names.refresh([])
        assert names.addresses("array-1") == ()

    asyncio.run(scenario())
