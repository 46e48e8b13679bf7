"""A driver host as the router sees it: a connection, who it says it is, and the calls that run in it."""

from __future__ import annotations

import asyncio
import contextlib
import time
from dataclasses import dataclass
from enum import Enum

import grpc
from google.protobuf.message import DecodeError

from delphis.driver.v1 import storage_driver_pb2
from services.registry.channel import SERVICE, HostChannel
from services.registry.errors import HostSilent, StartFailed
from services.registry.manifest import LeasedHost, Manifest, Pair

# Calls of a dead host end by themselves within milliseconds.
_LAST_CALLS = 5.0


class HostState(Enum):
    """What a host does."""

    STARTING = "starting"
    SERVING = "serving"
    DRAINING = "draining"
    DEAD = "dead"


@dataclass(slots=True, eq=False)
class RunningCall:
    """One call to an array in a host."""

    storage_id: str
    method: str


class Host:
    """One life of a host. A host that comes back after its death is another one."""

    def __init__(self, manifest: Manifest, endpoint: str) -> None:
        self.manifest = manifest
        self.endpoint = endpoint
        self.state = HostState.STARTING
        self.info = storage_driver_pb2.GetDriverInfoResponse()
        self.rpcs: frozenset[str] = frozenset()
        """Methods that it announced; empty: it said nothing."""
        self.calls: set[RunningCall] = set()
        self.answered = False
        """Whether a call to an array ended here with an answer."""
        self.refusing = False
        """It asked to be replaced; it gets new calls only if nobody else can be started."""
        self.ended_by_others = False
        """Its end was nobody's fault who called it."""
        self.last_used = time.monotonic()
        self.quiet = asyncio.Event()
        """No call runs."""
        self.quiet.set()
        self.gone = asyncio.Event()
        """Its end is known, and its suspects are written down."""
        self._channel: HostChannel | None = None

    @property
    def channel(self) -> HostChannel:
        """The connection; there is one from SERVING on."""
        assert self._channel is not None
        return self._channel

    @property
    def name(self) -> str:
        """The driver's."""
        return self.manifest.name

    def enter(self, storage_id: str, method: str) -> RunningCall:
        """A call begins."""
        call = RunningCall(storage_id, method)
        self.calls.add(call)
        self.quiet.clear()
        return call

    def leave(self, call: RunningCall) -> None:
        """The call ended, however."""
        self.calls.discard(call)
        self.last_used = time.monotonic()
        if not self.calls:
            self.quiet.set()

    def in_flight(self) -> dict[str, set[str]]:
        """Methods that run, by array."""
        found: dict[str, set[str]] = {}
        for call in self.calls:
            found.setdefault(call.storage_id, set()).add(call.method)
        return found

    async def introduce(self, channel: HostChannel, timeout: float) -> None:
        """Asks who it is, over a new channel that is kept if the host is the right one. StartFailed if not."""
        try:
            # One under lease answered a moment ago: what happens now is to be known at once.
            info = await channel.info(timeout, wait_for_ready=not self.manifest.leased)
        except HostSilent as error:
            await channel.close()
            if error.code is grpc.StatusCode.UNIMPLEMENTED:
                raise StartFailed(f"it doesn't serve {SERVICE}, the only version this core speaks") from error
            raise StartFailed(f"it can't be asked who it is: {error}") from error
        except DecodeError as error:
            await channel.close()
            raise StartFailed("its answer to GetDriverInfo is no GetDriverInfoResponse") from error
        except BaseException:
            await channel.close()
            raise
        if info.name != self.manifest.name:
            await channel.close()
            raise StartFailed(f"it says that it is the driver {info.name!r}")
        difference = self._difference(info)
        if difference:
            await channel.close()
            raise StartFailed(difference)
        self.info, self.rpcs = info, frozenset(info.rpcs)
        self._channel = channel

    def _difference(self, info: storage_driver_pb2.GetDriverInfoResponse) -> str:
        """What a host under lease says otherwise than its lease."""
        leased = self.manifest.host
        if not isinstance(leased, LeasedHost):
            return ""
        if info.server_id != leased.server_id:
            return f"its server_id is {info.server_id!r}, that of its lease {leased.server_id!r}"
        said = {Pair(pair.vendor, pair.model) for pair in info.serves}
        if said != set(self.manifest.serves):
            shown = ", ".join(sorted(map(str, said))) or "nothing"
            return f"it says that it serves {shown}; its lease is for {', '.join(map(str, self.manifest.serves))}"
        return ""

    async def close_channel(self, *, at_once: bool = False) -> None:
        """Closes the connection once no call runs: closing leaves calls in flight without a status."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(0 if at_once else _LAST_CALLS):
                await self.quiet.wait()
        if self._channel is not None:
            await self._channel.close()
