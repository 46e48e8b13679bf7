"""pysnmp's own engine as the sender: triple DES, which net-snmp lacks, and discovery by another hand."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

import pytest

from services.snmp import AuthProtocol, PrivProtocol, User
from tests.alerts.receiving.station import eventually, station
from tests.snmp import oracle

hlapi: Any = importlib.import_module("pysnmp.hlapi.v3arch.asyncio")


@pytest.mark.parametrize("kind", ["trap", "inform"])
@pytest.mark.parametrize("auth", [AuthProtocol.MD5, AuthProtocol.SHA256], ids=lambda auth: auth.name)
async def test_users(tmp_path: Path, kind: str, auth: AuthProtocol) -> None:
    user = User("array", "monitor", auth, "auth-password", PrivProtocol.TRIPLE_DES, "privacy-password")
    async with station(tmp_path, users=[user]) as listening:
        engine = hlapi.SnmpEngine()
        try:
            target = await hlapi.UdpTransportTarget.create(("127.0.0.1", listening.port), timeout=60, retries=1)
            failed, status, _, _ = await hlapi.send_notification(
                engine,
                hlapi.UsmUserData(
                    *("monitor", "auth-password", "privacy-password", oracle.AUTHS[auth], hlapi.USM_PRIV_CBC168_3DES)
                ),
                target,
                hlapi.ContextData(),
                kind,
                hlapi.NotificationType(hlapi.ObjectIdentity(oracle.TRAP)).add_varbinds(
                    (f"{oracle.OID}.1", hlapi.OctetString("Major"))
                ),
            )
            assert (failed, status) == (None, 0)
            await eventually(lambda: listening.counters.accepted == 1)
        finally:
            engine.close_dispatcher()
        (record,) = listening.spooled()
        found = listening.decode(record)
        assert (found.trap_oid, found.inform, found.owners) == (oracle.TRAP, kind == "inform", ("array",))
        assert found.varbinds[-1][2] == b"Major"
        assert listening.counters.informs_answered == (kind == "inform")
