"""The driver of Ceph clusters, by the REST API of the manager's dashboard, and its module prometheus for counters.

It only reads: a user of the dashboard with the role `read-only` is enough.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any, TypeVar

from delphis.sdk import (
    AccessField,
    AccessInfo,
    Alert,
    Capabilities,
    Context,
    Controller,
    Disk,
    Filesystem,
    MetricBatch,
    ResourceMetrics,
    Storage,
    StorageDriver,
    StoragePool,
    Volume,
    errors,
)

from .api import DashboardApi
from .cluster import storage_of
from .counters import Image
from .daemons import controllers_of
from .disks import disk_of
from .disks import id_of as id_of_disk
from .exposition import ATTRIBUTE as PROMETHEUS
from .filesystems import filesystem_of
from .health import alerts_of
from .image_list import ImageList
from .images import is_going, volume_of
from .performance import INTERVAL_ATTRIBUTE, Performance
from .placement import Placement
from .pools import applications_of, id_of, pool_of

ODD = (AttributeError, KeyError, TypeError, ValueError)

# Seconds that images may take to be listed for their names, while somebody waits for samples.
_LISTING = 60.0

_T = TypeVar("_T")
_Pools = Mapping[str, Mapping[str, Any]]


class CephDriver(StorageDriver):
    """One cluster."""

    # It sends no traps of its own.
    lists_all_alerts = True
    access_fields = (
        AccessField(path="rest.host", required=True, description="Host of the active manager, or what leads to it."),
        AccessField(path="rest.port", description="Port of the dashboard.", default_value="8443"),
        AccessField(
            path="rest.username", required=True, description="User of the dashboard; the role read-only is enough."
        ),
        AccessField(path="rest.password", required=True, description="Password of that user."),
        AccessField(
            path=f"extra_attributes.{PROMETHEUS}",
            description="Where the manager's module prometheus is: a port, or HOST:PORT. Unset: 9283 of rest.host.",
            plain=True,
        ),
        AccessField(
            path=f"extra_attributes.{INTERVAL_ATTRIBUTE}",
            description="Its setting scrape_interval, in seconds. Unset: 15, as it is where nobody changed it.",
            plain=True,
        ),
    )

    def __init__(self, access_info: AccessInfo) -> None:
        super().__init__(access_info)
        self._api = DashboardApi(access_info.rest)
        self._performance = Performance(access_info, self._serial_number, self._names_of_images, self._names_of_disks)

    def connect(self, context: Context) -> None:
        self._api.open(context)

    def close(self) -> None:
        self._performance.close()
        self._api.close()

    def get_storage(self, context: Context) -> Storage:
        api = self._api
        with _understanding("the cluster"):
            return storage_of(
                api.read_object(context, "/api/monitor"),
                api.read_object(context, "/api/health/minimal"),
                api.read_object(context, "/api/summary"),
            )

    def list_storage_pools(self, context: Context) -> Iterator[StoragePool]:
        placement = self._placement(context)

        def make(pool: Mapping[str, Any]) -> StoragePool:
            return pool_of(pool, placement.disks(pool.get("crush_rule")) if placement else ())

        return _each(context, "pool", self._pools(context), make)

    def list_volumes(self, context: Context) -> Iterator[Volume]:
        with _understanding("pools"):
            pools = {str(pool["pool_name"]): pool for pool in self._pools(context)}
            with_images = [name for name, pool in sorted(pools.items()) if "rbd" in applications_of(pool)]
        failed = 0
        for name in with_images:
            # Pool by pool: one that doesn't answer must not hide the images of the others.
            try:
                yield from self._images(context, name, pools)
            except (errors.StorageBackendException, errors.ArrayObjectNotFound, errors.ArrayTimeout) as error:
                context.check()
                failed += 1
                if failed == len(with_images):
                    raise
                context.incomplete(
                    f"The images of pool {name!r} could not be listed: {error}",
                    native_id=id_of(pools[name]),
                    reason=type(error),
                )

    def list_disks(self, context: Context) -> Iterator[Disk]:
        return _each(context, "OSD", self._api.read_list(context, "/api/osd"), disk_of)

    def list_controllers(self, context: Context) -> list[Controller]:
        monitor = self._api.read_object(context, "/api/monitor")
        health = self._api.read_object(context, "/api/health/full")
        hosts = self._api.read_list(context, "/api/host")
        with _understanding("monitors and managers"):
            return list(controllers_of(monitor, health.get("mgr_map") or {}, hosts))

    def list_filesystems(self, context: Context) -> Iterator[Filesystem]:
        filesystems = self._api.read_list(context, "/api/cephfs")
        with _understanding("pools"):
            pools = {id_of(pool): pool for pool in self._pools(context)} if filesystems else {}
        return _each(context, "filesystem", filesystems, lambda filesystem: filesystem_of(filesystem, pools))

    def get_capabilities(self, context: Context) -> Capabilities:
        return self._performance.capabilities(context)

    def collect_perf_metrics(
        self, context: Context, resource_metrics: Sequence[ResourceMetrics], begin: datetime, end: datetime
    ) -> Iterator[MetricBatch]:
        return self._performance.collect(context, resource_metrics)

    def get_latest_perf_timestamp(self, context: Context) -> datetime | None:
        latest = self._performance.latest()
        return datetime.fromtimestamp(latest, UTC) if latest is not None else None

    def _serial_number(self, context: Context) -> str:
        return self.get_storage(context).serial_number

    def _names_of_images(self, context: Context) -> dict[Image, str]:
        # What this list lacks concerns its images, not the samples of the others.
        listing = Context(context.storage_id, timeout=min(context.remaining / 2, _LISTING))
        return {_image_of(image): image.native_volume_id for image in self.list_volumes(listing)}

    def _names_of_disks(self, context: Context) -> dict[str, str]:
        with _understanding("disks"):
            return {f"osd.{osd['osd']}": id_of_disk(osd) for osd in self._api.read_list(context, "/api/osd")}

    def list_alerts(self, context: Context, begin: datetime | None, end: datetime | None) -> list[Alert]:
        health = self._api.read_object(context, "/api/health/minimal")
        with _understanding("health checks"):
            return list(alerts_of(health["health"]))

    def _pools(self, context: Context) -> list[Any]:
        return self._api.read_list(context, "/api/pool", {"stats": "true"})

    def _placement(self, context: Context) -> Placement | None:
        try:
            return Placement(self._api.read_object(context, "/api/health/full")["osd_map"])
        except (*ODD, errors.ArrayPermissionDenied) as error:
            context.warn(f"It is not known which disks the pools lie on: {error!r}.")
            return None

    def _images(self, context: Context, pool: str, pools: _Pools) -> Iterator[Volume]:
        listing = ImageList(self._api, pool)
        seen: set[str] = set()
        twice = False

        def make(image: Mapping[str, Any]) -> Volume | None:
            if is_going(image):
                return None
            return volume_of(image, pools[pool], pools.get(str(image.get("data_pool") or "")))

        for volume in _each(context, "image", listing.images(context), make):
            if volume is None:
                continue
            if volume.native_volume_id in seen:
                twice = True
                continue
            seen.add(volume.native_volume_id)
            self._performance.learn(_image_of(volume), volume.native_volume_id)
            yield volume
        if twice or not listing.is_complete:
            context.incomplete(
                f"Images of pool {pool!r} came, went or were renamed while they were listed; some may be missing.",
                native_id=id_of(pools[pool]),
            )


def _image_of(volume: Volume) -> Image:
    """How the manager's counters name it."""
    return volume.native["pool"], volume.native.get("namespace", ""), volume.name


@contextmanager
def _understanding(what: str) -> Generator[None, None, None]:
    """Names what can't be read when an answer has another shape than it should."""
    try:
        yield
    except ODD as error:
        raise errors.BadResponse(f"What the dashboard says of {what} can't be read: {error!r}.") from error


def _each(context: Context, kind: str, items: Iterable[Any], make: Callable[[Mapping[str, Any]], _T]) -> Iterator[_T]:
    """What is made of each item. One that can't be read doesn't take the others with it, but is said to be missing."""
    for number, item in enumerate(items):
        try:
            made = make(item)
        except ODD as error:
            context.incomplete(
                f"{kind} number {number} in the answer can't be read: {error!r}.", reason=errors.BadResponse
            )
            continue
        yield made
