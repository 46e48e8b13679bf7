"""When an array or a pool is too full, and when no longer."""

from __future__ import annotations

import pytest

from delphis.alert.v1 import alert_pb2
from services.alerts.own.capacity import severity_of
from services.alerts.own.kinds import CRITICAL, WARNING

SETTINGS = alert_pb2.AlertSettings(capacity_warning=0.8, capacity_critical=0.95)


@pytest.mark.parametrize(
    ("used", "before", "after"),
    [
        (79, 0, 0),
        (80, 0, WARNING),
        (79, WARNING, WARNING),
        (77, WARNING, 0),
        (95, WARNING, CRITICAL),
        (94, 0, WARNING),
        (94, CRITICAL, CRITICAL),
        (92, CRITICAL, WARNING),
        (77, CRITICAL, 0),
        (100, 0, CRITICAL),
    ],
)
def test_thresholds_with_hysteresis(used: int, before: int, after: int) -> None:
    assert severity_of(used, 100, SETTINGS, before) == after


def test_what_has_no_size_is_never_full_and_zero_means_never() -> None:
    assert severity_of(0, 0, SETTINGS, WARNING) == 0
    assert severity_of(100, 100, alert_pb2.AlertSettings(capacity_warning=0, capacity_critical=0), CRITICAL) == 0
