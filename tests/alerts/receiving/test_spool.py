"""The spool: what goes in comes out, in order, from any position; bounds, torn ends, damage, full disks."""

from __future__ import annotations

import asyncio
import os
import resource
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.alerts.receiving import Counters, Datagram, Position, Spool, SpooledDatagram, SpoolUnusable
from services.alerts.receiving.record import Damaged, packed, unpacked
from services.alerts.receiving.spool import START

SECOND = 1_000_000_000
NOW = 1_800_000_000 * SECOND


def datagram(number: int, source: str = "192.0.2.1", size: int = 100) -> Datagram:
    return Datagram(source, 1_024 + number % 50_000, NOW, number.to_bytes(8, "big") + bytes(size - 8))


def numbers(records: Sequence[Datagram | SpooledDatagram]) -> list[int]:
    return [int.from_bytes(record.data[:8], "big") for record in records]


def everything(spool: Spool, position: Position = START, most: int = 7) -> list[int]:
    """All that is there, a few records at a time."""
    found: list[int] = []
    while records := spool.read(position, most):
        assert len(records) <= most
        found += numbers(records)
        assert records[-1].position > position
        position = records[-1].position
    return found


@settings(max_examples=40, deadline=None, derandomize=True)
@given(
    batches=st.lists(st.lists(st.integers(8, 3_000), min_size=1, max_size=20), max_size=12),
    segment_bytes=st.sampled_from([1, 4_000, 100_000]),
    most=st.integers(1, 30),
    reopened=st.sets(st.integers(0, 11)),
)
def test_what_goes_in_comes_out(
    tmp_path_factory: pytest.TempPathFactory,
    batches: list[list[int]],
    segment_bytes: int,
    most: int,
    reopened: set[int],
) -> None:
    folder, counters, put = tmp_path_factory.mktemp("spool"), Counters(), 0
    spool = Spool(folder, counters=counters, segment_bytes=segment_bytes)
    for number, sizes in enumerate(batches):
        batch = [datagram(put + index, f"192.0.2.{index}", size) for index, size in enumerate(sizes)]
        assert spool.append(batch) == [True] * len(batch)
        put += len(batch)
        if number in reopened:
            spool.close()
            spool = Spool(folder, counters=counters, segment_bytes=segment_bytes)
    assert everything(spool, most=most) == list(range(put))
    assert counters.accepted == put
    # From every record's position on there is the rest; and released ones are gone.
    records = spool.read(START, put + 1)
    for index, record in enumerate(records):
        assert spool.holds(record.position) == (index + 1 < put)
        spool.release(record.position)
        assert everything(spool, record.position) == list(range(index + 1, put))
    spool.close()
    if records:
        with Spool(folder, counters=counters, resume=records[-1].position) as again:
            assert everything(again, records[-1].position) == []
            assert list(folder.glob("*.spool")) == []
            again.append([datagram(1)])
            assert everything(again, records[-1].position) == [1]


def test_every_field_survives(tmp_path: Path) -> None:
    sent = [
        Datagram("fe80::1%eth0", 65_535, NOW + 7, b"", answered=True),
        Datagram("192.0.2.1", 0, 0, bytes(65_535)),
    ]
    with Spool(tmp_path / "new" / "spool", counters=Counters()) as spool:
        spool.append(sent)
        assert [Datagram(*record[:5]) for record in spool.read(START, 5)] == sent
        assert (tmp_path / "new" / "spool").stat().st_mode & 0o777 == 0o700  # there are communities in it
        assert {path.stat().st_mode & 0o777 for path in (tmp_path / "new" / "spool").iterdir()} == {0o600}


def test_a_torn_end_is_cut(tmp_path: Path) -> None:
    with Spool(tmp_path, counters=Counters()) as spool:
        spool.append([datagram(number) for number in range(5)])
        places = [record.position.offset for record in spool.read(START, 5)]
    (path,) = tmp_path.glob("*.spool")
    whole = path.read_bytes()
    for size in range(len(whole)):
        path.write_bytes(whole[:size])
        counters = Counters()
        with Spool(tmp_path, counters=counters) as spool:
            left = sum(place <= size for place in places)
            assert everything(spool) == list(range(left))
            assert counters.corrupt == 0
            if size % 40 == 0:
                spool.append([datagram(77)])
                assert everything(spool) == [*range(left), 77]
        for written in tmp_path.glob("*.spool"):
            written.unlink()


def test_damage_in_the_middle_is_skipped_and_counted(tmp_path: Path) -> None:
    with Spool(tmp_path, counters=Counters(), segment_bytes=500) as spool:
        for number in range(30):
            spool.append([datagram(number)])
    first = min(tmp_path.glob("*.spool"))
    held = bytearray(first.read_bytes())
    held[200] ^= 1
    first.write_bytes(held)
    counters = Counters()
    with Spool(tmp_path, counters=counters) as spool:
        found = everything(spool)
        assert counters.corrupt == 1
        assert found[0] == 0
        assert found[-20:] == list(range(10, 30))
        assert not spool.holds(Position(10**9, 0))
        assert everything(spool) == found
        assert counters.corrupt == 1


def test_a_file_that_vanished_is_skipped_and_counted(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    counters = Counters()
    with Spool(tmp_path, counters=counters, segment_bytes=500) as spool:
        for number in range(30):
            spool.append([datagram(number)])
        files = sorted(tmp_path.glob("*.spool"))
        files[1].unlink()
        found = everything(spool)
        assert 0 < 30 - len(found) < 10
        assert found[-1] == 29
        files[-1].unlink()
        assert spool.append([datagram(30)]) == [True]  # into the file that has no name any more
        spool.release(spool.read(START, 1)[-1].position)
        everything(spool)
        spool.append([datagram(31)])
        assert everything(spool)[-1] == 31
        assert counters.corrupt == 2
        assert "damaged at octet" in caplog.text


@given(st.binary(max_size=200))
def test_noise_is_no_record(noise: bytes) -> None:
    with suppress(Damaged):
        assert unpacked(noise, 0) is None
    record = packed(Datagram("192.0.2.1", 1, 2, noise))
    assert unpacked(record, 0) == (Datagram("192.0.2.1", 1, 2, noise), len(record))


def test_beyond_the_bound_the_oldest_go(tmp_path: Path) -> None:
    counters = Counters()
    with Spool(tmp_path, counters=counters, most_bytes=160_000) as spool:
        for number in range(5_000):
            assert spool.append([datagram(number)]) == [True]  # nobody else is there
            assert spool.held_bytes <= 160_000 + 10_000
        left = everything(spool)
        assert left == list(range(left[0], 5_000))
        assert len(left) > 1_000
        assert counters.overflow_dropped == 5_000 - len(left) == counters.lost_by_source["192.0.2.1"]
        assert sum(path.stat().st_size for path in tmp_path.glob("*.spool")) == spool.held_bytes


def test_what_is_released_isnt_counted_as_lost(tmp_path: Path) -> None:
    counters = Counters()
    with Spool(tmp_path, counters=counters, most_bytes=160_000) as spool:
        position = START
        for number in range(5_000):
            spool.append([datagram(number)])
            if number % 10 == 0 and number < 2_000:
                position = spool.read(position, 100)[-1].position
                spool.release(position)
        assert counters.overflow_dropped + len(everything(spool, position)) == 5_000 - 1_991


def test_what_is_too_old_goes(tmp_path: Path) -> None:
    counters = Counters()
    with Spool(tmp_path, counters=counters, most_age=60, segment_bytes=1_000) as spool:
        for number in range(100):
            spool.append([datagram(number)._replace(received_at_ns=NOW + number * SECOND)])
        spool.expire(NOW + 110 * SECOND)
        assert 40 < everything(spool)[0] <= 60
        assert counters.overflow_dropped == everything(spool)[0]
        spool.expire(NOW + 500 * SECOND)
        assert everything(spool) == []
        assert counters.overflow_dropped == 100
        spool.append([datagram(7)])
        assert everything(spool) == [7]


def test_a_flood_leaves_the_others_their_share(tmp_path: Path) -> None:
    """Whether the flood was there before the others or comes after them."""
    counters = Counters()
    with Spool(tmp_path, counters=counters, most_bytes=1_000_000) as spool:
        for number in range(12_000):
            spool.append([datagram(number, "198.51.100.1")])  # alone: it may take everything
        assert counters.share_refused == 0
        for number in range(1_000):
            flood = [datagram(number, "198.51.100.1") for _ in range(20)]
            kept = spool.append([*flood, datagram(number, "192.0.2.1"), datagram(number, "192.0.2.2")])
            assert kept[-2:] == [True, True]
        assert counters.share_refused > 15_000
        assert counters.lost_by_source.keys() == {"198.51.100.1"}
        left = spool.read(START, 100_000)
        for source in ("192.0.2.1", "192.0.2.2"):
            assert [record for record in left if record.source == source][-1_000:] != []
            assert sum(record.source == source for record in left) == 1_000


def test_many_sources_are_counted_in_a_bounded_way() -> None:
    counters = Counters()
    for number in range(3_000):
        counters.lose(f"source {number}")
    assert len(counters.lost_by_source) == 1_001
    assert counters.lost_by_source["others"] == 2_000


async def test_waiting(tmp_path: Path) -> None:
    with Spool(tmp_path, counters=Counters()) as spool:
        waiting = asyncio.create_task(spool.wait(START))
        await asyncio.sleep(0)
        assert not waiting.done()
        spool.append([datagram(1)])
        await asyncio.wait_for(waiting, 60)
        await asyncio.wait_for(spool.wait(START), 60)
        (record,) = spool.read(START, 10)
        given_up = asyncio.create_task(spool.wait(record.position))
        closing = asyncio.create_task(spool.wait(record.position))
        await asyncio.sleep(0)
        given_up.cancel()
        await asyncio.wait([given_up], timeout=60)
        assert not closing.done()
    await asyncio.wait_for(closing, 60)


def test_one_process_a_folder(tmp_path: Path) -> None:
    with Spool(tmp_path, counters=Counters()), pytest.raises(SpoolUnusable, match="another process"):
        Spool(tmp_path, counters=Counters())
    Spool(tmp_path, counters=Counters()).close()
    (tmp_path / "file").write_text("")
    with pytest.raises(SpoolUnusable, match="can't be opened"):
        Spool(tmp_path / "file", counters=Counters())


def test_positions_outlive_lost_files(tmp_path: Path) -> None:
    """A machine that crashed may have lost files that a stored position names."""
    with Spool(tmp_path, counters=Counters(), segment_bytes=500) as spool:
        for number in range(30):
            spool.append([datagram(number)])
        position = spool.read(START, 25)[-1].position
    for path in tmp_path.glob("*.spool"):
        path.unlink()
    with Spool(tmp_path, counters=Counters(), resume=position) as spool:
        spool.append([datagram(99)])
        assert everything(spool, position) == [99]


@contextmanager
def tmpfs(folder: Path, size: int) -> Iterator[Path]:
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", folder], check=True, capture_output=True)
    try:
        yield folder
    finally:
        subprocess.run(["umount", folder], check=True)


@pytest.mark.root
def test_a_full_disk(tmp_path: Path) -> None:
    counters = Counters()
    with tmpfs(tmp_path / "small", 256 * 1024) as disk, Spool(disk, counters=counters, segment_bytes=50_000) as spool:
        put: list[int] = []
        for number in range(600):
            batch = [datagram(number * 10 + index) for index in range(10)]
            if spool.append(batch) == [True] * 10:
                put += numbers(batch)
        assert spool.trouble is not None
        assert "No space" in spool.trouble
        assert counters.disk_refused == 6_000 - len(put) > 0
        assert everything(spool) == put
        spool.release(spool.read(START, 1_000)[-1].position)  # gives its segments back
        assert spool.append([datagram(7_777)]) == [True]
        assert spool.trouble is None
        assert "No space" in spool.last_trouble
        assert everything(spool, most=500)[-1] == 7_777


def test_a_file_that_may_not_grow(tmp_path: Path) -> None:
    """As a full disk, without root: a limit of the process's own, in a process of its own."""
    program = f"""
import resource, sys
sys.path.insert(0, {str(Path(__file__).parents[3])!r})
from pathlib import Path
from services.alerts.receiving import Counters, Spool
from tests.alerts.receiving.test_spool import datagram, everything
resource.setrlimit(resource.RLIMIT_FSIZE, (5_000, resource.RLIM_INFINITY))
counters = Counters()
with Spool(Path({str(tmp_path)!r}), counters=counters) as spool:
    kept = [number for number in range(60) if spool.append([datagram(number)]) == [True]]
    assert spool.trouble, spool.trouble
    assert everything(spool) == kept and 30 < len(kept) < 60, kept
    assert counters.disk_refused == 60 - len(kept)
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    assert spool.append([datagram(99)]) == [True] and spool.trouble is None
    assert everything(spool) == [*kept, 99]
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    assert resource.getrlimit(resource.RLIMIT_FSIZE)[0] != 5_000
    assert os.listdir(tmp_path)
