"""A driver that crashes, hangs, leaks or lies harms no other array: not those of other drivers, not its own others."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.up import Up, core_alone, wait_for

PASSWORD = "sentinel-3f7a-password"
# file: class, memory limit in MB
DRIVERS = {
    "crash": "Crash",
    "exit": "Exit",
    "hang": "Hang",
    "slow": "Slow",
    "busy": "Busy",
    "leak": "Leak",
    "lie": "Lie",
    "stdout": "Stdout",
    "tell_secrets": "TellSecrets",
    "foreign_ids": "ForeignIds",
    "ignore_sigterm": "IgnoreSigterm",
    "no_import": "NoImport",
    "no_driver": "NoDriver",
}
# What they break only the conformance kit looks at: tests/conformance has each of their faults.
OF_THE_KIT = {"untrue", "raw_host"}
# What it does wrong is about traps: see tests/alerts/parsing.
OF_ALERTS = {"traps"}
MEMORY_MB = 200


@pytest.fixture(scope="module")
def delphis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Up]:
    folder = tmp_path_factory.mktemp("bad")
    for file, name in DRIVERS.items():
        manifest = folder / "drivers" / file / "driver.toml"
        manifest.parent.mkdir(parents=True)
        manifest.write_text(
            f'name = "dev.delphis.test.{file.replace("_", "-")}"\nversion = "1"\n'
            f'[[serves]]\nvendor = "bad"\nmodel = "{file}"\n'
            f'[host]\nclass = "tests.bad_drivers.{file}:{name}"\n[limits]\nmemory_mb = {MEMORY_MB}\n'
        )
    (folder / "drivers" / "broken").mkdir()
    (folder / "drivers" / "broken" / "driver.toml").write_text("name = \n")
    with core_alone(folder, "--drivers", str(folder / "drivers")) as running:
        yield running


@pytest.fixture(scope="module")
def bystander(delphis: Up) -> str:
    storage = delphis.register(80, volumes="20")
    delphis.wait_synced(storage["id"])
    storage_id: str = storage["id"]
    return storage_id


def register(delphis: Up, model: str, host: str, bad: str = "") -> Any:
    body = {
        "vendor": "bad",
        "model": model,
        "rest": {"host": host, "port": 443, "username": "operator", "password": PASSWORD},
        "extra_attributes": {"bad": bad} if bad else {},
    }
    return delphis.ask("POST", "/v1/storages", body)


def kind(delphis: Up, storage_id: str, name: str) -> Any:
    kinds = delphis.get(f"/v1/storages/{storage_id}/sync-state")["kinds"]
    return next((found for found in kinds if found["kind"] == name), None)


def volumes(delphis: Up, storage_id: str) -> list[Any]:
    found: list[Any] = delphis.get(f"/v1/volumes?storage_id={storage_id}")["volumes"]
    return found


def unharmed(delphis: Up, bystander: str, sibling: str | None) -> None:
    """Arrays of another driver, and a good one of the same, are synced as if nothing were."""
    for storage_id in (bystander, *([sibling] if sibling else [])):
        assert delphis.sync(storage_id)["sync_outcome"] == "ok"
    assert len(volumes(delphis, bystander)) == 20
    if sibling:
        assert len(volumes(delphis, sibling)) == 3


def pair(delphis: Up, model: str, octet: int, bad: str) -> tuple[str, str]:
    """A good array and a bad one of a driver."""
    good = register(delphis, model, f"127.1.{octet}.1")
    assert good.status == 201, good
    assert delphis.wait_synced(good.json["id"])["sync_outcome"] == "ok"
    reply = register(delphis, model, f"127.1.{octet}.2", bad)
    assert reply.status == 201, reply
    return good.json["id"], reply.json["id"]


def remove(delphis: Up, *ids: str) -> None:
    for storage_id in ids:
        assert delphis.ask("DELETE", f"/v1/storages/{storage_id}").status == 202


@pytest.mark.parametrize("how", ["segv", pytest.param("exit", marks=pytest.mark.slow)])
def test_crash(delphis: Up, bystander: str, how: str) -> None:
    good, bad = pair(delphis, "crash", {"segv": 1, "exit": 2}[how], how)
    state = delphis.wait_synced(bad)
    assert state["sync_outcome"] != "ok"
    assert kind(delphis, bad, "volume")["error_code"] in ("ArrayQuarantined", "DriverHostUnavailable")

    def quarantined() -> bool:
        found = delphis.get("/v1/quarantines")["quarantines"]
        return any(one["storage_id"] == bad and one["state"] == "quarantined" for one in found)

    wait_for("quarantine", quarantined)
    unharmed(delphis, bystander, good)
    assert volumes(delphis, bad) == []
    remove(delphis, good, bad)


@pytest.mark.slow
def test_exit(delphis: Up, bystander: str) -> None:
    good, bad = pair(delphis, "exit", 3, "yes")
    delphis.wait_synced(bad)
    assert kind(delphis, bad, "volume")["error_code"] == "DriverFault"
    unharmed(delphis, bystander, good)
    remove(delphis, good, bad)


def test_hang(delphis: Up, bystander: str) -> None:
    good, bad = pair(delphis, "hang", 4, "yes")
    unharmed(delphis, bystander, good)
    assert delphis.get(f"/v1/storages/{bad}")["sync_status"] == "SYNCING"
    remove(delphis, bad)
    assert delphis.ask("GET", f"/v1/storages/{bad}").status == 404
    unharmed(delphis, bystander, good)
    remove(delphis, good)


@pytest.mark.slow
def test_hang_at_login_ends_at_the_callers_deadline(delphis: Up, bystander: str) -> None:
    good = register(delphis, "hang", "127.1.5.1")
    delphis.wait_synced(good.json["id"])
    body = {"vendor": "bad", "model": "hang", "extra_attributes": {"bad": "login"},
            "rest": {"host": "127.1.5.2", "port": 443, "username": "operator", "password": PASSWORD}}  # fmt: skip
    reply = delphis.ask("POST", "/v1/storages", body, headers={"Grpc-Timeout": "1S"})
    assert reply.status == 504, reply
    assert reply.json["error_code"] in ("ArrayTimeout", "DeadlineExceeded")
    unharmed(delphis, bystander, good.json["id"])
    remove(delphis, good.json["id"])


@pytest.mark.slow
def test_slow_and_busy(delphis: Up, bystander: str) -> None:
    for octet, model, bad in ((6, "slow", "1.0"), (7, "busy", "2.0")):
        good, slow = pair(delphis, model, octet, bad)
        unharmed(delphis, bystander, good)
        assert delphis.wait_synced(slow)["sync_outcome"] == "ok"
        assert len(volumes(delphis, slow)) == 3
        remove(delphis, good, slow)


@pytest.mark.slow
def test_leak(delphis: Up, bystander: str) -> None:
    good, bad = pair(delphis, "leak", 8, "90")
    before = set(delphis.host_pids("dev.delphis.test.leak"))
    delphis.wait_synced(bad)
    for _ in range(3):
        delphis.sync(bad)

    def replaced() -> bool:
        return not before & set(delphis.host_pids("dev.delphis.test.leak"))

    wait_for("another host", replaced)
    unharmed(delphis, bystander, good)
    remove(delphis, good, bad)


LIES = {
    "dict": ("failed", 0),
    "none": ("failed", 0),
    "text": ("failed", 0),
    "mixed": ("failed", 0),
    "nameless": (None, None),
    "duplicates": ("partial", 100),
    "half": ("partial", 50),
    "half_error": ("failed", 0),
    "core_owned": ("ok", 1),
}


@pytest.mark.slow
@pytest.mark.parametrize("how", LIES)
def test_lie(delphis: Up, bystander: str, how: str) -> None:
    good, bad = pair(delphis, "lie", 10 + list(LIES).index(how), how)
    delphis.wait_synced(bad)
    outcome, count = LIES[how]
    state = kind(delphis, bad, "volume")
    if outcome is not None:
        assert (state["outcome"], len(volumes(delphis, bad))) == (outcome, count), state
    for volume in volumes(delphis, bad):
        assert volume["storage_id"] == bad
        assert len(volume["id"]) == 36
    unharmed(delphis, bystander, good)
    remove(delphis, good, bad)


@pytest.mark.slow
@pytest.mark.parametrize(("how", "code"), [("no_serial", "InvalidResults"), ("garbage", "DriverBrokeContract")])
def test_lie_at_registration(delphis: Up, how: str, code: str) -> None:
    reply = register(delphis, "lie", "127.1.9.1", how)
    assert reply.json["error_code"] == code, reply
    assert all(one["rest"]["host"] != "127.1.9.1" for one in delphis.get("/v1/access-infos")["access_infos"])


def test_stdout(delphis: Up, bystander: str) -> None:
    good, bad = pair(delphis, "stdout", 30, "yes")
    assert delphis.wait_synced(bad)["sync_outcome"] == "ok"
    unharmed(delphis, bystander, good)
    remove(delphis, good, bad)


@pytest.mark.slow
@pytest.mark.parametrize("how", ["known", "unknown"])
def test_secrets_reach_nobody(delphis: Up, bystander: str, how: str) -> None:
    good, bad = pair(delphis, "tell_secrets", {"known": 31, "unknown": 32}[how], how)
    delphis.wait_synced(bad)
    told = [
        delphis.log(),
        delphis.ask("GET", f"/v1/storages/{bad}/sync-state").text,
        delphis.ask("GET", "/v1/jobs").text,
        delphis.ask("GET", "/v1/drivers").text,
        delphis.ask("GET", "/v1/access-infos").text,
        delphis.ask("GET", f"/v1/storages/{bad}").text,
    ]
    assert kind(delphis, bad, "volume")["outcome"] == "failed"
    assert "Traceback" not in told[1]
    for text in told:
        assert PASSWORD not in text
        assert "session-token-4711" not in text
    unharmed(delphis, bystander, good)
    remove(delphis, good, bad)


@pytest.mark.slow
def test_foreign_ids(delphis: Up, bystander: str) -> None:
    good, bad = pair(delphis, "foreign_ids", 33, bystander)
    assert bad != bystander
    assert delphis.wait_synced(bad)["sync_outcome"] == "ok"
    storage = delphis.get(f"/v1/storages/{bad}")
    assert storage["labels"] == {}
    for volume in volumes(delphis, bad):
        assert bystander not in (volume["id"], volume["storage_id"])
        assert volume["missing"] is None
    unharmed(delphis, bystander, good)
    remove(delphis, good, bad)


@pytest.mark.slow
def test_ignored_sigterm(delphis: Up, bystander: str) -> None:
    good, bad = pair(delphis, "ignore_sigterm", 34, "yes")
    delphis.wait_synced(bad)
    pid = delphis.host_pids("ignore-sigterm")[0]
    restarted = delphis.ask("POST", "/v1/drivers/dev.delphis.test.ignore-sigterm:restart", {})
    assert restarted.status == 200, restarted
    wait_for("end of the old host", lambda: pid not in delphis.host_pids("ignore-sigterm"), 60)
    unharmed(delphis, bystander, good)
    remove(delphis, good, bad)


@pytest.mark.parametrize("model", ["no_import", "no_driver"])
def test_a_driver_that_can_not_be_loaded_says_why(delphis: Up, bystander: str, model: str) -> None:
    reply = register(delphis, model, "127.1.35.1")
    assert reply.status == 502
    assert reply.json["error_code"] == "DriverLoadFailed"
    driver = delphis.get(f"/v1/drivers/dev.delphis.test.{model.replace('_', '-')}")
    assert driver["state"] == "load_failed"
    expected = {"no_import": "a_library_that_nobody_has", "no_driver": "NoDriver"}[model]
    assert expected in driver["error"]
    unharmed(delphis, bystander, None)


def test_a_broken_manifest_is_listed_with_its_error(delphis: Up, bystander: str) -> None:
    broken = [one for one in delphis.get("/v1/drivers")["drivers"] if one["state"] == "invalid"]
    assert len(broken) == 1
    assert "driver.toml" in broken[0]["origin"]
    assert broken[0]["error"]
    unharmed(delphis, bystander, None)


def test_the_folder_of_the_tests_is_complete() -> None:
    files = {path.stem for path in (Path(__file__).parents[1] / "bad_drivers").glob("*.py")}
    assert files == set(DRIVERS) | OF_THE_KIT | OF_ALERTS
