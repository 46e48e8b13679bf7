"""`fields=`: answers with what the caller chose."""

from __future__ import annotations

from typing import Any

import pytest

from delphis.inventory.v1 import resource_pb2
from delphis.type.v1 import block_pb2, storage_pb2
from gateway.dialect import DELFIN, STANDARD
from gateway.projection import MAX_FIELDS, Projections
from services.calls.errors import CallError
from tests.gateway.support import Running

VOLUME = block_pb2.Volume(id="v1", name="n", native={"a": "1", "b.c": "2"})


def test_one(rest: Running) -> None:
    rest.stub.answers["GetVolume"] = VOLUME
    found = rest.client.get("/v1/volumes/v1?fields=name,id,total_capacity")
    assert (found.status, found.json) == (200, {"name": "n", "id": "v1", "total_capacity": None})
    assert rest.stub.last == ("GetVolume", resource_pb2.GetVolumeRequest(id="v1"))


def test_a_list_has_them_in_its_items(rest: Running) -> None:
    volumes = [VOLUME, block_pb2.Volume(id="v2")]
    rest.stub.answers["ListVolumes"] = resource_pb2.ListVolumesResponse(volumes=volumes, next_page_token="t")
    found = rest.client.get("/v1/volumes?fields=id,%20name&limit=2").json
    assert found["volumes"] == [{"id": "v1", "name": "n"}, {"id": "v2", "name": None}]
    assert found["next_page_token"] == "t", "what is beside the items stays"
    assert rest.client.get("/v1/volumes?limit=2").json["volumes"][0].keys() > {"id", "native"}
    assert rest.stub.last[1].page_size == 2
    assert rest.stub.last[1].filter == "", "it is no comparison"


def test_keys_of_maps_and_inner_fields(rest: Running) -> None:
    rest.stub.answers["GetVolume"] = VOLUME
    found = rest.client.get("/v1/volumes/v1?fields=native.b.c,name").json
    assert found == {"native": {"b.c": "2"}, "name": "n"}
    assert rest.client.get("/v1/volumes/v1?fields=native.b.c,native").json == {"native": {"a": "1", "b.c": "2"}}


def test_what_is_created_too(rest: Running) -> None:
    rest.stub.answers["RegisterStorage"] = storage_pb2.Storage(id="s", name="n")
    body = {"vendor": "v", "model": "m", "rest": {"host": "h", "port": 1, "username": "u", "password": "p"}}
    found = rest.client.request("POST", "/v1/storages?fields=id", body)
    assert (found.status, found.json) == (201, {"id": "s"})


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ("nothing", "nothing"),
        ("id,nothing", "nothing"),
        ("name.inner", "name.inner"),
        ("created_at.seconds", "created_at.seconds"),
        ("totalCapacity", "totalCapacity"),
        ("name.", "name."),
        (".name", ".name"),
        ("%FF", ""),
    ],
)
def test_unknown_fields_are_named_and_nothing_is_called(rest: Running, fields: str, named: str) -> None:
    found = rest.client.get(f"/v1/volumes/v1?fields={fields}")
    assert found.status == 400
    assert named in found.json["error_msg"]
    assert not rest.stub.calls


@pytest.mark.parametrize("query", ["fields=", "fields=id,,name", "fields=id&fields=name"])
def test_what_is_no_list_of_fields(rest: Running, query: str) -> None:
    found = rest.client.get(f"/v1/volumes/v1?{query}")
    assert (found.status, found.json["error_code"]) == (400, "InvalidInput")
    assert "fields" in found.json["error_args"]


def test_many_choices_are_not_all_kept() -> None:
    projections = Projections(block_pb2.Volume.DESCRIPTOR, DELFIN)
    for number in range(1000):
        projections.of(f"native.{number}")
    assert len(projections._kept) <= 100
    with pytest.raises(CallError, match="at most"):
        projections.of(",".join(["id"] * (MAX_FIELDS + 1)))


@pytest.mark.parametrize(
    ("text", "value", "expected"),
    [
        ("name", {"name": 1, "id": 2}, {"name": 1}),
        ("totalCapacity", {"totalCapacity": "5"}, {"totalCapacity": "5"}),
        ("total_capacity", {"totalCapacity": "5", "name": 1}, {"totalCapacity": "5"}),
        ("name", {"id": 1}, {}),
    ],
)
def test_canonical_names(text: str, value: Any, expected: Any) -> None:
    assert Projections(block_pb2.Volume.DESCRIPTOR, STANDARD).of(text).apply(value) == expected


def test_secrets_are_no_fields(rest: Running) -> None:
    found = rest.client.get("/v1/storages/s/access-info?fields=rest.password")
    assert (found.status, "rest.password" in found.json["error_msg"]) == (400, True)
    assert rest.client.get("/v1/storages/s/access-info?fields=rest.host").json == {"rest": {}}
