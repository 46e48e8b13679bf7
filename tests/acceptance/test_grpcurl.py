"""The real grpcurl against a running Delphis: list, describe, and calls through the router."""

from __future__ import annotations

import json
import subprocess
import sysconfig
from pathlib import Path

from tests.support.up import Up

GRPCURL = Path(sysconfig.get_path("scripts")) / "grpcurl"


def grpcurl(delphis: Up, *arguments: str, data: str | None = None) -> subprocess.CompletedProcess[str]:
    given = ["-d", data] if data is not None else []
    return subprocess.run(
        [GRPCURL, "-plaintext", *given, delphis.grpc, *arguments],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip


def test_list_and_describe(delphis: Up) -> None:
    listed = grpcurl(delphis, "list").stdout.split()
    assert "delphis.inventory.v1.InventoryService" in listed
    assert "delphis.driver.v1.StorageDriver" in listed
    described = grpcurl(delphis, "describe", "delphis.inventory.v1.InventoryService.RegisterStorage").stdout
    assert "Registers an array" in described
    assert "/v1/storages" in described
    message = grpcurl(delphis, "describe", "delphis.type.v1.Volume").stdout
    assert "native_volume_id" in message


def test_a_call_through_the_router_reaches_the_array(delphis: Up) -> None:
    storage = delphis.register(40, volumes="7")
    delphis.wait_synced(storage["id"])
    data = json.dumps({"target": {"storage_id": storage["id"]}})
    answered = grpcurl(delphis, "delphis.driver.v1.StorageDriver/GetStorage", data=data)
    assert answered.returncode == 0, answered.stderr
    assert json.loads(answered.stdout)["storage"]["serialNumber"] == storage["serial_number"]
    listed = grpcurl(delphis, "delphis.driver.v1.StorageDriver/ListVolumes", data=data)
    assert listed.returncode == 0, listed.stderr
    assert listed.stdout.count("nativeVolumeId") == 7


def test_access_info_of_the_callers_own_is_refused(delphis: Up) -> None:
    storage = delphis.register(41, volumes="1")
    delphis.wait_synced(storage["id"])
    target = {
        "storage_id": storage["id"],
        "access_info": {"rest": {"host": "127.0.0.9", "tls": {"mode": "TLS_MODE_OFF"}}},
    }
    refused = grpcurl(delphis, "delphis.driver.v1.StorageDriver/GetStorage", data=json.dumps({"target": target}))
    assert refused.returncode != 0
    assert "TARGET_REFUSED" in refused.stderr
