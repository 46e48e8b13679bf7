"""What a recording puts in place of what is private."""

from __future__ import annotations

import ipaddress
import json
import random
import re
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from delphis.sdk.recording import bodies
from delphis.sdk.recording.replacements import Replacements
from delphis.sdk.recording.vocabulary import Kind, kind_of

SECRET = "s3ntinel/pass word&1"


def replaced(body: str, table: Replacements | None = None, kind: str = "") -> str:
    table = table or Replacements(dice=random.Random(1))

    def learn(key: str, text: str) -> str:
        table.learn(key, text)
        return text

    bodies.rewrite(body, kind, learn)
    return bodies.rewrite(body, kind, table.value)


@pytest.mark.parametrize(
    ("key", "kind"),
    [
        ("serialNumber", Kind.SERIAL),
        ("Serial Number", Kind.SERIAL),
        ("serial-number", Kind.SERIAL),
        ("SN", Kind.SERIAL),
        ("symmetrixId", Kind.SERIAL),
        ("X-Auth-Token", Kind.SECRET),
        ("iBaseToken", Kind.SECRET),
        ("password", Kind.SECRET),
        ("WWPN", Kind.WWN),
        ("hostName", Kind.HOST),
        ("userName", Kind.USER),
        ("firmware_version", Kind.VERSION),
        ("userCapacity", None),
        ("serialPortSpeed", None),
        ("name", None),
    ],
)
def test_names_of_fields(key: str, kind: Kind | None) -> None:
    assert kind_of(key) is kind


def test_the_form_of_each_kind_stays() -> None:
    body = {
        "serialNumber": "CKM00123456",
        "ip": "10.1.2.3",
        "ip6": "fd00::12",
        "mac": "00-60-16-aB-cd-Ef",
        "wwn": "50:00:09:73:00:12:34:56",
        "naa": "naa.60000970000197800123533030334231",
        "iqn": "iqn.1993-08.org.debian:01:abcdef",
        "node": "db01.corp.acme.com",
        "mail": "jane.doe@acme.com",
    }
    made: dict[str, str] = json.loads(replaced(json.dumps(body)))
    assert not set(made.values()) & set(body.values())
    assert re.fullmatch(r"[A-Z]{3}\d{8}", made["serialNumber"])
    assert ipaddress.ip_address(made["ip"]) in ipaddress.ip_network("192.0.2.0/24")
    assert ipaddress.ip_address(made["ip6"]) in ipaddress.ip_network("2001:db8::/32")
    assert re.fullmatch(r"00-60-16(-[0-9A-F]{2}){3}", made["mac"])
    assert re.fullmatch(r"50:00:09:7[0-9a-f](:[0-9a-f]{2}){4}", made["wwn"])
    assert re.fullmatch(r"naa\.6000097[0-9a-f]{25}", made["naa"])
    assert re.fullmatch(r"iqn\.1993-08\.org\.debian:\d\d:[a-f]{6}|iqn\.1993-08\.org\.debian:\d\d:[a-z]{6}", made["iqn"])
    assert re.fullmatch(r"[a-z]{2}\d\d\.[a-z]{6}\.example", made["node"])
    assert made["mail"].endswith(".example")


def test_what_looks_private_and_is_not_stays() -> None:
    body = {
        "firmware": "6.5.0.2",
        "netmask": "255.255.255.0",
        "any": "0.0.0.0",
        "time": "12:30:45",
        "at": "2021-11-02T10:20:30.123456Z",
        "capacity": 5000000000000000,
        "ratio": 1.50,
        "schema": "http://www.w3.org/2001/XMLSchema",
        "status": "normal",
        "user": "admin",
    }
    assert json.loads(replaced(json.dumps(body))) == body


def test_one_wwn_in_any_spelling_is_one_wwn() -> None:
    made = json.loads(
        replaced('{"a": "50:00:09:73:00:12:34:5F", "b": "500009730012345f", "c": "x 0x500009730012345F", "d": 1}')
    )
    plain = made["a"].replace(":", "").lower()
    assert made["b"] == plain
    assert made["c"].lower() == f"x 0x{plain}"


def test_a_serial_is_replaced_wherever_it_stands() -> None:
    table = Replacements(dice=random.Random(2))
    body = '{"serial": "ABC12345", "path": "/arrays/ABC12345/x", "name": "vol_ABC12345", "other": "ABC123456"}'
    made = json.loads(replaced(body, table))
    new = made["serial"]
    assert made == {"serial": new, "path": f"/arrays/{new}/x", "name": f"vol_{new}", "other": "ABC123456"}
    assert new != "ABC12345"


def test_json_keeps_its_numbers_and_its_order() -> None:
    body = '{"b":1.50,"a":[1e3,-0,{"x":[],"y":{}}],"serial":601620378,"big":123456789012345678901234567890}'
    made = replaced(body)
    assert re.sub(r"\s", "", made).replace(re.findall(r'serial": (\d+)', made)[0], "601620378") == body
    assert '"serial": 601620378' not in made
    assert "\n  " in made


def test_output_of_commands() -> None:
    body = (
        "Serial Number : [CKM00123456]\n"
        "Management IP : 10.1.2.3\n"
        "Version = 8.1.0.4\n"
        "\n"
        "Id     Serial    State\n"
        "d0     XYZ1234   ok\n"
        "d1     XYZ1235   CKM00123456\n"
    )
    made = replaced(body)
    assert [len(line) for line in made.splitlines()][3:] == [len(line) for line in body.splitlines()][3:]
    for private in ("CKM00123456", "10.1.2.3", "XYZ1234", "XYZ1235"):
        assert private not in made
    assert "8.1.0.4" in made
    assert made.count(re.findall(r"\[(\w+)\]", made)[0]) == 2


def test_xml_keeps_its_form() -> None:
    body = (
        '<?xml version="1.0"?>\n<R xmlns="http://a.acme.com/x">\n <P name="serial-number" type="string">00C0FF12</P>\n'
        ' <host ip="10.1.2.3"/><!-- x --><t>A &amp; B</t>\n</R>'
    )
    made = replaced(body)
    assert "00C0FF12" not in made
    assert "10.1.2.3" not in made
    assert re.sub(r">[0-9A-F]{8}<|192\.0\.2\.1", "", made) == re.sub(r">00C0FF12<|10\.1\.2\.3", "", body)


def test_a_secret_is_replaced_in_every_spelling() -> None:
    from delphis.sdk.redaction import spellings_of

    table = Replacements([SECRET])
    for spelling in spellings_of(SECRET):
        assert spelling not in table.scrub(f"x{spelling}y")
    assert table.scrub(SECRET) == table.scrub(SECRET)
    assert len(table.scrub(SECRET)) == len(SECRET)


def test_another_recording_replaces_otherwise() -> None:
    assert Replacements([SECRET]).scrub(SECRET) != Replacements([SECRET]).scrub(SECRET)


LEAVES = st.one_of(
    st.ip_addresses(v=4).map(str),
    st.from_regex(r"5[0-9a-f]{15}", fullmatch=True),
    st.from_regex(r"[A-Z]{3}[0-9]{6}", fullmatch=True),
    st.integers(),
    st.booleans(),
    st.none(),
    st.text(max_size=12),
)
DOCUMENTS = st.dictionaries(
    st.sampled_from(["serial", "ip", "wwn", "name", "note", "items", "password"]),
    st.one_of(LEAVES, st.lists(LEAVES, max_size=4), st.dictionaries(st.sampled_from(["serial", "ip"]), LEAVES)),
    min_size=1,
)


def shape(value: Any) -> Any:
    """What has to stay: structure, kinds of values; of texts the length, where no address is in them."""
    match value:
        case dict():
            return {key: shape(each) for key, each in value.items()}
        case list():
            return [shape(each) for each in value]
        case str() if re.search(r"\d+\.\d+\.\d+\.\d+|:", value):
            return "address"
        case str():
            return len(value)
        case _:
            return type(value)


@settings(max_examples=60, deadline=None)
@given(DOCUMENTS)
def test_shapes_stay_and_the_same_is_the_same(document: dict[str, Any]) -> None:
    table = Replacements(dice=random.Random(3))
    body = json.dumps(document)
    made = replaced(body, table)
    assert shape(json.loads(made)) == shape(document)
    assert bodies.rewrite(body, "", table.value) == made


@settings(max_examples=60, deadline=None)
@given(st.lists(st.from_regex(r"[A-Z]{2}[0-9]{6}", fullmatch=True), unique=True, min_size=2, max_size=20))
def test_different_texts_stay_different(serials: list[str]) -> None:
    made = json.loads(replaced(json.dumps([{"serial": serial} for serial in serials])))
    assert len({each["serial"] for each in made}) == len(serials)
    assert not {each["serial"] for each in made} & set(serials) or len(serials) > 10**5


@settings(max_examples=60, deadline=None)
@given(st.text(min_size=6, max_size=30), st.text(max_size=20), st.text(max_size=20))
def test_no_secret_is_left_in_any_text(secret: str, before: str, after: str) -> None:
    assume(len(secret.strip()) >= 6 and any(each.isalnum() for each in secret))
    assert secret not in Replacements([secret], dice=random.Random(4)).scrub(before + secret + after)
