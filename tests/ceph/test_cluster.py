"""The driver against a real cluster, through a real driver host."""

from __future__ import annotations

import tempfile
import urllib.request
from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest

from delphis.driver.v1 import storage_driver_pb2 as pb
from delphis.sdk import (
    AccessInfo,
    ControllerStatus,
    DiskStatus,
    FilesystemStatus,
    RestAccess,
    StoragePoolStatus,
    StorageStatus,
    Tls,
    TlsMode,
    Volume,
)
from tests.ceph.cluster import COUNTED_EVERY, CephCluster
from tests.sdk.hosts import Failed, Host, failure, items, wait_for
from tests.sdk_http.server import closed_port

# The first test of a run starts the cluster.
pytestmark = [pytest.mark.ceph, pytest.mark.timeout(300)]

# The dashboard remembers the names of images for half a minute.
IMAGES_SEEN_AFTER = 60.0


@pytest.fixture(scope="module")
def host() -> Iterator[Host]:
    with tempfile.TemporaryDirectory(prefix="host-") as folder:
        running = Host("drivers.ceph.driver:CephDriver", Path(folder), name="dev.delphis.ceph")
        try:
            yield running
        finally:
            running.close()


Target = Callable[..., pb.Target]


@pytest.fixture
def target(ceph_cluster: CephCluster) -> Target:
    """Makes targets; the keywords replace fields of `rest`."""

    def make(storage_id: str = "ceph-1", revision: int = 1, measured: bool = False, **changes: Any) -> pb.Target:
        values: dict[str, Any] = {
            "host": "127.0.0.1",
            "port": ceph_cluster.dashboard_port,
            "username": ceph_cluster.username,
            "password": ceph_cluster.password,
            "tls": Tls(mode=TlsMode.TLS_MODE_PINNED, pinned_certificate_sha256=ceph_cluster.certificate.sha256),
            **changes,
        }
        access = AccessInfo(storage_id=storage_id, rest=RestAccess(**values))
        if measured:
            storage_id = f"{storage_id}-measured"
            access.extra_attributes["prometheus"] = str(ceph_cluster.metrics_port)
            access.extra_attributes["prometheus_interval_s"] = str(COUNTED_EVERY)
        return pb.Target(storage_id=storage_id, access_revision=revision, access_info=access)

    return make


def listed(host: Host, kind: str, target: pb.Target) -> list[Any]:
    """All items of a kind; the answer must be complete."""
    request = getattr(pb, f"List{kind}Request")(target=target)
    batches = list(getattr(host.stub, f"List{kind}")(request, timeout=60))
    assert batches[-1].complete, batches[-1].warnings
    return items(batches)


def test_announces_what_it_has(host: Host) -> None:
    info = host.info()
    assert not info.load_error
    assert set(info.rpcs) == {
        *("CloseStorage", "CollectPerfMetrics", "GetCapabilities", "GetDriverInfo", "GetLatestPerfTimestamp"),
        *("GetStorage", "ListAlerts", "ListControllers", "ListDisks", "ListFilesystems", "ListStoragePools"),
        *("ListVolumes", "ResetConnection"),
    }
    assert {field.path for field in info.access_fields if field.required} == {
        *("rest.host", "rest.username", "rest.password")
    }


def test_the_cluster(host: Host, target: Target, ceph_cluster: CephCluster) -> None:
    storage = host.get_storage(target(), timeout=60).storage
    assert storage.serial_number == ceph_cluster.fsid
    assert storage.status == StorageStatus.STORAGE_STATUS_NORMAL
    assert storage.firmware_version == ceph_cluster.ceph_json("version")["version"].split()[2]
    assert storage.raw_capacity == sum(disk.capacity for disk in listed(host, "Disks", target())) == 3 * 4 * 2**30
    assert storage.used_capacity + storage.free_capacity == storage.total_capacity


def test_pools_and_the_disks_below(host: Host, target: Target, ceph_cluster: CephCluster) -> None:
    pools = {pool.name: pool for pool in listed(host, "StoragePools", target())}
    assert {name: pool.native_storage_pool_id for name, pool in pools.items()} == {
        pool["poolname"]: str(pool["poolnum"]) for pool in ceph_cluster.ceph_json("osd", "lspools")
    }
    disks = {disk.native_disk_id: disk for disk in listed(host, "Disks", target())}
    assert {disk.name for disk in disks.values()} == {"osd.0", "osd.1", "osd.2"}
    for pool in pools.values():
        assert pool.status == StoragePoolStatus.STORAGE_POOL_STATUS_NORMAL
        assert set(pool.native_disk_ids) == set(disks)
        assert pool.used_capacity + pool.free_capacity == pool.total_capacity
    assert all(disk.status == DiskStatus.DISK_STATUS_NORMAL and disk.location for disk in disks.values())


def test_controllers_and_filesystems(host: Host, target: Target) -> None:
    controllers = {one.name: one for one in listed(host, "Controllers", target())}
    assert set(controllers) == {"mon.a", "mgr.x"}
    for one in controllers.values():
        assert one.status == ControllerStatus.CONTROLLER_STATUS_NORMAL
        assert one.mgmt_ip == "127.0.0.1"
        assert one.soft_version
        assert one.location
    (filesystem,) = listed(host, "Filesystems", target())
    assert (filesystem.name, filesystem.status) == ("cephfs", FilesystemStatus.FILESYSTEM_STATUS_NORMAL)
    pools = {pool.native_storage_pool_id: pool.name for pool in listed(host, "StoragePools", target())}
    assert pools[filesystem.native_pool_id] == "cephfs.data"


def test_images_come_grow_move_and_go(host: Host, target: Target, ceph_cluster: CephCluster) -> None:
    rbd = ceph_cluster.rbd
    for number in range(7):  # more than the dashboard gives unasked
        rbd("create", "--size", "8M", f"rbd/many-{number}")
    rbd("create", "--size", "64M", "rbd/vol1")
    rbd("bench", "--io-type", "write", "--io-threads", "1", "--io-size", "1M", "--io-total", "16M", "rbd/vol1")

    def volumes() -> list[Volume]:
        # Incomplete for as long as the dashboard counts by names that are not true any more.
        return items(host.list_volumes(target(), timeout=60))

    def volume(name: str, test: Callable[[Volume], bool] = lambda _: True) -> Volume:
        def probe() -> Volume | None:
            found = {one.name: one for one in volumes()}
            return found[name] if name in found and test(found[name]) else None

        return wait_for(f"volume {name}", probe, IMAGES_SEEN_AFTER)

    first = volume("vol1", lambda one: one.used_capacity == 16 * 2**20)
    assert first.total_capacity == 64 * 2**20
    assert first.free_capacity == 48 * 2**20
    ours = {"vol1", *(f"many-{number}" for number in range(7))}
    assert {one.name for one in volumes()} >= ours
    pools = {pool.native_storage_pool_id: pool.name for pool in listed(host, "StoragePools", target())}
    assert pools[first.native_storage_pool_id] == "rbd"

    rbd("resize", "--size", "128M", "rbd/vol1")
    rbd("rename", "rbd/vol1", "rbd/vol2")
    renamed = volume("vol2")
    assert renamed.native_volume_id == first.native_volume_id
    assert renamed.total_capacity == 128 * 2**20

    ours = ours - {"vol1"} | {"vol2"}
    for name in ours:
        rbd("rm", "--no-progress", f"rbd/{name}")
    wait_for("removal", lambda: not ours & {one.name for one in volumes()}, IMAGES_SEEN_AFTER)


def test_rates_are_what_ceph_counted(host: Host, target: Target, ceph_cluster: CephCluster) -> None:
    """What `rbd bench` moves in a known time, from samples of several windows, within 5 % of Ceph's own counters."""
    rbd = ceph_cluster.rbd
    rbd("create", "--size", "64M", "rbd/measured")

    def measured() -> Any:
        # What came and went just before is noticed, and the list is then not complete.
        batches = list(host.stub.ListVolumes(pb.ListVolumesRequest(target=target(measured=True)), timeout=60))
        found = [one for one in items(batches) if one.name == "measured"]
        return found[0] if batches[-1].complete and found else None

    volume = wait_for("image in the list", measured, 60)
    said = host.stub.GetCapabilities(pb.GetCapabilitiesRequest(target=target(measured=True)), timeout=60).capabilities
    assert {group.kind for group in said.resource_metrics} >= {"storage", "storage_pool", "disk"}
    # The image is counted once the module has found it, which something done on it makes it do.
    rbd("bench", "--io-type", "write", "--io-size", "64K", "--io-total", "1M", "rbd/measured")
    wait_for("image on the page", lambda: counted(ceph_cluster, "write_bytes") >= 2**20, 60)
    sums: dict[str, float] = defaultdict(float)

    def add_up() -> None:
        request = pb.CollectPerfMetricsRequest(target=target(measured=True))
        request.begin_time.FromSeconds(0)
        request.end_time.GetCurrentTime()
        for batch in items(list(host.stub.CollectPerfMetrics(request, timeout=60))):
            width, seconds = len(batch.native_ids), batch.step.ToTimedelta().total_seconds()
            key = volume.native_volume_id if batch.kind == "volume" else batch.native_ids[0]
            if batch.kind not in ("volume", "storage") or key not in batch.native_ids or batch.start in seen:
                continue
            at = list(batch.native_ids).index(key)
            for number, name in enumerate(batch.metrics):
                value = batch.values[number * width + at]
                if name in ("readIops", "writeIops", "readThroughput", "writeThroughput"):
                    sums[f"{batch.kind} {name}"] += value * seconds
            if batch.kind == "storage":
                seen.append(batch.start)

    seen: list[Any] = []
    add_up()
    names = {
        "readIops": "read_ops",
        "writeIops": "write_ops",
        "readThroughput": "read_bytes",
        "writeThroughput": "write_bytes",
    }
    before = {name: counted(ceph_cluster, counter) for name, counter in names.items()}
    for _ in range(3):
        # Without a cache each operation of the bench is one of the cluster.
        for direction, size in (("write", "16K"), ("read", "32K")):
            rbd(
                *("bench", "--io-type", direction, "--io-size", size, "--io-total", "4M", "--rbd-cache=false"),
                *("--io-threads", "2", "rbd/measured"),
            )
        add_up()

    def all_added() -> bool:
        add_up()
        return sums["volume writeThroughput"] >= 12 * 2**20 and sums["volume readThroughput"] >= 12 * 2**20

    wait_for("sum of all that was done", all_added, 60)
    after = {name: counted(ceph_cluster, counter) for name, counter in names.items()}
    for name in names:
        assert sums[f"volume {name}"] == pytest.approx(after[name] - before[name], rel=0.05), name

    def pools_too() -> bool:
        add_up()
        return all(sums[f"storage {name}"] >= 0.95 * sums[f"volume {name}"] for name in names)

    # The daemons tell what their pools did some seconds after the images' counters have it.
    wait_for("what the pools counted", pools_too, 60)
    assert sums["volume readThroughput"] == pytest.approx(12 * 2**20, rel=0.05)
    assert sums["volume writeIops"] == pytest.approx(3 * 256, rel=0.05)
    rbd("rm", "--no-progress", "rbd/measured")


def counted(cluster: CephCluster, counter: str) -> float:
    """What the page of the manager says of the image `measured`."""
    with urllib.request.urlopen(f"http://127.0.0.1:{cluster.metrics_port}/metrics", timeout=60) as page:
        text = page.read().decode()
    return sum(
        float(line.rsplit(" ", 1)[1])
        for line in text.splitlines()
        if line.startswith(f"ceph_rbd_{counter}{{") and 'image="measured"' in line
    )


def test_the_token_is_renewed(host: Host, target: Target, ceph_cluster: CephCluster) -> None:
    ceph_cluster.ceph("dashboard", "set-jwt-token-ttl", "1")
    try:
        short = target("short-lived")

        def probe() -> bool:
            assert host.get_storage(short, timeout=60).storage.serial_number == ceph_cluster.fsid
            return "logging in again" in host.output()

        wait_for("expired token", probe)
    finally:
        ceph_cluster.ceph("dashboard", "set-jwt-token-ttl", "28800")


def failed(host: Host, target: pb.Target) -> Failed:
    """How GetStorage fails; the password is in no part of it."""
    found = failure(lambda: host.get_storage(target, timeout=60))
    password = target.access_info.rest.password
    assert password not in repr(found)
    assert password not in host.output()
    return found


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"password": "not-the-Passw0rd"}, "INVALID_USERNAME_OR_PASSWORD"),
        ({"username": "nobody"}, "INVALID_USERNAME_OR_PASSWORD"),
        ({"host": "no-such-host.invalid"}, "INVALID_IP_OR_PORT"),
        ({"host": "https://127.0.0.1"}, "INVALID_IP_OR_PORT"),
        ({"tls": Tls()}, "SSL_CERTIFICATE_FAILED"),
        ({"tls": Tls(pinned_certificate_sha256="ab" * 32)}, "SSL_CERTIFICATE_FAILED"),
        ({"tls": Tls(mode=TlsMode.TLS_MODE_PINNED)}, "ACCESS_INFO_INCOMPLETE"),
        ({"password": ""}, "ACCESS_INFO_INCOMPLETE"),
    ],
)
def test_access_info_that_is_wrong(host: Host, target: Target, changes: dict[str, Any], reason: str) -> None:
    found = (
        failed(host, target("wrong", **changes))
        if changes.get("password") != ""
        else failure(lambda: host.get_storage(target("wrong", **changes), timeout=60))
    )
    assert found.reason == reason
    assert found.code == grpc.StatusCode.FAILED_PRECONDITION


def test_wrong_ports(host: Host, target: Target, ceph_cluster: CephCluster) -> None:
    assert failed(host, target("closed", port=closed_port())).reason == "INVALID_IP_OR_PORT"
    monitor = ceph_cluster.ceph_json("mon", "dump")["mons"][0]["public_addr"]
    port = int(monitor.split("/")[0].rpartition(":")[2])
    assert failed(host, target("monitor", port=port)).reason in ("SSL_HANDSHAKE_FAILED", "INVALID_IP_OR_PORT")


def test_the_authority_and_no_verification(host: Host, target: Target, ceph_cluster: CephCluster) -> None:
    for number, tls in enumerate(
        (
            Tls(mode=TlsMode.TLS_MODE_VERIFY, ca_certificates=ceph_cluster.certificate.pem),
            Tls(mode=TlsMode.TLS_MODE_OFF),
        )
    ):
        assert host.get_storage(target(f"tls-{number}", tls=tls), timeout=60).storage.serial_number


def test_a_user_who_may_not_see_disks(host: Host, target: Target, ceph_cluster: CephCluster) -> None:
    ceph_cluster.add_user("blocks", "another-Passw0rd", "block-manager")
    limited = target("limited", username="blocks", password="another-Passw0rd")
    request = pb.ListControllersRequest(target=limited)
    found = failure(lambda: list(host.stub.ListControllers(request, timeout=60)))
    assert found.reason == "ARRAY_PERMISSION_DENIED"


def test_a_disk_that_dies_and_comes_back(host: Host, target: Target, ceph_cluster: CephCluster) -> None:
    def disk() -> Any:
        return next(one for one in listed(host, "Disks", target()) if one.name == "osd.2")

    before = disk()
    ceph_cluster.kill_osd(2)
    try:
        wait_for("dead disk", lambda: disk().status == DiskStatus.DISK_STATUS_ABNORMAL)

        def warned() -> bool:
            storage = host.get_storage(target(), timeout=60).storage
            return storage.status == StorageStatus.STORAGE_STATUS_DEGRADED and "OSD_DOWN" in storage.native["checks"]

        wait_for("degraded cluster", warned)
        assert disk().native_disk_id == before.native_disk_id
        assert disk().capacity == before.capacity
        states = {pool.status for pool in listed(host, "StoragePools", target())}
        assert states & {StoragePoolStatus.STORAGE_POOL_STATUS_DEGRADED, StoragePoolStatus.STORAGE_POOL_STATUS_ABNORMAL}
    finally:
        ceph_cluster.start_osd(2)
    ceph_cluster.await_health()
    assert disk().status == DiskStatus.DISK_STATUS_NORMAL
    normal = StorageStatus.STORAGE_STATUS_NORMAL
    wait_for("healthy cluster", lambda: host.get_storage(target(), timeout=60).storage.status == normal)
