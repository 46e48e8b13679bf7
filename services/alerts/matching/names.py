"""Names of arrays to addresses, in threads and again and again: names move."""

from __future__ import annotations

import asyncio
import logging
import socket
import time
from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass

from services.alerts.matching.address import normalised

log = logging.getLogger(__name__)

FRESH_SECONDS = 60.0
"""How long what a name meant is taken as it is."""
AT_ONCE = 8
PATIENCE = 10.0

Lookup = Callable[[str], Awaitable[tuple[str, ...]]]


async def look_up(name: str) -> tuple[str, ...]:
    """The addresses of a name. OSError where it has none."""
    found = await asyncio.get_running_loop().getaddrinfo(name, None, type=socket.SOCK_DGRAM)
    return tuple(sorted({address for *_, place in found if (address := normalised(str(place[0])))}))


@dataclass(slots=True)
class _Known:
    addresses: tuple[str, ...]
    at: float
    failed: bool = False


class Names:
    """What names mean. A name that can't be resolved for now keeps what it meant before."""

    def __init__(self, lookup: Lookup = look_up, clock: Callable[[], float] = time.monotonic) -> None:
        self._lookup = lookup
        self._clock = clock
        self._known: dict[str, _Known] = {}

    def addresses(self, name: str) -> tuple[str, ...]:
        """The addresses as far as they are known; an address means itself."""
        address = normalised(name)
        if address:
            return (address,)
        known = self._known.get(name.lower())
        return known.addresses if known is not None else ()

    async def refresh(self, names: Collection[str]) -> bool:
        """Looks up the names that are new or old, forgets the others. Whether one means something else now."""
        wanted = {name.lower() for name in names if name and not normalised(name)}
        before = self._meanings()
        for name in self._known.keys() - wanted:
            del self._known[name]
        now = self._clock()
        due = [name for name in wanted if (known := self._known.get(name)) is None or now - known.at >= FRESH_SECONDS]
        gate = asyncio.Semaphore(AT_ONCE)

        async def one(name: str) -> None:
            async with gate:
                await self._refresh(name)

        await asyncio.gather(*(one(name) for name in due))
        return before != self._meanings()

    async def _refresh(self, name: str) -> None:
        known = self._known.get(name)
        try:
            async with asyncio.timeout(PATIENCE):
                addresses = await self._lookup(name)
        except (OSError, TimeoutError, UnicodeError) as error:
            if known is None or not known.failed:
                log.warning("the name %s, by which traps of an array may come, can't be resolved: %s", name, error)
            self._known[name] = _Known(known.addresses if known else (), self._clock(), failed=True)
            return
        self._known[name] = _Known(addresses, self._clock())

    def _meanings(self) -> Mapping[str, tuple[str, ...]]:
        return {name: known.addresses for name, known in self._known.items()}
