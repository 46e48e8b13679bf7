"""From the exceptions of such drivers to ours: by the names of their classes."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator
from typing import Any

from delphis.sdk import errors

_BY_NAME: dict[str, type[errors.DriverError]] = {
    "AuthenticationException": errors.InvalidUsernameOrPassword,
    "BadHostKeyException": errors.SSHNotFoundKnownHosts,
    "BadRequest": errors.InvalidResults,
    "BadResponse": errors.BadResponse,
    "ConnectTimeout": errors.ConnectTimeout,
    "DelfinException": errors.StorageBackendException,
    "EmptyResourceMetrics": errors.NotSupported,
    "HTTPConnectionTimeout": errors.ConnectTimeout,
    "IncompleteTrapInformation": errors.IncompleteTrapInformation,
    "Invalid": errors.InvalidResults,
    "InvalidCredential": errors.InvalidCredential,
    "InvalidIpOrPort": errors.InvalidIpOrPort,
    "InvalidPrivateKey": errors.InvalidPrivateKey,
    "InvalidResults": errors.InvalidResults,
    "InvalidUsernameOrPassword": errors.InvalidUsernameOrPassword,
    "NotAuthorized": errors.ArrayPermissionDenied,
    "NotFound": errors.ArrayObjectNotFound,
    "NotImplementedError": errors.NotSupported,
    "SSHConnectTimeout": errors.ConnectTimeout,
    "SSHException": errors.SSHException,
    "SSHInjectionThreat": errors.DriverFault,
    "SSHNotFoundKnownHosts": errors.SSHNotFoundKnownHosts,
    "SSLCertificateFailed": errors.SSLCertificateFailed,
    "SSLHandshakeFailed": errors.SSLHandshakeFailed,
    "StorageBackendException": errors.StorageBackendException,
    "StorageBackendNotFound": errors.StorageBackendNotFound,
    "StorageCapabilityNotSupported": errors.NotSupported,
    "StorageClearAlertFailed": errors.StorageClearAlertFailed,
    "StorageListAlertFailed": errors.StorageListAlertFailed,
    "StorageMaxUserCountException": errors.StorageMaxUserCountException,
    "StorageNotFound": errors.StorageBackendNotFound,
}
# Such drivers say these for nearly anything; what lies beneath may know better.
_VAGUE = (errors.InvalidCredential, errors.InvalidResults, errors.BadResponse, errors.StorageBackendException)
_OF_REQUESTS: dict[str, type[errors.DriverError]] = {
    "SSLError": errors.SSLHandshakeFailed,
    "ConnectTimeout": errors.ConnectTimeout,
    "JSONDecodeError": errors.BadResponse,
    "InvalidJSONError": errors.BadResponse,
    "HTTPError": errors.BadResponse,
    "RequestException": errors.ArrayUnreachable,
}


def understood(error: BaseException) -> BaseException:
    """What an exception of a driver means: one of ours, or itself where it names nothing that we know."""
    if isinstance(error, errors.DriverError):
        return error
    beneath = _network(error)
    kind = _kind(error)
    if kind is None:
        return error if beneath is None else beneath
    if beneath is not None and kind in _VAGUE:
        return beneath
    return kind(_said(error), retry_after=None, error_code=type(error).__name__, **_arguments(error))


def _kind(error: BaseException) -> type[errors.DriverError] | None:
    for base in type(error).__mro__:
        if base.__module__ == "builtins" and base is not NotImplementedError:
            return None
        if base.__module__.startswith("requests."):
            if base.__name__ in _OF_REQUESTS:
                return _OF_REQUESTS[base.__name__]
        elif base.__name__ in _BY_NAME:
            return _BY_NAME[base.__name__]
        elif base.__name__.endswith("NotFound"):
            return errors.ArrayObjectNotFound
    return None


def _network(error: BaseException) -> errors.DriverError | None:
    """What the network said, of which the exception was made; None where it said nothing."""
    found: errors.DriverError | None = None
    for cause in _causes(error):
        text = str(cause)
        if isinstance(cause, ssl.SSLError) or "CERTIFICATE_VERIFY_FAILED" in text:
            verify = isinstance(cause, ssl.SSLCertVerificationError) or "CERTIFICATE_VERIFY_FAILED" in text
            return errors.SSLCertificateFailed() if verify else errors.SSLHandshakeFailed()
        if isinstance(cause, socket.gaierror):
            return errors.InvalidIpOrPort("The array's host name can't be resolved.")
        name, module = type(cause).__name__, type(cause).__module__
        foreign = module.startswith(("requests.", "urllib3.", "paramiko."))
        if isinstance(cause, (ConnectionError, TimeoutError)) or (foreign and _is_connection(name)):
            found = errors.ArrayUnreachable(f"The array doesn't answer: {name}.")
    return found


def _is_connection(name: str) -> bool:
    return "Connect" in name or "Timeout" in name or name in ("ProtocolError", "ProxyError")


def _causes(error: BaseException) -> Iterator[BaseException]:
    seen: set[int] = set()
    current: BaseException | None = error
    while current is not None and id(current) not in seen:
        seen.add(id(current))
        yield current
        current = current.__cause__ or current.__context__


def _said(error: BaseException) -> str | None:
    said = getattr(error, "msg", None)
    return str(said if said else error).strip() or None


def _arguments(error: BaseException) -> dict[str, Any]:
    found = getattr(error, "error_args", None)
    return {"error_args": ", ".join(map(str, found))} if isinstance(found, (tuple, list)) and found else {}
