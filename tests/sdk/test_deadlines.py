"""A call past its deadline is answered at once; the driver's thread is the host's affair."""

from __future__ import annotations

import time
from functools import partial
from pathlib import Path
from typing import Any

import grpc

from delphis.driver.v1 import storage_driver_pb2 as pb
from delphis.sdk.host.calls import budget
from delphis.sdk.host.contract import methods
from tests.sdk.conftest import StartHost
from tests.sdk.hosts import BAD_DRIVERS, Host, InBackground, failure, items, noted, target, wait_for

HANG = f"{BAD_DRIVERS}/hang.py:Hang"


def test_the_answer_comes_just_before_the_caller_gives_up() -> None:
    for remaining in (0.001, 0.01, 0.1, 1.0, 10.0, 600.0):
        assert 0 < budget(remaining) < remaining
        assert remaining - budget(remaining) <= 0.5
    assert budget(0.0) == 0.0


def test_every_method_has_a_deadline_of_its_own() -> None:
    assert all(method.default_deadline > 0 for method in methods().values())


def test_late_answers_are_given_up(start_host: StartHost) -> None:
    host: Host = start_host(HANG)
    begin = time.monotonic()
    failed = failure(lambda: host.list_volumes(target(bad="yes"), timeout=2.5))
    assert 0.7 < time.monotonic() - begin < 30
    assert (failed.code.name, failed.reason) == ("DEADLINE_EXCEEDED", "ARRAY_TIMEOUT")
    assert failed.metadata["method"] == "ListVolumes"
    assert host.info().stuck_calls == 1
    assert not host.info().wants_replacement
    assert host.health() == "SERVING"


def test_places_of_stuck_calls_are_free_again(start_host: StartHost) -> None:
    host: Host = start_host(HANG)
    for _ in range(2):  # more than the array's limit of 4
        calls = [InBackground(lambda: host.list_volumes(target(bad="yes"), timeout=2.5)) for _ in range(3)]
        assert {call.failed().reason for call in calls} == {"ARRAY_TIMEOUT"}
    assert host.get_storage(target(bad="yes")).storage.serial_number == "hang-127.0.0.1"
    assert host.info().stuck_calls == 6


def test_a_host_with_too_many_stuck_calls_asks_to_be_replaced(start_host: StartHost) -> None:
    host: Host = start_host(HANG)
    calls = [
        InBackground(partial(host.list_volumes, target(f"a{number}", bad="yes"), timeout=2.5)) for number in range(8)
    ]
    assert {call.failed().reason for call in calls} == {"ARRAY_TIMEOUT"}
    wait_for("NOT_SERVING", lambda: host.health() == "NOT_SERVING")
    assert host.health("delphis.driver.v1.StorageDriver") == "NOT_SERVING"
    info = host.info()
    assert (info.stuck_calls, info.wants_replacement) == (8, True)
    assert len(items(host.list_volumes(target("well")))) == 3  # it still serves those whose calls were under way
    assert host.terminate() == 0  # and ends all the same


def test_a_quarter_of_a_small_pool_is_too_many(start_host: StartHost) -> None:
    host: Host = start_host(HANG, THREADS="8")
    calls = [InBackground(lambda: host.list_volumes(target(bad="yes"), timeout=2.5)) for _ in range(2)]
    assert {call.failed().reason for call in calls} == {"ARRAY_TIMEOUT"}
    wait_for("NOT_SERVING", lambda: host.health() == "NOT_SERVING")


def test_slow_drivers_come_back(start_host: StartHost) -> None:
    host: Host = start_host(f"{BAD_DRIVERS}/slow.py:Slow")
    failed = failure(lambda: host.list_volumes(target(bad="3"), timeout=2.5))
    assert failed.reason == "ARRAY_TIMEOUT"
    assert host.info().stuck_calls == 1
    wait_for("the driver to come back", lambda: host.info().stuck_calls == 0)
    assert len(items(host.list_volumes(target(bad="0.5")))) == 3


def test_a_login_that_hangs_is_tried_anew(start_host: StartHost, tmp_path: Path) -> None:
    host: Host = start_host("Plain")
    gate = tmp_path / "gate"
    array = target(login_gate=str(gate), journal=str(tmp_path / "journal"))
    failed = failure(lambda: host.get_storage(array, timeout=2.5))
    assert failed.reason == "ARRAY_TIMEOUT"
    waiting = InBackground(lambda: host.get_storage(array, timeout=60))
    wait_for("a second login", lambda: (tmp_path / "journal").read_text().count("connect") == 2)
    gate.touch()
    waiting.join()
    wait_for("the late login to be ended", lambda: (tmp_path / "journal").read_text().count("close") == 1)
    assert host.info().stuck_calls == 0


def test_calls_that_wait_for_a_login_time_out_without_a_thread(start_host: StartHost, tmp_path: Path) -> None:
    host: Host = start_host("Plain")
    array = target(login_gate=str(tmp_path / "gate"), journal=str(tmp_path / "journal"))
    first = InBackground(lambda: host.get_storage(array, timeout=60))
    wait_for("the login", lambda: noted(tmp_path / "journal", "connect"))
    assert failure(lambda: host.get_storage(array, timeout=2.5)).reason == "ARRAY_TIMEOUT"
    assert host.info().stuck_calls == 0
    (tmp_path / "gate").touch()
    first.join()


def test_calls_without_a_deadline_get_the_default(start_host: StartHost) -> None:
    host: Host = start_host("Plain")
    answer = host.stub.GetStorage(pb.GetStorageRequest(target=target("a1")))
    assert answer.storage.description == "port 443, long, a1"


def test_cancelled_calls_end_generators_and_free_the_place(start_host: StartHost, tmp_path: Path) -> None:
    host: Host = start_host("Narrow")
    journal = tmp_path / "journal"
    gate = tmp_path / "gate"
    array = target(count="100000", journal=str(journal), gate=str(gate))
    stream = host.stub.ListVolumes(pb.ListVolumesRequest(target=array), timeout=60)
    wait_for("the list to begin", lambda: journal.exists() and "list_volumes" in journal.read_text())
    stream.cancel()
    gate.touch()
    wait_for("the generator to end", lambda: "list_ended" in journal.read_text())
    assert len(items(host.list_volumes(array))) == 100_000


def test_callers_that_do_not_read_do_not_hold_the_array(start_host: StartHost, tmp_path: Path) -> None:
    host: Host = start_host("Narrow")
    journal = tmp_path / "journal"
    array = target(count="200000", journal=str(journal))
    channel: Any = host.channel()
    stalled = channel.unary_stream("/delphis.driver.v1.StorageDriver/ListVolumes")(
        pb.ListVolumesRequest(target=array).SerializeToString(), timeout=2
    )
    assert len(pb.ListVolumesResponse.FromString(next(stalled)).items) == 100
    wait_for("the deadline", lambda: not stalled.is_active())
    assert stalled.code() == grpc.StatusCode.DEADLINE_EXCEEDED
    wait_for("the generator to end", lambda: "list_ended" in journal.read_text())
    assert len(items(host.list_volumes(array))) == 200_000


def test_deadlines_count_the_time_in_the_queue(start_host: StartHost, tmp_path: Path) -> None:
    host: Host = start_host("Narrow")
    array = target(gate=str(tmp_path / "gate"), journal=str(tmp_path / "journal"))
    first = InBackground(lambda: host.get_storage(array, timeout=60))
    wait_for("a call", lambda: noted(tmp_path / "journal", "get_storage"))
    begin = time.monotonic()
    failed = failure(lambda: host.get_storage(array, timeout=2.5))
    assert time.monotonic() - begin < 20
    assert failed.reason == "ARRAY_TIMEOUT"
    assert failed.message.endswith("it waited behind other calls.")
    (tmp_path / "gate").touch()
    first.join()
