"""A dashboard that answers from a recording: the shapes of Ceph 16.2, with odd cases that a healthy one lacks."""

from __future__ import annotations

import itertools
import json
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from delphis.sdk import AccessInfo, Context
from drivers.ceph.driver import CephDriver
from tests.sdk_http.server import Asked, Says, ScriptedServer, serving

RECORDING = Path(__file__).parent / "recordings" / "pacific.json"
PASSWORD = "dashboard-Passw0rd"


class Dashboard:
    """The API. What it says may be changed between calls.

    Attributes:
        answers: By path.
        versions: By path, where it is not 1.0.
        says: What a path answers instead of the recording.
        login: What the answer to a login says beside the token.
        renamed: Names of images that are counted, but not given.
        tokens: Given so far, and valid until they expire.
    """

    def __init__(self) -> None:
        self.answers: dict[str, Any] = json.loads(RECORDING.read_text())
        self.versions = {"/api/block/image": "2.0"}
        self.says: dict[str, Says] = {}
        self.tokens: list[str] = []
        self.login: dict[str, Any] = {}
        self.renamed: set[str] = set()
        self._numbers = itertools.count()

    def __call__(self, asked: Asked) -> Says:
        if asked.path in self.says:
            return self.says[asked.path]
        version = self.versions.get(asked.path, "1.0")
        if (found := asked.headers.get("Accept", "")) != f"application/vnd.ceph.api.v{version}+json":
            client = found.removeprefix("application/vnd.ceph.api.v").removesuffix("+json")
            detail = f"Incorrect version: endpoint is '{version}', client requested '{client}'"
            return Says({"status": "415 Unsupported Media Type", "detail": detail}, 415)
        if asked.path == "/api/auth":
            if asked.json() != {"username": "monitor", "password": PASSWORD}:
                return Says({"detail": "Invalid credentials", "code": "invalid_credentials", "component": "auth"}, 400)
            self.tokens.append(f"token-{next(self._numbers)}-of-the-dashboard")
            return Says({"token": self.tokens[-1], "pwdUpdateRequired": False, **self.login}, 201)
        if asked.headers.get("Authorization", "").removeprefix("Bearer ") not in self.tokens:
            return Says({"detail": "You are not authorized to access that resource"}, 401)
        if asked.path == "/api/auth/logout":
            return Says({"redirect_url": "#/login"})
        if asked.path == "/api/block/image":
            return self._images(asked)
        if asked.path not in self.answers:
            return Says({"detail": f"The path '{asked.path}' was not found."}, 404)
        return Says(self.answers[asked.path])

    def expire(self) -> None:
        """No token is valid any more."""
        self.tokens.clear()

    def _images(self, asked: Asked) -> Says:
        offset, limit = int(asked.params.get("offset", 0)), int(asked.params.get("limit", 5))
        images = [one for one in self.answers["/api/block/image"] if one["pool_name"] == asked.params["pool_name"]]
        part = [one for one in images[offset : offset + limit] if one["name"] not in self.renamed]
        value = [{"value": part, "pool_name": asked.params["pool_name"]}] if part else []
        return Says(value, headers={"X-Total-Count": str(len(images))})


class Recorded:
    """A driver of a recorded cluster."""

    def __init__(self, dashboard: Dashboard, server: ScriptedServer, attributes: Mapping[str, str]) -> None:
        self.dashboard = dashboard
        self.server = server
        access = AccessInfo(storage_id="s-1", rest=server.access(password=PASSWORD), extra_attributes=attributes)
        self.driver = CephDriver(access)
        self.context = Context("s-1", timeout=30)

    def paths(self) -> list[str]:
        """What was asked so far."""
        return [asked.path for asked in self.server.asked]


@contextmanager
def recorded(**attributes: str) -> Generator[Recorded, None, None]:
    """A dashboard, and a driver that knows how to reach it. The keywords are extra attributes."""
    dashboard = Dashboard()
    with serving(dashboard) as server:
        cluster = Recorded(dashboard, server, attributes)
        try:
            yield cluster
        finally:
            cluster.driver.close()
