"""What an operator does with a Ceph cluster, over REST and on the command line, from outside."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.ceph.cluster import CephCluster
from tests.sdk_http.server import closed_port
from tests.support.up import DELPHIS, Up, up, wait_for

# The first test of a run starts the cluster.
pytestmark = [pytest.mark.ceph, pytest.mark.timeout(300)]

# The dashboard remembers the names of images for half a minute.
IMAGES_SEEN_AFTER = 60.0


@pytest.fixture(scope="module")
def delphis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Up]:
    with up(tmp_path_factory.mktemp("delphis")) as running:
        yield running


def registration(cluster: CephCluster, **changes: Any) -> dict[str, Any]:
    """The body that registers the cluster; the keywords replace fields of `rest`."""
    rest = {
        "host": "127.0.0.1",
        "port": cluster.dashboard_port,
        "username": cluster.username,
        "password": cluster.password,
        "tls": {"mode": "pinned", "pinned_certificate_sha256": cluster.certificate.sha256},
        **changes,
    }
    return {"vendor": "ceph", "model": "cluster", "storage_name": "rack 7", "rest": rest}


@pytest.fixture(scope="module")
def storage(delphis: Up, ceph_cluster: CephCluster) -> dict[str, Any]:
    """The registered cluster, synced once. It has an image that stays: a kind that is suddenly empty is suspicious."""
    for name in ("stays", "goes"):
        ceph_cluster.rbd("create", "--size", "8M", f"rbd/{name}")
    reply = delphis.ask("POST", "/v1/storages", registration(ceph_cluster))
    assert reply.status == 201, reply
    assert ceph_cluster.password not in reply.text
    synced = delphis.wait_synced(reply.json["id"])
    assert synced["sync_outcome"] == "ok", synced
    return synced


def listed(delphis: Up, kind: str, storage: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """The storage's resources by name."""
    key = kind.replace("-", "_")
    found: list[dict[str, Any]] = delphis.get(f"/v1/{kind}?storage_id={storage['id']}")[key]
    return {one["name"]: one for one in found}


def after_a_sync(
    delphis: Up, storage: dict[str, Any], what: str, probe: Callable[[], Any], timeout: float = 60.0
) -> Any:
    """Syncs again and again until one is complete and the probe answers something true."""

    def again() -> Any:
        return delphis.sync(storage["id"])["sync_outcome"] == "ok" and probe()

    return wait_for(what, again, timeout)


def test_registered_and_synced(delphis: Up, storage: dict[str, Any], ceph_cluster: CephCluster) -> None:
    assert storage["serial_number"] == ceph_cluster.fsid
    assert (storage["vendor"], storage["model"], storage["status"]) == ("ceph", "cluster", "normal")
    assert storage["used_capacity"] + storage["free_capacity"] == storage["total_capacity"]
    assert set(listed(delphis, "storage-pools", storage)) >= {"rbd", "cephfs.meta", "cephfs.data"}
    disks = listed(delphis, "disks", storage)
    assert {name: disk["status"] for name, disk in disks.items()} == {f"osd.{n}": "normal" for n in range(3)}
    assert set(listed(delphis, "controllers", storage)) == {"mon.a", "mgr.x"}
    assert set(listed(delphis, "filesystems", storage)) == {"cephfs"}


def test_registered_twice(delphis: Up, storage: dict[str, Any], ceph_cluster: CephCluster) -> None:
    reply = delphis.ask("POST", "/v1/storages", registration(ceph_cluster, host="localhost"))
    assert reply.status == 400
    assert reply.json["error_code"] == "StorageAlreadyExists"
    assert storage["id"] in reply.text


@pytest.mark.parametrize(
    ("changes", "error_code"),
    [
        # By another name than the one that is registered, or it would be a duplicate.
        ({"host": "localhost", "password": "not-the-Passw0rd"}, "InvalidUsernameOrPassword"),
        ({"port": None}, "InvalidIpOrPort"),
        ({"host": "localhost", "tls": {}}, "SSLCertificateFailed"),
        (
            {"host": "localhost", "tls": {"mode": "pinned", "pinned_certificate_sha256": "ab" * 32}},
            "SSLCertificateFailed",
        ),
    ],
)
def test_access_info_that_is_wrong(
    delphis: Up, ceph_cluster: CephCluster, changes: dict[str, Any], error_code: str
) -> None:
    if "port" in changes:
        changes = {"port": closed_port()}
    before = delphis.get("/v1/storages")["storages"]
    reply = delphis.ask("POST", "/v1/storages", registration(ceph_cluster, **changes))
    assert (reply.status, reply.json["error_code"]) == (400, error_code)
    for text in (reply.text, delphis.log()):
        assert ceph_cluster.password not in text
        assert "not-the-Passw0rd" not in text
    assert delphis.get("/v1/storages")["storages"] == before


def test_images_come_and_go_with_a_sync(delphis: Up, storage: dict[str, Any], ceph_cluster: CephCluster) -> None:
    pool = listed(delphis, "storage-pools", storage)["rbd"]
    gone = listed(delphis, "volumes", storage)["goes"]

    def only(*names: str) -> dict[str, dict[str, Any]]:
        def probe() -> dict[str, dict[str, Any]] | None:
            found = listed(delphis, "volumes", storage)
            return found if set(found) == set(names) else None

        return after_a_sync(delphis, storage, f"volumes {names}", probe, IMAGES_SEEN_AFTER)  # type: ignore[no-any-return]

    ceph_cluster.rbd("create", "--size", "64M", "rbd/seen")
    ceph_cluster.rbd("rm", "--no-progress", "rbd/goes")
    volume = only("stays", "seen")["seen"]
    assert delphis.ask("GET", f"/v1/volumes/{gone['id']}").status == 404
    assert volume["total_capacity"] == 64 * 2**20
    assert volume["native_storage_pool_id"] == pool["native_storage_pool_id"]
    assert delphis.get(f"/v1/volumes/{volume['id']}")["name"] == "seen"

    ceph_cluster.rbd("rename", "rbd/seen", "rbd/renamed")
    assert only("stays", "renamed")["renamed"]["id"] == volume["id"]


def test_a_disk_dies_and_comes_back(delphis: Up, storage: dict[str, Any], ceph_cluster: CephCluster) -> None:
    def states() -> tuple[str, str]:
        one = delphis.get(f"/v1/storages/{storage['id']}")
        return one["status"], listed(delphis, "disks", storage)["osd.1"]["status"]

    disk = listed(delphis, "disks", storage)["osd.1"]
    assert states() == ("normal", "normal")
    ceph_cluster.kill_osd(1)
    try:
        after_a_sync(delphis, storage, "dead disk", lambda: states() == ("degraded", "abnormal"))
        assert listed(delphis, "disks", storage)["osd.1"]["id"] == disk["id"]
    finally:
        ceph_cluster.start_osd(1)
    ceph_cluster.await_health()
    after_a_sync(delphis, storage, "working disk", lambda: states() == ("normal", "normal"))


def test_the_command_line(delphis: Up, storage: dict[str, Any], tmp_path: Path) -> None:
    command = [DELPHIS, "--server", delphis.grpc, "storages", "list"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert storage["serial_number"][:8] in done.stdout
