"""Whose turn it is in the probation hosts: each serves one suspect at a time, so that a death tells who caused it."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable

from services.registry.slot import HostSlot
from services.registry.stopping import stopping


class Probation:
    """Hands slots to suspects in the order they come.

    One slot is enough as long as calls end. A suspect that has waited for `patience` seconds gets a further one, up to
    `most`: an array that hangs must not keep those waiting that it made suspects of.
    """

    def __init__(self, driver: str, new_slot: Callable[[], HostSlot], *, most: int, patience: float) -> None:
        self.slots: list[HostSlot] = []
        self._driver = driver
        self._new_slot = new_slot
        self._most = most
        self._patience = patience
        self._free: list[HostSlot] = []
        self._turns: dict[str, tuple[HostSlot, int]] = {}
        self._waiting: deque[tuple[str, asyncio.Future[HostSlot]]] = deque()
        self._closed = False

    def has_turn(self, storage_id: str) -> bool:
        """Whether the array's calls run in a probation host now."""
        return storage_id in self._turns

    async def enter(self, storage_id: str) -> HostSlot:
        """The slot for a call to the array, when it is its turn. Each `enter` that returns needs a `leave`."""
        if self._closed:
            raise stopping(self._driver)
        turn = self._turns.get(storage_id)
        if turn is not None and not self._waiting:
            self._turns[storage_id] = (turn[0], turn[1] + 1)
            return turn[0]
        if not self.slots:
            self._add_slot()
        waiter: asyncio.Future[HostSlot] = asyncio.get_running_loop().create_future()
        self._waiting.append((storage_id, waiter))
        self._hand_out()
        try:
            while True:
                await asyncio.wait({waiter}, timeout=self._patience)
                if waiter.done():
                    return waiter.result()
                if len(self.slots) < self._most and storage_id not in self._turns:
                    self._add_slot()
                    self._hand_out()
        except asyncio.CancelledError:
            if waiter.done():
                if waiter.exception() is None:
                    self.leave(storage_id)
            else:
                self._waiting.remove((storage_id, waiter))
            raise

    def close(self) -> None:
        """Answers all who wait with SERVICE_UNAVAILABLE: there is no further turn."""
        self._closed = True
        waiting, self._waiting = self._waiting, deque()
        for _, waiter in waiting:
            if not waiter.done():
                waiter.set_exception(stopping(self._driver))

    def leave(self, storage_id: str) -> None:
        """The call ended."""
        slot, count = self._turns[storage_id]
        if count > 1:
            self._turns[storage_id] = (slot, count - 1)
            return
        del self._turns[storage_id]
        self._free.append(slot)
        self._hand_out()

    def _add_slot(self) -> None:
        slot = self._new_slot()
        self.slots.append(slot)
        self._free.append(slot)

    def _hand_out(self) -> None:
        """Gives free slots to those who wait longest; all waiting calls of one array go together."""
        while self._free and self._waiting:
            chosen = next((waiting[0] for waiting in self._waiting if waiting[0] not in self._turns), None)
            if chosen is None:
                return
            slot = self._free.pop()
            calls = [waiter for storage_id, waiter in self._waiting if storage_id == chosen]
            self._waiting = deque(waiting for waiting in self._waiting if waiting[0] != chosen)
            self._turns[chosen] = (slot, len(calls))
            for waiter in calls:
                waiter.set_result(slot)
