"""Three attacks on the router: each is refused, and the array is never asked with the attacker's access info."""

from __future__ import annotations

import grpc
import pytest

from delphis.driver.v1 import storage_driver_pb2
from delphis.type.v1 import access_pb2
from tests.support.up import Up

PATH = "/delphis.driver.v1.StorageDriver/GetStorage"


def send(delphis: Up, body: bytes) -> bytes:
    with grpc.insecure_channel(delphis.grpc) as channel:
        ask: grpc.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary(PATH)
        return ask(body, timeout=60)


def field_one(target: bytes) -> bytes:
    return b"\x0a" + bytes([len(target)]) + target


@pytest.fixture(scope="module")
def storage_id(delphis: Up) -> str:
    storage = delphis.register(70, volumes="1")
    delphis.wait_synced(storage["id"])
    identity: str = storage["id"]
    return identity


def attacks(storage_id: str) -> dict[str, bytes]:
    plain = storage_driver_pb2.Target(storage_id=storage_id).SerializeToString()
    own = storage_driver_pb2.Target(
        storage_id=storage_id,
        access_info=access_pb2.AccessInfo(rest=access_pb2.RestAccess(host="127.0.0.66", port=1)),
    ).SerializeToString()
    weaker = storage_driver_pb2.Target(
        storage_id=storage_id,
        access_info=access_pb2.AccessInfo(rest=access_pb2.RestAccess(tls=access_pb2.Tls(mode=access_pb2.TLS_MODE_OFF))),
    ).SerializeToString()
    only_access = storage_driver_pb2.Target(
        access_info=access_pb2.AccessInfo(rest=access_pb2.RestAccess(host="127.0.0.66"))
    ).SerializeToString()
    return {
        "access info of the caller's": field_one(own),
        "field 1 twice, the same": field_one(plain) * 2,
        "field 1 twice, the second with access info": field_one(plain) + field_one(only_access),
        "field 1 twice, with a long tag": field_one(plain) + b"\x8a\x00" + field_one(only_access)[1:],
        "weaker TLS": field_one(weaker),
        "an unknown field": field_one(plain + b"\xf8\x07\x01"),
        "a revision": field_one(plain + b"\x18\x05"),
        "an owner epoch": field_one(plain + b"\x20\x05"),
        "field 1 as a number": b"\x08\x01",
        "no target": b"",
        "cut off": field_one(plain)[:-3],
    }


@pytest.mark.parametrize("name", attacks("x"))
def test_an_attack_is_refused(delphis: Up, storage_id: str, name: str) -> None:
    with pytest.raises(grpc.RpcError) as raised:
        send(delphis, attacks(storage_id)[name])
    assert raised.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    expected = "INVALID_INPUT" if name == "cut off" else "TARGET_REFUSED"
    assert expected in str(raised.value.trailing_metadata())


def test_the_plain_call_is_answered(delphis: Up, storage_id: str) -> None:
    request = storage_driver_pb2.GetStorageRequest(target=storage_driver_pb2.Target(storage_id=storage_id))
    answer = storage_driver_pb2.GetStorageResponse.FromString(send(delphis, request.SerializeToString()))
    assert answer.storage.serial_number
