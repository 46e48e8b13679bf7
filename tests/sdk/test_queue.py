"""Each array has its limit and its queue; all share the threads fairly."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from delphis.sdk import errors
from delphis.sdk.host.lanes import Lanes, Permit
from tests.sdk.conftest import StartHost
from tests.sdk.hosts import Host, InBackground, failure, noted, target, wait_for


def test_an_array_has_four_calls_at_a_time_and_a_bounded_queue(start_host: StartHost, tmp_path: Path) -> None:
    host: Host = start_host("Plain", ARRAY_QUEUE="3")
    journal, gate = tmp_path / "journal", tmp_path / "gate"
    array = target(journal=str(journal), gate=str(gate))
    running = [InBackground(lambda: host.get_storage(array, timeout=60)) for _ in range(4)]
    wait_for("four calls", lambda: noted(journal, "get_storage") == 4)
    waiting = [InBackground(lambda: host.get_storage(array, timeout=60)) for _ in range(4)]
    refused = wait_for("a refusal", lambda: next((call for call in waiting if call.ended), None)).failed()
    assert (refused.code.name, refused.reason) == ("RESOURCE_EXHAUSTED", "DRIVER_OVERLOADED")
    assert refused.retry_after == 1.0
    assert refused.metadata == {"waiting": "3", "running": "4"}
    assert noted(journal, "get_storage") == 4
    other = target("a2", gate="")
    assert host.get_storage(other).storage.serial_number  # another array waits for nobody
    gate.touch()
    for call in running:
        call.join()
    assert sum(call.error is None and bool(call.join()) for call in waiting if call.error is None) == 3
    assert noted(journal, "get_storage") == 7


def test_a_driver_may_want_fewer_at_a_time(start_host: StartHost, tmp_path: Path) -> None:
    host: Host = start_host("Narrow")
    journal, gate = tmp_path / "journal", tmp_path / "gate"
    array = target(journal=str(journal), gate=str(gate))
    calls = [InBackground(lambda: host.get_storage(array, timeout=60)) for _ in range(3)]
    wait_for("a call", lambda: noted(journal, "get_storage") == 1)
    assert failure(lambda: host.get_storage(array, timeout=2.5)).reason == "ARRAY_TIMEOUT"
    assert noted(journal, "get_storage") == 1
    gate.touch()
    for call in calls:
        call.join()


def test_traps_are_parsed_while_the_array_hangs(start_host: StartHost, tmp_path: Path) -> None:
    from delphis.driver.v1 import storage_driver_pb2 as pb
    from delphis.type.v1.alert_pb2 import Trap

    host: Host = start_host("Plain")
    journal, gate = tmp_path / "journal", tmp_path / "gate"
    array = target(journal=str(journal), gate=str(gate))
    calls = [InBackground(lambda: host.get_storage(array, timeout=60)) for _ in range(4)]
    wait_for("four calls", lambda: noted(journal, "get_storage") == 4)
    request = pb.ParseAlertRequest(target=pb.Target(storage_id="a1"), traps=[Trap(trap_oid="1.1")])
    assert host.stub.ParseAlert(request, timeout=60).results[0].alerts
    gate.touch()
    for call in calls:
        call.join()


# ---- The lanes themselves ----


async def soon() -> float:
    return asyncio.get_running_loop().time() + 5


async def test_threads_go_to_arrays_in_turn() -> None:
    lanes = Lanes(threads=2, queue_limit=10, stuck_limit=8)
    held = [await lanes.enter("busy", 4, await soon()) for _ in range(2)]
    order: list[str] = []

    async def call(array: str) -> None:
        permit = await lanes.enter(array, 4, await soon())
        order.append(array)
        await asyncio.sleep(0)
        permit.close()

    tasks = [asyncio.create_task(call(array)) for array in ("busy", "busy", "busy", "one", "one", "two")]
    await asyncio.sleep(0)
    assert lanes.waiting == 6
    held[0].close()
    await asyncio.gather(*tasks)
    assert order == ["busy", "one", "two", "busy", "one", "busy"]
    held[1].close()
    assert (lanes.running, lanes.waiting, lanes._lanes) == (0, 0, {})


async def test_a_late_call_gives_its_place_back_before_its_thread() -> None:
    lanes = Lanes(threads=4, queue_limit=10, stuck_limit=1)
    permit = await lanes.enter("a", 1, await soon())
    permit.job_started()
    permit.expire()
    permit.close()
    assert (lanes.stuck, lanes.running, lanes.too_many_stuck) == (1, 1, True)
    second = await lanes.enter("a", 1, await soon())
    assert lanes.running == 2
    second.close()
    permit.job_returned()
    assert (lanes.stuck, lanes.running) == (0, 0)
    assert lanes.too_many_stuck  # once asked for, a replacement is wanted


async def test_queue_limit_and_deadline() -> None:
    lanes = Lanes(threads=4, queue_limit=1, stuck_limit=8)
    permit = await lanes.enter("a", 1, await soon())
    waiting = asyncio.create_task(lanes.enter("a", 1, await soon()))
    await asyncio.sleep(0)
    with pytest.raises(errors.DriverOverloaded):
        await lanes.enter("a", 1, await soon())
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    with pytest.raises(TimeoutError):
        await lanes.enter("a", 1, asyncio.get_running_loop().time() + 0.01)
    permit.close()
    assert (lanes.running, lanes.waiting, lanes._lanes, lanes._turns) == (0, 0, {}, {})


Step = tuple[int, str]
STEPS = st.lists(st.tuples(st.integers(0, 5), st.sampled_from(["enter", "finish", "expire", "give up"])), max_size=60)


@settings(deadline=None)
@given(STEPS, st.integers(1, 4), st.integers(1, 3))
def test_whatever_happens_limits_hold_and_nothing_is_lost(steps: list[Step], threads: int, limit: int) -> None:
    async def run() -> None:
        lanes = Lanes(threads=threads, queue_limit=3, stuck_limit=100)
        permits: list[tuple[int, Permit]] = []
        stuck: list[Permit] = []
        tasks: list[tuple[int, asyncio.Task[Permit]]] = []

        async def settle() -> None:
            for _ in range(4):
                await asyncio.sleep(0)
            for array, task in list(tasks):
                if task.done():
                    tasks.remove((array, task))
                    if not task.cancelled() and task.exception() is None:
                        permit = task.result()
                        permit.job_started()
                        permits.append((array, permit))

        for array, what in steps:
            if what == "enter":
                tasks.append((array, asyncio.create_task(lanes.enter(array, limit, await soon()))))
            elif what == "give up" and tasks:
                tasks[array % len(tasks)][1].cancel()
            elif permits and what in ("finish", "expire"):
                _, permit = permits.pop(array % len(permits))
                if what == "expire":
                    permit.expire()
                    stuck.append(permit)
                else:
                    permit.job_returned()
                permit.close()
            await settle()
            assert lanes.running == len(permits) + len(stuck) <= threads
            assert all(sum(a == other for a, _ in permits) <= limit for other in range(6))
            assert lanes.stuck == len(stuck)
        for permit in stuck:
            permit.job_returned()
        while permits or tasks:
            for _, permit in permits:
                permit.job_returned()
                permit.close()
            permits.clear()
            await settle()
        assert (lanes.running, lanes.waiting, lanes.stuck) == (0, 0, 0)
        assert not lanes._lanes

    asyncio.run(run())
