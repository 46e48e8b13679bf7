"""Series of several resources become one, by the metric's own rule or another."""

from __future__ import annotations

import numpy as np

from delphis.type.v1 import metric_catalogue_pb2
from services.telemetry.history.reader import Numbers, Times
from services.telemetry.query.steps import Rule

_MEANS = frozenset({metric_catalogue_pb2.AGGREGATION_MEAN, metric_catalogue_pb2.AGGREGATION_WEIGHTED_MEAN})


class Group:
    """One series in the making."""

    def __init__(self, rule: Rule) -> None:
        self._rule = rule
        self._parts: list[tuple[Times, Numbers, Numbers]] = []

    def add(self, times: Times, values: Numbers, weights: Numbers | None) -> None:
        """More resources: values by time and resource; NaN counts as nothing."""
        told = ~np.isnan(values)
        if self._rule == metric_catalogue_pb2.AGGREGATION_MAX:
            highest = np.asarray(np.where(told, values, -np.inf).max(axis=1, initial=-np.inf), dtype=np.float64)
            self._parts.append((times, highest, np.asarray(told.any(axis=1), dtype=np.float64)))
            return
        counted: Numbers = told.astype(np.float64)
        if self._rule == metric_catalogue_pb2.AGGREGATION_WEIGHTED_MEAN and weights is not None:
            counted = np.where(told & (weights > 0), weights, 0.0)
        scaled: Numbers = np.where(told, values, 0.0) * (counted if self._rule in _MEANS else 1.0)
        self._parts.append((times, np.sum(scaled, axis=1), np.sum(counted, axis=1)))

    def series(self) -> tuple[Times, Numbers]:
        """The times at which at least one resource has a value, and what they make together."""
        times, places = np.unique(np.concatenate([part[0] for part in self._parts]), return_inverse=True)
        values, counts = (np.concatenate([part[index] for part in self._parts]) for index in (1, 2))
        count = np.zeros(len(times))
        np.add.at(count, places, counts)
        if self._rule == metric_catalogue_pb2.AGGREGATION_MAX:
            total = np.full(len(times), -np.inf)
            np.maximum.at(total, places, values)
        else:
            total = np.zeros(len(times))
            np.add.at(total, places, values)
            if self._rule in _MEANS:
                total = total / np.where(count > 0, count, 1.0)
        told = count > 0
        return times[told], total[told]
