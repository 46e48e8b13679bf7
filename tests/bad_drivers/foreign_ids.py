"""Claims ids that are the inventory's, and an array that is somebody else's."""

from __future__ import annotations

from delphis.sdk import Context, MaskingView, Storage, StorageDriver, Volume


class ForeignIds(StorageDriver):
    def get_storage(self, context: Context) -> Storage:
        storage = Storage(serial_number=f"foreign-{self.access_info.rest.host}")
        if other := self.access_info.extra_attributes.get("bad"):
            storage.id = other
            storage.labels["owner"] = "nobody"
        return storage

    def list_volumes(self, context: Context) -> list[Volume]:
        volumes = [Volume(native_volume_id=str(number)) for number in range(1, 4)]
        if other := self.access_info.extra_attributes.get("bad"):
            for volume in volumes:
                volume.id, volume.storage_id, volume.missing = other, other, True
                volume.created_at.GetCurrentTime()
        return volumes

    def list_masking_views(self, context: Context) -> list[MaskingView]:
        view = MaskingView(native_masking_view_id="1", native_storage_host_id="no such host", native_volume_id="1")
        return [view] if self.access_info.extra_attributes.get("bad") else []
