"""Every reason that an array can give has an exception, and every exception a status."""

from __future__ import annotations

import socket
import ssl

import grpc
import pytest
from google.rpc import error_details_pb2, status_pb2

from delphis.sdk import errors
from delphis.sdk.status import as_driver_error, failure_of, reason_value
from delphis.type.v1 import errors_pb2, options_pb2

CLASSES = [
    found for found in vars(errors).values() if isinstance(found, type) and issubclass(found, errors.DriverError)
]
REASONS = errors_pb2.Reason.DESCRIPTOR.values_by_name


def test_each_reason_of_arrays_has_an_exception_of_the_same_name() -> None:
    by_reason = {found.reason: found for found in CLASSES if found not in (errors.DriverError, errors.HostError)}
    for value in REASONS.values():
        if 300 <= value.number < 400:
            found = by_reason[value.name.removeprefix("REASON_")]
            text = value.GetOptions().Extensions[options_pb2.text]
            assert text in (found.__name__, "InvalidInput", "NotFound"), value.name


@pytest.mark.parametrize("found", CLASSES, ids=lambda found: found.__name__)
def test_each_exception_has_a_sentence_and_a_code(found: type[errors.DriverError]) -> None:
    assert f"REASON_{found.reason}" in REASONS
    failure = failure_of(found())
    assert failure.message == found.sentence
    assert failure.message.endswith(".")
    assert failure.code == REASONS[f"REASON_{found.reason}"].GetOptions().Extensions[options_pb2.code]
    assert failure.code not in (grpc.StatusCode.UNAUTHENTICATED.value[0], grpc.StatusCode.PERMISSION_DENIED.value[0])
    status = status_pb2.Status.FromString(failure.details)
    info = error_details_pb2.ErrorInfo()
    assert status.details[0].Unpack(info)
    assert (info.domain, info.reason) == ("delphis.dev", found.reason)


class AskForPassword(errors.DriverError):
    reason = "UNAUTHENTICATED"


class Invented(errors.InvalidIpOrPort):
    reason = "NO_SUCH_REASON"


class Own(errors.InvalidIpOrPort):
    """A driver's own subclass."""


def test_drivers_speak_of_their_array_only() -> None:
    assert failure_of(AskForPassword("x")).reason == "DRIVER_FAULT"
    assert failure_of(Invented("x")).reason == "DRIVER_FAULT"
    assert failure_of(Own("x", host="h")).reason == "INVALID_IP_OR_PORT"
    assert reason_value(Own()) == errors_pb2.REASON_INVALID_IP_OR_PORT


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (ssl.SSLCertVerificationError(1, "certificate verify failed"), errors.SSLCertificateFailed),
        (ssl.SSLError(1, "wrong version number"), errors.SSLHandshakeFailed),
        (socket.gaierror(-2, "Name or service not known"), errors.InvalidIpOrPort),
        (ConnectionResetError(), errors.ArrayUnreachable),
        (TimeoutError(), errors.ArrayUnreachable),
        (OSError("disk full"), errors.DriverFault),
        (NotImplementedError(), errors.NotSupported),
        (MemoryError(), errors.DriverFault),
    ],
)
def test_exceptions_of_the_standard_library(error: BaseException, expected: type[errors.DriverError]) -> None:
    assert type(as_driver_error(error)) is expected


def test_metadata_and_retry_are_sent() -> None:
    failure = failure_of(errors.ArrayBusy("Too fast.", retry_after=2.5, limit=10))
    status = status_pb2.Status.FromString(failure.details)
    info, retry = error_details_pb2.ErrorInfo(), error_details_pb2.RetryInfo()
    assert status.details[0].Unpack(info)
    assert status.details[1].Unpack(retry)
    assert dict(info.metadata) == {"limit": "10"}
    assert retry.retry_delay.ToMilliseconds() == 2500


def test_trailers_stay_small() -> None:
    huge = {f"key{number}": "ü" * 10_000 for number in range(100)}
    failure = failure_of(errors.BadResponse("大" * 10_000, retry_after=None, **huge))
    assert len(failure.details) * 4 / 3 + len(failure.message.encode()) * 3 < 8000
    assert failure.message.endswith("大…")
