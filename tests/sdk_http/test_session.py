"""Login, its renewal, and what becomes of the array's answers."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, ClassVar

import pytest

from delphis.sdk import Context, RestAccess, errors
from delphis.sdk.http import RestSession, Retry
from delphis.sdk.redaction import SECRETS
from tests.sdk_http.server import Asked, Says, ScriptedServer

Serve = Callable[..., ScriptedServer]
Make = Callable[..., RestSession]
PASSWORD = "pass-w0rd-of-the-array"


class Api(RestSession):
    retry = Retry(first_delay=0.02)
    refusal_pause = 60.0

    def log_in(self, context: Context) -> None:
        reply = self.post(context, "/login", json={"user": self.access.username, "key": self.access.password})
        self.authorize(reply.json()["token"])

    def log_out(self, context: Context) -> None:
        self.post(context, "/logout")


class Array:
    """Gives tokens, and takes only the newest."""

    def __init__(self) -> None:
        self.logins = 0
        self.valid = ""
        self.lock = threading.Lock()

    def __call__(self, asked: Asked) -> Says:
        if asked.path == "/login":
            if asked.json()["key"] != PASSWORD:
                return Says({"detail": "no"}, 401)
            with self.lock:
                self.logins += 1
                self.valid = f"token-number-{self.logins}"
                return Says({"token": self.valid})
        if asked.headers.get("Authorization") != f"Bearer {self.valid}":
            return Says({"detail": "log in first"}, 401)
        return Says({"path": asked.path})

    def expire(self) -> None:
        self.valid = "nobody has this"


def test_logs_in_once_and_out_at_the_end(serve: Serve, context: Context) -> None:
    array = Array()
    server = serve(array)
    api = Api(server.access(password=PASSWORD))
    assert server.asked == [], "making an object asks nobody"
    api.open(context)
    assert api.get(context, "/a").json() == {"path": "/a"}
    assert api.get(context, "/b").json() == {"path": "/b"}
    api.close()
    assert [asked.path for asked in server.asked] == ["/login", "/a", "/b", "/logout"]
    assert server.connections == 1, "the connection is kept"


def test_logs_in_with_the_first_request(serve: Serve, session: Make, context: Context) -> None:
    array = Array()
    api = session(serve(array).access(password=PASSWORD), Api)
    assert api.get(context, "/a").ok
    assert array.logins == 1


def test_renews_an_expired_token_and_repeats(serve: Serve, session: Make, context: Context) -> None:
    array = Array()
    server = serve(array)
    api = session(server.access(password=PASSWORD), Api)
    api.get(context, "/a")
    array.expire()
    assert api.post(context, "/b", json={"x": 1}).ok, "what was refused unread may be sent again, whatever it is"
    assert array.logins == 2
    assert [asked.path for asked in server.asked] == ["/login", "/a", "/b", "/login", "/b"]
    assert server.asked[-1].json() == {"x": 1}


def test_many_threads_renew_once(serve: Serve, session: Make, context: Context) -> None:
    array = Array()
    api = session(serve(array).access(password=PASSWORD), Api)
    api.open(context)
    for _ in range(5):
        array.expire()
        before = array.logins
        with ThreadPoolExecutor(8) as pool:
            replies = list(pool.map(lambda number: api.get(context, f"/{number}"), range(24)))
        assert all(reply.ok for reply in replies)
        assert array.logins == before + 1


def test_a_refused_login_is_not_repeated(serve: Serve, session: Make, context: Context) -> None:
    server = serve(Array())
    api = session(server.access(password="wrong"), Api)
    for _ in range(3):
        with pytest.raises(errors.InvalidUsernameOrPassword) as raised:
            api.get(context, "/a")
        assert raised.value.metadata["status"] == "401"
    assert len(server.asked) == 1, "accounts get locked by repetition"


def test_a_refused_login_is_tried_again_after_the_pause(serve: Serve, session: Make, context: Context) -> None:
    class Impatient(Api):
        refusal_pause = 0.0

    server = serve(Array())
    access = server.access(password="wrong")
    api = session(access, Impatient)
    with pytest.raises(errors.InvalidUsernameOrPassword):
        api.get(context, "/a")
    access.password = PASSWORD
    assert api.get(context, "/a").ok


def test_a_fresh_token_that_is_refused(serve: Serve, session: Make, context: Context) -> None:
    server = serve(lambda asked: Says({"token": "t"}) if asked.path == "/login" else Says({}, 401))
    with pytest.raises(errors.ArrayPermissionDenied, match="/a"):
        session(server.access(password=PASSWORD), Api).get(context, "/a")
    assert [asked.path for asked in server.asked] == ["/login", "/a", "/login", "/a"], "no endless circle"


def test_a_login_that_fails_otherwise_is_tried_with_the_next_call(
    serve: Serve, session: Make, context: Context
) -> None:
    answers = [Says(b"<html>", 200), Says({"token": "t"}), Says({})]
    api = session(serve(lambda _: answers.pop(0)).access(password=PASSWORD), Api)
    with pytest.raises(errors.BadResponse):
        api.open(context)
    assert api.get(context, "/a").ok


def test_a_logout_that_fails_harms_nobody(serve: Serve, context: Context, caplog: pytest.LogCaptureFixture) -> None:
    server = serve(lambda asked: Says({}, 500) if asked.path == "/logout" else Says({"token": "t"}))
    api = Api(server.access(password=PASSWORD))
    api.open(context)
    with caplog.at_level(logging.INFO, "delphis.sdk.http"):
        api.close()
    assert "not logged out" in caplog.text


def test_cookies_are_kept_only_on_demand(serve: Serve, session: Make, context: Context) -> None:
    class WithCookies(RestSession):
        keep_cookies = True

    server = serve(lambda _: Says({}, headers={"Set-Cookie": "session=c1; Path=/"}))
    for kind, expected in ((RestSession, None), (WithCookies, "session=c1")):
        api = session(server.access(), kind)
        api.get(context, "/")
        api.get(context, "/")
        assert server.asked[-1].headers.get("Cookie") == expected


def test_what_is_sent(serve: Serve, session: Make, context: Context, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")

    class Versioned(RestSession):
        base_path = "/v2"
        default_headers: ClassVar = {"Accept": "application/vnd.acme+json", "X-Kind": "a"}

    server = serve(lambda _: Says({}))
    api = session(server.access(), Versioned)
    api.get(context, "/things", params={"limit": 5, "name": "a b&c"}, headers={"X-Kind": "b"})
    asked = server.asked[-1]
    assert (asked.method, asked.path) == ("GET", "/v2/things")
    assert asked.params == {"limit": "5", "name": "a b&c"}
    assert asked.headers["Accept"] == "application/vnd.acme+json"
    assert asked.headers["X-Kind"] == "b"


@pytest.mark.parametrize(
    ("status", "raised"),
    [
        (302, errors.BadResponse),
        (400, errors.BadResponse),
        (403, errors.ArrayPermissionDenied),
        (404, errors.ArrayObjectNotFound),
        (408, errors.ArrayTimeout),
        (415, errors.BadResponse),
        (429, errors.ArrayBusy),
        (500, errors.StorageBackendException),
        (502, errors.ArrayUnreachable),
        (503, errors.ArrayBusy),
        (504, errors.ArrayTimeout),
    ],
)
def test_statuses(serve: Serve, session: Make, context: Context, status: int, raised: type[errors.DriverError]) -> None:
    server = serve(lambda _: Says({}, status, {"Location": "http://127.0.0.1:1/elsewhere"}))
    with pytest.raises(raised, match=str(status)) as caught:
        session(server.access()).get(context, "/a", params={"key": "hidden"})
    assert type(caught.value) is raised
    assert caught.value.metadata == {"method": "GET", "path": "/a", "status": str(status)}


@pytest.mark.parametrize("body", [b"", b"<html>no</html>", b'{"a": ', b"\xff\xfe\x00", b"[" * 100_000])
def test_garbage_instead_of_json(serve: Serve, session: Make, context: Context, body: bytes) -> None:
    reply = session(serve(lambda _: Says(body)).access()).get(context, "/a")
    with pytest.raises(errors.BadResponse, match=r"GET /a"):
        reply.json()


def test_nothing_secret_in_errors_and_logs(
    serve: Serve, session: Make, context: Context, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(asked: Asked) -> Says:
        return Says({"token": "t0ken-secret"}) if asked.path == "/login" else Says(raw=b"")

    secret = "s3cret-parameter"
    api = session(serve(broken).access(password=PASSWORD), Api)
    with caplog.at_level(logging.DEBUG), pytest.raises(errors.DriverError) as raised:
        api.get(context, "/a", params={"key": secret})
    said = f"{raised.value} {raised.value.metadata} {raised.value.__cause__!r} {raised.value.__suppress_context__}"
    ours = " ".join(record.getMessage() for record in caplog.records if record.name.startswith("delphis"))
    for text in (secret, PASSWORD, "t0ken-secret"):
        assert text not in said
        assert text not in ours
    assert raised.value.__suppress_context__
    assert SECRETS.scrub("Bearer t0ken-secret") == "Bearer ***"
    api.close()
    assert SECRETS.scrub("Bearer t0ken-secret") == "Bearer t0ken-secret"


@pytest.mark.parametrize(
    ("values", "raised"),
    [
        ({}, errors.AccessInfoIncomplete),
        ({"host": "http://127.0.0.1"}, errors.InvalidIpOrPort),
        ({"host": "127.0.0.1/x@y"}, errors.InvalidIpOrPort),
        ({"host": "127.0.0.1", "port": 0}, errors.InvalidIpOrPort),
        ({"host": "127.0.0.1", "port": 65536}, errors.InvalidIpOrPort),
    ],
)
def test_addresses_that_can_be_none(values: dict[str, Any], raised: type[errors.DriverError]) -> None:
    with pytest.raises(raised):
        RestSession(RestAccess(**values))


def test_an_unknown_name(session: Make, context: Context) -> None:
    with pytest.raises(errors.InvalidIpOrPort, match="name is not known"):
        session(RestAccess(host="no-such-array.invalid", port=443)).get(context, "/")


@pytest.mark.parametrize("host", ["::1", "fe80::1", "array-1.example", "10.0.0.5"])
def test_addresses(host: str) -> None:
    endpoint = RestSession(RestAccess(host=host)).endpoint
    assert endpoint.port == 443
    assert endpoint.url == (f"https://[{host}]:443" if ":" in host else f"https://{host}:443")
