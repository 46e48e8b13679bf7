"""Each word of `fail`, its places and its suffixes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from itertools import islice
from pathlib import Path

import pytest

from delphis.sdk import Context, Storage, StorageStatus, errors
from drivers.fake_storage import faults
from drivers.fake_storage.kinds import KINDS
from tests.drivers.fake.arrays import access_info, connected, connected_to, listed, native_id

ROOT = Path(__file__).parents[3]


@pytest.mark.parametrize(("word", "error"), faults.ERRORS.items())
@pytest.mark.parametrize("place", ["storage", "volumes"])
def test_errors(word: str, error: type[errors.DriverError], place: str) -> None:
    driver = connected(fail=f"{place}:{word}")
    with pytest.raises(error, match=f"{place}:{word}"):
        listed(driver, "volumes") if place == "volumes" else driver.get_storage(Context())
    assert listed(driver, "disks")


@pytest.mark.parametrize(("word", "error"), faults.ERRORS.items())
def test_login_errors(word: str, error: type[errors.DriverError]) -> None:
    with pytest.raises(error):
        connected(fail=f"login:{word}")


def test_a_bug_is_no_error_of_the_sdk() -> None:
    with pytest.raises(ZeroDivisionError):
        listed(connected(fail="volumes:bug"), "volumes")


def test_busy_says_for_how_long() -> None:
    with pytest.raises(errors.ArrayBusy) as busy:
        listed(connected(fail="busy"), "volumes")
    assert busy.value.retry_after


def test_without_a_place_all_calls_fail_but_the_login() -> None:
    driver = connected(fail="unavailable")
    with pytest.raises(errors.ArrayUnreachable):
        driver.get_storage(Context())
    for kind in KINDS:
        with pytest.raises(errors.ArrayUnreachable):
            listed(driver, kind)


def test_lists_are_all_kinds() -> None:
    driver = connected(fail="lists:unavailable")
    assert driver.get_storage(Context()).serial_number
    for kind in KINDS:
        with pytest.raises(errors.ArrayUnreachable):
            listed(driver, kind)


def test_after_some_items() -> None:
    volumes = connected(fail="volumes:after=100:error").list_volumes(Context())
    assert len(list(islice(volumes, 100))) == 100
    with pytest.raises(errors.StorageBackendException):
        next(volumes)


def test_half_is_incomplete() -> None:
    context = Context()
    assert len(listed(connected(volumes="100", fail="volumes:half"), "volumes", context)) == 50
    assert not context.is_complete
    assert "50 of 100 volumes" in context.warnings[0].message


@pytest.mark.parametrize(("rule", "expected"), [("short", 119), ("short=30", 90), ("short=500", 0), ("empty", 0)])
def test_short_and_empty_claim_to_be_complete(rule: str, expected: int) -> None:
    context = Context()
    assert len(listed(connected(fail=f"volumes:{rule}"), "volumes", context)) == expected
    assert context.is_complete


def test_duplicates() -> None:
    volumes = listed(connected(fail="volumes:duplicates=3"), "volumes")
    assert [volume.native_volume_id for volume in volumes[120:]] == [volumes[i].native_volume_id for i in range(3)]
    assert all(volumes[120 + index].name != volumes[index].name for index in range(3))
    assert len(listed(connected(fail="disks:duplicates"), "disks")) == 25


@pytest.mark.parametrize("kind", KINDS)
def test_garbage(kind: str) -> None:
    count = len(listed(connected(), kind))
    items = listed(connected(fail=f"{kind}:garbage"), kind)
    assert len(items) == count
    assert len({native_id(item) for item in items}) > 1
    assert items[0].FromString(items[0].SerializeToString()) == items[0]


def test_garbage_of_a_storage() -> None:
    storage = connected(fail="storage:garbage").get_storage(Context())
    assert isinstance(storage, Storage)
    assert storage.total_capacity <= 0 or storage.status not in StorageStatus.values()


def test_broken_is_no_message() -> None:
    assert isinstance(listed(connected(fail="volumes:broken"), "volumes")[1], str)
    assert isinstance(connected(fail="storage:broken").get_storage(Context()), str)


def test_slow_lists_take_their_time() -> None:
    with pytest.raises(errors.ArrayTimeout):
        listed(connected(volumes="1000", fail="volumes:slow=20"), "volumes", Context(timeout=0.1))
    assert len(listed(connected(volumes="200", fail="volumes:slow=1"), "volumes")) == 200


@pytest.mark.parametrize("word", ["offline", "abnormal", "degraded"])
def test_status_of_the_storage(word: str) -> None:
    status = connected(fail=word).get_storage(Context()).status
    assert StorageStatus.Name(status) == f"STORAGE_STATUS_{word.upper()}"


def test_serial_numbers() -> None:
    right = connected().get_storage(Context()).serial_number
    other = connected(fail="serial@2")
    assert [other.get_storage(Context()).serial_number == right for _ in range(3)] == [True, False, False]
    assert not connected(fail="no_serial").get_storage(Context()).HasField("serial_number")


def outcomes(rule: str, calls: int) -> list[bool]:
    driver = connected(fail=rule)
    seen: list[bool] = []
    for _ in range(calls):
        try:
            listed(driver, "volumes")
            seen.append(True)
        except errors.ArrayUnreachable:
            seen.append(False)
    return seen


def test_times_since_and_chance() -> None:
    assert outcomes("volumes:unavailable*2", 4) == [False, False, True, True]
    assert outcomes("volumes:unavailable@3", 4) == [True, True, False, False]
    assert outcomes("volumes:unavailable@2*1", 4) == [True, False, True, True]
    by_chance = outcomes("volumes:unavailable~30%", 200)
    assert by_chance == outcomes("volumes:unavailable~30%", 200)
    assert 30 < by_chance.count(False) < 90


def test_rules_add_up() -> None:
    driver = connected(fail="volumes:half; disks:empty, offline ;")
    assert len(listed(driver, "volumes")) == 60
    assert listed(driver, "disks") == []
    assert driver.get_storage(Context()).status == StorageStatus.STORAGE_STATUS_OFFLINE


@pytest.mark.parametrize(
    ("rule", "named"),
    [
        ("explode", "explode"),
        ("volume:error", "volume"),
        ("storage:half", "half"),
        ("login:garbage", "garbage"),
        ("volumes:offline", "offline"),
        ("volumes:after=3:half", "after"),
        ("storage:after=3:error", "storage"),
        ("volumes:error=3", "error"),
        ("volumes:", "volumes:"),
        ("volumes:error*", "no rule"),
        ("volumes:error~30", "no rule"),
    ],
)
def test_nonsense_is_refused_by_name(rule: str, named: str) -> None:
    with pytest.raises(errors.AccessInfoIncomplete, match=r"extra_attributes\.fail: ") as refusal:
        connected(fail=rule)
    assert named in refusal.value.message


def in_a_process(
    tmp_path: Path, rule: str, lists: int = 1, storage_id: str = "s-1"
) -> subprocess.CompletedProcess[str]:
    """List volumes in a process of their own; what it prints is how many it saw."""
    script = (
        "import sys\n"
        "from delphis.sdk import Context\n"
        "from tests.drivers.fake.arrays import access_info, connected, connected_to, listed\n"
        "driver = connected_to(access_info({'fail': sys.argv[1]}, storage_id=sys.argv[3]))\n"
        "for _ in range(int(sys.argv[2])):\n"
        "    for index, _ in enumerate(driver.list_volumes(Context()), 1):\n"
        "        print(index, flush=True)\n"
    )
    return subprocess.run(
        [sys.executable, "-c", script, rule, str(lists), storage_id],
        cwd=ROOT,
        env={**os.environ, "TMPDIR": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def test_crash_and_exit_end_the_process(tmp_path: Path) -> None:
    assert in_a_process(tmp_path, "volumes:crash").returncode == -signal.SIGSEGV
    assert in_a_process(tmp_path, "volumes:exit").returncode == 3
    late = in_a_process(tmp_path, "volumes:after=5:crash")
    assert late.returncode == -signal.SIGSEGV
    assert late.stdout.split() == ["1", "2", "3", "4", "5"]


def test_crashes_are_counted_over_processes(tmp_path: Path) -> None:
    codes = [in_a_process(tmp_path, "volumes:crash*1").returncode for _ in range(3)]
    assert codes == [-signal.SIGSEGV, 0, 0]
    assert in_a_process(tmp_path, "volumes:crash*1", storage_id="s-2").returncode == -signal.SIGSEGV
    assert in_a_process(tmp_path, "volumes:exit@3", lists=2).returncode == 0
    assert in_a_process(tmp_path, "volumes:exit@3").returncode == 3


def test_a_hanging_call_is_deaf() -> None:
    script = (
        "from delphis.sdk import Context\n"
        "from tests.drivers.fake.arrays import connected, listed\n"
        "listed(connected(fail='hang'), 'disks', Context(timeout=0.01))\n"
    )
    with pytest.raises(subprocess.TimeoutExpired):
        subprocess.run(
            [
                sys.executable,
                "-c",
                script,
            ],
            cwd=ROOT,
            timeout=3,
            check=False,
        )


def test_a_session_begins_anew_with_other_access_info() -> None:
    info = access_info({"fail": "volumes:unavailable*1"})
    for _ in range(2):
        driver = connected_to(info)
        with pytest.raises(errors.ArrayUnreachable):
            listed(driver, "volumes")
        assert listed(driver, "volumes")
