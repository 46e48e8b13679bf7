"""Delfin's rows in the contract's words; URLs that tell nobody their password."""

from __future__ import annotations

import json
from typing import Any

import pytest

from delphis.inventory.v1 import inventory_pb2
from delphis.type.v1 import access_pb2
from services.importing.access import add_access, decoded
from services.importing.errors import SourceFault, Untakeable
from services.importing.source import Values
from services.importing.source_url import SourceUrl
from tests.importing.delfin import PASSWORD, SECRET_ATTRIBUTE, encoded, rest, ssh_key

Request = inventory_pb2.ImportStorageRequest


def row(**values: Any) -> Values:
    columns = ("rest", "ssh", "cli", "smis", "extra_attributes")
    return {name: json.dumps(values[name]) if name in values else None for name in columns}


def converted(**values: Any) -> tuple[Request, list[str]]:
    request = Request()
    return request, add_access(request, row(**values))


def ssh(**values: Any) -> dict[str, Any]:
    return {"host": "127.31.0.1", "port": 22, "username": "root", "password": encoded(), **values}


def test_every_block_is_told_again() -> None:
    request, notes = converted(
        rest=rest(8088),
        ssh=ssh(pub_key=ssh_key(), pub_key_type="ssh-ed25519"),
        cli={"host": "127.31.0.2", "username": "u", "password": encoded("p")},
        smis={"host": "fe80::1", "port": 5989, "username": "u", "password": encoded("p"), "namespace": "root/emc"},
        extra_attributes={"array_id": "0001"},
    )
    assert not notes
    assert request == Request(
        rest=access_pb2.RestAccess(host="127.31.0.1", port=8088, username="admin", password=PASSWORD),
        ssh=access_pb2.SshAccess(
            host="127.31.0.1",
            port=22,
            username="root",
            password=PASSWORD,
            pub_key=ssh_key(),
            pub_key_type="ssh-ed25519",
        ),
        cli=access_pb2.CliAccess(host="127.31.0.2", username="u", password="p"),
        smis=access_pb2.SmisAccess(host="fe80::1", port=5989, username="u", password="p", namespace="root/emc"),
        extra_attributes={"array_id": "0001"},
    )


@pytest.mark.parametrize("nothing", [None, {}, "", "null", "{}"])
def test_a_block_that_is_not_used_is_none(nothing: Any) -> None:
    request, notes = converted(rest=rest(1), ssh=nothing, extra_attributes=nothing)
    assert [field.name for field, _ in request.ListFields()] == ["rest"]
    assert not notes


@pytest.mark.parametrize(("port", "number"), [(0, 0), (65535, 65535), ("22", 22), (" 8443 ", 8443), (None, None)])
def test_ports_are_numbers_or_texts(port: Any, number: int | None) -> None:
    request, _ = converted(rest=rest(port))
    assert (request.rest.port if request.rest.HasField("port") else None) == number


def test_json_that_was_encoded_twice_is_read() -> None:
    request = Request()
    add_access(request, {**row(), "rest": json.dumps(json.dumps(rest(7)))})
    assert request.rest.port == 7


SSH_KEYS = {
    "typed": ({"pub_key": ssh_key(), "pub_key_type": "ssh-ed25519"}, "ssh-ed25519", ""),
    "untyped": ({"pub_key": ssh_key("ssh-rsa")}, "ssh-rsa", "pub_key_type was not set"),
    "whole-line": ({"pub_key": f"ssh-rsa {ssh_key('ssh-rsa')} root@array"}, "ssh-rsa", "pub_key_type was not set"),
    "unreadable": ({"pub_key": "no key"}, "", ""),
}


@pytest.mark.parametrize("name", SSH_KEYS)
def test_host_keys_come_in_one_form(name: str) -> None:
    given, key_type, note = SSH_KEYS[name]
    request, notes = converted(ssh=ssh(**given))
    assert request.ssh.pub_key == (given["pub_key"].split()[1] if name == "whole-line" else given["pub_key"])
    assert request.ssh.pub_key_type == key_type
    assert not request.ssh.HasField("host_key_policy")
    assert [note in text for text in notes] == ([True] if note else [])


@pytest.mark.parametrize("key", [None, "", "  "])
def test_without_a_host_key_the_first_one_is_pinned(key: str | None) -> None:
    request, notes = converted(ssh=ssh(pub_key=key))
    assert request.ssh.host_key_policy == access_pb2.SSH_HOST_KEY_POLICY_TRUST_FIRST
    assert not request.ssh.HasField("pub_key")
    assert "will be pinned" in notes[0]


def test_attributes_that_are_no_texts_become_some() -> None:
    request, notes = converted(rest=rest(1), extra_attributes={"a": 5, "b": True, "c": None, "d": "é", "e": 1.5})
    assert dict(request.extra_attributes) == {"a": "5", "b": "true", "d": "é", "e": "1.5"}
    assert notes == ["extra_attributes.c is null and not taken"]


def test_what_nobody_knows_is_named_without_its_value() -> None:
    _, notes = converted(rest=rest(1, api_key=SECRET_ATTRIBUTE))
    assert len(notes) == 1
    assert notes[0].startswith("rest.api_key is no field")
    assert SECRET_ATTRIBUTE not in notes[0]


UNTAKEABLE: dict[str, tuple[dict[str, Any], str]] = {
    "plain-password": ({"rest": rest(1, password=PASSWORD)}, "rest.password is not base64"),
    "other-cryptor": ({"rest": rest(1, password="//79/A==")}, "rest.password is not base64 of a text"),
    "cut-password": ({"rest": rest(1, password=encoded()[:-2])}, "rest.password is not base64"),
    "password-number": ({"rest": rest(1, password=5)}, "rest.password is no text"),
    "port-name": ({"rest": rest("https")}, "rest.port is no number"),
    "port-large": ({"rest": rest(65536)}, "rest.port is no number"),
    "port-long": ({"rest": rest("9" * 5000)}, "rest.port is no number"),
    "port-true": ({"rest": {**rest(1), "port": True}}, "rest.port is no number"),
    "port-part": ({"rest": {**rest(1), "port": 22.5}}, "rest.port is no number"),
    "host-list": ({"rest": {**rest(1), "host": ["a"]}}, "rest.host is no text"),
    "list": ({"rest": [PASSWORD]}, "rest is no JSON object"),
    "text": ({"rest": PASSWORD}, "rest is no JSON"),
    "nested": ({"extra_attributes": {"a": {"b": SECRET_ATTRIBUTE}}}, "extra_attributes.a is neither"),
}


@pytest.mark.parametrize("name", UNTAKEABLE)
def test_what_cannot_be_told_again_is_refused_without_its_value(name: str) -> None:
    values, reason = UNTAKEABLE[name]
    with pytest.raises(Untakeable) as raised:
        converted(**values)
    said = str(raised.value)
    assert said.startswith(reason)
    assert PASSWORD not in said
    assert SECRET_ATTRIBUTE not in said
    assert raised.value.__cause__ is None


def test_passwords_are_decoded_exactly() -> None:
    for password in ("", "a", "pass word", "ключ", "\U0001f511", "a" * 255, "==", " trailing "):
        assert decoded("rest.password", encoded(password)) == password
        assert decoded("rest.password", encoded(password) + "\n") == password


URLS = {
    "sqlite:////var/lib/delfin/delfin.sqlite": "sqlite:////var/lib/delfin/delfin.sqlite",
    "mysql://delfin:{}@db/delfin?charset=utf8": "mysql://delfin@db/delfin",
    "mysql+pymysql://delfin@db:3307/delfin?password={}": "mysql://delfin@db:3307/delfin",
    "mariadb+mysqldb://delfin:{}@db/delfin": "mysql://delfin@db/delfin",
    "postgresql+psycopg2://delfin:{}@db/delfin": "postgresql://delfin@db/delfin",
    "postgres://delfin@/delfin?host=/run&password={}\n": "postgresql://delfin@/delfin",
}


@pytest.mark.parametrize("text", URLS)
def test_urls_are_shown_without_secrets(text: str) -> None:
    url = SourceUrl(text.format("hidden-s3cret"))
    assert str(url) == URLS[text]
    assert url.has_password == ("{}" in text)
    assert url.without_secrets("login as delfin with hidden-s3cret failed").count("hidden") == 0 or not url.has_password


@pytest.mark.parametrize(
    "text", ["", "delfin", "hidden-s3cret@x", "oracle://u:hidden-s3cret@db/x", "mysql://u:hidden-s3cret@db:port/x"]
)
def test_what_is_no_url_of_ours_is_refused_without_repeating_it(text: str) -> None:
    with pytest.raises(SourceFault) as raised:
        SourceUrl(text)
    assert "sqlite:////" in str(raised.value)
    assert "hidden-s3cret" not in str(raised.value)
