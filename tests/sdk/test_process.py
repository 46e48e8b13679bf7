"""A host as a process: start, health, reflection, drain, end; what it costs."""

from __future__ import annotations

import os
import resource
import signal
import stat
import subprocess
import sys
import time
import urllib.request
from functools import partial
from pathlib import Path

import grpc
import pytest
from google.protobuf import descriptor_pb2
from grpc_reflection.v1alpha import reflection_pb2

from delphis.driver.v1 import storage_driver_pb2 as pb
from delphis.driver.v1.storage_driver_pb2_grpc import StorageDriverStub
from delphis.sdk.host.settings import SettingsError, from_environment
from tests.sdk.conftest import StartHost
from tests.sdk.hosts import DRIVERS, REPO, Host, InBackground, failure, items, noted, target, wait_for

SERVICE = "delphis.driver.v1.StorageDriver"
SAMPLE = "drivers.sample_vendor.driver:SampleDriver"


def test_health_of_process_and_service(start_host: StartHost) -> None:
    host: Host = start_host("Plain")
    assert host.health() == host.health(SERVICE) == "SERVING"
    failed = failure(lambda: host.health("other"))
    assert failed.code == grpc.StatusCode.NOT_FOUND


@pytest.mark.parametrize("version", ["v1", "v1alpha"])
def test_reflection_with_comments(start_host: StartHost, version: str) -> None:
    host: Host = start_host("Plain")
    ask = host.channel().stream_stream(
        f"/grpc.reflection.{version}.ServerReflection/ServerReflectionInfo",
        request_serializer=reflection_pb2.ServerReflectionRequest.SerializeToString,
        response_deserializer=reflection_pb2.ServerReflectionResponse.FromString,
    )
    requests = [
        reflection_pb2.ServerReflectionRequest(list_services=""),
        reflection_pb2.ServerReflectionRequest(file_containing_symbol=SERVICE),
    ]
    services, files = ask(iter(requests), timeout=60)
    names = {service.name for service in services.list_services_response.service}
    assert {SERVICE, "grpc.health.v1.Health", "grpc.reflection.v1.ServerReflection"} <= names
    protos = [
        descriptor_pb2.FileDescriptorProto.FromString(data)
        for data in files.file_descriptor_response.file_descriptor_proto
    ]
    [contract] = [proto for proto in protos if proto.name == "delphis/driver/v1/storage_driver.proto"]
    assert any("Lists the array's volumes" in place.leading_comments for place in contract.source_code_info.location)


def test_sockets_are_for_owner_and_group(start_host: StartHost) -> None:
    host: Host = start_host("Plain")
    assert stat.S_IMODE(os.stat(host.socket).st_mode) == 0o660
    assert host.terminate() == 0
    assert not host.socket.exists()


def test_a_stale_socket_is_replaced_and_a_foreign_one_is_not(start_host: StartHost, tmp_path: Path) -> None:
    first: Host = start_host("Plain")
    first.process.kill()
    first.process.wait(60)
    assert first.socket.exists()
    second: Host = start_host("Plain", endpoint=first.endpoint)
    assert second.info().name == "test.driver"


def test_tcp_without_certificates_only_on_loopback(start_host: StartHost) -> None:
    host: Host = start_host("Plain", endpoint="tcp://127.0.0.1:0")
    line = wait_for("the address", lambda: next((line for line in host.lines if "serves at" in line), None))
    address = line.rpartition("tcp://")[2]
    stub = StorageDriverStub(host.channel(address))
    assert stub.GetDriverInfo(pb.GetDriverInfoRequest(), timeout=60).name == "test.driver"
    for endpoint in ("tcp://0.0.0.0:0", "tcp://[::]:0", "tcp://192.0.2.1:0"):
        refused: Host = start_host("Plain", endpoint=endpoint, wait=False)
        assert refused.process.wait(60) == 2
        assert "needs TLS" in refused.output()
    taken: Host = start_host("Plain", endpoint=f"tcp://{address}", wait=False)
    assert taken.process.wait(60) == 2
    assert "can't be had" in taken.output()


def certificates(folder: Path) -> None:
    """A CA with a server's and a client's certificate, and another CA with the same."""
    new_key = "-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes"
    (folder / "ext").write_text("subjectAltName=IP:127.0.0.1\n")
    for ca in ("ca", "other"):
        openssl(folder, f"req -x509 {new_key} -days 2 -subj /CN={ca} -keyout {ca}.key -out {ca}.pem")
        signed_by = f"-CA {ca}.pem -CAkey {ca}.key -CAcreateserial -days 2 -extfile ext"
        for name in ("server", "client"):
            stem = name if ca == "ca" else f"other-{name}"
            openssl(folder, f"req {new_key} -subj /CN={name} -keyout {stem}.key -out {stem}.csr")
            openssl(folder, f"x509 -req -in {stem}.csr {signed_by} -out {stem}.pem")


def openssl(folder: Path, arguments: str) -> None:
    subprocess.run(["openssl", *arguments.split()], cwd=folder, check=True, capture_output=True, timeout=60)


def test_tcp_with_mutual_tls(start_host: StartHost, tmp_path: Path) -> None:
    certificates(tmp_path)
    files = {
        f"TLS_{key}": str(tmp_path / name)
        for key, name in (("CA", "ca.pem"), ("CERT", "server.pem"), ("KEY", "server.key"))
    }
    host: Host = start_host("Plain", endpoint="tcp://127.0.0.1:0", **files)
    line = wait_for("the address", lambda: next((line for line in host.lines if "serves at" in line), None))
    address = line.rpartition("tcp://")[2]

    def dial(client: str | None) -> str:
        read = (tmp_path / "ca.pem").read_bytes()
        pair = (
            ((tmp_path / f"{client}.key").read_bytes(), (tmp_path / f"{client}.pem").read_bytes())
            if client
            else (None, None)
        )
        with grpc.secure_channel(address, grpc.ssl_channel_credentials(read, *pair)) as channel:
            return StorageDriverStub(channel).GetDriverInfo(pb.GetDriverInfoRequest(), timeout=60).name

    assert dial("client") == "test.driver"
    for stranger in (None, "other-client"):
        assert failure(partial(dial, stranger)).code == grpc.StatusCode.UNAVAILABLE
    plain: Host = start_host("Plain", endpoint="tcp://127.0.0.1:0", wait=False, TLS_CERT=files["TLS_CERT"])
    assert plain.process.wait(60) == 2
    assert "TLS needs all of" in plain.output()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_drain_finishes_calls_and_takes_no_more(start_host: StartHost, tmp_path: Path, number: signal.Signals) -> None:
    host: Host = start_host("Plain")
    journal, gate = tmp_path / "journal", tmp_path / "gate"
    array = target(journal=str(journal), gate=str(gate))
    running = InBackground(lambda: host.get_storage(array, timeout=60))
    wait_for("a call", lambda: noted(journal, "get_storage"))
    health = host.watch_health()
    assert next(health) == "SERVING"
    host.process.send_signal(number)
    assert next(health) == "NOT_SERVING"
    refused = wait_for("a refusal", lambda: refusal(host, target("a2")))
    assert refused == grpc.StatusCode.UNAVAILABLE
    assert host.process.poll() is None
    gate.touch()
    assert running.join().storage.serial_number
    assert host.process.wait(60) == 0
    assert noted(journal, "close a1") == 1


def refusal(host: Host, array: pb.Target) -> grpc.StatusCode | None:
    call = InBackground(lambda: host.get_storage(array, timeout=2))
    wait_for("an answer", lambda: call.ended)
    return call.error.code if call.error else None


def test_drain_ends_after_its_grace(start_host: StartHost, tmp_path: Path) -> None:
    host: Host = start_host("Plain", DRAIN="1")
    array = target(journal=str(tmp_path / "journal"), gate=str(tmp_path / "gate"))
    running = InBackground(lambda: host.get_storage(array, timeout=60))
    wait_for("a call", lambda: noted(tmp_path / "journal", "get_storage"))
    begin = time.monotonic()
    host.process.terminate()
    assert host.process.wait(60) == 0
    assert time.monotonic() - begin < 30
    assert "did not end within 0.75 s" in host.output()
    assert running.failed().code in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED)


def test_the_host_ends_with_its_parent(tmp_path: Path) -> None:
    socket = tmp_path / "s"
    program = (
        "import os, subprocess, sys, time\n"
        "os.environ['DELPHIS_DRIVER_PARENT_PID'] = str(os.getpid())\n"
        f"os.environ['DELPHIS_DRIVER_ENDPOINT'] = 'unix://{socket}'\n"
        "command = [sys.executable, '-m', 'delphis.sdk.host', '--driver', 'x', '--class', sys.argv[1]]\n"
        "print(subprocess.Popen(command).pid, flush=True)\n"
        "time.sleep(60)\n"
    )
    parent = subprocess.Popen(
        [sys.executable, "-c", program, f"{DRIVERS}:Plain"],
        cwd=REPO,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    try:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        wait_for("the host", socket.exists)
        parent.kill()
        parent.wait(60)
        wait_for("the host's end", lambda: not alive(pid))
        parent.stdout.close()
    finally:
        parent.kill()
        parent.wait(60)


def alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


def test_nobody_reads_its_memory_and_it_dumps_no_core(start_host: StartHost) -> None:
    host: Host = start_host("Plain")
    assert resource.prlimit(host.pid, resource.RLIMIT_CORE) == (0, 0)
    # /proc files of a process that is not dumpable belong to root, whoever runs it.
    status = Path(f"/proc/{host.pid}/status").read_text()
    assert "Threads:" in status
    if os.geteuid() != 0:
        with pytest.raises(PermissionError):
            Path(f"/proc/{host.pid}/environ").read_bytes()


def test_command_line_names_the_driver_and_holds_no_secret(start_host: StartHost) -> None:
    host: Host = start_host(SAMPLE, name="dev.delphis.sample-vendor")
    arguments = Path(f"/proc/{host.pid}/cmdline").read_bytes().split(b"\0")
    assert b"dev.delphis.sample-vendor" in arguments


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        ("THREADS", "many", "must be a number above 0"),
        ("DRAIN", "-1", "must be a number above 0"),
        ("SERVES", "acme box", "must be a list such as"),
        ("SERVES", '[{"vendor": "acme"}]', "must be a list such as"),
        ("READY_FD", "three", "must be a whole number"),
        ("LOG_LEVEL", "loud", "must be debug, info"),
        ("TLS_CERT", "/x", "TLS needs all of"),
        ("ENDPOINT", "", "DELPHIS_DRIVER_ENDPOINT"),
    ],
)
def test_wrong_settings_are_named(name: str, value: str, sentence: str) -> None:
    environment = {"DELPHIS_DRIVER_ENDPOINT": "unix:///x", f"DELPHIS_DRIVER_{name}": value}
    with pytest.raises(SettingsError, match=sentence):
        from_environment("a", "b:C", environment)


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"endpoint": "nonsense"}, "must be unix:///path or tcp://host:port"),
        ({"endpoint": f"unix:///tmp/{'x' * 120}/s"}, "107 bytes"),
        ({"METRICS": "udp://x"}, "can't be served"),
        ({"THREADS": "0"}, "must be a number above 0"),
    ],
)
def test_wrong_settings_end_with_a_sentence(start_host: StartHost, settings: dict[str, str], sentence: str) -> None:
    host: Host = start_host("Plain", wait=False, **settings)
    assert host.process.wait(60) == 2
    assert sentence in host.output()
    assert "Traceback" not in host.output()


def test_a_human_who_starts_it_by_hand_gets_a_sentence() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "delphis.sdk.host"], cwd=REPO, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 2
    assert "delphis-driver run" in done.stderr


def test_metrics_of_calls(start_host: StartHost, tmp_path: Path) -> None:
    host: Host = start_host("Plain", METRICS=f"unix://{tmp_path}/metrics.sock", endpoint=None)
    host.get_storage(target())
    host.list_volumes(target())
    failure(lambda: host.get_storage(target("a2", login="refused")))
    text = scrape(f"{tmp_path}/metrics.sock")
    driver = 'driver="test.driver"'
    assert f'delphis_driver_calls_total{{{driver},method="GetStorage",outcome="OK"}} 1' in text
    assert (
        f'delphis_driver_calls_total{{{driver},method="GetStorage",outcome="INVALID_USERNAME_OR_PASSWORD"}} 1' in text
    )
    assert f'delphis_driver_call_seconds_count{{{driver},method="ListVolumes"}} 1' in text
    for gauge in ("calls_in_flight", "calls_running", "calls_waiting", "calls_stuck"):
        assert f"delphis_driver_{gauge}{{{driver}}} 0" in text
    assert f"delphis_driver_sessions{{{driver}}} 1" in text
    assert "monitor" not in text


def scrape(path: str) -> str:
    import http.client
    import socket

    class Unix(http.client.HTTPConnection):
        def connect(self) -> None:
            self.sock = socket.socket(socket.AF_UNIX)
            self.sock.connect(path)

    connection = Unix("localhost", timeout=60)
    connection.request("GET", "/metrics")
    answer = connection.getresponse()
    assert answer.status == 200
    text = answer.read().decode()
    connection.close()
    return text


def test_metrics_over_tcp(start_host: StartHost) -> None:
    import socket

    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    start_host("Plain", METRICS=f"tcp://127.0.0.1:{port}")
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=60) as answer:
        assert b"delphis_driver_calls_total" in answer.read()


def test_a_host_is_small(start_host: StartHost) -> None:
    host: Host = start_host(SAMPLE)
    for number in range(20):
        host.get_storage(target(f"a{number}"))
    assert len(items(host.list_volumes(target()))) == 4
    try:
        rollup = Path(f"/proc/{host.pid}/smaps_rollup").read_text()
    except PermissionError:
        pytest.skip("the memory of another process can be counted by root only")
    pss = next(int(line.split()[1]) for line in rollup.splitlines() if line.startswith("Pss:"))
    assert pss <= 30 * 1024, f"{pss} KiB"


def test_nothing_is_imported_that_a_driver_may_not_need() -> None:
    code = (
        "import sys, delphis.sdk.host.server\n"
        "unwanted = ('requests', 'grpc_reflection.v1alpha', 'paramiko', 'urllib3', 'click')\n"
        "print([name for name in unwanted if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=REPO, capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout.strip() == "[]"
