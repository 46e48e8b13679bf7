"""Asks an array over SNMP who it is. The library takes threads; it is loaded at the first question."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import threading
from dataclasses import dataclass

from delphis.sdk import Context, errors
from delphis.sdk.snmp import SnmpAccess, SnmpSession
from delphis.type.v1 import alert_pb2
from services.alerts.snmp_configs.merging import Given
from services.snmp import SnmpError, ber
from services.snmp.message import opened, read_v3

SYS_DESCR = "1.3.6.1.2.1.1.1.0"
DEFAULT_PORT, DEFAULT_RETRIES, DEFAULT_SECONDS = 161, 1, 2


@dataclass(frozen=True, slots=True)
class Probed:
    """What came of it."""

    problem: str = ""
    """Empty: it answered."""
    engine_id: str = ""
    """Hexadecimal, of SNMPv3, where the agent told it."""


async def probe(given: Given) -> Probed:
    """Asks once, with the configuration's retries and patience."""
    loop = asyncio.get_running_loop()
    answer: asyncio.Future[Probed] = loop.create_future()

    def settle(found: Probed | None, fault: BaseException | None) -> None:
        if answer.done():
            return
        if fault is not None:
            answer.set_exception(fault)
        elif found is not None:
            answer.set_result(found)

    def ask() -> None:
        found: Probed | None = None
        fault: BaseException | None = None
        try:
            found = _probe(given)
        except Exception as error:  # noqa: BLE001 - for whoever waits
            fault = error
        with contextlib.suppress(RuntimeError):  # the process ends
            loop.call_soon_threadsafe(settle, found, fault)

    # No pool: its threads would keep the process from ending while an array is silent.
    threading.Thread(target=ask, name="snmp check", daemon=True).start()
    return await answer


def access_of(given: Given) -> SnmpAccess:
    """How the agent is reached."""
    config, secrets = given.config, given.secrets
    return SnmpAccess(
        host=config.host,
        port=config.port or DEFAULT_PORT,
        version=config.version,
        community=secrets.community_string,
        username=config.username,
        security_level=config.security_level,
        auth_protocol=config.auth_protocol,
        auth_key=secrets.auth_key,
        privacy_protocol=config.privacy_protocol,
        privacy_key=secrets.privacy_key,
        context_name=config.context_name,
        timeout=float(config.expiration if config.HasField("expiration") else DEFAULT_SECONDS),
        retries=config.retry_num if config.HasField("retry_num") else DEFAULT_RETRIES,
    )


def _probe(given: Given) -> Probed:
    access = access_of(given)
    context = Context(timeout=access.timeout * (access.retries + 1) * 4 + 5)
    session: SnmpSession | None = None
    try:
        session = SnmpSession(access)
        session.get(context, SYS_DESCR)
    except errors.DriverError as error:
        return Probed(problem=error.message)
    finally:
        if session is not None:
            session.close()
    if access.version != alert_pb2.SNMP_VERSION_SNMPV3 or given.config.engine_id:
        return Probed()
    return Probed(engine_id=discovered(access.host, access.port, access.timeout))


def discovered(host: str, port: int, seconds: float) -> str:
    """The engine id that an agent tells to who doesn't know it (RFC 3414, 4); empty where it tells none."""
    number = int.from_bytes(os.urandom(3), "big")
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_DGRAM)[0]
        with socket.socket(family, kind, protocol) as asking:
            asking.settimeout(seconds)
            asking.connect(address)
            asking.send(_question(number))
            answer = asking.recv(65_535)
        version, at = opened(answer)
        message = read_v3(answer, at)
    except (OSError, SnmpError, IndexError):
        return ""
    if version != 3 or message.id != number:
        return ""
    return message.engine_id.hex()


def _question(number: int) -> bytes:
    """A request without an engine id and a user: the agent answers with a report that names its engine."""
    integer, octets, sequence = ber.encode_integer, _octets, _sequence
    header = sequence(integer(number), integer(65_507), octets(b"\x04"), integer(3))
    security = octets(sequence(octets(b""), integer(0), integer(0), octets(b""), octets(b""), octets(b"")))
    get = ber.encode(0xA0, integer(number) + integer(0) + integer(0) + sequence())
    return sequence(integer(3), header, security, sequence(octets(b""), octets(b""), get))


def _octets(data: bytes) -> bytes:
    return ber.encode(ber.OCTETS, data)


def _sequence(*parts: bytes) -> bytes:
    return ber.encode(ber.SEQUENCE, b"".join(parts))
