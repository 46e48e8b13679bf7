"""Calls a driver's method for each RPC, and makes a message of what it returns. Runs in the driver's thread."""

from __future__ import annotations

from collections.abc import AsyncIterable, Callable, Generator, Iterable, Mapping
from datetime import UTC, datetime
from itertools import islice
from typing import Any, TypeVar

from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp

from delphis.driver.v1 import storage_driver_pb2 as pb
from delphis.sdk import errors
from delphis.sdk.context import Context
from delphis.sdk.driver import StorageDriver
from delphis.sdk.host.contract import FIRST_CORE_OWNED, Method
from delphis.sdk.host.natives import cut_natives
from delphis.sdk.host.workers import Job
from delphis.sdk.redaction import one_line
from delphis.sdk.status import as_driver_error, reason_value
from delphis.type.v1.alert_pb2 import Alert, AlertSource
from delphis.type.v1.metric_pb2 import Capabilities
from delphis.type.v1.storage_pb2 import Storage

_M = TypeVar("_M", bound=Message)

MOST_TRAPS = 500

Unary = Callable[[StorageDriver, Context, Any, Job], Message]


def get_storage(driver: StorageDriver, context: Context, request: pb.GetStorageRequest, job: Job) -> Message:
    storage = _typed(job.resolve(driver.get_storage(context)), Storage, "get_storage")
    if not storage.serial_number:
        raise errors.InvalidResults("The driver found no serial number; it is the array's identity.")
    answer = pb.GetStorageResponse(storage=storage)
    message: Any = answer.storage
    for field, _ in message.ListFields():
        if field.number >= FIRST_CORE_OWNED:
            message.ClearField(field.name)
            context.warn(f"Storage.{field.name} belongs to the inventory: left out.", reason=errors.DriverBrokeContract)
    cut_natives([message], context)
    answer.warnings.extend(context.warnings)
    return answer


def reset_connection(driver: StorageDriver, context: Context, request: object, job: Job) -> Message:
    job.resolve(driver.reset_connection(context))
    return pb.ResetConnectionResponse()


def add_trap_config(driver: StorageDriver, context: Context, request: pb.AddTrapConfigRequest, job: Job) -> Message:
    job.resolve(driver.add_trap_config(context, request.trap_config))
    return pb.AddTrapConfigResponse()


def remove_trap_config(
    driver: StorageDriver, context: Context, request: pb.RemoveTrapConfigRequest, job: Job
) -> Message:
    job.resolve(driver.remove_trap_config(context, request.trap_config))
    return pb.RemoveTrapConfigResponse()


def clear_alert(driver: StorageDriver, context: Context, request: pb.ClearAlertRequest, job: Job) -> Message:
    answer = pb.ClearAlertResponse()
    last: errors.DriverError | None = None
    for number in request.sequence_numbers:
        context.check()
        try:
            job.resolve(driver.clear_alert(context, number))
        except errors.ArrayObjectNotFound:
            continue
        except errors.StorageClearAlertFailed as error:
            last = error
            answer.failures.add(reason=reason_value(error), message=one_line(error.message), native_id=number)
    if last is not None and len(answer.failures) == len(request.sequence_numbers):
        raise last
    return answer


def get_alert_sources(driver: StorageDriver, context: Context, request: object, job: Job) -> Message:
    answer = pb.GetAlertSourcesResponse()
    for source in _iterable(job.resolve(driver.get_alert_sources(context)), "get_alert_sources"):
        answer.alert_sources.append(_typed(source, AlertSource, "get_alert_sources"))
    return answer


def get_capabilities(driver: StorageDriver, context: Context, request: object, job: Job) -> Message:
    capabilities = _typed(job.resolve(driver.get_capabilities(context)), Capabilities, "get_capabilities")
    return pb.GetCapabilitiesResponse(capabilities=capabilities)


def get_latest_perf_timestamp(driver: StorageDriver, context: Context, request: object, job: Job) -> Message:
    latest = job.resolve(driver.get_latest_perf_timestamp(context))
    answer = pb.GetLatestPerfTimestampResponse()
    if latest is not None:
        _typed(latest, datetime, "get_latest_perf_timestamp")
        if latest.tzinfo is None:
            raise errors.DriverBrokeContract("get_latest_perf_timestamp must return a time with its zone.")
        answer.timestamp.FromDatetime(latest.astimezone(UTC))
    return answer


UNARY: dict[str, Unary] = {
    "GetStorage": get_storage,
    "ResetConnection": reset_connection,
    "AddTrapConfig": add_trap_config,
    "RemoveTrapConfig": remove_trap_config,
    "ClearAlert": clear_alert,
    "GetAlertSources": get_alert_sources,
    "GetCapabilities": get_capabilities,
    "GetLatestPerfTimestamp": get_latest_perf_timestamp,
}


def parse_alert(driver: type[StorageDriver], context: Context, request: pb.ParseAlertRequest, job: Job) -> Message:
    """ParseAlert, which is asked of the class. A trap that can't be parsed doesn't spoil the others."""
    if len(request.traps) > MOST_TRAPS:
        raise errors.InvalidInput(f"{len(request.traps)} traps; at most {MOST_TRAPS} are taken.", field="traps")
    answer = pb.ParseAlertResponse()
    for trap in request.traps:
        context.check()
        result = answer.results.add()
        try:
            found = job.resolve(driver.parse_alert(context, trap))
            alerts = [] if found is None else [found] if isinstance(found, Alert) else _iterable(found, "parse_alert")
            result.alerts.extend(_typed(alert, Alert, "parse_alert") for alert in alerts)
        except errors.IncompleteTrapInformation:
            result.incomplete = True
        except Exception as error:  # whatever a driver raises is about this trap alone
            known = as_driver_error(error)
            context.logger.warning("a trap can't be parsed", exc_info=not isinstance(error, errors.DriverError))
            del result.alerts[:]
            result.warning.reason, result.warning.message = reason_value(known), one_line(known.message)
    return answer


class Source:
    """What a list method returned, read in the thread in chunks."""

    def __init__(self, found: object, method: Method, job: Job) -> None:
        self._job = job
        self._later = found.__aiter__() if isinstance(found, AsyncIterable) else None
        self._now = iter(() if self._later is not None else _iterable(found, method.python_name))

    def take(self, count: int) -> list[Any]:
        """The next items; fewer than `count` only at the end."""
        if self._later is not None:
            return self._job.take(self._later, count)
        return list(islice(self._now, count))

    def close(self) -> None:
        """Lets a generator run its `finally` now."""
        if self._later is not None:
            self._job.close(self._later)
        elif isinstance(self._now, Generator):
            self._now.close()


def listing(driver: StorageDriver, method: Method, context: Context, request: Any, job: Job) -> Source:
    """Calls a list method."""
    if method.name == "ListAlerts":
        found: Any = driver.list_alerts(context, _time(request, "begin_time"), _time(request, "end_time"))
    elif method.name == "CollectPerfMetrics":
        begin, end = _time(request, "begin_time"), _time(request, "end_time")
        if begin is None or end is None:
            raise errors.InvalidInput("CollectPerfMetrics needs begin_time and end_time.", field="begin_time")
        found = driver.collect_perf_metrics(context, list(request.resource_metrics), begin, end)
    else:
        found = getattr(driver, method.python_name)(context)
    return Source(job.resolve(found), method, job)


def _typed(value: Any, expected: type[_M] | type[datetime], method: str) -> Any:
    if not isinstance(value, expected):
        raise errors.DriverBrokeContract(
            f"{method} must return {expected.__name__}, not {type(value).__name__}.", returned=type(value).__name__
        )
    return value


def _iterable(value: object, method: str) -> Iterable[Any]:
    if isinstance(value, (str, bytes, Mapping, Message)) or not isinstance(value, Iterable):
        raise errors.DriverBrokeContract(
            f"{method} must return a list or a generator of messages, not {type(value).__name__}.",
            returned=type(value).__name__,
        )
    return value


def _time(request: Any, field: str) -> datetime | None:
    if not request.HasField(field):
        return None
    timestamp: Timestamp = getattr(request, field)
    return timestamp.ToDatetime(tzinfo=UTC)
