"""Gateways that several tests share; the stub behind them is emptied for each test."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from gateway.gateway import GatewaySettings
from tests.gateway.foreign import foreign
from tests.gateway.support import Running, running
from tests.support.stores import postgres_cluster, store

__all__ = ["foreign", "postgres_cluster", "store"]


@pytest.fixture(scope="package")
def _in_process() -> Iterator[Running]:
    with running(settings=GatewaySettings(max_body_bytes=64 * 1024, body_seconds=1.0)) as gateway:
        yield gateway


@pytest.fixture(scope="package")
def _over_hop() -> Iterator[Running]:
    with running(hop=True, settings=GatewaySettings(max_body_bytes=64 * 1024, body_seconds=1.0)) as gateway:
        yield gateway


@pytest.fixture
def local(_in_process: Running) -> Running:
    """A gateway in the process of its service."""
    _in_process.stub.reset()
    return _in_process


@pytest.fixture(params=["in process", "over a hop"])
def rest(request: pytest.FixtureRequest) -> Running:
    """A gateway in the process of its service, and one that reaches it over gRPC."""
    gateway: Running = request.getfixturevalue("_in_process" if request.param == "in process" else "_over_hop")
    gateway.stub.reset()
    return gateway
