"""Two cores on one PostgreSQL: they agree on owners, and one of them starts the hosts of a driver."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest

from tests.lease.array import CountingArrays
from tests.lease.support import ContainerHost, Core, certificates
from tests.support import postgres
from tests.support.stores import postgres_cluster
from tests.support.up import fake_array, wait_for

__all__ = ["postgres_cluster"]

pytestmark = pytest.mark.postgres


@pytest.fixture
def arrays() -> Iterator[CountingArrays]:
    with CountingArrays() as server:
        yield server
        server.shutdown()


def synced(core: Core, place: str) -> dict[str, Any]:
    """The storage, as soon as it was synced, which must have succeeded."""

    def probe() -> dict[str, Any] | None:
        found: dict[str, Any] = core.ask("GET", place)
        return found if found["sync_status"] == "SYNCED" else None

    found = wait_for("the sync", probe, 60)
    assert (found["sync_outcome"], found["sync_error"]) == ("ok", None), found
    return found


def test_two_cores(
    tmp_path: Path,
    arrays: CountingArrays,
    postgres_cluster: postgres.Cluster,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("DELPHIS_DATABASE", postgres_cluster.new_database())
    monkeypatch.setenv("DELPHIS_KEY_FILE", str(tmp_path / "key"))
    certs = certificates(tmp_path / "certs")
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
    one = Core(tmp_path / "one", certs)
    two: Core | None = None
    hosts: list[ContainerHost] = []
    try:
        two = Core(tmp_path / "two", certs, name="admin-two")
        token = one.driver_token("counting")
        # They announce themselves to different cores, and both know both.
        hosts += [ContainerHost(one, certs, token)]
        wait_for("token", lambda: hosts[0].said("knows this host"))
        hosts += [ContainerHost(two, certs, token)]
        storages = {}
        for core in (one, two):
            core.serving(2)
        for number in range(16):  # so many that both hosts have some, whatever the ids
            storages[f"array-{number}"] = one.register(arrays.port, f"array-{number}")
        owners = {name: one.owner(storage) for name, storage in storages.items()}
        assert set(owners.values()) == {host.pid for host in hosts}
        assert {name: two.owner(storage) for name, storage in storages.items()} == owners
        hosts[0].end(signal.SIGKILL)
        for core in (two, one):
            assert {core.owner(storage) for storage in storages.values()} == {hosts[1].pid}
        assert [overlap for overlap in arrays.overlaps() if overlap[1] > 0.5] == []

        # A driver in the tree is started by the core that needed it first; by another one when that core is dead.
        generated = one.ask("POST", "/v1/storages", fake_array(1, host="127.0.2.1"))["id"]
        one.owner(generated)
        with pytest.raises(grpc.RpcError) as refused:
            two.owner(generated)
        assert "Another core on the same database runs the hosts" in str(refused.value.details())
        # Its syncs go there by themselves, whichever core was asked for them.
        place = f"/v1/storages/{generated}"
        synced(two, place)
        before = two.ask("GET", place)["last_success_at"]
        two.ask("POST", f"{place}/sync")
        assert synced(two, place)["last_success_at"] > before
        one.stop(kill=True)

        def taken_over() -> bool:
            assert two is not None
            try:
                two.owner(generated)
            except grpc.RpcError:
                return False
            return True

        wait_for("take-over of the driver", taken_over, 60)
    finally:
        for host in hosts:
            if host.process.poll() is None:
                host.end()
        for running in (one, two):
            if running is not None and running.up.process.poll() is None:
                running.stop()
