"""Returns what the contract forbids, or what can't be true."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from delphis.sdk import AccessField, Context, Storage, StorageDriver, StoragePool, Volume, errors


class Lie(StorageDriver):
    access_fields = (AccessField(path="extra_attributes.bad", plain=True),)

    @property
    def how(self) -> str:
        return self.access_info.extra_attributes.get("bad", "")

    def get_storage(self, context: Context) -> Any:
        if self.how == "garbage":
            return {"serial_number": 123}
        return Storage(serial_number="" if self.how == "no_serial" else f"lie-{self.access_info.rest.host}")

    def list_volumes(self, context: Context) -> Any:
        good = [Volume(native_volume_id=str(number), name=f"volume {number}") for number in range(1, 101)]
        match self.how:
            case "dict":
                return {"volumes": good}
            case "none":
                return None
            case "text":
                return "100 volumes"
            case "mixed":
                return [*good, StoragePool(native_storage_pool_id="1")]
            case "nameless":
                return [*good, Volume(name="nameless")]
            case "duplicates":
                return [*good, *good]
            case "half":
                context.incomplete("The array answered only the first of two pages.", reason=errors.BadResponse)
                return good[:50]
            case "half_error":
                return self._half(good)
            case "core_owned":
                return [Volume(native_volume_id="1", id="7", storage_id="another", missing=True)]
            case "huge":
                return [Volume(native_volume_id="huge", description="x" * (2 * 2**20)), *good]
            case _:
                return good[:3]

    def _half(self, good: list[Volume]) -> Iterator[Volume]:
        yield from good[:50]
        raise ConnectionResetError("the array hung up")
