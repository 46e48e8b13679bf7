"""`apply` and `diff`: storages as a file says, on a real server."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import yaml

from tests.support.up import Up

from .conftest import Answer, Server, delphis_many, quick

SECRET = "sentinel-8d1e"


def item(name: str, host: str, **more: Any) -> dict[str, Any]:
    rest = {"host": host, "port": 443, "username": "ops", "passwordFrom": {"env": "ARRAY_PASSWORD"}}
    attributes = {"volumes": "3", "disks": "2"}
    return {
        "name": name,
        "vendor": "fake_storage",
        "model": "fake_driver",
        "rest": rest,
        "extra_attributes": attributes,
        **more,
    }


def write(file: Path, *items: dict[str, Any], fleet: str | None = "berlin") -> Path:
    file.write_text(yaml.safe_dump({"fleet": fleet, "storages": list(items)} if fleet else {"storages": list(items)}))
    return file


def run(running: Up, *arguments: str, secret: str = SECRET) -> Answer:
    answer = quick("--server", running.grpc, *arguments, ARRAY_PASSWORD=secret)
    assert SECRET not in answer.out + answer.err
    return answer


def steps(answer: Answer) -> dict[str, str]:
    return {step["name"]: step["action"] for step in json.loads(answer.out)["steps"]}


def test_a_fleet_is_applied_once_and_changed_where_it_differs(running: Up, tmp_path: Path) -> None:
    labelled = item("cellar", "127.0.0.41", labels={"site": "b"}, sync_interval="20min")
    paused = item("attic", "127.0.0.42", pause={"reason": "moved"})
    file = str(write(tmp_path / "fleet.yaml", labelled, paused))
    dry = run(running, "apply", "-f", file, "--dry-run", "-o", "json", secret="")
    assert dry.code == 0, dry.err
    assert steps(dry) == {"cellar": "register", "attic": "register"}
    assert run(running, "diff", "-f", file, secret="").code == 6
    assert running.get("/v1/storages")["storages"] == []

    lacking = run(running, "apply", "-f", file, secret="")
    assert lacking.code == 2
    assert "storages[1].rest.passwordFrom: the environment variable ARRAY_PASSWORD is not set" in lacking.err
    assert running.get("/v1/storages")["storages"] == []

    first = run(running, "apply", "-f", file)
    assert first.code == 0, first.err
    assert first.out.splitlines()[-1] == "2 registered."
    stored = {storage["display_name"]: storage for storage in running.get("/v1/storages")["storages"]}
    assert stored["cellar"]["labels"] == {"site": "b", "delphis.dev/fleet": "berlin"}
    assert stored["attic"]["pause"]["reason"] == "moved"

    again = run(running, "apply", "-f", file, secret="")  # what needs no secret asks for none
    assert (again.code, again.out) == (0, "Nothing to do: all 2 storages are as the file says.\n")
    assert run(running, "diff", "-f", file).code == 0
    assert running.get(f"/v1/storages/{stored['cellar']['id']}")["updated_at"] == stored["cellar"]["updated_at"]

    labelled["labels"] = {"site": "c"}
    labelled["rest"]["username"] = "other"
    paused["pause"] = False
    write(tmp_path / "fleet.yaml", labelled, paused)
    differing = run(running, "diff", "-f", file, secret="")
    assert differing.code == 6
    for line in ("labels.site: b -> c", "rest.username: ops -> other", "pause: moved -> -", "Would be: 2 updated."):
        assert line in differing.out
    assert run(running, "apply", "-f", file).code == 0
    assert run(running, "diff", "-f", file).code == 0
    access = running.get(f"/v1/storages/{stored['cellar']['id']}/access-info")
    assert access["rest"]["username"] == "other"

    resent = run(running, "apply", "-f", file, "--resend-secrets")
    assert resent.out.splitlines()[-1] == "2 updated."


def test_only_what_the_fleet_owns_is_pruned_and_only_on_demand(running: Up, tmp_path: Path) -> None:
    running.register(7, host="127.0.0.50", volumes="1")  # nobody's
    file = tmp_path / "munich.yaml"
    write(file, item("one", "127.0.0.51"), item("two", "127.0.0.52"), fleet="munich")
    assert run(running, "apply", "-f", str(file)).code == 0
    before = len(running.get("/v1/storages")["storages"])
    write(file, item("one", "127.0.0.51"), fleet="munich")
    kept = run(running, "apply", "-f", str(file))
    assert kept.code == 0
    assert "not in the file: two" in kept.err
    assert run(running, "diff", "-f", str(file)).code == 0
    assert run(running, "diff", "-f", str(file), "--prune").code == 6
    unasked = run(running, "apply", "-f", str(file), "--prune")
    assert unasked.code == 2
    assert "--yes" in unasked.err
    assert len(running.get("/v1/storages")["storages"]) == before
    pruned = run(running, "apply", "-f", str(file), "--prune", "--yes")
    assert pruned.code == 0, pruned.err
    assert "1 removed, 1 unchanged." in pruned.out
    names = {storage["display_name"] for storage in running.get("/v1/storages")["storages"]}
    assert "one" in names
    assert "two" not in names
    assert len(running.get("/v1/storages")["storages"]) == before - 1
    write(file, item("one", "127.0.0.51"), fleet="hamburg")
    taken = run(running, "apply", "-f", str(file))
    assert taken.code == 1
    assert "belongs to the fleet 'munich'" in taken.err


def test_one_array_that_fails_leaves_the_others_alone(running: Up, tmp_path: Path) -> None:
    bad = item("bad", "127.0.0.61", vendor="nobody")
    good = item("good", "127.0.0.62")
    file = str(write(tmp_path / "fleet.yaml", bad, good, fleet=None))
    answer = run(running, "apply", "-f", file, "-o", "json")
    assert answer.code == 1
    found = json.loads(answer.out)
    assert found["summary"] == {
        "registered": 1,
        "updated": 0,
        "removed": 0,
        "unchanged": 0,
        "failed": 1,
        "left over": 0,
    }
    assert found["steps"][0]["error"]["reason"] == "STORAGE_DRIVER_NOT_FOUND"
    same = item("good again", "127.0.0.62")
    write(tmp_path / "fleet.yaml", same, fleet=None)
    twice = run(running, "apply", "-f", file)
    assert twice.code == 1
    assert "(STORAGE_ALREADY_EXISTS)" in twice.err
    assert "--name good again" in twice.err
    assert run(running, "apply", "-f", file, "--prune", "--yes").code == 2


def test_a_secret_may_lie_in_a_file_beside_it(running: Up, tmp_path: Path) -> None:
    (tmp_path / "password").write_text(SECRET + "\n")
    wanted = item("filed", "127.0.0.71")
    wanted["rest"]["passwordFrom"] = {"file": "password"}
    file = write(tmp_path / "fleet.yaml", wanted)
    assert run(running, "apply", "-f", str(file)).code == 0
    text = quick("--server", running.grpc, "diff", "-f", "-", stdin=file.read_text())
    assert text.code == 0, text


WRONG = (
    ("storages: [{name: a, vendor: v, model: m, rest: {password: sentinel-8d1e}}]", "say passwordFrom: {env: NAME}"),
    ("storages: [{name: a, vendor: v, model: m}, {name: a, vendor: v, model: m}]", "'a' stands twice"),
    ("storages: [{name: a, vendor: v}]", "storages[1].model: is missing"),
    ("storages: [{vendor: v, model: m}]", "storages[1].name"),
    ("storages: [{name: a, vendor: v, model: m, rest: {port: a}}]", "a whole number from 0 to 65535, not 'a'"),
    ("storages: [{name: a, vendor: v, model: m, request_id: x}]", "can't be set in this file"),
    ("storages: [{name: a, vendor: v, model: m, color: x}]", "storages[1].color: is unknown"),
    ("fleet: f\nstorages: [{name: a, vendor: v, model: m, labels: {delphis.dev/fleet: g}}]", "is set by `fleet:`"),
    ("storages: {}", "storages: must be a list"),
    ("storage: []", "storage: is unknown"),
    ("", "must be a mapping"),
    ("storages: [\n", "line 2: is neither YAML nor JSON"),
)


def test_a_wrong_file_is_told_by_the_place_and_nothing_is_sent(tmp_path: Path) -> None:
    commands = []
    for number, (content, _) in enumerate(WRONG):
        file = tmp_path / f"fleet-{number}.yaml"
        file.write_text(content)
        commands.append(["--server", "127.0.0.1:1", "apply", "-f", str(file)])
    for (content, complaint), answer in zip(WRONG, delphis_many(*commands), strict=True):
        assert answer.code == 2, content
        assert complaint in answer.err, content
        assert SECRET not in answer.err


def test_overriding_what_an_anchor_gave_is_no_key_twice(server: Server, tmp_path: Path) -> None:
    file = tmp_path / "fleet.yaml"
    file.write_text(
        "x-login: &login {port: 443, username: ops, passwordFrom: {env: ARRAY_PASSWORD}}\n"
        "storages:\n"
        "- {name: a, vendor: v, model: m, rest: {<<: *login, host: 127.0.0.1, port: 444}}\n"
    )
    [answer] = delphis_many(["--server", server.address, "diff", "-f", str(file)])
    assert "rest.port: 444" in answer.out or "may be older" in answer.err, answer
