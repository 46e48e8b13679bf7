"""The array that the examples are tried with: logins, pages, faults."""

from __future__ import annotations

import http.client
import json
from typing import Any

from examples.array import ArrayServer
from tests.examples.proofs import PASSWORD, pebble


def ask(array: ArrayServer, method: str, path: str, body: Any = None, token: str = "") -> tuple[int, Any]:
    connection = http.client.HTTPConnection("127.0.0.1", array.port, timeout=60)
    try:
        data = None if body is None else json.dumps(body)
        connection.request(method, path, data, {"Authorization": f"Bearer {token}"})
        answer = connection.getresponse()
        raw = answer.read()
        return answer.status, json.loads(raw) if answer.getheader("Content-Type") == "application/json" else raw
    finally:
        connection.close()


def log_in(array: ArrayServer) -> str:
    status, answer = ask(array, "POST", "/api/session", {"user": "monitor", "password": PASSWORD})
    assert status == 201
    token: str = answer["token"]
    return token


def test_a_session_begins_and_ends() -> None:
    with pebble() as array:
        assert ask(array, "POST", "/api/session", {"user": "monitor", "password": "x"})[0] == 401
        assert ask(array, "GET", "/api/system")[0] == 401
        token = log_in(array)
        assert ask(array, "GET", "/api/system", token=token)[1]["serial"] == "PB-0001"
        assert ask(array, "DELETE", "/api/session", token=token)[0] == 200
        assert ask(array, "GET", "/api/system", token=token)[0] == 401
    with pebble(session_s=-1.0) as array:
        assert ask(array, "GET", "/api/system", token=log_in(array))[0] == 401


def test_pages_make_up_the_list() -> None:
    with pebble() as array:
        token, start, seen = log_in(array), 0, []
        while start is not None:
            status, page = ask(array, "GET", f"/api/volumes?start={start}&count=1000", token=token)
            assert (status, page["total"]) == (200, 1200)
            assert len(page["items"]) <= 250
            seen += [item["id"] for item in page["items"]]
            start = page["next"]
        assert seen == [f"v{number}" for number in range(1200)]
        assert ask(array, "GET", "/api/volumes?start=-1", token=token)[0] == 400
        assert ask(array, "GET", "/api/nothing", token=token)[0] == 404


def test_faults_come_on_demand_and_go() -> None:
    with pebble() as array:
        token = log_in(array)
        assert ask(array, "PUT", "/_faults", {"busy": 1, "fail": 1})[0] == 200
        found = [ask(array, "GET", "/api/system", token=token)[0] for _ in range(3)]
        assert found == [429, 500, 200]
        assert ask(array, "PUT", "/_faults", {"busy": "often"})[0] == 400
        assert ask(array, "PUT", "/_faults", {"fire": 1})[0] == 400
        assert ask(array, "GET", "/_state")[1] == {"sessions": 1, "logins": 1, "receivers": []}
        assert ask(array, "PUT", "/_faults", {"expire": True})[0] == 200
        assert [ask(array, "GET", "/api/system", token=token)[0] for _ in range(2)] == [401, 401]
