"""Watching a real Delphis over HTTP until it stops."""

from __future__ import annotations

import time
from contextlib import closing
from pathlib import Path
from typing import Any

from tests.gateway.support import StreamReader
from tests.support.up import Up, up


def port_of(running: Up) -> int:
    return int(running.rest.rpartition(":")[2])


def until(reader: StreamReader, change: str, kind: str) -> dict[str, Any]:
    """Reads until this change comes."""
    while True:
        line = reader.line()
        if line.startswith("{"):
            for found in StreamReader.parsed(line)["changes"]:
                if (found["type"], found["kind"]) == (change, kind):
                    assert isinstance(found, dict)
                    return found


def test_a_watch_tells_what_syncs_find(delphis: Up) -> None:
    with up(delphis.folder, "--grpc", delphis.grpc, "--auth", "none", command=("serve", "gateway")) as gateway:
        with (
            closing(StreamReader(port_of(delphis), "/v1/changes:watch")) as here,
            closing(StreamReader(port_of(gateway), "/v1/changes:watch?kinds=storage")) as there,
        ):
            assert [here.record()["changes"], there.record()["changes"]] == [[], []]
            storage = delphis.register(91, volumes="5")
            for reader in (here, there):
                assert until(reader, "registered", "storage")["storage_id"] == storage["id"]
            assert until(here, "loaded", "volume")["count"] == 5
            path = f"/v1/storages/{storage['id']}/changes:watch?resume_token=start&kinds=volume"
            with closing(StreamReader(port_of(gateway), path)) as one:
                assert until(one, "loaded", "volume")["storage_id"] == storage["id"]
        began = time.monotonic()
        with closing(StreamReader(port_of(gateway), "/v1/changes:watch")) as reader:
            reader.record()
            gateway.stop()
            assert time.monotonic() - began < 30
            assert reader.record()["error"]["error_code"] == "ServiceUnavailable"


def test_a_stop_does_not_wait_for_watches(tmp_path: Path) -> None:
    running = Up(tmp_path, "--auth", "none", command=("serve", "core"))
    with closing(StreamReader(port_of(running), "/v1/changes:watch")) as reader:
        reader.record()
        began = time.monotonic()
        assert running.stop() == 0
        assert time.monotonic() - began < 30
        assert reader.record()["error"]["error_code"] == "ServiceUnavailable"
