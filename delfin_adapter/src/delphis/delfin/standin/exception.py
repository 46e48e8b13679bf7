"""`delfin.exception`: what drivers raise and catch."""

from __future__ import annotations

import re
from typing import Any


class DelfinException(Exception):
    """Root of all.

    A class's `msg_fmt` is its sentence, with {0}, {1}, … for positional arguments; `message` is a sentence instead.
    """

    msg_fmt: str = "An unknown error occurred."
    code: int = 500

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        message = kwargs.pop("message", None)
        self.error_args: tuple[Any, ...] = () if message is not None else args
        self.msg = str(message) if message is not None else self._sentence(args)
        super().__init__(self.msg)

    def _sentence(self, args: tuple[Any, ...]) -> str:
        try:
            return self.msg_fmt.format(*args)
        except (IndexError, KeyError):  # raised without what the sentence wants
            return " ".join([*re.sub(r"\{.*?\}", "", self.msg_fmt).rstrip(" :").split(), *map(str, args)])

    @property
    def error_code(self) -> str:
        return type(self).__name__

    def __str__(self) -> str:
        return self.msg


def _named(base: type[DelfinException], code: int, sentences: dict[str, str]) -> dict[str, type[DelfinException]]:
    return {
        name: type(name, (base,), {"__module__": __name__, "__doc__": sentence, "msg_fmt": sentence, "code": code})
        for name, sentence in sentences.items()
    }


class Invalid(DelfinException):
    msg_fmt = "The given values are not acceptable."
    code = 400


class BadRequest(Invalid):
    msg_fmt = "The request is not acceptable."


class NotAuthorized(DelfinException):
    msg_fmt = "Not authorized."
    code = 403


class NotFound(DelfinException):
    msg_fmt = "Not found."
    code = 404


class InvalidInput(Invalid):
    msg_fmt = "Invalid input: {0}"


class InvalidResults(Invalid):
    msg_fmt = "Invalid results: {0}"


class InvalidIpOrPort(Invalid):
    msg_fmt = "The host or the port is wrong."


class InvalidUsernameOrPassword(Invalid):
    msg_fmt = "The user name or the password is wrong."


class InvalidPrivateKey(Invalid):
    msg_fmt = "The private key can't be used."


class SSHNotFoundKnownHosts(Invalid):
    msg_fmt = "The host key of {0} is not known."


class SSLCertificateFailed(Invalid):
    msg_fmt = "The certificate can't be verified."


class SSLHandshakeFailed(Invalid):
    msg_fmt = "The TLS handshake failed."


class StorageBackendException(DelfinException):
    msg_fmt = "The array failed: {0}"


class SSHException(DelfinException):
    msg_fmt = "SSH failed: {0}"


class SSHConnectTimeout(DelfinException):
    msg_fmt = "The SSH connection was not made in time."


class BadResponse(DelfinException):
    msg_fmt = "The array's answer is bad."


class SSHInjectionThreat(DelfinException):
    msg_fmt = "The command may hold more than one: {0}"


_SENTENCES: dict[tuple[type[DelfinException], int], dict[str, str]] = {
    (Invalid, 400): {
        "MalformedRequestBody": "The body can't be read: {0}",
        "MalformedRequestUrl": "The URL can't be read: {0}",
        "InvalidCredential": "The credential is not accepted.",
        "InvalidName": "The name can't be used: {0}",
        "InvalidContentType": "The content type can't be used: {0}",
        "StorageSerialNumberMismatch": "The serial number is another one: {0}",
        "StorageAlreadyExists": "The storage exists already.",
        "InvalidSNMPConfig": "The SNMP configuration can't be used: {0}",
        "SNMPConnectionFailed": "SNMP gets no answer: {0}",
        "StorageIsSyncing": "The storage {0} is being synced.",
    },
    (NotFound, 404): {
        "NoSuchAction": "There is no action {0}.",
        "AccessInfoNotFound": "There is no access info of storage {0}.",
        "AlertSourceNotFound": "There is no alert source of storage {0}.",
        "AlertSourceNotFoundWithHost": "There is no alert source with host {0}.",
        "ConfigNotFound": "There is no configuration {0}.",
        "PasteAppNotFound": "There is no application {0}.",
        **{
            f"{kind}NotFound": f"{kind} {{0}} was not found."
            for kind in (
                *("Storage", "StorageBackend", "StoragePool", "Volume", "Controller", "ControllerList", "Port"),
                *("PortList", "Disk", "Filesystem", "Qtree", "Quota", "Share", "StorageHostInitiator", "StorageHost"),
                *("StorageHostGroup", "PortGroup", "VolumeGroup", "MaskingView", "StorageHostGrpHostRel"),
                *("PortGrpPortRel", "VolGrpVolRelation", "StorageDriver", "Task", "FailedTask", "Component"),
            )
        },
    },
    (DelfinException, 500): {
        "LockCreationFailed": "The lock {0} can't be made.",
        "LockAcquisitionFailed": "The lock {0} can't be had.",
        "DuplicateExtension": "{0} is there twice.",
        "ImproperIPVersion": "The IP version is wrong: {0}",
        "ConnectTimeout": "The connection was not made in time.",
        "HTTPConnectionTimeout": "The HTTP connection was not made in time.",
        "InvalidCAPath": "The CA path can't be used: {0}",
        "StorageClearAlertFailed": "The alert can't be cleared: {0}",
        "StorageListAlertFailed": "The alerts can't be listed: {0}",
        "StoragePerformanceCollectionFailed": "Metrics can't be collected: {0}",
        "InvalidStorageCapability": "The capabilities can't be used: {0}",
        "TelemetryTaskExecError": "The collection failed.",
        "IncompleteTrapInformation": "The trap of storage {0} says too little.",
        "StorageMaxUserCountException": "The array has too many sessions.",
    },
    (DelfinException, 501): {
        "StorageCapabilityNotSupported": "The array can't do this.",
        "EmptyResourceMetrics": "No metrics are named.",
    },
}
for (_base, _code), _sentences in _SENTENCES.items():
    globals().update(_named(_base, _code, _sentences))
