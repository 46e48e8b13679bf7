"""Looks for secrets wherever somebody could read them."""

from __future__ import annotations

from collections.abc import Collection
from typing import NamedTuple

from delphis.sdk.conformance.array import BLOCKS, Array
from delphis.sdk.redaction import is_secret, spellings_of
from delphis.sdk.testing.client import Reply
from delphis.type.v1.access_pb2 import AccessInfo

# A shorter text may stand anywhere by chance.
SHORTEST = 6
# What is wrong or shared on purpose may be a word; what the kit generates is longer.
SHORTEST_GENERATED = 16


class Leak(NamedTuple):
    """A secret that was found."""

    secret: str
    """Which one: `rest.password`. Never the secret itself."""
    kind: str
    """`answer`, `log`, `command line` or `environment`."""
    where: str


class Leaks:
    """The secrets of a run, and where they were found."""

    def __init__(self) -> None:
        self.found: set[Leak] = set()
        self.too_short: set[str] = set()
        self._needles: dict[bytes, str] = {}

    def __len__(self) -> int:
        return len(self._needles)

    def hold(self, array: Array, plain: Collection[str]) -> None:
        """Looks for the secrets of an array from now on; values of the plain extra attributes are none."""
        self._hold(array.access, plain, SHORTEST)
        for variant in (array.second, array.wrong, array.unreachable, array.slow):
            if variant is not None:
                self._hold(variant, plain, SHORTEST_GENERATED)

    def add(self, name: str, secret: str, shortest: int = SHORTEST) -> None:
        """Looks for a secret from now on, in all the spellings in which it gets into texts."""
        if not secret or secret.encode() in self._needles:
            return
        if len(secret) < shortest:
            self.too_short.add(name)
            return
        for spelling in spellings_of(secret):
            self._needles.setdefault(spelling.encode("utf-8", "surrogateescape"), name)
        self._needles.setdefault(secret.encode().hex().encode(), name)
        self._needles.setdefault(secret[::-1].encode(), name)

    def _hold(self, access: AccessInfo, plain: Collection[str], shortest: int) -> None:
        for block_name in BLOCKS:
            block = getattr(access, block_name)
            for field, value in block.ListFields():
                if is_secret(field):
                    self.add(f"{block_name}.{field.name}", str(value), shortest)
            if block.password:
                self.add(f"{block_name}.username:password", f"{block.username}:{block.password}", shortest)
        for key, value in access.extra_attributes.items():
            if key not in plain:
                self.add(f"extra_attributes.{key}", value, shortest)

    def look(self, data: bytes, kind: str, where: str) -> None:
        """Notes each secret in the data."""
        for needle, name in self._needles.items():
            if needle in data:
                self.found.add(Leak(name, kind, where))

    def look_at(self, reply: Reply) -> None:
        """Notes each secret in an answer, its status and its metadata."""
        if not self._needles:
            return
        for payload in reply.payloads:
            self.look(payload, "answer", reply.rpc)
        if not reply.ok:
            self.look(reply.message.encode("utf-8", "surrogateescape"), "answer", f"{reply.rpc}, the error's message")
        for key, value in reply.trailers:
            self.look(value, "answer", f"{reply.rpc}, metadata {key}")
