"""A core that starts no hosts has those that announce themselves; a sync waits for one that is away."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.lease.array import CountingArrays
from tests.lease.support import ContainerHost, Core, certificates
from tests.support.up import fake_array, wait_for


@pytest.fixture
def arrays() -> Iterator[CountingArrays]:
    with CountingArrays() as server:
        yield server
        server.shutdown()


def children(pid: int) -> list[str]:
    """Command lines of the processes that a process started."""
    started = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii").split()
    return [Path(f"/proc/{child}/cmdline").read_text(encoding="utf-8") for child in started]


@pytest.mark.slow
def test_a_core_without_hosts_of_its_own(tmp_path: Path, arrays: CountingArrays) -> None:
    certs = certificates(tmp_path / "certs")
    core = Core(tmp_path, certs, "--no-spawn")
    hosts: list[ContainerHost] = []
    try:
        refused = core.up.ask("POST", "/v1/storages", fake_array(1), headers={"Authorization": f"Bearer {core.admin}"})
        assert (refused.status, json.loads(refused.text)["error_code"]) == (503, "DriverHostUnavailable")
        assert "starts no driver hosts (--no-spawn)" in refused.text

        token = core.driver_token("counting")
        hosts.append(ContainerHost(core, certs, token))
        [serving] = core.serving(1)
        storage = core.register(arrays.port, "array")
        assert core.owner(storage) == hosts[0].pid

        def synced() -> dict[str, Any] | None:
            found: dict[str, Any] = core.ask("GET", f"/v1/storages/{storage}")
            return found if found["sync_status"] == "SYNCED" else None

        wait_for("the first sync", synced, 60)
        assert not [line for line in children(core.up.process.pid) if "delphis.sdk.host" in line]

        # Its host dies, the core too, and the host comes back where it was: the sync that began meanwhile succeeds.
        hosts[0].end()
        core.ask("POST", f"/v1/storages/{storage}/sync")
        core.restart(kill=True)
        port = int(serving["endpoint"].rpartition(":")[2])
        hosts.append(ContainerHost(core, certs, token, port=port))
        found = wait_for("the sync", synced, 60)
        assert (found["sync_outcome"], found["sync_error"]) == ("ok", None), found
    finally:
        for host in hosts:
            if host.process.poll() is None:
                host.end()
        core.stop()
