"""The array of `drivers/rest_box.py`, over HTTPS."""

from __future__ import annotations

import contextlib
import secrets
from collections.abc import Generator
from pathlib import Path
from typing import Any

from delphis.sdk import RestAccess
from tests.sdk_http.certificates import Certificate, authority, server_certificate
from tests.sdk_http.server import Asked, Says, ScriptedServer, serving

PASSWORD = "b0x-p4ssw0rd-s3nt1nel"
VOLUMES = 620


class Box:
    """Its sessions and what it holds."""

    def __init__(self) -> None:
        self.tokens: set[str] = set()
        self.logins = 0
        self.most_tokens = 0
        self.running = 0
        self.most_running = 0

    def answer(self, asked: Asked) -> Says:
        self.running += 1
        self.most_running = max(self.most_running, self.running)
        try:
            return self._answer(asked)
        finally:
            self.running -= 1

    def _answer(self, asked: Asked) -> Says:
        what = asked.path.removeprefix("/api/")
        if what == "session" and asked.method == "POST":
            if asked.json() != {"user": "monitor", "password": PASSWORD}:
                return Says({"error": "login"}, 401)
            token = secrets.token_urlsafe(18)
            self.tokens.add(token)
            self.logins += 1
            self.most_tokens = max(self.most_tokens, len(self.tokens))
            return Says({"token": token}, 201)
        token = asked.headers.get("X-Token", "")
        if token not in self.tokens:
            return Says({"error": "session"}, 401)
        if what == "session":
            self.tokens.discard(token)
            return Says({}, 200)
        return Says(CONTENT[what]) if what in CONTENT else Says({"error": "path"}, 404)


CONTENT: dict[str, Any] = {
    "system": {
        "name": "box",
        "type": "RB-9",
        "health": "OK",
        "serial": "RB-0001",
        "version": "1.2",
        "total_gib": 20_000,
        "used_gib": 5_000,
    },
    "pools": [{"id": number, "name": f"pool {number}", "gib": 10_000, "used": 2_500} for number in range(2)],
    "volumes": [
        {
            "id": number,
            "name": f"volume {number}",
            "pool": number % 2,
            "wwn": f"6006016{number:025x}",
            "gib": 10,
            "used": number % 10,
        }
        for number in range(VOLUMES)
    ],
    "ports": [
        {"id": f"fc-{number}", "place": f"slot {number}", "gbit": 16, "wwn": f"50060160000000{number:02x}"}
        for number in range(4)
    ],
}


@contextlib.contextmanager
def box(folder: Path) -> Generator[tuple[Box, ScriptedServer, Certificate], None, None]:
    """A box that serves, and the authority that signed its certificate: for another name, as arrays have it."""
    signer = authority(folder)
    array = Box()
    certificate = server_certificate(folder, signer=signer, names=("array.example",))
    with serving(array.answer, certificate) as server:
        yield array, server, signer


def access(server: ScriptedServer, signer: Certificate, **changes: Any) -> RestAccess:
    """Access info that trusts the authority."""
    rest = server.access(**{"password": PASSWORD, **changes})
    rest.tls.Clear()
    rest.tls.ca_certificates = signer.pem
    return rest
