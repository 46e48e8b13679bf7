"""Whether an alert is one of those that a rule or a silence means."""

from __future__ import annotations

from collections.abc import Iterable

from delphis.alert.v1 import alert_pb2, delivery_pb2


class Matcher:
    """An AlertMatch, ready to be asked often."""

    __slots__ = (
        "_alert_ids",
        "_categories",
        "_labels",
        "_own",
        "_resource_types",
        "_severities",
        "_storage_ids",
        "_vendors",
    )

    def __init__(self, match: delivery_pb2.AlertMatch) -> None:
        self._severities = frozenset(match.severities)
        self._categories = frozenset(match.categories)
        self._vendors = frozenset(match.vendors)
        self._storage_ids = frozenset(match.storage_ids)
        self._labels = dict(match.labels)
        self._resource_types = frozenset(match.resource_types)
        self._alert_ids = frozenset(match.alert_ids)
        self._own = match.own if match.HasField("own") else None

    def __call__(self, alert: alert_pb2.Alert) -> bool:
        if self._severities and alert.severity not in self._severities:
            return False
        if self._categories and alert.category not in self._categories:
            return False
        if self._storage_ids and alert.storage_id not in self._storage_ids:
            return False
        if self._vendors and alert.vendor not in self._vendors:
            return False
        if self._resource_types and alert.resource_type not in self._resource_types:
            return False
        if self._alert_ids and alert.alert_id not in self._alert_ids:
            return False
        if self._own is not None and self._own != (alert.origin == alert_pb2.ALERT_ORIGIN_DELPHIS):
            return False
        # A label that the storage lacks is not one that is empty.
        return all(name in alert.labels and alert.labels[name] == value for name, value in self._labels.items())


class Rules:
    """The rules of a receiver: it wants what one of them matches; without rules, all."""

    __slots__ = ("_matchers",)

    def __init__(self, rules: Iterable[delivery_pb2.AlertMatch]) -> None:
        self._matchers = [Matcher(rule) for rule in rules]

    def __call__(self, alert: alert_pb2.Alert) -> bool:
        return not self._matchers or any(matcher(alert) for matcher in self._matchers)


def is_empty(match: delivery_pb2.AlertMatch) -> bool:
    """Whether it has no field set, so that every alert would match."""
    return match.ByteSize() == 0
