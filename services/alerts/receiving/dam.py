"""Against a flood that fills the sockets: the kernel lets only a part of its datagrams in, before they cost anything.

A source that sends more than we can read fills the socket, and the kernel then drops whatever comes, of whomever. So
while sockets are full, sources that send far more than the others get a socket filter (classic BPF) which drops most of
theirs at random: ever more while the sockets stay full, ever fewer afterwards.
"""

from __future__ import annotations

import ctypes
import ipaddress
import logging
import socket
import struct
from collections.abc import Mapping, Sequence

from services.alerts.receiving.sockets import TrapSocket

log = logging.getLogger(__name__)

_SO_ATTACH_FILTER, _SO_DETACH_FILTER = 26, 27
_NETWORK = 0xFFF00000  # SKF_NET_OFF: the IP header
_RANDOM = 0xFFFFF000 + 56  # SKF_AD_OFF + SKF_AD_RANDOM
_LOAD_WORD, _LOAD_BYTE, _SHIFT_RIGHT, _EQUAL, _LESS, _RETURN = 0x20, 0x30, 0x74, 0x15, 0x35, 0x06
_ALL, _NOTHING = 0xFFFFFFFF, 0
_MOST_SOURCES = 12

_FULL, _EMPTY = 0.5, 0.1
_HARDER, _SOFTER = 1 / 4, 1.25
_LEAST = 1 / 4096
_FLOOD = 250
"""Datagrams between two looks from which on a source may be a flood."""
_REMEMBERED = 2_400
"""Looks for which a source is known: ten minutes."""
_MOST_SEEN = 10_000

Instruction = tuple[int, int, int, int]


class Dam:
    """Knows which sources are held back, and sets the sockets' filters. Looks when it is told."""

    def __init__(self, sockets: Sequence[TrapSocket]) -> None:
        self._sockets = sockets
        self.kept: dict[str, float] = {}
        """By source, which part of its datagrams is let in."""
        self._too_many: dict[str, int] = {}
        self._seen: dict[str, int] = {}
        self._looks = 0

    def look(self, counts: Mapping[str, int], *, full: float, dropped: int) -> None:
        """`counts`: datagrams by source since the last look; `full`: how full the fullest socket is, from 0 to 1;
        `dropped`: how many the kernel dropped since the last look. A burst that is only late drops none.
        """
        before = dict(self.kept)
        self._looks += 1
        if len(self._seen) > _MOST_SEEN:
            self._seen.clear()
        self._seen.update(dict.fromkeys(counts, self._looks))
        if full > _FULL and dropped:
            mean = sum(counts.values()) / max(2, len(counts))
            for source, count in counts.items():
                if count > max(_FLOOD, mean) and self._others(source):
                    self._hold(source, count)
        elif full < _EMPTY:
            for source in before:
                self._let(source, counts.get(source, 0))
        if self.kept != before:
            self._set()

    def _others(self, source: str) -> bool:
        """Whether there is anybody whom it harms."""
        since = self._looks - _REMEMBERED
        return any(other != source and seen >= since for other, seen in self._seen.items())

    def _hold(self, source: str, count: int) -> None:
        if source not in self.kept:
            if len(self.kept) >= _MOST_SOURCES:
                return
            log.warning("%s sends more traps than can be received: only a part of them is taken", source)
            self._too_many[source] = count
        self.kept[source] = max(_LEAST, self.kept.get(source, 1.0) * _HARDER)

    def _let(self, source: str, count: int) -> None:
        """Lets in more, as long as that is far from what filled the socket."""
        part = min(1.0, self.kept[source] * _SOFTER)
        if count / self.kept[source] * part > self._too_many[source] / 2:
            return
        self.kept[source] = part
        if part == 1:
            del self.kept[source], self._too_many[source]
            log.warning("%s no longer sends too many traps", source)

    def _set(self) -> None:
        for each in self._sockets:
            try:
                if self.kept:
                    _attach(each.socket, program(self.kept))
                else:
                    each.socket.setsockopt(socket.SOL_SOCKET, _SO_DETACH_FILTER, 0)
            except OSError as problem:
                log.warning("%s can't be filtered: %s", each, problem)


def program(kept: Mapping[str, float]) -> list[Instruction]:
    """The filter: who isn't named is let in; who is, as often as the part says."""
    found: list[Instruction] = []
    for source, part in kept.items():
        address = ipaddress.ip_address(source.partition("%")[0])
        chance = [
            (_LOAD_WORD, 0, 0, _RANDOM),
            (_LESS, 0, 1, int(part * 0xFFFFFFFF)),  # at or above: dropped
            (_RETURN, 0, 0, _NOTHING),
            (_RETURN, 0, 0, _ALL),
        ]
        words = struct.unpack(f">{len(address.packed) // 4}I", address.packed)
        at = _NETWORK + (12 if address.version == 4 else 8)
        tests: list[Instruction] = [(_LOAD_BYTE, 0, 0, _NETWORK), (_SHIFT_RIGHT, 0, 0, 4)]
        conditions = [(None, address.version), *((at + 4 * place, word) for place, word in enumerate(words))]
        left = sum(1 if where is None else 2 for where, _ in conditions) + len(chance)
        for where, value in conditions:
            if where is not None:
                tests.append((_LOAD_WORD, 0, 0, where))
                left -= 1
            left -= 1
            tests.append((_EQUAL, 0, left, value))
        found += [*tests, *chance]
    return [*found, (_RETURN, 0, 0, _ALL)]


def _attach(opened: socket.socket, instructions: Sequence[Instruction]) -> None:
    packed = b"".join(struct.pack("=HBBI", *instruction) for instruction in instructions)
    held = ctypes.create_string_buffer(packed)
    opened.setsockopt(
        socket.SOL_SOCKET, _SO_ATTACH_FILTER, struct.pack("@HP", len(instructions), ctypes.addressof(held))
    )
