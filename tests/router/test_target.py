"""The refuse-and-replace rule for field 1, judged by protobuf itself."""

from __future__ import annotations

import pytest
from google.protobuf.message import DecodeError
from hypothesis import example, given
from hypothesis import strategies as st

from delphis.driver.v1 import storage_driver_pb2 as pb
from services.calls.errors import CallError
from services.router import target

ID = "3f2b6c1e-0000-4000-8000-000000000001"


def varint(value: int, padding: int = 0) -> bytes:
    """A varint, made longer than needed by so many bytes."""
    groups = []
    while True:
        groups.append(value & 0x7F)
        value >>= 7
        if not value:
            break
    groups += [0] * padding
    return bytes([group | 0x80 for group in groups[:-1]] + [groups[-1]])


def field(number: int, content: bytes, padding: int = 0) -> bytes:
    return varint(number << 3 | 2, padding) + varint(len(content), padding) + content


def refusal(request: bytes) -> CallError:
    with pytest.raises(CallError) as caught:
        target.split(request)
    return caught.value


# ---- The attacks of the issue ----


def test_access_info_set_by_the_caller_is_refused() -> None:
    request = pb.ListAlertsRequest()
    request.target.storage_id = ID
    request.target.access_info.rest.host = "127.6.6.6"
    error = refusal(request.SerializeToString())
    assert error.reason == "TARGET_REFUSED"
    assert "access_info" in error.message


def test_field_1_sent_twice_is_refused() -> None:
    allowed = pb.Target(storage_id=ID).SerializeToString()
    wanted = pb.Target(storage_id="another").SerializeToString()
    for request in (field(1, allowed) + field(1, wanted), field(1, wanted) + b"\x12\x00" + field(1, allowed)):
        assert pb.GetStorageRequest.FromString(request).target.storage_id in (ID, "another")  # protobuf merges
        error = refusal(request)
        assert error.reason == "TARGET_REFUSED"
        assert "more than once" in error.message


def test_weaker_tls_set_by_the_caller_is_refused() -> None:
    request = pb.GetStorageRequest()
    request.target.access_info.rest.tls.SetInParent()
    weaker = request.target.SerializeToString()
    first, second = pb.Target(storage_id=ID).SerializeToString() + weaker, weaker
    assert refusal(field(1, first)).reason == "TARGET_REFUSED"
    assert refusal(field(1, pb.Target(storage_id=ID).SerializeToString()) + field(1, second)).reason == "TARGET_REFUSED"


# ---- Single cases ----


@pytest.mark.parametrize(
    ("request_", "reason", "said"),
    [
        (b"", "TARGET_REFUSED", "target is missing"),
        (field(2, b"x"), "TARGET_REFUSED", "target is missing"),
        (field(1, b""), "TARGET_REFUSED", "no storage_id"),
        (field(1, field(1, b"")), "TARGET_REFUSED", "1 to 64 characters"),
        (field(1, field(1, b"x" * 65)), "TARGET_REFUSED", "1 to 64 characters"),
        (field(1, field(1, b"\xff")), "TARGET_REFUSED", "not UTF-8"),
        (field(1, field(1, b"\xed\xa0\x80")), "TARGET_REFUSED", "not UTF-8"),
        (field(1, field(1, b"a") + field(1, b"b")), "TARGET_REFUSED", "more than one storage_id"),
        (field(1, field(1, b"a") + b"\x18\x01"), "TARGET_REFUSED", "access_revision"),
        (field(1, field(1, b"a") + b"\x20\x01"), "TARGET_REFUSED", "owner_epoch"),
        (field(1, field(1, b"a") + field(77, b"")), "TARGET_REFUSED", "unknown field 77"),
        (field(1, b"\x08\x01"), "TARGET_REFUSED", "storage_id"),
        (b"\x08\x01", "TARGET_REFUSED", "not a message"),
        (b"\x0d\x00\x00\x00\x00", "TARGET_REFUSED", "not a message"),
        (b"\x0a", "INVALID_INPUT", "ends within a number"),
        (b"\x0a\x05a", "INVALID_INPUT", "longer than what holds it"),
        (field(1, field(1, b"a")[:-1] + b""), "INVALID_INPUT", "longer than what holds it"),
        (b"\x02\x00", "INVALID_INPUT", "number 0"),
        (b"\x0b\x0c", "INVALID_INPUT", "wire type 3"),
        (b"\x0f", "INVALID_INPUT", "wire type 7"),
        (b"\x80" * 11, "INVALID_INPUT", "longer than 10 bytes"),
        (varint((1 << 32) + 10) + b"\x00", "INVALID_INPUT", "out of range"),
    ],
)
def test_what_is_refused(request_: bytes, reason: str, said: str) -> None:
    error = refusal(request_)
    assert error.reason == reason
    assert said in error.message


def test_longer_forms_of_field_1_are_field_1() -> None:
    inner = field(1, ID.encode(), padding=2)
    assert target.split(field(1, inner, padding=3)) == (ID, b"")
    plain = field(1, field(1, ID.encode()))
    for padding in (1, 2, 3, 4):
        assert refusal(plain + field(1, field(1, b"other"), padding=padding)).reason == "TARGET_REFUSED"


def test_the_rest_of_the_request_stays_byte_for_byte() -> None:
    before, after = field(9, b"unknown") + b"\x10\x05", b"\x9d\x06abcd" + field(2, b"x" * 300, padding=1)
    storage_id, rest = target.split(before + field(1, field(1, ID.encode())) + after)
    assert (storage_id, rest) == (ID, before + after)


def test_a_body_with_a_target_of_its_own_is_a_fault_of_the_caller() -> None:
    target.refuse_target(b"")
    target.refuse_target(field(2, b"x"))
    with pytest.raises(ValueError, match="must not hold a target"):
        target.refuse_target(field(2, b"x") + field(1, b""))


# ---- Properties ----

wire_field = st.one_of(
    st.builds(field, st.integers(1, 40), st.binary(max_size=40), st.integers(0, 3)),
    st.builds(
        lambda n, v, p: varint(n << 3, p) + varint(v), st.integers(1, 40), st.integers(0, 2**63), st.integers(0, 2)
    ),
    st.builds(lambda n, c: varint(n << 3 | 1) + c, st.integers(1, 40), st.binary(min_size=8, max_size=8)),
    st.builds(lambda n, c: varint(n << 3 | 5) + c, st.integers(1, 40), st.binary(min_size=4, max_size=4)),
)
good_target = st.text(st.characters(codec="utf-8"), min_size=1, max_size=64)
some_request = st.lists(
    st.one_of(
        wire_field,
        st.builds(lambda text, p: field(1, field(1, text.encode(), p), p), good_target, st.integers(0, 3)),
        st.builds(lambda parts: field(1, b"".join(parts)), st.lists(wire_field, max_size=3)),
    ),
    max_size=5,
).map(b"".join)


def judge(request: bytes) -> None:
    """What passes means to protobuf exactly what it meant to us."""
    try:
        storage_id, rest = target.split(request)
    except CallError as error:
        if error.reason not in ("TARGET_REFUSED", "INVALID_INPUT"):
            raise
        return
    try:
        theirs = pb.ListAlertsRequest.FromString(request)
    except DecodeError:  # the rest is wrong for this message: the host will say so
        return
    assert theirs.target == pb.Target(storage_id=storage_id)
    full = pb.Target(storage_id=storage_id, access_revision=7)
    full.access_info.rest.host = "127.0.0.1"
    relayed = pb.ListAlertsRequest.FromString(target.join(full, rest))
    assert relayed.target == full
    for message in (theirs, relayed):
        message.ClearField("target")
    assert relayed.SerializeToString(deterministic=True) == theirs.SerializeToString(deterministic=True)
    target.refuse_target(rest)


@given(some_request)
def test_built_requests(request: bytes) -> None:
    judge(request)


@given(st.binary(max_size=200))
@example(b"\x8a\x80\x00\x02\x0a\x00")
def test_any_bytes(request: bytes) -> None:
    judge(request)


@given(some_request, st.data())
def test_requests_with_a_flipped_bit(request: bytes, data: st.DataObject) -> None:
    if request:
        position = data.draw(st.integers(0, len(request) - 1))
        flipped = bytearray(request)
        flipped[position] ^= 1 << data.draw(st.integers(0, 7))
        judge(bytes(flipped))


@given(good_target, st.binary(max_size=50))
def test_a_good_request_passes(storage_id: str, text: bytes) -> None:
    request = field(1, field(1, storage_id.encode())) + field(50, text)
    assert target.split(request) == (storage_id, field(50, text))
