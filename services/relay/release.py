"""Tells the alerts service that a storage is about to be removed, while its array can still be reached."""

from __future__ import annotations

import asyncio
import logging

from delphis.alert.v1 import snmp_config_pb2 as pb
from delphis.type.v1 import options_pb2
from services.calls.errors import CallError
from services.calls.grpc_server import new_request_id
from services.calls.method import Call, Caller
from services.relay.relay import Relay

log = logging.getLogger(__name__)

SECONDS = 5.0
"""A removal waits no longer for an array that does not answer."""
_CORE = Caller("service", frozenset({options_pb2.SCOPE_SERVICE}))
_SERVICE = pb.DESCRIPTOR.services_by_name["SnmpConfigService"]
_PATH = f"/{_SERVICE.full_name}/ReleaseStorage"


class Release:
    """Has the array told to send no more traps. Where that fails the removal goes on: the log says so."""

    def __init__(self, relay: Relay) -> None:
        self._relay = relay
        [self._method] = [method for method in relay.methods([_SERVICE]) if method.path == _PATH]

    async def __call__(self, storage_id: str) -> None:
        """Returns within some seconds."""
        if not self._relay.connected:
            log.warning("storage %s is removed while alerts is away: its array may go on to send traps", storage_id)
            return
        assert self._method.unary is not None
        deadline = asyncio.get_running_loop().time() + SECONDS
        call = Call(self._method, _CORE, new_request_id(), deadline, "core")
        request = pb.ReleaseStorageRequest(storage_id=storage_id)
        try:
            async with asyncio.timeout_at(deadline):
                answer = pb.ReleaseStorageResponse.FromString(
                    await self._method.unary(request.SerializeToString(), call)
                )
        except TimeoutError:
            problem = f"it did not answer within {SECONDS:g} s"
        except CallError as error:
            problem = error.message
        else:
            problem = answer.problem
        if problem:
            log.warning("the array of storage %s may go on to send traps: %s", storage_id, problem)
