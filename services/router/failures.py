"""What a caller is told when a host's answer is an error."""

from __future__ import annotations

import re

import grpc

from services.calls.errors import DOMAIN, CallError, reasons
from services.router.targets import ResolvedTarget

# What gRPC itself says when a connection breaks; a driver may say it too, so the host is asked before it is believed.
MAYBE_LOST = frozenset(
    {grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.UNKNOWN, grpc.StatusCode.INTERNAL, grpc.StatusCode.CANCELLED}
)
# As google.rpc.ErrorInfo defines it.
_REASON = re.compile(r"[A-Z][A-Z0-9_]{0,62}")
_LONGEST_WAIT = 86400.0
# They speak of the caller of Delphis, or of what only the core can know.
_NOT_A_DRIVERS = frozenset(
    {
        "UNAUTHENTICATED",
        "NOT_AUTHORIZED",
        "STORAGE_NOT_FOUND",
        "STORAGE_ALREADY_EXISTS",
        "STORAGE_IS_SYNCING",
        "STORAGE_IS_PAUSED",
        "STORAGE_DRIVER_NOT_FOUND",
        "DRIVER_NOT_FOUND",
        "DRIVER_HOST_UNAVAILABLE",
        "DRIVER_HOST_START_FAILED",
        "DRIVER_CONFLICT",
        "ARRAY_QUARANTINED",
        "LEASES_OFF",
        "TARGET_REFUSED",
        "SERVICE_UNAVAILABLE",
        "STORE_FAULT",
    }
)
_NOT_A_DRIVERS_CODES = frozenset({grpc.StatusCode.UNAUTHENTICATED, grpc.StatusCode.PERMISSION_DENIED})
# For drivers that send a bare status, as a plain gRPC server does.
_REASON_OF_CODE = {
    grpc.StatusCode.UNAVAILABLE: "ARRAY_UNREACHABLE",
    grpc.StatusCode.DEADLINE_EXCEEDED: "ARRAY_TIMEOUT",
    grpc.StatusCode.RESOURCE_EXHAUSTED: "DRIVER_OVERLOADED",
    grpc.StatusCode.NOT_FOUND: "ARRAY_OBJECT_NOT_FOUND",
    grpc.StatusCode.INVALID_ARGUMENT: "INVALID_INPUT",
    grpc.StatusCode.UNIMPLEMENTED: "PROTOCOL_TOO_OLD",
}


def from_driver(error: CallError, *, driver: str, method: str) -> CallError:
    """The error of a driver as the contract allows it."""
    # It is stored with the sync, and PostgreSQL takes no NUL.
    error.message = error.message.replace("\0", "")
    if not _REASON.fullmatch(error.reason):
        error.reason = ""
    if error.retry_after is not None:
        error.retry_after = min(max(error.retry_after, 0.0), _LONGEST_WAIT)
    said = f"driver {driver} answered {method} with {error.code.name}"
    if error.code in _NOT_A_DRIVERS_CODES or (error.domain == DOMAIN and error.reason in _NOT_A_DRIVERS):
        return CallError(
            "DRIVER_BROKE_CONTRACT",
            f"{said}{f' and {error.reason}' if error.reason else ''}, which is not a driver's to say: {error.message}",
            metadata={"driver": driver, "method": method, "code": error.code.name, "reason": error.reason},
        )
    if not error.reason:
        return CallError(
            _REASON_OF_CODE.get(error.code, "DRIVER_FAULT"),
            f"{said}: {error.message}",
            metadata={"driver": driver, "method": method, "code": error.code.name},
            retry_after=error.retry_after,
        )
    known = reasons().get(error.reason) if error.domain == DOMAIN else None
    if known is not None and known.code is not error.code:
        error.code = known.code
    return error


def host_lost(driver: str, method: str) -> CallError:
    """The host died or can't be reached."""
    return CallError(
        "DRIVER_HOST_UNAVAILABLE",
        f"The host of driver {driver} was lost during {method}. Reads can be repeated; look before you repeat a write.",
        metadata={"driver": driver, "method": method},
    )


def too_large(driver: str, method: str, problem: str) -> CallError:
    """The driver's answer, or the request to it, is larger than one message may be."""
    return CallError(
        "DRIVER_BROKE_CONTRACT",
        f"A message of driver {driver} for {method} is too large: {problem}",
        metadata={"driver": driver, "method": method},
    )


def timed_out(driver: str, method: str) -> CallError:
    """The call's deadline passed in the host."""
    return CallError(
        "ARRAY_TIMEOUT",
        f"The array or its driver {driver} did not answer {method} within the call's deadline.",
        metadata={"driver": driver, "method": method},
    )


def no_host_in_time(resolved: ResolvedTarget, method: str) -> CallError:
    """The call's deadline passed before there was a host for it."""
    return CallError(
        "DEADLINE_EXCEEDED",
        f"No host of the driver for {resolved.pair} was free for {method} within the call's deadline.",
        metadata={"vendor": resolved.pair.vendor, "model": resolved.pair.model, "method": method},
    )


def not_announced(driver: str, method: str) -> CallError:
    """The driver doesn't have the method."""
    return CallError(
        "STORAGE_CAPABILITY_NOT_SUPPORTED",
        f"Driver {driver} has no {method}.",
        metadata={"driver": driver, "method": method},
    )
