"""Arrays of made-up volumes, as examples/go-driver/cmd/generated has them."""

from __future__ import annotations

from collections.abc import Iterable

from delphis import sdk

# Looked up once: a wrapped enum's name costs a search.
AVAILABLE, THIN = sdk.VolumeStatus.VOLUME_STATUS_AVAILABLE, sdk.VolumeType.VOLUME_TYPE_THIN


class Generated(sdk.StorageDriver):
    """What the SDK's host itself costs, without an array."""

    access_fields = (
        sdk.AccessField(path="extra_attributes.volumes", plain=True, default_value="10000"),
        sdk.AccessField(path="extra_attributes.kept", plain=True, default_value="no"),
    )
    _kept: list[sdk.Volume] | None = None

    def connect(self, context: sdk.Context) -> None:
        """With `kept` all volumes are made now."""
        if self.access_info.extra_attributes["kept"] == "yes":
            self._kept = [volume(number) for number in range(self._count)]

    @property
    def _count(self) -> int:
        return int(self.access_info.extra_attributes["volumes"])

    def get_storage(self, context: sdk.Context) -> sdk.Storage:
        return sdk.Storage(serial_number=f"GEN-{self.access_info.rest.port}", name="generated")

    def list_volumes(self, context: sdk.Context) -> Iterable[sdk.Volume]:
        return map(volume, range(self._count)) if self._kept is None else self._kept


def volume(number: int) -> sdk.Volume:
    """One volume."""
    size = (1 + number % 64) << 30
    return sdk.Volume(
        native_volume_id=f"vol-{number}",
        name=f"volume {number}",
        wwn=f"6{number:031x}",
        status=AVAILABLE,
        type=THIN,
        native_storage_pool_id=f"pool-{number % 4}",
        total_capacity=size,
        used_capacity=size // 2,
        free_capacity=size - size // 2,
    )
