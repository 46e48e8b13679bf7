"""An array of a family with volumes and disks, which has what its attribute `kinds` says."""

from __future__ import annotations

from collections.abc import Iterator

from delphis import sdk


class Choosy(sdk.StorageDriver):
    """Volumes are there to be read; who asks for disks is told that this was a mistake."""

    def get_storage(self, context: sdk.Context) -> sdk.Storage:
        return sdk.Storage(serial_number=f"choosy-{self.access_info.rest.port}", vendor="v", model="m")

    def get_capabilities(self, context: sdk.Context) -> sdk.Capabilities:
        kinds = self.access_info.extra_attributes["kinds"]
        if kinds == "broken":
            raise sdk.errors.StorageBackendException("The array can't say what it has.")
        return sdk.Capabilities(kinds=kinds.split(",") if kinds else [])

    def list_volumes(self, context: sdk.Context) -> Iterator[sdk.Volume]:
        yield sdk.Volume(native_volume_id="1", name="one")

    def list_disks(self, context: sdk.Context) -> Iterator[sdk.Disk]:
        raise sdk.errors.StorageBackendException("This array has no disks and should not be asked.")
