"""What a driver declares about its access info, applied before the driver sees it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from google.protobuf.descriptor import FieldDescriptor

from delphis.driver.v1.storage_driver_pb2 import AccessField
from delphis.sdk import errors
from delphis.type.v1.access_pb2 import AccessInfo

EXTRA = "extra_attributes."
_NUMBERS = {
    FieldDescriptor.CPPTYPE_INT32: int,
    FieldDescriptor.CPPTYPE_INT64: int,
    FieldDescriptor.CPPTYPE_DOUBLE: float,
}


class AccessRules:
    """The `access_fields` of a driver's class."""

    def __init__(self, fields: Sequence[AccessField]) -> None:
        self._fields = tuple(fields)
        self.plain = frozenset(field.path.removeprefix(EXTRA) for field in fields if field.plain)
        """Keys of `extra_attributes` whose values are no secrets."""

    def completed(self, given: AccessInfo) -> AccessInfo:
        """A copy of the access info with defaults filled in. errors.AccessInfoIncomplete where something is missing."""
        access_info = AccessInfo()
        access_info.CopyFrom(given)
        for field in self._fields:
            if _has(access_info, field.path):
                continue
            if field.default_value:
                _set(access_info, field.path, field.default_value)
            elif field.required:
                what = f" ({field.description})" if field.description else ""
                raise errors.AccessInfoIncomplete(
                    f"The access info lacks {field.path}{what}, which the driver needs.", field=field.path
                )
        return access_info


def _has(access_info: AccessInfo, path: str) -> bool:
    if path.startswith(EXTRA):
        return bool(access_info.extra_attributes.get(path.removeprefix(EXTRA)))
    message: Any = access_info
    for name in path.split("."):
        if name not in message.DESCRIPTOR.fields_by_name or not message.HasField(name):
            return False
        message = getattr(message, name)
    return bool(message != "")


def _set(access_info: AccessInfo, path: str, value: str) -> None:
    if path.startswith(EXTRA):
        access_info.extra_attributes[path.removeprefix(EXTRA)] = value
        return
    *blocks, name = path.split(".")
    message: Any = access_info
    for block in blocks:
        if not message.HasField(block):
            return  # a default for a field makes no block that the operator left out
        message = getattr(message, block)
    kind = message.DESCRIPTOR.fields_by_name[name].cpp_type
    setattr(message, name, _NUMBERS.get(kind, str)(value))
