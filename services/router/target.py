"""Field 1 of a request to a driver: read completely, and replaced.

A caller names the storage and nothing else. The router authorises what it reads here, and the host acts on what its own
protobuf library reads; if the two could differ, a caller could have one array authorised and another one touched, or
bring access info of its own. So this reads the wire format itself, as strictly as it can: what protobuf would merge,
skip or keep as unknown inside Target is refused, and of the request's bytes only the fields after Target go on.
"""

from __future__ import annotations

from delphis.driver.v1 import storage_driver_pb2
from services.calls.errors import CallError

_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
_TARGET_TAG = b"\x0a"
_STORAGE_ID_MAX = 64
# Longer varints are refused though some parsers take them: others cut them to 32 bits and see another field.
_MAX_TAG = 1 << 32


class _Malformed(ValueError):
    """Not the bytes of a message."""


def split(request: bytes) -> tuple[str, bytes]:
    """The storage id that the request's Target names, and the request without its Target.

    Raises:
        CallError: TARGET_REFUSED where field 1 is missing, occurs more than once, is no message, or has anything but
            one storage_id; INVALID_INPUT where the request is no message at all.
    """
    # What nearly every request is: a Target, in the shortest form, that holds a storage_id and nothing else.
    size = len(request)
    if 4 < size < 128 and request[:4] == bytes((0x0A, size - 2, 0x0A, size - 4)):
        return _storage_id(request[4:]), b""
    try:
        return _split(request)
    except _Malformed as error:
        raise CallError("INVALID_INPUT", f"The request is not a serialised message: {error}.") from None


def join(target: storage_driver_pb2.Target, rest: bytes) -> bytes:
    """The request for the host: the full Target, then the rest of the caller's request."""
    body = target.SerializeToString()
    return b"".join((_TARGET_TAG, _varint_bytes(len(body)), body, rest))


def refuse_target(rest: bytes) -> None:
    """Checks that what `join` gets has no Target of its own, which the host would merge. ValueError where it has."""
    position = 0
    while position < len(rest):
        number, wire_type, position = _tag(rest, position)
        position = _skip(rest, position, wire_type)[1]
        if number == 1:
            raise ValueError("the body of a routed call must not hold a target; give the storage id")


def _split(request: bytes) -> tuple[str, bytes]:
    storage_id: str | None = None
    rest: list[bytes] = []
    kept = position = 0
    while position < len(request):
        began = position
        number, wire_type, position = _tag(request, position)
        content, position = _skip(request, position, wire_type)
        if number != 1:
            continue
        if wire_type != _BYTES:
            raise _refused("field 1, the target, is not a message")
        if storage_id is not None:
            raise _refused("field 1, the target, occurs more than once")
        storage_id = _read_target(request[content:position])
        rest.append(request[kept:began])
        kept = position
    if storage_id is None:
        raise _refused("the target is missing")
    rest.append(request[kept:])
    return storage_id, b"".join(rest)


def _read_target(target: bytes) -> str:
    storage_id: str | None = None
    position = 0
    while position < len(target):
        number, wire_type, position = _tag(target, position)
        content, position = _skip(target, position, wire_type)
        if number != 1 or wire_type != _BYTES:
            raise _refused(f"the target has {_field_name(number)}, which only the router sets")
        if storage_id is not None:
            raise _refused("the target has more than one storage_id")
        storage_id = _storage_id(target[content:position])
    if storage_id is None:
        raise _refused("the target has no storage_id")
    return storage_id


def _storage_id(text: bytes) -> str:
    try:
        storage_id = text.decode("utf-8")
    except UnicodeDecodeError:
        raise _refused("the target's storage_id is not UTF-8") from None
    if not 0 < len(storage_id) <= _STORAGE_ID_MAX:
        raise _refused(f"the target's storage_id must have 1 to {_STORAGE_ID_MAX} characters")
    return storage_id


def _tag(data: bytes, position: int) -> tuple[int, int, int]:
    """Field number, wire type, and the position after the tag. Longer forms of the same number count as that number."""
    tag, position = _varint(data, position)
    if tag >= _MAX_TAG:
        raise _Malformed("a field number is out of range")
    if tag >> 3 == 0:
        raise _Malformed("a field has the number 0")
    return tag >> 3, tag & 7, position


def _skip(data: bytes, position: int, wire_type: int) -> tuple[int, int]:
    """Where the field's content begins and where it ends."""
    if wire_type == _VARINT:
        return position, _varint(data, position)[1]
    if wire_type == _BYTES:
        length, position = _varint(data, position)
    elif wire_type == _FIXED64:
        length = 8
    elif wire_type == _FIXED32:
        length = 4
    else:  # groups, which nothing here uses and in which a field 1 could hide
        raise _Malformed(f"wire type {wire_type} is not used here")
    if length > len(data) - position:
        raise _Malformed("a field is longer than what holds it")
    return position, position + length


def _varint(data: bytes, position: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        if position >= len(data):
            raise _Malformed("it ends within a number")
        byte = data[position]
        position += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, position
        shift += 7
        if shift >= 70:
            raise _Malformed("a number is longer than 10 bytes")


def _varint_bytes(value: int) -> bytes:
    encoded = bytearray()
    while value > 0x7F:
        encoded.append(value & 0x7F | 0x80)
        value >>= 7
    encoded.append(value)
    return bytes(encoded)


def _field_name(number: int) -> str:
    field = storage_driver_pb2.Target.DESCRIPTOR.fields_by_number.get(number)
    return f"the unknown field {number}" if field is None else field.name


def _refused(problem: str) -> CallError:
    return CallError(
        "TARGET_REFUSED",
        f"The request is refused: {problem}. Send a target with the storage_id alone.",
        metadata={"problem": problem},
    )
