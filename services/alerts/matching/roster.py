"""Keeps the table by which traps are matched, and the users of SNMPv3, as arrays and configurations are now."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator

from delphis.type.v1 import alert_pb2
from services.alerts.arrays import Array, Arrays
from services.alerts.matching.driver_sources import DriverSources
from services.alerts.matching.names import FRESH_SECONDS, Names
from services.alerts.matching.sources import Guard, Place, Sender, resolved
from services.alerts.matching.table import MatchTable
from services.alerts.snmp_configs.configs import Configs
from services.alerts.snmp_configs.merging import Given
from services.snmp import AuthProtocol, Decoder, PrivProtocol, User, UserTable

log = logging.getLogger(__name__)


class Roster:
    """Whose traps are known by what."""

    def __init__(self, arrays: Arrays, configs: Configs, decoder: Decoder, names: Names | None = None) -> None:
        """The users of `decoder` are kept."""
        self._arrays = arrays
        self._configs = configs
        self._decoder = decoder
        self._names = names or Names()
        self._sources: DriverSources | None = None
        self._users: tuple[User, ...] = ()
        self._wake = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._table = MatchTable()

    def table(self) -> MatchTable:
        """The table of the moment."""
        return self._table

    def follow(self, sources: DriverSources) -> None:
        """Drivers say more addresses."""
        self._sources = sources

    async def start(self) -> None:
        """Makes the table, with the names that can be resolved at once, and keeps it."""
        await self.apply()
        self._task = asyncio.create_task(self._run(), name="trap sources")

    async def stop(self) -> None:
        """Keeps it no more."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    def refresh(self) -> None:
        """Arrays, configurations or what drivers say changed: traps that come from now on are judged by it."""
        self._rebuild()
        self._wake.set()

    async def apply(self) -> None:
        """As `refresh`; returns when it is done."""
        await self._names.refresh(self._hosts())
        await self._make()

    async def _run(self) -> None:
        while True:
            try:
                async with asyncio.timeout(FRESH_SECONDS):
                    await self._wake.wait()
            except TimeoutError:
                pass  # names may mean something else by now
            self._wake.clear()
            try:
                await self.apply()
            except Exception:
                log.exception("the sources of traps can't be made anew by a fault of Delphis; the old ones hold")

    async def _make(self) -> None:
        self._rebuild()
        users = tuple(self._all_users())
        if users == self._users:
            return
        table = UserTable(users)
        await asyncio.to_thread(table.prepare)
        self._users, self._decoder.users = users, table

    def _rebuild(self) -> None:
        self._table = MatchTable(self._sender(array) for array in self._arrays.all().values())

    def _sender(self, array: Array) -> Sender:
        given = self._configs.given(array.id)
        guard = None if given is None else _guard(given)
        return Sender(array.id, resolved(self._places(array), self._names.addresses), guard)

    def _places(self, array: Array) -> Iterator[Place]:
        given = self._configs.given(array.id)
        if given is not None:
            yield Place(given.config.host, "snmp_config", given.config.engine_id)
        for host in array.hosts:
            yield Place(host, "access_info")
        if self._sources is not None:
            yield from self._sources.places(array.id)
        for controller in array.controllers:
            yield Place(controller.address, "controller", "", controller.name)

    def _hosts(self) -> set[str]:
        return {place.host for array in self._arrays.all().values() for place in self._places(array)}

    def _all_users(self) -> Iterator[User]:
        for storage_id, given in sorted(self._configs.all().items()):
            if given.config.version != alert_pb2.SNMP_VERSION_SNMPV3 or self._arrays.get(storage_id) is None:
                continue
            try:
                yield _user(storage_id, given)
            except ValueError as error:
                log.error("the SNMP configuration of %s can't be used: %s", storage_id, error)


def _guard(given: Given) -> Guard:
    return Guard(
        version=given.config.version,
        community=given.secrets.community_string.encode(),
        engine_id=given.config.engine_id,
        relayed=given.config.trust_agent_address,
    )


def _user(storage_id: str, given: Given) -> User:
    config, secrets = given.config, given.secrets
    return User(
        owner=storage_id,
        name=config.username,
        auth=AuthProtocol(config.auth_protocol) if config.HasField("auth_protocol") else None,
        auth_password=secrets.auth_key,
        privacy=PrivProtocol(config.privacy_protocol) if config.HasField("privacy_protocol") else None,
        privacy_password=secrets.privacy_key,
        engine_id=bytes.fromhex(config.engine_id),
    )
