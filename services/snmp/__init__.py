"""SNMP notifications: our own BER decoding, USM, and the answers to informs. Knows nothing of arrays or alerts."""

from __future__ import annotations

from services.snmp.decoder import Decoder
from services.snmp.engine import OwnEngine, new_engine_id
from services.snmp.errors import Reason, SnmpError
from services.snmp.message import Kind, peek
from services.snmp.notification import Notification, VarBind, Version
from services.snmp.privacy import KeyExtension, PrivProtocol
from services.snmp.respond import Inform, InformDesk
from services.snmp.timeliness import EngineClock, TimeWindows
from services.snmp.users import SecurityLevel, User, UserTable
from services.snmp.usm import AuthProtocol

__all__ = [
    "AuthProtocol",
    "Decoder",
    "EngineClock",
    "Inform",
    "InformDesk",
    "KeyExtension",
    "Kind",
    "Notification",
    "OwnEngine",
    "PrivProtocol",
    "Reason",
    "SecurityLevel",
    "SnmpError",
    "TimeWindows",
    "User",
    "UserTable",
    "VarBind",
    "Version",
    "new_engine_id",
    "peek",
]
