"""Drivers that misbehave: what their callers see, and that the host's other arrays don't notice."""

from __future__ import annotations

import base64
import signal
from functools import partial
from pathlib import Path

import grpc
import pytest

from delphis.driver.v1 import storage_driver_pb2 as pb
from delphis.sdk.host.contract import methods
from delphis.type.v1 import errors_pb2
from tests.sdk.conftest import SharedHost, StartHost
from tests.sdk.hosts import BAD_DRIVERS, SENTINEL, Failed, Host, InBackground, failure, items, target, wait_for

BASIC = base64.b64encode(f"monitor:{SENTINEL}".encode()).decode()


def bad(name: str) -> str:
    return f"{BAD_DRIVERS}/{name}.py:{name.title().replace('_', '')}"


def well(host: Host, storage_id: str = "well") -> None:
    """Another array of the same driver works."""
    array = target(storage_id, host="127.0.0.2")
    assert host.get_storage(array).storage.serial_number.endswith("-127.0.0.2")
    batches = host.list_volumes(array)
    assert [volume.native_volume_id for volume in items(batches)] == ["1", "2", "3"]
    assert batches[-1].complete


@pytest.mark.parametrize(
    ("how", "code"), [("segv", -signal.SIGSEGV), ("abort", -signal.SIGABRT), ("kill", -signal.SIGKILL), ("exit", 3)]
)
def test_crash(start_host: StartHost, how: str, code: int) -> None:
    host: Host = start_host(bad("crash"))
    well(host)
    failed = failure(lambda: host.list_volumes(target(bad=how)))
    assert failed.code == grpc.StatusCode.UNAVAILABLE
    assert failed.reason == ""  # the dead say nothing; the router finds the words
    assert host.process.wait(60) == code
    if how in ("segv", "abort"):
        assert "Fatal Python error" in host.output()
        assert "crash.py" in host.output()
        assert SENTINEL not in host.output()
    well(start_host(bad("crash")))


def test_exit(start_host: StartHost) -> None:
    host: Host = start_host(bad("exit"))
    failed = failure(lambda: host.list_volumes(target(bad="yes")))
    assert failed.reason == "DRIVER_FAULT"
    well(host)


def test_hang(start_host: StartHost) -> None:
    host: Host = start_host(bad("hang"))
    calls = [
        InBackground(lambda: host.get_storage(target("a1", bad="login"), timeout=2.5)),
        InBackground(lambda: host.list_volumes(target("a2", bad="yes"), timeout=2.5)),
    ]
    well(host)
    assert {call.failed().reason for call in calls} == {"ARRAY_TIMEOUT"}
    well(host)
    assert host.terminate() == 0  # threads that never come back don't keep the process


def test_slow(start_host: StartHost) -> None:
    host: Host = start_host(bad("slow"))
    slow = InBackground(lambda: host.list_volumes(target(bad="0.5")))
    well(host)
    slow.join()


def test_busy(start_host: StartHost) -> None:
    """One regular expression holds all threads; nobody is lost by it."""
    host: Host = start_host(bad("busy"))
    busy = InBackground(lambda: host.list_volumes(target(bad="2")))
    well(host)
    assert len(items(busy.join())) == 3


def test_leak(start_host: StartHost) -> None:
    """Memory ends by the limit of whoever started the host; what the driver then gets is a MemoryError."""
    import resource

    host: Host = start_host(bad("leak"))
    well(host)
    used = int(Path(f"/proc/{host.pid}/statm").read_text().split()[0]) * resource.getpagesize()
    limit = used + 200 * 2**20
    resource.prlimit(host.pid, resource.RLIMIT_AS, (limit, limit))
    failed: Failed | None = None
    for _ in range(30):
        try:
            host.list_volumes(target(bad="20"))
        except grpc.RpcError as error:
            failed = Failed(error)
            break
    assert failed is not None
    if failed.reason:  # else the process died of it: then the supervisor starts another
        assert failed.reason == "DRIVER_FAULT"
        assert "MemoryError" in failed.message
        assert host.info().wants_replacement
        wait_for("NOT_SERVING", lambda: host.health() == "NOT_SERVING")


def test_no_thread_is_to_be_had(start_host: StartHost) -> None:
    """A thread's stack doesn't fit into what is left: the call fails as one that found no memory, and none hangs."""
    import resource

    host: Host = start_host(bad("slow"))
    well(host)
    used = int(Path(f"/proc/{host.pid}/statm").read_text().split()[0]) * resource.getpagesize()
    resource.prlimit(host.pid, resource.RLIMIT_AS, (used + 4 * 2**20, used + 4 * 2**20))
    calls = [InBackground(partial(host.list_volumes, target(name, bad="2"))) for name in "abcdefgh"]
    wait_for("all to end", lambda: all(call.ended for call in calls))
    failed = next(call.error for call in calls if call.error is not None)
    assert failed.reason == "DRIVER_FAULT"
    assert "MemoryError: can't start new thread" in failed.message
    assert host.info().wants_replacement


@pytest.mark.parametrize("how", ["dict", "none", "text", "mixed"])
def test_lies_about_types(shared_host: SharedHost, how: str) -> None:
    host = shared_host(bad("lie"))
    failed = failure(lambda: host.list_volumes(target(how, bad=how)))
    assert (failed.code.name, failed.reason) == ("INTERNAL", "DRIVER_BROKE_CONTRACT")
    assert "list_volumes must return" in failed.message
    well(host)


def test_lies_about_the_array(shared_host: SharedHost) -> None:
    host = shared_host(bad("lie"))
    failed = failure(lambda: host.get_storage(target("s1", bad="no_serial")))
    assert (failed.code.name, failed.reason) == ("FAILED_PRECONDITION", "INVALID_RESULTS")
    failed = failure(lambda: host.get_storage(target("s2", bad="garbage")))
    assert (failed.code.name, failed.reason) == ("INTERNAL", "DRIVER_BROKE_CONTRACT")
    assert "must return Storage, not dict" in failed.message
    well(host)


def test_half_lists(shared_host: SharedHost) -> None:
    host = shared_host(bad("lie"))
    half = host.list_volumes(target("h1", bad="half"))
    assert (len(items(half)), half[-1].complete) == (50, False)
    assert half[-1].warnings[0].reason == errors_pb2.REASON_BAD_RESPONSE
    nameless = host.list_volumes(target("h2", bad="nameless"))
    assert (len(items(nameless)), nameless[-1].complete) == (100, False)
    huge = host.list_volumes(target("h3", bad="huge"))
    assert (len(items(huge)), huge[-1].complete) == (100, False)
    failed = failure(lambda: host.list_volumes(target("a4", bad="half_error")))
    assert failed.reason == "ARRAY_UNREACHABLE"
    twice = host.list_volumes(target("a5", bad="duplicates"))
    assert len(items(twice)) == 200  # which of two is right is the inventory's to decide
    well(host)


def test_foreign_ids(start_host: StartHost) -> None:
    host: Host = start_host(bad("foreign_ids"))
    array = target(bad="00000000-0000-0000-0000-000000000001")
    storage = host.get_storage(array).storage
    assert not storage.HasField("id")
    assert not storage.labels
    for volume in items(host.list_volumes(array)):
        assert [field.name for field, _ in volume.ListFields()] == ["native_volume_id"]
    views = list(host.stub.ListMaskingViews(pb.ListMaskingViewsRequest(target=array), timeout=60))
    assert items(views)[0].native_storage_host_id == "no such host"
    well(host)


def test_stdout(start_host: StartHost) -> None:
    host: Host = start_host(bad("stdout"))
    assert host.ready_line == b"ready\n"
    batches = host.list_volumes(target(bad="yes"))
    assert len(items(batches)) == 3
    well(host)
    assert host.terminate() == 0
    output = host.output()
    assert "imported: ready" in output
    assert output.count("of much") == 5000
    assert "half a line\\xfe bytes" in output
    assert "the end" in output


@pytest.mark.parametrize("how", ["logs", "known", "unknown"])
def test_tell_secrets(start_host: StartHost, how: str) -> None:
    host: Host = start_host(bad("tell_secrets"), LOG_LEVEL="debug")
    array = target(bad=how)
    told = [str(host.get_storage(array).warnings)]
    assert told[0].count("***") == 1
    if how == "logs":
        assert len(items(host.list_volumes(array))) == 3
    else:
        failed = failure(lambda: host.list_volumes(array))
        assert failed.reason == ("DRIVER_FAULT" if how == "unknown" else "INVALID_USERNAME_OR_PASSWORD")
        told += [failed.message, str(failed.metadata), failed.raw.decode("utf-8", "replace")]
    well(host)
    assert host.terminate() == 0
    told.append(host.output())
    assert "logged by a library: password ***" in told[-1]
    assert "printed: password ***" in told[-1]
    for secret in (SENTINEL, BASIC, "session-token-4711", "S3nt1nel"):
        assert all(secret not in text for text in told), secret


def test_no_import(start_host: StartHost) -> None:
    """A driver that can't be loaded is a fact that the host tells, not a crash loop."""
    host: Host = start_host(bad("no_import"), name="dev.acme.broken", VERSION="1")
    info = host.info()
    assert (info.name, info.version) == ("dev.acme.broken", "1")
    assert info.load_error.startswith("ModuleNotFoundError: No module named 'a_library_that_nobody_has'")
    assert "Traceback" in info.load_error
    assert "no_import.py" in info.load_error
    assert not info.rpcs
    for method in methods().values():
        if method.name == "GetDriverInfo":
            continue
        failed = failure(partial(host.call, method.path, b"", streams=method.streams))
        assert (failed.code.name, failed.reason) == ("FAILED_PRECONDITION", "DRIVER_LOAD_FAILED"), method.name
        assert "a_library_that_nobody_has" in failed.message
        assert "Traceback" not in failed.message
    assert host.health() == "SERVING"
    assert host.health("delphis.driver.v1.StorageDriver") == "NOT_SERVING"
    assert host.terminate() == 0


@pytest.mark.parametrize(
    ("driver_class", "error"),
    [
        (bad("no_driver"), "is not a subclass of delphis.sdk.StorageDriver"),
        ("tests.bad_drivers.crash:Absent", "has no Absent"),
        ("no_such_module:Driver", "No module named 'no_such_module'"),
        ("tests/bad_drivers/absent.py:Driver", "There is no file"),
        ("delphis.sdk:StorageDriver", "has no get_storage"),
    ],
)
def test_what_is_no_driver(start_host: StartHost, driver_class: str, error: str) -> None:
    host: Host = start_host(driver_class)
    assert error in host.info().load_error


def test_ignore_sigterm(start_host: StartHost) -> None:
    """The supervisor's SIGKILL is for such; the host itself can do nothing."""
    host: Host = start_host(bad("ignore_sigterm"))
    well(host)
    host.get_storage(target(bad="yes"))
    host.process.terminate()
    well(host, "another")
    assert host.process.poll() is None
    host.process.kill()
    assert host.process.wait(60) == -signal.SIGKILL
