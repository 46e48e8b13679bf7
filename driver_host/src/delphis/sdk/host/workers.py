"""Where the driver's code runs: threads that nobody waits for when they don't come back; one loop for async drivers."""

from __future__ import annotations

import asyncio
import inspect
import itertools
import queue
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from concurrent.futures import Future
from typing import Any, TypeVar

from delphis.sdk import errors

_T = TypeVar("_T")


class Workers:
    """Threads, made when needed. Who puts a job holds a permit, so no more jobs come than threads may be made."""

    def __init__(self) -> None:
        self._jobs: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._idle = 0
        self._numbers = itertools.count(1)

    def put(self, job: Callable[[], None]) -> None:
        """Runs a job that raises nothing. RuntimeError where no thread can be had for it."""
        with self._lock:
            new = self._idle == 0
            self._idle -= 0 if new else 1
        if new:
            # Daemons: a driver that never returns must not keep the process alive.
            threading.Thread(target=self._work, name=f"driver-{next(self._numbers)}", daemon=True).start()
        self._jobs.put(job)

    def _work(self) -> None:
        while True:
            self._jobs.get()()
            with self._lock:
                self._idle += 1


class AsyncDrivers:
    """The event loop of async drivers, in a thread of its own that is made with the first."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None

    def submit(self, coroutine: Coroutine[Any, Any, _T]) -> Future[_T]:
        """Runs a coroutine there."""
        with self._lock:
            if self._loop is None:
                self._loop = asyncio.new_event_loop()
                threading.Thread(target=self._loop.run_forever, name="async-drivers", daemon=True).start()
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop)


ASYNC_DRIVERS = AsyncDrivers()


class Job:
    """One piece of driver work in a thread. It can be given up, but not stopped."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._given_up = False
        self._pending: Future[Any] | None = None
        # Batches that may lie between the thread and the caller.
        self._room = threading.Semaphore(2)

    @property
    def given_up(self) -> bool:
        """Nobody waits for the result."""
        return self._given_up

    def give_up(self) -> None:
        """Cancels what is async, wakes what waits for the caller; other code comes back when it likes."""
        with self._lock:
            self._given_up = True
            pending = self._pending
        self._room.release()
        if pending is not None:
            pending.cancel()

    def wait_for_room(self) -> bool:
        """Before a batch is handed over. False: nobody wants it."""
        self._room.acquire()
        return not self._given_up

    def taken(self) -> None:
        """A batch reached the caller's connection."""
        self._room.release()

    def resolve(self, value: Awaitable[_T] | _T) -> _T:
        """What an `async def` promised, or the value itself. Called in the thread."""
        return self._wait(_as_coroutine(value)) if inspect.isawaitable(value) else value

    def take(self, source: AsyncIterator[_T], count: int) -> list[_T]:
        """The next items of an async generator; fewer than `count` where it ends. Called in the thread."""
        return self._wait(_take(source, count))

    def close(self, source: AsyncIterator[Any]) -> None:
        """Lets an async generator run its `finally`. Called in the thread."""
        if self.given_up:
            ASYNC_DRIVERS.submit(_close(source))  # its own code may take as long as it likes
        else:
            self._wait(_close(source))

    def _wait(self, coroutine: Coroutine[Any, Any, _T]) -> _T:
        with self._lock:
            if self._given_up:
                coroutine.close()
                raise errors.ArrayTimeout
            pending = ASYNC_DRIVERS.submit(coroutine)
            self._pending = pending
        try:
            return pending.result()
        finally:
            self._pending = None


async def _as_coroutine(value: Awaitable[_T]) -> _T:
    return await value


async def _take(source: AsyncIterator[_T], count: int) -> list[_T]:
    items: list[_T] = []
    async for item in source:
        items.append(item)
        if len(items) == count:
            break
    return items


async def _close(source: AsyncIterator[Any]) -> None:
    close = getattr(source, "aclose", None)
    if close is not None:
        await close()
