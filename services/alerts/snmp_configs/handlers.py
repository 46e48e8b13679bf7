"""SnmpConfigService."""

from __future__ import annotations

import asyncio
import base64
import binascii
import logging
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import replace

from delphis.alert.v1 import snmp_config_pb2 as pb
from services.alerts.arrays import Arrays
from services.alerts.matching.table import MatchTable
from services.alerts.snmp_configs import records
from services.alerts.snmp_configs.configs import Configs
from services.alerts.snmp_configs.merging import merged
from services.alerts.snmp_configs.receivers import NOT_CONFIGURED, Receivers
from services.alerts.snmp_configs.records import NOT_CHECKED, StoredConfig
from services.calls.errors import CallError, invalid
from services.calls.method import Call, Method, methods_of, unary
from services.values import times

log = logging.getLogger(__name__)

SERVICE = pb.DESCRIPTOR.services_by_name["SnmpConfigService"]
MOST = 1000
TELL_SECONDS = 60.0
RELEASE_SECONDS = 20.0


class Handlers:
    """Answers SnmpConfigService."""

    def __init__(
        self,
        configs: Configs,
        receivers: Receivers,
        arrays: Arrays,
        table: Callable[[], MatchTable],
        apply: Callable[[], Awaitable[None]],
        changed: Callable[[str], None],
        refresh: Callable[[list[str]], Awaitable[None]],
    ) -> None:
        """`apply` returns when traps are judged by what was changed. `changed` is told the storage, `refresh` asks the
        core for storages that are not known yet."""
        self._configs = configs
        self._receivers = receivers
        self._arrays = arrays
        self._table = table
        self._apply = apply
        self._changed = changed
        self._refresh = refresh

    def methods(self) -> Iterator[Method]:
        """The service for a method table."""
        return methods_of(
            SERVICE,
            {
                "GetSnmpConfig": unary(pb.GetSnmpConfigRequest, self.get),
                "ListSnmpConfigs": unary(pb.ListSnmpConfigsRequest, self.list),
                "PutSnmpConfig": unary(pb.PutSnmpConfigRequest, self.put),
                "DeleteSnmpConfig": unary(pb.DeleteSnmpConfigRequest, self.delete),
                "ListTrapSources": unary(pb.ListTrapSourcesRequest, self.sources),
                "ReleaseStorage": unary(pb.ReleaseStorageRequest, self.release),
            },
        )

    async def get(self, request: pb.GetSnmpConfigRequest, call: Call) -> pb.SnmpConfig:
        """The configuration of a storage."""
        await self._check(request.storage_id)
        return self._stored(request.storage_id).shown()

    async def list(self, request: pb.ListSnmpConfigsRequest, call: Call) -> pb.ListSnmpConfigsResponse:
        """A page of configurations, by storage."""
        if request.page_size < 0:
            raise invalid("page_size", f"{request.page_size} is negative.")
        size = min(request.page_size or MOST, MOST)
        after = _after(request.page_token)
        found = [stored for stored in self._configs.stored() if stored.storage_id > after]
        more = len(found) > size
        return pb.ListSnmpConfigsResponse(
            snmp_configs=[stored.shown() for stored in found[:size]],
            next_page_token=_token(found[size - 1].storage_id) if more else "",
        )

    async def put(self, request: pb.PutSnmpConfigRequest, call: Call) -> pb.SnmpConfig:
        """Makes or changes a configuration."""
        call.resource_id = request.storage_id
        await self._check(request.storage_id)
        async with self._configs.turn():
            before, now = self._configs.get(request.storage_id), times.now()
            given = merged(self._configs.given(request.storage_id), request)
            stored = StoredConfig(
                storage_id=request.storage_id,
                config=given.config,
                ciphertext=b"",
                created_at=now if before is None else before.created_at,
                updated_at=max(now, 0 if before is None else before.updated_at + 1),
                receiver_state=NOT_CONFIGURED if before is None else before.receiver_state,
                receiver_problem="" if before is None else before.receiver_problem,
                told=b"" if before is None else before.told,
                reachability=NOT_CHECKED,
            )
            stored = await self._configs.put(stored, given)
            await self._apply()
            self._changed(request.storage_id)
            if given.config.HasField("trap_receiver") or stored.told:
                try:
                    async with asyncio.timeout(TELL_SECONDS):
                        told = await self._receivers.tell(stored, given)
                except TimeoutError:
                    told = replace(
                        stored,
                        receiver_state=pb.TRAP_RECEIVER_STATE_FAILED,
                        receiver_problem=f"The array did not answer within {TELL_SECONDS:.0f} s.",
                        retry_at=times.now(),
                    )
                await self._configs.note(told, records.told)
        return self._stored(request.storage_id).shown()

    async def delete(self, request: pb.DeleteSnmpConfigRequest, call: Call) -> pb.DeleteSnmpConfigResponse:
        """Removes a configuration."""
        call.resource_id = request.storage_id
        await self._check(request.storage_id)
        async with self._configs.turn():
            stored = self._stored(request.storage_id)
            problem = await self._withdrawn(stored, TELL_SECONDS)
            if problem:
                log.warning("%s", problem)
            await self._configs.remove(request.storage_id)
            await self._apply()
            self._changed(request.storage_id)
        return pb.DeleteSnmpConfigResponse()

    async def sources(self, request: pb.ListTrapSourcesRequest, call: Call) -> pb.ListTrapSourcesResponse:
        """The addresses by which the traps of a storage are known."""
        await self._check(request.storage_id)
        found = self._table().sources(request.storage_id)
        return pb.ListTrapSourcesResponse(
            trap_sources=[
                pb.TrapSource(
                    address=source.address,
                    origin=source.origin,
                    name=source.name or None,
                    engine_id=source.engine_id or None,
                    controller_name=source.controller_name or None,
                )
                for source in found
            ]
        )

    async def release(self, request: pb.ReleaseStorageRequest, call: Call) -> pb.ReleaseStorageResponse:
        """The storage is about to be removed."""
        async with self._configs.turn():
            stored = self._configs.get(request.storage_id)
            if stored is None:
                return pb.ReleaseStorageResponse()
            problem = await self._withdrawn(stored, RELEASE_SECONDS)
            await self._configs.remove(request.storage_id)
            await self._apply()
        self._changed(request.storage_id)
        return pb.ReleaseStorageResponse(problem=problem or None)

    async def forget(self, storage_id: str) -> None:
        """The storage was removed while this service could not be called."""
        async with self._configs.turn():
            if self._configs.get(storage_id) is not None:
                await self._configs.remove(storage_id)

    async def _withdrawn(self, stored: StoredConfig, seconds: float) -> str:
        try:
            async with asyncio.timeout(seconds):
                return await self._receivers.withdraw(stored)
        except TimeoutError:
            return f"The array {stored.storage_id} did not answer within {seconds:.0f} s; it may still send traps."

    def _stored(self, storage_id: str) -> StoredConfig:
        stored = self._configs.get(storage_id)
        if stored is None:
            raise CallError(
                "ALERT_SOURCE_NOT_FOUND",
                f"The storage {storage_id} has no SNMP configuration. Put one.",
                metadata={"storage_id": storage_id},
            )
        return stored

    async def _check(self, storage_id: str) -> None:
        """STORAGE_NOT_FOUND where there is none; one that was registered a moment ago is asked for."""
        if self._arrays.get(storage_id) is None:
            await self._refresh([storage_id])
        if self._arrays.get(storage_id) is None:
            raise CallError(
                "STORAGE_NOT_FOUND", f"Storage {storage_id} could not be found.", metadata={"storage_id": storage_id}
            )


def _token(storage_id: str) -> str:
    return base64.urlsafe_b64encode(storage_id.encode()).decode().rstrip("=")


def _after(token: str) -> str:
    try:
        found = base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)).decode("ascii")
    except (ValueError, binascii.Error):
        found = ""
    if bool(found) != bool(token) or (found and len(found) != 36):
        raise CallError("INVALID_PAGE_TOKEN", "The page token is not ours; start again without one.")
    return found
