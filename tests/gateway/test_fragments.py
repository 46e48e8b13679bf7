"""Lists whose items' JSON is kept: the same answers, bounded memory."""

from __future__ import annotations

import json

import orjson
import pytest
from google.protobuf import descriptor_pool
from google.protobuf.message import DecodeError

from delphis.auth.v1 import auth_pb2
from delphis.inventory.v1 import job_pb2, resource_pb2
from delphis.type.v1 import block_pb2
from gateway.codecs import Codecs
from gateway.dialect import DELFIN, Dialect, exact
from gateway.fragments import Budget, Fragments, ListEncoder, suits
from tests.gateway.support import SERVICES, Running

LISTS = [
    method.output_type
    for service in SERVICES
    for method in service.methods
    if method.name.startswith("List") and method.output_type.fields[0].message_type is not None
]
RESPONSE = resource_pb2.ListVolumesResponse


def encoder(dialect: Dialect = DELFIN) -> ListEncoder:
    encoders = Codecs(descriptor_pool.Default()).encoders(dialect)
    return ListEncoder(RESPONSE.DESCRIPTOR, RESPONSE.DESCRIPTOR.fields_by_name["volumes"], encoders, Budget())


def page(*names: str, token: str = "") -> bytes:
    volumes = [block_pb2.Volume(name=name, native={"k": name}, total_capacity=2**60) for name in names]
    return RESPONSE(volumes=volumes, next_page_token=token).SerializeToString()


@pytest.mark.parametrize("dialect", [DELFIN, exact(DELFIN)])
def test_same_as_without(dialect: Dialect) -> None:
    kept = encoder(dialect)
    plain = Codecs(descriptor_pool.Default()).encoders(dialect).of(RESPONSE.DESCRIPTOR)
    for data in (page(), page("a", "b", "a", token="t"), page("b", "c"), page(token="u")):
        for _ in range(2):
            assert json.loads(orjson.dumps(kept.encode(data))) == plain(RESPONSE.FromString(data))


def test_each_list_of_the_contract_is_kept() -> None:
    assert len(LISTS) > 20
    assert all(suits(response, response.fields[0]) for response in LISTS)
    assert not suits(job_pb2.Job.DESCRIPTOR, job_pb2.Job.DESCRIPTOR.fields_by_name["kinds"])
    assert not suits(auth_pb2.Caller.DESCRIPTOR, auth_pb2.Caller.DESCRIPTOR.fields_by_name["scopes"])


def test_bounded() -> None:
    encoders = Codecs(descriptor_pool.Default()).encoders(DELFIN)
    budget = Budget(max_bytes=20_000)
    volumes = Fragments(block_pb2.Volume.DESCRIPTOR, encoders, budget)
    pools = Fragments(block_pb2.StoragePool.DESCRIPTOR, encoders, budget)
    for number in range(1000):
        for fragments, message in ((volumes, block_pb2.Volume), (pools, block_pb2.StoragePool)):
            found = fragments[message(name=str(number)).SerializeToString()]
            assert json.loads(orjson.dumps(found))["name"] == str(number)
        assert len(volumes) + len(pools) < 40


@pytest.mark.parametrize("data", [b"\xff", b"\x0a\x01\xff", b"\x12\x01\xff"])
def test_bytes_that_are_no_list(data: bytes) -> None:
    with pytest.raises(DecodeError):
        encoder().encode(data)


def test_a_change_is_seen(rest: Running) -> None:
    for name in ("before", "after", "before"):
        rest.stub.answers["ListVolumes"] = RESPONSE(volumes=[block_pb2.Volume(id="1", name=name)])
        assert [volume["name"] for volume in rest.client.get("/v1/volumes").json["volumes"]] == [name]


def test_list_that_is_none(rest: Running) -> None:
    rest.stub.answers["ListVolumes"] = lambda request, call: b"\x0a\x01\xff"
    reply = rest.client.get("/v1/volumes")
    assert (reply.status, reply.json["error_code"]) == (500, "InternalError")
