"""How a collection is printed."""

from __future__ import annotations

import pytest

from delphis.cli.commands.collections import print_status
from delphis.cli.settings import Settings
from delphis.telemetry.v1 import telemetry_pb2 as pb


def test_gaps_are_named(capsys: pytest.CaptureFixture[str]) -> None:
    status = pb.CollectionStatus(supported=True)
    gap = status.kinds.add(kind="volume").gaps.add(reason="It slept.")
    gap.begin_time.FromSeconds(1_760_000_000)
    gap.end_time.FromSeconds(1_760_003_600)
    settings = Settings(
        server="", tls=False, tls_ca=None, tls_server_name=None, plaintext=False, timeout=1.0, output="table"
    )
    print_status(settings, status)
    shown = capsys.readouterr().out
    assert "Intervals set" not in shown
    assert shown.splitlines()[-1].split(maxsplit=5) == [
        *("volume", "2025-10-09", "08:53:20Z", "2025-10-09", "09:53:20Z"),
        "It slept.",
    ]
