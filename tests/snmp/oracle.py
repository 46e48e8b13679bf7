"""pysnmp as the oracle: it writes the messages that we read, and reads what we read."""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from services.snmp import AuthProtocol, KeyExtension, Notification, PrivProtocol, Version, ber
from services.snmp.notification import SYS_UPTIME, TRAP_OID

decoder: Any = importlib.import_module("pyasn1.codec.ber.decoder")
encoder: Any = importlib.import_module("pyasn1.codec.ber.encoder")
v1: Any = importlib.import_module("pysnmp.proto.api.v1")
v2c: Any = importlib.import_module("pysnmp.proto.api.v2c")
rfc1905: Any = importlib.import_module("pysnmp.proto.rfc1905")
rfc3412: Any = importlib.import_module("pysnmp.proto.mpmod.rfc3412")
usm: Any = importlib.import_module("pysnmp.proto.secmod.rfc3414.service")
api: Any = importlib.import_module("pysnmp.proto.api")
config: Any = importlib.import_module("pysnmp.entity.config")
univ: Any = importlib.import_module("pyasn1.type.univ")

ENGINE = bytes.fromhex("80001f88051122334455")
OID = "1.3.6.1.4.1.8072.9999.8190"
TRAP = f"{OID}.1"

AUTHS = {
    AuthProtocol.MD5: config.USM_AUTH_HMAC96_MD5,
    AuthProtocol.SHA: config.USM_AUTH_HMAC96_SHA,
    AuthProtocol.SHA224: config.USM_AUTH_HMAC128_SHA224,
    AuthProtocol.SHA256: config.USM_AUTH_HMAC192_SHA256,
    AuthProtocol.SHA384: config.USM_AUTH_HMAC256_SHA384,
    AuthProtocol.SHA512: config.USM_AUTH_HMAC384_SHA512,
}
BLUMENTHAL, REEDER = KeyExtension.BLUMENTHAL, KeyExtension.REEDER
PRIVS = {
    (PrivProtocol.DES, BLUMENTHAL): config.USM_PRIV_CBC56_DES,
    (PrivProtocol.TRIPLE_DES, REEDER): config.USM_PRIV_CBC168_3DES,
    (PrivProtocol.AES, BLUMENTHAL): config.USM_PRIV_CFB128_AES,
    (PrivProtocol.AES192, BLUMENTHAL): config.USM_PRIV_CFB192_AES_BLUMENTHAL,
    (PrivProtocol.AES192, REEDER): config.USM_PRIV_CFB192_AES,
    (PrivProtocol.AES256, BLUMENTHAL): config.USM_PRIV_CFB256_AES_BLUMENTHAL,
    (PrivProtocol.AES256, REEDER): config.USM_PRIV_CFB256_AES,
}
TYPES: dict[int, Any] = {
    ber.INTEGER: v2c.Integer32,
    ber.OCTETS: v2c.OctetString,
    ber.OBJECT_ID: v2c.ObjectIdentifier,
    ber.IP_ADDRESS: v2c.IpAddress,
    ber.COUNTER32: v2c.Counter32,
    ber.GAUGE32: v2c.Gauge32,
    ber.TIME_TICKS: v2c.TimeTicks,
    ber.OPAQUE: v2c.Opaque,
    ber.COUNTER64: v2c.Counter64,
}
NULLS: dict[int, Any] = {
    ber.NULL: v2c.null,
    ber.NO_SUCH_OBJECT: rfc1905.noSuchObject,
    ber.NO_SUCH_INSTANCE: rfc1905.noSuchInstance,
    ber.END_OF_MIB_VIEW: rfc1905.endOfMibView,
}
Bound = tuple[str, int, Any]
EVERY_TYPE: tuple[Bound, ...] = (
    (f"{OID}.1", ber.OCTETS, b"Major\x00\xff" * 40),
    (f"{OID}.2", ber.INTEGER, -(2**31)),
    (f"{OID}.3", ber.INTEGER, 2**31 - 1),
    (f"{OID}.4", ber.COUNTER32, 2**32 - 1),
    (f"{OID}.5", ber.GAUGE32, 2**31),
    (f"{OID}.6", ber.TIME_TICKS, 12_345),
    (f"{OID}.7", ber.COUNTER64, 2**64 - 1),
    (f"{OID}.8", ber.IP_ADDRESS, "192.0.2.255"),
    (f"{OID}.9", ber.OBJECT_ID, "1.3.6.1.4.1.4294967295.0"),
    (f"{OID}.10", ber.OPAQUE, b"\x9f\x78\x04\x3f\xc0\x00\x00"),  # a float, as net-snmp wraps it
    (f"{OID}.11", ber.NULL, None),
    (f"{OID}.12.4294967295.127.128.16383.16384", ber.OCTETS, b""),
)


class Reading(NamedTuple):
    """What both readers have to agree on."""

    version: int
    community: bytes
    inform: bool
    trap_oid: str
    uptime: int | None
    varbinds: tuple[Bound, ...]
    agent_address: str
    context: tuple[bytes, bytes]


def ours(found: Notification) -> Reading:
    """Our reading."""
    varbinds = tuple((oid, tag, value) for oid, tag, value in found.varbinds)
    context = found.context_engine_id, found.context_name
    version = {Version.V1: 0, Version.V2C: 1, Version.V3: 3}[found.version]
    return Reading(
        *(version, found.community, found.inform, found.trap_oid, found.uptime, varbinds, found.agent_address, context)
    )


# Writing


def value_of(tag: int, value: Any) -> Any:
    """A value of pysnmp's."""
    return NULLS[tag] if tag in NULLS else TYPES[tag](value)


def v2_pdu(varbinds: Sequence[Bound], *, inform: bool = False, request_id: int = 77, whole: bool = False) -> Any:
    """A Trap- or Inform-PDU. `whole`: with nothing but these bindings."""
    pdu = v2c.InformRequestPDU() if inform else v2c.TrapPDU()
    v2c.apiPDU.set_defaults(pdu)
    v2c.apiPDU.set_request_id(pdu, request_id)
    begin = [] if whole else [(SYS_UPTIME, ber.TIME_TICKS, 4_242), (TRAP_OID, ber.OBJECT_ID, TRAP)]
    bound = [(v2c.ObjectIdentifier(oid), value_of(tag, value)) for oid, tag, value in (*begin, *varbinds)]
    v2c.apiPDU.set_varbinds(pdu, bound)
    return pdu


def v2c_message(varbinds: Sequence[Bound] = EVERY_TYPE, *, inform: bool = False, **options: Any) -> bytes:
    """A message of SNMPv2c."""
    message = v2c.Message()
    v2c.apiMessage.set_defaults(message)
    v2c.apiMessage.set_community(message, b"public")
    v2c.apiMessage.set_pdu(message, v2_pdu(varbinds, inform=inform, **options))
    return bytes(encoder.encode(message))


def v1_message(varbinds: Sequence[Bound], *, generic: int = 6, specific: int = 5, enterprise: str = OID) -> bytes:
    """A message of SNMPv1."""
    pdu = v1.TrapPDU()
    v1.apiTrapPDU.set_defaults(pdu)
    v1.apiTrapPDU.set_enterprise(pdu, v1.ObjectIdentifier(enterprise))
    v1.apiTrapPDU.set_agent_address(pdu, v1.IpAddress("192.0.2.7"))
    v1.apiTrapPDU.set_generic_trap(pdu, generic)
    v1.apiTrapPDU.set_specific_trap(pdu, specific)
    v1.apiTrapPDU.set_timestamp(pdu, 4_242)
    v1.apiTrapPDU.set_varbinds(pdu, [(v1.ObjectIdentifier(oid), _v1_value(tag, value)) for oid, tag, value in varbinds])
    message = v1.Message()
    v1.apiMessage.set_defaults(message)
    v1.apiMessage.set_community(message, b"public")
    v1.apiMessage.set_pdu(message, pdu)
    return bytes(encoder.encode(message))


def _v1_value(tag: int, value: Any) -> Any:
    kinds = {ber.INTEGER: v1.Integer, ber.COUNTER32: v1.Counter, ber.GAUGE32: v1.Gauge, ber.OCTETS: v1.OctetString}
    kinds |= {ber.IP_ADDRESS: v1.IpAddress, ber.TIME_TICKS: v1.TimeTicks, ber.OBJECT_ID: v1.ObjectIdentifier}
    return v1.Null("") if tag == ber.NULL else (kinds | {ber.OPAQUE: v1.Opaque})[tag](value)


@dataclass(frozen=True)
class V3:
    """How a message of SNMPv3 is made."""

    user: str = "monitor"
    auth: AuthProtocol | None = None
    auth_password: str = "auth-password"
    privacy: PrivProtocol | None = None
    privacy_password: str = "privacy-password"
    extension: KeyExtension = BLUMENTHAL
    engine_id: bytes = ENGINE
    boots: int = 3
    time: int = 1_000
    reportable: bool = False
    message_id: int = 4_711
    max_size: int = 65_507

    def message(self, varbinds: Sequence[Bound] = EVERY_TYPE, *, inform: bool = False, **options: Any) -> bytes:
        """The message."""
        scoped = rfc3412.ScopedPDU()
        scoped.setComponentByPosition(0, univ.OctetString(self.engine_id))
        scoped.setComponentByPosition(1, univ.OctetString(b"context"))
        pdus = scoped.setComponentByPosition(2).getComponentByPosition(2)
        pdus.setComponentByType(v2c.TrapPDU.tagSet if not inform else v2c.InformRequestPDU.tagSet)
        pdu = v2_pdu(varbinds, inform=inform, **options)
        pdus.setComponentByType(pdu.tagSet, pdu, verifyConstraints=False, matchTags=False, matchConstraints=False)
        salt, digest = b"", b""
        data = rfc3412.ScopedPduData()
        if self.auth is not None:
            service = config.AUTH_SERVICES[AUTHS[self.auth]]
            digest = bytes(service.digest_length)
        if self.privacy is not None:
            cipher = config.PRIV_SERVICES[PRIVS[self.privacy, self.extension]]
            key = self._key(cipher.hash_passphrase(AUTHS[self._auth], self.privacy_password.encode()))
            key = cipher.localize_key(AUTHS[self._auth], key, univ.OctetString(self.engine_id))
            encrypted, salted = cipher.encrypt_data(key, (self.boots, self.time, None), bytes(encoder.encode(scoped)))
            salt = bytes(salted)
            data.setComponentByName("encryptedPDU", encrypted)
        else:
            data.setComponentByName("plaintext", scoped)
        message = rfc3412.SNMPv3Message()
        message.setComponentByName("msgVersion", 3)
        header = message.setComponentByName("msgGlobalData").getComponentByName("msgGlobalData")
        flags = (self.auth is not None) | (self.privacy is not None) << 1 | self.reportable << 2
        for place, value in enumerate((self.message_id, self.max_size, bytes([flags]), 3)):
            header.setComponentByPosition(place, value)
        security = usm.UsmSecurityParameters()
        for place, field in enumerate((self.engine_id, self.boots, self.time, self.user, digest, salt)):
            security.setComponentByPosition(place, field)
        message.setComponentByName("msgSecurityParameters", encoder.encode(security))
        message.setComponentByName("msgData", data)
        whole = bytes(encoder.encode(message))
        if self.auth is None:
            return whole
        service = config.AUTH_SERVICES[AUTHS[self.auth]]
        key = self._key(service.hash_passphrase(self.auth_password.encode()))
        key = service.localize_key(key, univ.OctetString(self.engine_id))
        return bytes(service.authenticate_outgoing_message(key, whole))

    @property
    def _auth(self) -> AuthProtocol:
        assert self.auth is not None
        return self.auth

    @staticmethod
    def _key(key: Any) -> Any:
        return univ.OctetString(key)


# Reading


def read(data: bytes) -> Reading | None:
    """pysnmp's reading of an unencrypted message; None where it refuses, or it is no notification."""
    try:
        version = int(api.decodeMessageVersion(data))
    except Exception:  # noqa: BLE001 - it raises all sorts
        return None
    try:
        return {0: _read_v1, 1: _read_v2c, 3: _read_v3}[version](data)
    except Exception:  # noqa: BLE001 - as above
        return None


def _read_v1(data: bytes) -> Reading | None:
    message, rest = decoder.decode(data, asn1Spec=v1.Message())
    pdu = v1.apiMessage.get_pdu(message)
    if rest or pdu.tagSet != v1.TrapPDU.tagSet:
        return None
    enterprise = str(v1.apiTrapPDU.get_enterprise(pdu))
    generic, specific = int(v1.apiTrapPDU.get_generic_trap(pdu)), int(v1.apiTrapPDU.get_specific_trap(pdu))
    name = f"{enterprise}.0.{specific}" if generic == 6 else f"1.3.6.1.6.3.1.1.5.{generic + 1}"
    community = bytes(v1.apiMessage.get_community(message))
    address = ".".join(str(octet) for octet in bytes(v1.apiTrapPDU.get_agent_address(pdu)))
    bound = tuple(_bound(oid, value) for oid, value in v1.apiTrapPDU.get_varbinds(pdu))
    return Reading(0, community, False, name, int(v1.apiTrapPDU.get_timestamp(pdu)), bound, address, (b"", b""))


def _read_v2c(data: bytes) -> Reading | None:
    message, rest = decoder.decode(data, asn1Spec=v2c.Message())
    if rest:
        return None
    community = bytes(v2c.apiMessage.get_community(message))
    return _read_pdu(v2c.apiMessage.get_pdu(message), 1, community, (b"", b""))


def _read_v3(data: bytes) -> Reading | None:
    message, rest = decoder.decode(data, asn1Spec=rfc3412.SNMPv3Message())
    security, more = decoder.decode(message.getComponentByPosition(2).asOctets(), asn1Spec=usm.UsmSecurityParameters())
    if rest or more or len(security) != 6:
        return None
    scoped = message.getComponentByPosition(3).getComponent()
    context = bytes(scoped.getComponentByPosition(0)), bytes(scoped.getComponentByPosition(1))
    return _read_pdu(scoped.getComponentByPosition(2).getComponent(), 3, b"", context)


def _read_pdu(pdu: Any, version: int, community: bytes, context: tuple[bytes, bytes]) -> Reading | None:
    inform = pdu.tagSet == v2c.InformRequestPDU.tagSet
    if not inform and pdu.tagSet != v2c.TrapPDU.tagSet:
        return None
    bound = [_bound(oid, value) for oid, value in v2c.apiPDU.get_varbinds(pdu)]
    int(v2c.apiPDU.get_request_id(pdu))
    uptime = next((each for each in bound if each[0] == SYS_UPTIME), None)
    name = next((each for each in bound if each[0] == TRAP_OID), None)
    for taken in (uptime, name):
        if taken is not None:
            bound.remove(taken)
    if name is None:
        return None
    return Reading(version, community, inform, name[2], uptime and uptime[2], tuple(bound), "", context)


def _bound(oid: Any, value: Any) -> Bound:
    tag = encoder.encode(value)[0]
    name = ".".join(map(str, oid))
    if tag in NULLS:
        return name, tag, None
    if tag == ber.OBJECT_ID:
        return name, tag, ".".join(map(str, value))
    if tag == ber.IP_ADDRESS:
        return name, tag, ".".join(map(str, bytes(value)))
    return name, tag, bytes(value) if tag in (ber.OCTETS, ber.OPAQUE) else int(value)
