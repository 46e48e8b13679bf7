"""A core that takes leases, and hosts as processes of somebody else's."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import sysconfig
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc

from delphis.driver.v1 import storage_driver_pb2 as driver_pb
from delphis.driver.v1 import storage_driver_pb2_grpc as driver_grpc
from tests.support.up import DELPHIS, Up, wait_for

REPO = Path(__file__).parents[2]
DRIVER = str(Path(sysconfig.get_path("scripts")) / "delphis-driver")
NAME, PAIR = "dev.acme.counting", ("acme", "counting")
SECRET = "sesame-open-4711"


def certificates(folder: Path, *hosts: str) -> Path:
    """What `delphis-driver certs` makes."""
    names = [part for host in hosts or ("127.0.0.1",) for part in ("--host", host)]
    subprocess.run([DRIVER, "certs", "--dir", folder, *names], check=True, capture_output=True, timeout=60)
    return folder


class Core:
    """`delphis serve core` with leases; `restart` keeps ports, database and tokens."""

    def __init__(self, folder: Path, certs: Path, *options: str, ttl: float = 3.0, name: str = "admin") -> None:
        self.folder = folder
        self._options = options
        self._certs = certs
        self._ttl = ttl
        self._ports = ["127.0.0.1:0"]
        self._arrays = 0
        # Before the core starts: it knows tokens that another process makes only two seconds later.
        self.admin = self.token(name, "--scopes", "admin")
        self.up = self._start()
        self.leases = self.up._find(r"hosts\s+(\S+)")

    def _start(self) -> Up:
        return Up(
            self.folder,
            "--lease-tls",
            str(self._certs / "core"),
            "--lease-listen",
            self._ports[0],
            "--lease-ttl",
            str(self._ttl),
            *self._options,
            command=("serve", "core"),
        )

    def restart(self, *, kill: bool = False) -> None:
        """Ends it, in order or by SIGKILL, and starts it again where it was."""
        self.stop(kill=kill)
        self._ports = [self.leases]
        self.up = self._start()

    def stop(self, *, kill: bool = False) -> None:
        """Ends it."""
        if kill:
            self.up.kill()
        else:
            self.up.stop()

    def token(self, name: str, *options: str) -> str:
        """A new token, by the command that needs no token."""
        made = subprocess.run(
            [DELPHIS, "db", "token", "create", name, "--data-dir", str(self.folder / "data"), *options],
            check=True,
            capture_output=True,
            text=True,
            timeout=60,
        )
        return made.stdout.strip()

    def driver_token(self, name: str, driver: str = NAME, pair: tuple[str, str] = PAIR) -> Path:
        """A file with a token for hosts of a driver."""
        path = self.folder / f"{name}.token"
        limits = {"name": driver, "serves": [{"vendor": pair[0], "model": pair[1]}]}
        path.write_text(self.ask("POST", "/v1/tokens", {"name": name, "driver": limits})["secret"], encoding="ascii")
        path.chmod(0o600)
        return path

    def ask(self, method: str, path: str, body: Any = None) -> Any:
        """A REST call as admin that must succeed."""
        reply = self.up.ask(method, path, body, headers={"Authorization": f"Bearer {self.admin}"})
        assert reply.status < 300, reply
        return json.loads(reply.text) if reply.text else None

    def drivers(self, name: str = NAME) -> list[dict[str, Any]]:
        """What the list of drivers says about one."""
        found: list[dict[str, Any]] = self.ask("GET", "/v1/drivers")["drivers"]
        return [driver for driver in found if driver["name"] == name]

    def hosts(self, name: str = NAME) -> list[dict[str, Any]]:
        """Its hosts."""
        return [host for driver in self.drivers(name) for host in driver["hosts"]]

    def serving(self, count: int, name: str = NAME) -> list[dict[str, Any]]:
        """Its hosts, as soon as so many serve."""

        def probe() -> list[dict[str, Any]] | None:
            found = [host for host in self.hosts(name) if host["state"] == "serving"]
            return found if len(found) == count else None

        return wait_for(f"{count} serving hosts", probe, 60)

    def register(self, port: int, array: str) -> str:
        """A counting array; its storage id."""
        self._arrays += 1
        body = {
            "vendor": PAIR[0],
            "model": PAIR[1],
            "rest": {"host": f"127.0.1.{self._arrays}", "port": port, "username": "me", "password": SECRET},
            "extra_attributes": {"array": array},
        }
        storage_id: str = self.ask("POST", "/v1/storages", body)["id"]
        return storage_id

    def owner(self, storage_id: str, timeout: float = 60.0) -> str:
        """The process that answers for an array."""
        with grpc.insecure_channel(self.up.grpc) as channel:
            stub = driver_grpc.StorageDriverStub(channel)
            request = driver_pb.GetStorageRequest(target=driver_pb.Target(storage_id=storage_id))
            metadata = (("authorization", f"Bearer {self.admin}"),)
            return str(stub.GetStorage(request, timeout=timeout, metadata=metadata).storage.location)


class ContainerHost:
    """`delphis-driver run` as in a container: told where the core is, and left alone."""

    def __init__(
        self,
        core: Core,
        certs: Path,
        token_file: Path,
        *,
        port: int = 0,
        name: str = NAME,
        pair: tuple[str, str] = PAIR,
        certificate: str = "127.0.0.1",
        **environment: str,
    ) -> None:
        own = certs / certificate
        self.process = subprocess.Popen(
            [DRIVER, "run", "tests/lease/counting_driver.py", "--endpoint", f"tcp://127.0.0.1:{port}"],
            cwd=REPO,
            env={
                "PATH": os.environ["PATH"],
                "DELPHIS_DRIVER_NAME": name,
                "DELPHIS_DRIVER_SERVES": json.dumps([{"vendor": pair[0], "model": pair[1]}]),
                "DELPHIS_DRIVER_TLS_CA": str(certs / "ca.pem"),
                "DELPHIS_DRIVER_TLS_CERT": str(own / "tls.pem"),
                "DELPHIS_DRIVER_TLS_KEY": str(own / "tls.key"),
                "DELPHIS_DRIVER_DRAIN": "5",
                "DELPHIS_CORE": core.leases,
                "DELPHIS_CORE_NAME": "delphis-core",
                "DELPHIS_DRIVER_TOKEN_FILE": str(token_file),
                **environment,
            },
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self.lines: list[str] = []
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    @property
    def pid(self) -> str:
        """As the driver tells it."""
        return str(self.process.pid)

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.lines.append(line)

    def said(self, text: str, timeout: float = 60.0) -> str:
        """The line that contains the text, as soon as it was printed."""
        return wait_for(
            f"{text!r} in {''.join(self.lines)}",
            lambda: next((line for line in list(self.lines) if text in line), None),
            timeout,
        )

    def send(self, number: signal.Signals) -> None:
        """A signal to the host."""
        self.process.send_signal(number)

    def end(self, number: signal.Signals = signal.SIGKILL, timeout: float = 60.0) -> int:
        """Ends it; its exit code."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGCONT)
            self.process.send_signal(number)
        code = self.process.wait(timeout)
        self._reader.join(5)
        assert self.process.stdout is not None
        self.process.stdout.close()
        return code


@contextlib.contextmanager
def ending(*hosts: ContainerHost) -> Iterator[None]:
    """Ends hosts with the block."""
    try:
        yield
    finally:
        for host in hosts:
            if host.process.poll() is None:
                host.end()


assert sys.platform == "linux"
