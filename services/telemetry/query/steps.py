"""Samples of a longer time become one, by the metric's own rule."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np

from delphis.type.v1 import metric_catalogue_pb2
from services.telemetry.history.reader import Numbers, Times

Rule: TypeAlias = "metric_catalogue_pb2.Aggregation.ValueType"


def in_steps(times: Times, values: Numbers, step: int, rule: Rule, weights: Numbers | None) -> tuple[Times, Numbers]:
    """Values by time and series, one for each step in which there is a sample; the time is the step's begin.

    Args:
        times: Growing.
        values: NaN: no sample.
        step: Milliseconds.
        rule: Of the metric, over time.
        weights: By which a weighted mean is weighted; None: none are known.
    """
    starts = times - times % step
    steps, firsts = np.unique(starts, return_index=True)
    told = ~np.isnan(values)
    if rule == metric_catalogue_pb2.AGGREGATION_MAX:
        highest = np.maximum.reduceat(np.where(told, values, -np.inf), firsts, axis=0)
        return steps, np.where(np.isinf(highest), np.nan, highest)
    if rule == metric_catalogue_pb2.AGGREGATION_LAST:
        return steps, _newest(values, told, firsts)
    if rule == metric_catalogue_pb2.AGGREGATION_SUM:
        return steps, _masked(np.add.reduceat(np.where(told, values, 0.0), firsts, axis=0), told, firsts)
    if rule == metric_catalogue_pb2.AGGREGATION_WEIGHTED_MEAN and weights is not None:
        counted = np.where(told & (weights > 0), weights, 0.0)
        total = np.add.reduceat(np.where(counted > 0, values, 0.0) * counted, firsts, axis=0)
        return steps, _quotient(total, np.add.reduceat(counted, firsts, axis=0))
    total = np.add.reduceat(np.where(told, values, 0.0), firsts, axis=0)
    return steps, _quotient(total, np.add.reduceat(told.astype(np.float64), firsts, axis=0))


def _newest(values: Numbers, told: np.ndarray[tuple[int, ...], np.dtype[np.bool_]], firsts: Times) -> Numbers:
    places = np.where(told, np.arange(len(values))[:, np.newaxis], -1)
    newest = np.maximum.reduceat(places, firsts, axis=0)
    found = np.take_along_axis(values, np.maximum(newest, 0), axis=0)
    return np.where(newest >= firsts[:, np.newaxis], found, np.nan)


def _masked(total: Numbers, told: np.ndarray[tuple[int, ...], np.dtype[np.bool_]], firsts: Times) -> Numbers:
    return np.where(np.add.reduceat(told.astype(np.int64), firsts, axis=0) > 0, total, np.nan)


def _quotient(total: Numbers, count: Numbers) -> Numbers:
    return np.where(count > 0, total / np.where(count > 0, count, 1.0), np.nan)
