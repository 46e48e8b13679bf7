"""What informs and searches for our engine are answered: read by pysnmp's own decoder."""

from __future__ import annotations

import dataclasses

import pytest

from services.snmp import (
    AuthProtocol,
    Decoder,
    InformDesk,
    OwnEngine,
    PrivProtocol,
    Reason,
    SnmpError,
    TimeWindows,
    User,
    UserTable,
    ber,
    pdu,
)
from tests.snmp import oracle
from tests.snmp.oracle import EVERY_TYPE, V3, api, config, decoder, rfc3412, univ, usm, v2c

NOW = 1_800_000_000.0
ENGINE = b"\x80\x00\x1f\x88\x05of-the-tests"
SHA, AES = AuthProtocol.SHA, PrivProtocol.AES
USER = User("array", "monitor", SHA, "auth-password", AES, "privacy-password")
SOURCE = "192.0.2.1"


def desk(*, allowed: bool = True, users: tuple[User, ...] = (USER, User("plain", "plain"))) -> InformDesk:
    engine = OwnEngine(ENGINE, 3, NOW - 1_000)
    return InformDesk(Decoder(UserTable(users), engine, TimeWindows()), lambda notification, source: allowed)


def report(data: bytes) -> tuple[str, int, int]:
    """Which counter a report names, its value, and the flags; after pysnmp's decoder found the rest to be right."""
    message, rest = decoder.decode(data, asn1Spec=rfc3412.SNMPv3Message())
    assert not rest
    security, _ = decoder.decode(message.getComponentByPosition(2).asOctets(), asn1Spec=usm.UsmSecurityParameters())
    assert bytes(security[0]) == ENGINE
    assert (int(security[1]), int(security[2])) == (3, 1_000)
    scoped = message.getComponentByPosition(3).getComponent()
    inner = scoped.getComponentByPosition(2).getComponent()
    assert inner.tagSet == v2c.ReportPDU.tagSet
    ((name, value),) = v2c.apiPDU.get_varbinds(inner)
    return str(name), int(value), bytes(message[1][2])[0]


def test_v2c_is_answered_with_its_own_bindings() -> None:
    data = oracle.v2c_message(inform=True, request_id=-5)
    taken = desk().take(data, SOURCE, NOW)
    assert taken.keep
    assert taken.notification is not None
    assert oracle.ours(taken.notification) == oracle.read(data)
    answer, rest = decoder.decode(taken.answer, asn1Spec=v2c.Message())
    assert not rest
    assert bytes(v2c.apiMessage.get_community(answer)) == b"public"
    asked = v2c.apiMessage.get_pdu(decoder.decode(data, asn1Spec=v2c.Message())[0])
    told = v2c.apiMessage.get_pdu(answer)
    assert told.tagSet == v2c.ResponsePDU.tagSet
    assert int(v2c.apiPDU.get_request_id(told)) == -5
    assert int(v2c.apiPDU.get_error_status(told)) == 0
    assert v2c.apiPDU.get_varbinds(told) == v2c.apiPDU.get_varbinds(asked)
    assert int(api.decodeMessageVersion(taken.answer)) == 1


@pytest.mark.parametrize("privacy", [None, AES, PrivProtocol.DES, PrivProtocol.TRIPLE_DES], ids=lambda p: str(p))
def test_v3_is_answered_at_its_level(privacy: PrivProtocol | None) -> None:
    mine = User("array", "monitor", SHA, "auth-password", privacy, "privacy-password" if privacy else "")
    extension = oracle.REEDER if privacy is PrivProtocol.TRIPLE_DES else oracle.BLUMENTHAL
    asked = V3(auth=SHA, privacy=privacy, extension=extension, engine_id=ENGINE, boots=3, time=990, reportable=True)
    data = asked.message(EVERY_TYPE[:3], inform=True)
    taken = desk(users=(mine,)).take(data, SOURCE, NOW)
    assert taken.keep
    message, _ = decoder.decode(taken.answer, asn1Spec=rfc3412.SNMPv3Message())
    security, _ = decoder.decode(message.getComponentByPosition(2).asOctets(), asn1Spec=usm.UsmSecurityParameters())
    service = config.AUTH_SERVICES[oracle.AUTHS[SHA]]
    key = service.localize_key(service.hash_passphrase(b"auth-password"), univ.OctetString(ENGINE))
    service.authenticate_incoming_message(key, security[4], taken.answer)  # raises where it isn't ours
    body = message.getComponentByPosition(3).getComponent()
    if privacy is not None:
        cipher = config.PRIV_SERVICES[oracle.PRIVS[privacy, extension]]
        key = cipher.hash_passphrase(oracle.AUTHS[SHA], b"privacy-password")
        key = cipher.localize_key(oracle.AUTHS[SHA], univ.OctetString(key), univ.OctetString(ENGINE))
        plain = cipher.decrypt_data(key, (int(security[1]), int(security[2]), security[5]), body)
        body, _ = decoder.decode(bytes(plain), asn1Spec=rfc3412.ScopedPDU())
    told = body.getComponentByPosition(2).getComponent()
    assert told.tagSet == v2c.ResponsePDU.tagSet
    assert int(message[1][0]) == asked.message_id
    assert int(v2c.apiPDU.get_request_id(told)) == 77
    assert len(v2c.apiPDU.get_varbinds(told)) == 5


def test_reports() -> None:
    here = V3(auth=SHA, privacy=AES, engine_id=ENGINE, boots=3, time=990, reportable=True)
    base = "1.3.6.1.6.3.15.1.1"
    for changed, reason, counter, flags in (
        ({"engine_id": b"", "user": "", "auth": None, "privacy": None}, Reason.UNKNOWN_ENGINE, 4, 0),
        ({"engine_id": oracle.ENGINE}, Reason.UNKNOWN_ENGINE, 4, 0),
        ({"user": "nobody"}, Reason.UNKNOWN_USER, 3, 0),
        ({"privacy": None}, Reason.UNSUPPORTED_SECURITY_LEVEL, 1, 0),
        ({"auth_password": "other-password"}, Reason.WRONG_DIGEST, 5, 0),
        ({"privacy_password": "other-password"}, Reason.DECRYPTION, 6, 0),
        ({"boots": 2}, Reason.NOT_IN_TIME_WINDOW, 2, 1),
        ({"time": 1_200}, Reason.NOT_IN_TIME_WINDOW, 2, 1),
        ({"time": 800}, Reason.NOT_IN_TIME_WINDOW, 2, 1),
    ):
        asked = dataclasses.replace(here, **changed)
        taken = desk().take(asked.message(EVERY_TYPE[:1], inform=True), SOURCE, NOW)
        assert (taken.keep, taken.reason) == (False, reason), changed
        assert report(taken.answer) == (f"{base}.{counter}.0", 1, flags)


def test_silence_before_users_are_known() -> None:
    """A sender that is told of an unknown user gives up; one that hears nothing sends again."""
    here = V3(auth=SHA, privacy=AES, engine_id=ENGINE, boots=3, time=990, reportable=True)
    starting = desk(users=())
    with pytest.raises(SnmpError) as refused:
        starting.take(here.message(inform=True), SOURCE, NOW)
    assert refused.value.reason is Reason.UNKNOWN_USER
    search = V3(user="", engine_id=b"", reportable=True).message((), inform=True)
    assert starting.take(search, SOURCE, NOW).reason is Reason.UNKNOWN_ENGINE
    starting.decoder.users = UserTable([USER])
    assert starting.take(here.message(inform=True), SOURCE, NOW).keep


def test_counts_go_on() -> None:
    here, desk_ = V3(user="nobody", engine_id=ENGINE, boots=3, time=990, reportable=True), desk()
    for count in (1, 2, 3):
        assert report(desk_.take(here.message(inform=True), SOURCE, NOW).answer)[1] == count


def test_who_is_not_allowed_gets_no_answer() -> None:
    for data in (
        oracle.v2c_message(inform=True),
        V3(user="plain", engine_id=ENGINE, reportable=True).message(inform=True),
    ):
        with pytest.raises(SnmpError) as refused:
            desk(allowed=False).take(data, SOURCE, NOW)
        assert refused.value.reason is Reason.NOT_ALLOWED
        assert "public" not in str(refused.value)


def test_a_repeated_inform_is_answered_and_not_kept_again() -> None:
    desk_, data = desk(), oracle.v2c_message(inform=True)
    first = desk_.take(data, SOURCE, NOW)
    assert desk_.take(data, SOURCE, NOW).keep  # the first couldn't be kept, it seems
    desk_.kept(first, NOW)
    again = desk_.take(data, SOURCE, NOW + 5)
    assert (again.keep, again.answer, again.reason) == (False, first.answer, None)
    assert desk_.take(data, "192.0.2.2", NOW + 5).keep
    assert desk_.take(oracle.v2c_message(inform=True, request_id=78), SOURCE, NOW + 5).keep
    assert desk_.take(data, SOURCE, NOW + 61).keep


def test_a_trap_that_asks_for_reports_is_kept_and_not_answered() -> None:
    data = V3(auth=SHA, privacy=AES, reportable=True).message()
    taken = desk().take(data, SOURCE, NOW)
    assert (taken.keep, taken.answer) == (True, b"")
    plain = oracle.v2c_message()
    assert desk().take(plain, SOURCE, NOW).answer == b""


def test_an_answer_that_is_too_long_for_who_asked() -> None:
    bindings = [(oracle.OID, ber.OCTETS, b"x" * 800)]
    for max_size, status, count in ((2_000, 0, 3), (600, 1, 0)):
        asked = V3(user="plain", engine_id=ENGINE, reportable=True, max_size=max_size)
        taken = desk().take(asked.message(bindings, inform=True), SOURCE, NOW)
        assert taken.keep
        assert len(taken.answer) <= max_size
        message, _ = decoder.decode(taken.answer, asn1Spec=rfc3412.SNMPv3Message())
        told = message.getComponentByPosition(3).getComponent().getComponentByPosition(2).getComponent()
        assert int(v2c.apiPDU.get_error_status(told)) == status
        assert len(v2c.apiPDU.get_varbinds(told)) == count


def test_an_inform_that_was_answered_is_read_after_a_restart() -> None:
    data = V3(auth=SHA, privacy=AES, engine_id=ENGINE, boots=3, time=990, reportable=True).message(inform=True)
    assert desk().take(data, SOURCE, NOW).keep
    later = Decoder(UserTable([USER]), OwnEngine(ENGINE, 4, NOW + 500), TimeWindows())
    assert later.decode(data, NOW, answered=True).inform
    with pytest.raises(SnmpError) as refused:
        later.decode(data, NOW)
    assert refused.value.reason is Reason.NOT_IN_TIME_WINDOW


def test_our_engine() -> None:
    for wrong in ({"engine_id": b"four"}, {"boots": 0}, {"boots": 2**31}):
        with pytest.raises(ValueError, match=r"engine id|boots"):
            OwnEngine(**{"engine_id": ENGINE, "boots": 1, "started_at": NOW, **wrong})  # type: ignore[arg-type]
    assert pdu.request_id(b"\xa0\x01", 0, 2) == 0
