"""Replicas share arrays: one owner at a time while hosts and the core come and go, counted at the array."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from tests.lease.array import CountingArrays
from tests.lease.support import SECRET, ContainerHost, Core, certificates, ending
from tests.support.up import wait_for

TAKE_OVER = 5.0


@pytest.fixture
def arrays() -> Iterator[CountingArrays]:
    with CountingArrays() as server:
        yield server
        server.shutdown()


@pytest.mark.slow
def test_one_owner_while_hosts_and_core_come_and_go(tmp_path: Path, arrays: CountingArrays) -> None:
    certs = certificates(tmp_path / "certs")
    core = Core(tmp_path, certs)
    hosts: list[ContainerHost] = []
    try:
        token = core.driver_token("counting")
        with ending():
            hosts += [ContainerHost(core, certs, token), ContainerHost(core, certs, token)]
            core.serving(2)
            names = [f"array-{number}" for number in range(16)]
            storages = {name: core.register(arrays.port, name) for name in names}
            owners = {name: core.owner(storage) for name, storage in storages.items()}
            assert set(owners.values()) == {host.pid for host in hosts}

            # SIGKILL: the other one has everything with the next call.
            hosts[0].end(signal.SIGKILL)
            began = time.monotonic()
            assert {core.owner(storage) for storage in storages.values()} == {hosts[1].pid}
            assert time.monotonic() - began < 20

            # A core that is killed and one that was not there for a while: owners are in the store.
            core.restart(kill=True)
            core.serving(1)
            assert {core.owner(storage) for storage in storages.values()} == {hosts[1].pid}

            # A new host, then SIGTERM for the old one: it logs out before the new one logs in.
            hosts.append(ContainerHost(core, certs, token))
            core.serving(2)
            assert hosts[1].end(signal.SIGTERM) == 0
            assert {core.owner(storage) for storage in storages.values()} == {hosts[2].pid}

            # One that stands still loses its arrays within the take-over time, and logs out when it wakes up.
            hosts.append(ContainerHost(core, certs, token))
            core.serving(2)
            hosts[2].send(signal.SIGSTOP)
            began = time.monotonic()
            assert core.owner(storages["array-0"]) == hosts[3].pid
            assert time.monotonic() - began < TAKE_OVER + 20
            assert {core.owner(storage) for storage in storages.values()} == {hosts[3].pid}
            hosts[2].send(signal.SIGCONT)
            for name in names:
                wait_for(f"logout from {name}", partial(arrays.only, name, hosts[3].pid), 60)
        # Two at once only while the frozen host could not be told.
        frozen = hosts[2].pid
        overlaps = arrays.overlaps()
        assert [overlap for overlap in overlaps if frozen not in overlap[2] and overlap[1] > 0.5] == []
        assert all(seconds < 2 * TAKE_OVER for _, seconds, _ in overlaps), overlaps
        log = core.up.log() + "".join(line for host in hosts for line in host.lines)
        assert SECRET not in log
        assert token.read_text() not in log
    finally:
        for host in hosts:
            if host.process.poll() is None:
                host.end()
        core.stop()
