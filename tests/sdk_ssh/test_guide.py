"""The examples of docs/clients.md, as printed."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import paramiko

from delphis.sdk import Context
from delphis.sdk.ssh import SshSession
from tests.sdk_snmp.agent import rfc1902
from tests.sdk_snmp.agent import serving as snmp_serving
from tests.sdk_ssh.server import Serving, done, serving
from tests.sdk_ssh.test_session import KEY, dialogue

GUIDE = Path(__file__).resolve().parents[2] / "docs" / "clients.md"


def test_examples() -> None:
    examples = re.findall(r"```python\n(.*?)```", GUIDE.read_text(encoding="utf-8"), re.DOTALL)
    assert len(examples) == 5
    names: dict[str, Any] = {}
    for example in examples:
        exec(example, names)
    context = Context(timeout=60)

    def command(_: Serving, channel: paramiko.Channel, line: str) -> None:
        done(channel, b"B2\n" if line == "show model" else b"")

    with serving(command, KEY) as server:
        assert names["model"](server.access(), context) == "B2"
    with serving(dialogue, KEY) as server:
        session = SshSession(server.access())
        assert "bk" in names["delete_snapshot"](session, context, "s1")
        session.close()
    entry = (1, 3, 6, 1, 2, 1, 2, 2, 1)
    with snmp_serving({(*entry, 2, 1): rfc1902.OctetString(b"lo"), (*entry, 3, 1): rfc1902.Integer32(24)}) as agent:
        assert names["interfaces"]("127.0.0.1", agent.port, context) == ["lo"]
