"""Answers: to informs, once they are kept, and to those who search our engine (RFC 3416, RFC 3412, RFC 3414)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, NamedTuple

from services.snmp import ber, oid
from services.snmp import message as messages
from services.snmp import pdu as pdus
from services.snmp.decoder import Decoder, Opened, community_notification, v3_notification
from services.snmp.errors import Reason, SnmpError
from services.snmp.message import AUTH, PRIV, REPORTABLE, V3Message
from services.snmp.notification import Notification
from services.snmp.pdu import Pdu
from services.snmp.users import Keys

_MOST_OCTETS: Final = 65_507
_NO_ERROR = ber.encode_integer(0)
_TOO_BIG = ber.encode_integer(1)
_COUNTERS = {
    Reason.UNSUPPORTED_SECURITY_LEVEL: 1,
    Reason.NOT_IN_TIME_WINDOW: 2,
    Reason.UNKNOWN_USER: 3,
    Reason.UNKNOWN_ENGINE: 4,
    Reason.WRONG_DIGEST: 5,
    Reason.DECRYPTION: 6,
}
_REMEMBERED_SECONDS = 60.0
_MOST_REMEMBERED = 16_384
_Key = tuple[str, int, int]


class Inform(NamedTuple):
    """What to do with a datagram of kind ASKS: `keep` it first where there is a notification, then send `answer`."""

    notification: Notification | None
    """None: there is nothing to keep."""
    answer: bytes
    """Empty: nobody waits."""
    reason: Reason | None
    """Why it is refused, where the answer is a report."""
    key: _Key | None = None
    """To tell `kept`."""

    @property
    def keep(self) -> bool:
        """Whether it has to be safe before the answer goes."""
        return self.notification is not None


Allow = Callable[[Notification, str], bool]
"""Whether an inform from this address is accepted: its community is one of that array, its user one of its owners."""


class InformDesk:
    """Judges what has to be answered, when it arrives. Not for several threads."""

    def __init__(self, decoder: Decoder, allow: Allow) -> None:
        self.decoder = decoder
        self._allow = allow
        self._kept: dict[_Key, float] = {}

    def take(self, data: bytes, source: str, received_at: float) -> Inform:
        """What to do with it. SnmpError where it is refused without an answer."""
        try:
            version, at = messages.opened(data)
            if version == 3:
                return self._v3(messages.read_v3(data, at), source, received_at)
            message = messages.read_community(data, version, at)
            notification, pdu = community_notification(message, data)
            if not notification.inform:
                return Inform(notification, b"", None)
            prefix = ber.encode_integer(version) + ber.encode(ber.OCTETS, message.community)
            room = _MOST_OCTETS - len(prefix) - 8
            answer = ber.encode(ber.SEQUENCE, prefix + _response(pdu, data, room))
            return self._judged(notification, source, received_at, answer, data[pdu.list_at : pdu.list_end])
        except IndexError:
            raise SnmpError(Reason.TRUNCATED, "it ends within a value") from None

    def kept(self, inform: Inform, now: float) -> None:
        """It is safe: where the sender misses our answer and repeats it, it is answered and not kept again."""
        if inform.key is None:
            return
        if len(self._kept) >= _MOST_REMEMBERED:
            oldest = next(iter(self._kept))
            del self._kept[oldest]
        self._kept[inform.key] = now

    def _judged(self, notification: Notification, source: str, now: float, answer: bytes, bindings: bytes) -> Inform:
        if not self._allow(notification, source):
            raise SnmpError(Reason.NOT_ALLOWED, "an inform with a community or user that isn't this address's")
        key = source, notification.request_id, hash(bindings)
        before = self._kept.get(key)
        if before is not None and now - before <= _REMEMBERED_SECONDS:
            return Inform(None, answer, None)
        self._kept.pop(key, None)
        return Inform(notification, answer, None, key)

    def _v3(self, message: V3Message, source: str, now: float) -> Inform:
        engine = self.decoder.engine
        ours = message.engine_id == engine.engine_id
        found: Opened | None = None
        try:
            # A trap that says it may be reported on is still a trap; its time is checked when it is decoded.
            found = self.decoder.open(message, now, windows=False)
            notification, pdu = v3_notification(message, found, engine)
        except SnmpError as refusal:
            reason = refusal.reason
            if not ours and reason in _COUNTERS:
                reason = Reason.UNKNOWN_ENGINE
            if reason not in _COUNTERS or (reason is Reason.UNKNOWN_USER and not self.decoder.users):
                raise  # without any users, as in the first moments of a process: silence, so that it is sent again
            return Inform(None, self._report(message, reason, now), reason)
        if not notification.inform:
            return Inform(notification, b"", None)
        room = min(message.max_size, _MOST_OCTETS) - 256
        body = _scoped(found.scope.engine_id, found.scope.name, _response(pdu, found.plain, room))
        answer = self._message(message, found.keys, body, now)
        return self._judged(notification, source, now, answer, found.plain[pdu.list_at : pdu.list_end])

    def _report(self, message: V3Message, reason: Reason, now: float) -> bytes:
        engine = self.decoder.engine
        number, keys = 0, None
        if not message.flags & PRIV:
            try:
                scope = messages.read_scope(message.data, message.body_at, len(message.data))
                number = pdus.request_id(message.data, scope.pdu_at, scope.end)
            except (SnmpError, IndexError):
                number = 0
        if reason is Reason.NOT_IN_TIME_WINDOW:  # the sender believes our clock only from an authenticated report
            candidates = self.decoder.users.keys(message.engine_id, message.user, ours=True)
            keys = next(k for k in candidates if k.auth and k.auth.made(message.data, message.auth_at, message.auth))
        name = oid.encoded(f"1.3.6.1.6.3.15.1.1.{_COUNTERS[reason]}.0")
        count = ber.encode_integer(engine.report(reason), ber.COUNTER32)
        bindings = ber.encode(ber.SEQUENCE, ber.encode(ber.SEQUENCE, ber.encode(ber.OBJECT_ID, name) + count))
        report = ber.encode(pdus.REPORT, ber.encode_integer(number) + _NO_ERROR + _NO_ERROR + bindings)
        return self._message(message, keys, _scoped(engine.engine_id, b"", report), now, private=False)

    def _message(self, asked: V3Message, keys: Keys | None, body: bytes, now: float, *, private: bool = True) -> bytes:
        """A message of SNMPv3 from our engine to who `asked`, with the level that `keys` have."""
        engine = self.decoder.engine
        boots, time = engine.boots, engine.time(now)
        flags, salt = 0, b""
        auth = keys.auth if keys else None
        if auth is not None:
            flags = AUTH
        if keys and keys.ciphers and private:
            flags |= PRIV
            encrypted, salt = keys.ciphers[0].encrypt(body, boots, time)
            body = ber.encode(ber.OCTETS, encrypted)
        header = ber.encode(
            ber.SEQUENCE,
            ber.encode_integer(asked.id)
            + ber.encode_integer(_MOST_OCTETS)
            + ber.encode(ber.OCTETS, bytes((flags & ~REPORTABLE,)))
            + ber.encode_integer(3),
        )
        digest = ber.encode(ber.OCTETS, bytes(auth.octets if auth else 0))
        salted = ber.encode(ber.OCTETS, salt)
        security = ber.encode(
            ber.SEQUENCE,
            ber.encode(ber.OCTETS, engine.engine_id)
            + ber.encode_integer(boots)
            + ber.encode_integer(time)
            + ber.encode(ber.OCTETS, asked.user)
            + digest
            + salted,
        )
        prefix = ber.encode_integer(3) + header + ber.encode(ber.OCTETS, security)
        whole = ber.encode(ber.SEQUENCE, prefix + body)
        if auth is not None:
            end = len(whole) - len(body) - len(salted)
            at = end - auth.octets
            whole = whole[:at] + auth.digest(whole) + whole[end:]
        return whole


def _response(pdu: Pdu, data: bytes, room: int) -> bytes:
    """The Response-PDU: the inform's own bindings, or tooBig and none where they don't fit."""
    bindings, status = data[pdu.list_at : pdu.list_end], _NO_ERROR
    if len(bindings) + 32 > room:
        bindings, status = ber.encode(ber.SEQUENCE, b""), _TOO_BIG
    return ber.encode(pdus.RESPONSE, ber.encode_integer(pdu.request_id) + status + _NO_ERROR + bindings)


def _scoped(engine_id: bytes, name: bytes, pdu: bytes) -> bytes:
    return ber.encode(ber.SEQUENCE, ber.encode(ber.OCTETS, engine_id) + ber.encode(ber.OCTETS, name) + pdu)
