"""A real Ceph cluster of one node, on loopback: a monitor, a manager with its dashboard, three disks, CephFS.

`python -m tests.ceph.cluster` runs one until it is interrupted, to try a driver by hand.
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric import rsa

from tests.ceph.configuration import OSD_COUNT, lay_out
from tests.sdk_http.certificates import Certificate, server_certificate

BINARIES = ("ceph", "ceph-mon", "ceph-mgr", "ceph-osd", "ceph-mds", "ceph-authtool", "monmaptool", "rbd", "setpriv")
DASHBOARD = Path("/usr/share/ceph/mgr/dashboard/module.py")
START_LIMIT = 150.0
COUNTED_EVERY = 5


class ClusterError(Exception):
    """The cluster didn't do what was asked; says what its daemons wrote."""


def missing() -> str:
    """What the machine lacks for a cluster, in one sentence; empty when it lacks nothing."""
    if os.geteuid() != 0:
        return "Ceph's daemons need root here."
    lacking = [name for name in BINARIES if shutil.which(name) is None]
    if not DASHBOARD.exists():
        lacking.append("the manager's dashboard")
    return f"Not installed: {', '.join(lacking)}." if lacking else ""


class CephCluster:
    """The cluster. All its daemons are children of this process and die with it.

    Attributes:
        folder: Where everything lies.
        fsid: The cluster's id.
        dashboard_port: Where the dashboard listens, with TLS, on 127.0.0.1.
        metrics_port: Where the module prometheus listens, on 127.0.0.1. It counts every COUNTED_EVERY seconds.
        certificate: The dashboard's certificate, signed by itself.
        username: A user of the dashboard that may only read.
        password: Its password.
    """

    def __init__(self) -> None:
        # Not pytest's folder: the path of an admin socket has 107 characters at most.
        self.folder = Path(tempfile.mkdtemp(prefix="ceph-"))
        self.fsid = str(uuid.uuid4())
        self.dashboard_port = _free_port()
        self.metrics_port = _free_port()
        # The dashboard takes keys of RSA only.
        key = rsa.generate_private_key(65537, 2048)
        self.certificate: Certificate = server_certificate(self.folder, "dashboard", key=key)
        self.username = "delphis"
        self.password = secrets.token_urlsafe(18)
        self._daemons: dict[str, subprocess.Popen[bytes]] = {}

    def __enter__(self) -> CephCluster:
        try:
            self.start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    # ---- Its life ----

    def start(self) -> None:
        """Returns when all disks are up, placement groups are active, and the dashboard answers."""
        lay_out(self.folder, fsid=self.fsid, monitor_port=_free_port())
        self._spawn("mon.a", "ceph-mon", "--id", "a")
        disks = [str(uuid.uuid4()) for _ in range(OSD_COUNT)]
        self._ceph_lines(
            "config set --force mgr mgr/dashboard/server_addr 127.0.0.1",
            f"config set --force mgr mgr/dashboard/ssl_server_port {self.dashboard_port}",
            "config set --force mgr mgr/prometheus/server_addr 127.0.0.1",
            f"config set --force mgr mgr/prometheus/server_port {self.metrics_port}",
            f"config set --force mgr mgr/prometheus/scrape_interval {COUNTED_EVERY}",
            "config set --force mgr mgr/prometheus/rbd_stats_pools rbd",
            *(f"osd new {disk} {number}" for number, disk in enumerate(disks)),
            "osd pool create rbd",
            "osd pool application enable rbd rbd",
            "osd pool create cephfs.meta",
            "osd pool create cephfs.data",
            "fs new cephfs cephfs.meta cephfs.data",
        )
        # Stored before the manager starts: making a certificate of its own takes it twenty seconds.
        self.ceph("config-key", "set", "mgr/dashboard/crt", "-i", str(self.certificate.certificate_file))
        self.ceph("config-key", "set", "mgr/dashboard/key", "-i", str(self.certificate.key_file))
        self._spawn("mgr.x", "ceph-mgr", "--id", "x")
        self._format(disks)
        for number in range(OSD_COUNT):
            self.start_osd(number)
        self._spawn("mds.a", "ceph-mds", "--id", "a")
        self._await(self._is_healthy, "healthy")
        self._await(lambda: len(self._try_ceph("mgr", "services")) == 2, "serving its dashboard and its metrics")
        self.add_user(self.username, self.password, "read-only")

    def stop(self) -> None:
        """Ends all daemons and removes the folder. Nobody will want the data, so nothing is waited for."""
        for daemon in self._daemons.values():
            daemon.kill()
        for daemon in self._daemons.values():
            daemon.wait()
        self._daemons.clear()
        shutil.rmtree(self.folder, ignore_errors=True)

    # ---- What tests do to it ----

    def ceph(self, *command: str) -> str:
        """What `ceph COMMAND` prints."""
        return self._run("ceph", *command)

    def ceph_json(self, *command: str) -> Any:
        """What `ceph COMMAND --format json` prints, parsed."""
        return json.loads(self._run("ceph", *command, "--format", "json"))

    def rbd(self, *command: str) -> str:
        """What `rbd COMMAND` prints."""
        return self._run("rbd", *command)

    def add_user(self, name: str, password: str, role: str) -> None:
        """Adds a user of the dashboard."""
        file = self.folder / f"{name}.password"
        file.touch(mode=0o600)
        file.write_text(password)
        self.ceph("dashboard", "ac-user-create", name, "-i", str(file), role, "--force-password")

    def kill_osd(self, number: int) -> None:
        """Ends a disk's daemon as a crash would, and waits until the monitor has noticed."""
        daemon = self._daemons[f"osd.{number}"]
        daemon.kill()
        daemon.wait()
        self._await(lambda: not self._is_up(number), f"aware that osd.{number} is down")

    def start_osd(self, number: int) -> None:
        """Starts a disk's daemon. It is up a few seconds later."""
        self._spawn(f"osd.{number}", "ceph-osd", "--id", str(number))

    def await_health(self) -> None:
        """Returns when everything is up and the cluster says so."""
        self._await(self._is_healthy, "healthy")

    # ---- How it is done ----

    def _is_up(self, number: int) -> bool:
        disks = self._try_ceph("osd", "dump").get("osds", [])
        return any(disk["osd"] == number and disk["up"] == 1 for disk in disks)

    def _is_healthy(self) -> bool:
        status = self._try_ceph("status")
        if not status or status["health"]["status"] != "HEALTH_OK":
            return False
        states = status["pgmap"].get("pgs_by_state", [])
        return (
            status["osdmap"]["num_up_osds"] == OSD_COUNT
            and bool(status["fsmap"].get("by_rank"))
            and [state["state_name"] for state in states] == ["active+clean"]
        )

    def _try_ceph(self, *command: str) -> Any:
        try:
            return self.ceph_json(*command)
        except (ClusterError, ValueError):
            return {}

    def _ceph_lines(self, *lines: str) -> None:
        """Several commands by one client: starting it is what takes the time."""
        finished = subprocess.run(
            ["ceph"], input="\n".join(lines), env=self._environment, capture_output=True, text=True, timeout=60
        )
        if finished.returncode != 0 or "Error" in finished.stderr:
            raise ClusterError(f"ceph said: {finished.stderr}{self._last_words()}")

    def _run(self, *command: str) -> str:
        finished = subprocess.run(command, env=self._environment, capture_output=True, text=True, timeout=60)
        if finished.returncode != 0:
            raise ClusterError(f"`{' '.join(command)}` said: {finished.stderr}")
        return finished.stdout

    @property
    def _environment(self) -> dict[str, str]:
        return {
            "PATH": "/usr/bin:/bin:/usr/sbin:/sbin",
            "CEPH_CONF": str(self.folder / "ceph.conf"),
            "LC_ALL": "C.UTF-8",
        }

    def _format(self, disks: Iterable[str]) -> None:
        commands = [
            ["ceph-osd", "--id", str(number), "--mkfs", "--osd-uuid", disk, *self._keyring(f"osd.{number}")]
            for number, disk in enumerate(disks)
        ]
        running = [
            subprocess.Popen(command, env=self._environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
            for command in commands
        ]
        for process in running:
            _, said = process.communicate(timeout=60)
            if process.returncode != 0:
                raise ClusterError(f"A disk could not be made: {said.decode(errors='replace')}")

    def _keyring(self, entity: str) -> list[str]:
        return ["--keyring", str(self.folder / f"{entity}.keyring")]

    def _spawn(self, entity: str, *command: str) -> None:
        # The monitor has its own key in its store.
        keyring = [] if entity.startswith("mon.") else self._keyring(entity)
        with (self.folder / "log" / f"{entity}.out").open("ab") as log:
            self._daemons[entity] = subprocess.Popen(
                ["setpriv", "--pdeathsig", "SIGKILL", *command, "-f", *keyring],
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )

    def _await(self, condition: Callable[[], bool], what: str) -> None:
        until = time.monotonic() + START_LIMIT
        while not condition():
            if time.monotonic() > until:
                raise ClusterError(f"Ceph is not {what} after {START_LIMIT:.0f} s.{self._last_words()}")
            time.sleep(0.2)

    def _last_words(self) -> str:
        said: list[str] = []
        for entity, daemon in self._daemons.items():
            lines = (self.folder / "log" / f"{entity}.out").read_text(errors="replace").splitlines()[-5:]
            said.append(f"\n{entity} ({'runs' if daemon.poll() is None else f'ended with {daemon.returncode}'}):")
            said += lines
        return "\n".join(said)


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def main() -> None:
    """Runs a cluster until it is interrupted."""
    if reason := missing():
        sys.exit(reason)
    began = time.monotonic()
    with CephCluster() as cluster:
        signal.signal(signal.SIGTERM, lambda *_: sys.exit())
        print(f"up after {time.monotonic() - began:.1f} s; CEPH_CONF={cluster.folder}/ceph.conf")
        print(f"https://127.0.0.1:{cluster.dashboard_port} user {cluster.username}, password {cluster.password}")
        print(f"certificate {cluster.certificate.certificate_file}, sha256 {cluster.certificate.sha256}", flush=True)
        with contextlib.suppress(KeyboardInterrupt):
            signal.pause()


if __name__ == "__main__":
    main()
