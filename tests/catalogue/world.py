"""The arrays that all rows are asked about, and how rows name them."""

from __future__ import annotations

import http.client
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.support.up import Reply, Up, fake_array

DRIVERS = Path(__file__).parent / "drivers"
NOBODY = "11111111-1111-1111-1111-111111111111"
PASSWORD = "secret-5b7a"
FULL_PAGE = 1000
MANY = 1100
"""Volumes of the large array: more than a page holds."""


@dataclass
class World:
    """A running Delphis. `names` are what `{…}` in paths stands for.

    `a` and `b`: arrays of our driver, of every kind, with the same native ids. `large`: a generated one with more
    volumes than a page holds. `busy`: one whose first sync does not end.
    """

    up: Up
    names: dict[str, str] = field(default_factory=dict[str, str])

    def __post_init__(self) -> None:
        self._connection = http.client.HTTPConnection(self.up.rest.removeprefix("http://"), timeout=60)

    def ask(self, method: str, path: str, body: Any = None, headers: Mapping[str, str] | None = None) -> Reply:
        """A request on the one connection; bytes are sent as they are, anything else as JSON."""
        sent = dict(headers or {})
        data = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
        if data is not None:
            sent.setdefault("Content-Type", "application/json")
        path = path.format_map(self.names) if "{" in path else path
        self._connection.request(method, path, body=data, headers=sent)
        answer = self._connection.getresponse()
        return Reply(answer.status, {k.lower(): v for k, v in answer.getheaders()}, answer.read().decode())

    def get(self, path: str) -> Any:
        """The JSON of a GET that must succeed."""
        reply = self.ask("GET", path)
        assert reply.status == 200, (path, reply)
        return reply.json

    def items(self, path: str) -> list[dict[str, Any]]:
        """The items of a list, whatever its key."""
        found = self.get(path)
        found.pop("next_page_token", None)
        (items,) = found.values()
        return items  # type: ignore[no-any-return]

    def all(self, path: str) -> list[dict[str, Any]]:
        """The items of all pages of a list."""
        items = self.items(path)
        page = items
        while len(page) == FULL_PAGE:
            page = self.items(f"{path}{'&' if '?' in path else '?'}marker={page[-1]['id']}")
            items = items + page
        return items

    def register(self, body: Any, *, wait: bool = True) -> str:
        """The new storage's id."""
        reply = self.ask("POST", "/v1/storages", body)
        assert reply.status == 201, reply
        identity: str = reply.json["id"]
        if wait:
            self.up.wait_synced(identity)
        return identity

    def close(self) -> None:
        """Ends what would keep the end waiting."""
        if "busy" in self.names:
            self.ask("DELETE", "/v1/storages/{busy}")
        self._connection.close()


def array(port: int, **more: Any) -> dict[str, Any]:
    """The registration of an array of our driver."""
    rest = {"host": "127.0.0.1", "port": port, "username": "admin", "password": PASSWORD}
    return {"vendor": "test", "model": "catalogue", "rest": rest, **more}


def build(world: World) -> None:
    """Registers the arrays."""
    names = world.names
    names["nobody"] = NOBODY
    names["a"] = world.register(array(9001, storage_name="the first"), wait=False)
    names["b"] = world.register(array(9002), wait=False)
    names["large"] = world.register(fake_array(9003, volumes=str(MANY)), wait=False)
    names["busy"] = world.register(fake_array(9004, **{"latency_ms.volumes": "3600000"}), wait=False)
    for name in ("a", "b", "large"):
        world.up.wait_synced(names[name])
    for name in ("a", "b"):
        state = world.get(f"/v1/storages/{{{name}}}")
        assert state["sync_outcome"] == "ok", state
