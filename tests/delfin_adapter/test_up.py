"""Drivers that were written for Delfin, in a real Delphis: manifests, hosts under the supervisor, REST."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest

from tests.delfin_adapter.box import PASSWORD, VOLUMES, box
from tests.delfin_adapter.support import DRIVERS
from tests.delfin_adapter.test_installed import installed
from tests.support.up import DELPHIS, Up, core_alone, wait_for

SERVED = {
    "restbox rb": "rest_box:RestBoxDriver",
    "complete c1": "complete:CompleteDriver",
    "odd one": "odd:OddDriver",
    "crash it": "crash:CrashDriver",
    "lacks it": "lacks_module:LacksModuleDriver",
}
KINDS = {
    "storage-pools": 2,
    "volumes": 10,
    "controllers": 2,
    "ports": 2,
    "disks": 4,
    "filesystems": 1,
    "qtrees": 1,
    "quotas": 1,
    "shares": 1,
    "storage-hosts": 3,
    "storage-host-initiators": 3,
    "storage-host-groups": 1,
    "port-groups": 1,
    "volume-groups": 1,
    "masking-views": 1,
}


@pytest.fixture(scope="module")
def delphis(tmp_path_factory: pytest.TempPathFactory) -> Generator[Up, None, None]:
    folder = tmp_path_factory.mktemp("up")
    installed(folder / "site", SERVED)
    command = [sys.executable, "-P", "-m", "delphis.delfin", "manifest", "--dir", str(folder / "drivers")]
    for place in (folder / "site", DRIVERS):
        command += ["--path", str(place)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    assert len(done.stdout.splitlines()) == len(SERVED)
    with core_alone(folder, "--drivers", str(folder / "drivers")) as running:
        yield running


def register(delphis: Up, pair: str, **rest: Any) -> Any:
    vendor, _, model = pair.partition(" ")
    extra = rest.pop("extra", {})
    block = {"host": "127.0.0.9", "port": 443, "username": "monitor", "password": PASSWORD, **rest}
    block.setdefault("tls", {"mode": "off"})
    body = {"vendor": vendor, "model": model, "rest": block, "extra_attributes": extra}
    return delphis.ask("POST", "/v1/storages", body)


def synced(delphis: Up, pair: str, **rest: Any) -> dict[str, Any]:
    reply = register(delphis, pair, **rest)
    assert reply.status == 201, reply
    return delphis.wait_synced(reply.json["id"])


def test_all_kinds_of_an_array(delphis: Up) -> None:
    storage = synced(delphis, "complete c1")
    assert (storage["name"], storage["serial_number"]) == ("complete", "complete-127.0.0.9")
    counts = {
        kind: len(delphis.get(f"/v1/{kind}?storage_id={storage['id']}")[kind.replace("-", "_")]) for kind in KINDS
    }
    assert counts == KINDS
    [group] = delphis.get(f"/v1/storage-host-groups?storage_id={storage['id']}")["storage_host_groups"]
    assert group["storage_hosts"] == ["host-0", "host-1"]
    port = delphis.get(f"/v1/ports?storage_id={storage['id']}&native_port_id=port-0")["ports"][0]
    assert (port["speed"], port["max_speed"]) == (10**10, 25 * 10**9)


def test_an_array_over_https(delphis: Up, tmp_path: Path) -> None:
    with box(tmp_path) as (_, server, signer):
        at: dict[str, Any] = {"host": "127.0.0.1", "port": server.port, "tls": {"ca_certificates": signer.pem}}
        refused = register(delphis, "restbox rb", password="nonsense", **at)
        assert (refused.status, refused.json["error_code"]) == (400, "InvalidUsernameOrPassword")
        storage = synced(delphis, "restbox rb", **at)
        assert storage["serial_number"] == "RB-0001"
        volumes = delphis.get(f"/v1/volumes?limit=1000&storage_id={storage['id']}")["volumes"]
        assert len(volumes) == VOLUMES
        assert {volume["type"] for volume in volumes} == {"thin"}


def test_odd_shapes_stop_nothing(delphis: Up) -> None:
    storage = synced(delphis, "odd one")
    volumes = delphis.get(f"/v1/volumes?storage_id={storage['id']}")["volumes"]
    assert sorted(volume["native_volume_id"] for volume in volumes) == ["7", "8", "9"]
    assert {volume["type"] for volume in volumes} == {"unknown", "thin", None}


def test_one_that_kills_its_process_harms_no_other(delphis: Up) -> None:
    well = synced(delphis, "crash it")
    reply = register(delphis, "crash it", host="127.0.0.10", extra={"bad": "exit"})
    assert reply.status == 201, reply
    assert delphis.sync(well["id"])["sync_outcome"] == "ok"
    assert len(delphis.get(f"/v1/volumes?storage_id={well['id']}")["volumes"]) == 1


def test_a_driver_that_lacks_a_library_says_so(delphis: Up) -> None:
    reply = register(delphis, "lacks it")
    assert reply.json["error_code"] == "DriverLoadFailed"
    assert "imports no_such_library_of_an_array" in reply.json["error_msg"]
    wait_for("the error in the list", lambda: "no_such_library" in _drivers(delphis))
    assert "delfin.restbox.rb" in _drivers(delphis)


def _drivers(delphis: Up) -> str:
    command = [DELPHIS, "--server", delphis.grpc, "drivers", "list", "-o", "json"]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=True).stdout
