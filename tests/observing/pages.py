"""The pages of metrics, read as Prometheus reads them."""

from __future__ import annotations

from typing import Any

from prometheus_client.openmetrics import parser as openmetrics
from prometheus_client.parser import text_string_to_metric_families

from tests.support.up import Up

OWN = "/metrics/delphis"
ARRAYS = "/metrics"
OPENMETRICS = "application/openmetrics-text; version=1.0.0"

_prometheus: Any = text_string_to_metric_families
_openmetrics: Any = openmetrics.text_string_to_metric_families

Series = dict[tuple[str, frozenset[tuple[str, str]]], float]


def families(running: Up, path: str, *, accept: str = "") -> list[Any]:
    """All families of a page."""
    reply = running.ask("GET", path, headers={"Accept": accept} if accept else {})
    assert reply.status == 200, reply
    parse = _openmetrics if accept else _prometheus
    return list(parse(reply.text))


def series(running: Up, path: str, *, accept: str = "") -> Series:
    """All samples of a page, each of which is there once."""
    found: Series = {}
    for family in families(running, path, accept=accept):
        for sample in family.samples:
            key = (sample.name, frozenset(sample.labels.items()))
            assert key not in found, key
            found[key] = sample.value
    return found


def names(running: Up, path: str) -> set[str]:
    """The names of a page's series."""
    return {name for name, _ in series(running, path)}


def one(running: Up, name: str, **labels: str) -> float:
    """A number of Delphis' own page; 0 where there is none yet."""
    return series(running, OWN).get((name, frozenset(labels.items())), 0.0)
