"""The audit log: batched, bounded, and written before the end."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import grpc
import pytest
from sqlalchemy import select

from delphis.type.v1 import options_pb2
from services.auth import audit
from services.auth.audit import AuditLog
from services.calls.method import Call, Caller, Method
from services.inventory.schema import SCHEMA
from services.inventory.schema.auth import audit_entries
from services.store.connection import Row
from services.store.engine import Store
from services.store.statement import statement
from tests.inventory.core import until

ALL = statement(select(audit_entries).order_by(audit_entries.c.no))


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    opened = Store.open(f"sqlite:///{tmp_path / 'store.db'}", SCHEMA)
    yield opened
    await opened.close()


def call(number: int) -> Call:
    method = Method("/delphis.t.v1.T/Change", options_pb2.SCOPE_OPERATE, False, 5.0)
    made = Call(method, Caller("mia", frozenset()), f"req-{number}", 0.0, "ipv4:127.0.0.1:9")
    made.resource_id = f"thing-{number}"
    return made


async def entries(store: Store) -> list[Row]:
    return await store.read(lambda connection: connection.all(ALL))


async def test_what_was_recorded_is_written_soon_and_in_order(store: Store) -> None:
    log = AuditLog(store)
    log.start()
    for number in range(1200):
        log.record(call(number), grpc.StatusCode.OK, "")
    log.record(call(1200), grpc.StatusCode.PERMISSION_DENIED, "NOT_AUTHORIZED")
    rows = await until(lambda: entries(store), lambda rows: len(rows) == 1201)
    assert [row[7] for row in rows] == [f"req-{number}" for number in range(1201)]
    assert rows[-1][2:] == (
        "mia",
        "delphis.t.v1.T/Change",
        "thing-1200",
        "PERMISSION_DENIED",
        "NOT_AUTHORIZED",
        "req-1200",
        "ipv4:127.0.0.1:9",
    )
    await log.stop()
    assert log.lost == 0


async def test_the_end_writes_what_is_queued(store: Store) -> None:
    log = AuditLog(store)
    log.start()
    for number in range(700):
        log.record(call(number), grpc.StatusCode.OK, "")
    await log.stop()
    assert len(await entries(store)) == 700


async def test_what_is_too_much_is_counted_and_said(
    store: Store, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(audit, "QUEUE_ENTRIES", 5)
    log = AuditLog(store)
    for number in range(8):
        log.record(call(number), grpc.StatusCode.OK, "")
    assert log.lost == 3
    log.start()
    await log.stop()
    assert "3 audit entries are lost" in caplog.text
    assert len(await entries(store)) == 5


async def test_texts_of_callers_do_no_harm(store: Store) -> None:
    log = AuditLog(store)
    log.start()
    evil = call(1)
    evil.resource_id = "a\0b" + "x" * 1000
    log.record(evil, grpc.StatusCode.OK, "")
    await log.stop()
    [row] = await entries(store)
    assert "\0" not in row[4]
    assert len(row[4]) < 256


async def test_old_entries_go(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    log = AuditLog(store)
    log.start()
    for number in range(10):
        log.record(call(number), grpc.StatusCode.OK, "")
    await log.stop()
    await log.prune()
    assert len(await entries(store)) == 10
    monkeypatch.setattr(audit, "RETENTION_DAYS", -1)
    await log.prune()
    assert await entries(store) == []
