"""The commands of drivers/fake_storage/README.md, with net-snmp's own programs, to the alert and back."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.alerts.fleet import AlertsUp
from tests.alerts.senders import ENTERPRISE
from tests.support.up import up

pytestmark = pytest.mark.apt

HOST = "127.15.0.1"
USER = ("-u", "monitor", "-l", "authPriv", "-a", "SHA-256", "-A", "auth-sentinel", "-x", "AES", "-X", "priv-sentinel")
CONFIG = {
    "version": "SNMPv3",
    "username": "monitor",
    "security_level": "authPriv",
    "auth_protocol": "HMCSHA2256",
    "auth_key": "auth-sentinel",
    "privacy_protocol": "AES",
    "privacy_key": "priv-sentinel",
}


@pytest.fixture(scope="module")
def delphis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AlertsUp]:
    if missing := [name for name in ("snmptrap", "snmpinform") if shutil.which(name) is None]:
        if os.environ.get("CI"):
            pytest.fail(f"CI lacks what marker 'apt' needs: {missing}", pytrace=False)
        pytest.skip(f"needs {', '.join(missing)}")
    folder = tmp_path_factory.mktemp("net-snmp")
    with up(folder, "--trap-listen", "127.0.0.1:0") as running, contextlib.closing(AlertsUp(running)) as found:
        yield found


def send(delphis: AlertsUp, folder: Path, program: str, options: tuple[str, ...], number: str, what: str) -> None:
    bindings = {"1": "Critical", "2": number, "3": "A disk failed", "4": what}
    given = [word for key, text in bindings.items() for word in (f"{ENTERPRISE}.{key}", "s", text)]
    command = [
        program,
        *options,
        "-r",
        "1",
        "-t",
        "5",
        f"--clientaddr={HOST}",
        delphis.receiver,
        "",
        f"{ENTERPRISE}.0.1",
    ]
    environment = {**os.environ, "SNMP_PERSISTENT_DIR": str(folder), "SNMPCONFPATH": str(folder), "MIBS": ""}
    done = subprocess.run([*command, *given], env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr


def test_a_trap_raises_and_an_inform_clears(delphis: AlertsUp, tmp_path: Path) -> None:
    array = delphis.array(HOST)
    send(delphis, tmp_path, "snmptrap", ("-v2c", "-c", "public"), "4711", "raise")
    delphis.wait_numbers(array, "4711")
    send(delphis, tmp_path, "snmpinform", ("-v2c", "-c", "public"), "4711", "clear")
    delphis.wait_numbers(array)
    delphis.put_config(array, host=HOST, port=1, **CONFIG)
    send(delphis, tmp_path, "snmptrap", ("-v3", *USER), "4712", "raise")
    delphis.wait_numbers(array, "4712")
    send(delphis, tmp_path, "snmpinform", ("-v3", *USER), "4712", "clear")
    delphis.wait_numbers(array)
