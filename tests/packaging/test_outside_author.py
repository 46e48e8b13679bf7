"""Somebody who has never seen the checkout writes a driver and a client, with nothing but our wheels."""

from __future__ import annotations

import json
import subprocess

import pytest

from .conftest import Environment

pytestmark = [pytest.mark.packaging, pytest.mark.timeout(600)]

DRIVER = '''
from collections.abc import Iterator

from delphis.sdk import Context, Storage, StorageDriver, StoragePool, StorageStatus, Volume, VolumeStatus


class AcmeBox(StorageDriver):
    """The smallest useful driver."""

    def get_storage(self, context: Context) -> Storage:
        return Storage(
            serial_number="4711",
            name="box",
            vendor="acme",
            model="box",
            status=StorageStatus.STORAGE_STATUS_NORMAL,
            total_capacity=2**40,
        )

    def list_storage_pools(self, context: Context) -> list[StoragePool]:
        return [StoragePool(native_storage_pool_id="p1", name="first", total_capacity=2**40)]

    def list_volumes(self, context: Context) -> Iterator[Volume]:
        for number in range(3):
            yield Volume(native_volume_id=str(number), status=VolumeStatus.VOLUME_STATUS_AVAILABLE)
'''

DRIVER_MISTAKES = """
from delphis.sdk import Context, Storage, StorageDriver


class Wrong(StorageDriver):
    def get_storage(self, context: Context) -> Storage:
        return Storage(serial_number=4711)

    def list_volumes(self, context: Context) -> int:
        return 3
"""

CLIENT = """
import grpc
from delphis.inventory.v1 import inventory_pb2, inventory_pb2_grpc


def names(channel: grpc.Channel) -> list[str]:
    stub = inventory_pb2_grpc.InventoryServiceStub(channel)
    answer = stub.ListStorages(inventory_pb2.ListStoragesRequest(page_size=10))
    return [storage.name for storage in answer.storages]


async def names_async(channel: grpc.aio.Channel) -> list[str]:
    stub = inventory_pb2_grpc.InventoryServiceStub(channel)
    answer = await stub.ListStorages(inventory_pb2.ListStoragesRequest(page_size=10))
    return [storage.name for storage in answer.storages]
"""

CLIENT_MISTAKES = """
import grpc
from delphis.inventory.v1 import inventory_pb2, inventory_pb2_grpc


def sync_mistake(channel: grpc.Channel) -> int:
    stub = inventory_pb2_grpc.InventoryServiceStub(channel)
    return stub.GetStorage(inventory_pb2.GetStorageRequest(storage_id="x")).name


async def async_mistake(channel: grpc.aio.Channel) -> int:
    stub = inventory_pb2_grpc.InventoryServiceStub(channel)
    return (await stub.GetStorage(inventory_pb2.GetStorageRequest(storage_id="x"))).name


def misspelt() -> bytes:
    return inventory_pb2.GetStorageRequest().SerialiseToString()
"""


def write(environment: Environment, name: str, source: str) -> None:
    environment.folder.joinpath(name).write_text(source, encoding="utf-8")


def mypy_errors(environment: Environment, name: str) -> set[int]:
    """Line numbers that mypy complains about."""
    done = environment.run("mypy", "--strict", "--no-error-summary", "--cache-dir", ".mypy", name)
    lines = {int(line.split(":")[1]) for line in done.output.splitlines() if ": error:" in line}
    assert (done.code == 0) == (not lines), done.output
    return lines


def pyright_errors(environment: Environment, name: str) -> set[int]:
    config = {"include": [name], "typeCheckingMode": "standard", "venvPath": "..", "venv": environment.folder.name}
    write(environment, "pyrightconfig.json", json.dumps(config))
    done = environment.run("pyright", "--outputjson")
    report = json.loads(done.output[done.output.index("{") :])
    return {item["range"]["start"]["line"] + 1 for item in report["generalDiagnostics"] if item["severity"] == "error"}


def line_of(source: str, text: str) -> int:
    [found] = [number for number, line in enumerate(source.splitlines(), 1) if text in line]
    return found


def test_correct_driver_and_client_have_no_errors(newest: Environment) -> None:
    for name, source in (("good_driver.py", DRIVER), ("good_client.py", CLIENT)):
        write(newest, name, source)
        assert mypy_errors(newest, name) == set(), name
        assert pyright_errors(newest, name) == set(), name


def test_mistakes_in_a_driver_are_found(newest: Environment) -> None:
    write(newest, "bad_driver.py", DRIVER_MISTAKES)
    expected = {
        line_of(DRIVER_MISTAKES, "serial_number=4711"),
        line_of(DRIVER_MISTAKES, "def list_volumes"),
    }
    assert mypy_errors(newest, "bad_driver.py") == expected
    assert pyright_errors(newest, "bad_driver.py") == expected


def test_mistakes_in_a_client_are_found(newest: Environment) -> None:
    write(newest, "bad_client.py", CLIENT_MISTAKES)
    expected = {
        line_of(CLIENT_MISTAKES, "return stub.GetStorage"),
        line_of(CLIENT_MISTAKES, "return (await stub"),
        line_of(CLIENT_MISTAKES, "SerialiseToString"),
    }
    # SerialiseToString: mypy speaks of the attribute and of the Any that would be returned, on the same line.
    assert mypy_errors(newest, "bad_client.py") == expected
    assert pyright_errors(newest, "bad_client.py") == expected


CALL = """
import sys
import grpc
from delphis.driver.v1 import storage_driver_pb2 as driver, storage_driver_pb2_grpc
from delphis.type.v1 import access_pb2

target = driver.Target(
    storage_id="00000000-0000-0000-0000-000000000001",
    access_revision=1,
    access_info=access_pb2.AccessInfo(rest=access_pb2.RestAccess(host="127.0.0.9", username="u", password="p")),
)
with grpc.insecure_channel(sys.argv[1]) as channel:
    stub = storage_driver_pb2_grpc.StorageDriverStub(channel)
    info = stub.GetDriverInfo(driver.GetDriverInfoRequest(), wait_for_ready=True, timeout=60)
    print("info", info.name)
    answer = stub.GetStorage(driver.GetStorageRequest(target=target), timeout=60)
    print("serial", answer.storage.serial_number)
    batches = list(stub.ListVolumes(driver.ListVolumesRequest(target=target), timeout=60))
    print("volumes", sum(len(batch.items) for batch in batches), batches[-1].complete)
"""


def test_driver_runs_from_the_wheel_and_answers(newest: Environment) -> None:
    assert len(DRIVER.strip().splitlines()) < 40
    write(newest, "acme_box.py", DRIVER)
    endpoint = f"unix://{newest.folder}/acme.sock"
    with subprocess.Popen(
        [newest.folder / "bin/delphis-driver", "run", "acme_box.py", "--endpoint", endpoint],
        cwd=newest.folder,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as host:
        try:
            done = newest.run("python", "-c", CALL, f"unix:{newest.folder}/acme.sock")
        finally:
            host.terminate()
        assert host.wait(60) == 0
    assert done.code == 0, done.output
    assert done.output.split() == ["info", "local.acme-box", "serial", "4711", "volumes", "3", "True"]
