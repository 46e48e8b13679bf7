"""No room for what an array answered: its kind says so, the others are synced, and it comes right by itself."""

from __future__ import annotations

import os
import resource
from array import array
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from delphis.inventory.v1 import job_pb2
from delphis.type.v1 import storage_pb2
from services.inventory.storages import array_sync
from services.inventory.sync import kind_sync
from services.inventory.sync.spool import Spool, SpoolBudget, SpoolFault
from tests.inventory.core import Core, until

MEBIBYTE = 1 << 20
VOLUMES = 8_000


@contextmanager
def files_up_to(size: int) -> Iterator[None]:
    """Writing a file beyond the size fails, as on a full disk."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where answers of more than a mebibyte go. It takes no file until the test makes it."""
    found = tmp_path / "spool"
    monkeypatch.setattr(kind_sync, "_budget", SpoolBudget(0))
    monkeypatch.setattr(kind_sync, "Spool", lambda budget, **_: Spool(budget, folder=str(found)))
    return found


async def test_the_kind_says_where_room_is_wanted_and_loses_nothing(
    delphis: Core, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(array_sync, "_REPEAT_DELAYS", (0.0,))
    os.mkdir(folder)
    storage = await delphis.synced(1, volumes=str(VOLUMES), drift="all")
    os.rmdir(folder)
    job = await delphis.ended(await delphis.sync(storage.id))
    assert (job.state, job.error_code) == (job_pb2.JOB_STATE_PARTIAL, "StoreFault")
    state = await delphis.kind(storage.id, "volume")
    assert (state.outcome, state.error_code) == (job_pb2.KIND_OUTCOME_FAILED, "StoreFault")
    assert f"folder {folder}" in state.error_msg
    assert "Free space" in state.error_msg
    assert (state.total, state.missing) == (VOLUMES, 0)
    assert (await delphis.kind(storage.id, "disk")).outcome == job_pb2.KIND_OUTCOME_OK
    os.mkdir(folder)
    job = await delphis.ended(await delphis.sync(storage.id))
    assert job.state == job_pb2.JOB_STATE_SUCCEEDED
    assert (await delphis.kind(storage.id, "volume")).changed == VOLUMES


async def test_the_kind_is_read_again_in_the_same_sync(
    delphis: Core, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(array_sync, "_REPEAT_DELAYS", (0.0,) * 1000)
    storage = await delphis.register(1, volumes=str(VOLUMES))
    job_id = (await delphis.state(storage.id)).job_id

    async def stored_error() -> str:
        text = "SELECT error_msg FROM kind_states WHERE kind = 'volume'"
        row = await delphis.store.read(lambda connection: connection.execute(text).fetchone())
        return row[0] if row else ""

    assert str(folder) in await until(stored_error, bool)
    assert (await delphis.get(storage.id)).sync_status == storage_pb2.SYNC_STATUS_SYNCING
    os.mkdir(folder)
    assert (await delphis.ended(job_id)).state == job_pb2.JOB_STATE_SUCCEEDED
    assert (await delphis.kind(storage.id, "volume")).total == VOLUMES


def test_a_full_disk_is_an_error_that_names_the_folder(tmp_path: Path) -> None:
    spool = Spool(SpoolBudget(), own_limit=10, folder=str(tmp_path))
    spool.extend([b"x" * 20], array("Q", [1]))
    with files_up_to(MEBIBYTE), pytest.raises(SpoolFault, match=f"{tmp_path} .*Free space") as raised:
        spool.extend([b"x" * 2 * MEBIBYTE], array("Q", [2]))
    assert raised.value.reason == "STORE_FAULT"
    spool.close()


def test_a_folder_that_takes_no_file_is_named(tmp_path: Path) -> None:
    spool = Spool(SpoolBudget(), own_limit=10, folder=str(tmp_path / "gone"))
    with pytest.raises(SpoolFault, match=f"{tmp_path}/gone"):
        spool.extend([b"x" * 20], array("Q", [1]))
    spool.close()
