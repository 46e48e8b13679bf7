"""The core's health is that of its store."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from grpc_health.v1 import health_pb2
from sqlalchemy import select

from services.app import health
from services.calls.errors import CallError
from services.calls.method import MethodTable
from services.calls.pipeline import AnonymousAdmin, Ingress, Pipeline
from services.inventory.schema.storages import storages
from services.store.engine import Store
from services.store.errors import StoreFault
from services.store.statement import statement

_PROBE = statement(select(storages.c.no).limit(1))
CHECK = "/grpc.health.v1.Health/Check"


async def status(store: Store, service: str = "") -> Any:
    pipeline = Pipeline(MethodTable(health.methods(store, _PROBE, ())), AnonymousAdmin())
    body = health_pb2.HealthCheckRequest(service=service).SerializeToString()
    answer = await pipeline.unary(CHECK, body, Ingress(None, "r", None, "test"))
    return health_pb2.HealthCheckResponse.FromString(answer.body).status


async def test_it_serves_while_the_store_answers(store: Store) -> None:
    assert await status(store) == health_pb2.HealthCheckResponse.SERVING
    with pytest.raises(CallError) as unknown:
        await status(store, "no.Service")
    assert unknown.value.code.name == "NOT_FOUND"


async def test_a_fault_of_the_store_is_told_without_what_it_says(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    async def broken(work: object) -> None:
        raise StoreFault("read", "disk I/O error on /secret/path")

    monkeypatch.setattr(store, "read", broken)
    with pytest.raises(CallError) as failed:
        await status(store)
    assert (failed.value.reason, failed.value.code.name) == ("SERVICE_UNAVAILABLE", "UNAVAILABLE")
    assert "secret" not in failed.value.message


async def test_a_store_that_hangs_is_not_waited_for(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "_SECONDS", 0.05)
    monkeypatch.setattr(store, "read", lambda work: asyncio.Event().wait())
    with pytest.raises(CallError, match="did not answer within"):
        await status(store)
