"""Finds the array of a notification, and judges whether it may have sent it."""

from __future__ import annotations

import hmac
from collections import defaultdict
from collections.abc import Iterable
from typing import NamedTuple

from delphis.alert.v1 import trap_pb2
from services.alerts.matching.address import normalised
from services.alerts.matching.sources import Guard, Sender, Source
from services.snmp import Notification, Version

UNMATCHED = trap_pb2.TRAP_STATE_UNMATCHED
REFUSED = trap_pb2.TRAP_STATE_REFUSED
MATCHED = trap_pb2.TRAP_STATE_WAITING

WRONG_COMMUNITY = "refused_wrong_community"
WRONG_VERSION = "refused_wrong_version"
FOREIGN_USER = "refused_foreign_user"
FOREIGN_ENGINE = "refused_foreign_engine"


class Verdict(NamedTuple):
    """Whose a notification is."""

    state: int
    """MATCHED, UNMATCHED or REFUSED."""
    candidates: tuple[str, ...] = ()
    """Storages that may have sent it; one, where that is known. Of refused ones: those that it was refused for."""
    problem: str = ""
    counted_as: str = ""
    """What it is counted as, where it was refused."""


class MatchTable:
    """All arrays by their addresses. Made anew when one of them changes."""

    def __init__(self, senders: Iterable[Sender] = ()) -> None:
        self._guards: dict[str, Guard] = {}
        self._sources: dict[str, tuple[Source, ...]] = {}
        self._by_address: defaultdict[str, dict[str, None]] = defaultdict(dict)
        self._by_engine: defaultdict[str, dict[str, None]] = defaultdict(dict)
        self._relayed: defaultdict[str, dict[str, None]] = defaultdict(dict)
        for sender in senders:
            self._sources[sender.storage_id] = sender.sources
            guard = sender.guard
            if guard is not None:
                self._guards[sender.storage_id] = guard
                if guard.engine_id:
                    self._by_engine[guard.engine_id][sender.storage_id] = None
            for source in sender.sources:
                self._by_address[source.address][sender.storage_id] = None
                if source.engine_id:
                    self._by_engine[source.engine_id][sender.storage_id] = None
                if guard is not None and guard.relayed and source.origin == "snmp_config":
                    self._relayed[source.address][sender.storage_id] = None

    def sources(self, storage_id: str) -> tuple[Source, ...]:
        """The addresses of an array."""
        return self._sources.get(storage_id, ())

    def knows(self, storage_id: str) -> bool:
        """Whether there is such an array."""
        return storage_id in self._sources

    def by_address(self, source_address: str) -> tuple[str, ...]:
        """The arrays that are known by an address."""
        return tuple(self._by_address.get(normalised(source_address), ()))

    def controller(self, storage_id: str, trap_address: str) -> str:
        """The name of the controller whose address sent the trap; empty where none has it."""
        address = normalised(trap_address)
        for source in self._sources.get(storage_id, ()):
            if source.address == address and source.controller_name:
                return source.controller_name
        return ""

    def match(self, notification: Notification, source_address: str) -> Verdict:
        """Whose the notification is."""
        address = normalised(source_address)
        possible = self._possible(notification, address)
        if not possible:
            return Verdict(UNMATCHED, (), f"No array is known by the address {address or source_address}.")
        verdicts = [(storage_id, self._refusal(storage_id, notification)) for storage_id in possible]
        accepted = tuple(storage_id for storage_id, refusal in verdicts if refusal is None)
        if accepted:
            return Verdict(MATCHED, accepted)
        refusal = verdicts[0][1]
        assert refusal is not None
        return Verdict(REFUSED, tuple(possible), refusal[1], refusal[0])

    def _possible(self, notification: Notification, address: str) -> tuple[str, ...]:
        if notification.version is Version.V1:
            agent = normalised(notification.agent_address)
            relayed = self._relayed.get(agent)
            if relayed and agent != address:
                return tuple(relayed)
        possible = tuple(self._by_address.get(address, ()))
        if notification.version is not Version.V3 or notification.inform:
            return possible
        by_engine = self._by_engine.get(notification.engine_id.hex())
        if not by_engine:
            return possible
        # The engine id tells apart what an address doesn't, and an array that sends from elsewhere.
        return tuple(one for one in possible if one in by_engine) or tuple(by_engine)

    def _refusal(self, storage_id: str, notification: Notification) -> tuple[str, str] | None:
        """Why an array can't have sent it: how that is counted, and a sentence. None: it can."""
        guard = self._guards.get(storage_id)
        if notification.version is Version.V3:
            if storage_id not in notification.owners:
                return FOREIGN_USER, f"The user {notification.user!r} is none of the storage {storage_id}."
            expected = guard.engine_id if guard is not None else ""
            if expected and not notification.inform and expected != notification.engine_id.hex():
                return FOREIGN_ENGINE, f"The storage {storage_id} has another engine id, {expected}."
            return None
        if guard is None:
            return None
        if guard.v3:
            return WRONG_VERSION, f"The SNMP configuration of the storage {storage_id} takes SNMPv3 alone."
        if guard.community and not hmac.compare_digest(guard.community, notification.community):
            return WRONG_COMMUNITY, f"Its community is not the one of the storage {storage_id}."
        return None
