"""Drivers for tests of the host. What they do can be seen in a journal, a file, and held up by a gate, another."""

from __future__ import annotations

import asyncio
import os
import threading
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from datetime import UTC, datetime
from typing import ClassVar

from delphis.sdk import (
    AccessField,
    AccessInfo,
    Alert,
    AlertSource,
    Capabilities,
    Context,
    MetricBatch,
    ResourceMetrics,
    Severity,
    Storage,
    StorageDriver,
    StoragePool,
    Trap,
    TrapConfig,
    Volume,
    errors,
)


class Journaled(StorageDriver):
    """Writes down what happens to it."""

    access_fields: ClassVar[Sequence[AccessField]] = (
        AccessField(path="extra_attributes.journal", plain=True),
        AccessField(path="extra_attributes.gate", plain=True),
        AccessField(path="extra_attributes.fails", plain=True),
    )

    def extra(self, key: str) -> str:
        return self.access_info.extra_attributes.get(key, "")

    def note(self, text: str) -> None:
        if path := self.extra("journal"):
            with open(path, "a", encoding="utf-8") as journal:
                journal.write(f"{text} {self.storage_id}@{self.access_info.revision}\n")

    def wait_at_gate(self, name: str = "gate") -> None:
        """Until the file appears; not even the deadline helps."""
        path = self.extra(name)
        while path and not os.path.exists(path):
            time.sleep(0.005)


class Plain(Journaled):
    """Everything works."""

    access_fields = (
        AccessField(path="rest", required=True),
        *Journaled.access_fields,
        AccessField(path="extra_attributes.count", plain=True, default_value="3"),
        AccessField(path="rest.port", default_value="8443"),
    )
    lists_all_alerts = True

    def __init__(self, access_info: AccessInfo) -> None:
        super().__init__(access_info)
        self.note("made")
        self.calls = 0
        self.lock = threading.Lock()

    def connect(self, context: Context) -> None:
        self.note("connect")
        self.wait_at_gate("login_gate")
        if self.extra("login") == "refused":
            raise errors.InvalidUsernameOrPassword(user=self.access_info.rest.username)

    def close(self) -> None:
        self.note("close")

    def reset_connection(self, context: Context) -> None:
        self.note("reset")

    def get_storage(self, context: Context) -> Storage:
        self.note("get_storage")
        with self.lock:
            self.calls += 1
        self.wait_at_gate()
        context.warn("This is a test.", native_id="1", reason=errors.BadResponse)
        left = "long" if 30 < context.remaining <= 60 else "short"
        return Storage(
            serial_number=f"plain-{self.access_info.rest.host}",
            name=f"call {self.calls}",
            description=f"port {self.access_info.rest.port}, {left}, {context.storage_id}",
        )

    def list_storage_pools(self, context: Context) -> list[StoragePool]:
        return []

    def list_volumes(self, context: Context) -> Iterator[Volume]:
        self.note("list_volumes")
        try:
            for number in range(int(self.extra("count"))):
                yield Volume(native_volume_id=f"v{number}", name=f"volume {number}", total_capacity=number)
                if number % 100 == 99:
                    self.wait_at_gate()
        finally:
            self.note("list_ended")

    def list_alerts(self, context: Context, begin: datetime | None, end: datetime | None) -> list[Alert]:
        return [Alert(alert_id="1", sequence_number="1", description=f"{begin} to {end}")]

    def clear_alert(self, context: Context, sequence_number: str) -> None:
        if sequence_number == "absent":
            raise errors.ArrayObjectNotFound
        if sequence_number.startswith("stays"):
            raise errors.StorageClearAlertFailed(f"Alert {sequence_number} stays.", alert=sequence_number)

    @classmethod
    def parse_alert(cls, context: Context, trap: Trap) -> Alert | list[Alert] | None:
        match trap.trap_oid:
            case "1.1":
                return Alert(alert_id="one", severity=Severity.SEVERITY_MAJOR)
            case "1.2":
                return [Alert(alert_id="one"), Alert(alert_id="two")]
            case "1.3":
                raise errors.IncompleteTrapInformation
            case "1.4":
                raise ValueError("no such varbind")
            case _:
                return None

    def add_trap_config(self, context: Context, trap_config: TrapConfig) -> None:
        raise errors.StorageBackendException(f"not {trap_config.community_string}")

    def remove_trap_config(self, context: Context, trap_config: TrapConfig) -> None:
        pass

    def get_alert_sources(self, context: Context) -> Iterator[AlertSource]:
        yield AlertSource(host="127.0.0.9")

    def get_capabilities(self, context: Context) -> Capabilities:
        return Capabilities(is_historic=True, kinds=["volume"])

    def collect_perf_metrics(
        self, context: Context, resource_metrics: Sequence[ResourceMetrics], begin: datetime, end: datetime
    ) -> Iterator[MetricBatch]:
        resources = int(self.extra("resources") or 2)
        steps = int((end - begin).total_seconds()) // 60
        batch = MetricBatch(
            kind="volume", native_ids=[f"v{n}" for n in range(resources)], metrics=["iops"], steps=steps
        )
        batch.start.FromDatetime(begin)
        batch.step.FromSeconds(60)
        batch.values.extend(float(n) for n in range(steps * resources - int(self.extra("missing") or 0)))
        yield batch

    def get_latest_perf_timestamp(self, context: Context) -> datetime | None:
        return datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


class Raises(Journaled):
    """Raises what its access info names."""

    def get_storage(self, context: Context) -> Storage:
        name, _, text = self.extra("fails").partition(" ")
        found = getattr(errors, name, None) or __builtins__[name]  # type: ignore[index]
        raise found(text) if text else found()


class Async(Journaled):
    """All methods are coroutines or async generators."""

    async def connect(self, context: Context) -> None:
        await asyncio.sleep(0)
        self.loop = asyncio.get_running_loop()

    async def close(self) -> None:
        assert asyncio.get_running_loop() is self.loop
        self.note("close")

    async def get_storage(self, context: Context) -> Storage:
        assert asyncio.get_running_loop() is self.loop
        try:
            await asyncio.sleep(float(self.extra("sleep") or 0))
        except asyncio.CancelledError:
            self.note("cancelled")
            raise
        return Storage(serial_number="async")

    async def list_volumes(self, context: Context) -> AsyncIterator[Volume]:
        try:
            for number in range(int(self.extra("count") or 3)):
                await asyncio.sleep(float(self.extra("sleep") or 0))
                yield Volume(native_volume_id=str(number))
        finally:
            self.note("list_ended")

    async def list_storage_pools(self, context: Context) -> list[StoragePool]:
        return [StoragePool(native_storage_pool_id="1")]


class Narrow(Plain):
    """An array that bears one call at a time."""

    concurrency = 1


class Minimal(StorageDriver):
    """Nothing but the one method that every driver needs."""

    def get_storage(self, context: Context) -> Storage:
        return Storage(serial_number="minimal")


class Full(Plain):
    """Fills the memory that its process may have."""

    def get_storage(self, context: Context) -> Storage:
        kept: list[bytes] = []
        while True:
            kept.append(b"x" * 2**24)
