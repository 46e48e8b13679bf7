"""What an array says that it can do."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from google.protobuf.message import DecodeError

from delphis.driver.v1 import storage_driver_pb2
from delphis.type.v1 import metric_pb2
from services.calls.errors import CallError
from services.inventory.kinds import KINDS, STORAGE, Kind


class Listed(NamedTuple):
    """Which of the kinds that its driver announces an array lists."""

    kinds: list[Kind]
    others: list[Kind]
    """It has none of these, and is not asked for them."""
    warnings: tuple[str, ...] = ()


def capabilities(answer: bytes, driver: str) -> metric_pb2.Capabilities:
    """The answer to GetCapabilities. CallError where it is none."""
    try:
        return storage_driver_pb2.GetCapabilitiesResponse.FromString(answer).capabilities
    except DecodeError:
        raise CallError(
            "DRIVER_BROKE_CONTRACT",
            f"The driver of {driver} sent no GetCapabilitiesResponse.",
            metadata={"driver": driver, "method": "GetCapabilities"},
        ) from None


def listed(announced: Sequence[Kind], said: metric_pb2.Capabilities) -> Listed:
    """The kinds to read of an array: all that are announced, where it says nothing of them."""
    if not said.kinds:
        return Listed(list(announced), [])
    names = set(said.kinds)
    warnings = tuple(
        f"The array says that it lists {name[:64]!r}, which is no kind: {', '.join(KINDS)}."
        for name in sorted(names - KINDS.keys() - {STORAGE})[:3]
    )
    return Listed(
        [kind for kind in announced if kind.name in names],
        [kind for kind in announced if kind.name not in names],
        warnings,
    )
