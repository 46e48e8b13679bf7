"""From an exception of a driver to the status that the caller gets. The only place where this is decided."""

from __future__ import annotations

import socket
import ssl
from functools import cache
from typing import NamedTuple

from google.protobuf import duration_pb2
from google.rpc import error_details_pb2, status_pb2

from delphis.sdk import errors
from delphis.sdk.redaction import one_line
from delphis.type.v1 import errors_pb2, options_pb2

DOMAIN = "delphis.dev"
STATUS_DETAILS = "grpc-status-details-bin"

# gRPC refuses trailers of more than 8 KiB; the message is in them twice, once with three bytes for one.
LONGEST_VALUE = 200
LONGEST_KEY = 50
MOST_METADATA = 12

# What a driver may say. The rest of the enum speaks about requests, the core's resources, or the caller.
_OF_ARRAYS = range(300, 400)
_ALSO_OF_ARRAYS = frozenset(
    {errors_pb2.REASON_STORAGE_BACKEND_NOT_FOUND, errors_pb2.REASON_INVALID_RESULTS, errors_pb2.REASON_ARRAY_TIMEOUT}
)


class Failure(NamedTuple):
    """An error as it is sent."""

    code: int
    reason: str
    message: str
    details: bytes


@cache
def _code(reason: str) -> int:
    value = errors_pb2.Reason.DESCRIPTOR.values_by_name[f"REASON_{reason}"]
    return int(value.GetOptions().Extensions[options_pb2.code])


def _may_say(reason: str) -> bool:
    value = errors_pb2.Reason.DESCRIPTOR.values_by_name.get(f"REASON_{reason}")
    return value is not None and (value.number in _OF_ARRAYS or value.number in _ALSO_OF_ARRAYS)


def as_driver_error(error: BaseException) -> errors.DriverError:
    """The exception of `delphis.sdk.errors` that says what any exception of a driver means.

    The standard library's exceptions of connections are about the array; everything else is a fault of the driver.
    """
    match error:
        case errors.HostError():
            return error
        case errors.DriverError() if _may_say(error.reason):
            return error
        case errors.DriverError():
            return errors.DriverFault(error.message, retry_after=None, **error.metadata)
        case NotImplementedError():
            return errors.StorageCapabilityNotSupported(str(error) or None)
        case ssl.SSLCertVerificationError():
            return errors.SSLCertificateFailed(f"The array's certificate can't be verified: {_said_by(error)}.")
        case ssl.SSLError():
            return errors.SSLHandshakeFailed(f"No TLS session could be agreed on with the array: {error}.")
        case socket.gaierror():
            return errors.InvalidIpOrPort(f"The array's host name can't be resolved: {error.strerror}.")
        case ConnectionError() | TimeoutError():
            return errors.ArrayUnreachable(f"The array doesn't answer: {_said_by(error)}.")
        case _:
            return errors.DriverFault(f"The driver failed: {_said_by(error)}.", exception=type(error).__name__)


def _said_by(error: BaseException) -> str:
    text = str(error).strip().rstrip(".")
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def scrubbed(error: BaseException) -> errors.DriverError:
    """What an exception means, as an exception without secrets and without a traceback.

    To be called while the secrets that may be in it are still held.
    """
    known = as_driver_error(error)
    metadata = list(known.metadata.items())[:MOST_METADATA]
    clean = type(known).__new__(type(known))
    errors.DriverError.__init__(
        clean,
        one_line(known.message),
        retry_after=known.retry_after,
        **{key[:LONGEST_KEY]: one_line(value, LONGEST_VALUE) for key, value in metadata},
    )
    return clean


def failure_of(error: BaseException) -> Failure:
    """The status for an exception, without secrets."""
    known = scrubbed(error)
    code = _code(known.reason)
    status = status_pb2.Status(code=code, message=known.message)
    info = error_details_pb2.ErrorInfo(domain=DOMAIN, reason=known.reason, metadata=known.metadata)
    status.details.add().Pack(info)
    if known.retry_after is not None:
        delay = duration_pb2.Duration()
        delay.FromMilliseconds(int(known.retry_after * 1000))
        status.details.add().Pack(error_details_pb2.RetryInfo(retry_delay=delay))
    return Failure(code, known.reason, known.message, status.SerializeToString())


def reason_value(error: BaseException) -> errors_pb2.Reason.ValueType:
    """The value of `Reason` for an exception, for warnings."""
    return errors_pb2.Reason.Value(f"REASON_{as_driver_error(error).reason}")
