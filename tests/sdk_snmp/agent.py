"""A small SNMP agent (v1, v2c) in the test's process: variables from a dict, faults on demand."""

from __future__ import annotations

import contextlib
import importlib
import socket
import threading
from collections.abc import Generator, Mapping
from typing import Any

decoder: Any = importlib.import_module("pyasn1.codec.ber.decoder")
encoder: Any = importlib.import_module("pyasn1.codec.ber.encoder")
api: Any = importlib.import_module("pysnmp.proto.api")
rfc1902: Any = importlib.import_module("pysnmp.proto.rfc1902")
rfc1905: Any = importlib.import_module("pysnmp.proto.rfc1905")
Oid = tuple[int, ...]


class Agent:
    """Answers until it is closed."""

    def __init__(self, variables: Mapping[Oid, Any]) -> None:
        self.variables = dict(variables)
        self.requests = 0
        self.silent_for = 0
        self.circles = False
        self.most_repetitions = 100
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 0))
        self._socket.settimeout(0.1)
        self.port: int = self._socket.getsockname()[1]
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stops answering."""
        self._closing.set()
        self._thread.join(60)
        self._socket.close()

    def _serve(self) -> None:
        while not self._closing.is_set():
            with contextlib.suppress(TimeoutError):
                data, peer = self._socket.recvfrom(65535)
                self.requests += 1
                if self.silent_for:
                    self.silent_for -= 1
                elif answer := self._answer(data):
                    self._socket.sendto(answer, peer)

    def _answer(self, data: bytes) -> bytes | None:
        version = int(api.decodeMessageVersion(data))
        protocol = api.PROTOCOL_MODULES[version]
        message, _ = decoder.decode(data, asn1Spec=protocol.Message())
        if bytes(protocol.apiMessage.get_community(message)) != b"public":
            return None
        request = protocol.apiMessage.get_pdu(message)
        reply = protocol.apiMessage.get_response(message)
        answer = protocol.apiMessage.get_pdu(reply)
        if type(request).__name__ == "GetBulkRequestPDU":
            name = tuple(protocol.apiBulkPDU.get_varbinds(request)[0][0])
            count = int(protocol.apiBulkPDU.get_max_repetitions(request))
            if count > self.most_repetitions:
                protocol.apiPDU.set_error_status(answer, 1)
                return bytes(encoder.encode(reply))
            found = []
            for _ in range(count):
                name, value = self._next(name)
                found.append((name, value))
        else:
            asked = [tuple(name) for name, _ in protocol.apiPDU.get_varbinds(request)]
            getting = type(request).__name__ == "GetRequestPDU"
            absent = rfc1905.noSuchObject
            found = [(name, self.variables.get(name, absent)) if getting else self._next(name) for name in asked]
            bad = [place for place, (_, value) in enumerate(found, 1) if value in (absent, rfc1905.endOfMibView)]
            if version == 0 and bad:
                protocol.apiPDU.set_error_status(answer, 2)
                protocol.apiPDU.set_error_index(answer, bad[0])
                found = [(name, protocol.Null("")) for name in asked]
        protocol.apiPDU.set_varbinds(answer, found)
        return bytes(encoder.encode(reply))

    def _next(self, name: Oid) -> tuple[Oid, Any]:
        if self.circles:
            return min(self.variables), self.variables[min(self.variables)]
        after = sorted(known for known in self.variables if known > name)
        return (after[0], self.variables[after[0]]) if after else (name, rfc1905.endOfMibView)


@contextlib.contextmanager
def serving(variables: Mapping[Oid, Any]) -> Generator[Agent]:
    """An agent until the end of the block."""
    agent = Agent(variables)
    try:
        yield agent
    finally:
        agent.close()
