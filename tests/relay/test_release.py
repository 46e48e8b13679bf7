"""Before a storage is removed the alerts service is told; whatever it says, the removal goes on."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from delphis.alert.v1 import snmp_config_pb2
from services.calls.errors import CallError
from services.calls.method import Call
from services.calls.peer import Peer
from services.relay import release
from services.relay.relay import Relay
from services.relay.release import Release
from tests.relay.far import TOKEN, Far


async def test_alerts_is_told_by_the_core_itself(tmp_path: Path) -> None:
    far = Far(tmp_path)
    asked: list[str] = []

    async def answer(body: bytes, call: Call) -> bytes:
        asked.append(snmp_config_pb2.ReleaseStorageRequest.FromString(body).storage_id)
        return b""

    far.unary = answer
    await far.start()
    relay = Relay("alerts", Peer("--alerts", far.address).channel(), TOKEN)
    assert await relay.wait(60)
    await Release(relay)("some-id")
    assert asked == ["some-id"]
    assert [call.caller.name for call in far.calls] == ["service"]
    await relay.close()
    await far.vanish()


async def test_trouble_is_logged_and_keeps_nobody(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(release, "SECONDS", 0.3)
    far = Far(tmp_path)
    relay = Relay("alerts", Peer("--alerts", far.address).channel(), TOKEN)
    told = Release(relay)
    with caplog.at_level(logging.WARNING):
        await told("alerts-away")

        async def refuse(body: bytes, call: Call) -> bytes:
            raise CallError("STORE_FAULT", "The disk is full.")

        async def report(body: bytes, call: Call) -> bytes:
            return snmp_config_pb2.ReleaseStorageResponse(problem="No route.").SerializeToString()

        async def hang(body: bytes, call: Call) -> bytes:
            await far.never.wait()
            return body

        await far.start()
        assert await relay.wait(60)
        for name, answer in (("alerts-refuses", refuse), ("array-away", report), ("alerts-hangs", hang)):
            far.unary = answer
            await told(name)
    said = [record.getMessage() for record in caplog.records if "array" in record.getMessage()]
    for line, name, problem in zip(
        said,
        ("alerts-away", "alerts-refuses", "array-away", "alerts-hangs"),
        ("while alerts is away", "disk is full", "No route", ""),
        strict=True,
    ):
        assert name in line
        assert problem in line
    await relay.close()
    await far.vanish()
