"""The connection to a process whose methods are relayed, kept open whether or not anybody calls."""

from __future__ import annotations

import asyncio
import contextlib
import logging

import grpc

log = logging.getLogger(__name__)

PATIENCE = 5.0
"""Seconds for which calls wait for a process that went away: one that is started again is latency, not an error."""
NOTICE_SECONDS = 0.2
"""A channel hears of a broken connection a moment after the calls on it."""


class Connection:
    """A channel, and since when it leads nowhere."""

    def __init__(self, name: str, channel: grpc.aio.Channel) -> None:
        """Begins to connect; to be called in the event loop that calls."""
        self.channel = channel
        self._name = name
        self._connected = asyncio.Event()
        self._away_since = asyncio.get_running_loop().time()
        self._closing = False
        self._task = asyncio.create_task(self._watch(), name=f"connection to {name}")

    @property
    def connected(self) -> bool:
        """Whether the process can be reached, as far as is known."""
        return self._connected.is_set()

    async def wait(self, until: float) -> bool:
        """Waits for a connection until the loop's time `until`, but not for a process that has been away for long."""
        if self._connected.is_set():
            return True
        try:
            async with asyncio.timeout_at(min(until, self._away_since + PATIENCE)):
                await self._connected.wait()
        except TimeoutError:
            return False
        return True

    async def settle(self) -> None:
        """After a call that found the connection broken: returns when the channel has noticed, too."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(NOTICE_SECONDS):
                while (state := self.channel.get_state()) is grpc.ChannelConnectivity.READY:
                    await self.channel.wait_for_state_change(state)
        self._set(connected=self.channel.get_state() is grpc.ChannelConnectivity.READY)

    async def close(self) -> None:
        """Closes the channel."""
        self._closing = True
        self._task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._task
        await self.channel.close()

    async def _watch(self) -> None:
        while not self._closing:
            state = self.channel.get_state(try_to_connect=True)
            self._set(connected=state is grpc.ChannelConnectivity.READY)
            await self.channel.wait_for_state_change(state)

    def _set(self, *, connected: bool) -> None:
        if connected and not self._connected.is_set():
            log.info("the %s process is there", self._name)
            self._connected.set()
        elif not connected and self._connected.is_set():
            log.warning("the %s process went away", self._name)
            self._away_since = asyncio.get_running_loop().time()
            self._connected.clear()
