"""Asking an array who it is, before or after it is registered."""

from __future__ import annotations

import asyncio
import logging
import uuid
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

from google.protobuf.message import DecodeError

from delphis.driver.v1 import storage_driver_pb2
from delphis.type.v1 import access_pb2, storage_pb2
from services.calls.errors import CallError
from services.inventory.access.identity import login_of
from services.registry.manifest import Pair
from services.router.router import Router

log = logging.getLogger(__name__)

MAX_STORAGE_BYTES = 64 * 1024
"""What an array may say of itself, serialised."""
MAX_SERIAL = 255
CLOSE_SECONDS = 10.0
# What is left of a caller's time for the store, after the array has answered.
_STORE_SECONDS, _STORE_SHARE = 2.0, 0.2
# Then no host has a session to forget.
_NO_SESSION = ("DRIVER_HOST_UNAVAILABLE", "DRIVER_HOST_START_FAILED", "DRIVER_LOAD_FAILED", "ARRAY_QUARANTINED")


@dataclass(frozen=True, slots=True)
class Said:
    """What an array says of itself."""

    storage: storage_pb2.Storage
    warnings: tuple[str, ...]

    @property
    def serial_number(self) -> str:
        return self.storage.serial_number


def said(answer: bytes, driver: str) -> Said:
    """The answer to GetStorage, checked. CallError where it is none, or lacks the serial number."""
    try:
        response = storage_driver_pb2.GetStorageResponse.FromString(answer)
    except DecodeError:
        raise CallError(
            "DRIVER_BROKE_CONTRACT",
            f"The driver of {driver} answered GetStorage with something else.",
            metadata={"driver": driver, "method": "GetStorage"},
        ) from None
    storage = response.storage
    if not storage.serial_number.strip():
        raise CallError(
            "INVALID_RESULTS",
            f"The array gave no serial number through the driver of {driver}, so it can't be told from others.",
            metadata={"driver": driver},
        )
    if len(storage.serial_number) > MAX_SERIAL or storage.ByteSize() > MAX_STORAGE_BYTES:
        raise CallError(
            "DRIVER_BROKE_CONTRACT",
            f"The driver of {driver} says too much in GetStorage: at most {MAX_SERIAL} characters of serial number and"
            f" {MAX_STORAGE_BYTES} bytes in all are taken.",
            metadata={"driver": driver, "method": "GetStorage"},
        )
    if "\0" in storage.serial_number:
        storage.serial_number = storage.serial_number.replace("\0", "")
    return Said(storage, tuple(warning.message for warning in response.warnings))


class Arrays:
    """Calls to arrays that are not registered, or not with this access info."""

    def __init__(self, router: Router, forget: Callable[[str], None]) -> None:
        """`forget` tells the registry that nobody will call for a storage id any more."""
        self.router = router
        self._forget = forget
        self._closing: set[asyncio.Task[None]] = set()

    async def driver_info(self, pair: Pair) -> storage_driver_pb2.GetDriverInfoResponse:
        """What the driver of the pair can do and wants to know. Starts it if need be."""
        return await self.router.driver_info(pair)

    @asynccontextmanager
    async def login(
        self, pair: Pair, storage_id: str, access: access_pb2.AccessInfo, *, deadline: float, request_id: str
    ) -> AsyncIterator[Said]:
        """Logs in, and gives what the array says of itself. Where the block fails the session is forgotten.

        `deadline` is a time of the event loop. An array whose logins end hosts is known by its address: each login has
        another storage id.
        """
        left = deadline - asyncio.get_running_loop().time()
        deadline -= min(_STORE_SECONDS, left * _STORE_SHARE)
        try:
            answer = await self.router.unary_to(
                pair,
                storage_id,
                access,
                1,
                "GetStorage",
                deadline=deadline,
                request_id=request_id,
                suspect=login_of(access),
            )
            yield said(answer, str(pair))
        except BaseException as error:
            self._forget(storage_id)
            if not isinstance(error, CallError) or error.reason not in _NO_SESSION:
                self.close_login(pair, storage_id, access)
            raise

    async def probe(self, pair: Pair, access: access_pb2.AccessInfo, *, deadline: float, request_id: str) -> Said:
        """Logs in once, in a session of its own that is forgotten afterwards."""
        storage_id = str(uuid.uuid4())
        target = access_pb2.AccessInfo()
        target.CopyFrom(access)
        target.storage_id = storage_id
        async with self.login(pair, storage_id, target, deadline=deadline, request_id=request_id) as answer:
            self.close_login(pair, storage_id, target)
            return answer

    def close_login(self, pair: Pair, storage_id: str, access: access_pb2.AccessInfo) -> None:
        """Closes the session of a `login`."""
        self.close(pair, storage_id, access, 1, suspect=login_of(access))

    def close(
        self, pair: Pair, storage_id: str, access: access_pb2.AccessInfo, revision: int, *, suspect: str = ""
    ) -> None:
        """Lets the driver log out and forget the array, if it can; nobody waits for it."""
        task = asyncio.create_task(self._close(pair, storage_id, access, revision, suspect))
        self._closing.add(task)
        task.add_done_callback(self._closing.discard)

    async def stop(self) -> None:
        """Waits a moment for what is being closed."""
        if self._closing:
            _, pending = await asyncio.wait(self._closing, timeout=2.0)
            for task in pending:
                task.cancel()
            await asyncio.gather(*pending, return_exceptions=True)

    async def _close(
        self, pair: Pair, storage_id: str, access: access_pb2.AccessInfo, revision: int, suspect: str
    ) -> None:
        deadline = asyncio.get_running_loop().time() + CLOSE_SECONDS
        try:
            await self.router.unary_to(
                pair, storage_id, access, revision, "CloseStorage", deadline=deadline, suspect=suspect
            )
        except CallError as error:
            log.info("the driver of %s did not close the session of %s: %s", pair, storage_id, error.message)
