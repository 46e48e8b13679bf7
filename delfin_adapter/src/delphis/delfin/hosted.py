"""A class of Delfin's interface as a driver of Delphis.

`hosted(TheirDriver)` is a subclass of `delphis.sdk.StorageDriver` that has those methods which the class really has.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime
from typing import Any, ClassVar

from delphis.delfin import access, alerts, deadlines, empty_methods, failures, groups, metrics, points, rows, times
from delphis.delfin.instance import Instance, RequestContext
from delphis.delfin.notes import Notes
from delphis.sdk import (
    AccessInfo,
    Alert,
    AlertSource,
    Capabilities,
    Context,
    Controller,
    Disk,
    Filesystem,
    MaskingView,
    MetricBatch,
    Port,
    Qtree,
    Quota,
    ResourceMetrics,
    Share,
    Storage,
    StorageDriver,
    StorageHost,
    StorageHostInitiator,
    StoragePool,
    Trap,
    TrapConfig,
    Volume,
    errors,
)

_LISTED: dict[str, type[Any]] = {
    "list_storage_pools": StoragePool,
    "list_volumes": Volume,
    "list_controllers": Controller,
    "list_ports": Port,
    "list_disks": Disk,
    "list_filesystems": Filesystem,
    "list_qtrees": Qtree,
    "list_quotas": Quota,
    "list_shares": Share,
    "list_storage_hosts": StorageHost,
    "list_storage_host_initiators": StorageHostInitiator,
    "list_masking_views": MaskingView,
}
_STORAGE = rows.Rows(Storage, ignored=("storage_name", "driver_vendor", "driver_model"))


class HostedDriver(StorageDriver):
    """One array behind an object of `delfin_class`."""

    delfin_class: ClassVar[type[Any]]
    # Their objects keep a session's state between calls.
    concurrency = 1

    def __init__(self, access_info: AccessInfo) -> None:
        super().__init__(access_info)
        self.array = Instance(self.delfin_class, access_info)
        self.firmware: str | None = None

    def connect(self, context: Context) -> None:
        self.array.log_in(context)

    def close(self) -> None:
        self.array.close(Context(self.storage_id, timeout=10))

    def get_storage(self, context: Context) -> Storage:
        notes = Notes(context, "Storage")
        found = rows.listed(self.array.call(context, "get_storage"), _Silent(context, "Storage"))
        row = rows.as_row(found[0]) if found else None
        if row is None:
            raise errors.InvalidResults("The driver says nothing of the array: get_storage returned no dict.")
        storage = _STORAGE.message(row, notes)
        notes.tell()
        self.firmware = storage.firmware_version
        return storage

    def raw_capabilities(self, context: Context) -> Any:
        """What get_capabilities returns for this array, as the driver writes it."""
        if not empty_methods.has(self.delfin_class, "get_capabilities"):
            return {}
        found = self._capabilities(context, None)
        if isinstance(found, dict) and found and metrics.for_firmware(found, "") is not found:
            # By firmware: a class that can tell is asked for the array's own.
            if self.firmware is None:
                self.get_storage(Context(self.storage_id, timeout=context.remaining))
            return metrics.for_firmware(found, self.firmware or "")
        return found

    def _capabilities(self, context: Context, filters: Any) -> Any:
        with_filters = len(_parameters(self.delfin_class, "get_capabilities")) > 1
        return self.array.call(context, "get_capabilities", *((filters,) if with_filters else ()))


class _Silent(Notes):
    """A storage is one dict, which is no oddity."""

    def odd(self, where: str, problem: str, example: object = None, times: int = 1) -> None:
        pass


def _lister(name: str, message: type[Any]) -> Callable[..., Iterator[Any]]:
    reader = rows.Rows[Any](message, ignored=("storage_host_initiators",))

    def listing(self: HostedDriver, context: Context) -> Iterator[Any]:
        notes = Notes(context, reader.name)
        return reader.messages(rows.listed(self.array.call(context, name), notes), notes)

    return listing


def _group_lister(name: str, kind: groups.GroupKind) -> Callable[..., Iterator[Any]]:
    reader = groups.Groups(kind)

    def listing(self: HostedDriver, context: Context) -> Iterator[Any]:
        return reader.messages(self.array.call(context, name), Notes(context, kind.message.DESCRIPTOR.name))

    return listing


def _get_capabilities(self: HostedDriver, context: Context) -> Capabilities:
    return metrics.capabilities(self.raw_capabilities(context), Notes(context, "Capabilities"))


def _list_alerts(self: HostedDriver, context: Context, begin: datetime | None, end: datetime | None) -> Iterable[Alert]:
    answer = self.array.call(context, "list_alerts", alerts.query(begin, end))
    return alerts.listed(answer, Notes(context, "Alert"), begin, end)


def _clear_alert(self: HostedDriver, context: Context, sequence_number: str) -> None:
    try:
        self.array.call(context, "clear_alert", sequence_number)
    except (TypeError, AttributeError):
        # Some look into an alert that they expect as a dict.
        self.array.call(context, "clear_alert", {"alert_id": sequence_number, "sequence_number": sequence_number})


def _parse_alert(cls: type[HostedDriver], context: Context, trap: Trap) -> list[Alert]:
    given = alerts.trap_dict(trap, context.storage_id)
    method = _unbound(cls.delfin_class, "parse_alert")
    try:
        with deadlines.until(context.remaining):
            answer = method(RequestContext(context.storage_id), given)
        return alerts.parsed(answer, Notes(context, "Alert"))
    except NotImplementedError:
        return []
    except Exception as error:
        known = failures.understood(error)
        if known is error:
            raise
        raise known from error


def _add_trap_config(self: HostedDriver, context: Context, trap_config: TrapConfig) -> None:
    self.array.call(context, "add_trap_config", access.trap_config(trap_config))


def _remove_trap_config(self: HostedDriver, context: Context, trap_config: TrapConfig) -> None:
    self.array.call(context, "remove_trap_config", access.trap_config(trap_config))


def _get_alert_sources(self: HostedDriver, context: Context) -> list[AlertSource]:
    return alerts.sources(self.array.call(context, "get_alert_sources"), Notes(context, "AlertSource"))


def _collect_perf_metrics(
    self: HostedDriver,
    context: Context,
    resource_metrics: Sequence[ResourceMetrics],
    begin: datetime,
    end: datetime,
) -> Iterator[MetricBatch]:
    capabilities = self.raw_capabilities(context)
    historic = isinstance(capabilities, dict) and bool(capabilities.get("is_historic"))
    begin_ms, end_ms = times.ms_of(begin), times.ms_of(end)
    wanted = metrics.wanted(resource_metrics, capabilities)
    answer = self.array.call(context, "collect_perf_metrics", self.storage_id, wanted, begin_ms, end_ms)
    if answer is None:
        raise errors.InvalidResults("The driver collected nothing: collect_perf_metrics returned None.")
    return points.batches(answer, Notes(context, "Metric"), begin_ms, end_ms, historic)


def _get_latest_perf_timestamp(self: HostedDriver, context: Context) -> datetime | None:
    ms = times.milliseconds(self.array.call(context, "get_latest_perf_timestamp"))
    return times.moment(ms) if ms is not None else None


_METHODS: dict[str, Any] = {
    **{name: _lister(name, message) for name, message in _LISTED.items()},
    **{name: _group_lister(name, kind) for name, kind in groups.KINDS.items()},
    "get_capabilities": _get_capabilities,
    "list_alerts": _list_alerts,
    "clear_alert": _clear_alert,
    "parse_alert": classmethod(_parse_alert),
    "add_trap_config": _add_trap_config,
    "remove_trap_config": _remove_trap_config,
    "get_alert_sources": _get_alert_sources,
    "collect_perf_metrics": _collect_perf_metrics,
    "get_latest_perf_timestamp": _get_latest_perf_timestamp,
}


def hosted(driver: type[Any]) -> type[HostedDriver]:
    """The driver of Delphis for a class of Delfin's interface."""
    methods = {name: method for name, method in _METHODS.items() if empty_methods.has(driver, name)}
    return type(driver.__name__, (HostedDriver,), {"__module__": __name__, "delfin_class": driver, **methods})


def _parameters(driver: type[Any], name: str) -> list[str]:
    """Names of the parameters that a caller gives."""
    try:
        return list(inspect.signature(_unbound(driver, name)).parameters)
    except (TypeError, ValueError):
        return []


def _unbound(driver: type[Any], name: str) -> Callable[..., Any]:
    """A method that needs no array; of a class that has forgotten to make it static, on an object without state."""
    own = inspect.getattr_static(driver, name)
    if isinstance(own, (staticmethod, classmethod)) or not inspect.isfunction(own):
        found: Callable[..., Any] = getattr(driver, name)
        return found
    parameters = list(inspect.signature(own).parameters)
    if parameters and parameters[0] == "self":
        bound: Callable[..., Any] = own.__get__(object.__new__(driver))
        return bound
    return own


__all__ = ["HostedDriver", "hosted"]
