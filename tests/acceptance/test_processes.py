"""The processes of `delphis up`, and each alone: one dies, the others serve on; who may call whom."""

from __future__ import annotations

import os
import re
import secrets
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import grpc
import pytest
from grpc_health.v1 import health_pb2

from delphis.sdk.certificates import deployment
from tests.support.stores import postgres_cluster
from tests.support.up import DELPHIS, Up, alive, children, up, wait_for

__all__ = ["postgres_cluster"]

ALERT_SERVICE = "delphis.alert.v1.AlertService"
SERVING = health_pb2.HealthCheckResponse.SERVING


def serves(address: str, service: str = "", *, token: str = "", timeout: float = 60.0) -> bool:
    """Whether a gRPC address says that it serves."""
    with grpc.insecure_channel(address) as channel:
        check = channel.unary_unary(
            "/grpc.health.v1.Health/Check",
            request_serializer=health_pb2.HealthCheckRequest.SerializeToString,
            response_deserializer=health_pb2.HealthCheckResponse.FromString,
        )
        metadata = (("authorization", f"Bearer {token}"),) if token else None
        try:
            answer = check(health_pb2.HealthCheckRequest(service=service), timeout=timeout, metadata=metadata)
        except grpc.RpcError:
            return False
        return bool(answer.status == SERVING)


@pytest.fixture(scope="module")
def delphis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Up]:
    with up(tmp_path_factory.mktemp("delphis")) as running:
        running.wait_traps()
        wait_for("alerts through the core", lambda: serves(running.grpc, ALERT_SERVICE))
        yield running


def core_again(delphis: Up, before: int) -> None:
    """Waits for the next core, and takes its addresses."""

    def told() -> bool:
        return sum("REST" in line for line in list(delphis.lines)) > before

    wait_for("next core", told)
    for name in ("REST", "gRPC"):
        said = [line.split()[1] for line in delphis.lines if line.strip().startswith(name)][-1]
        setattr(delphis, name.lower(), said.removesuffix("/v1"))


def test_alerts_is_killed_and_the_core_serves_on(delphis: Up) -> None:
    wait_for("alerts", lambda: serves(delphis.grpc, ALERT_SERVICE))
    core, alerts = delphis.child_pid("core"), delphis.child_pid("alerts")
    os.kill(alerts, signal.SIGKILL)
    delphis.get("/v1/storages")
    assert serves(delphis.grpc)
    wait_for("end of the alerts process", lambda: not alive(alerts))

    def next_one() -> bool:
        started = [pid for pid, arguments in children(delphis.process.pid) if "services.app.alerts " in arguments]
        return started not in ([], [alerts])

    wait_for("next alerts process", next_one)
    wait_for("its service", lambda: serves(delphis.grpc, ALERT_SERVICE))
    assert delphis.child_pid("core") == core


def test_the_core_is_killed_and_alerts_runs_on(delphis: Up) -> None:
    core, alerts = delphis.child_pid("core"), delphis.child_pid("alerts")
    before = sum("REST" in line for line in delphis.lines)
    os.kill(core, signal.SIGKILL)
    core_again(delphis, before)
    wait_for("alerts through the core", lambda: serves(delphis.grpc, ALERT_SERVICE))
    assert delphis.child_pid("alerts") == alerts
    assert delphis.child_pid("core") != core
    assert delphis.get("/v1/version")["contracts"].count("delphis.alert.v1") == 1


def test_alerts_takes_no_calls_but_the_cores(delphis: Up) -> None:
    """Its socket is for this user alone; and whoever is this user needs the token, which stands nowhere."""
    sockets = delphis.data_dir / "run"
    assert sockets.stat().st_mode & 0o077 == 0
    assert (sockets / "alerts.sock").stat().st_mode & 0o007 == 0
    with grpc.insecure_channel(f"unix:{sockets}/alerts.sock") as channel:
        lists: grpc.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary(f"/{ALERT_SERVICE}/ListAlerts")
        for metadata in (None, (("authorization", "Bearer guessed"),)):
            with pytest.raises(grpc.RpcError) as raised:
                lists(b"", timeout=60, metadata=metadata)
            code = raised.value.code()
            assert code in (grpc.StatusCode.UNAUTHENTICATED, grpc.StatusCode.UNIMPLEMENTED)
    for name in ("core", "alerts"):
        line = Path(f"/proc/{delphis.child_pid(name)}/cmdline").read_bytes()
        assert b"delphis_" not in line


def run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """A command that ends by itself."""
    environment = {**os.environ, "XDG_CONFIG_HOME": str(folder / "config"), "XDG_DATA_HOME": str(folder / "share")}
    return subprocess.run(
        [DELPHIS, *arguments], env=environment, capture_output=True, text=True, timeout=60, check=False
    )


def token_file(folder: Path) -> Path:
    path = folder / "token"
    path.touch(mode=0o600)
    path.write_text(f"delphis_{secrets.token_urlsafe(32)}\n")
    return path


def test_a_second_alerts_on_the_same_folder_says_so_and_stops(delphis: Up, tmp_path: Path) -> None:
    options = ("--data-dir", str(delphis.data_dir), "--token-file", str(token_file(tmp_path)))
    second = run(tmp_path, "serve", "alerts", *options)
    assert second.returncode == 2
    assert str(delphis.data_dir) in second.stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("serve", "alerts"), "--token-file"),
        (("serve", "alerts", "--token-file", "TOKEN", "--inventory", "192.0.2.1:8191"), "--inventory-ca"),
        (("serve", "alerts", "--token-file", "TOKEN", "--trap-listen", "162"), "--trap-listen"),
        (("serve", "alerts", "--token-file", "TOKEN", "--tls-key", "TOKEN"), "--tls-certificate"),
        (("serve", "core", "--token-file", "TOKEN", "--alerts", "192.0.2.1:8195"), "--alerts-ca"),
        (("serve", "core", "--alerts", "127.0.0.1:8195"), "--token-file"),
    ],
    ids=["no token", "core in clear", "no port", "no certificate", "alerts in clear", "core without token"],
)
def test_what_would_be_unsafe_does_not_start(tmp_path: Path, arguments: tuple[str, ...], said: str) -> None:
    named = [str(token_file(tmp_path)) if word == "TOKEN" else word for word in arguments]
    refused = run(tmp_path, *named, "--data-dir", str(tmp_path / "data"))
    assert refused.returncode == 2
    assert said in refused.stderr
    assert not (tmp_path / "data").exists()


def test_alerts_ends_before_the_core(tmp_path: Path) -> None:
    with up(tmp_path) as delphis:
        wait_for("alerts", lambda: serves(delphis.grpc, ALERT_SERVICE))
    assert delphis.process.returncode == 0
    stopping = [number for number, line in enumerate(delphis.lines) if "stopping" in line]
    away = [number for number, line in enumerate(delphis.lines) if "the alerts process went away" in line]
    assert len(away) == 1  # so says the core, which is there to see it
    assert stopping[0] < away[0] < stopping[-1]


class Alone:
    """One process of `delphis serve`."""

    def __init__(self, folder: Path, environment: dict[str, str], *arguments: str) -> None:
        self.log = folder / f"{arguments[0]}.log"
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, DELPHIS, "serve", *arguments],
                env={**os.environ, "XDG_CONFIG_HOME": str(folder / "config"), **environment},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )

    def address(self) -> str:
        """Where it serves gRPC, as soon as it says so."""

        def said() -> str:
            found = re.search(r"(?m)^  gRPC +(\S+)$", self.log.read_text())
            return found[1] if found else ""

        return wait_for("gRPC address", said, 60)

    def stop(self) -> None:
        self.process.terminate()
        assert self.process.wait(60) == 0, self.log.read_text()


@pytest.mark.postgres
def test_each_alone_on_one_database(tmp_path: Path, request: pytest.FixtureRequest) -> None:
    url = request.getfixturevalue("postgres_cluster").new_database()
    environment = {"DELPHIS_DATABASE": url}
    token = str(token_file(tmp_path))
    core_at, alerts_at = f"unix:{tmp_path}/core.sock", f"unix:{tmp_path}/alerts.sock"
    common = ("--token-file", token, "--data-dir")
    to_core = ("--grpc-listen", alerts_at, "--inventory", core_at, "--trap-listen", "127.0.0.1:0")
    running = [Alone(tmp_path, environment, "alerts", *to_core, *common, str(tmp_path / "a"))]
    try:
        # It starts without a core, and the core without it: each waits for the other.
        wait_for("alerts", lambda: serves(alerts_at, token=Path(token).read_text().strip()))
        listen = ("--grpc-listen", core_at, "--http-listen", "127.0.0.1:0", "--alerts", alerts_at)
        running.append(Alone(tmp_path, environment, "core", *listen, *common, str(tmp_path / "c")))
        wait_for("core with alerts", lambda: serves(core_at, ALERT_SERVICE))
        second = Alone(tmp_path, environment, "alerts", *to_core[2:], *common, str(tmp_path / "other"))
        assert second.process.wait(60) == 2
        assert "another process writes to the alerts schema" in second.log.read_text()
        assert serves(core_at, ALERT_SERVICE)
    finally:
        for process in reversed(running):
            process.stop()


def code_of_list(address: str, token: str) -> grpc.StatusCode:
    """How ListAlerts ends; it waits a moment for a connection that is about to come."""
    with grpc.insecure_channel(address) as channel:
        lists: grpc.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary(f"/{ALERT_SERVICE}/ListAlerts")
        try:
            lists(b"", timeout=60, metadata=(("authorization", f"Bearer {token}"),))
        except grpc.RpcError as error:
            return error.code()
    return grpc.StatusCode.OK


@pytest.mark.slow
def test_the_core_reaches_alerts_over_tls_and_no_other(tmp_path: Path) -> None:
    ours, others = tmp_path / "tls", tmp_path / "other-tls"
    for folder in (ours, others):
        assert deployment([f"--core={folder}/core", f"--driver=localhost={folder}/alerts"]) == 0
    token, core_at = str(token_file(tmp_path)), f"unix:{tmp_path}/core.sock"
    certificate = ("--tls-certificate", f"{ours}/alerts/tls.pem", "--tls-key", f"{ours}/alerts/tls.key")
    to_core = ("--grpc-listen", "127.0.0.1:0", "--inventory", core_at, "--trap-listen", "127.0.0.1:0")
    common = ("--token-file", token, "--data-dir")
    running = [Alone(tmp_path, {}, "alerts", *to_core, *certificate, *common, str(tmp_path / "a"))]
    try:
        port = running[0].address().rpartition(":")[2]
        listen = ("--grpc-listen", core_at, "--http-listen", "127.0.0.1:0", "--alerts", f"localhost:{port}")
        for folder, trusted in ((ours, True), (others, False)):
            running.append(
                Alone(tmp_path, {}, "core", *listen, f"--alerts-ca={folder}/core/ca.pem", *common, f"{tmp_path}/c")
            )
            wait_for("core", lambda: serves(core_at), 60)
            if trusted:
                wait_for("alerts through the core", lambda: serves(core_at, ALERT_SERVICE))
            else:
                assert not serves(core_at, ALERT_SERVICE)
            running.pop().stop()
    finally:
        for process in reversed(running):
            process.stop()
