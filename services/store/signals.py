"""Hints that something was committed. A hint may get lost: whoever waits also looks by himself from time to time."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Iterable


class Signals:
    """Wakes waiting tasks of one event loop.

    Whoever looks and then waits takes a `mark` before looking, so that what is committed in between wakes him at once.
    """

    def __init__(self) -> None:
        self._fired: defaultdict[str, int] = defaultdict(int)
        self._waiting: defaultdict[str, set[asyncio.Future[None]]] = defaultdict(set)

    def mark(self, topic: str) -> int:
        """Where the topic stands now."""
        return self._fired[topic]

    def fire(self, topics: Iterable[str]) -> None:
        """Wakes all that wait for the topics. To be called in the event loop."""
        for topic in topics:
            self._fired[topic] += 1
            for future in self._waiting.pop(topic, ()):
                if not future.done():
                    future.set_result(None)

    async def wait(self, topic: str, mark: int, timeout: float) -> bool:
        """Waits for a hint after the mark, at most `timeout` seconds. False: none came."""
        if self._fired[topic] != mark:
            return True
        future = asyncio.get_running_loop().create_future()
        self._waiting[topic].add(future)
        try:
            async with asyncio.timeout(timeout):
                await future
        except TimeoutError:
            return False
        else:
            return True
        finally:
            self._waiting[topic].discard(future)
