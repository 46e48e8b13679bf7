"""The Prometheus-compatible database with the points that the history lacks: one request, one checked answer.

What it answers is not trusted: its size and time are bounded, and what was not asked for is no answer.
"""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import numpy as np
import orjson

from services.outbound.errors import DeliveryFault, Refused, bounded
from services.outbound.http_client import HttpClient
from services.outbound.timeouts import Timeouts
from services.telemetry.history.reader import Numbers, Times
from services.telemetry.query.errors import DatabaseFault

MOST_BYTES = 4 * 1024 * 1024
"""Of an answer: it is parsed at one go, which holds up all else."""
TIMEOUTS = Timeouts(connect_timeout=3.0, read_timeout=10.0, total_timeout=10.0)
"""Of a request."""
PAUSE_SECONDS = 10.0
_HEADERS = {"Accept": "application/json", "Accept-Encoding": "identity"}
_FORM = "application/x-www-form-urlencoded"

Key = tuple[str, str]
"""A storage's id, and the array's id of a resource."""


@dataclass(frozen=True, slots=True)
class DatabaseSettings:
    """Where it is. What a file holds is read for each query: tokens are changed while we run."""

    url: str
    """Such as `http://prometheus:9090`; `/api/v1/query` is put behind it."""
    ca_certificates: str = ""
    """PEM; empty: those of the system."""
    insecure_skip_verify: bool = False
    token_file: str | None = None
    """Bearer token."""
    user: str = ""
    """Of basic authentication."""
    password_file: str | None = None
    headers: dict[str, str] = field(default_factory=dict[str, str])
    """Further ones, such as a tenant's. No secrets."""


@dataclass(frozen=True, slots=True, eq=False)
class Told:
    """What it has of a resource: series that differ in other labels, by time."""

    parts: list[tuple[bool, Times, Numbers]]
    """Each: whether somebody scraped it, its times in milliseconds, and its values."""


Telling = dict[Key, Told]


class Database:
    """Asks it. Two queries at a time do; after a failure none does for a moment: callers need not wait for it again."""

    def __init__(self, settings: DatabaseSettings, timeouts: Timeouts = TIMEOUTS) -> None:
        self._settings = settings
        self._timeouts = timeouts
        self._client: HttpClient | None = None
        self._secret = ""
        self._failed: tuple[float, str] | None = None
        self.turn = asyncio.Semaphore(2)

    async def samples(self, selector: str, begin: int, end: int, wanted: Collection[str]) -> Telling | None:
        """Samples with begin <= time < end, as they are kept. None: the answer would be too large."""
        form = {"query": f"{selector}[{end - begin}ms]", "time": _seconds(end - 1)}
        return await self._told("query", form, wanted, _between(begin, end))

    async def steps(
        self, function: str, selector: str, begin: int, end: int, step: int, wanted: Collection[str]
    ) -> Telling | None:
        """Whole steps, each put together by a function over its samples, and with the time at which it begins."""
        # A range reaches back from its time, so each step is asked for at its last millisecond.
        form = {
            "query": f"{function}({selector}[{step}ms])",
            "start": _seconds(begin + step - 1),
            "end": _seconds(end - 1),
            "step": _seconds(step),
            # VictoriaMetrics would move the times to multiples of the step.
            "nocache": "1",
        }

        def placed(times: Times) -> tuple[Times, Any]:
            begins = times - (step - 1)
            if (begins % step).any():
                raise DatabaseFault("It answered for other times than were asked for.")
            return begins, (begins >= begin) & (begins < end)

        return await self._told("query_range", form, wanted, placed)

    async def close(self) -> None:
        """Closes its connections."""
        client, self._client = self._client, None
        if client is not None:
            await client.close()

    async def _told(
        self, path: str, form: dict[str, str], wanted: Collection[str], placed: Callable[[Times], tuple[Times, Any]]
    ) -> Telling | None:
        body = await self._ask(path, form)
        if len(body) > MOST_BYTES:
            return None
        try:
            return await asyncio.to_thread(_parsed, body, wanted, placed)
        except (ValueError, TypeError, KeyError, IndexError, AttributeError, OverflowError):
            raise DatabaseFault("What it answered is no result of a query.") from None

    async def _ask(self, path: str, form: dict[str, str]) -> bytes:
        now = asyncio.get_running_loop().time
        if self._failed is not None and now() < self._failed[0]:
            raise DatabaseFault(self._failed[1])
        client = await self._opened()
        url = f"{self._settings.url.rstrip('/')}/api/v1/{path}"
        asked = urlencode({**form, "timeout": f"{self._timeouts.total_timeout:g}s"}).encode()
        try:
            return await client.ask(url, asked, _HEADERS, most=MOST_BYTES)
        except Refused as fault:  # this query, not all
            raise DatabaseFault(fault.message) from None
        except DeliveryFault as fault:
            self._failed = (now() + PAUSE_SECONDS, fault.message)
            raise DatabaseFault(fault.message) from None

    async def _opened(self) -> HttpClient:
        settings = self._settings
        try:
            secret = await asyncio.to_thread(secret_of, settings)
        except (OSError, ValueError) as error:
            raise DatabaseFault(f"Its secret can't be read: {error}") from None
        if self._client is None or secret != self._secret:
            await self.close()
            self._secret = secret
            credential = secret
            if settings.password_file:
                credential = base64.b64encode(f"{settings.user}:{secret}".encode()).decode()
            headers = dict(settings.headers)
            if secret:
                headers["Authorization"] = f"{'Basic' if settings.password_file else 'Bearer'} {credential}"
            self._client = HttpClient(
                settings, self._timeouts, headers=headers, secrets=[secret, credential], content_type=_FORM
            )
        return self._client


def secret_of(settings: DatabaseSettings) -> str:
    """Its token or password; empty: none. OSError or ValueError, which say which file, where one can't be."""
    path = settings.token_file or settings.password_file
    return _secret(path) if path else ""


def _secret(path: str) -> str:
    try:
        text = Path(path).read_text(encoding="utf-8").strip()
    except UnicodeDecodeError:
        text = ""
    if not text or not text.isprintable() or not text.isascii():
        raise ValueError(f"{path} must hold a secret: one line of ASCII.")
    return text


def _seconds(milliseconds: int) -> str:
    return f"{milliseconds // 1000}.{milliseconds % 1000:03}"


def _between(begin: int, end: int) -> Callable[[Times], tuple[Times, Any]]:
    return lambda times: (times, (times >= begin) & (times < end))


def _parsed(body: bytes, wanted: Collection[str], placed: Callable[[Times], tuple[Times, Any]]) -> Telling:
    answer = orjson.loads(body)
    if answer["status"] != "success":
        raise DatabaseFault(bounded(f"It answered: {answer.get('error') or answer['status']}."))
    if answer.get("isPartial") is True:
        raise DatabaseFault("It answered that parts of it are away.")
    data = answer["data"]
    if data["resultType"] != "matrix":
        raise DatabaseFault("What it answered is no result of a query.")
    found: Telling = {}
    for series in data["result"]:
        labels, points = series["metric"], series["values"]
        storage_id, native_id = labels["storage_id"], labels.get("resource_id", "")
        if storage_id not in wanted or not isinstance(native_id, str):
            raise DatabaseFault("It answered series that were not asked for.")
        at = np.array([point[0] for point in points], dtype=np.float64)
        values = np.array([float(point[1]) for point in points], dtype=np.float64)
        if not (np.abs(at) < 1e12).all():
            raise DatabaseFault("It answered for times that can't be.")
        times, within = placed(np.rint(at * 1000).astype(np.int64))
        within = within & np.isfinite(values)
        if within.any():
            times, firsts = np.unique(times[within], return_index=True)
            part = ("job" in labels or "instance" in labels, times, values[within][firsts])
            found.setdefault((storage_id, native_id), Told([])).parts.append(part)
    return found


def one_series(told: Told) -> tuple[Times, Numbers]:
    """One series of all that it has of a resource.

    A resource that was renamed has a series before and one after. One that is scraped as well as sent, or sent by two
    ways, has several at the same time: then one of them counts, rather the one that was sent, which has the array's
    times; of the others counts what lies where that one has nothing.
    """
    first, *others = sorted(told.parts, key=lambda part: (part[0], -len(part[1])))
    _, times, values = first
    for _, more_times, more_values in others:
        away = _distance(times, more_times) > max(_gap(times), _gap(more_times)) / 2
        times = np.concatenate([times, more_times[away]])
        values = np.concatenate([values, more_values[away]])
        order = np.argsort(times, kind="stable")
        times, values = times[order], values[order]
    return times, values


def _gap(times: Times) -> float:
    return float(np.median(np.diff(times))) if len(times) > 1 else 0.0


def _distance(times: Times, of: Times) -> Times:
    """From each time to the next of others."""
    places = np.searchsorted(times, of)
    before = np.abs(of - times[np.maximum(places - 1, 0)])
    behind = np.abs(times[np.minimum(places, len(times) - 1)] - of)
    nearest: Times = np.minimum(before, behind)
    return nearest
