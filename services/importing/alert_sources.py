"""Delfin's SNMP settings, told again in the words of the contract."""

from __future__ import annotations

from delphis.alert.v1 import snmp_config_pb2
from delphis.sdk.enums import from_text
from delphis.type.v1 import alert_pb2
from services.importing.access import decoded
from services.importing.errors import Untakeable
from services.importing.source import Values

_TEXTS = ("host", "username", "engine_id", "context_name")
_SECRETS = ("community_string", "auth_key", "privacy_key")
_NUMBERS = ("port", "retry_num", "expiration")
_UNKNOWN = 1


def snmp_config(row: Values) -> snmp_config_pb2.PutSnmpConfigRequest:
    """What a row of alert_source asks for. Untakeable where it can't be told; no message repeats a value."""
    request = snmp_config_pb2.PutSnmpConfigRequest(storage_id=row["storage_id"] or "")
    for name in _TEXTS:
        if text := (row[name] or "").strip():
            setattr(request, name, text)
    if "," in request.host:
        raise Untakeable("its host names several")
    request.version = from_text(alert_pb2.SnmpVersion, row["version"] or "")
    if request.version == _UNKNOWN:
        raise Untakeable("its version is none of SNMPv1, SNMPv2c and SNMPv3")
    for name, enum in (
        ("security_level", alert_pb2.SnmpSecurityLevel),
        ("auth_protocol", alert_pb2.SnmpAuthProtocol),
        ("privacy_protocol", alert_pb2.SnmpPrivProtocol),
    ):
        if text := (row[name] or "").strip():
            setattr(request, name, from_text(enum, text))
    for name in _SECRETS:
        if row[name]:
            setattr(request, name, decoded(f"alert_source.{name}", row[name] or ""))
    for name in _NUMBERS:
        text = (row[name] or "").strip()
        if text:
            try:
                setattr(request, name, int(float(text)))
            except (ValueError, OverflowError):
                raise Untakeable(f"its {name} is no number") from None
    return request
