"""The SNMP session against a small agent, with its faults, and against snmpd."""

from __future__ import annotations

import os
import socket
import subprocess
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest

from delphis.sdk import Context, SnmpAuthProtocol, SnmpPrivProtocol, SnmpSecurityLevel, SnmpVersion, errors
from delphis.sdk.recording import hook
from delphis.sdk.snmp import SnmpAccess, SnmpSession, Tag
from tests.sdk_snmp.agent import Agent, rfc1902, serving

BASE = (1, 3, 6, 1, 4, 1, 99999)
OID = ".".join(map(str, BASE))
VERSIONS = {"v1": SnmpVersion.SNMP_VERSION_SNMPV1, "v2c": SnmpVersion.SNMP_VERSION_SNMPV2C}
SNMPD = Path("/usr/sbin/snmpd")


@pytest.fixture
def agent() -> Generator[Agent]:
    values: dict[tuple[int, ...], Any] = {
        (*BASE, 1, 0): rfc1902.OctetString(b"box\0"),
        (*BASE, 2, 0): rfc1902.Integer32(-7),
        (*BASE, 3, 0): rfc1902.Counter32(2**32 - 1),
        (*BASE, 4, 0): rfc1902.TimeTicks(12345),
        (*BASE, 5, 0): rfc1902.IpAddress("127.0.0.9"),
        (*BASE, 6, 0): rfc1902.ObjectIdentifier(BASE),
    }
    for row in range(1, 61):
        values[(*BASE, 9, 1, 2, row)] = rfc1902.OctetString(f"disk {row}".encode())
        if row != 5:
            values[(*BASE, 9, 1, 3, row)] = rfc1902.Gauge32(row * 1000)
    with serving(values) as running:
        yield running


def session(agent: Agent, **fields: object) -> SnmpSession:
    found = {"port": agent.port, "community": "public", "timeout": 0.3, "retries": 1} | fields
    return SnmpSession(SnmpAccess("127.0.0.1", **found))  # type: ignore[arg-type]


@pytest.mark.parametrize("version", VERSIONS)
def test_typed_values_and_tables(agent: Agent, version: str) -> None:
    snmp, context = session(agent, version=VERSIONS[version]), Context(timeout=60)
    name, missing, number = snmp.get(context, f"{OID}.1.0", f".{OID}.77.0", f"{OID}.2.0")
    assert (name.text, name.tag, number.integer, missing.exists) == ("box", Tag.OCTETS, -7, False)
    with pytest.raises(errors.BadResponse, match="no number"):
        assert name.integer
    with pytest.raises(errors.BadResponse, match="no variable"):
        assert missing.text
    found = snmp.get(context, *(f"{OID}.{place}.0" for place in (3, 4, 5, 6)))
    assert [(variable.value, variable.tag) for variable in found] == [
        (2**32 - 1, Tag.COUNTER32),
        (12345, Tag.TIME_TICKS),
        ("127.0.0.9", Tag.IP_ADDRESS),
        (OID, Tag.OBJECT_ID),
    ]
    rows = snmp.table(context, f"{OID}.9.1", {"name": 2, "size": 3})
    assert len(rows) == 60
    assert (rows[9].index, rows[9]["name"].text, rows[9]["size"].integer) == ((10,), "disk 10", 10_000)
    with pytest.raises(errors.InvalidResults, match="no 'size' in row 5"):
        rows[4]["size"]
    assert len(list(snmp.walk(context, OID))) == 6 + 60 + 59
    assert list(snmp.walk(context, "1.3.6.1.4.1.99999.9.1.77")) == []
    snmp.close()


def test_walks_end(agent: Agent) -> None:
    context = Context(timeout=60)
    snmp = session(agent)
    agent.most_repetitions = 3  # answers tooBig beyond
    assert len(list(snmp.walk(context, f"{OID}.9.1.2"))) == 60
    with pytest.raises(errors.BadResponse, match="more than 10 variables"):
        list(snmp.walk(context, OID, most=10))
    agent.circles = True
    with pytest.raises(errors.BadResponse, match="circles"):
        list(snmp.walk(context, OID))
    snmp.close()


def test_lost_packets_and_silence(agent: Agent) -> None:
    context = Context(timeout=60)
    snmp = session(agent)
    agent.silent_for = 1
    assert snmp.get(context, f"{OID}.1.0")[0].text == "box"
    assert agent.requests == 2
    with pytest.raises(errors.ArrayUnreachable, match="2 tries") as silence:
        session(agent, community="wrong-sentinel").get(context, f"{OID}.1.0")
    assert "sentinel" not in repr(silence.value.metadata) + str(silence.value) + repr(session(agent).access)
    agent.silent_for = 100
    with pytest.raises(errors.ArrayTimeout, match="deadline"):
        snmp.get(Context(timeout=0.1), f"{OID}.1.0")
    snmp.close()


def test_what_cant_be_asked(agent: Agent) -> None:
    v3 = {"version": SnmpVersion.SNMP_VERSION_SNMPV3, "username": "monitor"}
    for fields in ({"community": ""}, {**v3, "username": ""}, {**v3, "auth_key": "short"}, {"version": 77}):
        with pytest.raises(errors.AccessInfoIncomplete):
            session(agent, **fields)
    with pytest.raises(errors.InvalidIpOrPort):
        session(agent, port=0)
    for bad in ("", "1", "sysName.0", "1.3.x"):
        with pytest.raises(ValueError, match="no object identifier"):
            session(agent).get(Context(), bad)


def test_what_is_recorded(agent: Agent) -> None:
    tape: list[hook.Exchange] = []

    class Tape:
        def record(self, exchange: hook.Exchange, /) -> None:
            tape.append(exchange)

    hook.use_recorder(Tape())
    try:
        snmp = session(agent)
        snmp.get(Context(), f"{OID}.1.0", f"{OID}.77.0")
        list(snmp.walk(Context(), f"{OID}.2"))
        snmp.close()
    finally:
        hook.use_recorder(None)
    assert tape == [hook.SnmpVariable(f"{OID}.1.0", 4, b"box\0"), hook.SnmpVariable(f"{OID}.2.0", 2, b"-7")]


@pytest.fixture(scope="module")
def snmpd(tmp_path_factory: pytest.TempPathFactory) -> Generator[int]:
    """Net-SNMP's agent, and its port."""
    if not SNMPD.exists():
        missing = "install snmpd, see .ci/run"
        if os.environ.get("CI"):
            pytest.fail(f"CI lacks what marker 'apt' needs: {missing}", pytrace=False)
        pytest.skip(f"apt: {missing}")
    folder = tmp_path_factory.mktemp("snmpd")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    (folder / "snmpd.conf").write_text(
        "rocommunity public\ncreateUser strong SHA-256 authsecret AES privsecret\ncreateUser old MD5 authsecret DES"
        " privsecret\nrouser strong authpriv\nrouser old authpriv\nsysName box\n"
    )
    command = [SNMPD, "-f", "-C", "-c", folder / "snmpd.conf", "-Lf", folder / "log", "-p", folder / "pid"]
    process = subprocess.Popen(
        [*map(str, command), f"udp:127.0.0.1:{port}"], env={**os.environ, "SNMP_PERSISTENT_DIR": str(folder)}
    )
    try:
        ready = SnmpSession(SnmpAccess("127.0.0.1", port, community="public", timeout=0.2, retries=40))
        assert ready.get(Context(timeout=60), "1.3.6.1.2.1.1.5.0")[0].text == "box"
        ready.close()
        yield port
    finally:
        process.terminate()
        process.wait(60)


@pytest.mark.apt
def test_net_snmp(snmpd: int) -> None:
    context = Context(timeout=60)
    sha, md5 = SnmpAuthProtocol.SNMP_AUTH_PROTOCOL_HMCSHA2256, SnmpAuthProtocol.SNMP_AUTH_PROTOCOL_HMACMD5
    aes, des = SnmpPrivProtocol.SNMP_PRIV_PROTOCOL_AES, SnmpPrivProtocol.SNMP_PRIV_PROTOCOL_DES
    v3 = SnmpVersion.SNMP_VERSION_SNMPV3
    accesses = [SnmpAccess("127.0.0.1", snmpd, version=version, community="public") for version in VERSIONS.values()]
    accesses += [
        SnmpAccess(
            *("127.0.0.1", snmpd, v3, "", name, SnmpSecurityLevel.SNMP_SECURITY_LEVEL_AUTH_PRIV),
            *(auth, "authsecret", privacy, "privsecret"),
        )
        for name, auth, privacy in (("strong", sha, aes), ("old", md5, des))
    ]
    for access in accesses:
        snmp = SnmpSession(access)
        rows = snmp.table(context, "1.3.6.1.2.1.2.2.1", {"name": 2, "type": 3})
        assert "lo" in [row["name"].text for row in rows]
        assert len(list(snmp.walk(context, "1.3.6.1.2.1.1"))) > 10
        snmp.close()
    for name, auth_key in (("strong", "wrong-secret"), ("nobody", "authsecret")):
        access = SnmpAccess("127.0.0.1", snmpd, v3, username=name, auth_protocol=sha, auth_key=auth_key)
        with pytest.raises(errors.InvalidUsernameOrPassword, match="refused") as refused:
            SnmpSession(access).get(context, "1.3.6.1.2.1.1.5.0")
        assert auth_key not in str(refused.value)
    weak = SnmpAccess("127.0.0.1", snmpd, v3, username="strong", auth_protocol=sha, auth_key="authsecret")
    with pytest.raises(errors.ArrayPermissionDenied):
        SnmpSession(weak).get(context, "1.3.6.1.2.1.1.5.0")
