"""What a driver raises, so that the caller learns what happened and what to do.

Raise the class that names what happened. The host answers the call with its reason, its sentence and its details; any
other exception becomes DRIVER_FAULT, which tells an operator only that the driver has a bug.

    raise errors.InvalidUsernameOrPassword("The array 10.0.0.5 refused the user 'monitor'.", user="monitor")

A message is one sentence: what happened, to what. It must not hold secrets; the host masks those that it knows.
"""

from __future__ import annotations

from typing import ClassVar


class DriverError(Exception):
    """Root of everything that a driver raises on purpose.

    Attributes:
        reason: Name of the value of `delphis.type.v1.Reason`, without its prefix. It decides the gRPC code.
        message: The sentence for people.
        metadata: Every changing part of the sentence, for programs.
        retry_after: Seconds after which a repetition may succeed, or None.
    """

    reason: ClassVar[str] = "DRIVER_FAULT"
    sentence: ClassVar[str] = "The driver failed."

    def __init__(self, message: str | None = None, *, retry_after: float | None = None, **metadata: object) -> None:
        """
        Args:
            message: One sentence: what happened, to what. None: the class's own sentence.
            retry_after: Seconds after which the call may be repeated.
            **metadata: What changes in the sentence, by name: `host="10.0.0.5"`. Values are sent as text.
        """
        self.message = message or self.sentence
        self.retry_after = retry_after
        self.metadata = {key: str(value) for key, value in metadata.items()}
        super().__init__(self.message)


# ---- Access: an operator corrects the access info ----


class AccessInfoIncomplete(DriverError):
    """The access info lacks a block or a field that the driver needs; name it in `field`."""

    reason = "ACCESS_INFO_INCOMPLETE"
    sentence = "The access info lacks something that the driver needs."


class InvalidUsernameOrPassword(DriverError):
    """The array refused user and password."""

    reason = "INVALID_USERNAME_OR_PASSWORD"
    sentence = "The array refused the user name or the password."


class InvalidCredential(DriverError):
    """The array refused a credential other than user and password, such as a token."""

    reason = "INVALID_CREDENTIAL"
    sentence = "The array refused the credential."


class InvalidPrivateKey(DriverError):
    """The SSH key can't be read, or is not of a kind that can be used."""

    reason = "INVALID_PRIVATE_KEY"
    sentence = "The private key can't be used."


class InvalidIpOrPort(DriverError):
    """Nothing that speaks the array's protocol answers at the address."""

    reason = "INVALID_IP_OR_PORT"
    sentence = "Nothing that speaks the array's protocol answers at this host and port."


class SSHNotFoundKnownHosts(DriverError):
    """The SSH host key is not the pinned one, or none is pinned."""

    reason = "SSH_NOT_FOUND_KNOWN_HOSTS"
    sentence = "The array's SSH host key is not the pinned one."


class SSLCertificateFailed(DriverError):
    """The array's certificate can't be verified."""

    reason = "SSL_CERTIFICATE_FAILED"
    sentence = "The array's certificate can't be verified."


class SSLHandshakeFailed(DriverError):
    """No TLS session could be agreed on."""

    reason = "SSL_HANDSHAKE_FAILED"
    sentence = "No TLS session could be agreed on with the array."


class ArrayPermissionDenied(DriverError):
    """The login works, but the array's user may not do this."""

    reason = "ARRAY_PERMISSION_DENIED"
    sentence = "The array's user may not do this."


class StorageBackendNotFound(DriverError):
    """The management server answers, but doesn't manage the array that was asked for."""

    reason = "STORAGE_BACKEND_NOT_FOUND"
    sentence = "The management server doesn't know this array."


# ---- The way to the array: a repetition may help ----


class ArrayUnreachable(DriverError):
    """The array doesn't answer, though the address may well be right."""

    reason = "ARRAY_UNREACHABLE"
    sentence = "The array doesn't answer."


class ConnectTimeout(DriverError):
    """The connection wasn't made in time."""

    reason = "CONNECT_TIMEOUT"
    sentence = "The connection to the array wasn't made in time."


class ArrayTimeout(DriverError):
    """The array took the request, but didn't answer in time."""

    reason = "ARRAY_TIMEOUT"
    sentence = "The array didn't answer within the deadline."


class ArrayBusy(DriverError):
    """The array throttles; say in `retry_after` for how long, where it says so."""

    reason = "ARRAY_BUSY"
    sentence = "The array is busy."

    def __init__(self, message: str | None = None, *, retry_after: float | None = 10.0, **metadata: object) -> None:
        super().__init__(message, retry_after=retry_after, **metadata)


class SSHException(DriverError):
    """The SSH session failed."""

    reason = "SSH_EXCEPTION"
    sentence = "The SSH session with the array failed."


class StorageMaxUserCountException(DriverError):
    """The array allows no more sessions of this user."""

    reason = "STORAGE_MAX_USER_COUNT"
    sentence = "The array allows no more sessions of this user."


# ---- What the array says ----


class BadResponse(DriverError):
    """The array's answer can't be understood."""

    reason = "BAD_RESPONSE"
    sentence = "The array's answer can't be understood."


class InvalidResults(DriverError):
    """The array's answer lacks what is needed, such as a serial number."""

    reason = "INVALID_RESULTS"
    sentence = "The array's answer lacks something that is needed."


class StorageBackendException(DriverError):
    """The array reports a fault of its own."""

    reason = "STORAGE_BACKEND_EXCEPTION"
    sentence = "The array reports a fault."


class ArrayObjectNotFound(DriverError):
    """The array has no such object."""

    reason = "ARRAY_OBJECT_NOT_FOUND"
    sentence = "The array has no such object."


class StorageCapabilityNotSupported(DriverError):
    """This array, with this firmware, can't do this."""

    reason = "STORAGE_CAPABILITY_NOT_SUPPORTED"
    sentence = "This array can't do this."


NotSupported = StorageCapabilityNotSupported


class StorageListAlertFailed(DriverError):
    """The array didn't list its alerts."""

    reason = "STORAGE_LIST_ALERT_FAILED"
    sentence = "The array didn't list its alerts."


class StorageClearAlertFailed(DriverError):
    """The array didn't clear the alert."""

    reason = "STORAGE_CLEAR_ALERT_FAILED"
    sentence = "The array didn't clear the alert."


class IncompleteTrapInformation(DriverError):
    """The trap says too little: the array's alerts must be listed. Only `parse_alert` raises it."""

    reason = "INCOMPLETE_TRAP_INFORMATION"
    sentence = "The trap says too little; the array's alerts must be listed."


# ---- What the host says; drivers have no use for these ----


class HostError(DriverError):
    """Root of what the host itself answers."""


class DriverFault(HostError):
    """The driver failed in a way that it doesn't name."""

    reason = "DRIVER_FAULT"
    sentence = "The driver failed."


class DriverBrokeContract(HostError):
    """The driver returned what the contract forbids."""

    reason = "DRIVER_BROKE_CONTRACT"
    sentence = "The driver returned what the contract forbids."


class DriverLoadFailed(HostError):
    """The driver's code can't be loaded."""

    reason = "DRIVER_LOAD_FAILED"
    sentence = "The driver's code can't be loaded."


class DriverOverloaded(HostError):
    """Too many calls wait for the array."""

    reason = "DRIVER_OVERLOADED"
    sentence = "Too many calls wait for this array."


class OwnerEpochStale(HostError):
    """Another core owns the array since."""

    reason = "OWNER_EPOCH_STALE"
    sentence = "Another core owns this array since."


class InvalidInput(HostError):
    """A field of the request is missing or out of range."""

    reason = "INVALID_INPUT"
    sentence = "The request can't be taken."


class BadRequest(HostError):
    """The request as a whole can't be read."""

    reason = "BAD_REQUEST"
    sentence = "The request can't be read."


class ProtocolTooOld(HostError):
    """The method is unknown to this host."""

    reason = "PROTOCOL_TOO_OLD"
    sentence = "This host doesn't know the method; it is older than its caller."
