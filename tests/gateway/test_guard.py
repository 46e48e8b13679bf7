"""Without login only this machine's programs come in."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from gateway.gateway import GatewaySettings
from gateway.guard import loopback
from tests.gateway.support import OneToken, Running, running


@pytest.fixture(scope="module")
def guarded() -> Iterator[Running]:
    with running(settings=GatewaySettings(login=False)) as gateway:
        yield gateway


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Host": "localhost"},
        {"Host": "LOCALHOST:9999"},
        {"Host": "127.0.0.1:1"},
        {"Host": "127.8.9.1"},
        {"Host": "[::1]:80"},
        {"Host": "localhost:8190", "Origin": "http://localhost:8190"},
        {"Host": "localhost:8190", "Origin": "http://localhost:8190", "Sec-Fetch-Site": "same-origin"},
        {"Sec-Fetch-Site": "none"},
        {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"},
        {"Referer": "http://evil.example/"},
    ],
)
def test_let_in(guarded: Running, headers: dict[str, str]) -> None:
    assert guarded.client.request("GET", "/v1/storages", headers=headers).status == 200


REFUSED = [
    {"Host": "evil.example"},
    {"Host": "localhost.evil.example"},
    {"Host": "localhost:80@evil.example"},
    {"Host": "127.0.0.1.nip.example:8190"},
    {"Host": "10.0.0.1:8190"},
    {"Host": "[2001:db8::1]"},
    {"Host": "[::1"},
    {"Host": "[::1]x"},
    {"Host": "0.0.0.0:8190"},
    {"Host": ""},
    {"Host": "localhost:8190", "Origin": "http://evil.example"},
    {"Host": "localhost:8190", "Origin": "http://localhost:3000"},
    {"Host": "localhost:8190", "Origin": "null"},
    {"Host": "localhost:8190", "Origin": "file://localhost:8190"},
    {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors"},
    {"Sec-Fetch-Site": "same-site"},
    {"X-Forwarded-For": "10.0.0.1"},
    {"X-Forwarded-Host": "localhost"},
    {"X-Forwarded-Proto": "http"},
    {"Forwarded": "for=10.0.0.1"},
    {"Via": "1.1 proxy"},
    {"X-Real-IP": "127.0.0.1"},
]


@pytest.mark.parametrize("headers", REFUSED)
@pytest.mark.parametrize("path", ["/v1/storages", "/v1", "/v1/nothing"])
def test_refused(guarded: Running, path: str, headers: dict[str, str]) -> None:
    guarded.stub.reset()
    reply = guarded.client.request("GET", path, headers=headers)
    assert (reply.status, reply.json["error_code"], reply.json["status"]) == (403, "NotAuthorized", "PERMISSION_DENIED")
    assert not guarded.stub.calls


def test_refused_before_the_body_is_read(guarded: Running) -> None:
    reply = guarded.client.request("POST", "/v1/storages", {"vendor": "v"}, {"Origin": "http://evil.example"})
    assert (reply.status, reply.headers["connection"]) == (403, "close")


def test_with_login_the_rule_does_not_hold() -> None:
    with running(authenticator=OneToken()) as gateway:
        for headers in REFUSED:
            sent = {**headers, "Authorization": "Bearer good"}
            assert gateway.client.request("GET", "/v1/storages", headers=sent).status == 200, headers


@pytest.mark.parametrize(
    ("host", "found"),
    [
        (b"localhost", True),
        (b"::1", False),
        (b"[::1]", True),
        (b"127.0.0.1:x", False),
        (b"127.1", False),
        (b"\xff", False),
    ],
)
def test_loopback(host: bytes, found: bool) -> None:
    assert loopback(host) == found
