"""Who a generated array is: what follows from its address alone."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TypeVar

from delphis.sdk import AccessInfo, errors

T = TypeVar("T")

_MASK = (1 << 64) - 1


def address_of(access_info: AccessInfo) -> str:
    """Return `host:port` of the first access block that names a host, in the order rest, ssh, cli, smis."""
    for block in (access_info.rest, access_info.ssh, access_info.cli, access_info.smis):
        host = block.host.strip().rstrip(".").lower()
        if host:
            return f"{host}:{block.port}" if block.HasField("port") else host
    raise errors.AccessInfoIncomplete(
        "The access info names no host; give one of rest, ssh, cli and smis a host and a port.", field="rest.host"
    )


@dataclass(frozen=True)
class Identity:
    """An array: an address, and `array` where several stand behind it."""

    address: str
    array: str = ""

    @cached_property
    def digest(self) -> bytes:
        """32 bytes that no other array has."""
        return hashlib.sha256(f"fake_storage\n{self.address}\n{self.array}".encode()).digest()

    @property
    def serial_number(self) -> str:
        return f"FAKE{self.digest[:8].hex().upper()}"

    @property
    def short(self) -> str:
        """6 hexadecimal digits, for names."""
        return self.digest[:3].hex()

    @property
    def volume_wwn_prefix(self) -> str:
        """24 of the 32 digits of an NAA 6 identifier; the index of the volume is the rest."""
        return f"6{self.digest[8:20].hex()[:23]}"

    def port_wwn(self, index: int) -> str:
        return f"50{self.digest[20:24].hex()[:7]}{index:07x}"

    def initiator_wwn(self, index: int) -> str:
        return f"21{self.digest[20:24].hex()[:7]}{index:07x}"

    def iqn(self, host: int, index: int) -> str:
        return f"iqn.2026-01.dev.delphis.{self.short}:host-{host:04d}-{index:02d}"

    def mac(self, index: int) -> str:
        digits = f"02{self.digest[24:26].hex()}{index & 0xFFFFFF:06x}"
        return ":".join(digits[at : at + 2] for at in range(0, 12, 2))

    def ipv4(self, net: int, index: int) -> str:
        """An address in 10/8. Its second number follows from the array."""
        number = (net << 12) + index + 1
        return f"10.{self.digest[26]}.{number >> 8 & 0xFF}.{number & 0xFF}"


class Dice:
    """Numbers that follow from (array, seed, kind) and an index: the same in every process and for ever."""

    __slots__ = ("_start",)

    def __init__(self, identity: Identity, seed: str, kind: str) -> None:
        text = f"{identity.address}\n{identity.array}\n{seed}\n{kind}"
        self._start = int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big")

    def number(self, index: int, salt: int = 0) -> int:
        """64 bits (splitmix64)."""
        z = (self._start + (index * 8 + salt + 1) * 0x9E3779B97F4A7C15) & _MASK
        z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9 & _MASK
        z = (z ^ (z >> 27)) * 0x94D049BB133111EB & _MASK
        return z ^ (z >> 31)

    def below(self, limit: int, index: int, salt: int = 0) -> int:
        return self.number(index, salt) % limit

    def one_in(self, n: int, index: int, salt: int = 0) -> bool:
        return self.number(index, salt) % n == 0

    def pick(self, choices: Sequence[T], index: int, salt: int = 0) -> T:
        return choices[self.number(index, salt) % len(choices)]
