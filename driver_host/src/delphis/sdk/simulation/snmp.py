"""Answers GET, GETNEXT and GETBULK of SNMP v2c out of a file in snmpsim's format. It needs pysnmp."""

from __future__ import annotations

import importlib
import logging
import socket
import threading
from bisect import bisect_left, bisect_right
from typing import Any

from delphis.sdk.recording.hook import SnmpVariable
from delphis.sdk.recording.snmprec import parse
from delphis.sdk.simulation.errors import SimulationError

try:
    # These libraries have no types.
    ber: Any = importlib.import_module("pyasn1.codec.ber.decoder"), importlib.import_module("pyasn1.codec.ber.encoder")
    api: Any = importlib.import_module("pysnmp.proto.api")
    v2c: Any = importlib.import_module("pysnmp.proto.api.v2c")
except ModuleNotFoundError:
    raise SimulationError("SNMP needs pysnmp: pip install 'delphis-driver-sdk[snmp]'.") from None

decoder, encoder = ber
LOGGER = logging.getLogger("delphis.simulation")
MOST_BYTES = 60_000
MOST_REPETITIONS = 1000
_TYPES: dict[int, Any] = {
    2: v2c.Integer,
    4: v2c.OctetString,
    6: v2c.ObjectIdentifier,
    64: v2c.IpAddress,
    65: v2c.Counter32,
    66: v2c.Gauge32,
    67: v2c.TimeTicks,
    68: v2c.Opaque,
    70: v2c.Counter64,
}
_OCTETS = (4, 68)

Oid = tuple[int, ...]


class SnmpReplay:
    """The SNMP agent of a recording. Use it as a context manager.

    Attributes:
        log: The names of the requests that came, and the OIDs in them.
    """

    def __init__(self, snmprec: str, *, host: str = "127.0.0.1", port: int = 0, community: str | None = None) -> None:
        """
        Args:
            snmprec: Lines of OID, tag and value.
            host: To listen at.
            port: To listen at; 0: the system chooses.
            community: The one that is answered; None: any.

        Raises:
            SimulationError: A line can't be used.
        """
        self._community = community
        try:
            self._values = {tuple(map(int, each.oid.split("."))): _value(each) for each in parse(snmprec)}
        except ValueError as error:
            raise SimulationError(f"The SNMP part of the recording can't be used: {error}.") from None
        self._order = sorted(self._values)
        self._address = (host, port)
        self._socket: socket.socket | None = None
        self._thread: threading.Thread | None = None
        self._stopped = False
        self.log: list[tuple[str, tuple[str, ...]]] = []

    @property
    def port(self) -> int:
        """Where it listens."""
        if self._socket is None:
            raise SimulationError("The simulator has not been started.")
        return int(self._socket.getsockname()[1])

    def __enter__(self) -> SnmpReplay:
        self._socket = socket.socket(socket.AF_INET6 if ":" in self._address[0] else socket.AF_INET, socket.SOCK_DGRAM)
        try:
            self._socket.bind(self._address)
        except OSError as error:
            self._socket.close()
            raise SimulationError(f"Can't listen at {self._address[0]}:{self._address[1]}: {error.strerror}.") from None
        self._socket.settimeout(0.1)
        self._thread = threading.Thread(target=self._serve, args=(self._socket,), name="snmp-replay", daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopped = True
        if self._thread is not None and self._socket is not None:
            self._thread.join(10)
            self._socket.close()

    def _serve(self, socket_: socket.socket) -> None:
        while not self._stopped:
            try:
                data, sender = socket_.recvfrom(65535)
            except TimeoutError:
                continue
            try:
                answer = self._answer(data)
            except Exception as error:  # noqa: BLE001 - whatever the library raises at bytes that are no SNMP
                LOGGER.warning("a datagram of %d bytes is no SNMP: %s", len(data), type(error).__name__)
                continue
            if answer is not None:
                socket_.sendto(answer, sender)

    def _answer(self, data: bytes) -> bytes | None:
        if int(api.decodeMessageVersion(data)) != int(api.SNMP_VERSION_2C):
            LOGGER.warning("a request in a version of SNMP that is not v2c was left without an answer")
            return None
        message, _ = decoder.decode(data, asn1Spec=v2c.Message())
        community = bytes(v2c.apiMessage.get_community(message)).decode("latin-1")
        if self._community is not None and community != self._community:
            LOGGER.warning("a request with another community was left without an answer")
            return None
        request = v2c.apiMessage.get_pdu(message)
        asked: list[Oid] = [tuple(name) for name, _ in v2c.apiPDU.get_varbinds(request)]
        self.log.append((type(request).__name__, tuple(".".join(map(str, oid)) for oid in asked)))
        if isinstance(request, v2c.GetRequestPDU):
            return self._packed(message, [(oid, self._values.get(oid) or self._absent(oid)) for oid in asked])
        if isinstance(request, v2c.GetNextRequestPDU):
            return self._packed(message, [self._after(oid) for oid in asked])
        if isinstance(request, v2c.GetBulkRequestPDU):
            return self._bulk(message, request, asked)
        return None

    def _bulk(self, message: Any, request: Any, asked: list[Oid]) -> bytes:
        single = max(0, int(v2c.apiBulkPDU.get_non_repeaters(request)))
        times = min(MOST_REPETITIONS, max(0, int(v2c.apiBulkPDU.get_max_repetitions(request))))
        while True:
            found = [self._after(oid) for oid in asked[:single]]
            row = list(asked[single:])
            for _ in range(times if row else 0):
                line = [self._after(oid) for oid in row]
                found += line
                row = [oid for oid, _ in line]
                if all(isinstance(value, v2c.EndOfMibView) for _, value in line):
                    break
            packed = self._packed(message, found)
            if len(packed) <= MOST_BYTES or times <= 1:
                return packed
            times //= 2

    def _after(self, oid: Oid) -> tuple[Oid, Any]:
        place = bisect_right(self._order, oid)
        if place == len(self._order):
            return oid, v2c.EndOfMibView("")
        return self._order[place], self._values[self._order[place]]

    def _absent(self, oid: Oid) -> Any:
        """No such instance where the object itself, or a table's column, is there; else no such object."""
        place = bisect_left(self._order, oid[:-1])
        same = place < len(self._order) and self._order[place][: len(oid) - 1] == oid[:-1]
        return v2c.NoSuchInstance("") if same else v2c.NoSuchObject("")

    def _packed(self, message: Any, found: list[tuple[Oid, Any]]) -> bytes:
        answer = v2c.apiMessage.get_response(message)
        v2c.apiPDU.set_varbinds(v2c.apiMessage.get_pdu(answer), found)
        return bytes(encoder.encode(answer))


def _value(variable: SnmpVariable) -> Any:
    kind = _TYPES.get(variable.tag)
    if kind is None:
        raise ValueError(f"{variable.oid} has the tag {variable.tag}; known are {', '.join(map(str, _TYPES))}")
    try:
        return kind(variable.value if variable.tag in _OCTETS else variable.value.decode("ascii"))
    except Exception:  # noqa: BLE001 - the library has errors of its own for each type
        raise ValueError(f"{variable.oid} has a value that its tag {variable.tag} can't have") from None
