"""Every kind is listed and shown, in every form, by a real server."""

from __future__ import annotations

import csv
import io
import json
from typing import Any

import pytest
import yaml

from delphis.cli.kinds import KINDS
from delphis.inventory.v1 import resource_pb2
from tests.support.up import Up

from .conftest import delphis_many, quick

VOLUMES = 1100  # more than a page


@pytest.fixture(scope="module")
def array(running: Up) -> dict[str, Any]:
    first = running.register(1, volumes=str(VOLUMES), volume_groups="0", masking_views="2")
    second = running.register(2, volumes="5")
    running.wait_synced(second["id"])
    return running.wait_synced(first["id"])


def test_the_table_of_kinds_has_all_of_the_contract() -> None:
    methods = resource_pb2.DESCRIPTOR.services_by_name["ResourceService"].methods
    assert {kind.message for kind in KINDS} == {
        method.name.removeprefix("Get") for method in methods if method.name.startswith("Get")
    }
    for kind in KINDS:
        fields = next(m for m in methods if m.name == f"Get{kind.message}").output_type.fields_by_name
        assert set(kind.columns) <= set(fields.keys()), kind.command


def test_every_kind_is_listed_and_shown(running: Up, array: dict[str, Any]) -> None:
    server = ["--server", running.grpc]
    lists = delphis_many(*[[*server, kind.command, "list", "--limit", "2", "-o", "json"] for kind in KINDS])
    shows, ids = [], []
    for kind, answer in zip(KINDS, lists, strict=True):
        assert (answer.code, answer.err) == (0, ""), (kind.command, answer)
        [items] = json.loads(answer.out).values()
        assert items, kind.command
        assert len(items) <= 2
        ids.append(items[0]["id"])
        shows += [[*server, kind.command, "show", ids[-1]], [*server, kind.command, "list", "--limit", "1"]]
    answers = delphis_many(*shows, [*server, "volumes", "show", "4711"])
    for number, kind in enumerate(KINDS):
        shown, table = answers[2 * number], answers[2 * number + 1]
        assert shown.code == 0, (kind.command, shown)
        assert shown.out.split()[:2] == ["Id:", ids[number]]
        assert table.code == 0, (kind.command, table)
        head, row = table.out.splitlines()
        assert head.split()[:2] == ["ID", "NAME"]
        assert row.split()[0] == ids[number]
    assert answers[-1].code == 5
    assert "VOLUME_NOT_FOUND" in answers[-1].err
    assert "delphis volumes list" in answers[-1].err


def test_a_list_is_of_one_storage_by_name_or_id(running: Up, array: dict[str, Any]) -> None:
    for storage in (array["id"], array["serial_number"]):
        answer = quick("--server", running.grpc, "volumes", "list", "--storage", storage, "-o", "json")
        assert answer.code == 0, answer.err
        volumes = json.loads(answer.out)["volumes"]
        assert len(volumes) == VOLUMES
        assert {volume["storage_id"] for volume in volumes} == {array["id"]}
    nobody = quick("--server", running.grpc, "volumes", "list", "--storage", "nobody")
    assert nobody.code == 5
    assert "'nobody'" in nobody.err


def test_tables_stop_at_a_thousand_rows_and_say_so(running: Up, array: dict[str, Any]) -> None:
    short, asked, whole = delphis_many(
        ["--server", running.grpc, "volumes", "list"],
        ["--server", running.grpc, "volumes", "list", "--limit", "1001"],
        ["--server", running.grpc, "volumes", "list", "--all"],
    )
    assert len(short.out.splitlines()) == 1 + 1000
    assert "--all" in short.err
    assert (len(asked.out.splitlines()), asked.err) == (1 + 1001, "")
    assert (len(whole.out.splitlines()), whole.err) == (1 + VOLUMES + 5, "")


def test_sizes_are_human_in_tables_and_exact_elsewhere(running: Up, array: dict[str, Any]) -> None:
    wanted = ["--storage", array["id"], "--order-by", "name", "--limit", "1", "--columns", "name,total_capacity"]
    command = ["--server", running.grpc, "volumes", "list", *wanted]
    table, as_json, as_yaml, as_csv = delphis_many(
        command, *[[*command, "-o", form] for form in ("json", "yaml", "csv")]
    )
    assert as_json.code == 0, as_json
    [volume] = json.loads(as_json.out)["volumes"]
    assert yaml.safe_load(as_yaml.out) == {"volumes": [volume]}
    [row] = csv.DictReader(io.StringIO(as_csv.out))
    assert row == {key: str(value) for key, value in volume.items()}
    assert volume["total_capacity"] > 2**30
    name, number, unit = table.out.splitlines()[1].split()
    assert name == volume["name"]
    assert unit in ("GiB", "TiB")
    assert float(number) == pytest.approx(volume["total_capacity"] / {"GiB": 2**30, "TiB": 2**40}[unit], rel=0.01)


def test_csv_has_every_field_and_empty_lists_are_lists(running: Up, array: dict[str, Any]) -> None:
    none = ["--server", running.grpc, "volumes", "list", "--filter", 'name = "no such volume"']
    full, *empty = delphis_many(
        ["--server", running.grpc, "disks", "list", "-o", "csv"],
        *[[*none, "-o", form] for form in ("json", "yaml", "csv")],
    )
    rows = list(csv.DictReader(io.StringIO(full.out)))
    assert rows
    assert {"native_disk_id", "capacity", "storage_id", "created_at"} <= rows[0].keys()
    assert int(rows[0]["capacity"]) > 0
    assert [answer.code for answer in empty] == [0, 0, 0], empty
    assert json.loads(empty[0].out) == {"volumes": []}
    assert yaml.safe_load(empty[1].out) == {"volumes": []}
    assert len(empty[2].out.splitlines()) == 1


def test_options_stand_before_or_after_the_command(running: Up, array: dict[str, Any]) -> None:
    wanted = ["volumes", "list", "--limit", "1"]
    server = ["--server", running.grpc]
    answers = delphis_many(
        [*server, "-o", "json", *wanted],
        ["-o", "csv", "volumes", "-o", "json", "list", "--limit", "1", *server],
        [*wanted, "-o", "json", *server],
        ["--server", "127.0.0.1:1", *wanted, *server, "-o", "json"],  # what is nearer to the command wins
    )
    assert [answer.code for answer in answers] == [0] * 4, answers
    assert len({answer.out for answer in answers}) == 1


def test_related_walks_from_a_volume_to_its_pool_and_hosts(running: Up, array: dict[str, Any]) -> None:
    server = ["--server", running.grpc]
    volume = quick(*server, "masking-views", "list", "--limit", "1", "-o", "json", "--storage", array["id"])
    [view] = json.loads(volume.out)["masking_views"]
    down, up_ = delphis_many(
        [*server, "related", view["id"], "--direction", "down", "-o", "json"],
        [*server, "related", view["id"], "--direction", "up", "--columns", "kind,name"],
    )
    assert "storage_pool" in {item["kind"] for item in json.loads(down.out)["related"]}
    assert "storage_host" in up_.out
    assert quick(*server, "related", "4711").code == 5
