"""The document and the page, as the gateway answers them."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version

import orjson

from gateway.openapi import page
from gateway.openapi.served import Served
from gateway.operation import JSON, HttpAnswer

PATH = "/v1/openapi.json"


class Description:
    """Keeps the document until what is served changes. It is written when it is first asked for, beside the loop."""

    def __init__(self, *, login: bool) -> None:
        self._login = login
        self._served: tuple[Served, ...] = ()
        self._written: asyncio.Task[bytes] | None = None

    def changed(self, served: Sequence[Served]) -> None:
        """Takes note of what is served from now on."""
        self._served = tuple(served)
        self._written = None

    def has(self, path: str) -> bool:
        """Whether `answer` has something for the path."""
        return path == PATH or page.has(path)

    async def answer(self, path: str) -> HttpAnswer:
        """The document, the page or a file of the page."""
        if path == PATH:
            return HttpAnswer(200, [JSON], await self._document())
        headers, body = await asyncio.to_thread(page.read, path)
        return HttpAnswer(200, headers, body)

    async def _document(self) -> bytes:
        writing = self._written
        if writing is None:
            writing = self._written = asyncio.create_task(
                asyncio.to_thread(_write, self._served, self._login), name="OpenAPI document"
            )
        try:
            # Shielded: others wait for it too.
            return await asyncio.shield(writing)
        except Exception:
            if self._written is writing:  # the next one who asks tries again
                self._written = None
            raise


def _write(served: tuple[Served, ...], login: bool) -> bytes:
    from gateway.openapi import document  # only those who ask for it wait for it

    return orjson.dumps(document.write(served, version=_version(), login=login))


def _version() -> str:
    try:
        return version("delphis")
    except PackageNotFoundError:
        return "0"
