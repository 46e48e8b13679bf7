"""From the words of an array to the enums of the contract."""

from __future__ import annotations

from functools import cache
from typing import Protocol, TypeVar

from google.protobuf.descriptor import EnumDescriptor

from delphis.type.v1 import options_pb2

_V_co = TypeVar("_V_co", covariant=True)

UNKNOWN = 1


class _Enum(Protocol[_V_co]):
    """What the generated code makes of an enum: `VolumeStatus`."""

    @property
    def DESCRIPTOR(self) -> EnumDescriptor: ...

    def Value(self, name: str) -> _V_co: ...


@cache
def _names_by_text(enum: EnumDescriptor) -> dict[str, str]:
    prefix = enum.values_by_number[0].name.removesuffix("UNSPECIFIED")
    return {
        (value.GetOptions().Extensions[options_pb2.text] or value.name.removeprefix(prefix)).lower(): value.name
        for value in enum.values
        if value.number
    }


def from_text(enum: _Enum[_V_co], text: str) -> _V_co:
    """The value of an enum whose REST text this is, without regard to case: `from_text(VolumeStatus, "normal")`.

    Args:
        enum: An enum of `delphis.type.v1`.
        text: What the array says.

    Returns:
        The value; the enum's UNKNOWN for any other text.
    """
    names = _names_by_text(enum.DESCRIPTOR)
    return enum.Value(names.get(text.strip().lower(), enum.DESCRIPTOR.values_by_number[UNKNOWN].name))
