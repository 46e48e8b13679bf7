"""Bad input gets the right error code over REST, and changes nothing."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.support.up import Up, fake_array

BODY = fake_array(50)
REST = BODY["rest"]


def without(mapping: dict[str, Any], *keys: str) -> dict[str, Any]:
    return {key: value for key, value in mapping.items() if key not in keys}


REGISTRATIONS: list[tuple[str, Any, int, str, str]] = [
    ("unknown field", {**BODY, "colour": "red"}, 400, "InvalidInput", "colour"),
    ("unknown field inside", {**BODY, "rest": {**REST, "colour": "red"}}, 400, "InvalidInput", "colour"),
    ("host of the wrong type", {**BODY, "rest": {**REST, "host": 7}}, 400, "InvalidInput", "host"),
    ("port is no number", {**BODY, "rest": {**REST, "port": "twenty"}}, 400, "InvalidInput", "port"),
    ("port out of range", {**BODY, "rest": {**REST, "port": 65536}}, 400, "InvalidInput", "port"),
    ("port is a fraction", {**BODY, "rest": {**REST, "port": 22.5}}, 400, "InvalidInput", "port"),
    ("port is a boolean", {**BODY, "rest": {**REST, "port": True}}, 400, "InvalidInput", "port"),
    ("no host", {**BODY, "rest": without(REST, "host")}, 400, "InvalidInput", "host"),
    ("no password", {**BODY, "rest": without(REST, "password")}, 400, "InvalidInput", "password"),
    ("bad host", {**BODY, "rest": {**REST, "host": "a b/c"}}, 400, "InvalidInput", "host"),
    ("no block at all", without(BODY, "rest"), 400, "InvalidInput", "rest"),
    ("no vendor", without(BODY, "vendor"), 400, "InvalidInput", "vendor"),
    ("vendor too long", {**BODY, "vendor": "v" * 256}, 400, "InvalidInput", "vendor"),
    ("attribute is no text", {**BODY, "extra_attributes": {"seed": 1}}, 400, "InvalidInput", "seed"),
    ("attribute too long", {**BODY, "extra_attributes": {"seed": "1" * 256}}, 400, "InvalidInput", "seed"),
    ("a list", [BODY], 400, "InvalidInput", ""),
    ("unknown vendor", {**BODY, "vendor": "nobody"}, 404, "StorageDriverNotFound", "nobody"),
    ("vendor in other case", {**BODY, "vendor": "Fake_Storage"}, 404, "StorageDriverNotFound", "Fake_Storage"),
    ("unknown model", {**BODY, "model": "none"}, 404, "StorageDriverNotFound", "none"),
    ("wrong password", {**BODY, "rest": {**REST, "password": "wrong"}}, 400, "InvalidUsernameOrPassword", ""),
    ("an attribute that the driver refuses", {**BODY, "extra_attributes": {"volumes": "many"}}, 400, "InvalidInput",
     "volumes"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("body", "status", "code", "named"),
    [row[1:] for row in REGISTRATIONS],
    ids=[row[0].replace(" ", "-") for row in REGISTRATIONS],
)
def test_a_bad_registration(delphis: Up, body: Any, status: int, code: str, named: str) -> None:
    before = delphis.get("/v1/storages")
    reply = delphis.ask("POST", "/v1/storages", body)
    assert (reply.status, reply.json["error_code"]) == (status, code), reply.text
    assert named in reply.json["error_msg"]
    assert REST["password"] not in reply.text
    assert delphis.get("/v1/storages") == before


@pytest.mark.parametrize(
    ("body", "content_type", "code"),
    [
        (b"{", "application/json", "MalformedRequestBody"),
        (b"\xff\xfe", "application/json", "MalformedRequestBody"),
        (b"", "application/json", "MalformedRequestBody"),
        (b"rest=1", "application/x-www-form-urlencoded", None),
        (b'{"vendor":"a","vendor":"b"}', "application/json", None),
        (b"[" * 100_000, "application/json", None),
        (b"{" + b'"a":{' * 5_000, "application/json", None),
    ],
)
def test_a_body_that_is_none(delphis: Up, body: bytes, content_type: str, code: str | None) -> None:
    reply = delphis.ask("POST", "/v1/storages", body, headers={"Content-Type": content_type})
    assert reply.status == 400, reply
    assert code is None or reply.json["error_code"] == code
    assert reply.json["error_msg"]


def test_a_missing_body(delphis: Up) -> None:
    reply = delphis.ask("POST", "/v1/storages")
    assert reply.status == 400
    assert reply.json["error_msg"]


def test_a_huge_body(delphis: Up) -> None:
    huge = json.dumps({**BODY, "storage_name": "x" * 8_000_000}).encode()
    try:
        reply = delphis.ask("POST", "/v1/storages", huge)
    except (BrokenPipeError, ConnectionResetError):
        return  # refused while it was still being sent
    assert reply.status == 413
    assert reply.json["error_code"] == "RequestTooLarge"


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/v1/storages?limit=-1", 400, "InvalidInput"),
        ("GET", "/v1/storages?limit=x", 400, "InvalidInput"),
        ("GET", "/v1/storages?colour=red", 400, "InvalidInput"),
        ("GET", "/v1/storages?sort=colour:asc", 400, "InvalidInput"),
        ("GET", "/v1/storages?sort=name:sideways", 400, "InvalidInput"),
        ("GET", "/v1/storages?page_token=nonsense", 400, "InvalidPageToken"),
        ("GET", "/v1/storages?marker=11111111-1111-1111-1111-111111111111", 404, "StorageNotFound"),
        ("GET", "/v1/volumes?marker=11111111-1111-1111-1111-111111111111", 404, "VolumeNotFound"),
        ("GET", "/v1/volumes?status=purple", 400, "InvalidInput"),
        ("GET", "/v1/storages/not-an-id", 404, "StorageNotFound"),
        ("GET", "/v1/storages/11111111-1111-1111-1111-111111111111", 404, "StorageNotFound"),
        ("GET", "/v1/storages/11111111-1111-1111-1111-111111111111/access-info", 404, "AccessInfoNotFound"),
        ("GET", "/v1/storages/11111111-1111-1111-1111-111111111111/storage-hosts", 404, "StorageNotFound"),
        ("GET", "/v1/volumes/11111111-1111-1111-1111-111111111111", 404, "VolumeNotFound"),
        ("DELETE", "/v1/storages/11111111-1111-1111-1111-111111111111", 404, "StorageNotFound"),
        ("POST", "/v1/storages/11111111-1111-1111-1111-111111111111/sync", 404, "StorageNotFound"),
        ("POST", "/v1/volumes", 404, "NotFound"),
        ("PUT", "/v1/storages/11111111-1111-1111-1111-111111111111", 404, "NotFound"),
        ("GET", "/v1/nothing", 404, "NoSuchAction"),
    ],
)
def test_a_bad_request(delphis: Up, method: str, path: str, status: int, code: str) -> None:
    reply = delphis.ask(method, path)
    assert (reply.status, reply.json["error_code"]) == (status, code), reply.text
    assert reply.headers["x-compute-request-id"].startswith("req-")


def test_a_body_where_none_is_taken(delphis: Up) -> None:
    reply = delphis.ask("POST", "/v1/storages/sync", {})
    assert (reply.status, reply.json["error_code"]) == (400, "BadRequest")


def test_the_same_array_twice_is_refused_with_the_first_ones_id(delphis: Up) -> None:
    first = delphis.register(51, volumes="1")
    again = delphis.ask("POST", "/v1/storages", fake_array(51, volumes="1"))
    assert (again.status, again.json["error_code"]) == (400, "StorageAlreadyExists")
    assert first["id"] in again.text
    named = {**fake_array(51, volumes="1"), "storage_name": "another name"}
    assert delphis.ask("POST", "/v1/storages", named).json["error_code"] == "StorageAlreadyExists"
    delphis.wait_synced(first["id"])


def test_no_one_answers_at_the_address_of_a_ceph(delphis: Up) -> None:
    body = {"vendor": "ceph", "model": "cluster",
            "rest": {"host": "127.0.0.1", "port": 9, "username": "u", "password": "sentinel-77aa"}}  # fmt: skip
    reply = delphis.ask("POST", "/v1/storages", body)
    assert (reply.status, reply.json["error_code"]) == (400, "InvalidIpOrPort"), reply.text
    assert "sentinel-77aa" not in reply.text + delphis.log()


def test_access_info_as_it_is_shown_can_be_sent_back(delphis: Up) -> None:
    storage = delphis.register(52, volumes="1")
    delphis.wait_synced(storage["id"])
    path = f"/v1/storages/{storage['id']}/access-info"
    shown = delphis.get(path)
    assert shown["ssh"] == {}
    assert "password" not in shown["rest"]
    sent = {block: shown[block] for block in ("rest", "ssh", "cli", "smis")}
    without_password = delphis.ask("PUT", path, sent)
    assert (without_password.status, without_password.json["error_code"]) == (400, "InvalidInput")
    sent["rest"] = {**shown["rest"], "password": "secret-9c1f"}
    reply = delphis.ask("PUT", path, sent)
    assert reply.status == 200, reply
    assert reply.json["rest"] == shown["rest"]
