"""A login for each array, kept by the revision of its access info."""

from __future__ import annotations

from pathlib import Path

import pytest

from delphis.driver.v1 import storage_driver_pb2 as pb
from tests.sdk.conftest import StartHost
from tests.sdk.hosts import Host, InBackground, failure, noted, target, wait_for


@pytest.fixture
def journal(tmp_path: Path) -> Path:
    return tmp_path / "journal"


def reset(host: Host, array: pb.Target) -> None:
    host.stub.ResetConnection(pb.ResetConnectionRequest(target=array), timeout=60)


def close(host: Host, array: pb.Target) -> None:
    host.stub.CloseStorage(pb.CloseStorageRequest(target=array), timeout=60)


def test_one_login_serves_all_calls_of_a_revision(start_host: StartHost, journal: Path) -> None:
    host: Host = start_host("Plain")
    array = target(journal=str(journal))
    calls = [InBackground(lambda: host.get_storage(array)) for _ in range(4)]
    for call in calls:
        call.join()
    host.list_volumes(array)
    assert (noted(journal, "made"), noted(journal, "connect")) == (1, 1)


def test_a_new_revision_replaces_the_login(start_host: StartHost, journal: Path) -> None:
    host: Host = start_host("Plain")
    for revision in (1, 2):
        array = target("a1", revision, journal=str(journal))
        array.access_info.revision = revision
        host.get_storage(array)
    wait_for("the older login to end", lambda: noted(journal, "close a1@1"))
    assert noted(journal, "connect a1@2") == 1
    assert noted(journal, "close a1@2") == 0


def test_the_older_login_ends_when_its_calls_have(start_host: StartHost, journal: Path, tmp_path: Path) -> None:
    host: Host = start_host("Plain")
    old = target(journal=str(journal), gate=str(tmp_path / "gate"))
    running = InBackground(lambda: host.get_storage(old, timeout=60))
    wait_for("a call", lambda: noted(journal, "get_storage"))
    host.get_storage(target("a1", 2, journal=str(journal)))
    assert noted(journal, "close") == 0
    (tmp_path / "gate").touch()
    running.join()
    wait_for("the older login to end", lambda: noted(journal, "close"))


def test_access_info_that_is_refused_leaves_the_login_alone(start_host: StartHost, journal: Path) -> None:
    host: Host = start_host("Plain")
    host.get_storage(target(journal=str(journal)))
    failed = failure(lambda: host.get_storage(target("a1", 2, journal=str(journal), login="refused")))
    assert failed.reason == "INVALID_USERNAME_OR_PASSWORD"
    assert failed.metadata == {"user": "monitor"}
    host.get_storage(target(journal=str(journal)))
    assert noted(journal, "connect") == 2
    assert noted(journal, "close") == 0


def test_calls_that_wait_for_a_login_fail_as_it_does(start_host: StartHost, journal: Path, tmp_path: Path) -> None:
    host: Host = start_host("Plain")
    array = target(journal=str(journal), login="refused", login_gate=str(tmp_path / "gate"))
    calls = [InBackground(lambda: host.get_storage(array)) for _ in range(3)]
    wait_for("a login", lambda: noted(journal, "connect"))
    (tmp_path / "gate").touch()
    assert {call.failed().reason for call in calls} == {"INVALID_USERNAME_OR_PASSWORD"}
    assert noted(journal, "connect") <= 2  # a call that came after the failure tries once more; none locks the user out


def test_reset_connection_logs_in_anew(start_host: StartHost, journal: Path) -> None:
    host: Host = start_host("Plain")
    array = target(journal=str(journal))
    host.get_storage(array)
    reset(host, array)
    wait_for("the older login to end", lambda: noted(journal, "close"))
    assert (noted(journal, "connect"), noted(journal, "reset")) == (2, 1)
    failed = failure(lambda: reset(host, target("a1", 2, login="refused")))
    assert failed.reason == "INVALID_USERNAME_OR_PASSWORD"


def test_reset_connection_does_not_wait_behind_calls_that_hang(
    start_host: StartHost, journal: Path, tmp_path: Path
) -> None:
    host: Host = start_host("Narrow")
    array = target(journal=str(journal), gate=str(tmp_path / "gate"))
    running = InBackground(lambda: host.get_storage(array, timeout=60))
    wait_for("a call", lambda: noted(journal, "get_storage"))
    reset(host, array)
    (tmp_path / "gate").touch()
    running.join()


def test_close_storage_logs_out_and_may_be_repeated(start_host: StartHost, journal: Path) -> None:
    host: Host = start_host("Plain")
    close(host, pb.Target(storage_id="nobody"))
    host.get_storage(target(journal=str(journal)))
    close(host, pb.Target(storage_id="a1"))
    assert noted(journal, "close") == 1
    close(host, pb.Target(storage_id="a1"))
    assert noted(journal, "close") == 1
    host.get_storage(target(journal=str(journal)))
    assert noted(journal, "connect") == 2


def test_without_a_revision_other_access_info_means_another_login(start_host: StartHost, journal: Path) -> None:
    host: Host = start_host("Plain")
    for address in ("127.0.0.1", "127.0.0.1", "127.0.0.2"):
        answer = host.get_storage(target("a1", 0, host=address, journal=str(journal)))
        assert answer.storage.serial_number == f"plain-{address}"
    assert noted(journal, "connect") == 2


def test_the_least_used_logins_make_room(start_host: StartHost, journal: Path) -> None:
    host: Host = start_host("Plain", SESSIONS="2")
    for storage_id in ("a1", "a2", "a1", "a3"):
        host.get_storage(target(storage_id, journal=str(journal)))
    wait_for("a2 to be logged out", lambda: noted(journal, "close a2"))
    assert noted(journal, "close") == 1


def test_idle_logins_end(start_host: StartHost, journal: Path) -> None:
    host: Host = start_host("Plain", SESSION_IDLE="0.2")
    host.get_storage(target(journal=str(journal)))
    wait_for("the logout", lambda: noted(journal, "close"))


def test_all_logins_end_with_the_host(start_host: StartHost, journal: Path) -> None:
    host: Host = start_host("Plain")
    for storage_id in ("a1", "a2", "a3"):
        host.get_storage(target(storage_id, journal=str(journal)))
    assert host.terminate() == 0
    assert noted(journal, "close") == 3
