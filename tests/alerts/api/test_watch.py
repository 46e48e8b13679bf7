"""Watches: nothing is lost and nothing comes twice, however they are cut."""

from __future__ import annotations

import asyncio
import contextlib
import random
import time
from collections.abc import AsyncIterator

import pytest

from delphis.alert.v1 import alert_pb2 as pb
from services.alerts.api import watching
from services.alerts.api.watching import Watches, read, written
from services.alerts.book import events, retention
from services.alerts.book.reporting import report
from services.calls.errors import CallError
from services.store.engine import Store
from services.values import times
from tests.alerts.book.reports import SECOND, T0, alert, own, storage, trap

WRITERS, EACH = 4, 120


def answers(watches: Watches, **fields: str) -> AsyncIterator[pb.WatchAlertsResponse]:
    async def parsed() -> AsyncIterator[pb.WatchAlertsResponse]:
        async for body in watches.watch(pb.WatchAlertsRequest(**fields)):
            yield pb.WatchAlertsResponse.FromString(body)

    return parsed()


async def first(watches: Watches, **fields: str) -> pb.WatchAlertsResponse:
    stream = answers(watches, **fields)
    found = await anext(stream)
    await stream.aclose()  # type: ignore[attr-defined]
    return found


async def test_resumed_watches_among_writers_see_each_event_once(store: Store) -> None:
    watches, dice = Watches(store), random.Random(3)
    begin = (await first(watches)).resume_token

    async def write(number: int) -> None:
        for place in range(EACH):
            one = trap(f"k{number}-{place}", of=number + 1)
            await store.write(lambda connection, one=one: report(connection, [one]))  # type: ignore[misc]
            if place % 5 == 0:
                await asyncio.sleep(0)

    async def watch(token: str, patience: int) -> list[int]:
        seen: list[int] = []
        while len(seen) < WRITERS * EACH:
            stream = answers(watches, resume_token=token)
            async for answer in stream:
                seen += [event.position for event in answer.events]
                token = answer.resume_token
                if dice.random() < 1 / patience or len(seen) >= WRITERS * EACH:
                    break
            await stream.aclose()  # type: ignore[attr-defined]
        return seen

    async with asyncio.timeout(60):
        *_, often, seldom = await asyncio.gather(
            *(write(number) for number in range(WRITERS)), watch(begin, 2), watch(begin, 20)
        )
    kept = [row.position for row in await store.read(lambda connection: events.after(connection, 0, 10_000))]
    assert often == seldom == kept
    assert len(kept) == WRITERS * EACH


async def test_only_what_is_wanted_comes_and_the_place_moves_all_the_same(store: Store) -> None:
    watches = Watches(store)
    some = [trap("a", "CRITICAL", of=1), trap("b", "MINOR", of=1), trap("c", "CRITICAL", of=2), own("o", of=2)]
    over = [trap("a", of=1, cleared=True)]

    async def said(**fields: str) -> list[tuple[int, str]]:
        answer = await first(watches, resume_token=watching.START, **fields)
        assert not answer.events
        stream = answers(watches, resume_token=watching.START, **fields)
        await anext(stream)
        found = await anext(stream)
        await stream.aclose()  # type: ignore[attr-defined]
        assert read(found.resume_token) == await store.read(events.head)
        return [(event.type, event.alert.match_key) for event in found.events]

    await store.write(lambda connection: report(connection, [*some, *over]))
    raised, cleared = pb.ALERT_EVENT_TYPE_RAISED, pb.ALERT_EVENT_TYPE_CLEARED
    every = [(raised, key) for key in "abco"] + [(cleared, "a")]
    assert await said() == every
    assert await said(storage_id=storage(2).id) == [(raised, "c"), (raised, "o")]
    assert await said(filter="severity = critical") == [(raised, "a"), (raised, "c"), (cleared, "a")]
    assert await said(filter="state = cleared") == [(cleared, "a")]
    assert await said(filter="origin = delphis OR alert_name:x", storage_id=storage(2).id) == [(raised, "o")]


async def test_a_quiet_watch_gives_signs_of_life(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watching, "SIGN_OF_LIFE", 0.05)
    stream = answers(Watches(store), filter="state = cleared")
    tokens = {(await anext(stream)).resume_token}
    await store.write(lambda connection: report(connection, [trap()]))
    async with asyncio.timeout(60):
        async for answer in stream:
            assert not answer.events
            tokens.add(answer.resume_token)
            if len(tokens) == 2:
                break
    await stream.aclose()  # type: ignore[attr-defined]


@pytest.mark.parametrize("token", ["x", "start ", "AAAA", "é", written(5, "another scope"), written(5)[:-1]])
async def test_a_token_that_is_none_is_refused(store: Store, token: str) -> None:
    with pytest.raises(CallError) as refusal:
        await first(Watches(store), resume_token=token)
    assert (refusal.value.reason, refusal.value.metadata) == ("INVALID_INPUT", {"field": "resume_token"})


async def test_whoever_was_away_too_long_is_told(store: Store) -> None:
    watches = Watches(store)
    before = (await first(watches)).resume_token
    await store.write(lambda connection: report(connection, [trap(), trap(cleared=True), trap("b")]))
    after = (await first(watches)).resume_token
    await retention.forget(store, at=T0 + 91 * times.DAY)
    # A database of an older backup has not come that far.
    for token in (before, written(10**9)):
        with pytest.raises(CallError) as refusal:
            await first(watches, resume_token=token)
        assert refusal.value.reason == "CHANGE_POSITION_EXPIRED"
    stream = answers(watches, resume_token=watching.START)
    assert not (await anext(stream)).events
    assert [event.alert.match_key for event in (await anext(stream)).events] == ["b"]
    await stream.aclose()  # type: ignore[attr-defined]
    assert not (await first(watches, resume_token=after)).events


async def test_what_is_committed_is_told_at_once(store: Store) -> None:
    """It is not found by the poll, which comes every 15 s. How fast is measured in benchmarks/."""
    delays: list[float] = []
    sent: dict[str, float] = {}

    begun, all_came = asyncio.Event(), asyncio.Event()

    async def follow() -> None:
        async for answer in answers(Watches(store)):
            begun.set()
            delays.extend(time.monotonic() - sent[event.alert.match_key] for event in answer.events)
            if len(delays) == 100:
                all_came.set()

    following = asyncio.create_task(follow())
    await begun.wait()
    for number in range(100):
        one = alert(f"k{number}")
        reports = [trap(one.match_key, at=T0 + number * SECOND)]
        sent[one.match_key] = time.monotonic()
        await store.write(lambda connection, reports=reports: report(connection, reports))  # type: ignore[misc]
        sent[one.match_key] = time.monotonic()
        await asyncio.sleep(0.01)
    async with asyncio.timeout(60):
        await all_came.wait()
    following.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await following
    assert sorted(delays)[50] < 5
