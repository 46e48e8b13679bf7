"""Sinks on both databases, and on a full disk."""

from __future__ import annotations

import asyncio
import dataclasses
from pathlib import Path

from delphis.telemetry.v1 import telemetry_pb2 as pb
from services.store.connection import Connection
from services.store.errors import StoreFault
from services.telemetry import journal
from services.values import times
from tests.alerts.delivery.web import Request, answer, web
from tests.support.stores import database_url, postgres_cluster
from tests.telemetry.sinks.prometheus import Received
from tests.telemetry.sinks.scene import BEGIN, QUICK, scene, window

__all__ = ["database_url", "postgres_cluster"]


async def test_positions_gaps_and_counts_are_kept(tmp_path: Path, database_url: str) -> None:
    limits = dataclasses.replace(QUICK, most_bytes=3_000)
    received = Received()
    ids = tuple(map(str, range(100)))
    async with web(lambda _: answer(503)) as site:
        async with scene(tmp_path, database_url, limits) as here:
            sink = await here.remote_write(site.url, bearer_token="token-3b7d")
            for step in range(6):
                await here.collect(window([float(step)] * 100, ids=ids, begin=BEGIN + step * 60_000))
            before = await here.until(sink, "gap", lambda status: status.dropped >= 300)

        def take(request: Request) -> bytes:
            received.take(request.body)
            return answer(204)

        site.behaviour = take
        async with scene(tmp_path, database_url, limits) as here:
            status = await here.until(sink, "rest", lambda status: status.delivered == 600 - before.dropped)
            assert (status.dropped, list(status.gaps)) == (before.dropped, list(before.gaps))
            assert (status.refused, status.backlog_bytes) == (0, 0)
            assert times.of_stamp(status.last_success_at) > times.now() - times.MINUTE
            changed = pb.Sink(name="q", kinds=["disk"], remote_write=pb.RemoteWriteSink(url=site.url))
            assert (await here.update(sink, changed)).status.delivered == status.delivered
            await here.call("DeleteSink", pb.DeleteSinkRequest(id=sink.id), pb.DeleteSinkResponse)
            end = await here.store.scan(journal.end)
            await here.collect(window([1.0]))  # nobody wants it any more
            assert await here.store.scan(journal.end) in (0, end)
    assert len(received.values) == 600 - before.dropped


async def test_a_full_disk_is_a_fault_of_the_moment(tmp_path: Path) -> None:
    async with web(lambda _: answer(503)) as site, scene(tmp_path) as here:
        sink = await here.remote_write(site.url)
        await here.store.write(_no_larger)
        said, taken, ids = "", 0, tuple(map(str, range(1_000)))
        try:
            while taken < 1_000:
                await here.collect(window([1.0] * 1_000, ids=ids, begin=BEGIN + taken * 60_000))
                taken += 1
        except StoreFault as fault:
            said = fault.message
        assert "full" in said
        assert 5 < taken < 1_000
        status = await here.until(sink, "failure", lambda status: status.failures > 0)
        assert "503" in status.problem
        site.behaviour = lambda _: answer(204)
        await here.until(sink, "what was taken", lambda status: status.delivered == taken * 1_000)
        for _ in range(200):  # there is room again once the journal was shortened
            if await here.store.scan(journal.end) == 0:
                break
            await asyncio.sleep(0.02)
        await here.collect(window([2.0]))
        await here.until(sink, "the next", lambda status: status.delivered == taken * 1_000 + 1)


def _no_larger(connection: Connection) -> None:
    execute = connection.execute
    pages = execute("PRAGMA page_count").fetchone()[0]
    execute(f"PRAGMA max_page_count = {pages + 60}").fetchone()
