"""A row of the table: a request, and what must come back."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest

from tests.catalogue.world import World
from tests.support.up import Reply

REQUEST_ID = re.compile(r"req-[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")
ERROR_KEYS = ["error_code", "error_msg", "error_args", "status", "details"]

Check = Callable[[World, Reply], None]


@dataclass(frozen=True)
class Row:
    """`ask` is `METHOD /path`, with `{…}` for ids. A failure has `code`; a list has `key`, its envelope's."""

    name: str
    ask: str
    status: int = 200
    code: str = ""
    key: str = ""
    said: str = ""
    """What the error's text must name."""
    count: int | None = None
    """Items that the list has."""
    body: Any = None
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    empty: bool = False
    check: Check | None = None

    def run(self, world: World) -> None:
        """Asks, and compares all that the row says."""
        method, path = self.ask.split(" ", 1)
        reply = world.ask(method, path, self.body, self.headers)
        assert reply.status == self.status, reply
        assert REQUEST_ID.fullmatch(reply.headers["x-compute-request-id"])
        if self.empty:
            assert (reply.text, reply.headers.get("content-type")) == ("", None)
        else:
            assert reply.headers["content-type"] == "application/json"
        if self.code:
            _failed(self, reply)
        if self.key:
            items = reply.json[self.key]
            assert reply.json.keys() - {"next_page_token"} == {self.key}
            assert isinstance(items, list)
            assert self.count is None or len(items) == self.count
        if self.check is not None:
            self.check(world, reply)


def _failed(row: Row, reply: Reply) -> None:
    """The shape of every error."""
    error = reply.json
    assert list(error) == ERROR_KEYS or list(error) == [*ERROR_KEYS, "retryAfter"]
    assert error["error_code"] == row.code, error
    assert error["error_msg"]
    assert "Traceback" not in error["error_msg"]
    assert all(isinstance(one, str) for one in error["error_args"])
    (info,) = [one for one in error["details"] if one["@type"].endswith("google.rpc.ErrorInfo")]
    assert sorted(info["metadata"].values()) == sorted(error["error_args"])
    if row.said:
        assert row.said in error["error_msg"], error


def params(rows: Iterable[Row]) -> list[Any]:
    """For parametrize, each under its name."""
    return [pytest.param(row, id=row.name) for row in rows]
