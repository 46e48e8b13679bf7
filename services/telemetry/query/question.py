"""A request for series that was checked."""

from __future__ import annotations

from dataclasses import dataclass

from delphis.sdk import metrics
from delphis.sdk.metrics import Metric
from delphis.telemetry.v1 import telemetry_pb2
from delphis.type.v1 import metric_catalogue_pb2
from services.calls.errors import invalid
from services.telemetry.history.recorder import KINDS

MAX_METRICS = 20
MAX_TOP = 1000
_HOUR = 3600 * 1000
_RULES = frozenset(
    {
        metric_catalogue_pb2.AGGREGATION_UNSPECIFIED,
        metric_catalogue_pb2.AGGREGATION_SUM,
        metric_catalogue_pb2.AGGREGATION_MEAN,
        metric_catalogue_pb2.AGGREGATION_MAX,
    }
)


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked. Times are milliseconds since 1970 UTC."""

    kind: str
    metrics: tuple[Metric, ...]
    storage_ids: frozenset[str]
    """Empty: all."""
    native_ids: tuple[str, ...]
    """Empty: all."""
    labels: dict[str, str]
    begin: int
    end: int
    step: int
    """0: as collected."""
    group_by: str
    """Empty, `storage` or `all`."""
    rule: metric_catalogue_pb2.Aggregation.ValueType
    """Over resources; UNSPECIFIED: each metric's own."""
    top: int
    """0: all."""

    def over_resources(self, metric: Metric) -> metric_catalogue_pb2.Aggregation.ValueType:
        """How series of this metric are put together."""
        return self.rule or metric.over_resources


def question(request: telemetry_pb2.QueryMetricsRequest, *, now: int, kinds: frozenset[str] = KINDS) -> Question:
    """The checked request; INVALID_INPUT where it is wrong. `kinds` are those of which somebody has points."""
    if request.kind not in kinds:
        raise invalid("kind", f"There is no history of it; there is one of {', '.join(sorted(kinds))}.")
    if not 1 <= len(request.metrics) <= MAX_METRICS:
        raise invalid("metrics", f"Name 1 to {MAX_METRICS} metrics.")
    if len(set(request.metrics)) < len(request.metrics):
        raise invalid("metrics", "One is named twice.")
    known = {metric.name: metric for metric in metrics.of_kind(request.kind)}
    for name in request.metrics:
        if name not in known:
            raise invalid("metrics", f"{name[:100]!r} is no metric of a {request.kind}: GET /v1/metrics lists them.")
    end = request.end_time.ToMilliseconds() if request.HasField("end_time") else now
    begin = request.begin_time.ToMilliseconds() if request.HasField("begin_time") else end - _HOUR
    if begin >= end:
        raise invalid("end_time", "It must be after begin_time.")
    step = request.step.ToMilliseconds() if request.HasField("step") else 0
    if request.HasField("step") and not 1000 <= step <= 366 * 24 * _HOUR:
        raise invalid("step", "It must be 1 s to 366 days.")
    if request.group_by not in ("", "storage", "all"):
        raise invalid("group_by", "It must be `storage` or `all`, or left out.")
    if request.group_by == "all" and not step:
        raise invalid("step", "Arrays are not asked at the same times: group_by all needs a step.")
    if request.aggregation not in _RULES:
        raise invalid("aggregation", "It must be sum, mean or max.")
    if not 0 <= request.top <= MAX_TOP:
        raise invalid("top", f"It must be 1 to {MAX_TOP:,}; or 0, for all.")
    return Question(
        kind=request.kind,
        metrics=tuple(known[name] for name in request.metrics),
        storage_ids=frozenset(request.storage_ids),
        native_ids=tuple(dict.fromkeys(request.native_ids)),
        labels=dict(request.labels),
        begin=begin,
        end=end,
        step=step,
        group_by=request.group_by,
        rule=request.aggregation,
        top=request.top,
    )
