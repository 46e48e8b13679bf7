"""Driver hosts from outside: real processes that start, end and misbehave."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import re
import signal
import time
from pathlib import Path

import pytest

from delphis.driver.v1 import storage_driver_pb2 as driver_pb
from services.registry.host import HostState
from tests.registry.support import (
    TINY_HOST,
    alive,
    command_line,
    deadline,
    failure,
    house,
    limits,
    open_files,
    until,
    write_manifest,
)


async def test_the_first_call_starts_the_host(tmp_path: Path) -> None:
    write_manifest(tmp_path / "drivers")
    async with house(tmp_path) as home:
        array = home.arrays.add("a1")
        assert home.slot().current is None
        pid = await home.pid(array)
        assert await home.pid(array) == pid
        assert alive(pid)
        assert command_line(pid)[1:] == [str(TINY_HOST)]
    assert not alive(pid)
    assert list((tmp_path / "run").iterdir()) == []


async def test_many_first_calls_start_one_host(tmp_path: Path) -> None:
    write_manifest(tmp_path / "drivers")
    async with house(tmp_path) as home:
        arrays = [home.arrays.add(f"a{n}") for n in range(20)]
        assert len(set(await asyncio.gather(*(home.pid(array) for array in arrays)))) == 1


async def test_a_host_that_writes_no_ready_line_is_found_by_its_socket(tmp_path: Path) -> None:
    write_manifest(tmp_path / "drivers", "box", "silent")
    async with house(tmp_path) as home:
        assert await home.pid(home.arrays.add("a1"))


async def test_a_host_gets_nothing_of_the_cores_environment_but_what_is_meant(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DELPHIS_KEY", "secret-key")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret-too")
    monkeypatch.setenv("TZ", "Europe/Berlin")
    monkeypatch.setenv("DELPHIS_DRIVER_DEBUG", "1")
    write_manifest(tmp_path / "drivers", "box", "environ")
    secret = os.open(tmp_path / "secret", os.O_CREAT | os.O_RDWR)
    os.set_inheritable(secret, True)
    async with house(tmp_path) as home:
        answer = await home.router.unary("GetStorage", home.arrays.add("a1"))
        storage = driver_pb.GetStorageResponse.FromString(answer).storage
        environment = json.loads(storage.description)
        assert environment["TZ"] == "Europe/Berlin"
        assert environment["DELPHIS_DRIVER_DEBUG"] == "1"
        assert json.loads(environment["DELPHIS_DRIVER_SERVES"]) == [{"vendor": "acme", "model": "box"}]
        ours = {"PATH", "LANG", "LANGUAGE", "LC_ALL", "LC_CTYPE", "TZ", "TMPDIR", "SSL_CERT_FILE", "SSL_CERT_DIR"}
        ours |= {"REQUESTS_CA_BUNDLE", "PYTHONUNBUFFERED", "PYTHONFAULTHANDLER"}
        assert {name for name in environment if not name.startswith("DELPHIS_DRIVER_")} <= ours
        files = open_files(int(storage.name))
        assert files[0] == "/dev/null"
        assert not any("secret" in file for file in files.values())
        assert re.search(r"Max core file size +0 +0 ", limits(int(storage.name)))
        assert re.search(r"Max open files +1024 +1024 ", limits(int(storage.name)))
    os.close(secret)


async def test_output_is_kept_and_logged_without_control_characters(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "services.registry.host_process")
    write_manifest(tmp_path / "drivers", "box", "chatty")
    async with house(tmp_path) as home:
        await home.pid(home.arrays.add("a1"))
        host = home.slot().current
        assert host is not None
        await until(lambda: any("colour" in line for line in host.process.tail))
        assert len(host.process.tail) == 20
        assert "a secret \\x1b[31mcolour" in host.process.tail
        assert "line 99" in host.process.tail
    assert "\x1b" not in caplog.text


async def test_a_host_that_floods_its_output_serves_and_does_not_hold_the_core(tmp_path: Path) -> None:
    write_manifest(tmp_path / "drivers", "box", "flood")
    async with house(tmp_path) as home:
        array = home.arrays.add("a1")
        await home.pid(array)
        worst = 0.0
        for _ in range(50):
            before = time.process_time()  # what this process did meanwhile, however busy the machine is
            await asyncio.sleep(0.01)
            worst = max(worst, time.process_time() - before)
        assert worst < 0.25
        await home.pid(array)


async def test_a_start_that_fails_says_why(tmp_path: Path) -> None:
    write_manifest(tmp_path / "drivers", "box", "exit_at_once")
    async with house(tmp_path) as home:
        array = home.arrays.add("a1")
        error = await failure(home.pid(array))
        assert error.reason == "DRIVER_HOST_START_FAILED"
        assert "exit code 1" in error.message
        assert "cannot find the flux capacitor" in error.message
        assert error.metadata["exit"] == "exit code 1"
        assert error.metadata["driver"] == "dev.acme.box"
        # The next call doesn't start another process at once, and says the same.
        again = await failure(home.pid(array))
        assert again.reason == "DRIVER_HOST_START_FAILED"
        assert again.retry_after is not None
        assert 0 < again.retry_after <= 0.25
        assert home.slot().deaths == 1
        # A mended driver is found after the wait.
        write_manifest(tmp_path / "drivers")
        home.registry.rescan()
        assert await home.pid(array)


async def test_starts_that_fail_come_further_and_further_apart(tmp_path: Path) -> None:
    write_manifest(tmp_path / "drivers", "box", "exit_at_once")
    async with house(tmp_path, backoff_first=0.02, backoff_max=0.3) as home:
        array = home.arrays.add("a1")
        waits = []
        for _ in range(6):
            assert (await failure(home.pid(array))).reason == "DRIVER_HOST_START_FAILED"
            waits.append(home.slot().waits)
            await until(lambda: home.slot().waits == 0)
        assert waits[0] <= 0.02
        assert 0.05 <= waits[-1] <= 0.3


async def test_a_host_that_never_gets_ready_is_given_up(tmp_path: Path) -> None:
    write_manifest(tmp_path / "drivers", "box", "never_ready")
    async with house(tmp_path, start_timeout=6.0) as home:
        array = home.arrays.add("a1")
        early = await failure(home.router.unary("GetStorage", array, deadline=deadline(0.2)))
        assert early.reason == "DEADLINE_EXCEEDED"
        host = await until(lambda: home.slot().incoming)
        error = await failure(home.pid(array))
        assert error.reason == "DRIVER_HOST_START_FAILED"
        assert "not ready within 6 s" in error.message
        assert "still looking for the array" in error.message
        assert not alive(host.process.pid)


async def test_a_program_that_is_not_there(tmp_path: Path) -> None:
    path = write_manifest(tmp_path / "drivers")
    path.write_text(re.sub(r"command = .*", 'command = ["./bin/nothing"]', path.read_text()))
    async with house(tmp_path) as home:
        error = await failure(home.pid(home.arrays.add("a1")))
        assert error.reason == "DRIVER_HOST_START_FAILED"
        assert "bin/nothing: No such file or directory" in error.message


@pytest.mark.parametrize(
    ("behaviour", "said"),
    [
        ("wrong_name", "it says that it is the driver 'somebody.else'"),
        ("no_service", "doesn't serve delphis.driver.v1"),
        ("garbled_health", "its answer is no HealthCheckResponse"),
    ],
)
async def test_a_host_that_is_not_the_driver_is_refused(tmp_path: Path, behaviour: str, said: str) -> None:
    write_manifest(tmp_path / "drivers", "box", behaviour)
    before = children()
    async with house(tmp_path) as home:
        error = await failure(home.pid(home.arrays.add("a1")))
        assert error.reason == "DRIVER_HOST_START_FAILED"
        assert said in error.message
        assert children() <= before, "its process is left behind"


def children() -> set[str]:
    return set(Path(f"/proc/{os.getpid()}/task/{os.getpid()}/children").read_text(encoding="ascii").split())


async def test_a_host_whose_driver_does_not_load_serves_the_reason_and_goes_soon(tmp_path: Path) -> None:
    write_manifest(tmp_path / "drivers", "box", "load_error")
    async with house(tmp_path, broken_idle_stop=0.3) as home:
        await home.pid(home.arrays.add("a1"))
        host = home.slot().current
        assert host is not None
        assert "no such module" in host.info.load_error
        await until(lambda: home.slot().current is None)


async def test_an_idle_host_is_stopped_and_the_next_call_starts_one(tmp_path: Path) -> None:
    write_manifest(tmp_path / "drivers")
    async with house(tmp_path, idle_stop=0.3) as home:
        array = home.arrays.add("a1")
        first = await home.pid(array)
        await until(lambda: not alive(first))
        assert home.slot().deaths == 0
        assert await home.pid(array) != first


async def test_a_host_with_a_long_call_is_not_idle(tmp_path: Path) -> None:
    write_manifest(tmp_path / "drivers")
    async with house(tmp_path, idle_stop=0.2) as home:
        assert await home.pid(home.arrays.add("a1", "sleep=1"))
        assert home.slot().deaths == 0


async def test_a_host_that_ignores_sigterm_is_killed_after_the_grace(tmp_path: Path) -> None:
    write_manifest(tmp_path / "drivers", "box", "ignore_sigterm")
    async with house(tmp_path) as home:
        pid = await home.pid(home.arrays.add("a1"))
        before = time.monotonic()
        await home.registry.stop(0.5)
        assert 0.4 < time.monotonic() - before < 20
        assert not alive(pid)


async def test_hosts_on_probation_are_stopped_at_the_same_time(tmp_path: Path) -> None:
    write_manifest(tmp_path / "drivers", "box", "ignore_sigterm")
    async with house(tmp_path) as home:
        await home.pid(home.arrays.add("a1", f"once={tmp_path / 'died'},exit=3"))
        await home.pid(home.arrays.add("a2"))
        assert sum(slot.current is not None for slot in home.registry.supervisor.known()[0].slots()) == 2
        before = time.monotonic()
        await home.registry.stop(3.0)
        assert time.monotonic() - before < 5.9, "one after the other takes six seconds"


async def test_what_a_host_started_ends_with_it(tmp_path: Path) -> None:
    write_manifest(tmp_path / "drivers", "box", "child")
    async with house(tmp_path) as home:
        array = home.arrays.add("a1")
        pid = await home.pid(array)
        host = home.slot().current
        assert host is not None
        child = int(host.process.tail[0].split()[1])
        assert alive(child)
        os.kill(pid, signal.SIGKILL)
        await until(lambda: not alive(child))


async def test_restart_starts_the_new_host_before_the_old_one_is_drained(tmp_path: Path) -> None:
    write_manifest(tmp_path / "drivers")
    async with house(tmp_path) as home:
        slow, quick = home.arrays.add("slow", "sleep=1"), home.arrays.add("quick")
        old = await home.pid(quick)
        running = asyncio.create_task(home.pid(slow))
        host = await until(lambda: home.slot().current)
        await until(lambda: host.calls)
        await home.registry.restart("dev.acme.box")
        new = await home.pid(quick)
        assert new != old
        assert alive(old)
        assert [host.state for host in home.slot().draining] == [HostState.DRAINING]
        assert await running == old
        await until(lambda: not alive(old))
        assert home.slot().deaths == 0


async def test_a_restart_that_fails_leaves_the_old_host_serving(tmp_path: Path) -> None:
    flag = tmp_path / "broken"
    write_manifest(tmp_path / "drivers", "box", f"exit_if={flag}")
    async with house(tmp_path) as home:
        array = home.arrays.add("a1")
        old = await home.pid(array)
        flag.touch()
        error = await failure(home.registry.restart("dev.acme.box"))
        assert error.reason == "DRIVER_HOST_START_FAILED"
        assert "exit code 7" in error.message
        assert await home.pid(array) == old
        flag.unlink()
        await home.registry.restart("dev.acme.box")
        assert await home.pid(array) != old


async def test_a_manifest_that_breaks_leaves_its_host_serving(tmp_path: Path) -> None:
    path = write_manifest(tmp_path / "drivers")
    async with house(tmp_path) as home:
        array = home.arrays.add("a1")
        old = await home.pid(array)
        text = path.read_text()
        path.write_text("name = ")
        home.registry.rescan()
        assert await home.pid(array) == old
        assert [broken.origin for broken in home.registry.catalogue.broken] == [str(path)]
        path.write_text(text.replace('"1.0"', '"1.1"'))
        home.registry.rescan()
        assert home.registry.catalogue.broken == ()
        assert await home.pid(array) != old
        await until(lambda: not alive(old))


async def test_a_host_that_does_not_want_to_serve_any_more_is_replaced(tmp_path: Path) -> None:
    write_manifest(tmp_path / "drivers")
    async with house(tmp_path) as home:
        tired, slow = home.arrays.add("tired", "not_serving"), home.arrays.add("slow", "sleep=1")
        running = asyncio.create_task(home.pid(slow))
        await until(lambda: home.slot().current is not None)
        old = await home.pid(tired)
        await until(lambda: home.slot().draining)
        assert await home.pid(home.arrays.add("other")) != old
        assert await running == old  # its calls were let finish
        assert home.registry.distrusted() == []


async def test_a_host_that_outgrows_its_memory_is_killed_and_its_array_suspected(tmp_path: Path) -> None:
    write_manifest(tmp_path / "drivers", limits={"memory_mb": 150})
    async with house(tmp_path) as home:
        other = home.arrays.add("other")
        pid = await home.pid(other)
        leaky = home.arrays.add("leaky", "leak=200,5")
        leaking = asyncio.create_task(failure(home.router.unary("AddTrapConfig", leaky)))
        sleepy = asyncio.create_task(home.pid(home.arrays.add("sleepy", "sleep=1.5")))
        assert (await leaking).reason == "DRIVER_HOST_UNAVAILABLE"
        assert await sleepy != pid  # repeated on probation
        assert not alive(pid)
        assert "memory limit" in home.slot().ended[-1][0].killed_for
        assert {record.storage_id for _, record in home.registry.distrusted()} == {"leaky"}
        assert await home.pid(other) != pid


async def test_a_host_that_nears_its_memory_limit_is_replaced_in_peace(tmp_path: Path) -> None:
    write_manifest(tmp_path / "drivers", limits={"memory_mb": 200})
    async with house(tmp_path, settled_after=0.0) as home:
        pid = await home.pid(home.arrays.add("other"))
        await home.router.unary("AddTrapConfig", home.arrays.add("leaky", "leak=130,1"))
        while await home.pid("other") == pid:
            pass
        await until(lambda: not alive(pid))
        assert home.slot().deaths == 0


async def test_a_host_that_uses_too_much_cpu_is_replaced_in_peace(tmp_path: Path) -> None:
    write_manifest(tmp_path / "drivers", limits={"cpu_percent": 10})
    async with house(tmp_path, cpu_window=0.5) as home:
        pid = await home.pid(home.arrays.add("busy", "spin=1.5"))
        await until(lambda: not alive(pid))
        assert home.slot().deaths == 0


async def test_memory_beyond_the_net_is_an_error_not_a_death_of_the_machine(tmp_path: Path) -> None:
    write_manifest(tmp_path / "drivers", limits={"memory_mb": 64})
    async with house(tmp_path, watch_interval=30.0) as home:
        error = await failure(home.pid(home.arrays.add("greedy", "leak=1200,0")))
        assert error.reason == "DRIVER_FAULT"
        assert "MemoryError" in error.message


async def test_a_host_that_answers_nobody_is_killed_and_its_array_suspected(tmp_path: Path) -> None:
    write_manifest(tmp_path / "drivers")
    async with house(tmp_path, unresponsive_after=0.5) as home:
        sibling, frozen = home.arrays.add("sibling"), home.arrays.add("frozen", "freeze=60")
        pid = await home.pid(sibling)
        hanging = asyncio.create_task(failure(home.router.unary("AddTrapConfig", frozen, deadline=deadline(60))))
        while await home.pid(sibling) == pid:  # it may have answered before it froze
            pass
        assert (await hanging).reason == "DRIVER_HOST_UNAVAILABLE"
        assert {record.storage_id for _, record in home.registry.distrusted()} >= {"frozen"}


async def test_a_driver_whose_manifest_is_removed_finishes_its_calls(tmp_path: Path) -> None:
    path = write_manifest(tmp_path / "drivers")
    async with house(tmp_path) as home:
        running = asyncio.create_task(home.pid(home.arrays.add("slow", "sleep=0.7")))
        host = await until(lambda: home.slot().current)
        await until(lambda: host.calls)
        path.unlink()
        home.registry.rescan()
        error = await failure(home.pid(home.arrays.add("late")))
        assert error.reason == "STORAGE_DRIVER_NOT_FOUND"
        pid = await running
        await until(lambda: not alive(pid))
