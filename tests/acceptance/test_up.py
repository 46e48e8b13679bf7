"""`delphis up` as a whole: start, stop, kill -9, and who may come in."""

from __future__ import annotations

import functools
import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.up import DELPHIS, Up, alive, core_alone, fake_array, up, wait_for


def delphis_command(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "XDG_CONFIG_HOME": str(folder / "config"), "XDG_DATA_HOME": str(folder / "share")}
    return subprocess.run(
        [DELPHIS, *arguments],
        env=environment, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip


@pytest.fixture(scope="module")
def delphis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Up]:
    """One with a parent, for what doesn't end it."""
    with up(tmp_path_factory.mktemp("up")) as running:
        yield running


def test_hosts_are_processes_named_after_their_driver_and_end_with_up(tmp_path: Path) -> None:
    with up(tmp_path) as delphis:
        delphis.wait_synced(delphis.register(volumes="5")["id"])
        hosts = delphis.host_pids("dev.delphis.fake-storage")
        assert len(hosts) == 1
        core = delphis.core_pid()
    assert not any(alive(pid) for pid in (*hosts, core))
    assert delphis.process.returncode == 0


def test_a_second_up_on_the_same_folder_says_so_and_stops(delphis: Up) -> None:
    second = delphis_command(
        delphis.folder,
        "up",
        "--data-dir",
        str(delphis.data_dir),
        "--http-listen",
        "127.0.0.1:0",
        "--grpc-listen",
        "127.0.0.1:0",
        "--no-telemetry",
    )
    assert second.returncode == 2
    assert str(delphis.data_dir) in second.stderr
    assert str(delphis.process.pid) in second.stderr
    delphis.get("/v1/storages")


def test_a_taken_port_is_named(delphis: Up, tmp_path: Path) -> None:
    taken = delphis.rest.removeprefix("http://")
    places = ("--http-listen", taken, "--grpc-listen", "127.0.0.1:0")
    second = delphis_command(tmp_path, "up", "--data-dir", str(tmp_path / "two"), *places, "--no-telemetry")
    assert second.returncode == 2, second.stderr
    assert taken in second.stderr


@pytest.mark.parametrize(
    ("option", "address"),
    [
        ("--http-listen", "0.0.0.0:0"),
        ("--http-listen", "storage.example:8190"),
        ("--grpc-listen", "[::]:0"),
        ("--grpc-listen", "192.0.2.1:8190"),
    ],
)
def test_listening_off_loopback_without_authentication_is_refused(tmp_path: Path, option: str, address: str) -> None:
    refused = delphis_command(tmp_path, "up", "--data-dir", str(tmp_path / "data"), option, address)
    assert refused.returncode == 2
    assert "authentication" in refused.stderr
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize("url", ["delphis", "ftp://delphis", "https://who:secret@delphis/", "https://"])
def test_a_public_address_that_no_link_can_begin_with_is_refused(tmp_path: Path, url: str) -> None:
    refused = delphis_command(tmp_path, "up", "--data-dir", str(tmp_path / "data"), "--public-url", url)
    assert refused.returncode == 2
    assert "--public-url is http" in refused.stderr
    assert "secret" not in refused.stderr


def reached(items: list[str], count: int) -> bool:
    return len(items) >= count


@pytest.mark.slow
def test_kill_of_everything_loses_no_acknowledged_registration(tmp_path: Path) -> None:
    acknowledged: list[str] = []
    for round_ in range(3):
        delphis = Up(tmp_path)
        stop = threading.Event()

        def register(delphis: Up = delphis, stop: threading.Event = stop, first: int = round_ * 1000) -> None:
            port = first + 1
            while not stop.is_set() and port < first + 999:
                try:
                    reply = delphis.ask("POST", "/v1/storages", fake_array(port, volumes="50"))
                except OSError:
                    return
                if reply.status == 201:
                    acknowledged.append(reply.json["id"])
                port += 1

        thread = threading.Thread(target=register)
        thread.start()
        wanted = (round_ + 1) * 5
        wait_for("registrations", functools.partial(reached, acknowledged, wanted))
        delphis.kill()
        stop.set()
        thread.join()
    with up(tmp_path) as delphis:
        found = {storage["id"] for storage in delphis.get("/v1/storages?limit=1000")["storages"]}
        assert found >= set(acknowledged)
        for storage_id in found:
            storage = delphis.wait_synced(storage_id)
            assert storage["sync_outcome"] == "ok"


def test_a_core_that_dies_is_started_again(tmp_path: Path) -> None:
    with up(tmp_path, "--http-listen", "127.0.0.1:0") as delphis:
        storage = delphis.register(volumes="5")
        delphis.wait_synced(storage["id"])
        core, hosts = delphis.core_pid(), delphis.host_pids()
        os.kill(core, signal.SIGKILL)
        wait_for("end of the hosts", lambda: not any(alive(pid) for pid in hosts))

        def again() -> str | None:
            found = re.findall(r"REST\s+(http\S+?)/v1", delphis.log())
            return found[1] if len(found) > 1 else None

        delphis.rest = wait_for("second start", again)
        assert delphis.get(f"/v1/storages/{storage['id']}")["serial_number"] == storage["serial_number"]


@pytest.mark.parametrize(
    "headers",
    [
        {"Host": "evil.example"},
        {"Host": "evil.example:8190"},
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {"X-Forwarded-For": "192.0.2.1"},
        {"Forwarded": "for=192.0.2.1"},
    ],
)
def test_without_login_foreign_pages_and_proxies_are_kept_out(delphis: Up, headers: dict[str, str]) -> None:
    refused = delphis.ask("GET", "/v1/storages", headers=headers)
    assert refused.status == 403
    assert refused.json["error_code"] == "NotAuthorized"
    assert delphis.ask("POST", "/v1/storages", fake_array(77), headers=headers).status == 403
    assert "77" not in str([s for s in delphis.get("/v1/access-infos")["access_infos"] if s["rest"]["port"] == 77])


def test_the_banner_says_who_has_access(delphis: Up) -> None:
    assert "full access" in delphis.log()


def test_demo_registers_three_arrays_once(tmp_path: Path) -> None:
    for _ in range(2):
        with up(tmp_path, "--demo") as delphis:

            def three(delphis: Up = delphis) -> bool:
                found = delphis.get("/v1/storages")["storages"]
                return len(found) == 3 and all(storage["sync_status"] == "SYNCED" for storage in found)

            wait_for("three synced arrays", three)


def test_another_key_is_refused_and_destroys_nothing(tmp_path: Path) -> None:
    with core_alone(tmp_path) as delphis:
        storage = delphis.wait_synced(delphis.register(volumes="5")["id"])
    key = tmp_path / "config" / "delphis" / "key"
    assert key.stat().st_mode & 0o777 == 0o600
    kept = key.read_bytes()
    key.unlink()
    arguments = ("serve", "core", "--auth", "none", "--data-dir", str(tmp_path / "data"), "--http-listen",
                 "127.0.0.1:0", "--grpc-listen", "127.0.0.1:0")  # fmt: skip
    without = delphis_command(tmp_path, *arguments)
    assert without.returncode == 2
    assert str(key) in without.stderr
    assert not key.exists()
    key.write_bytes(os.urandom(len(kept)))
    other = delphis_command(tmp_path, *arguments)
    assert other.returncode == 2
    key.write_bytes(kept)
    key.chmod(0o600)
    with core_alone(tmp_path) as delphis:
        assert delphis.sync(storage["id"])["sync_outcome"] == "ok"


def test_the_parent_loads_little_before_it_starts_the_core(tmp_path: Path) -> None:
    program = (
        "import sys, services.app.all as all; "
        "all.run = lambda *_, **__: print(*sorted({name.split('.')[0] for name in sys.modules})) or 0; "
        "from services.app.commands import up; up.main(sys.argv[1:])"
    )
    command = [sys.executable, "-c", program, "--data-dir", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    loaded = set(done.stdout.split())
    assert "services" in loaded
    assert not {"sqlalchemy", "numpy", "grpc", "google", "uvicorn", "asyncio", "cryptography"} & loaded
