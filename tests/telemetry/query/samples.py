"""A database that answers as Prometheus does, from samples that are here, over real sockets."""

from __future__ import annotations

import json
import math
import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from urllib.parse import parse_qs

from tests.alerts.delivery.web import Request, answer, web

_ASKED = re.compile(r"(?:(\w+)\()?(\w+)\{(.*)\}\[(\d+)ms\]\)?", re.DOTALL)
_MATCHER = re.compile(r'(\w+)=(~?)"((?:[^"\\]|\\.)*)"')
_OVER_TIME: dict[str, Callable[[list[float]], float]] = {
    "sum_over_time": sum,
    "avg_over_time": lambda values: sum(values) / len(values),
    "max_over_time": max,
    "last_over_time": lambda values: values[-1],
}
Labels = tuple[tuple[str, str], ...]


@dataclass(slots=True)
class Samples:
    """All that it has: by labels, milliseconds and values."""

    series: dict[Labels, dict[int, float]] = field(default_factory=dict[Labels, dict[int, float]])
    asked: list[str] = field(default_factory=list[str])
    url: str = ""

    def add(self, name: str, storage_id: str, native_id: str, samples: dict[int, float], **labels: str) -> None:
        """Samples of a resource."""
        told = {"__name__": name, "storage_id": storage_id, "resource_id": native_id, **labels}
        self.series.setdefault(tuple(sorted(told.items())), {}).update(samples)

    def answer(self, request: Request) -> bytes:
        """To one request."""
        form = {key: values[0] for key, values in parse_qs(request.body.decode(), strict_parsing=True).items()}
        self.asked.append(form["query"])
        function, name, matchers, width = _ASKED.fullmatch(form["query"]).groups()  # type: ignore[union-attr]
        chosen = {labels: of for labels, of in self.series.items() if _matches(dict(labels), name, matchers)}
        found: list[dict[str, object]] = []
        if request.path == "/api/v1/query":
            assert function is None
            times = [_milliseconds(form["time"])]
        else:
            assert request.path == "/api/v1/query_range"
            times = list(range(*(_milliseconds(form[key]) for key in ("start", "end", "step"))))
            times.append(_milliseconds(form["end"]))
        for labels, of in chosen.items():
            values: list[list[object]] = []
            for at in times:
                within = [(moment, of[moment]) for moment in sorted(of) if at - int(width) < moment <= at]
                if function is None:
                    values = [[moment / 1000, _text(value)] for moment, value in within]
                elif within:
                    values.append([at / 1000, _text(_OVER_TIME[function]([value for _, value in within]))])
            if values:
                found.append({"metric": dict(labels), "values": values})
        data = {"resultType": "matrix", "result": found}
        return answer(200, json.dumps({"status": "success", "data": data}).encode())


def _matches(labels: dict[str, str], name: str, matchers: str) -> bool:
    if labels["__name__"] != name:
        return False
    for label, regex, quoted in _MATCHER.findall(matchers):
        value = re.sub(r"\\x(..)|\\(.)", lambda m: chr(int(m[1], 16)) if m[1] else m[2], quoted)
        if not (re.fullmatch(value, labels.get(label, "")) if regex else labels.get(label, "") == value):
            return False
    return True


def _milliseconds(text: str) -> int:
    return round(float(text) * 1000)


def _text(value: float) -> str:
    return "NaN" if math.isnan(value) else repr(value)


@asynccontextmanager
async def samples() -> AsyncIterator[Samples]:
    """An empty one at work."""
    made = Samples()
    async with web(made.answer) as site:
        made.url = site.url.removesuffix("/hook")
        yield made
