"""Datagrams to notifications: the one way in."""

from __future__ import annotations

from typing import NamedTuple

from services.snmp import ber
from services.snmp import message as messages
from services.snmp import pdu as pdus
from services.snmp.engine import OwnEngine
from services.snmp.errors import Reason, SnmpError, malformed
from services.snmp.message import CommunityMessage, Scope, V3Message
from services.snmp.notification import Notification, Version
from services.snmp.pdu import Pdu
from services.snmp.timeliness import TimeWindows
from services.snmp.users import LEVELS, Keys, SecurityLevel, UserTable

_new = tuple.__new__
_V2C, _V3 = Version.V2C, Version.V3  # to look one up in the enum takes longer than to read a variable


class Opened(NamedTuple):
    """A message of SNMPv3 whose sender is known, up to its PDU."""

    keys: Keys
    plain: bytes
    scope: Scope


class Decoder:
    """Decodes what arrived, each datagram once and in the order of arrival: the time windows remember it.

    Not for several threads.
    """

    def __init__(self, users: UserTable, engine: OwnEngine, windows: TimeWindows) -> None:
        self.users = users
        self.engine = engine
        self.windows = windows

    def decode(self, data: bytes, received_at: float, *, answered: bool = False) -> Notification:
        """The notification, or SnmpError; nothing else is raised.

        `received_at` is in seconds since 1970. `answered`: it is an inform that an InformDesk let pass when it
        arrived, so our own clock, which may have started again since, has no say.
        """
        try:
            version, at = messages.opened(data)
            if version != 3:
                return community_notification(messages.read_community(data, version, at), data)[0]
            message = messages.read_v3(data, at)
            found = self.open(message, received_at, own_clock=not answered)
            return v3_notification(message, found, self.engine)[0]
        except IndexError:
            raise SnmpError(Reason.TRUNCATED, "it ends within a value") from None

    def open(self, message: V3Message, now: float, *, own_clock: bool = True, windows: bool = True) -> Opened:
        """Finds the user, checks digest and time, decrypts. SnmpError where one fails, in the standard's order.

        `own_clock`: check that the sender of an inform knows our clock. `windows`: check and remember other engines'.
        """
        ours = message.engine_id == self.engine.engine_id
        if not message.engine_id:
            raise SnmpError(Reason.UNKNOWN_ENGINE, "no engine id")
        candidates = self.users.keys(message.engine_id, message.user, ours=ours)
        level = LEVELS[message.flags & 3]
        matching = [keys for keys in candidates if keys.level is level] if len(candidates) > 1 else candidates
        if not matching or matching[0].level is not level:
            raise SnmpError(Reason.UNSUPPORTED_SECURITY_LEVEL, f"sent as {level.name}, which isn't that user's level")
        data, auth_at, digest = message.data, message.auth_at, message.auth
        if level is SecurityLevel.NO_AUTH_NO_PRIV:
            return Opened(matching[0], data, messages.read_scope(data, message.body_at, len(data)))
        fitting = [keys for keys in matching if keys.auth and keys.auth.made(data, auth_at, digest)]
        if not fitting:
            raise SnmpError(Reason.WRONG_DIGEST, "no password of that user makes its digest")
        if fitting[0] is not candidates[0]:
            candidates.remove(fitting[0])
            candidates.insert(0, fitting[0])
        if ours and own_clock and not self.engine.in_window(message.boots, message.time, now):
            raise SnmpError(Reason.NOT_IN_TIME_WINDOW, "the sender doesn't know our clock")
        if not ours and windows:
            self.windows.check(message.engine_id, fitting[0].owners[0], message.boots, message.time, digest, now)
        if level is SecurityLevel.AUTH_NO_PRIV:
            scope = messages.read_scope(data, message.body_at, len(data))
            return _new(Opened, (fitting[0], data, scope))
        return _decrypted(message, fitting)


def _decrypted(message: V3Message, fitting: list[Keys]) -> Opened:
    start, stop = ber.content(message.data, message.body_at, len(message.data), ber.OCTETS)
    if stop != len(message.data):
        raise malformed("something follows the encrypted PDU")
    data = message.data[start:stop]
    for keys in fitting:
        for cipher in keys.ciphers:
            plain = cipher.decrypt(data, message.boots, message.time, message.salt)
            if plain is None:
                continue
            try:
                scope = messages.read_scope(plain, 0, len(plain), padded=True)
            except (SnmpError, IndexError):
                continue
            if cipher is not keys.ciphers[0]:
                keys.ciphers.remove(cipher)
                keys.ciphers.insert(0, cipher)
            return _new(Opened, (keys, plain, scope))
    raise SnmpError(Reason.DECRYPTION, "no privacy password of that user opens it")


def community_notification(message: CommunityMessage, data: bytes) -> tuple[Notification, Pdu]:
    """The notification in a message of SNMPv1 or v2c."""
    if message.version == 0:
        pdu, version = pdus.read_v1(data, message.pdu_at, message.end), Version.V1
    else:
        pdu, version = pdus.read(data, message.pdu_at, message.end), _V2C
    tag, number, uptime, trap_oid, varbinds, enterprise, address, _, _ = pdu
    inform, community = tag == pdus.INFORM, message.community
    return _new(
        Notification,
        (version, inform, trap_oid, varbinds, uptime, number, community, enterprise, address, b"", "", (), b"", b""),
    ), pdu


def v3_notification(message: V3Message, found: Opened, engine: OwnEngine) -> tuple[Notification, Pdu]:
    """The notification in an opened message of SNMPv3."""
    keys, plain, scope = found
    pdu = pdus.read(plain, scope.pdu_at, scope.end)
    tag, number, uptime, trap_oid, varbinds, _, _, _, _ = pdu
    if tag == pdus.INFORM and message.engine_id != engine.engine_id:
        raise SnmpError(Reason.UNKNOWN_ENGINE, "an inform for another engine")
    inform, engine_id, user = tag == pdus.INFORM, message.engine_id, message.user.decode("utf-8", "replace")
    whose = (engine_id, user, keys.owners, scope.engine_id, scope.name)
    return _new(Notification, (_V3, inform, trap_oid, varbinds, uptime, number, b"", "", "", *whose)), pdu
