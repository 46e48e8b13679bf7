"""Driver hosts from outside: real processes that start, die, hang and misbehave."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import signal
import time
from pathlib import Path

import pytest

from delphis.driver.v1 import storage_driver_pb2 as driver_pb
from services.registry.manifest import Pair
from tests.registry.support import alive, deadline, failure, house, until, write_manifest


async def test_the_first_call_starts_the_host(tmp_path: Path) -> None:
    write_manifest(tmp_path / "drivers")
    async with house(tmp_path) as home:
        array = home.arrays.add("a1")
        assert home.slot().current is None
        pid = await home.pid(array)
        assert await home.pid(array) == pid
        assert alive(pid)
        command = Path(f"/proc/{pid}/cmdline").read_bytes()
        assert b"tiny_host.py" in command
        assert b"launcher" not in command
    assert not alive(pid)
    assert list((tmp_path / "run").iterdir()) == []
