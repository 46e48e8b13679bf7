"""net-snmp's agent watches a disk, and tells that it is full by traps of its own: an alert, raised and cleared."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.alerts.fleet import AlertsUp
from tests.alerts.senders import ENTERPRISE, TRAP_OID
from tests.support.up import up, wait_for

pytestmark = [pytest.mark.apt, pytest.mark.root]

HOST = "127.11.8.1"
FULL = ".1.3.6.1.4.1.2021.9.1.100.1"  # dskErrorFlag of the first disk
# What a generated array's trap says, asked from a program by the agent: `raise` while the disk has no room.
SAYS = """#!/bin/sh
[ "$1" = -g ] || exit 0
case "$2" in
*.1) said=Critical ;;
*.2) said=disk-full ;;
*.3) said="$(df --output=pcent {disk} | tail -1) of {disk} are used" ;;
*.4) said=$(test "$(df --output=pcent {disk} | tail -1 | tr -dc 0-9)" -gt 50 && echo raise || echo clear) ;;
*) exit 0 ;;
esac
printf '%s\\nstring\\n%s\\n' "$2" "$said"
"""
CONFIGURATION = """
agentaddress udp:127.0.0.1:{port}
[snmp] clientaddr {host}
[snmpd]
createUser _internal SHA internal-passphrase AES
iquerySecName _internal
rouser _internal
disk {disk} 50%
pass .{enterprise} {says}
trap2sink {receiver} public
notificationEvent diskEvent .{trap} {objects}
monitor -I -r 1 -e diskEvent diskFull {full} != 0
monitor -I -r 1 -e diskEvent diskFine {full} == 0
"""


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 8 MiB."""
    where = tmp_path / "disk"
    where.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=8M", "tmpfs", where], check=True)
    yield where
    subprocess.run(["umount", where], check=True)


@contextlib.contextmanager
def agent(folder: Path, receiver: str, disk: Path) -> Iterator[None]:
    """snmpd at work."""
    says = folder / "says"
    says.write_text(SAYS.format(disk=disk))
    says.chmod(0o755)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    file = folder / "snmpd.conf"
    objects = " ".join(f"-i .{ENTERPRISE}.{number}" for number in (1, 2, 3, 4))
    file.write_text(
        CONFIGURATION.format(
            port=port,
            host=HOST,
            disk=disk,
            enterprise=ENTERPRISE,
            says=says,
            receiver=receiver,
            trap=TRAP_OID,
            objects=objects,
            full=FULL,
        )
    )
    file.chmod(0o600)
    process = subprocess.Popen(
        ["snmpd", "-f", "-Lf", folder / "snmpd.log", "-C", "-c", file, "-p", folder / "snmpd.pid"],
        env={**os.environ, "SNMP_PERSISTENT_DIR": str(folder / "persistent"), "MIBS": ""},
    )
    try:
        yield
    finally:
        process.terminate()
        process.wait(60)


def test_a_disk_that_fills_up(tmp_path: Path, disk: Path) -> None:
    with up(tmp_path) as running, contextlib.closing(AlertsUp(running)) as delphis:
        array = delphis.array(HOST)
        with agent(tmp_path, delphis.receiver, disk):
            # It tells at its start that all is well: that clears nothing.
            wait_for("the agent's first trap", lambda: delphis.counts().get("parsed"))
            assert delphis.numbers(array) == set()
            (disk / "file").write_bytes(bytes(6_000_000))
            delphis.wait_numbers(array, "disk-full")
            [alert] = [one for one in delphis.alerts(array) if one["origin"] == "trap"]
            assert (alert["severity"], alert["origin"]) == ("Critical", "trap")
            assert alert["description"].strip() == f"72% of {disk} are used"
            (disk / "file").unlink()
            delphis.wait_numbers(array)
        over = running.get(f"/v1/alerts/{alert['id']}")
        assert (over["state"], over["cleared_origin"]) == ("cleared", "trap")
