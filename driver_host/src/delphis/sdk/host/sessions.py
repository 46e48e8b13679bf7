"""The arrays that are logged in: one driver instance for each storage, made anew when its access info changes."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable

from delphis.driver.v1.storage_driver_pb2 import Target
from delphis.sdk.driver import StorageDriver
from delphis.sdk.redaction import SECRETS, basic_credentials, secrets_of
from delphis.type.v1.access_pb2 import AccessInfo

Close = Callable[[StorageDriver], Awaitable[None]]


class Session:
    """One login."""

    def __init__(self, target: Target, access_info: AccessInfo) -> None:
        self.storage_id = target.storage_id
        self.revision = target.access_revision
        self.access_info = access_info
        self.driver: StorageDriver | None = None
        self.error: BaseException | None = None
        self.settled = asyncio.Event()
        """The login succeeded (then there is a driver), failed (then there is an error), or was given up (neither)."""
        self.calls = 0
        self.last_used = 0.0
        self.retired = False

    def serves(self, target: Target, access_info: AccessInfo) -> bool:
        """Whether a call may use it. Revision 0 is what callers send that count no revisions."""
        return self.revision == target.access_revision and (self.revision > 0 or self.access_info == access_info)


class Sessions:
    """All logins of a host. Used in the host's event loop only."""

    def __init__(self, limit: int, idle: float, close: Close) -> None:
        self._limit = limit
        self._idle = idle
        self._close = close
        self._current: OrderedDict[str, Session] = OrderedDict()
        self._opening: dict[tuple[str, int], Session] = {}
        self._closing: dict[asyncio.Task[None], str] = {}

    def __len__(self) -> int:
        return len(self._current)

    def find(self, target: Target, access_info: AccessInfo) -> Session | None:
        """The session for a call: one that is logged in, or one whose login is under way; None: begin one."""
        current = self._current.get(target.storage_id)
        if current is not None and current.serves(target, access_info):
            self._current.move_to_end(target.storage_id)
            return current
        return self._opening.get((target.storage_id, target.access_revision))

    def begin(self, target: Target, access_info: AccessInfo, plain: frozenset[str]) -> Session:
        """A session whose login the caller does now; it ends in `opened`, `failed` or `abandoned`."""
        session = Session(target, access_info)
        self._opening[session.storage_id, session.revision] = session
        SECRETS.add(session, secrets_of(access_info, plain) | basic_credentials(access_info))
        return session

    def opened(self, session: Session, driver: StorageDriver) -> None:
        """The login succeeded. The session replaces the one with other access info; that ends when its calls have."""
        session.driver = driver
        self._forget_opening(session)
        if session.retired:
            self._end(session)
            return
        session.last_used = asyncio.get_running_loop().time()
        previous = self._current.pop(session.storage_id, None)
        self._current[session.storage_id] = session
        session.settled.set()
        if previous is not None:
            self._retire(previous)
        self._make_room()

    def failed(self, session: Session, error: BaseException) -> None:
        """The login failed: with it fail the calls that wait for it. The next call tries again."""
        session.error = error
        self._forget_opening(session)
        session.settled.set()
        SECRETS.discard(session)

    def abandoned(self, session: Session) -> None:
        """The login takes longer than the call that began it may: the next call tries anew, the late one is closed."""
        session.retired = True
        self._forget_opening(session)
        session.settled.set()

    def enter(self, session: Session) -> StorageDriver:
        """A call begins to use a settled session."""
        assert session.driver is not None
        session.calls += 1
        return session.driver

    def leave(self, session: Session) -> None:
        """The driver came back from the call."""
        session.calls -= 1
        session.last_used = asyncio.get_running_loop().time()
        if session.retired and not session.calls:
            self._end(session)

    def forget(self, storage_id: str) -> None:
        """Logs out, as soon as no call runs. Does nothing where nobody is logged in."""
        current = self._current.pop(storage_id, None)
        if current is not None:
            self._retire(current)
        for key in [key for key in self._opening if key[0] == storage_id]:
            self.abandoned(self._opening[key])

    def close_idle(self) -> None:
        """Logs out where nobody called for long."""
        oldest = asyncio.get_running_loop().time() - self._idle
        for session in list(self._current.values()):
            if not session.calls and session.last_used < oldest:
                self.forget(session.storage_id)

    def forget_all(self) -> None:
        """Logs out everywhere, as soon as no calls run."""
        for storage_id in [*self._current, *(key[0] for key in self._opening)]:
            self.forget(storage_id)

    async def close_all(self) -> None:
        """Logs out everywhere."""
        self.forget_all()
        await self.closed()

    async def closed(self, storage_id: str | None = None) -> None:
        """Waits until what is being logged out is; of one storage, or of all."""
        tasks = [task for task, closing in self._closing.items() if storage_id in (None, closing)]
        if tasks:
            await asyncio.wait(tasks)

    def _make_room(self) -> None:
        newest = next(reversed(self._current), None)
        for storage_id, session in list(self._current.items()):
            if len(self._current) <= self._limit:
                return
            if not session.calls and storage_id != newest:
                self.forget(storage_id)

    def _forget_opening(self, session: Session) -> None:
        key = (session.storage_id, session.revision)
        if self._opening.get(key) is session:
            del self._opening[key]

    def _retire(self, session: Session) -> None:
        session.retired = True
        if not session.calls:
            self._end(session)

    def _end(self, session: Session) -> None:
        task = asyncio.create_task(self._log_out(session))
        self._closing[task] = session.storage_id
        task.add_done_callback(self._closing.pop)

    async def _log_out(self, session: Session) -> None:
        assert session.driver is not None
        try:
            await self._close(session.driver)
        finally:
            SECRETS.discard(session)
            SECRETS.discard(id(session.driver))
