"""RegistryService: what operators see of drivers, hosts and quarantines, and what they decide."""

from __future__ import annotations

import asyncio
import os
import signal
from pathlib import Path
from typing import TypeVar

import pytest
from google.protobuf.message import Message

from delphis.registry.v1 import registry_pb2 as pb
from services.calls.errors import CallError
from services.calls.method import MethodTable
from services.calls.pipeline import AnonymousAdmin, Ingress, Pipeline
from services.registry.manifest import Pair
from services.registry.service import RegistryService
from tests.registry.support import PAIR, House, failure, house, until, write_manifest

Answer = TypeVar("Answer", bound=Message)


class Operator:
    """Calls the service through the pipeline."""

    def __init__(self, home: House) -> None:
        self._pipeline = Pipeline(MethodTable(RegistryService(home.registry).methods()), AnonymousAdmin())

    async def call(self, name: str, request: Message, answer: type[Answer]) -> Answer:
        path = f"/delphis.registry.v1.RegistryService/{name}"
        ingress = Ingress(token=None, request_id="r", timeout=None, peer="test")
        return answer.FromString((await self._pipeline.unary(path, request.SerializeToString(), ingress)).body)

    async def drivers(self) -> dict[str, pb.Driver]:
        listed = await self.call("ListDrivers", pb.ListDriversRequest(), pb.ListDriversResponse)
        assert [driver.name for driver in listed.drivers] == sorted(driver.name for driver in listed.drivers)
        return {driver.name: driver for driver in listed.drivers}

    async def driver(self, name: str = "dev.acme.box") -> pb.Driver:
        return await self.call("GetDriver", pb.GetDriverRequest(name=name), pb.Driver)

    async def quarantines(self) -> list[pb.Quarantine]:
        request = pb.ListQuarantinesRequest()
        return list((await self.call("ListQuarantines", request, pb.ListQuarantinesResponse)).quarantines)


async def test_a_driver_over_the_life_of_its_hosts(tmp_path: Path) -> None:
    manifest = write_manifest(tmp_path / "drivers", "box", "chatty")
    async with house(tmp_path) as home:
        operator = Operator(home)
        driver = await operator.driver()
        assert driver.state == pb.DRIVER_STATE_IDLE
        assert (driver.version, driver.source, driver.origin) == ("1.0", pb.DRIVER_SOURCE_MANIFEST, str(manifest))
        assert [(pair.vendor, pair.model, pair.in_use) for pair in driver.serves] == [("acme", "box", True)]
        assert not driver.hosts
        assert not driver.rpcs
        array = home.arrays.add("a1")
        pid = await home.pid(array)
        reading = asyncio.create_task(home.pid(home.arrays.add("slow", "sleep=1")))
        running = home.slot().current
        assert running is not None
        await until(lambda: running.calls)
        driver = await operator.driver()
        assert driver.state == pb.DRIVER_STATE_SERVING
        assert "GetStorage" in driver.rpcs
        assert [field.path for field in driver.access_fields] == ["extra_attributes.do"]
        (host,) = driver.hosts
        assert (host.pid, host.state, host.calls_in_flight) == (pid, pb.HOST_STATE_SERVING, 1)
        assert host.memory_bytes > 10_000_000
        assert host.server_id
        assert len(host.log_tail) == 20
        await reading
        os.kill(pid, signal.SIGKILL)
        await until(lambda: home.slot().ended)
        await home.pid(array)
        driver = await operator.driver()
        dead = next(host for host in driver.hosts if host.state == pb.HOST_STATE_DEAD)
        assert (dead.pid, dead.exit) == (pid, "signal SIGKILL")
        assert dead.ended_at.ToSeconds() >= dead.started_at.ToSeconds() > 0
        assert driver.restarts == 1


async def test_drivers_that_can_not_be_used_say_why(tmp_path: Path) -> None:
    write_manifest(tmp_path / "drivers", "failing", "exit_at_once", pair=Pair("acme", "failing"))
    write_manifest(tmp_path / "drivers", "broken", "load_error", pair=Pair("acme", "broken"))
    write_manifest(tmp_path / "drivers", "good")
    (tmp_path / "drivers" / "wrong").mkdir()
    (tmp_path / "drivers" / "wrong" / "driver.toml").write_text("colour = 1\n")
    async with house(tmp_path, backoff_first=30.0) as home:
        operator = Operator(home)
        for model in ("failing", "broken"):
            array = home.arrays.add(model, pair=Pair("acme", model))
            await asyncio.gather(home.router.unary("GetStorage", array), return_exceptions=True)
        drivers = await operator.drivers()
        assert drivers["dev.acme.good"].state == pb.DRIVER_STATE_IDLE
        assert drivers["dev.acme.failing"].state == pb.DRIVER_STATE_BACKOFF
        assert "flux capacitor" in drivers["dev.acme.failing"].error
        assert drivers["dev.acme.broken"].state == pb.DRIVER_STATE_LOAD_FAILED
        assert "no such module" in drivers["dev.acme.broken"].error
        assert drivers["wrong"].state == pb.DRIVER_STATE_INVALID
        assert "colour is unknown" in drivers["wrong"].error
        assert (await operator.driver("wrong")).state == pb.DRIVER_STATE_INVALID
        assert (await failure(operator.driver("absent"))).reason == "DRIVER_NOT_FOUND"


async def test_a_conflict_is_seen_and_settled(tmp_path: Path) -> None:
    write_manifest(tmp_path / "drivers", "one")
    async with house(tmp_path) as home:
        operator = Operator(home)
        array = home.arrays.add("a1")
        await home.pid(array)
        write_manifest(tmp_path / "drivers", "two")
        home.registry.rescan()
        drivers = await operator.drivers()
        one, two = drivers["dev.acme.one"], drivers["dev.acme.two"]
        assert (one.serves[0].in_use, list(one.serves[0].conflicts_with)) == (True, ["dev.acme.two"])
        assert (two.serves[0].in_use, list(two.serves[0].conflicts_with)) == (False, ["dev.acme.one"])
        assert "delphis drivers prefer" in two.error
        preferred = pb.PreferDriverRequest(name="dev.acme.two", vendor=PAIR.vendor, model=PAIR.model)
        driver = await operator.call("PreferDriver", preferred, pb.Driver)
        assert driver.serves[0].in_use
        await home.pid(array)
        assert (await operator.driver("dev.acme.two")).state == pb.DRIVER_STATE_SERVING
        for wrong, reason in (
            (pb.PreferDriverRequest(name="absent", vendor="acme", model="box"), "DRIVER_NOT_FOUND"),
            (pb.PreferDriverRequest(name="dev.acme.one", vendor="acme", model="Box"), "INVALID_INPUT"),
        ):
            assert (await failure(operator.call("PreferDriver", wrong, pb.Driver))).reason == reason


async def test_restart_by_an_operator(tmp_path: Path) -> None:
    flag = tmp_path / "broken"
    write_manifest(tmp_path / "drivers", "box", f"exit_if={flag}")
    async with house(tmp_path) as home:
        operator = Operator(home)
        array = home.arrays.add("a1")
        old = await home.pid(array)
        request = pb.RestartDriverRequest(name="dev.acme.box")
        driver = await operator.call("RestartDriver", request, pb.Driver)
        assert driver.state == pb.DRIVER_STATE_SERVING
        assert await home.pid(array) != old
        flag.touch()
        assert (await failure(operator.call("RestartDriver", request, pb.Driver))).reason == "DRIVER_HOST_START_FAILED"
        absent = pb.RestartDriverRequest(name="absent")
        assert (await failure(operator.call("RestartDriver", absent, pb.Driver))).reason == "DRIVER_NOT_FOUND"


async def test_quarantines_are_listed_and_released(tmp_path: Path) -> None:
    write_manifest(tmp_path / "drivers")
    async with house(tmp_path) as home:
        operator = Operator(home)
        assert await operator.quarantines() == []
        killer = home.arrays.add("killer", "exit=3")
        await failure(home.router.unary("AddTrapConfig", killer))
        (suspect,) = await operator.quarantines()
        assert (suspect.storage_id, suspect.driver) == ("killer", "dev.acme.box")
        assert (suspect.state, suspect.deaths) == (pb.QUARANTINE_STATE_SUSPECT, 1)
        for _ in range(2):
            await failure(home.router.unary("AddTrapConfig", killer))
        (quarantined,) = await operator.quarantines()
        assert (quarantined.state, quarantined.deaths) == (pb.QUARANTINE_STATE_QUARANTINED, 3)
        assert quarantined.last_exit == "exit code 3"
        assert 295 <= quarantined.until.ToSeconds() - quarantined.since.ToSeconds() <= 305
        request = pb.ReleaseQuarantineRequest(storage_id="killer")
        released = await operator.call("ReleaseQuarantine", request, pb.Quarantine)
        assert released.state == pb.QUARANTINE_STATE_SUSPECT
        again = await failure(operator.call("ReleaseQuarantine", request, pb.Quarantine))
        assert again.reason == "NOTHING_TO_ACCEPT"
        # The storage is removed.
        home.registry.forget("killer")
        assert await operator.quarantines() == []


async def test_a_preference_that_can_not_be_kept_is_not_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_manifest(tmp_path / "drivers", "one")
    write_manifest(tmp_path / "drivers", "two")
    async with house(tmp_path) as home:

        async def full(pair: Pair, driver: str) -> None:
            raise CallError("STORE_FAULT", "the disk is full")

        monkeypatch.setattr(home.preferences, "save", full)
        request = pb.PreferDriverRequest(name="dev.acme.one", vendor=PAIR.vendor, model=PAIR.model)
        assert (await failure(Operator(home).call("PreferDriver", request, pb.Driver))).reason == "STORE_FAULT"
        assert (await failure(home.pid(home.arrays.add("a1")))).reason == "DRIVER_CONFLICT"
