"""Real senders: net-snmp's snmptrap and snmpinform with every version and algorithm they have."""

from __future__ import annotations

import asyncio
import os
import shutil
from pathlib import Path

import pytest

from services.snmp import AuthProtocol, PrivProtocol, User, Version
from tests.alerts.receiving.station import Station, eventually, station

pytestmark = pytest.mark.apt

AUTHS = dict(zip(("MD5", "SHA", "SHA-224", "SHA-256", "SHA-384", "SHA-512"), AuthProtocol, strict=True))
PRIVS = {
    "DES": PrivProtocol.DES,
    "AES": PrivProtocol.AES,
    "AES-192": PrivProtocol.AES192,
    "AES-256": PrivProtocol.AES256,
    "AES-192-C": PrivProtocol.AES192,  # Cisco's: Reeder's key extension
    "AES-256-C": PrivProtocol.AES256,
}
TRAP = "1.3.6.1.4.1.8072.9999.8190"
BINDINGS = (f"{TRAP}.1", "s", "Major", f"{TRAP}.2", "i", "-77", f"{TRAP}.3", "C", "18446744073709551615")


@pytest.fixture(autouse=True)
def _net_snmp() -> None:
    if shutil.which("snmpinform") is None:
        missing = "install snmp, see .ci/run"
        if os.environ.get("CI"):
            pytest.fail(f"CI lacks what marker 'apt' needs: {missing}", pytrace=False)
        pytest.skip(f"apt: {missing}")


async def send(command: str, to: str, home: Path, *options: str, v1: bool = False) -> int:
    """Its exit status: for an inform, whether it was answered."""
    what = (TRAP, "192.0.2.7", "6", "5", "4242") if v1 else ("4242", TRAP)
    environment = {**os.environ, "HOME": str(home), "SNMP_PERSISTENT_DIR": str(home)}
    arguments = (*options, "-t", "5", "-r", "1") if command == "snmpinform" else options
    process = await asyncio.create_subprocess_exec(
        command, *arguments, to, *what, *BINDINGS, env=environment, stderr=asyncio.subprocess.PIPE
    )
    _, said = await process.communicate()
    assert b"No log handling" not in said
    return process.returncode or 0


def read(listening: Station) -> None:
    """Everything that is spooled says what was sent."""
    for record in listening.spooled():
        found = listening.decode(record)
        assert found.trap_oid == (f"{TRAP}.0.5" if found.version is Version.V1 else TRAP)
        assert found.uptime == 4242
        assert [value for _, _, value in found.varbinds] == [b"Major", -77, 2**64 - 1]
        assert found.inform == record.answered


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
async def test_communities(tmp_path: Path, host: str) -> None:
    async with station(tmp_path / "spool", host=host) as listening:
        to = f"udp6:[::1]:{listening.port}" if host == "::1" else f"{host}:{listening.port}"
        assert await send("snmptrap", to, tmp_path, "-v1", "-c", "public", v1=True) == 0
        assert await send("snmptrap", to, tmp_path, "-v2c", "-c", "public") == 0
        assert await send("snmpinform", to, tmp_path, "-v2c", "-c", "public") == 0
        await eventually(lambda: listening.counters.accepted == 3)
        read(listening)
        assert [record.source for record in listening.spooled()] == [host] * 3
        assert listening.counters.informs_answered == 1


@pytest.mark.parametrize("command", ["snmptrap", "snmpinform"])
async def test_users(tmp_path: Path, command: str) -> None:
    """Every pair of algorithms. Informs begin with a search for our engine id and clock."""
    users = [User("array", "none")]
    senders: list[tuple[str, ...]] = [("-u", "none", "-l", "noAuthNoPriv")]
    for auth, protocol in AUTHS.items():
        users.append(User("array", auth, protocol, "auth-password"))
        authentic = ("-a", auth, "-A", "auth-password")
        senders.append(("-u", auth, "-l", "authNoPriv", *authentic))
        for privacy, cipher in PRIVS.items():
            users.append(User("array", auth + privacy, protocol, "auth-password", cipher, "privacy-password"))
            private = ("-x", privacy, "-X", "privacy-password")
            senders.append(("-u", auth + privacy, "-l", "authPriv", *authentic, *private))
    async with station(tmp_path / "spool", users=users) as listening:
        to = f"127.0.0.1:{listening.port}"
        for sender in senders:
            assert await send(command, to, tmp_path, "-v3", *sender) == 0, sender
        await eventually(lambda: listening.counters.accepted == len(senders))
        read(listening)
        found = {listening.decode(record).user for record in listening.spooled()} if command == "snmpinform" else None
        assert found in (None, {user.name for user in users})
        assert listening.counters.informs_answered == (len(senders) if command == "snmpinform" else 0)


async def test_who_isnt_known_gets_no_answer(tmp_path: Path) -> None:
    user = User("array", "monitor", AuthProtocol.SHA, "auth-password")
    async with station(tmp_path / "spool", users=[user], allow=False) as listening:
        to = f"127.0.0.1:{listening.port}"
        quick = ("-t", "0.3", "-r", "0")
        for options in (
            ("-v2c", "-c", "wrong"),
            ("-v3", "-u", "monitor", "-l", "authNoPriv", "-a", "SHA", "-A", "wrong-password"),
            ("-v3", "-u", "nobody", "-l", "noAuthNoPriv"),
        ):
            arguments = (*options, *quick, to, "4242", TRAP)
            process = await asyncio.create_subprocess_exec(
                "snmpinform", *arguments, stderr=asyncio.subprocess.DEVNULL, env={**os.environ, "HOME": str(tmp_path)}
            )
            assert await process.wait() != 0
        assert listening.spooled() == []
        refused = listening.counters.refused
        assert refused["not_allowed"] == 1
        assert listening.counters.reports >= 4  # two searches, and two refusals
