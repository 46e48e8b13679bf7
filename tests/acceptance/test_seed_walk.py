"""The walk of SODA Delfin's driver guide, with curl, as its readers type it."""

from __future__ import annotations

import json
import shutil
import subprocess
from typing import Any

import pytest

from tests.support.up import Up

pytestmark = pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")

REGISTRATION = """
{
"rest": {
"host": "127.0.0.1",
"port": "22",
"username": "username",
"password": "password",
"vendor": "sample_vendor",
"model": "sample_model"
}
}"""
PRINTED_KEYS = {
    "created_at", "updated_at", "id", "name", "vendor", "description", "model", "status", "serial_number",
    "firmware_version", "location", "total_capacity", "used_capacity", "free_capacity", "raw_capacity",
    "subscribed_capacity", "sync_status", "deleted_at", "deleted",
}  # fmt: skip


def curl(*arguments: str) -> Any:
    out = subprocess.run(["curl", "-sS", *arguments], capture_output=True, text=True, check=True, timeout=60).stdout
    return json.loads(out) if out else None


def test_the_guides_lines_work_as_printed(delphis: Up) -> None:
    url = delphis.rest.replace("127.0.0.1", "localhost")
    registered = curl(
        "-H", "Content-Type: application/json", "-X", "POST", f"{url}/v1/storages", "-d", REGISTRATION
    )  # fmt: skip
    assert registered.keys() >= PRINTED_KEYS
    assert registered["name"] == "sample"
    assert registered["vendor"] == "sample_vendor"
    assert registered["status"] == "normal"
    assert registered["serial_number"] == "123"
    assert registered["total_capacity"] == 123
    assert registered["used_capacity"] == 0
    assert registered["sync_status"] == "SYNCING"
    assert registered["updated_at"] is None
    assert registered["deleted"] is False
    assert registered["deleted_at"] is None
    delphis.wait_synced(registered["id"])
    json_type = ("-H", "Content-Type: application/json", "-X", "GET")
    storages = curl(*json_type, f"{url}/v1/storages")["storages"]
    assert [storage["id"] for storage in storages] == [registered["id"]]
    assert storages[0]["sync_status"] == "SYNCED"
    pools = curl(*json_type, f"{url}/v1/storages-pools")["storage_pools"]
    assert {pool["name"] for pool in pools} == {"sample_pool_0", "sample_pool_1", "sample_pool_2"}
    assert {pool["native_storage_pool_id"] for pool in pools} == {f"sample_original_id_{n}" for n in range(3)}
    volumes = curl(*json_type, f"{url}/v1/volumes")["volumes"]
    assert {volume["name"] for volume in volumes} == {f"sample_vol_{n}" for n in range(1, 5)}
    assert {volume["storage_id"] for volume in volumes} == {registered["id"]}
    assert {volume["wwn"] for volume in volumes} == {f"fake_wwn_{n}" for n in range(1, 5)}
    assert curl("-X", "POST", f"{url}/v1/storages/{registered['id']}/sync") is None
    delphis.wait_synced(registered["id"])
