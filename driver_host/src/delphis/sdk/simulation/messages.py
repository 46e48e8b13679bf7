"""A request to a simulated array, and its answer."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from http.cookies import SimpleCookie
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

Pairs = tuple[tuple[str, str], ...]


class Headers(Mapping[str, str]):
    """Headers, read without regard to case; of several with one name, the last."""

    def __init__(self, pairs: Pairs) -> None:
        self.pairs = pairs
        self._texts = {name.lower(): text for name, text in pairs}

    def __getitem__(self, name: str) -> str:
        return self._texts[name.lower()]

    def __iter__(self) -> Iterator[str]:
        return iter(self._texts)

    def __len__(self) -> int:
        return len(self._texts)


@dataclass(frozen=True)
class Request:
    """A request as it came.

    Attributes:
        method: In capitals.
        target: Path and query, escaped.
        headers: Read without regard to case.
        body: Read to its end.
    """

    method: str
    target: str
    headers: Headers
    body: bytes = b""

    @property
    def raw_path(self) -> str:
        """The path, escaped."""
        return urlsplit(self.target).path

    @property
    def path(self) -> str:
        """The path, unescaped."""
        return unquote(self.raw_path)

    @property
    def pairs(self) -> Pairs:
        """The query's pairs, unescaped."""
        return tuple(parse_qsl(urlsplit(self.target).query, keep_blank_values=True))

    @property
    def query(self) -> dict[str, str]:
        """The query; of several values of one name, the last."""
        return dict(self.pairs)

    @property
    def cookies(self) -> dict[str, str]:
        """The cookies that came with it."""
        return {name: morsel.value for name, morsel in SimpleCookie(self.headers.get("cookie", "")).items()}

    def json(self) -> Any:
        """The body, parsed. ValueError where it is no JSON."""
        return json.loads(self.body)


@dataclass(frozen=True)
class Answer:
    """What the array answers.

    Attributes:
        status: HTTP status.
        body: Bytes or text as they are; anything else becomes JSON; None: empty.
        headers: Beside Content-Type, where it is to be another, and Content-Length.
    """

    status: int = 200
    body: Any = None
    headers: Mapping[str, str] | Pairs = field(default_factory=dict[str, str])

    @property
    def raw(self) -> bytes:
        """The body as bytes."""
        match self.body:
            case None:
                return b""
            case bytes():
                return self.body
            case str():
                return self.body.encode()
            case _:
                return json.dumps(self.body).encode()

    @property
    def pairs(self) -> Pairs:
        """The headers, with Content-Type."""
        given = tuple(self.headers.items()) if isinstance(self.headers, Mapping) else tuple(self.headers)
        if self.body is None or any(name.lower() == "content-type" for name, _ in given):
            return given
        kind = "text/plain; charset=utf-8" if isinstance(self.body, bytes | str) else "application/json"
        return (*given, ("Content-Type", kind))
