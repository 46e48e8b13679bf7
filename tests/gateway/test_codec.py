"""The compiled codec against json_format, over every message of the contract."""

from __future__ import annotations

import importlib
import json
import math
from collections.abc import Callable, Iterator
from typing import Any

import orjson
import pytest
from google.protobuf import any_pb2, descriptor_pb2, descriptor_pool, json_format, struct_pb2, wrappers_pb2
from google.protobuf.descriptor import Descriptor
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from benchmarks.codec import filled
from delphis import descriptors
from delphis.type.v1 import alert_pb2, block_pb2, metric_pb2
from gateway import jsontext
from gateway.codecs import Codecs
from gateway.decode import _MessageReader
from gateway.dialect import DELFIN, STANDARD, Dialect, exact
from services.calls.errors import CallError
from tests.gateway.messages import is_map, is_secret, messages, oracle

POOL = descriptor_pool.Default()
CODECS = Codecs(POOL)
SLOW = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.large_base_example]


def contract() -> Iterator[Descriptor]:
    for file in descriptor_pb2.FileDescriptorSet.FromString(descriptors.load()).file:
        importlib.import_module(file.name.removesuffix(".proto").replace("/", ".") + "_pb2")  # fills the pool
        for message in file.message_type:
            yield POOL.FindMessageTypeByName(f"{file.package}.{message.name}")


CONTRACT = list(contract())


def encoded(message: Message, dialect: Dialect) -> Any:
    return json.loads(encoded_text(message, dialect))


def encoded_text(message: Any, dialect: Dialect) -> bytes:
    return orjson.dumps(CODECS.encoders(dialect).of(message.DESCRIPTOR)(message))


def decoded(message: Any, dialect: Dialect, text: bytes) -> Any:
    return CODECS.decoders(dialect).read(message)(jsontext.parse(text), "")


def decoded_strictly(message: Any, dialect: Dialect, text: bytes) -> Any:
    result = GetMessageClass(message)()
    CODECS.decoders(dialect).of(message)(result, jsontext.parse(text), "")
    return result


def test_contract_is_all_there() -> None:
    assert len(CONTRACT) > 100


def test_every_message_of_the_contract() -> None:
    """Once, with all fields set; the tests below have random ones."""
    for descriptor in CONTRACT:
        message = filled(descriptor)
        assert encoded(message, DELFIN) == oracle(message, delfin=True, int64_text=False), descriptor.full_name
        assert encoded(message, STANDARD) == oracle(message, delfin=False, int64_text=True), descriptor.full_name
        for names in (False, True):
            text = json_format.MessageToJson(message, preserving_proto_field_name=names).encode()
            assert decoded(descriptor, STANDARD, text) == message, descriptor.full_name
        without_secrets(message)
        assert decoded(descriptor, DELFIN, encoded_text(message, DELFIN)) == message, descriptor.full_name


@settings(max_examples=120, deadline=None, suppress_health_check=SLOW)
@given(st.data())
def test_encoding(data: st.DataObject) -> None:
    message = data.draw(messages(data.draw(st.sampled_from(CONTRACT))))
    assert encoded(message, DELFIN) == oracle(message, delfin=True, int64_text=False)
    assert encoded(message, exact(DELFIN)) == oracle(message, delfin=True, int64_text=True)
    assert encoded(message, STANDARD) == oracle(message, delfin=False, int64_text=True)


@settings(max_examples=120, deadline=None, suppress_health_check=SLOW)
@given(st.data())
def test_decoding(data: st.DataObject) -> None:
    message = data.draw(messages(data.draw(st.sampled_from(CONTRACT))))
    canonical = json_format.MessageToJson(message).encode()
    assert decoded(message.DESCRIPTOR, STANDARD, canonical) == message
    by_proto_names = json_format.MessageToJson(message, preserving_proto_field_name=True).encode()
    assert decoded(message.DESCRIPTOR, STANDARD, by_proto_names) == message


@settings(max_examples=120, deadline=None, suppress_health_check=SLOW)
@given(st.data())
def test_round_trip(data: st.DataObject) -> None:
    """What we answer we also read, but for what null can't say: an enum that is set to "not set"."""
    message = data.draw(messages(data.draw(st.sampled_from(CONTRACT))))
    without_secrets(message)
    for dialect in (DELFIN, exact(DELFIN), STANDARD):
        text = encoded_text(message, dialect)
        again = decoded(message.DESCRIPTOR, dialect, text)
        if dialect.delfin:
            assert encoded(again, dialect) == json.loads(text)
        else:
            assert again == message


def without_secrets(message: Any) -> None:
    """Also without lists of enums that are not set, which have no null."""
    for field, value in message.ListFields():
        if is_secret(field):
            message.ClearField(field.name)
        elif field.enum_type is not None and field.is_repeated:
            kept = [number for number in value if number]
            del value[:]
            value.extend(kept)
        elif is_map(field):
            if field.message_type.fields_by_name["value"].message_type is not None:
                for item in value.values():
                    without_secrets(item)
        elif field.message_type is not None:
            for item in value if field.is_repeated else [value]:
                without_secrets(item)


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=10,
)


@st.composite
def near_misses(draw: st.DrawFn, descriptor: Descriptor) -> Any:
    """Objects with the message's names and values of any kind."""
    names = st.sampled_from([field.name for field in descriptor.fields] or ["x"]) | st.text(max_size=3)
    found: dict[str, Any] = {}
    for name in draw(st.lists(names, max_size=4)):
        field = descriptor.fields_by_name.get(name)
        if field is not None and field.message_type is not None and not is_map(field) and draw(st.booleans()):
            inner = draw(near_misses(field.message_type))
            found[name] = [inner] if field.is_repeated else inner
        else:
            found[name] = draw(JSON_VALUES)
    return found


@settings(max_examples=120, deadline=None, suppress_health_check=SLOW)
@given(st.data())
def test_anything_else_is_refused_with_a_name(data: st.DataObject) -> None:
    descriptor = data.draw(st.sampled_from(CONTRACT))
    text = json.dumps(data.draw(near_misses(descriptor))).encode()
    for dialect in (DELFIN, STANDARD):
        if (error := refusal(lambda: decoded(descriptor, dialect, text).SerializeToString())) is not None:  # noqa: B023
            assert error.reason in ("INVALID_INPUT", "MALFORMED_REQUEST_BODY")
            orjson.dumps(error.message)
            error.status().SerializeToString()


@settings(max_examples=120, deadline=None, suppress_health_check=SLOW)
@given(st.data())
def test_the_fast_reader_takes_what_the_strict_one_takes(data: st.DataObject) -> None:
    """Also what is nearly right: objects with one thing in them changed."""
    descriptor = data.draw(st.sampled_from(CONTRACT))
    dialect = data.draw(st.sampled_from((DELFIN, exact(DELFIN), STANDARD)))
    value = encoded(data.draw(messages(descriptor)), dialect)
    if data.draw(st.booleans()):
        value = mutated(data, value, descriptor)
    text = json.dumps(value).encode()
    strict = outcome(lambda: decoded_strictly(descriptor, dialect, text))
    assert outcome(lambda: decoded(descriptor, dialect, text)) == strict


def mutated(data: st.DataObject, value: Any, descriptor: Descriptor) -> Any:
    """With one value replaced, added or left out, at any depth."""
    names = [field.name for field in descriptor.fields] + [field.json_name for field in descriptor.fields] + ["x"]
    path = value
    while isinstance(path, dict) and path:
        key = data.draw(st.sampled_from(sorted(path)))
        inner = path[key]
        if isinstance(inner, list) and inner and data.draw(st.booleans()):
            index = data.draw(st.integers(0, len(inner) - 1))
            if not isinstance(inner[index], dict):
                inner[index] = data.draw(JSON_VALUES)
                return value
            inner = inner[index]
        if isinstance(inner, dict) and inner and data.draw(st.booleans()):
            path = inner
            continue
        how = data.draw(st.sampled_from(("replace", "add", "remove", "kind")))
        if how == "remove":
            del path[key]
        elif how == "add":
            path[data.draw(st.sampled_from(names))] = data.draw(JSON_VALUES)
        elif how == "replace":
            path[key] = data.draw(JSON_VALUES)
        else:
            path[key] = data.draw(
                st.sampled_from(
                    (str(inner), [inner], {"a": inner}, True, 0, 1.0, 1.5, "0", -(2**63), 2**64, "", [], {})
                )
            )
        break
    return value


def outcome(work: Callable[[], Message]) -> tuple[bytes, str]:
    try:
        return work().SerializeToString(deterministic=True), ""
    except CallError as error:
        return b"", f"{error.reason} {error.message}"


def test_most_is_read_fast(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the API itself writes does not need the strict reader."""

    def never(*_: object) -> None:
        pytest.fail("the strict reader was asked")

    for dialect in (DELFIN, STANDARD):
        decoders = Codecs(POOL).decoders(dialect)
        for name in ("Volume", "Storage", "RegisterStorageRequest", "Change", "AccessInfo"):
            descriptor = next(message for message in CONTRACT if message.name == name)
            message = filled(descriptor)
            value = jsontext.parse(encoded_text(message, dialect))
            read = decoders.read(descriptor)
            expected = read(value, "")
            monkeypatch.setattr(_MessageReader, "fill", never)
            again = Codecs(POOL).decoders(dialect).read(descriptor)(value, "")
            monkeypatch.undo()
            assert again == expected


@settings(max_examples=80, deadline=None)
@given(st.data())
def test_texts_are_read_as_the_strict_parser_reads_them(data: st.DataObject) -> None:
    """The same value; and a name given twice is found, however it is written."""
    text = data.draw(texts())
    try:
        expected: object = json.loads(text, object_pairs_hook=jsontext._object)
    except CallError as error:
        expected = error.message
    try:
        found = jsontext.parse(text.encode())
    except CallError as error:
        found = error.message
    assert found == expected


@st.composite
def texts(draw: st.DrawFn, depth: int = 3) -> str:
    """JSON with spaces, escapes, and names that may come twice."""
    space = draw(st.sampled_from(("", " ", "\n ")))
    kind = draw(st.sampled_from(("object", "array", "string", "number"))) if depth else "string"
    if kind == "object":
        pairs = draw(st.lists(st.tuples(quoted(), texts(depth - 1)), max_size=3))
        return "{" + ",".join(f"{space}{name}{space}:{value}" for name, value in pairs) + "}"
    if kind == "array":
        return "[" + ",".join(draw(st.lists(texts(depth - 1), max_size=3))) + space + "]"
    if kind == "number":
        return json.dumps(draw(st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, allow_infinity=False)))
    return draw(quoted())


@st.composite
def quoted(draw: st.DrawFn) -> str:
    parts = draw(
        st.lists(st.sampled_from(("a", ":", "{", "]", '\\"', "\\\\", "\\u0022", "\\u0061", "é", "\\/", "")), max_size=4)
    )
    return '"' + "".join(parts) + '"'


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (b'{"a": 1, "a": 2}', "a. It is given twice"),
        (b'{"a":1,"\\u0061":2}', "a. It is given twice"),
        (b'{"a":1,"a":"\\u0022\\u0022"}', "a. It is given twice"),
        (b'[{"b":{"a:":1,"a:":"{}"}}]', "a:. It is given twice"),
        (b"[" * 65 + b"]" * 65, "at most 64 levels"),
        (b'{"a":' * 70 + b"1" + b"}" * 70, "at most 64 levels"),
        (b"[" * 5000, "at most 64 levels"),
        (b'{"a":"\xff"}', "not UTF-8 at byte 6"),
        (b'{"a":\n1,}', "line 2"),
        (b"", "line 1"),
        (b"NaN", "a number that is none"),
        (b"-Infinity", "a number that is none"),
    ],
)
def test_texts_that_are_refused(text: bytes, why: str) -> None:
    with pytest.raises(CallError) as refused:
        jsontext.parse(text)
    assert why in refused.value.message


def test_64_levels_are_read() -> None:
    assert jsontext.parse(b"[" * 64 + b"]" * 64)
    assert jsontext.parse(b'["' + b"[" * 100 + b'"' + b",[]" * 100 + b"]")


@pytest.mark.parametrize("number", [-(2**63) - 1, -(2**63) - 1000, 2**63, 2**64, 10**30])
def test_integers_that_are_too_large(number: int) -> None:
    for dialect in (DELFIN, STANDARD):
        key = "total_capacity" if dialect.delfin else "totalCapacity"
        with pytest.raises(CallError, match="must be an integer from"):
            decoded(block_pb2.Volume.DESCRIPTOR, dialect, f'{{"{key}": {number}}}'.encode())


@settings(max_examples=120, deadline=None)
@given(st.binary(max_size=60) | st.text(max_size=60).map(lambda text: text.encode("utf-8", "surrogatepass")))
def test_any_bytes(data: bytes) -> None:
    error = refusal(lambda: jsontext.parse(data))
    assert error is None or error.reason in ("INVALID_INPUT", "MALFORMED_REQUEST_BODY")


def refusal(work: Callable[[], object]) -> CallError | None:
    try:
        work()
    except CallError as error:
        return error
    return None


@pytest.mark.parametrize(
    "message",
    [
        wrappers_pb2.FloatValue(value=0.1),
        wrappers_pb2.FloatValue(value=16777216.0),
        wrappers_pb2.FloatValue(value=3.4028234663852886e38),
        wrappers_pb2.FloatValue(value=1.1754943508222875e-38),
        wrappers_pb2.Int64Value(value=-(2**63)),
        wrappers_pb2.UInt64Value(value=2**64 - 1),
        wrappers_pb2.BoolValue(value=True),
        wrappers_pb2.StringValue(value="é\u2028\0"),
        wrappers_pb2.BytesValue(value=b"\xff\xfe"),
        struct_pb2.Value(null_value=struct_pb2.NULL_VALUE),
        struct_pb2.Value(list_value=struct_pb2.ListValue(values=[struct_pb2.Value(number_value=1.5)])),
        json_format.ParseDict({"a": {"b": [1, None, "x", True]}}, struct_pb2.Struct()),
    ],
)
def test_special_values(message: Message) -> None:
    canonical = json_format.MessageToJson(message)
    assert encoded(message, STANDARD) == json.loads(canonical)
    again = decoded(message.DESCRIPTOR, STANDARD, canonical.encode())
    assert again.SerializeToString(deterministic=True) == message.SerializeToString(deterministic=True)


def test_numbers_that_are_none() -> None:
    message = metric_pb2.MetricBatch(values=[math.nan, math.inf, -math.inf, 1e300])
    for dialect in (DELFIN, STANDARD):
        found = encoded(message, dialect)
        assert found["values"] == ["NaN", "Infinity", "-Infinity", 1e300]
        again = decoded(message.DESCRIPTOR, dialect, json.dumps({"values": found["values"]}).encode())
        assert str(again) == str(message)


def test_any() -> None:
    holder = any_pb2.Any()
    holder.Pack(block_pb2.Volume(name="v", total_capacity=5))
    found = encoded(holder, STANDARD)
    assert (found["@type"], found["name"], found["totalCapacity"]) == (holder.type_url, "v", "5")
    again = decoded(any_pb2.Any.DESCRIPTOR, STANDARD, orjson.dumps(found))
    inner = block_pb2.Volume()
    assert again.Unpack(inner)
    assert inner == block_pb2.Volume(name="v", total_capacity=5)
    holder.Pack(wrappers_pb2.Int32Value(value=3))
    assert encoded(holder, STANDARD) == json_format.MessageToDict(holder)
    for bad in ({"name": "x"}, {"@type": "x/no.Such"}, {"@type": 1}, {"@type": holder.type_url, "x": 1}):
        with pytest.raises(CallError, match="Invalid input"):
            decoded(any_pb2.Any.DESCRIPTOR, STANDARD, orjson.dumps(bad))


def test_oneof() -> None:
    descriptor = alert_pb2.VarBind.DESCRIPTOR
    assert decoded(descriptor, DELFIN, b'{"integer": 0, "octets": null}') == alert_pb2.VarBind(integer=0)
    for dialect in (DELFIN, STANDARD):
        with pytest.raises(CallError, match="excludes integer"):
            decoded(descriptor, dialect, b'{"integer": 1, "octets": "AA=="}')


def test_both_spellings_of_a_name() -> None:
    with pytest.raises(CallError, match="given twice, also as totalCapacity"):
        decoded(block_pb2.Volume.DESCRIPTOR, STANDARD, b'{"totalCapacity": 1, "total_capacity": 1}')
    with pytest.raises(CallError, match="no such field"):
        decoded(block_pb2.Volume.DESCRIPTOR, DELFIN, b'{"totalCapacity": 1}')


@pytest.mark.parametrize("text", ["AA", "AA==", "-_8", "+/8="])
def test_base64(text: str) -> None:
    decoded(alert_pb2.VarBind.DESCRIPTOR, STANDARD, json.dumps({"octets": text}).encode())
    with pytest.raises(CallError, match="base64"):
        decoded(alert_pb2.VarBind.DESCRIPTOR, STANDARD, json.dumps({"octets": text + "!"}).encode())


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("{", "can't be read from line 1, column 2"),
        ('{"a":1}}', "can't be read from line 1, column 8"),
        ('{"a":' * 70 + "1" + "}" * 70, "nested too deeply"),
        ("[" * 30_000, "nested too deeply"),
        ('{"a":' * 70 + "NaN" + "}" * 70, "number"),
    ],
)
def test_what_is_wrong_with_a_text_is_said(text: str, why: str) -> None:
    with pytest.raises(CallError, match=why):
        jsontext.parse(text.encode())
