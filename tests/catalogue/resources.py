"""Lists of resources, one by id, and what an item looks like."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from tests.catalogue.models import MODELS, Model
from tests.catalogue.rows import Row
from tests.catalogue.world import World
from tests.support.up import Reply

TIME = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{6}")
UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
EXACT = {"Accept": "application/json;int64=string"}


def one(world: World, model: Model, native: str, *, headers: dict[str, str] | None = None) -> dict[str, Any]:
    """An item of array `a`, asked for by its id."""
    listed = world.items(f"/v1/storages/{{a}}/{model.path}?{model.native}={native}")
    assert len(listed) == 1
    reply = world.ask("GET", f"/v1/{model.path}/{listed[0]['id']}", headers=headers)
    item: dict[str, Any] = reply.json
    assert reply.status == 200
    if headers is None:
        assert item == listed[0]
    return item


def full(model: Model) -> Row:
    """Every field is there, with its value, in its type."""

    def check(world: World, _: Reply) -> None:
        item = one(world, model, "full")
        assert item.keys() >= model.fields
        assert (item["storage_id"], item[model.native]) == (world.names["a"], "full")
        assert UUID.fullmatch(item["id"])
        assert TIME.fullmatch(item["created_at"])
        assert item["updated_at"] is None
        assert {name: item[name] for name in model.texts} == {name: f"{name} of array 9001" for name in model.texts}
        assert {item[name] for name in model.natives} <= {"full"}
        assert all(type(item[name]) is int and item[name] > 0 for name in model.integers)
        assert all(item[name] is True for name in model.flags)
        assert all(item[name] in texts for name, texts in model.enums.items())
        assert all(item[name] == ["full", "bare"] for name in model.lists if name != "storage_host_initiators")

    return Row(f"{model.key}-every-field-set", f"GET {model.paths[0]}?limit=1", key=model.key, check=check)


def bare(model: Model) -> Row:
    """What the array doesn't say is null, and there."""

    def check(world: World, _: Reply) -> None:
        item = one(world, model, "bare")
        assert item.keys() >= model.fields
        unset = {*model.texts, *model.natives, *model.integers, *model.flags, *model.enums, "updated_at"}
        assert [name for name in unset if item[name] is not None] == []
        assert all(item[name] == [] for name in model.lists)

    return Row(f"{model.key}-no-field-set", f"GET {model.paths[0]}?limit=1", key=model.key, check=check)


def exact(model: Model) -> Row:
    """64-bit integers as texts, where they are asked for; those of 32 bits stay numbers."""

    def check(world: World, _: Reply) -> None:
        plain, item = one(world, model, "full"), one(world, model, "full", headers=EXACT)
        small = {"cpu_count", "health_score"}
        for name in model.integers:
            assert item[name] == (plain[name] if name in small else str(plain[name]))
        assert {name: item[name] for name in item if name not in model.integers} == {
            name: plain[name] for name in plain if name not in model.integers
        }

    return Row(f"{model.key}-int64-as-text", f"GET {model.paths[0]}?limit=1", key=model.key, check=check)


def below(model: Model) -> Row:
    """Below a storage is what belongs to it, and nothing of the other array with the same native ids."""

    def check(world: World, _: Reply) -> None:
        path = f"/{model.path}?{model.native}=full"
        (of_a,), (of_b,) = world.items("/v1/storages/{a}" + path), world.items("/v1/storages/{b}" + path)
        assert (of_a["storage_id"], of_b["storage_id"]) == (world.names["a"], world.names["b"])
        both = {item["id"] for item in world.items(f"/v1{path}")}
        assert {of_a["id"], of_b["id"]} == both
        assert of_a["id"] != of_b["id"]
        if "name" in model.texts:
            assert of_b["name"] == "name of array 9002"

    return Row(f"{model.key}-of-two-arrays", f"GET {model.paths[0]}?limit=1", key=model.key, check=check)


def rows() -> Iterator[Row]:
    """All of it for each model."""
    for model in MODELS:
        key, path = model.key, model.path
        yield Row(f"{key}-list", f"GET /v1/{path}?limit=3", key=key, count=3)
        yield Row(f"{key}-list-json", f"GET /v1/{path}.json?limit=3", key=key, count=3)
        yield Row(f"{key}-list-of-a-storage", f"GET /v1/storages/{{a}}/{path}?limit=2", key=key, count=2)
        yield Row(f"{key}-list-of-nobody", f"GET /v1/storages/{{nobody}}/{path}", 404, "StorageNotFound")
        yield Row(
            f"{key}-path-and-parameter",
            f"GET /v1/storages/{{a}}/{path}?storage_id={{b}}",
            400,
            "InvalidInput",
            said="storage_id",
        )
        yield Row(f"{key}-by-id-not-there", f"GET /v1/{path}/{{nobody}}", 404, model.not_found, said="1111")
        yield Row(f"{key}-by-id-of-a-storage", f"GET /v1/{path}/{{a}}", 404, model.not_found)
        yield Row(f"{key}-by-no-id", f"GET /v1/{path}/new", 404, model.not_found, said="new")
        yield Row(f"{key}-marker", f"GET /v1/{path}?marker={{nobody}}", 404, model.not_found)
        yield Row(f"{key}-limit-0", f"GET {model.paths[0]}?limit=0", key=key, count=0)
        for method in ("POST", "PUT", "PATCH", "DELETE"):
            yield Row(f"{key}-{method.lower()}", f"{method} /v1/{path}/{{nobody}}", 404, "NotFound", said=method)
        yield from (full(model), bare(model), exact(model), below(model))


def _of_initiators(world: World, reply: Reply) -> None:
    """A host names the initiators that name it, of its own array only."""
    (host,) = reply.json["storage_hosts"]
    assert host["storage_host_initiators"] == ["full"]
    assert one(world, MODELS[9], "full")["native_storage_host_id"] == "full"


TABLE = [
    *rows(),
    Row(
        "initiators-of-a-host",
        "GET /v1/storages/{a}/storage-hosts?native_storage_host_id=full",
        key="storage_hosts",
        check=_of_initiators,
    ),
    Row("pools-as-the-driver-guide-spells-them", "GET /v1/storages-pools?limit=1", key="storage_pools", count=1),
]
