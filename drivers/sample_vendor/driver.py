"""The smallest useful driver: an array that exists only in this file, the sample of SODA Delfin's driver guide."""

from __future__ import annotations

from collections.abc import Iterator

from delphis import sdk


class SampleDriver(sdk.StorageDriver):
    """Three pools and four volumes."""

    def get_storage(self, context: sdk.Context) -> sdk.Storage:
        array = sdk.Storage(serial_number="123", name="sample", vendor="sample_vendor", model="sample_model")
        array.description, array.location, array.firmware_version = "sample", "HK", "1.0.0"
        array.status = sdk.StorageStatus.STORAGE_STATUS_NORMAL
        array.total_capacity = array.free_capacity = array.raw_capacity = array.subscribed_capacity = 123
        array.used_capacity = 0
        return array

    def list_storage_pools(self, context: sdk.Context) -> Iterator[sdk.StoragePool]:
        for number in range(3):
            pool = sdk.StoragePool(native_storage_pool_id=f"sample_original_id_{number}", name=f"sample_pool_{number}")
            pool.description, pool.status = "Sample Pool", sdk.StoragePoolStatus.STORAGE_POOL_STATUS_NORMAL
            pool.total_capacity, pool.used_capacity, pool.free_capacity = 123, 0, 123
            yield pool

    def list_volumes(self, context: sdk.Context) -> Iterator[sdk.Volume]:
        for number in range(1, 5):
            volume = sdk.Volume(native_volume_id=f"sample_original_id_{number}", name=f"sample_vol_{number}")
            volume.description, volume.status = "Sample Volume", sdk.VolumeStatus.VOLUME_STATUS_NORMAL
            volume.wwn = f"fake_wwn_{number}"
            volume.total_capacity, volume.used_capacity, volume.free_capacity = 12, 2, 10
            yield volume
