"""What an operator gives, checked and joined with what is stored."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from delphis.alert.v1 import snmp_config_pb2
from delphis.type.v1 import alert_pb2, options_pb2
from services.calls.errors import invalid

_HOST = re.compile(r"[A-Za-z0-9_.:-]{1,255}", re.ASCII)
_ENGINE_ID = re.compile(r"(?:[0-9a-f]{2}){5,32}", re.ASCII)
_V3 = alert_pb2.SNMP_VERSION_SNMPV3
_VERSIONS = frozenset({alert_pb2.SNMP_VERSION_SNMPV1, alert_pb2.SNMP_VERSION_SNMPV2C, _V3})
_AUTHENTICATED = frozenset({alert_pb2.SNMP_SECURITY_LEVEL_AUTH_NO_PRIV, alert_pb2.SNMP_SECURITY_LEVEL_AUTH_PRIV})
_LEVELS = _AUTHENTICATED | {alert_pb2.SNMP_SECURITY_LEVEL_NO_AUTH_NO_PRIV}
_LIMITS = {"retry_num": (0, 10), "expiration": (1, 60), "port": (0, 65535)}
_TEXTS = {"community_string": (1, 32), "username": (1, 32), "auth_key": (8, 65535), "privacy_key": (8, 65535)}
_OF_V3 = ("username", "security_level", "auth_protocol", "privacy_protocol", "engine_id", "context_name")
SECRETS = ("community_string", "auth_key", "privacy_key")
DEFAULT_TRAP_PORT = 162


@dataclass(frozen=True, slots=True)
class Given:
    """A configuration as it is stored: `secrets` has the fields of SECRETS and no others."""

    config: snmp_config_pb2.SnmpConfig
    secrets: snmp_config_pb2.PutSnmpConfigRequest = field(repr=False)


def merged(before: Given | None, request: snmp_config_pb2.PutSnmpConfigRequest) -> Given:
    """The configuration after the request. INVALID_INPUT names the field that is missing or not allowed."""
    config, secrets = snmp_config_pb2.SnmpConfig(), snmp_config_pb2.PutSnmpConfigRequest()
    if before is not None:
        config.CopyFrom(before.config)
        secrets.CopyFrom(before.secrets)
    _check_values(request)
    for descriptor, value in request.ListFields():
        name = descriptor.name
        if name in SECRETS:
            setattr(secrets, name, value)
        elif name not in ("storage_id", "trap_receiver"):
            setattr(config, name, value)
    if config.engine_id:
        config.engine_id = config.engine_id.lower()
    for name in ("engine_id", "context_name"):  # empty ones that were given take away what was there
        if not getattr(config, name):
            config.ClearField(name)  # type: ignore[arg-type]
    if request.HasField("trap_receiver"):
        if request.trap_receiver.host:
            config.trap_receiver.CopyFrom(request.trap_receiver)
            config.trap_receiver.port = request.trap_receiver.port or DEFAULT_TRAP_PORT
        else:
            config.ClearField("trap_receiver")
    if not config.host:
        raise invalid("host", "It is required.")
    if config.version not in _VERSIONS:
        raise invalid("version", "It is required.")
    _check_protection(config, secrets)
    return Given(config, secrets)


def _check_values(request: snmp_config_pb2.PutSnmpConfigRequest) -> None:
    if request.HasField("host") and not _HOST.fullmatch(request.host):
        raise invalid("host", "It must be one name or address: 1 to 255 letters, digits and '-_.:'.")
    if request.HasField("version") and request.version not in _VERSIONS:
        raise invalid("version", "It must be SNMPv1, SNMPv2c or SNMPv3.")
    for name, (least, most) in _TEXTS.items():
        if request.HasField(name):  # type: ignore[arg-type]
            text: str = getattr(request, name)
            if not least <= len(text) <= most or len(text.encode()) > 65535 or "\0" in text:
                raise invalid(name, f"It must have {least} to {most:,} characters.")
    if len(request.username.encode()) > 32:
        raise invalid("username", "It must have at most 32 octets in UTF-8.")
    if request.HasField("security_level") and request.security_level not in _LEVELS:
        raise invalid("security_level", "It must be noAuthnoPriv, authNoPriv or authPriv.")
    if request.HasField("auth_protocol") and not _known(alert_pb2.SnmpAuthProtocol, request.auth_protocol):
        raise invalid("auth_protocol", _one_of(alert_pb2.SnmpAuthProtocol))
    if request.HasField("privacy_protocol") and not _known(alert_pb2.SnmpPrivProtocol, request.privacy_protocol):
        raise invalid("privacy_protocol", _one_of(alert_pb2.SnmpPrivProtocol))
    if request.engine_id and not _ENGINE_ID.fullmatch(request.engine_id.lower()):
        raise invalid("engine_id", "It must be 5 to 32 octets: 10 to 64 hexadecimal digits, an even number.")
    if len(request.context_name) > 32 or "\0" in request.context_name:
        raise invalid("context_name", "It must have at most 32 characters.")
    for name, (low, high) in _LIMITS.items():
        if request.HasField(name) and not low <= getattr(request, name) <= high:  # type: ignore[arg-type]
            raise invalid(name, f"It must be {low} to {high}.")
    if request.HasField("trap_receiver"):
        receiver = request.trap_receiver
        if receiver.host and not _HOST.fullmatch(receiver.host):
            raise invalid("trap_receiver.host", "It must be one name or address: letters, digits and '-_.:'.")
        if not 0 <= receiver.port <= 65535:
            raise invalid("trap_receiver.port", "It must be 0 to 65535; 0 stands for 162.")


def _known(enum: object, value: int) -> bool:
    descriptor = enum.DESCRIPTOR  # type: ignore[attr-defined]
    return value > 1 and value in descriptor.values_by_number


def _one_of(enum: object) -> str:
    values = enum.DESCRIPTOR.values  # type: ignore[attr-defined]
    texts = (value.GetOptions().Extensions[options_pb2.text] for value in values)
    return f"It must be one of {', '.join(text for text in texts if text)}."


def _check_protection(config: snmp_config_pb2.SnmpConfig, secrets: snmp_config_pb2.PutSnmpConfigRequest) -> None:
    """Takes away what the version or the level has no use for; INVALID_INPUT where something is missing."""
    if config.version != _V3:
        for name in _OF_V3:
            config.ClearField(name)  # type: ignore[arg-type]
        secrets.ClearField("auth_key")
        secrets.ClearField("privacy_key")
        if not secrets.community_string:
            raise invalid("community_string", "SNMPv1 and SNMPv2c need it.")
        return
    secrets.ClearField("community_string")
    if not config.username:
        raise invalid("username", "SNMPv3 needs it.")
    if config.security_level not in _LEVELS:
        raise invalid("security_level", "SNMPv3 needs it.")
    if config.security_level in _AUTHENTICATED:
        if not config.HasField("auth_protocol"):
            raise invalid("auth_protocol", "The security level needs it.")
        if not secrets.auth_key:
            raise invalid("auth_key", "The security level needs it.")
    else:
        config.ClearField("auth_protocol")
        secrets.ClearField("auth_key")
    if config.security_level == alert_pb2.SNMP_SECURITY_LEVEL_AUTH_PRIV:
        if not config.HasField("privacy_protocol"):
            raise invalid("privacy_protocol", "The security level needs it.")
        if not secrets.privacy_key:
            raise invalid("privacy_key", "The security level needs it.")
    else:
        config.ClearField("privacy_protocol")
        secrets.ClearField("privacy_key")
