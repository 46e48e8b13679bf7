"""The addresses of an array, and what its SNMP configuration asks of a trap."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Literal

from delphis.type.v1 import alert_pb2

Origin = Literal["snmp_config", "access_info", "driver", "controller"]


@dataclass(frozen=True, slots=True)
class Place:
    """A name or an address by which an array's traps are known."""

    host: str
    origin: Origin
    engine_id: str = ""
    """Hexadecimal; empty: any."""
    controller_name: str = ""


@dataclass(frozen=True, slots=True)
class Source:
    """An address by which an array's traps are known."""

    address: str
    origin: Origin
    name: str = ""
    """What it was resolved from; empty: it was given as an address."""
    engine_id: str = ""
    controller_name: str = ""


@dataclass(frozen=True, slots=True)
class Guard:
    """What an SNMP configuration asks of a trap."""

    version: int
    """Of delphis.type.v1.SnmpVersion."""
    community: bytes = field(default=b"", repr=False)
    engine_id: str = ""
    relayed: bool = False
    """A relay may send: then the agent's address says which array it is."""

    @property
    def v3(self) -> bool:
        """Whether it wants SNMPv3."""
        return self.version == alert_pb2.SNMP_VERSION_SNMPV3


@dataclass(frozen=True, slots=True)
class Sender:
    """An array as the sender of traps."""

    storage_id: str
    sources: tuple[Source, ...]
    guard: Guard | None = None


def resolved(places: Iterable[Place], addresses: Callable[[str], tuple[str, ...]]) -> tuple[Source, ...]:
    """The places as addresses, each once for each origin."""
    return tuple(dict.fromkeys(_resolved(places, addresses)))


def _resolved(places: Iterable[Place], addresses: Callable[[str], tuple[str, ...]]) -> Iterator[Source]:
    for place in places:
        found = addresses(place.host)
        given = found == (place.host,) or (len(found) == 1 and ":" in place.host)
        for address in found:
            yield Source(
                address=address,
                origin=place.origin,
                name="" if given else place.host,
                engine_id=place.engine_id,
                controller_name=place.controller_name,
            )
