"""An array of every kind, on which every field is set on one item, none on another, and each enum has each value.

The native id of an item says which it is: `full`, `bare`, or `FIELD:NUMBER` for an enum's value. Arrays of this driver
have the same native ids, so that they get mixed up where something forgets the array.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from delphis import sdk
from delphis.sdk import errors

LARGE = 2**53 + 1
"""Where JSON numbers of other languages end to be exact; plus the field's number."""
UNLISTED = 99
_FIRST_OF_CORE = 200


def fill(item: Any, name: str) -> Any:
    """Every field of the driver's set: texts say their field and the array, integers are large, enums have 2."""
    for field in item.DESCRIPTOR.fields:
        if field.number >= _FIRST_OF_CORE or field.name in ("previous_native_ids", "native"):
            continue
        if field.is_repeated:
            getattr(item, field.name).extend(["full", "bare"])
        elif field.enum_type is not None:
            setattr(item, field.name, 2)
        elif field.type == field.TYPE_BOOL:
            setattr(item, field.name, True)
        elif field.type == field.TYPE_INT64:
            setattr(item, field.name, LARGE + field.number)
        elif field.type == field.TYPE_INT32:
            setattr(item, field.name, field.number)
        elif field.number > 1:
            text = "full" if field.name.startswith("native_") else f"{field.name} of {name}"
            setattr(item, field.name, text)
    item.native["word"] = "vendor's own"
    return item


class Catalogue(sdk.StorageDriver):
    """The array; its serial number follows from the port."""

    @property
    def _name(self) -> str:
        return f"array {self.access_info.rest.port}"

    def get_storage(self, context: sdk.Context) -> sdk.Storage:
        storage: sdk.Storage = fill(sdk.Storage(), self._name)
        storage.serial_number, storage.vendor, storage.model = self._name, "test_vendor", "test_model"
        return storage

    def _items(self, kind: type[Any]) -> Iterator[Any]:
        described = kind.DESCRIPTOR
        native = described.fields_by_number[1].name
        yield fill(kind(**{native: "full"}), self._name)
        yield kind(**{native: "bare"})
        for field in described.fields:
            if field.enum_type is not None:
                for number in [*(value.number for value in field.enum_type.values if value.number), UNLISTED]:
                    item = kind(**{native: f"{field.name}:{number}"})
                    setattr(item, field.name, number)
                    yield item

    def list_storage_pools(self, context: sdk.Context) -> Iterator[sdk.StoragePool]:
        return self._items(sdk.StoragePool)

    def list_volumes(self, context: sdk.Context) -> Iterator[sdk.Volume]:
        return self._items(sdk.Volume)

    def list_controllers(self, context: sdk.Context) -> Iterator[sdk.Controller]:
        return self._items(sdk.Controller)

    def list_ports(self, context: sdk.Context) -> Iterator[sdk.Port]:
        return self._items(sdk.Port)

    def list_disks(self, context: sdk.Context) -> Iterator[sdk.Disk]:
        return self._items(sdk.Disk)

    def list_filesystems(self, context: sdk.Context) -> Iterator[sdk.Filesystem]:
        return self._items(sdk.Filesystem)

    def list_qtrees(self, context: sdk.Context) -> Iterator[sdk.Qtree]:
        return self._items(sdk.Qtree)

    def list_quotas(self, context: sdk.Context) -> Iterator[sdk.Quota]:
        return self._items(sdk.Quota)

    def list_shares(self, context: sdk.Context) -> Iterator[sdk.Share]:
        return self._items(sdk.Share)

    def list_storage_hosts(self, context: sdk.Context) -> Iterator[sdk.StorageHost]:
        return self._items(sdk.StorageHost)

    def list_storage_host_initiators(self, context: sdk.Context) -> Iterator[sdk.StorageHostInitiator]:
        return self._items(sdk.StorageHostInitiator)

    def list_storage_host_groups(self, context: sdk.Context) -> Iterator[sdk.StorageHostGroup]:
        return self._items(sdk.StorageHostGroup)

    def list_port_groups(self, context: sdk.Context) -> Iterator[sdk.PortGroup]:
        return self._items(sdk.PortGroup)

    def list_volume_groups(self, context: sdk.Context) -> Iterator[sdk.VolumeGroup]:
        return self._items(sdk.VolumeGroup)

    def list_masking_views(self, context: sdk.Context) -> Iterator[sdk.MaskingView]:
        return self._items(sdk.MaskingView)

    def get_capabilities(self, context: sdk.Context) -> sdk.Capabilities:
        if self.access_info.rest.port % 2 == 0:
            raise errors.StorageCapabilityNotSupported()
        capabilities = sdk.Capabilities(is_historic=True)
        capabilities.retention.FromSeconds(4500)
        metrics = capabilities.resource_metrics.add(kind="volume")
        metrics.interval.FromSeconds(60)
        metrics.metrics.add(name="iops", unit="1/s", description="Reads and writes")
        metrics.metrics.add(name="colour", unit="1")  # no such metric: nobody is told of it
        capabilities.resource_metrics.add(kind="storage_pool").metrics.add(name="responseTime", unit="s")
        return capabilities
