"""The life of a storage, told by the command line to a real server; and that secrets stay where they belong."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.up import Up, core_alone

from .conftest import COMMAND, delphis_many, quick

SECRET = "sentinel-77aa"


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Up]:
    """A Delphis that wants a token, and the token where the command line finds it."""
    folder = tmp_path_factory.mktemp("delphis")
    secret = subprocess.run(
        [COMMAND, "db", "token", "create", "first", "--scopes", "admin", "--data-dir", str(folder / "data")],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    ).stdout
    (folder / "token").write_text(secret)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DELPHIS_TOKEN_FILE", str(folder / "token"))
        with core_alone(folder, "--auth", "token") as running:
            yield running


def register(running: Up, host: str, *more: str) -> dict[str, Any]:
    answer = quick(
        *("--server", running.grpc, "storages", "register", "fake_storage", "fake_driver", "--host", host),
        *("--port", "443", "--username", "me", "--password-stdin", "--extra", "volumes=3", "-o", "json", *more),
        stdin=SECRET + "\n",
    )
    assert answer.code == 0, answer.err
    assert SECRET not in answer.out + answer.err
    storage: dict[str, Any] = json.loads(answer.out)
    return storage


def test_a_storage_from_registration_to_removal(guarded: Up) -> None:
    running = guarded
    server = ["--server", running.grpc]
    trial = register(running, "127.0.0.31", "--name", "cellar", "--validate-only")
    assert trial["serial_number"]
    none = quick(*server, "storages", "list", "-o", "json")
    assert json.loads(none.out) == {"storages": []}
    id_ = register(running, "127.0.0.31", "--name", "cellar", "--label", "site=a", "--interval", "1h")["id"]
    synced = quick(*server, "storages", "sync", "cellar", "--wait")
    assert synced.code == 0, synced.err
    assert any(line.split()[:3] == ["volume", "ok", "3"] for line in synced.out.splitlines())
    answers = delphis_many(
        [*server, "storages", "update", "cellar", "--name", "attic", "--label", "rack=7", "--unlabel", "site"],
        [*server, "storages", "pause", "attic", "--reason", "moved", "--for", "2h"],
        [*server, "storages", "sync", "attic"],
        [*server, "storages", "list", "-o", "json"],
        [*server, "storages", "resume", "attic"],
        [*server, "storages", "show", "attic"],
        [*server, "storages", "reconnect", "attic"],
        [*server, "storages", "accept-serial", "attic", "OTHER"],
        [*server, "storages", "accept-removals", "attic", "--yes"],
        [*server, "jobs", "list", "--storage", "attic", "-o", "json"],
        [*server, "access", "show", "attic", "-o", "json"],
        [*server, "drivers", "show", "dev.delphis.fake-storage"],
        [*server, "quarantines", "list"],
        [*server, "audit", "list", "--limit", "5"],
        [*server, "whoami"],
        [*server, "version"],
    )
    update, pause, sync, listed, resume, show, again, serial, removals, jobs, access, *others = answers
    assert [a.code for a in (update, pause, listed, resume, show, again)] == [0] * 6, answers
    assert sync.code == 1
    assert "(STORAGE_IS_PAUSED)" in sync.err
    assert f"delphis storages resume {id_}" in sync.err
    [storage] = json.loads(listed.out)["storages"]
    assert (storage["display_name"], storage["labels"], storage["sync_interval"]) == ("attic", {"rack": "7"}, "3600s")
    assert storage["pause"]["reason"] == "moved"
    assert "Paused" not in show.out
    assert [(a.code, "(NOTHING_TO_ACCEPT)" in a.err) for a in (serial, removals)] == [(1, True)] * 2
    [job] = [job for job in json.loads(jobs.out)["jobs"] if job["requested_by"] == "registration"]
    assert json.loads(access.out)["rest"] == {"host": "127.0.0.31", "port": 443, "username": "me"}
    assert [a.code for a in others] == [0] * 5, others
    assert "first" in others[3].out
    shown, waited, gone = delphis_many(
        [*server, "jobs", "show", job["job_id"], "-o", "json"],
        [*server, "jobs", "wait", job["job_id"], "--within", "20"],
        [*server, "storages", "remove", "attic", "--yes"],
    )
    assert json.loads(shown.out)["state"] == "succeeded"
    assert (waited.code, gone.code) == (0, 0)
    assert not any(SECRET in a.out + a.err for a in [*answers, shown, waited, gone])
    assert SECRET not in running.log()


def test_access_is_changed_when_the_array_agrees(guarded: Up) -> None:
    running = guarded
    id_ = register(running, "127.0.0.33")["id"]
    command = ["--server", running.grpc, "access", "update", id_, "--password-stdin"]
    changed = quick(*command, "--username", "other", "-o", "json", stdin=SECRET + "\n")
    assert changed.code == 0, changed.err
    assert json.loads(changed.out)["rest"] == {"host": "127.0.0.33", "port": 443, "username": "other"}
    elsewhere = quick(*command, "--host", "127.0.0.34", stdin=SECRET + "\n")
    assert elsewhere.code == 1
    assert "(STORAGE_SERIAL_NUMBER_MISMATCH)" in elsewhere.err
    assert not any(SECRET in answer.out + answer.err for answer in (changed, elsewhere))
    nothing = quick("--server", running.grpc, "access", "update", id_)
    assert nothing.code == 2


def test_tokens_are_made_used_and_ended(guarded: Up, tmp_path: Path) -> None:
    server = ["--server", guarded.grpc]
    kept = tmp_path / "reader"
    create, printed, listed, twice, exists = delphis_many(
        [*server, "tokens", "create", "reader", "--scope", "read", "--expires-in", "1d", "--to-file", str(kept)],
        [*server, "tokens", "create", "other", "--scope", "read", "-o", "json"],
        [*server, "tokens", "list", "-o", "json"],
        [*server, "tokens", "create", "other", "--scope", "read"],
        [*server, "tokens", "create", "third", "--scope", "read", "--to-file", str(kept)],
    )
    assert [a.code for a in (create, printed, listed, twice, exists)] == [0, 0, 0, 1, 2]
    assert kept.stat().st_mode & 0o777 == 0o600
    assert kept.read_text().strip() not in create.out + create.err
    assert json.loads(printed.out)["secret"]
    tokens = {token["name"]: token for token in json.loads(listed.out)["tokens"]}
    assert tokens["reader"]["scopes"] == ["read"]
    assert "expires_at" in tokens["reader"]
    assert "(TOKEN_ALREADY_EXISTS)" in twice.err
    reading = [*server, "--token-file", str(kept)]
    may, may_not, ended, refused = delphis_many(
        [*reading, "whoami"],
        [*reading, "tokens", "list"],
        [*server, "tokens", "revoke", "reader"],
        [*reading, "storages", "list"],
    )
    assert (may.code, may_not.code, ended.code, refused.code) == (0, 4, 0, 4)
    [public] = delphis_many([*server, "version", "-o", "json"], DELPHIS_TOKEN_FILE="")
    assert public.code == 0, public.err
    assert "delphis.inventory.v1" in json.loads(public.out)["contracts"]
