"""Traps in the store, on both databases."""

from __future__ import annotations

import uuid
from functools import partial

from delphis.alert.v1 import trap_pb2 as pb
from delphis.type.v1 import alert_pb2
from services.alerts.parsing import records
from services.alerts.parsing.intake import packed, unpacked
from services.alerts.parsing.listing import list_traps
from services.alerts.parsing.records import Kept, NewTrap
from services.alerts.receiving import Position
from services.snmp import EngineClock
from services.store.engine import Store
from tests.alerts.book.conftest import alerts_url, postgres_cluster, store

__all__ = ["alerts_url", "postgres_cluster", "store"]

ONE, OTHER = str(uuid.UUID(int=1)), str(uuid.UUID(int=2))
WAITING, UNMATCHED = pb.TRAP_STATE_WAITING, pb.TRAP_STATE_UNMATCHED
UNPARSED = pb.TRAP_STATE_UNPARSED


def trap(number: int, state: int = WAITING, storage_id: str = ONE, source: str = "192.0.2.1") -> NewTrap:
    body = alert_pb2.Trap(trap_oid=f"1.3.6.1.{number}").SerializeToString()
    return NewTrap(state, source, 1_000_000 * number, len(body), body, storage_id, problem="a problem")


async def waiting(store: Store, storage_id: str = ONE, count: int = 100) -> list[str]:
    found = await store.scan(partial(records.waiting, storage_id=storage_id, count=count))
    return [one.trap.trap_oid for one in found]


async def test_they_wait_in_order_for_their_own_array(store: Store) -> None:
    await store.write(lambda connection: records.add(connection, [trap(1), trap(2, storage_id=OTHER), trap(3)]))
    await store.write(lambda connection: records.add(connection, [trap(4), trap(5, UNMATCHED, "")]))
    assert await waiting(store) == ["1.3.6.1.1", "1.3.6.1.3", "1.3.6.1.4"]
    assert await waiting(store, count=1) == ["1.3.6.1.1"]
    assert await store.scan(records.counts) == {ONE: 3, OTHER: 1}


async def test_what_becomes_of_them(store: Store) -> None:
    await store.write(lambda connection: records.add(connection, [trap(number) for number in range(4)]))
    first, second, third, fourth = await store.scan(partial(records.waiting, storage_id=ONE, count=9))

    await store.write(lambda connection: records.remove(connection, [first.seq]))
    await store.write(lambda connection: records.keep(connection, [Kept(second.seq, UNPARSED, ONE, "not understood")]))
    await store.write(lambda connection: records.move(connection, third.seq, OTHER, 1))
    assert await waiting(store) == ["1.3.6.1.3"]
    assert await waiting(store, OTHER) == ["1.3.6.1.2"]
    assert await store.write(lambda connection: records.release(connection, ONE, "gone")) == 1
    listed = await list_traps(store, pb.ListTrapsRequest())
    assert [(one.state, one.problem) for one in listed.traps] == [
        (UNMATCHED, "gone"),
        (WAITING, "a problem"),
        (UNPARSED, "not understood"),
    ]
    assert fourth.seq > third.seq


async def test_lists_are_filtered_and_paged(store: Store) -> None:
    found = [trap(number, UNMATCHED, "", f"192.0.2.{number % 2}") for number in range(6)]
    await store.write(lambda connection: records.add(connection, found))
    wanted = 'source_address = "::ffff:192.0.2.1"'
    page = await list_traps(store, pb.ListTrapsRequest(page_size=2, filter=wanted))
    assert [one.trap.trap_oid for one in page.traps] == ["1.3.6.1.5", "1.3.6.1.3"]
    again = pb.ListTrapsRequest(
        page_size=2, filter='source_address = "::ffff:192.0.2.1"', page_token=page.next_page_token
    )
    page = await list_traps(store, again)
    assert [one.trap.trap_oid for one in page.traps] == ["1.3.6.1.1"]
    assert not page.next_page_token
    assert not (await list_traps(store, pb.ListTrapsRequest(filter=f"storage_id = {ONE}"))).traps


async def test_only_so_many_are_kept(store: Store) -> None:
    found = [trap(0), *(trap(number, UNMATCHED, "") for number in range(1, 6))]
    await store.write(lambda connection: records.add(connection, found))
    assert await store.write(lambda connection: records.trim(connection, 2)) == 3
    listed = await list_traps(store, pb.ListTrapsRequest())
    assert [one.trap.trap_oid for one in listed.traps] == ["1.3.6.1.5", "1.3.6.1.4", "1.3.6.1.0"]
    await store.write(lambda connection: records.add(connection, [trap(6), trap(7)]))
    assert await store.write(lambda connection: records.drop_first(connection, ONE, 2)) == 2
    assert await waiting(store) == ["1.3.6.1.7"]
    assert await store.write(lambda connection: records.drop_before(connection, 2**50)) == 0
    assert await store.write(lambda connection: records.drop_before(connection, 2**54)) == 1


async def test_places_and_clocks_are_replaced(store: Store) -> None:
    assert unpacked(await store.read(partial(records.position, spool="traps"))) == Position(0, 0)
    for place in (Position(1, 2), Position(3, 2**40)):
        await store.write(partial(records.put_position, spool="traps", at=packed(place)))
        assert unpacked(await store.read(partial(records.position, spool="traps"))) == place
    for boots in (1, 2):
        clock = EngineClock(b"\x80\x00\x00\x00\x01", ONE, boots, 2**31 - 1, 1.5)
        await store.write(partial(records.put_clocks, found=[clock]))
        assert await store.scan(records.clocks) == [clock]
