"""Tells arrays where to send their traps, by their drivers, and not to send them there any more."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import replace

import grpc

from delphis.alert.v1 import snmp_config_pb2
from delphis.driver.v1 import storage_driver_pb2
from delphis.type.v1 import alert_pb2
from services.alerts.snmp_configs import records
from services.alerts.snmp_configs.configs import Configs
from services.alerts.snmp_configs.merging import Given
from services.alerts.snmp_configs.records import StoredConfig
from services.calls.errors import CallError
from services.fleet.core import Core, target
from services.store.errors import StoreFault
from services.values import times

log = logging.getLogger(__name__)

NOT_CONFIGURED = snmp_config_pb2.TRAP_RECEIVER_STATE_NOT_CONFIGURED
CONFIGURED = snmp_config_pb2.TRAP_RECEIVER_STATE_CONFIGURED
UNSUPPORTED = snmp_config_pb2.TRAP_RECEIVER_STATE_UNSUPPORTED
FAILED = snmp_config_pb2.TRAP_RECEIVER_STATE_FAILED
RETRY = 5 * times.MINUTE
LOOK_SECONDS = 30.0


def trap_config(given: Given) -> alert_pb2.TrapConfig:
    """What the array is told. Its host is empty where it is told nothing."""
    config, secrets = given.config, given.secrets
    return alert_pb2.TrapConfig(
        host=config.trap_receiver.host,
        port=config.trap_receiver.port,
        version=config.version,
        community_string=secrets.community_string,
        username=config.username,
        security_level=config.security_level,
        auth_protocol=config.auth_protocol,
        auth_key=secrets.auth_key,
        privacy_protocol=config.privacy_protocol,
        privacy_key=secrets.privacy_key,
        engine_id=config.engine_id,
        context_name=config.context_name,
    )


class Receivers:
    """The arrays' side of the configurations."""

    def __init__(self, core: Core, configs: Configs) -> None:
        self._core = core
        self._configs = configs
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begins to try again what failed."""
        self._task = asyncio.create_task(self._run(), name="trap receivers on arrays")

    async def stop(self) -> None:
        """Ends that."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def tell(self, stored: StoredConfig, given: Given) -> StoredConfig:
        """Tells the array what its configuration says, where it was told something else: how that went."""
        wanted = trap_config(given)
        told = alert_pb2.TrapConfig.FromString(stored.told)
        if told.host and (told.host, told.port) != (wanted.host, wanted.port):
            problem = await self.withdraw(stored)
            if problem:
                log.warning("%s", problem)
        if not wanted.host:
            return replace(stored, receiver_state=NOT_CONFIGURED, receiver_problem="", told=b"", retry_at=0)
        request = storage_driver_pb2.AddTrapConfigRequest(target=target(stored.storage_id), trap_config=wanted)
        try:
            await self._core.ask_array("AddTrapConfig", request, storage_driver_pb2.AddTrapConfigResponse)
        except CallError as error:
            unable = error.code is grpc.StatusCode.UNIMPLEMENTED
            return replace(
                stored,
                receiver_state=UNSUPPORTED if unable else FAILED,
                receiver_problem=error.message,
                told=b"" if unable else _without_secrets(wanted),
                retry_at=0 if unable else times.now() + RETRY,
            )
        return replace(
            stored, receiver_state=CONFIGURED, receiver_problem="", told=_without_secrets(wanted), retry_at=0
        )

    async def withdraw(self, stored: StoredConfig) -> str:
        """Tells the array to send no more traps where it was told to; why that failed, empty for no problem."""
        told = alert_pb2.TrapConfig.FromString(stored.told)
        if not told.host:
            return ""
        request = storage_driver_pb2.RemoveTrapConfigRequest(target=target(stored.storage_id), trap_config=told)
        try:
            await self._core.ask_array("RemoveTrapConfig", request, storage_driver_pb2.RemoveTrapConfigResponse)
        except CallError as error:
            if error.reason == "STORAGE_NOT_FOUND":
                return ""
            return f"The array {stored.storage_id} still sends its traps to {told.host}:{told.port}: {error.message}"
        return ""

    async def _run(self) -> None:
        while True:
            for stored in self._configs.stored():
                if stored.receiver_state == FAILED and stored.retry_at <= times.now():
                    await self._again(stored.storage_id)
            await asyncio.sleep(LOOK_SECONDS)

    async def _again(self, storage_id: str) -> None:
        async with self._configs.turn():
            stored, given = self._configs.get(storage_id), self._configs.given(storage_id)
            if stored is None or given is None or stored.receiver_state != FAILED:
                return
            try:
                await self._configs.note(await self.tell(stored, given), records.told)
            except StoreFault as fault:
                log.error("what the array %s was told can't be stored: %s", storage_id, fault)


def _without_secrets(config: alert_pb2.TrapConfig) -> bytes:
    kept = alert_pb2.TrapConfig()
    kept.CopyFrom(config)
    for name in ("community_string", "auth_key", "privacy_key"):
        kept.ClearField(name)
    return kept.SerializeToString()
