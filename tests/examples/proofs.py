"""What each example driver must show, whatever it is written in."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import ssl
import subprocess
import tempfile
import time
import tomllib
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from delphis.sdk import conformance
from delphis.sdk.conformance import Array, Outcome
from delphis.sdk.conformance import subject as subjects
from delphis.sdk.host.contract import methods
from delphis.sdk.testing import HostClient
from delphis.sdk.testing.client import Reply, TlsFiles
from delphis.type.v1.access_pb2 import AccessInfo, Tls, TlsMode
from examples.array import ArrayServer, Contents, Faults, serving
from tests.examples.certificates import Certificate, certificate
from tests.examples.toolchains import EXAMPLES
from tests.support.up import Up, alive, children, up, wait_for

PASSWORD = "s3nt1nel-of-the-pebble"
TRAPS = EXAMPLES / "array" / "traps.yaml"
VOLUMES = 1200


@contextlib.contextmanager
def pebble(serial: str = "PB-0001", **settings: Any) -> Iterator[ArrayServer]:
    """An array at a port of its own."""
    contents = Contents(serial, VOLUMES)
    with serving(ArrayServer(("127.0.0.1", 0), contents, password=PASSWORD, **settings)) as array:
        yield array


def access(array: ArrayServer, password: str = PASSWORD) -> AccessInfo:
    """How it is reached."""
    info = AccessInfo()
    info.rest.host, info.rest.port = "127.0.0.1", array.port
    info.rest.username, info.rest.password = array.username, password
    info.rest.tls.plaintext = True
    return info


class Host:
    """A driver's host, started by the launch protocol, and one array."""

    def __init__(self, folder: Path, array: ArrayServer) -> None:
        self.array = array
        self._stack = contextlib.ExitStack()
        self._lines: list[bytes] = []
        self.process = self._stack.enter_context(subjects.find(str(folder)).start(self._lines.append))
        self.client = HostClient(self.process.endpoint)
        self._stack.callback(self.client.close)
        self.process.become_ready(self.client.serves, 20)

    def __enter__(self) -> Host:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def request(self, rpc: str, revision: int = 1, info: AccessInfo | None = None) -> Any:
        """A request for the array."""
        request: Any = methods()[rpc].request()
        request.target.storage_id, request.target.access_revision = "one", revision
        request.target.access_info.CopyFrom(info or access(self.array))
        return request

    def call(self, rpc: str, timeout: float = 60.0, **target: Any) -> Reply:
        """A call to it."""
        return self.client.call(rpc, self.request(rpc, **target), timeout)

    def log(self) -> str:
        """What the host printed."""
        return b"\n".join(self._lines).decode()


def conforms(folder: Path) -> None:
    """The whole kit; nothing is left out but what the array doesn't do while it runs."""
    with (
        pebble() as array,
        pebble("PB-0002") as second,
        pebble("PB-0003", faults=Faults(latency_s=0.3)) as slow,
    ):
        at = Array(
            access(array),
            second=access(second),
            wrong=access(array, "nonsense"),
            slow=access(slow),
            may_be_changed=True,
            blocks=("rest",),
        )
        report = conformance.check(folder, array=at, traps=TRAPS)
        assert report.passed, conformance.text(report)
        assert {result.check for result in report.of(Outcome.NOT_RUN)} == {"errors.retry"}
        assert report.seconds < 60
        # A host that was killed with its parent could not log out.
        wait_for("logouts", lambda: array.sessions <= 1)


def faults_are_understood(folder: Path) -> None:
    """What goes wrong at the array, and what the driver says of it."""
    with pebble() as array, Host(folder, array) as host:
        assert host.call("GetStorage").ok
        for fault, reason in (
            ("busy", "ARRAY_BUSY"),
            ("fail", "STORAGE_BACKEND_EXCEPTION"),
            ("garbage", "BAD_RESPONSE"),
            ("forbid", "ARRAY_PERMISSION_DENIED"),
        ):
            array.faults.put({fault: 1, "path": "/api/volumes"})
            reply = host.call("ListVolumes")
            assert (reply.reason, reply.inconsistent) == (reason, ""), (fault, reply)
            assert reply.retry_after == (2.0 if fault == "busy" else None)
        # A client may repeat a request whose kept connection was closed: more than once says that it is over.
        array.faults.put({"drop": 20, "path": "/api/volumes"})
        assert host.call("ListVolumes").reason == "ARRAY_UNREACHABLE"
        array.faults.put({})
        assert host.call("ListVolumes").ok


def a_forgotten_session_is_renewed(folder: Path) -> None:
    """The array ends its sessions: the driver logs in again, once, and its callers see nothing of it."""
    with pebble() as array, Host(folder, array) as host:
        assert host.call("GetStorage").ok
        assert (array.logins, array.sessions) == (1, 1)
        array.expire()
        with ThreadPoolExecutor(4) as pool:
            replies = list(pool.map(lambda _: host.call("ListVolumes"), range(4)))
        assert all(reply.ok for reply in replies), replies
        assert array.logins == 2
        assert host.call("GetStorage", revision=2).ok
        wait_for("the old login's end", lambda: array.sessions == 1)
        assert array.logins == 3
        assert host.call("CloseStorage").ok
        assert array.sessions == 0


def an_array_is_not_overrun(folder: Path) -> None:
    """Many calls of one array at a time: four reach it, 64 wait, the others are told when to come again."""
    with pebble(faults=Faults(latency_s=0.15)) as array, Host(folder, array) as host:
        assert host.call("GetStorage").ok
        array.most_running = 0
        with ThreadPoolExecutor(76) as pool:
            replies = list(pool.map(lambda _: host.call("GetStorage", timeout=60), range(76)))
        refused = [reply for reply in replies if not reply.ok]
        assert {reply.reason for reply in refused} == {"DRIVER_OVERLOADED"}, refused
        assert len(refused) == 76 - 64 - 4
        assert all(reply.retry_after for reply in refused)
        assert array.most_running == 4


def nothing_secret_is_said(folder: Path) -> None:
    """Neither the password nor a token is in an error or in the log, when all goes wrong."""
    with pebble() as array, Host(folder, array) as host:
        assert host.call("GetStorage").ok
        for fault in ("fail", "garbage", "busy"):
            array.faults.put({fault: 3})
            reply = host.call("ListVolumes")
            assert not reply.ok
            assert PASSWORD not in reply.message
        array.faults.put({})
        replies = [host.call("GetStorage", revision=9, info=access(array, PASSWORD + str(n))) for n in range(2)]
        assert {reply.reason for reply in replies} == {"INVALID_USERNAME_OR_PASSWORD"}
        assert PASSWORD not in host.log()


def pinned(digest: str) -> Tls:
    """TLS to the one certificate with this SHA-256."""
    return Tls(mode=TlsMode.TLS_MODE_PINNED, pinned_certificate_sha256=digest)


def tls_is_verified(folder: Path) -> None:
    """The array's certificate: unknown, known by its authority or its digest, and another's."""
    with tempfile.TemporaryDirectory() as scratch:
        own, other = (certificate(Path(scratch), name) for name in ("array.test", "other.test"))
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(own.cert, own.key)
        with pebble(tls=context) as array, Host(folder, array) as host:
            for number, (tls, reason) in enumerate(
                [
                    (Tls(), "SSL_CERTIFICATE_FAILED"),
                    (Tls(ca_certificates=own.pem), ""),
                    (Tls(ca_certificates=own.pem, server_name="array.test"), ""),
                    (Tls(ca_certificates=own.pem, server_name="else.test"), "SSL_CERTIFICATE_FAILED"),
                    (Tls(ca_certificates=other.pem), "SSL_CERTIFICATE_FAILED"),
                    (pinned(own.sha256.upper()), ""),
                    (
                        Tls(mode=TlsMode.TLS_MODE_PINNED, pinned_certificate_sha256=other.sha256),
                        "SSL_CERTIFICATE_FAILED",
                    ),
                    (pinned(""), "ACCESS_INFO_INCOMPLETE"),
                    (Tls(mode=TlsMode.TLS_MODE_OFF), ""),
                ],
                1,
            ):
                info = access(array)
                info.rest.tls.CopyFrom(tls)
                before = array.logins
                reply = host.call("ListVolumes", revision=number, info=info)
                assert reply.reason == reason, (tls, reply)
                assert array.logins == before + reply.ok, "a peer that isn't proved was sent the password"


@contextlib.contextmanager
def served_over_tcp(folder: Path, own: Certificate) -> Iterator[int]:
    """A host as in a container: its port. It must end well when it is told to."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    variables = {
        "PATH": os.environ["PATH"],
        "DELPHIS_DRIVER_ENDPOINT": f"tcp://127.0.0.1:{port}",
        "DELPHIS_DRIVER_TLS_CA": str(own.cert),
        "DELPHIS_DRIVER_TLS_CERT": str(own.cert),
        "DELPHIS_DRIVER_TLS_KEY": str(own.key),
    }
    process = subprocess.Popen(
        command_of(folder), cwd=folder, env=variables, stderr=subprocess.DEVNULL, stdin=subprocess.DEVNULL
    )
    try:
        with contextlib.closing(HostClient(f"127.0.0.1:{port}", TlsFiles(own.cert, own.cert, own.key))) as client:
            wait_for("a host that serves", lambda: client.health() == "SERVING")
        yield port
    finally:
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0


def command_of(folder: Path) -> list[str]:
    """What the manifest starts."""
    command: list[str] = tomllib.loads((folder / "driver.toml").read_text())["host"]["command"]
    return command


def callers_prove_themselves(folder: Path) -> None:
    """Over TCP the host takes only callers with a certificate of its authority, and needs TLS off this machine."""
    with tempfile.TemporaryDirectory() as scratch:
        own, other = (certificate(Path(scratch), name) for name in ("host.test", "other.test"))
        with served_over_tcp(folder, own) as port:
            stranger = TlsFiles(own.cert, other.cert, other.key)
            with contextlib.closing(HostClient(f"127.0.0.1:{port}", stranger)) as client:
                assert client.health(timeout=60) == "UNAVAILABLE"
    bare = {"PATH": os.environ["PATH"], "DELPHIS_DRIVER_ENDPOINT": "tcp://0.0.0.0:1"}
    done = subprocess.run(
        command_of(folder), cwd=folder, env=bare, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 2
    assert "needs TLS" in done.stderr


def serves_from_elsewhere(folder: Path, scratch: Path) -> None:
    """As in a container: the core only knows an address, and both sides show certificates."""
    own = certificate(scratch, "host.test")
    manifest = (folder / "driver.toml").read_text()
    [model] = [pair["model"] for pair in tomllib.loads(manifest)["serves"]]
    made = scratch / "drivers" / "elsewhere"
    made.mkdir(parents=True)
    with served_over_tcp(folder, own) as port, pebble() as array:
        files = f'[host.tls]\nca = "{own.cert}"\ncert = "{own.cert}"\nkey = "{own.key}"\n'
        host = f'[host]\nendpoint = "tcp://127.0.0.1:{port}"\n{files}'
        (made / "driver.toml").write_text(manifest.partition("[host]")[0] + host)
        with up(scratch, "--drivers", str(made.parent)) as delphis:
            reply = delphis.ask("POST", "/v1/storages", registration(model, array))
            assert reply.status == 201, reply
            assert delphis.wait_synced(reply.json["id"])["sync_outcome"] == "ok"
            found = delphis.get(f"/v1/volumes?storage_id={reply.json['id']}&limit=1000")["volumes"]
            assert len(found) == 1000


ALL: tuple[Callable[[Path], None], ...] = (
    conforms,
    faults_are_understood,
    a_forgotten_session_is_renewed,
    an_array_is_not_overrun,
    nothing_secret_is_said,
    tls_is_verified,
    callers_prove_themselves,
)


def host_pid(delphis: Up, program: str) -> int | None:
    """The driver's host among the core's children."""
    found = [
        pid for pid, arguments in children(delphis.core_pid()) if program in arguments and "launcher" not in arguments
    ]
    return found[0] if found else None


def registration(model: str, array: ArrayServer) -> dict[str, Any]:
    """The body that registers an array."""
    rest = {"host": "127.0.0.1", "port": array.port, "username": array.username, "password": PASSWORD}
    return {"vendor": "example", "model": model, "rest": {**rest, "tls": {"plaintext": True}}}


def serves_a_registered_array(delphis: Up, model: str, program: str) -> None:
    """From the registration to kill -9 and back."""
    with pebble(f"PB-{model}") as array:
        reply = delphis.ask("POST", "/v1/storages", registration(model, array))
        assert reply.status == 201, reply
        assert PASSWORD not in reply.text
        storage_id = reply.json["id"]
        storage = delphis.wait_synced(storage_id)
        assert (storage["sync_outcome"], storage["serial_number"]) == ("ok", f"PB-{model}")

        def page(**query: object) -> Any:
            text = "&".join(f"{name}={value}" for name, value in {"storage_id": storage_id, **query}.items())
            return delphis.get(f"/v1/volumes?{text}")["volumes"]

        names = {volume["native_volume_id"] for offset in (0, 1000) for volume in page(limit=1000, offset=offset)}
        assert names == {f"v{number}" for number in range(VOLUMES)}
        odd = page(native_volume_id="v3")[0]
        assert (odd["status"], odd["native"]["state"], odd["wwn"].islower()) == ("unknown", "REBUILDING", True)
        assert page(native_volume_id="v5")[0]["used_capacity"] == 0

        before = wait_for("the host", lambda: host_pid(delphis, program))
        os.kill(before, signal.SIGKILL)
        began = time.monotonic()
        assert delphis.sync(storage_id)["sync_outcome"] == "ok"
        after = wait_for("another host", lambda: host_pid(delphis, program))
        assert after != before
        assert not alive(before)
        assert time.monotonic() - began < 20
        assert PASSWORD not in delphis.log()
        assert delphis.ask("DELETE", f"/v1/storages/{storage_id}").status == 202
        wait_for("the logout", lambda: array.sessions <= 1)  # the killed host's own is left to expire


@contextlib.contextmanager
def operators_folder(tmp_path: Path, *drivers: Path) -> Generator[Path, None, None]:
    """A folder of an operator's with these drivers in it."""
    folder = tmp_path / "drivers"
    folder.mkdir()
    for driver in drivers:
        (folder / driver.name).symlink_to(driver)
    yield folder
